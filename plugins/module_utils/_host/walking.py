# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Walk down a directory tree of any depth and up again, with one descriptor and without following a link."""

from __future__ import annotations

import os
import stat
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import mount_id

OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Descent:
    """A directory that is open as ``fd``, and the way back to where the descent began.

    Going back up opens ``..``, so the depth costs no descriptors. Raises OSError, and SecureFtpError for mounts, which
    are not entered, and for directories that somebody moves meanwhile. ``path`` is for messages.
    """

    def __init__(self, top: int, path: str) -> None:
        self.fd = os.dup(top)
        self.names: list[str] = []
        self._path, self._mount = path, mount_id(top)
        self._way = [identity(top)]

    @property
    def path(self) -> str:
        """Where it is, for messages."""
        return os.path.join(self._path, *self.names)

    def enter(self, name: str) -> bool:
        """Go into directory ``name``; return False, and stay, if another file system is mounted there."""
        child = os.open(name, OPEN, dir_fd=self.fd)
        if mount_id(child) != self._mount:
            os.close(child)
            return False
        self._way.append(identity(child))
        self.names.append(name)
        self._replace(child)
        return True

    def leave(self) -> str:
        """Go back up; return the name of the directory that was left."""
        self._replace(os.open("..", OPEN, dir_fd=self.fd))
        self._way.pop()
        if identity(self.fd) != self._way[-1]:
            raise SecureFtpError(self._path, found="a directory was moved meanwhile", remedy="try again")
        return self.names.pop()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)

    def _replace(self, fd: int) -> None:
        os.close(self.fd)
        self.fd = fd


def walk(top: int, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
    """Each entry below the open directory ``top``: the descriptor of its directory, its name, and what it is.

    A directory comes before what is in it. Mounts are listed but not entered.
    """
    descent, todo = Descent(top, path), [os.listdir(top)]
    try:
        while todo:
            if not todo[-1]:
                todo.pop()
                if todo:
                    descent.leave()
                continue
            name = todo[-1].pop()
            found = os.stat(name, dir_fd=descent.fd, follow_symlinks=False)
            yield descent.fd, name, found
            if stat.S_ISDIR(found.st_mode) and descent.enter(name):
                todo.append(os.listdir(descent.fd))
    finally:
        descent.close()


def identity(fd: int) -> tuple[int, int]:
    """What tells an open file or directory from every other."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
