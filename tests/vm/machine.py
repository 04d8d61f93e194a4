# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian server with a kernel of its own: QEMU in software emulation, reached over SSH on the loopback."""

from __future__ import annotations

import contextlib
import ftplib
import json
import os
import random
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import paramiko
from disk import Disk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import ftps

HERE = Path(__file__).parent
PASSIVE = range(50000, 50004)
ADMIN = "admin"
BOOT_SECONDS = 240
"""How long a boot may take; it takes half a minute on two cores that do nothing else."""

BASE = {
    "vsftpd_tls_modes": ["explicit", "implicit"],
    "vsftpd_pasv_min_port": PASSIVE[0],
    "vsftpd_pasv_max_port": PASSIVE[-1],
}


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def build() -> Path:
    """The directory of the bare machine's disk, made first when it is not there."""
    made = subprocess.run([HERE / "build", "disk"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip())


class Shell:
    """The other end of a session that answers what it is asked."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def answers(self, word: str) -> bool:
        """Whether it is still there."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline() == f"answer: {word}\n"


class Machine:
    """One machine: its disk below ``work``, a copy of ``image``, and QEMU when it is on."""

    def __init__(self, image: Path, work: Path, extra_disk: Path | None = None):
        self.made, self.work = build(), work
        self.image = work / "disk"
        subprocess.run(["cp", "--sparse=always", image, self.image], check=True)
        self.disk = Disk(self.image, work / "nbd")
        self.extra_disk = extra_disk
        self.ports = {number: free_port() for number in (22, 21, 990)}
        self.qemu: subprocess.Popen[bytes] | None = None
        self.booted_in = 0.0
        self.runs = 0
        (work / "known_hosts").touch()

    # --- power -----------------------------------------------------------------------------------------------------

    def on(self) -> None:
        """Switch it on and wait until everything that boots is up."""
        started = time.monotonic()
        forwards = [f"hostfwd=tcp:127.0.0.1:{port}-:{number}" for number, port in self.ports.items()]
        drives = [f"file=nbd:unix:{self.disk.path},format=raw,if=virtio,cache=writeback"]
        if self.extra_disk:
            drives.append(f"file={self.extra_disk},format=raw,if=virtio")
        self.qemu = subprocess.Popen(
            # Never "accel kvm": inside a virtual machine it is not to be relied on. With "-cpu max" and its many
            # registers a boot takes a fifth more of the processor.
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", "1024"]
            + ["-nodefaults", "-display", "none", "-serial", f"file:{self.work}/console"]
            + ["-kernel", str(self.made / "vmlinuz"), "-initrd", str(self.made / "initrd")]
            + ["-append", "root=/dev/vda rw console=ttyS0 quiet panic=5 net.ifnames=0 mitigations=off"]
            + [word for drive in drives for word in ("-drive", drive)]
            + ["-netdev", ",".join(["user", "id=net", *forwards]), "-device", "virtio-net-pci,netdev=net"]
            + ["-device", "virtio-rng-pci"],
            stdin=subprocess.DEVNULL,
        )
        self.until_up(started)
        self.booted_in = time.monotonic() - started

    def until_up(self, started: float, unlike: str = "") -> None:
        """Wait until systemd has nothing left to do, in a boot whose id is not ``unlike``."""
        while time.monotonic() < started + BOOT_SECONDS:
            assert self.qemu is not None and self.qemu.poll() is None, f"QEMU ended; {self.console()}"
            asked = self.try_sh("cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait", timeout=60)
            words = asked.stdout.split()
            if len(words) == 2 and words[0] != unlike and words[1] in ("running", "degraded"):
                return
            time.sleep(0.5)
        raise AssertionError(f"not up within {BOOT_SECONDS} s; {self.console()}\n{self.examined()}")

    def reboot(self) -> None:
        """Reboot it as an operator does."""
        boot = self.sh("cat /proc/sys/kernel/random/boot_id").strip()
        started = time.monotonic()
        self.try_sh("systemctl reboot")
        self.until_up(started, unlike=boot)

    def power_cut(self, dice: random.Random) -> tuple[int, int]:
        """Kill it at once; what Disk.cut says."""
        self.kill()
        return self.disk.cut(dice)

    def off(self) -> None:
        """Shut it down; its disk stays in ``image``."""
        if self.qemu is not None:
            self.try_sh("systemctl poweroff")
            try:
                self.qemu.wait(120)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not shut down; {self.console()}") from None
            self.qemu = None
        self.disk.close()

    def drop(self) -> None:
        """Throw it away."""
        self.kill()
        self.disk.close()
        self.image.unlink()

    def kill(self) -> None:
        """Kill QEMU; the disk is none the wiser."""
        if self.qemu is not None:
            self.qemu.kill()
            self.qemu.wait()
            self.qemu = None
        # A shared connection knows of no dead server until it has waited for long.
        self.end_shared_sessions()

    def end_shared_sessions(self) -> None:
        """Let the next command open a connection of its own."""
        for shared in self.work.glob("ssh-*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={shared}", "x"], capture_output=True, check=False)

    def console(self) -> str:
        """The last lines of its console, for a message."""
        path = self.work / "console"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "its console: " + "\n".join(lines[-15:])

    def examined(self) -> str:
        """What e2fsck says of the disk, for a message; it changes nothing."""
        said = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, text=True, check=False)
        return f"its disk: {said.stdout[:2000]}{said.stderr[:500]}"

    # --- in it -----------------------------------------------------------------------------------------------------

    def ssh(self, user: str = "root") -> list[str]:
        """The words of ssh up to the command, over one shared connection for each user."""
        options = {
            "Port": self.ports[22],
            "IdentityFile": self.made / "key",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "UserKnownHostsFile": self.work / "known_hosts",
            "StrictHostKeyChecking": "accept-new",
            "ConnectTimeout": 20,
            "ServerAliveInterval": 20,
            "ControlMaster": "auto",
            "ControlPath": self.work / "ssh-%r",
            "ControlPersist": 60,
            "LogLevel": "ERROR",
        }
        return [
            "ssh",
            *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
            f"{user}@127.0.0.1",
        ]

    def try_sh(self, script: str, stdin: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run ``script`` as root, whatever comes of it; status 255 is ssh's own."""
        try:
            return subprocess.run(
                [*self.ssh(), "bash -c " + shlex.quote(script)],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess([], 255, "", f"no answer in {timeout} s")

    def sh(self, script: str, stdin: str = "", timeout: float = 300) -> str:
        """Run ``script`` as root; it must succeed. Its output."""
        done = self.try_sh(script, stdin, timeout)
        assert done.returncode == 0, f"{script}: rc {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.console()}"
        return done.stdout

    @contextlib.contextmanager
    def shell(self) -> Iterator[Shell]:
        """A session of root that goes on while the block runs, over a connection of its own."""
        words = self.ssh()
        alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
        process = subprocess.Popen(
            [words[0], *alone, *words[1:], 'while read -r line; do echo "answer: $line"; done'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Shell(process)
        finally:
            process.kill()
            process.wait()

    def users(self) -> dict[str, dict[str, Any]]:
        """Everybody, as ``ftp-users list`` has them."""
        return {user["name"]: user for user in json.loads(self.sh("ftp-users list --json"))["users"]}

    def findings(self) -> list[dict[str, Any]]:
        """What ``ftp-users check`` finds."""
        done = self.try_sh("ftp-users check --json")
        assert done.returncode in (0, 10, 11), done.stdout + done.stderr
        return json.loads(done.stdout)["findings"]

    # --- Ansible ---------------------------------------------------------------------------------------------------

    def words(self, program: str, *arguments: str) -> list[str]:
        """A command of Ansible that works on the machine as its administrator, with sudo and its password."""
        host = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.ports[22],
            "ansible_user": ADMIN,
            "ansible_become_password": (self.made / "sudo").read_text().strip(),
            "ansible_ssh_private_key_file": str(self.made / "key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.work}/known_hosts -o IdentitiesOnly=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = self.work / "inventory.json"
        _write_secret(inventory, {"all": {"hosts": {"machine": host}}})
        return [str(Path(sys.executable).parent / program), "-i", str(inventory), *arguments]

    def site(self, variables: Mapping[str, Any], *options: str) -> list[str]:
        """The command that runs site.yml."""
        given = self.work / "vars.json"
        _write_secret(given, variables)
        return self.words("ansible-playbook", "-e", f"@{given}", *options, str(ROOT / "playbooks" / "site.yml"))

    def environment(self) -> dict[str, str]:
        """The environment of such a run; shared connections of its own, as the machine may have died meanwhile."""
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.work / f"cp-{time.monotonic_ns()}"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def ansible(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Ansible; output and errors both in ``stdout``."""
        return self._run(self.words(program, *arguments))

    def play(self, variables: Mapping[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
        """Run site.yml; output and errors both in ``stdout``."""
        return self._run(self.site(variables, *options))

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        log = self.work / f"run-{self.runs}.log"  # for who wants to see how far it is
        with log.open("w") as output:
            done = subprocess.run(
                words,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=1800,
                check=False,
            )
        return subprocess.CompletedProcess(words, done.returncode, log.read_text())

    # --- as a client -----------------------------------------------------------------------------------------------

    def ftps_accepts(self, user: str, password: str, implicit: bool = False) -> bool:
        """Whether vsftpd lets ``user`` in."""
        ca = self.work / "ca.pem"
        if not ca.exists():
            ca.write_text(self.sh("cat \"$(sed -n 's/^rsa_cert_file=//p' /etc/vsftpd.conf)\""))
        context = ftps.trusting(str(ca))
        context.check_hostname = False  # the certificate names the machine, not the loopback it is reached by
        client = ftps.FtpsClient(context, implicit=implicit, timeout=60)
        client.connect("127.0.0.1", self.ports[990 if implicit else 21])
        try:
            client.login(user, password)
            return True
        except ftplib.error_perm:
            return False
        finally:
            client.close()

    @contextlib.contextmanager
    def sftp(self, user: str, password: str) -> Iterator[paramiko.SFTPClient]:
        """A session of ``user``. Raises paramiko.AuthenticationException where sshd does not let him in."""
        client = paramiko.SSHClient()
        client.load_host_keys(str(self.work / "known_hosts"))
        try:
            client.connect(
                "127.0.0.1",
                port=self.ports[22],
                username=user,
                password=password,
                timeout=60,
                banner_timeout=60,
                auth_timeout=60,
                allow_agent=False,
                look_for_keys=False,
            )
            yield client.open_sftp()
        finally:
            client.close()

    def sftp_accepts(self, user: str, password: str) -> bool:
        """Whether sshd lets ``user`` in by password, into SFTP."""
        try:
            with self.sftp(user, password) as session:
                return session.normalize(".") == f"/{user}"
        except paramiko.AuthenticationException:
            return False


def _write_secret(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
