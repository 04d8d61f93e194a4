# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users who go, are locked or get another password: their sessions, their files, and what is mounted in their homes."""

from __future__ import annotations

import json
import time
from typing import Callable

import pytest
from conftest import CLIENT_DIRECTORY, FTPS_ROOT, PASSWORDS, SFTP_JAIL

NAME, OTHER = "joker", "jokerman"
PASSWORD = "why-So Serious1"
HOMES = [f"{FTPS_ROOT}/{NAME}", f"{SFTP_JAIL}/{NAME}"]


@pytest.fixture(autouse=True)
def known_passwords(monkeypatch):
    """Let the helpers log these users in, and forget them for the other tests."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    monkeypatch.setitem(PASSWORDS, OTHER, PASSWORD)


def wait_until(what: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def clean(server) -> None:
    points = "$(awk '{print $5}' /proc/self/mountinfo | grep -E '/jok[a-z]*(/|$)' | sort -r)"
    server.sh(f"""for point in {points}; do umount $point; done
for name in {NAME} {OTHER} harley; do
  ftp-users del $name >/dev/null 2>&1; userdel $name 2>/dev/null
  rm -rf {FTPS_ROOT}/$name {SFTP_JAIL}/$name
done; rm -rf /srv/shared; true""")


@pytest.fixture
def users(server):
    """Two users of both protocols, one's name the beginning of the other's."""
    clean(server)
    for name in (NAME, OTHER):
        server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {name} --password-stdin")
    yield
    clean(server)


class Sessions:
    """Open sessions of both protocols and both users, held by the client; each writes a file when it has ended."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.folder = f"{CLIENT_DIRECTORY}/removal"
        logins = {
            f"{protocol}-{name}": {"protocol": protocol, "login": getattr(server, how)(name)}
            for protocol, how in (("ftps", "ftps"), ("sftp", "ssh"))
            for name in (NAME, OTHER)
        }
        self.names = list(logins)
        client.sh(f"""rm -rf {self.folder}; mkdir -p {self.folder}; cd {self.folder}
cat >hold.py <<'END'
import json, os, sys, time
sys.path.insert(0, "..")
import ftps, ssh
name, wish = sys.argv[1], json.loads(sys.argv[2])
if wish["protocol"] == "ftps":
    session = ftps.connect(**wish["login"])
    alive = session.nlst
else:
    connection = ssh.connect(**wish["login"])
    session = connection.open_sftp()
    alive = session.listdir
open(name + ".open", "w").close()
try:
    while not os.path.exists("stop"):
        alive()
        time.sleep(0.2)
except Exception:
    open(name + ".ended", "w").close()
os._exit(0)
END
""")
        for name, wish in logins.items():
            client.sh(f"cd {self.folder}; python3 hold.py {name} '{json.dumps(wish)}' >{name}.log 2>&1 &")
        try:
            wait_until(lambda: self.files("open") == sorted(self.names), 40)
        except AssertionError:
            raise AssertionError(client.sh(f"cd {self.folder}; ls; cat *.log").stdout) from None

    def files(self, ending: str) -> list[str]:
        found = self.client.sh(f"cd {self.folder}; ls").stdout.split()
        return sorted(name[: -len(ending) - 1] for name in found if name.endswith(f".{ending}"))

    def stop(self) -> None:
        self.client.sh(f"touch {self.folder}/stop")


@pytest.fixture
def sessions(server, client, users):
    opened = Sessions(server, client)
    yield opened
    opened.stop()


@pytest.mark.parametrize(
    "change",
    [
        f"ftp-users lock {NAME}",
        f"ftp-users del {NAME}",
        f"printf 'another One-2\\n' | ftp-users passwd {NAME} --password-stdin",
    ],
    ids=["lock", "del", "passwd"],
)
def test_the_sessions_of_one_user_end_and_those_of_another_live(server, sessions, change):
    """SIGKILL of the process in the home ends the other processes of an FTPS session, too; the daemon stays."""
    server.sh(change)
    mine = sorted(name for name in sessions.names if name.endswith(f"-{NAME}"))
    wait_until(lambda: sessions.files("ended") == mine, 5)
    root_of = "for pid in $(pgrep -x vsftpd); do readlink /proc/$pid/root; done"
    assert server.sh(root_of).stdout.split().count(f"{FTPS_ROOT}/{OTHER}") == 1
    # The daemons of both ports, and what belongs to the other user's session: nothing of the first one is left.
    owned = server.sh(f"pgrep -c -u {OTHER}; pgrep -c -u {NAME} 2>/dev/null; true").stdout.split()
    assert int(owned[0]) > 0 and int((owned + ["0"])[1]) == 0
    assert sessions.files("ended") == mine
    parents = server.sh("ps -o pid=,ppid=,comm= -C vsftpd").stdout.splitlines()
    listening = [line for line in parents if line.split()[1] == "1"]
    assert len(listening) == 2, parents
    assert server.ftps_login(OTHER, PASSWORD)["granted"]


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
    wait_until(lambda: server.host.file(f"{FTPS_ROOT}/{NAME}/upload").exists)
    server.sh(f"ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(home).exists for home in HOMES)
    client.sh(f"touch {hurry}")


@pytest.mark.spread
@pytest.mark.parametrize("where", ["shared", "", "deep/er/shared"], ids=["inside", "home itself", "deep"])
@pytest.mark.parametrize("home", HOMES, ids=["ftps", "sftp"])
def test_what_is_mounted_in_a_home_refuses_everything(server, users, home, where):
    """Case 01: a bind mount of the same file system cannot be told by its device number."""
    point = f"{home}/{where}".rstrip("/")
    server.sh(f"""mkdir -p /srv/shared {point}; touch /srv/shared/invoice-{{1..5}}.pdf
touch {home}/a-file; mount --bind /srv/shared {point}""")
    for command in (f"ftp-users del {NAME} --remove-home", f"ftp-users del {NAME} --remove-home --json"):
        refused = server.sh(command, check=False)
        assert refused.returncode != 0 and f"umount {point}" in refused.stdout + refused.stderr
        assert server.sh("ls /srv/shared | wc -l").stdout.strip() == "5"
        assert server.host.user(NAME).exists
        assert server.ftps_login(NAME, PASSWORD)["granted"] and server.sftp_login(NAME)["granted"]
    server.sh(f"umount {point}; test -e {home}/a-file; ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(path).exists for path in HOMES)
    assert server.sh("ls /srv/shared | wc -l").stdout.strip() == "5"


@pytest.mark.spread
def test_a_kept_home_is_closed_until_its_user_comes_back(server, users):
    uid = server.host.user(NAME).uid
    server.sh(f"""mkdir {SFTP_JAIL}/{NAME}/sub; echo secret >{SFTP_JAIL}/{NAME}/sub/file
chown -R {NAME}: {SFTP_JAIL}/{NAME}; echo secret >{FTPS_ROOT}/{NAME}/file; chown ftp: {FTPS_ROOT}/{NAME}/file
ftp-users del {NAME}; useradd --uid {uid} --no-create-home harley""")
    for home in HOMES:
        assert server.sh(f"stat -c '%U %a' {home}").stdout.split() == ["root", "700"]
    assert server.sh(f"setpriv --reuid {uid} --clear-groups cat {HOMES[1]}/sub/file", check=False).returncode != 0
    server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {NAME} --password-stdin")
    assert server.host.user(NAME).uid != uid
    owners = server.sh(f"find {HOMES[1]} -printf '%U\\n'; stat -c %U {HOMES[0]} {HOMES[0]}/file").stdout.split()
    assert owners == [str(server.host.user(NAME).uid)] * 3 + ["ftp"] * 2


@pytest.mark.spread
def test_what_a_removed_user_left_can_be_deleted_later(server, users):
    server.sh(f"ftp-users del {NAME}")
    assert all(server.host.file(home).exists for home in HOMES)
    server.sh(f"ftp-users del {NAME} --remove-home")
    assert not any(server.host.file(home).exists for home in HOMES)
    again = server.sh(f"ftp-users del {NAME} --remove-home", check=False)
    assert again.returncode != 0 and "no such user" in again.stderr


@pytest.mark.spread
def test_a_home_that_is_a_link_stays_and_its_user_goes(server, users):
    server.sh(f"mkdir /srv/shared; rmdir {HOMES[0]}; ln -s /srv/shared {HOMES[0]}")
    before = server.sh("stat -c '%U %a' /srv/shared").stdout
    said = server.sh(f"ftp-users del {NAME}")
    assert "found a symbolic link" in said.stdout + said.stderr
    assert NAME not in server.sh("ftp-users list | cut -d' ' -f1").stdout.split()
    assert server.sh("stat -c '%U %a' /srv/shared").stdout == before
