# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users who go, are locked or get another password: their sessions, their files, and what is mounted in their homes."""

from __future__ import annotations

import json

import pytest
from conftest import CLIENT_DIRECTORY, SFTP_JAIL, wait_until

# ruff: noqa: F811
from held import (  # noqa: F401  # pylint: disable=unused-import
    NAME,
    OTHER,
    PASSWORD,
    known_passwords,
    sessions,
    users,
)


@pytest.mark.spread
def test_a_home_is_removed_while_something_is_uploaded_to_it(server, client, users):
    hurry = f"{CLIENT_DIRECTORY}/removal-hurry"
    request = {
        "scenario": "ftps_unhurried",
        "login": server.ftps(NAME),
        "path": f"{CLIENT_DIRECTORY}/50m",
        "name": "upload",
        "hurry": hurry,
    }
    client.sh(
        f"rm -f {hurry}; cd {CLIENT_DIRECTORY}; (printf '%s' '{json.dumps(request)}' | python3 scenarios.py) "
        ">removal.log 2>&1 &"
    )
    wait_until(lambda: server.host.file(f"{server.ftps_home(NAME)}/upload").exists)
    server.sh(f"ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(home).exists for home in server.homes(NAME))
    client.sh(f"touch {hurry}")


@pytest.mark.spread
@pytest.mark.parametrize("where", ["shared", "", "deep/er/shared"], ids=["inside", "home itself", "deep"])
@pytest.mark.parametrize("protocol", ["sftp", pytest.param("ftps", marks=pytest.mark.two_homes)])
def test_what_is_mounted_in_a_home_refuses_everything(server, users, protocol, where):
    """Case 01: a bind mount of the same file system cannot be told by its device number."""
    home = server.ftps_home(NAME) if protocol == "ftps" else f"{SFTP_JAIL}/{NAME}"
    point = f"{home}/{where}".rstrip("/")
    server.sh(f"""mkdir -p /srv/shared {point}; touch /srv/shared/invoice-{{1..5}}.pdf
touch {home}/a-file; mount --bind /srv/shared {point}""")
    for command in (f"ftp-users del {NAME} --remove-home", f"ftp-users del {NAME} --remove-home --json"):
        refused = server.sh(command, check=False)
        assert refused.returncode != 0 and f"umount {point}" in refused.stdout + refused.stderr
        assert server.sh("ls /srv/shared | wc -l").stdout.strip() == "5"
        assert server.host.user(NAME).exists
        assert server.ftps_login(NAME, PASSWORD)["granted"] and server.sftp_login(NAME)["granted"]
    server.unmount(point)
    server.sh(f"test -e {home}/a-file; ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(path).exists for path in server.homes(NAME))
    assert server.sh("ls /srv/shared | wc -l").stdout.strip() == "5"


@pytest.mark.spread
def test_a_kept_home_is_closed_until_its_user_comes_back(server, users):
    uid = server.host.user(NAME).uid
    home, homes = f"{SFTP_JAIL}/{NAME}", server.homes(NAME)
    server.sh(f"""for home in {" ".join(homes)}; do
  mkdir $home/sub; echo secret >$home/sub/file; chown -R --reference=$home $home
done
ftp-users del {NAME}; useradd --uid {uid} --no-create-home harley""")
    for one in homes:
        assert server.sh(f"stat -c '%U %a' {one}").stdout.split() == ["root", "700"]
    assert server.sh(f"setpriv --reuid {uid} --clear-groups cat {home}/sub/file", check=False).returncode != 0
    server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {NAME} --password-stdin")
    assert server.host.user(NAME).uid != uid
    for one in homes:
        owner = NAME if one == home else server.ftps_owner(NAME)
        assert server.sh(f"find {one} -printf '%u\\n'").stdout.split() == [owner] * 3


@pytest.mark.spread
def test_what_a_removed_user_left_can_be_deleted_later(server, users):
    server.sh(f"ftp-users del {NAME}")
    assert all(server.host.file(home).exists for home in server.homes(NAME))
    server.sh(f"ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(home).exists for home in server.homes(NAME))
    again = server.sh(f"ftp-users del {NAME} --remove-home", check=False)
    assert again.returncode != 0 and "no such user" in again.stderr


@pytest.mark.spread
def test_a_home_that_is_a_link_stays_and_its_user_goes(server, users):
    home = server.ftps_home(NAME)
    server.sh(f"mkdir /srv/shared; rmdir {home}; ln -s /srv/shared {home}")
    before = server.sh("stat -c '%U %a' /srv/shared").stdout
    said = server.sh(f"ftp-users del {NAME}")
    assert "found a symbolic link" in said.stdout + said.stderr
    assert NAME not in server.sh("ftp-users list | cut -d' ' -f1").stdout.split()
    assert server.sh("stat -c '%U %a' /srv/shared").stdout == before
