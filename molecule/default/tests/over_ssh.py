# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role firewall, run from here on a server over real SSH: the only connection a firewall can cut."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from conftest import KEY_FILE, PASSIVE_PORTS, ROOT

AS_CONVERGED = {
    "vsftpd_tls_modes": ["explicit", "implicit"],
    "vsftpd_pasv_min_port": PASSIVE_PORTS[0],
    "vsftpd_pasv_max_port": PASSIVE_PORTS[-1],
}
"""What converge.yml says about ports."""


class Run:
    """How one run ended."""

    def __init__(self, result: subprocess.CompletedProcess):
        self.rc = result.returncode
        self.output = result.stdout + result.stderr

    @property
    def changed(self) -> int:
        return int(re.search(r"changed=(\d+)", self.output).group(1))

    @property
    def changed_in_each(self) -> list[int]:
        """How many tasks of each play changed something."""
        return [len(re.findall(r"^changed: ", play, re.M)) for play in self.output.split("\nPLAY [")[1:]]


class OverSsh:
    """Runs the role on one server as root, who has a key for the time of the tests."""

    def __init__(self, server, directory: Path):
        self.server = server
        self.directory = directory
        self.before = self._state()
        key = Path(f"{KEY_FILE}.pub").read_text(encoding="utf-8")
        server.sh(f"mkdir -p -m 700 /root/.ssh; cat >/root/.ssh/authorized_keys <<'END'\n{key}END")
        self.known_hosts = directory / "known_hosts"
        keys = server.sh("cat /etc/ssh/ssh_host_*_key.pub").stdout.splitlines()
        ports = ("", "22"), ("2200", "2200"), ("2222", "2222")
        self.known_hosts.write_text(
            "".join(
                f"{f'[{server.address}]:{port}' if bracket else server.address} {' '.join(key.split()[:2])}\n"
                for bracket, port in ports
                for key in keys
            ),
            encoding="utf-8",
        )

    def _state(self) -> str:
        """UFW as it is: its words, its files, and what is in the kernel."""
        kernel = "{ iptables-save; ip6tables-save; } | grep -v '^[#:]'"
        return self.server.sh(f"ufw status verbose; cat /etc/default/ufw /etc/ufw/*.rules; {kernel}; true").stdout

    def play(self, port: int = 22, times: int = 1, **variables) -> Run:
        """Run the role ``times`` times, connecting to ``port``; ``variables`` beside those of converge.yml."""
        playbook = self.directory / "play.json"
        play = {
            "hosts": "all",
            "gather_facts": False,
            "roles": [{"role": "secure_ftp.server.firewall"}],
            "vars": {**AS_CONVERGED, **variables},
        }
        playbook.write_text(json.dumps([play] * times), encoding="utf-8")
        return self._ansible(port, "ansible-playbook", str(playbook))

    def module(self, name: str, arguments: str) -> Run:
        """Run one module of the collection."""
        return self._ansible(22, "ansible", "all", "-m", f"secure_ftp.server.{name}", "-a", arguments)

    def _ansible(self, port: int, program: str, *arguments: str) -> Run:
        host = {
            "ansible_host": self.server.address,
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": KEY_FILE,
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = self.directory / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {self.server.name: host}}}), encoding="utf-8")
        return Run(
            subprocess.run(
                [str(Path(sys.executable).parent / program), "-i", str(inventory), *arguments],
                # A directory of its own for OpenSSH's shared connections: none of another run is used.
                env={**os.environ, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory / "cp"), "ANSIBLE_NOCOLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=ROOT,
                timeout=400,
                check=False,
            )
        )

    def change(self, port: int = 22, **variables) -> None:
        """Run the role, which has to change something."""
        run = self.play(port, **variables)
        assert run.rc == 0 and run.changed > 0, run.output

    def converge(self, port: int = 22, **variables) -> None:
        """Run the role, which has to change something, and once more, which must not."""
        run = self.play(port, times=2, **variables)
        assert run.rc == 0, run.output
        first, again = run.changed_in_each
        assert first > 0 and again == 0, run.output

    def address(self) -> str:
        """The address the server sees this machine at."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.server.address, 9))
            return probe.getsockname()[0]

    def reaches(self, port: int, timeout: float = 2) -> bool:
        """Whether a new TCP connection from this machine gets through."""
        try:
            socket.create_connection((self.server.address, port), timeout).close()
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Give the server back as the scenario converged it, which it is already after most tests."""
        if self._state() != self.before:
            assert self.play().rc == 0
        self.server.sh("rm /root/.ssh/authorized_keys")
