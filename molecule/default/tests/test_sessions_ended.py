# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is locked, removed or gets another password goes at once, whatever does it, even half-way through a log-in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import podman, run_module, wait_until

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

ANOTHER = "another One-2"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(f"ftp-users lock {NAME}", id="lock"),
        # How sessions are found and ended depends on the platform, and is the same after every change.
        pytest.param(f"ftp-users del {NAME}", id="del", marks=pytest.mark.spread),
        pytest.param(
            f"printf 'another One-2\\n' | ftp-users passwd {NAME} --password-stdin",
            id="passwd",
            marks=pytest.mark.spread,
        ),
        pytest.param(f"ftp-users edit {NAME} --access read_only", id="access", marks=pytest.mark.spread),
        pytest.param(f"ftp-users edit {NAME} --expires 2020-01-01", id="expires", marks=pytest.mark.spread),
        pytest.param(f"ftp-users edit {NAME} --allowed-sources 192.0.2.1", id="sources", marks=pytest.mark.spread),
    ],
)
def test_the_sessions_of_one_user_end_and_those_of_another_live(server, sessions, change):
    """SIGKILL of the process in the home ends the other processes of an FTPS session, too; the daemon stays."""
    server.sh(change)
    mine = sorted(name for name in sessions.names if name.endswith(f"-{NAME}"))
    wait_until(lambda: sessions.files("ended") == mine, 5)
    root_of = "for pid in $(pgrep -x vsftpd); do readlink /proc/$pid/root; done"
    assert server.sh(root_of).stdout.split().count(server.ftps_home(OTHER)) == 1
    # The daemons of both ports, and what belongs to the other user's session: nothing of the first one is left.
    # With one home the manager of systemd for the user may be among those left, which logind ends a little later.
    sessions_of = "'^(vsftpd|sshd)'" if server.one_home else "."
    owned = server.sh(f"pgrep -c -u {OTHER}; pgrep -c -u {NAME} {sessions_of} 2>/dev/null; true").stdout.split()
    left = server.sh("ps -eo pid,user:20,args").stdout
    assert int(owned[0]) > 0 and int((owned + ["0"])[1]) == 0, left
    assert sessions.files("ended") == mine
    parents = server.sh("ps -o pid=,ppid=,comm= -C vsftpd").stdout.splitlines()
    listening = [line for line in parents if line.split()[1] == "1"]
    assert len(listening) == 2, parents
    assert server.ftps_login(OTHER, PASSWORD)["granted"]


def only(sessions, *protocols: str) -> None:
    """The user's sessions of these protocols end, and no others do."""
    wanted = sorted(f"{protocol}-{NAME}" for protocol in protocols)
    wait_until(lambda: set(wanted) <= set(sessions.files("ended")), 5)
    assert sessions.files("ended") == wanted


BOTH = ["ftps", "sftp"]


@pytest.mark.spread
@pytest.mark.parametrize(
    ("module", "options", "protocols"),
    [
        ("ftp_user", {"name": NAME, "password": "{{ the_password }}"}, BOTH),
        ("ftp_users", {"users": [{"name": NAME, "locked": True}]}, BOTH),
        ("ftp_users", {"users": [{"name": NAME, "locked": True}], "protocols": ["ftps"]}, ["ftps"]),
        ("ftp_user", {"name": NAME, "state": "absent", "remove_home": True}, BOTH),
        ("sftp_user", {"name": NAME, "state": "absent", "remove_home": True}, ["sftp"]),
        ("sftp_users", {"users": [{"name": NAME, "password": "{{ the_password }}"}]}, ["sftp"]),
        ("sftp_user", {"name": NAME, "locked": True}, ["sftp"]),
    ],
    ids=[
        "ftp_user password",
        "ftp_users locked",
        "ftp_users locked by FTPS",
        "ftp_user absent",
        "sftp_user absent",
        "sftp_users password",
        "sftp_user locked",
    ],
)
def test_modules_end_the_sessions_of_their_protocols(server, sessions, tmp_path: Path, module, options, protocols):
    run_module(server, module, options, ANOTHER, tmp_path)
    # With one home a lock is one of the account, so that nobody gets in by the other protocol.
    only(sessions, *(BOTH if server.one_home and options.get("protocols") == ["ftps"] else protocols))


@pytest.mark.spread
@pytest.mark.parametrize("verb", ["lock", "del", "edit"])
@pytest.mark.parametrize("program", ["python", "php"])
def test_remote_control_ends_sessions(control, sessions, program, verb):
    more = {"options": "--password-stdin", "stdin": f"{ANOTHER}\n"} if verb == "edit" else {}
    answer = control.run(program, verb, NAME, **more)
    assert answer.status == 0, answer.errors
    only(sessions, "ftps", "sftp")


@pytest.mark.spread
@pytest.mark.parametrize("line", [f"{NAME},{ANOTHER},", f"{NAME},,yes"], ids=["password", "locked"])
def test_a_list_ends_sessions(server, sessions, line):
    server.sh(f"printf 'name,password,locked\\n{line}\\n' | ftp-users import - --yes")
    only(sessions, "ftps", "sftp")


@pytest.mark.spread
def test_losing_a_protocol_or_a_key_ends_its_sessions_and_getting_a_key_none(server, client, key_file, sessions):
    public = client.sh(f"ssh-keygen -y -f {key_file}").stdout.strip()
    server.sh(f"ftp-users keys {NAME} add '{public}'")
    server.sh(f"ftp-users unlock {NAME}; ftp-users edit {OTHER} --protocol both")
    only(sessions)
    server.sh(f"ftp-users keys {NAME} del '{public.split()[1]}'")
    only(sessions, "sftp")
    server.sh(f"ftp-users edit {NAME} --protocol sftp")
    only(sessions, "ftps", "sftp")


# A log-in is caught while its password is being checked; that takes long here.
CHECKED = """
import os, sys, time

def at_work(*programs):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            name = open(f"/proc/{pid}/comm").read().strip()
            root = os.readlink(f"/proc/{pid}/root")
        except OSError:
            continue
        # On its way for some time, as root, outside of every jail: not the key exchange, and not the daemon.
        if name.startswith(programs) and root == "/" and words[0] == "R" and int(words[11]) >= 30:
            return True
    return False

deadline = time.monotonic() + 60
while not at_work(*sys.argv[1:]):
    if time.monotonic() > deadline:
        sys.exit("no password is being checked")
    time.sleep(0.01)
"""


# Of the password, with 15,000,000 rounds: it takes vsftpd and sshd several seconds to compare with, and openssl or perl
# to make. No front of ours would store it.
SLOW_HASH = (
    "$6$rounds=15000000$abcdefghijklmnop"
    "$8ph77Ccy2dZX4GiO1/adwnu7AT9P0GrDrz0tT0dhWYX6PdjEbXfxLkN.zORVYOXFL.SZ7qUHLSWWBbL.Ma03L."
)


@pytest.fixture
def slow(server, client, users, tmp_path: Path):
    """Both users; checking the password of one takes long."""
    text = f"{NAME}\n{SLOW_HASH}\n"
    database = tmp_path / "users.db"
    assert podman("cp", f"{server.name}:/etc/vsftpd/users.db", str(database)).returncode == 0
    subprocess.run(["db_load", "-T", "-t", "hash", str(database)], input=text, text=True, check=True)
    assert podman("cp", str(database), f"{server.name}:/etc/vsftpd/users.db").returncode == 0
    server.sh(f"chpasswd -e <<'END'\n{NAME}:{SLOW_HASH}\nEND")
    held = Sessions(server, client, [NAME])
    yield held
    held.stop()


@pytest.mark.spread
@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
@pytest.mark.parametrize(
    "change",
    [
        f"ftp-users lock {NAME}",
        f"ftp-users del {NAME}",
        f"printf '{ANOTHER}\\n' | ftp-users passwd {NAME} --password-stdin",
    ],
    ids=["lock", "del", "passwd"],
)
def test_a_log_in_that_is_being_checked_meanwhile_gets_nowhere(server, slow, protocol, change):
    session = f"{protocol}-{NAME}"
    slow.begin(session)
    # PAM of Debian 13 has a helper compare.
    programs = {"ftps": "vsftpd", "sftp": "sshd unix_chkpwd"}[protocol]
    server.sh(f"python3 - {programs} <<'END' && {change}\n{CHECKED}END\n")
    wait_until(lambda: session in (*slow.files("refused"), *slow.files("ended")), 30)
    left = "for pid in $(pgrep -x vsftpd); do readlink /proc/$pid/root; done; ps -o args= -C sshd"
    assert f"{server.ftps_home(NAME)}\n" not in server.sh(left).stdout and f": {NAME}" not in server.sh(left).stdout


IDLE = """
import os, socket, sys, time
connection = socket.create_connection((sys.argv[1], 21), 60)
assert connection.recv(999).startswith(b"220")
open("idle.open", "w").close()
while not os.path.exists("go"):
    time.sleep(0.05)
connection.sendall(b"FEAT\\r\\n")
open("idle.ended" if not connection.recv(999).startswith(b"211") else "idle.alive", "w").close()
"""


@pytest.mark.spread
def test_who_has_not_given_a_password_yet_is_not_cut_off(server, client, users):
    """Scanners hold such connections open, and so does anybody who is still typing."""
    held = Sessions(server, client, [])
    client.sh(f"cd {held.folder}; cat >idle.py <<'END'\n{IDLE}END\npython3 idle.py {server.address} >idle.log 2>&1 &")
    wait_until(lambda: held.files("open") == ["idle"])
    server.sh(f"ftp-users lock {NAME}")
    client.sh(f"touch {held.folder}/go")
    wait_until(lambda: bool(held.files("alive") or held.files("ended")))
    assert held.files("alive") == ["idle"]
