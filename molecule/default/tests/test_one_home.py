# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One person, one home, one user id, one password: what a new server gives to each user, by real clients."""

from __future__ import annotations

import shlex

import pytest
from conftest import KEY_FILE, PASSWORDS, SFTP_JAIL, run_module, wait_until

# ruff: noqa: F811
from held import (  # noqa: F401  # pylint: disable=unused-import
    NAME,
    OTHER,
    PASSWORD,
    Sessions,
    known_passwords,
    sessions,
    users,
)

pytestmark = pytest.mark.one_home
SECOND = "another One-2"
FTPS_ONLY = "harley"


def by_ftps(server, user: str, *steps: list, done: bool = True) -> list:
    """What the steps gave, all of which are ``done``, or refused."""
    answers = server.client.ask("ftps_steps", login=server.ftps(user), steps=steps)
    assert [one["done"] for one in answers] == [done] * len(steps), answers
    return [one["result"] for one in answers]


def by_sftp(server, user: str, *steps: list) -> list:
    answers = server.client.ask("sftp_steps", login=server.ssh(user), steps=steps)
    assert all(one["done"] for one in answers), answers
    return [one["result"] for one in answers]


def granted(server, name: str, password: str) -> tuple[bool, bool]:
    """Whether the password logs in over FTPS, and over SFTP."""
    return server.ftps_login(name, password)["granted"], server.sftp_login(name, password=password)["granted"]


@pytest.mark.alike
def test_what_one_protocol_uploads_the_other_one_lists_reads_renames_and_deletes(server):
    home = f"{SFTP_JAIL}/batman"
    by_ftps(server, "batman", ["put", "up", "by ftps\n"], ["raw", "MKD d"], ["put", "d/deep", "by ftps\n"])
    found = by_sftp(server, "batman", ["list", "."], ["get", "up"], ["rename", "up", "renamed"], ["delete", "d/deep"])
    assert "up" in found[0] and found[1] == "by ftps\n"
    found = server.sh(f"cd {home}; ls; ls d; stat -c '%U %a' renamed").stdout
    assert found.split() == ["d", "renamed", "batman", "600"]
    by_sftp(
        server, "batman", ["put", "renamed", "changed\n"], ["rmdir", "d"], ["put", "up", "by sftp\n"], ["mkdir", "e"]
    )
    steps = [["list", "/"], ["get", "up"], ["get", "renamed"], ["rename", "up", "e/up"], ["delete", "renamed"]]
    found = by_ftps(server, "batman", *steps)
    assert [entry.strip("/") for entry in sorted(found[0])] == ["e", "renamed", "up"]
    assert found[1:3] == ["by sftp\n", "changed\n"]
    uid = str(server.host.user("batman").uid)
    assert server.sh(f"cd {home}; find . -printf '%P %U\\n' | sort").stdout.split() == [uid, "e", uid, "e/up", uid]
    by_ftps(server, "batman", ["delete", "e/up"], ["raw", "RMD e"])
    assert server.sh(f"ls {home}").stdout == ""


IDS = """
for one in $(pgrep -x vsftpd); do
    echo $(readlink /proc/$one/root) $(sed -n 's/^\\(Uid\\|Gid\\|Groups\\|CapEff\\)://p' /proc/$one/status)
done
"""


@pytest.mark.alike
@pytest.mark.parametrize("user", ["batman", "oracle"])
def test_a_session_of_ftps_runs_as_the_user_and_cannot_read_what_others_have(server, client, user):
    """Also not outside its chroot: the kernel refuses it, by the user id."""
    home, robins = f"{SFTP_JAIL}/{user}", f"{SFTP_JAIL}/robin/secret"
    server.sh(f"echo mine >{home}/own; echo secret >{robins}; chown --reference={SFTP_JAIL}/robin {robins}")
    server.sh(f"chown --reference={home} {home}/own; chmod 644 {robins} {home}/own")
    held = Sessions(server, client, [])
    held.logins["ftps"] = {"protocol": "ftps", "login": server.ftps(user)}
    held.begin("ftps")
    try:
        wait_until(lambda: held.files("open") == ["ftps"], 40)
        (session,) = [line.split() for line in server.sh(IDS).stdout.splitlines() if line.startswith(f"{home} ")]
    finally:
        held.stop()
    ids = server.sh(f"id -u {user}; id -g {user}; id -G {user}").stdout.split()
    assert session[1:5] == [ids[0]] * 4 and session[5:9] == [ids[1]] * 4, "real, effective, saved, of files"
    *groups, capabilities = session[9:]
    assert set(groups) == set(ids[2:]) and int(capabilities, 16) == 0
    read = f"setpriv --reuid {ids[0]} --regid {ids[1]} --groups {','.join(groups)} cat"
    assert server.sh(f"{read} {home}/own").stdout == "mine\n"
    assert "Permission denied" in server.sh(f"{read} {robins}", check=False).stderr
    server.sh(f"rm {home}/own {robins}")


@pytest.mark.alike
def test_one_password_for_both_protocols(server, users):
    assert granted(server, NAME, PASSWORD) == (True, True)
    server.sh(f"printf '%s\\n' '{SECOND}' | ftp-users passwd {NAME} --password-stdin")
    assert granted(server, NAME, SECOND) == (True, True) and granted(server, NAME, PASSWORD) == (False, False)


@pytest.fixture
def harley(server, users, monkeypatch):
    """A user of FTPS only, with a file."""
    monkeypatch.setitem(PASSWORDS, FTPS_ONLY, PASSWORD)
    server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {FTPS_ONLY} --protocol ftps --password-stdin")
    by_ftps(server, FTPS_ONLY, ["put", "file", "mine"])


@pytest.mark.alike
def test_who_only_uses_ftps_cannot_log_in_by_anything_else(server, client, key_file, harley):
    """Not even with a password or a key that somebody gives the account by mistake."""
    assert server.sh(f"getent passwd {FTPS_ONLY}").stdout.strip().endswith(":/:/usr/sbin/nologin")
    assert server.sh(f"getent shadow {FTPS_ONLY}").stdout.split(":")[1] == "!*"
    server.sh(f"echo '{FTPS_ONLY}:{PASSWORD}' | chpasswd")
    with open(f"{KEY_FILE}.pub", encoding="ascii") as file:
        server.sh(f"cat >/etc/ssh/sftponly_keys/{FTPS_ONLY} <<'END'\n{file.read()}END\n")
    assert granted(server, FTPS_ONLY, PASSWORD) == (True, False)
    assert not server.sftp_login(FTPS_ONLY, key_file=key_file)["granted"]
    server.sh(f"ftp-users edit {FTPS_ONLY} --protocol ftps")
    assert server.sh("ls /etc/ssh/sftponly_keys").stdout.count(FTPS_ONLY) == 0
    assert f"{FTPS_ONLY}:!*:" in server.sh(f"getent shadow {FTPS_ONLY}").stdout


@pytest.mark.spread
def test_a_protocol_more_and_one_less(server, harley):
    server.sh(f"ftp-users edit {FTPS_ONLY} --protocol both")
    assert granted(server, FTPS_ONLY, PASSWORD) == (True, True)
    assert by_sftp(server, FTPS_ONLY, ["get", "file"], ["put", "more", "mine"])[0] == "mine"
    server.sh(f"ftp-users edit {FTPS_ONLY} --protocol ftps")
    assert granted(server, FTPS_ONLY, PASSWORD) == (True, False)
    assert by_ftps(server, FTPS_ONLY, ["get", "more"]) == ["mine"]
    server.sh(f"ftp-users edit {NAME} --protocol sftp")
    assert granted(server, NAME, PASSWORD) == (False, True)


@pytest.mark.spread
def test_the_files_of_who_only_used_ftps_are_closed_and_come_back(server, harley):
    home = f"{SFTP_JAIL}/{FTPS_ONLY}"
    server.sh(f"ftp-users del {FTPS_ONLY}")
    assert granted(server, FTPS_ONLY, PASSWORD) == (False, False)
    assert server.sh(f"stat -c '%U %a' {home}").stdout.split() == ["root", "700"]
    assert FTPS_ONLY not in server.sh("getent passwd; getent group; ls /etc/vsftpd/users.d").stdout
    server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {FTPS_ONLY} --password-stdin")
    assert by_ftps(server, FTPS_ONLY, ["get", "file"]) == by_sftp(server, FTPS_ONLY, ["get", "file"]) == ["mine"]
    server.sh(f"ftp-users del {FTPS_ONLY} --remove-home; test ! -e {home}")


@pytest.mark.spread
def test_a_module_of_one_protocol_leaves_the_other_one(server, users, tmp_path):
    def module(kind: str, **options: object) -> None:
        assert "CHANGED" in run_module(server, kind, options, PASSWORD, tmp_path)

    module("sftp_user", name=NAME, state="absent")
    assert granted(server, NAME, PASSWORD) == (True, False)
    module("sftp_user", name=NAME, password="{{ the_password }}")
    assert granted(server, NAME, PASSWORD) == (True, True)
    database = "/etc/vsftpd/users.db"
    module("ftp_user", name=FTPS_ONLY, password="{{ the_password }}", db=database)
    assert granted(server, FTPS_ONLY, PASSWORD) == (True, False)
    module("ftp_user", name=FTPS_ONLY, state="absent", db=database)
    assert server.sh(f"getent passwd {FTPS_ONLY}", check=False).returncode != 0


@pytest.mark.spread
def test_a_link_leads_nowhere_over_ftps_that_was_made_over_sftp(server, client, users):
    """SFTP makes links, FTPS does not: each ends at the root of the session that follows it."""
    server.sh(f"echo secret >{SFTP_JAIL}/{OTHER}/secret; chown {OTHER}: {SFTP_JAIL}/{OTHER}/secret")
    links = {"a": "/etc/passwd", "b": f"../{OTHER}/secret", "c": f"{SFTP_JAIL}/{OTHER}/secret", "d": "/tmp/escaped"}
    typed = "\n".join(f"ln -s {shlex.quote(target)} {name}" for name, target in links.items())
    client.ask("banner", host=server.address)
    client.sh(
        f"export SSHPASS={shlex.quote(PASSWORD)}; sshpass -e sftp -o BatchMode=no -o PubkeyAuthentication=no"
        f" -o UserKnownHostsFile={server.known_hosts} -b - {NAME}@{server.address} <<'END'\n{typed}\nEND\n"
    )
    assert server.sh(f"readlink {SFTP_JAIL}/{NAME}/[a-d]").stdout.split() == list(links.values())
    by_ftps(server, NAME, ["get", "a"], ["get", "b"], ["get", "c"], ["put", "d", "x"], done=False)
    assert not server.host.file("/tmp/escaped").exists
