# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Wait for a daemon that is still starting, and report what is known if it does not serve."""

from __future__ import annotations

import socket
import time
from typing import Callable, TypeVar

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_command

SECONDS = 5
"""Time limit of one answer."""
LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"
T = TypeVar("T")


def connect(host: str, port: int) -> socket.socket:
    """Connect over TCP; raises OSError.

    A socket bound to ``::`` serves IPv4 too: if the host has no ``::1`` (IPv6 switched off by sysctl), try 127.0.0.1.
    """
    try:
        return socket.create_connection((host, port), timeout=SECONDS)
    except OSError:
        if host != LOOPBACK6:
            raise
        return socket.create_connection((LOOPBACK, port), timeout=SECONDS)


def wait_until_served(ask: Callable[[], T], unit: str, port: int, timeout: float) -> T:
    """Return what ``ask`` returns once it raises no OSError.

    Raises SecureFtpError after ``timeout`` seconds, with what systemd and the journal know of ``unit``.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ask()
        except OSError as error:
            if time.monotonic() >= deadline:
                raise SecureFtpError(
                    f"{unit} does not serve on port {port}", found=str(error), remedy=_known(unit)
                ) from error
        time.sleep(0.2)


def _known(unit: str) -> str:
    """The unit's state and the end of its journal."""
    state = run_command(["systemctl", "is-active", unit]).out
    lines = run_command(["journalctl", "--unit", unit, "--lines=12", "--no-pager", "--output=cat"]).out
    return f"the unit is {state.strip() or 'unknown'}, and its journal ends with: {lines.strip() or '(nothing)'}"
