# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What exists at the path of a user's directory, as a value for decisions; only its parent directories are opened.

Code that changes a directory looks at it again, by file descriptor (directories.py).
"""

from __future__ import annotations

import os
import stat
from typing import Iterable, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import absolute, kind, open_directory
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import refusal

CLOSED_MODE = 0o700


class Entry(NamedTuple):
    """One entry of a directory: what it is in words, its owner, group and permissions."""

    kind: str
    uid: int
    gid: int
    mode: int

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory; a link to one is not."""
        return self.kind == "a directory"

    @property
    def is_closed(self) -> bool:
        """Whether it is in the state that closing the home of a removed user leaves."""
        return self == Entry("a directory", 0, 0, CLOSED_MODE)


def look(root: str, names: Iterable[str]) -> dict[str, Entry | None]:
    """The entry in ``root`` for each of ``names``, which are path components; None if there is none.

    Raises SecureFtpError when the path to ``root`` contains a link that another user could have planted.
    """
    with open_directory(absolute(root)) as fd:
        return {name: None if fd is None else _entry(fd, name) for name in names}


def look_at(path: str) -> Entry | None:
    """The same for one path."""
    parent, name = os.path.split(absolute(path))
    with open_directory(parent) as fd:
        return None if fd is None else _entry(fd, name)


def _entry(parent: int, name: str) -> Entry | None:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Entry(kind(found), found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def differs(path: str, found: Entry | None, uid: int, gid: int, mode: int) -> bool:
    """Whether ``path`` has to be created or corrected. Raises SecureFtpError when it is not a directory."""
    if found is None:
        return True
    if not found.is_directory:
        raise SecureFtpError(path, "a directory", found=found.kind, remedy="remove or rename it")
    return (found.uid, found.gid, found.mode) != (uid, gid, mode)


def is_to_be_deleted(path: str, found: Entry | None, mounts: Iterable[str]) -> bool:
    """Whether there is anything to delete. Raises SecureFtpError if it has a mount or is not a directory."""
    if found is None:
        return False
    if not found.is_directory:
        raise SecureFtpError(path, "the user's directory", found=found.kind, remedy="remove it by hand")
    problem = refusal(path, mounts)
    if problem:
        raise SecureFtpError.of(problem)
    return True
