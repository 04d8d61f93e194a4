# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Our rules in the account phase of a PAM service, between two marks.

They stand before the other rules of that phase: a ``sufficient`` one would end it. Every other line stays.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Callable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, keep_copy, replace_file

PAM_DIRECTORY = "/etc/pam.d"
BEGIN = "# BEGIN secure_ftp.server (what the accounts of users say; only members of a group get here)"
END = "# END secure_ftp.server"

_BLOCK = re.compile(r"^# BEGIN secure_ftp\.[^\n]*\n(?:(?!# (?:BEGIN|END) )[^\n]*\n)*# END secure_ftp\.[^\n]*\n?", re.M)
_FIRST = re.compile(r"^\s*(?:-?account\s|@include\s)", re.M)
_GROUP = re.compile(r"pam_succeed_if\.so\s+quiet\s+user\s+ingroup\s+(\S+)")


def for_group(group: str, rules: Sequence[str]) -> list[str]:
    """``rules`` that only members of ``group`` reach: everybody else goes on behind them."""
    return [f"account  [success=ignore default={len(rules)}]  pam_succeed_if.so  quiet user ingroup {group}", *rules]


def group_in(text: str) -> str:
    """The group whose members reach our rules in ``text``, the content of a PAM service; empty without rules."""
    blocks = _BLOCK.findall(text)
    found = _GROUP.search(blocks[0]) if blocks else None
    return found.group(1) if found else ""


def with_rules(text: str, rules: Sequence[str]) -> str:
    """``text`` with ``rules`` instead of ours that it has; without any if there are none."""
    rest = _BLOCK.sub("", text)
    if not rules:
        return rest
    block = "\n".join((BEGIN, *rules, END, ""))
    first = _FIRST.search(rest)
    if first is None:
        return rest + ("" if rest.endswith("\n") or not rest else "\n") + block
    return rest[: first.start()] + block + rest[first.start() :]


def read_service(path: str) -> str:
    """The content of the PAM service ``path``, empty if there is none. Raises SecureFtpError."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise file_error(path, "read", error) from error


def change_service(path: str, change: Callable[[str], str]) -> None:
    """Replace the content of the PAM service ``path`` by what ``change`` makes of it, with its owner and mode.

    A file of another program is copied first, unless it has rules of ours: then that was done.
    """
    text = read_service(path)
    wanted = change(text)
    if wanted == text:
        return
    if not is_ours(text) and not _BLOCK.search(text):
        keep_copy(path)
    try:
        found = os.lstat(path)
    except OSError as error:
        raise file_error(path, "read", error) from error
    data = wanted.encode("utf-8", "surrogateescape")
    replace_file(path, data, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
