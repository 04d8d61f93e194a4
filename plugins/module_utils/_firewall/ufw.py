# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Read the output of UFW on this host and its files; nothing is changed here."""

from __future__ import annotations

import contextlib

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program, run_command

SETTINGS = "/etc/default/ufw"
RULES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
"""The files with the rules of IPv4 and of IPv6."""


def find() -> str | None:
    """The path of ufw; None when it is not installed."""
    return find_program("ufw")


def program() -> str:
    """The path of ufw. Raises SecureFtpError when it is not installed."""
    path = find()
    if path is None:
        raise SecureFtpError("ufw", found="is not installed on this host", remedy="install the package ufw")
    return path


def ask(path: str, *arguments: str, run: Run = run_command) -> str:
    """The output of ``ufw ARGUMENTS``. Raises SecureFtpError with UFW's own message when it fails."""
    done = run([path, *arguments])
    if done.rc != 0:
        said = f"fails with: {(done.err or done.out).strip()}"
        remedy = f"UFW needs root and the capability NET_ADMIN, and 'ufw reload' after a change of IPV6 in {SETTINGS}"
        raise SecureFtpError(f"'ufw {' '.join(arguments)}'", found=said, remedy=remedy)
    return done.out


def is_active(path: str, run: Run = run_command) -> bool:
    return "Status: active" in ask(path, "status", run=run).splitlines()


def settings() -> str:
    """The text of /etc/default/ufw. Raises SecureFtpError when it cannot be read."""
    try:
        with open(SETTINGS, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise SecureFtpError(
            SETTINGS, found=f"cannot read it: {error.strerror}", remedy="reinstall the package ufw"
        ) from error


def rule_files(ipv6: bool) -> list[str]:
    """The text of user.rules and, with ``ipv6``, of user6.rules; empty for one that does not exist."""
    texts = []
    for path in RULES if ipv6 else RULES[:1]:
        text = ""
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
        texts.append(text)
    return texts
