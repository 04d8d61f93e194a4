# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Move the files of a user into another directory: nothing is overwritten or lost, also if it is killed.

Both directories are root's, mode 0700, while it runs, and then the user's sessions are ended: nobody can exchange a
file between two looks at it. Links are moved, never followed. Each file is renamed; where that is impossible, it is
copied, the copy is flushed and renamed into its place, and only then the old file is removed. So each file is complete
in one of the two places at any time, and whatever a killed run left is finished by the next.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    close_home,
    ensure_home,
    kind,
    open_directory,
    remove_home,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, flush_opened
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import MOUNTINFO, refuse_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.walking import OPEN, Descent, walk

Progress = Callable[[int, int], None]
"""Told how many of how many entries are moved."""

_WORK = ".moving-"
_LONGEST_NAME = 255
_CHUNK = 1 << 20
_AGAIN = "the files are in the old and in the new directory; do it again to move the rest"


def nothing() -> list[str]:
    """End no sessions."""
    return []


@dataclass
class Moved:
    """What was, or would be, moved. ``aside`` are the paths, in the new directory, of files whose names were taken."""

    files: int = 0
    directories: int = 0
    size: int = 0
    aside: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def look(path: str) -> Moved:
    """What is in directory ``path``; nothing if it does not exist. Raises SecureFtpError if it cannot be moved."""
    return _look(path)[0]


def _look(path: str) -> tuple[Moved, Counter[tuple[int, int]]]:
    """The same, and how many names there are of each file that has several."""
    found = Moved()
    names: Counter[tuple[int, int]] = Counter()
    try:
        with open_directory(path) as top:
            for fd, name, entry in walk(top, path) if top is not None else ():
                if stat.S_ISBLK(entry.st_mode) or stat.S_ISCHR(entry.st_mode):
                    raise SecureFtpError(
                        os.path.join(path, _where(fd, path, name)),
                        "files and directories",
                        found="a device",
                        remedy="remove it by hand",
                    )
                if stat.S_ISDIR(entry.st_mode):
                    found.directories += 1
                    continue
                found.files += 1
                found.size += entry.st_size if stat.S_ISREG(entry.st_mode) else 0
                if entry.st_nlink > 1:
                    names[entry.st_dev, entry.st_ino] += 1
    except OSError as error:
        raise file_error(path, "look at", error) from error
    return found, names


def _where(fd: int, path: str, name: str) -> str:
    """The path of ``name`` in the open directory ``fd`` below ``path``, for a message."""
    try:
        return os.path.relpath(os.path.join(os.readlink(f"/proc/self/fd/{fd}"), name), os.path.realpath(path))
    except OSError:
        return name


@dataclass
class _Level:
    """One directory on the way down: what is still to be moved, and where it goes."""

    todo: list[str]
    held: int | None = None
    """The target of the level above, if this one's is not below it."""

    times: tuple[int, int] | None = None
    """For a directory that this run has made."""

    copied: list[str] = field(default_factory=list)
    """Files whose copies are in their places but not flushed yet."""


class Move:
    """The directory ``old`` into the directory ``new``, which exists; ``old`` is removed.

    Whatever belongs to the user or group of ``former`` gets that of ``owner``; files of others stay theirs. A file
    whose name is taken goes into the directory ``aside``. A file that has another name outside is copied, so that the
    one outside keeps its owner.
    """

    def __init__(
        self,
        old: str,
        new: str,
        former: tuple[int, int],
        owner: tuple[int, int],
        aside: str,
        end_sessions: Callable[[], Sequence[str]] = nothing,
        progress: Progress = lambda _done, _whole: None,
        mountinfo: str = MOUNTINFO,
    ) -> None:
        self._old, self._new, self._former, self._owner = old, new, former, owner
        self._aside, self._end_sessions, self._progress = aside, end_sessions, progress
        self._mountinfo = mountinfo

    def run(self) -> Moved:
        """Do it, or what is left of it. Raises SecureFtpError; the error says what was moved before."""
        refuse_mounts([self._old, self._new], self._mountinfo)
        whole, self._names = _look(self._old)
        if self._names:  # some names of these files may have been moved by a run before
            self._names.update(_look(self._new)[1])
        self._count, self._whole = 0, whole.files + whole.directories
        self._done = Moved()
        was = _ownership(self._old)
        if was is None:
            ensure_home(*os.path.split(self._new), *self._owner)
            return self._done
        if was == (0, 0, 0o700):  # a killed run left it closed
            was = (*self._former, 0o700)
        try:
            for path in (self._old, self._new):
                close_home(*os.path.split(path))
            self._done.warnings += self._end_sessions()
            self._move_all()
        except BaseException:
            # Both directories work again, each with its part of the files, until the next run.
            with contextlib.suppress(OSError, SecureFtpError):
                ensure_home(*os.path.split(self._new), *self._owner)
                if os.path.lexists(self._old):
                    ensure_home(*os.path.split(self._old), *was)
            raise
        ensure_home(*os.path.split(self._new), *self._owner)
        return self._done

    def _move_all(self) -> None:
        parent, name = os.path.split(self._old)
        with open_directory(self._old) as old, open_directory(self._new) as new, open_directory(parent) as above:
            if old is None or new is None or above is None:
                raise SecureFtpError(self._new, "the directory the files go to", found="none", remedy="make it")
            self._clear(new)
            self._home, self._at, self._entry = new, Descent(old, self._old), ""
            self._levels = [_Level(os.listdir(old))]
            try:
                self._work, work = _work(new)
                self._target = os.dup(new)
                try:
                    self._walk()
                finally:
                    with contextlib.suppress(OSError, SecureFtpError):
                        self._settle()
                    os.close(self._target)
                    os.close(self._work)
                    remove_home(self._new, work)
                flush_opened(new, self._new)
                os.rmdir(name, dir_fd=above)  # last: without it, there is nothing left to do
                flush_opened(above, parent)
            except OSError as error:
                raise self._failed(error) from error
            except SecureFtpError as error:
                error.state = _AGAIN
                raise
            finally:
                self._at.close()

    def _failed(self, error: OSError) -> SecureFtpError:
        """What ``error`` means for the file at which the walk stands."""
        path = os.path.join(self._at.path, self._entry)
        if error.errno == errno.EPERM:
            found = "the system refuses to move it, perhaps because it is immutable (lsattr shows an i)"
            return SecureFtpError(path, found=found, remedy="if so: chattr -i", state=_AGAIN)
        return file_error(path, "move", error, _AGAIN)

    # --- the walk --------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        while True:
            level = self._levels[-1]
            if level.todo:
                self._entry = level.todo.pop()
                found = os.stat(self._entry, dir_fd=self._at.fd, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    self._enter(self._entry, found)
                else:
                    self._move_entry(self._entry, found)
                    self._told()
                continue
            self._settle()
            if len(self._levels) == 1:
                return
            self._leave()
            self._told()

    def _told(self) -> None:
        self._count += 1
        self._progress(self._count, max(self._whole, self._count))

    def _enter(self, name: str, found: os.stat_result) -> None:
        self._settle()
        if not self._at.enter(name):
            path = os.path.join(self._at.path, name)
            raise SecureFtpError(path, found="a file system was mounted there meanwhile", remedy="unmount it")
        level = _Level(os.listdir(self._at.fd))
        target = self._directory(self._target, [name], found)
        if target is None:
            level.held = self._target
            aside = self._open_aside(self._at.names[:-1])
            try:
                target = self._directory(aside, _numbered(name), found)
            finally:
                os.close(aside)
            if target is None:
                raise AssertionError("a numbered name is always free at last")
            self._done.aside.append(os.path.join(self._aside, *self._at.names[:-1], target[2]))
        else:
            os.close(self._target)
        self._target, made, _name = target
        level.times = (found.st_atime_ns, found.st_mtime_ns) if made else None
        self._levels.append(level)

    def _leave(self) -> None:
        """Go back up, and remove the directory, which is empty now."""
        level = self._levels.pop()
        if level.times:
            os.utime(self._target, ns=level.times)
        above = os.open("..", OPEN, dir_fd=self._target) if level.held is None else level.held
        os.close(self._target)
        self._target = above
        os.rmdir(self._at.leave(), dir_fd=self._at.fd)
        self._done.directories += 1

    def _directory(self, parent: int, names: Iterable[str], like: os.stat_result) -> tuple[int, bool, str] | None:
        """Open, or make like ``like``, a directory with the first of ``names`` that is not something else's.

        Returns its descriptor, whether it was made, and its name; None if all names are taken.
        """
        for name in names:
            try:
                return os.open(name, OPEN, dir_fd=parent), False, name
            except FileNotFoundError:
                return self._made(parent, name, like), True, name
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
        return None

    def _made(self, parent: int, name: str, like: os.stat_result) -> int:
        """Make a directory; it has its owner and mode when it appears under its name."""
        os.mkdir("directory", 0o700, dir_fd=self._work)
        fd = os.open("directory", OPEN, dir_fd=self._work)
        _copy_attributes(self._at.fd, fd)
        os.fchown(fd, *self._new_owner(like))
        os.fchmod(fd, stat.S_IMODE(like.st_mode))
        os.rename("directory", name, src_dir_fd=self._work, dst_dir_fd=parent)
        return fd

    def _open_aside(self, names: Sequence[str]) -> int:
        """Open the directory for files whose names are taken in the directory ``names`` below the old one."""
        like = os.stat_result((stat.S_IFDIR | 0o700, 0, 0, 0, *self._former, 0, 0, 0, 0))
        fd = os.dup(self._home)
        for name in (self._aside, *names):
            found = self._directory(fd, _numbered(name), like)
            if found is None:
                raise AssertionError("a numbered name is always free at last")
            os.close(fd)
            fd = found[0]
        return fd

    # --- one file --------------------------------------------------------------------------------------------------

    def _move_entry(self, name: str, found: os.stat_result) -> None:
        if self._put(self._target, [name], name, found):
            return
        aside = self._open_aside(self._at.names)
        try:
            into = self._put(aside, _numbered(name), name, found)
            self._done.aside.append(os.path.join(self._aside, *self._at.names, into or name))
            flush_opened(aside, self._new)
        finally:
            os.close(aside)

    def _put(self, parent: int, names: Iterable[str], name: str, found: os.stat_result) -> str | None:
        """Move ``name`` to the first free one of ``names`` in ``parent``; return that name, None if all are taken."""
        for free in names:
            try:
                there = os.stat(free, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                if not (self._is_elsewhere(found) or not self._rename(name, parent, free, found)):
                    self._done.files += 1
                    return free
                self._copy(name, parent, free, found)
            else:
                if not _same(self._at.fd, name, found, parent, free, there):
                    continue
            self._levels[-1].copied.append(name)
            self._done.files += 1
            return free
        return None

    def _is_elsewhere(self, found: os.stat_result) -> bool:
        return found.st_nlink > 1 and found.st_nlink > self._names[found.st_dev, found.st_ino]

    def _rename(self, name: str, parent: int, free: str, found: os.stat_result) -> bool:
        """Return False if the new directory is on another file system."""
        if found.st_dev != os.fstat(parent).st_dev:
            return False
        owner = self._new_owner(found)
        if owner != (found.st_uid, found.st_gid):
            os.chown(name, *owner, dir_fd=self._at.fd, follow_symlinks=False)
        try:
            os.rename(name, free, src_dir_fd=self._at.fd, dst_dir_fd=parent)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def _copy(self, name: str, parent: int, free: str, found: os.stat_result) -> None:
        """Copy a file; what is not complete never has its name."""
        work, source = self._work, self._at.fd
        with contextlib.suppress(FileNotFoundError):
            os.unlink("file", dir_fd=work)
        if stat.S_ISREG(found.st_mode):
            _copy_content(source, name, work, "file", self._new_owner(found))
        else:
            if stat.S_ISLNK(found.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), "file", dir_fd=work)
            elif stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
                os.mknod("file", found.st_mode, dir_fd=work)
            else:
                raise SecureFtpError(name, "a file", found=kind(found), remedy="remove it by hand")
            os.chown("file", *self._new_owner(found), dir_fd=work, follow_symlinks=False)
            times = (found.st_atime_ns, found.st_mtime_ns)
            os.utime("file", ns=times, dir_fd=work, follow_symlinks=False)
        os.rename("file", free, src_dir_fd=work, dst_dir_fd=parent)

    def _settle(self) -> None:
        """Remove the old files of which copies are in their places, once these are flushed."""
        copied = self._levels[-1].copied
        if copied:
            flush_opened(self._target, self._new)
        while copied:
            os.unlink(copied.pop(), dir_fd=self._at.fd)

    def _new_owner(self, found: os.stat_result) -> tuple[int, int]:
        uid = self._owner[0] if found.st_uid == self._former[0] else found.st_uid
        return uid, self._owner[1] if found.st_gid == self._former[1] else found.st_gid

    def _clear(self, new: int) -> None:
        """Remove the directories of unfinished copies; only root can have made those that are root's."""
        for name in os.listdir(new):
            found = os.stat(name, dir_fd=new, follow_symlinks=False)
            if name.startswith(_WORK) and stat.S_ISDIR(found.st_mode) and found.st_uid == 0:
                remove_home(self._new, name)


def _work(home: int) -> tuple[int, str]:
    """Make a directory for unfinished copies: its descriptor and name."""
    name = f"{_WORK}{os.urandom(6).hex()}"
    os.mkdir(name, 0o700, dir_fd=home)
    return os.open(name, OPEN, dir_fd=home), name


def _ownership(path: str) -> tuple[int, int, int] | None:
    """Owner, group and mode of directory ``path``; None if there is nothing."""
    with open_directory(path) as fd:
        if fd is None:
            return None
        found = os.fstat(fd)
        return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def _numbered(name: str) -> Iterator[str]:
    """``name``, and then with a number, shortened if it is too long for a file system."""
    yield name
    for number in itertools.count(1):
        end = f".{number}"
        yield os.fsdecode(os.fsencode(name)[: _LONGEST_NAME - len(end)]) + end


def _same(first: int, name: str, found: os.stat_result, second: int, other: str, there: os.stat_result) -> bool:
    """Whether ``other`` is ``name``, or the copy of it that a killed run made: content and time are equal."""
    if (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino):
        return True
    known = (stat.S_IFMT(found.st_mode), found.st_size, found.st_mtime_ns)
    if known != (stat.S_IFMT(there.st_mode), there.st_size, there.st_mtime_ns):
        return False
    if stat.S_ISLNK(found.st_mode):
        return os.readlink(name, dir_fd=first) == os.readlink(other, dir_fd=second)
    if not stat.S_ISREG(found.st_mode):
        return True
    with open(_open(name, first), "rb") as one, open(_open(other, second), "rb") as two:
        while True:
            block = one.read(_CHUNK)
            if block != two.read(_CHUNK):
                return False
            if not block:
                return True


def _open(name: str, parent: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)


def _copy_content(source: int, name: str, work: int, new: str, owner: tuple[int, int]) -> None:
    """Copy a regular file with its holes, attributes, owner, mode and times, and flush it."""
    old = _open(name, source)
    try:
        found = os.fstat(old)
        copy = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=work)
        try:
            for start, end in _parts(old, found.st_size):
                os.lseek(old, start, os.SEEK_SET)
                os.lseek(copy, start, os.SEEK_SET)
                while start < end:
                    block = memoryview(os.read(old, min(_CHUNK, end - start)))
                    if not block:
                        break
                    start += len(block)
                    while block:
                        block = block[os.write(copy, block) :]
            os.ftruncate(copy, found.st_size)
            _copy_attributes(old, copy)
            os.fchown(copy, *owner)
            os.fchmod(copy, stat.S_IMODE(found.st_mode) & 0o1777)
            os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(copy)
        finally:
            os.close(copy)
    finally:
        os.close(old)


def _parts(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are not holes: begin and end."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
            end = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            start, end = end, size  # a file system that knows of no holes
        yield start, end


def _copy_attributes(old: int, new: int) -> None:
    """Copy the attributes of users, and access lists, as far as the file system can keep them."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(old):
            if name.startswith(("user.", "system.posix_acl_")):
                with contextlib.suppress(OSError):
                    os.setxattr(new, name, os.getxattr(old, name))
