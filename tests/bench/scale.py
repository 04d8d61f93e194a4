# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with one home for each user, for any number of users with every right set, and log-ins to it."""

from __future__ import annotations

import csv
import io
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, Sequence

import paramiko
from bench_ansible import RIG

from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import ACCESS_FILE
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_password

from plays import ROOT, run_playbook

sys.path.insert(0, str(ROOT / "tests/support"))
from ftps import FtpsClient

PREFIX = os.environ.get("SECURE_FTP_PREFIX", "secure-ftp")
PASSWORD = "a bench Password 1"
SOURCES = ("192.0.2.0/24", "10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32")
"""The machine that logs in is in one of the private networks: the rig's."""

ACCESS = ("read_only", "upload_only", "read_write")

# On the server, so that what the container engine costs is not counted. Peak memory is that of the process alone.
_MEASURE = r"""
import json, os, sys, time
request = json.loads(sys.stdin.buffer.readline())
rest = sys.stdin.buffer.read()
found = []
for command in request:
    source = os.memfd_create("stdin")
    with open(source, "wb", closefd=False) as file:
        file.write(rest)
    os.lseek(source, 0, 0)
    start = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.dup2(source, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(command[0], command)
    _pid, status, used = os.wait4(pid, 0)
    found.append([time.perf_counter() - start, used.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)])
    os.close(source)
print(json.dumps(found))
"""

# What a server without users has: put back between two numbers of users, as removing 100,000 one by one takes hours.
_REMEMBER = (
    f"tar -C / -cf /var/tmp/pristine.tar $(cd / && ls -d etc/passwd etc/shadow etc/group etc/gshadow etc/vsftpd \
etc/pam.d etc/ssh {ACCESS_FILE[1:]} 2>/dev/null)"
)
_RESET = f"""
find /home/sftp -mindepth 1 -delete
rm -rf /etc/vsftpd {ACCESS_FILE} /var/lib/secure_ftp.server/*
tar -C / -xf /var/tmp/pristine.tar
systemctl reload ssh vsftpd
renice -n -20 $(pgrep -x sshd) $(pgrep -x vsftpd) >/dev/null
"""


def people(count: int, rights: bool = True) -> list[dict[str, Any]]:
    """Users as a play hands them over; with ``rights`` every right is set.

    Those whose number ends in 0, the last one, and the first ten have PASSWORD; each of the others has another hash.
    """
    password_hash = _known_hash()
    found: list[dict[str, Any]] = []
    for number in range(count):
        known = number % 10 == 0 or number < 10 or number == count - 1
        its_hash = password_hash if known else f"$6$rounds=50000${number:016d}${0:086d}"
        user: dict[str, Any] = {"name": name_of(number), "password_hash": its_hash}
        if rights:
            access = ACCESS[number % len(ACCESS)]
            user.update(access=access, ftps_max_rate="2M", expires="2099-01-31", allowed_sources=list(SOURCES))
            user["comment"] = f"Wayne Enterprises {number}, person@example.net"
            if access != "upload_only":  # it has the umask that it needs
                user["umask"] = "0077"
        found.append(user)
    return found


@cache
def _known_hash() -> str:
    """Of PASSWORD; the same each time, as another one would be a change of a thousand users."""
    return hash_password(PASSWORD)


def name_of(number: int) -> str:
    return f"user{number:06d}"


def as_csv(users: Sequence[dict[str, Any]]) -> str:
    """The same as ``ftp-users import`` reads them."""
    text = io.StringIO()
    names = sorted({name for user in users for name in user}, key=lambda name: (name != "name", name))
    rows = csv.DictWriter(text, names, lineterminator="\n")
    rows.writeheader()
    for user in users:
        rows.writerow({key: " ".join(value) if isinstance(value, list) else value for key, value in user.items()})
    return text.getvalue()


class ScaleServer:
    """A container with both daemons, and nobody yet. Use it in ``with``: it is removed afterwards.

    SECURE_FTP_KEEP=1 keeps it, and the next run goes on with it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = f"{PREFIX}-{name}"
        self.inventory = folder / f"{name}.yml"
        self._folder = folder

    def __enter__(self) -> ScaleServer:
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # what this starts inherits it, in the container too
        subprocess.run([str(RIG), "host", self.name, "debian12"], check=True)
        self.inventory.write_text(
            f"all: {{hosts: {{{self.name}: {{ansible_connection: containers.podman.podman}}}}}}\n"
        )
        if self.sh("test ! -e /var/tmp/pristine.tar || echo kept"):
            self.reset()
            self._read_keys()
            return self
        try:
            # Users of every class make sshd know it; then they go.
            some = {"ftp_users": people(len(ACCESS)), "ftp_users_home": "one", "vsftpd_max_per_ip": 0}
            run_playbook(self.inventory, ROOT / "playbooks/site.yml", some)
            self.sh("sed -i 's/^UID_MAX.*/UID_MAX 200000/' /etc/login.defs")
            for user in some["ftp_users"]:
                self.sh(f"ftp-users del {user['name']} --remove-home")
            self.sh(_REMEMBER)
            self._read_keys()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if not os.environ.get("SECURE_FTP_KEEP"):
            subprocess.run([str(RIG), "host-down", self.name], check=True)

    def sh(self, script: str, stdin: str = "", seconds: float = 7200) -> str:
        """Run ``script`` on the server and return what it printed."""
        command = ["podman", "exec", "--interactive", self.name, "bash", "-euc", script]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds)
        if done.returncode:
            raise RuntimeError(f"{script[:200]}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def reset(self) -> None:
        """Nobody again, and daemons that other work on this machine does not keep waiting."""
        self.sh(_RESET)

    def measure(
        self, commands: Sequence[Sequence[str]], stdin: str = "", status: Sequence[int] = (0,)
    ) -> list[tuple[float, float]]:
        """Seconds and bytes of peak memory of each of ``commands`` on the server; ``stdin`` is what each reads."""
        request = json.dumps([list(one) for one in commands])
        found = json.loads(self.sh(f"python3 -c '{_MEASURE}'", f"{request}\n{stdin}"))
        wrong = [(command, one[2]) for command, one in zip(commands, found) if one[2] not in status]
        if wrong:
            raise RuntimeError(f"{self.name}: {wrong}")
        return [(seconds, memory) for seconds, memory, _status in found]

    # --- log-ins from this machine ---------------------------------------------------------------------------------

    def _read_keys(self) -> None:
        self.address = subprocess.run(
            [str(RIG), "address", self.name], check=True, capture_output=True, text=True
        ).stdout.strip()
        keys = self.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")
        self._known_hosts = self._folder / f"{self.name}.hosts"
        self._known_hosts.write_text(f"{self.address} {keys}")
        self._context = ssl.create_default_context(cadata=self.sh("cat /etc/vsftpd/server.crt"))
        self._context.check_hostname = False  # a container has no name; the certificate itself is trusted

    def ftps_login(self, name: str) -> float:
        """Seconds of one log-in by FTPS, from the connection to the farewell."""
        started = time.perf_counter()
        ftp = FtpsClient(self._context)
        ftp.connect(self.address, 21)
        ftp.login(name, PASSWORD)
        ftp.quit()
        return time.perf_counter() - started

    def sftp_login(self, name: str) -> float:
        """Seconds of one log-in by SFTP, with the list of the home."""
        started = time.perf_counter()
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(self._known_hosts))
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            client.connect(
                self.address, username=name, password=PASSWORD, allow_agent=False, look_for_keys=False, timeout=60
            )
            client.open_sftp().listdir(".")
        return time.perf_counter() - started


def load() -> float:
    """The load average of this machine over one minute: other work on it makes every figure worse."""
    return os.getloadavg()[0]


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=ROOT / ".work")
