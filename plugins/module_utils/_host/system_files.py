# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The small files of a role, several at once: units, rules of logrotate, a PAM service, a manual page."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import ensure_directory
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, keep_copy, replace_file


@dataclass(frozen=True)
class Directory:
    """A directory to create if it is missing; an existing one keeps its owner and mode."""

    path: str
    mode: int = 0o755


@dataclass(frozen=True)
class Text:
    """A file of root: its content and mode, and ``diff`` as in Change; without ``replace`` an existing file stays."""

    path: str
    content: str
    mode: int = 0o644
    replace: bool = True
    diff: bool = True


@dataclass(frozen=True)
class Change:
    """One path created or replaced: ``before`` is the old text, None if there was none; for a directory it is
    said in words.

    A diff shows the content only if ``diff``, else the number of lines.
    """

    path: str
    before: str | None = ""
    after: str = ""
    diff: bool = True

    @property
    def shown(self) -> tuple[str, str]:
        """What a diff shows as the text before and after."""
        if self.diff:
            return self.before or "", self.after
        return _lines(self.before), _lines(self.after)


def _lines(text: str | None) -> str:
    """So that another content is another line: how many lines, and the beginning of a digest."""
    if text is None:
        return ""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return f"({len(text.splitlines())} lines, SHA-256 {digest[:12]}...)\n"


def octal(value: object, what: str) -> int:
    """The mode that a string such as ``"0644"`` means; ``what`` is the setting that SecureFtpError names."""
    try:
        mode = int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise SecureFtpError(what, "an octal mode in quotes such as '0644'", found=repr(value))
    return mode


def make(directories: Iterable[Directory], check_mode: bool = False) -> list[Change]:
    """Create those of ``directories`` that are missing, owned by root, in their order. Raises SecureFtpError."""
    changes = []
    for one in directories:
        if not os.path.isdir(one.path):
            if not check_mode:
                ensure_directory(one.path, 0, 0, one.mode)
            changes.append(Change(one.path, "", f"(directory, mode {one.mode:04o})\n"))
    return changes


def keep(paths: Iterable[str], check_mode: bool = False) -> list[str]:
    """Keep a dated copy beside each of ``paths`` that this collection did not write; return the copies.

    In check mode no copy is made and none is returned. Raises SecureFtpError.
    """
    copies = []
    for path in paths:
        text = _read(path)
        if text is not None and not is_ours(text) and not check_mode:
            copies.append(keep_copy(path))
    return copies


def write(files: Sequence[Text], check_mode: bool = False) -> list[Change]:
    """Write those of ``files`` that differ, owned by root; return the changes. Raises SecureFtpError."""
    changes = []
    for file in files:
        before = _read(file.path)
        if before is not None and not file.replace:
            continue
        if before == file.content and _is_settled(file.path, file.mode):
            continue
        changes.append(Change(file.path, before, file.content, file.diff))
        if not check_mode:
            replace_file(file.path, file.content.encode("utf-8", "surrogateescape"), file.mode, 0, 0)
    return changes


def _read(path: str) -> str | None:
    """The text of ``path``; None if it does not exist. Bytes that are not UTF-8 are kept when it is written again."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise file_error(path, "read", error) from error


def _is_settled(path: str, mode: int) -> bool:
    found = os.lstat(path)
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, mode) and stat.S_ISREG(found.st_mode)
