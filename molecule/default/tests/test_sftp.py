# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SFTP with real clients: what must work."""

from __future__ import annotations

import shlex

import pytest
from conftest import BIG_FILE, PASSWORDS, SFTP_JAIL


def options(server) -> str:
    """Options of sftp, ssh and scp: the host key must be the known one."""
    return f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={server.known_hosts} -o ConnectTimeout=15"


def with_password(user: str) -> str:
    """Shell line that lets ``sshpass -e`` hand the user's password to an OpenSSH client."""
    return f"export SSHPASS={shlex.quote(PASSWORDS[user])}\n"


@pytest.mark.alike
def test_sftp_uploads_lists_renames_downloads_and_deletes(server, client):
    client.ask("banner", host=server.address)
    answer = client.sh(f"""set -e; cd {server.directory}; head -c 100000 /dev/urandom > sftp-up
        {with_password("batman")} sshpass -e sftp -o BatchMode=no -o PubkeyAuthentication=no {options(server)} -b - \
            batman@{server.address} 2>&1 <<'END'
pwd
mkdir sftp-d
put sftp-up sftp-d/one
ls -l sftp-d
rename sftp-d/one sftp-d/two
ls -1 sftp-d
get sftp-d/two sftp-down
rm sftp-d/two
rmdir sftp-d
ls -1
END
        cmp sftp-up sftp-down && echo INTACT""").stdout
    assert "Remote working directory: /batman\n" in answer
    assert " sftp-d/one\n" in answer
    assert "\nsftp-d/two\n" in answer
    assert "INTACT" in answer
    assert not server.host.file(f"{SFTP_JAIL}/batman/sftp-d").exists


@pytest.mark.alike
def test_a_key_logs_in_without_a_password(server, client, key_file):
    client.ask("banner", host=server.address)
    for user in ("alfred", "batman"):
        answer = client.sh(
            f"echo pwd | sftp -i {key_file} -o IdentitiesOnly=yes {options(server)} -b - {user}@{server.address}"
        ).stdout
        assert f"Remote working directory: /{user}\n" in answer


@pytest.mark.spread
def test_paramiko_uploads_lists_renames_downloads_and_deletes(server, client, key_file):
    for login in (server.ssh("robin"), server.ssh("alfred", key_file=key_file)):
        seen = client.ask("sftp_cycle", login=login)
        assert seen["pwd"] == f"/{login['user']}"
        assert (seen["listed"], seen["renamed"], seen["deleted"]) == (["one"], ["two"], [])
        assert seen["size_ok"] and seen["intact"]
        assert "cycle" not in seen["left"]


@pytest.mark.spread
def test_50_mb_arrive_intact(server, client, key_file):
    wanted = client.sh(f"sha256sum < {BIG_FILE}").stdout.split()[0]
    client.ask("banner", host=server.address)
    fetched = client.sh(f"""set -e; cd {server.directory}
        sftp -i {key_file} -o IdentitiesOnly=yes {options(server)} -b - batman@{server.address} >/dev/null <<'END'
put {BIG_FILE} big
get big big-sftp
END
        sha256sum < big-sftp; rm big-sftp""").stdout.split()[0]
    assert fetched == wanted
    assert server.sh(f"cd {SFTP_JAIL}/batman; sha256sum < big; rm big").stdout.split()[0] == wanted
    answer = client.ask("sftp_file", login=server.ssh("robin"), path=BIG_FILE, name="big-paramiko")
    assert (answer["sent"], answer["received"]) == (wanted, wanted)
    server.host.run(f"rm {SFTP_JAIL}/robin/big-paramiko")


@pytest.mark.two_homes
def test_the_same_name_has_two_separate_homes(server, client):
    client.ask("sftp_steps", login=server.ssh("robin"), steps=[["put", "only-sftp", "x"]])
    client.ask("ftps_steps", login=server.ftps("robin"), steps=[["put", "only-ftps", "x"]])
    over_ftps = client.ask("ftps_steps", login=server.ftps("robin"), steps=[["list", "/"], ["delete", "only-ftps"]])
    over_sftp = client.ask("sftp_steps", login=server.ssh("robin"), steps=[["list", "."], ["delete", "only-sftp"]])
    assert [entry for entry in over_ftps[0]["result"] if "only-" in entry] == ["/only-ftps"]
    assert [entry for entry in over_sftp[0]["result"] if "only-" in entry] == ["only-sftp"]
