# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The ports SSH really uses on this host: those of sshd and its socket, and the one of the current connection."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listening_sockets, socket_inodes
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.daemon import ask_sshd

DEFAULT_PORT = 22
SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Connection:
    """SSH_CONNECTION of sshd(8): the client's address, and the port of this host that it connected to."""

    client: str
    port: int


def configured_ports(text: str) -> set[int]:
    """The ports of ``sshd -T``.

    Its ``listenaddress`` lines contain every port that sshd binds, including those of ListenAddress HOST:PORT; ``port``
    lines do not contain these, and may contain ports on which nothing listens.
    """
    addresses = re.findall(r"^listenaddress .*:([0-9]+)$", text, re.MULTILINE)
    return set(map(int, addresses or re.findall(r"^port ([0-9]+)$", text, re.MULTILINE)))


def socket_ports(text: str) -> set[int]:
    """The TCP ports of ``systemctl show --property=ActiveState,Listen ssh.socket``, none when it is not active."""
    if "ActiveState=active" not in text.splitlines():
        return set()
    return set(map(int, re.findall(r"^Listen=(?:.*:)?([0-9]+) \(Stream\)$", text, re.MULTILINE)))


def parse_connection(value: str) -> Connection | None:
    """``client port server port`` of SSH_CONNECTION."""
    fields = value.split()
    if len(fields) != 4 or not fields[3].isdigit():
        return None
    return Connection(fields[0].partition("%")[0], int(fields[3]))


def current_connection(proc: str = "/proc", pid: int | None = None) -> Connection | None:
    """The SSH connection of this process, from its own or its ancestors' environment.

    sudo(8) drops SSH_CONNECTION (env_reset), but the process that called it still has it.
    """
    pid = os.getpid() if pid is None else pid
    for _turn in range(64):
        try:
            with open(f"{proc}/{pid}/environ", "rb") as stream:
                for entry in stream.read().split(b"\0"):
                    if entry.startswith(b"SSH_CONNECTION="):
                        return parse_connection(entry[15:].decode("ascii", "replace"))
            with open(f"{proc}/{pid}/stat", "rb") as stream:
                # The second field is a name in parentheses that may contain any character.
                pid = int(stream.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None
        if pid <= 1:
            return None
    return None


def served_ports(proc: str = "/proc") -> set[int]:
    """The ports the running sshd listens on: until it is restarted, they may differ from its configuration.

    Only the server itself, a child of init, counts: a session's process listens on the ports that its user forwards.
    """
    ports: set[int] = set()
    sockets = listening_sockets(proc)
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
                name, _sep, rest = stream.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "sshd" and (pid == "1" or rest.split()[1] == "1"):
            inodes = socket_inodes(pid, proc)
            ports |= {port for inode, (port, reachable) in sockets.items() if reachable and inode in inodes}
    return ports


def listening_ports(run: Run = run_command) -> set[int]:
    """The ports sshd and ssh.socket listen on; the empty set when there is no sshd.

    Raises SecureFtpError when sshd refuses its configuration and no listening socket shows the port.
    """
    if not find_program("sshd"):
        return set()
    ports = served_ports()
    if find_program("systemctl"):
        ports |= socket_ports(run(["systemctl", "show", "--property=ActiveState,Listen", "ssh.socket"]).out)
    configured = ask_sshd(["-T"], run)
    if configured.rc == 0:
        return ports | configured_ports(configured.out)
    if not ports:
        raise SecureFtpError(
            "the SSH port cannot be found",
            found=f"'sshd -T' fails with: {configured.err.strip() or configured.rc}",
            remedy="correct that, or set firewall_ssh_port",
        )
    return ports


def ports_in_use(given: int = 0, run: Run = run_command) -> tuple[list[int], Connection | None]:
    """Every SSH port that must stay open: ``given`` or else the listening ports, and the current connection's."""
    connection = current_connection()
    ports = {given} if given else listening_ports(run)
    if connection is not None:
        ports.add(connection.port)
    return sorted(ports or {DEFAULT_PORT}), connection
