# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import itertools
import mmap
import os
import stat
import time
from typing import Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    NotDurable,
    NotPermitted,
    SecureFtpError,
)

AS_ROOT = "run as root (sudo, or become: true)"
"""The remedy, for the command and for a playbook."""

_MEANING = {
    errno.ENOSPC: "no space left on the device; free some",
    errno.EDQUOT: "the disk quota is used up; free some space or raise it",
    errno.EROFS: "the file system is mounted read-only; remount it read-write",
    errno.EIO: "the device reported an input/output error; check the kernel log and the disk",
    errno.EACCES: f"permission denied; {AS_ROOT}",
    errno.EPERM: f"operation not permitted; {AS_ROOT}",
    errno.ENOENT: "its directory does not exist; create it first",
    errno.ENOTDIR: "a part of its path is not a directory",
}


def file_error(path: str, doing: str, error: OSError, state: str = NOTHING) -> SecureFtpError:
    """Turn ``error``, raised when ``doing`` ("write", "read") ``path`` failed, into one an operator can act on.

    ``state`` says what has been changed before the error.
    """
    meaning = _MEANING.get(error.errno or 0) or error.strerror or str(error)
    kind = NotPermitted if error.errno in (errno.EACCES, errno.EPERM) else SecureFtpError
    return kind(path, found=f"cannot {doing} it: {meaning}", state=state)


def fsync_directory(path: str) -> None:
    """Make a rename in directory ``path`` durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def flush(paths: Iterable[str]) -> None:
    """Make changes of the files and directories ``paths`` durable; paths that do not exist are ignored.

    Raises NotDurable.
    """
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise not_durable(path, error) from error
        try:
            flush_opened(fd, path)
        finally:
            os.close(fd)


def flush_opened(fd: int, path: str) -> None:
    """Make the content of ``path``, open as ``fd``, durable. Raises NotDurable.

    fsync(2): EINVAL means that the file system cannot flush a file of this kind; it promises nothing then.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise not_durable(path, error) from error


def not_durable(path: str, error: OSError) -> NotDurable:
    """The error for a path that could not be flushed; a caller that takes the change back says so in its ``state``."""
    meaning = _MEANING.get(error.errno or 0) or error.strerror or str(error)
    return NotDurable(path, found=f"cannot flush it to disk, so a change would not outlast a loss of power: {meaning}")


def write_all(fd: int, data: bytes | mmap.mmap) -> None:
    """Write every byte of ``data`` to ``fd``. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def keep_copy(path: str) -> str:
    """Copy the regular file ``path``, with owner, mode and times, to a dated name beside it; return that name.

    If a copy with the same content exists already, return its name instead. Links are not followed. Raises
    SecureFtpError when it cannot be copied.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            found, data = os.fstat(fd), file.read()
        for copy in sorted(glob.glob(f"{glob.escape(path)}.*~")):
            with contextlib.suppress(OSError), open(copy, "rb") as file:
                if not os.path.islink(copy) and file.read() == data:
                    return copy
        stamp = f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        names = itertools.chain([f"{stamp}~"], (f"{stamp}.{number}~" for number in itertools.count(1)))
        copy = next(name for name in names if not os.path.lexists(name))
        replace_file(copy, data, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
        os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    except OSError as error:
        raise file_error(path, "copy", error) from error
    return copy


def expect_regular(path: str) -> None:
    """Raise SecureFtpError if ``path`` is a symbolic link or anything but a regular file; it may be missing."""
    with contextlib.suppress(OSError):
        kind = os.lstat(path).st_mode
        if not stat.S_ISREG(kind):
            what = "a symbolic link" if stat.S_ISLNK(kind) else "something else"
            raise SecureFtpError(path, "a regular file", found=what, remedy="name the real file")


def replace_file(path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    """Make ``path`` a file with ``data``, that mode and owner (-1: the process's own), atomically and durably.

    Raises SecureFtpError, with the old file untouched, when ``path`` is a symbolic link or anything
    but a regular file, and when the system refuses the write.
    """
    directory = os.path.dirname(path) or "."
    expect_regular(path)
    temporary = os.path.join(directory, f".{os.path.basename(path)}.{os.urandom(6).hex()}.new")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                write_all(fd, data)
                os.fchown(fd, uid, gid)
                os.fchmod(fd, mode)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        fsync_directory(directory)
    except OSError as error:
        raise file_error(path, "write", error) from error
