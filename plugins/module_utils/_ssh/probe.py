# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether sshd of this host answers on its addresses and ports; without a log-in."""

from __future__ import annotations

import re

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.serving import LOOPBACK, LOOPBACK6, connect
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.daemon import ask_sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.service import SOCKET

_MOST = 8192
"""Most bytes before the identification: a server that sends more is not an SSH server."""


def endpoints(run: Run = run_command) -> list[tuple[str, int]]:
    """Each address and port on which sshd must answer: those of ssh.socket if it is active, else sshd's.

    An address that means every interface is replaced by the loopback address. Raises SecureFtpError when sshd refuses
    its configuration, and when there is no sshd.
    """
    if find_program("systemctl"):
        shown = run(["systemctl", "show", SOCKET, "--property=ActiveState,Listen"]).out
        if "ActiveState=active" in shown.splitlines():
            found = re.findall(r"^Listen=(?:(.*):)?([0-9]+) \(Stream\)$", shown, re.MULTILINE)
            return sorted({(_reachable(host), int(port)) for host, port in found})
    if not find_program("sshd"):
        raise SecureFtpError("sshd", "OpenSSH's server", found="none", remedy="install openssh-server")
    answer = ask_sshd(["-T"], run)
    if answer.rc:
        raise SecureFtpError("sshd -T", "its settings", found=answer.said)
    found = re.findall(r"^listenaddress (.*):([0-9]+)$", answer.out, re.MULTILINE)
    return sorted({(_reachable(host), int(port)) for host, port in found})


def _reachable(host: str) -> str:
    host = host.strip("[]")
    return {"0.0.0.0": LOOPBACK, "::": LOOPBACK6, "": LOOPBACK6, "*": LOOPBACK6}.get(host, host)


def banner(host: str, port: int) -> str:
    """The identification of the SSH server; raises OSError when it does not answer like one.

    Source: RFC 4253, section 4.2: other lines may come before the one that begins with SSH-.
    """
    received = b""
    with connect(host, port) as connection:
        while len(received) < _MOST:
            for line in received.splitlines(keepends=True):
                if line.startswith(b"SSH-") and line.endswith(b"\n"):
                    return line.decode("utf-8", "replace").strip()
            part = connection.recv(1024)
            if not part:
                break
            received += part
    raise OSError(f"expected an answer that begins with SSH-, found {received[:80]!r}")
