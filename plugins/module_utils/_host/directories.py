# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Directories of users, created and removed by file descriptor: a link that a user planted is never followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections import Counter
from typing import Callable, Iterable, Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import (
    file_error,
    flush_opened,
    not_durable,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.many_files import FEW, flush_file_system
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import mount_id, refuse_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.walking import OPEN, walk

_MAX_LINKS = 40
_ATTEMPTS = 20
_FORMER_OWNER = "trusted.ftp_former_owner"
"""xattr(7) of a closed home: the user id of its former owner. Only root can set or read ``trusted`` attributes."""


def ensure_directory(path: str, uid: int, gid: int, mode: int, check_mode: bool = False) -> bool:
    """Make ``path`` a directory with that owner and mode; missing parents become root's, 0755.

    A symbolic link among the parents is followed only if nobody but the administrator could have created
    it; ``path`` itself must not be one. Nothing inside is touched. Returns whether it changed; the change is durable.
    """
    parent, name = os.path.split(absolute(path))
    with open_directory(parent, create=not check_mode) as fd:
        if fd is None:
            return True
        changed = _ensure_entry(fd, name, path, uid, gid, mode, check_mode)
        if changed and not check_mode:
            _flush(fd, [name], parent)
        return changed


def ensure_home(root: str, name: str, uid: int, gid: int, mode: int = 0o700, check_mode: bool = False) -> bool:
    """Make ``root``/``name`` a directory with that owner and mode. Returns whether it changed."""
    return bool(ensure_homes(root, [name], lambda _name: (uid, gid), mode, check_mode))


def ensure_homes(
    root: str,
    names: Iterable[str],
    owner_of: Callable[[str], tuple[int, int]],
    mode: int,
    check_mode: bool = False,
) -> list[str]:
    """Make a directory directly under ``root`` for each name; return the names that changed. The changes are durable.

    Raises SecureFtpError when ``root`` is missing (except in check mode, where all would change).
    """
    names = list(names)
    with open_directory(absolute(root)) as fd:
        if fd is None:
            if check_mode:
                return names
            raise SecureFtpError(root, "the directory of the users' homes", found="nothing", remedy="create it first")
        changed = [
            name
            for name in told("homes", names, len(names))
            if _ensure_entry(fd, _one_component(name), os.path.join(root, name), *owner_of(name), mode, check_mode)
        ]
        if changed and not check_mode:
            _flush(fd, changed, root)
        return changed


def _flush(parent: int, names: Iterable[str], path: str) -> None:
    """Make the directories ``names`` in ``parent``, which is ``path``, durable. Raises NotDurable.

    All are flushed at the end: the first flush commits what the others would wait for, and many are flushed at once.
    """
    names = list(names)
    if len(names) > FEW:
        flush_file_system(path)
        return
    for name in names:
        try:
            fd = os.open(name, OPEN, dir_fd=parent)
        except FileNotFoundError:
            continue  # another program has removed it
        except OSError as error:
            raise not_durable(os.path.join(path, name), error) from error
        try:
            flush_opened(fd, os.path.join(path, name))
        finally:
            os.close(fd)
    flush_opened(parent, path)


def remove_home(root: str, name: str, check_mode: bool = False) -> bool:
    """Delete ``root``/``name`` with everything in it; return whether there was anything to delete.

    Links inside are removed, never followed. Raises SecureFtpError before anything is deleted (in check mode too) when
    a file system is mounted at or below it. Raises it too when a part could not be deleted; a second try is possible.
    """
    path = os.path.join(root, _one_component(name))
    with open_directory(absolute(root)) as fd:
        if fd is None:
            return False
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                raise SecureFtpError(path, "the user's directory", found=kind(found), remedy="remove it by hand")
            refuse_mounts([path])
            if not check_mode:
                _delete(fd, name, path)
                flush_opened(fd, root)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise _mounted_meanwhile(path) from error
            raise file_error(path, "remove", error, "what is left of it stays; try again") from error
        return True


def _delete(parent: int, name: str, path: str) -> None:
    """Delete directory ``name``, with files that are added to it meanwhile, unless new ones keep coming."""
    home = os.open(name, OPEN, dir_fd=parent)
    try:
        # Give it to root first: a session that is still open could otherwise write to it.
        os.fchown(home, 0, 0)
        os.fchmod(home, 0o700)
        for attempt in range(_ATTEMPTS):
            _empty(home, path)
            try:
                os.rmdir(name, dir_fd=parent)
                return
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
            time.sleep(0.01 * attempt)
        left = ", ".join(sorted(os.listdir(home))[:3])
    finally:
        os.close(home)
    raise SecureFtpError(
        path,
        "an empty directory after everything in it was deleted",
        found=f"new files ({left})",
        remedy="end what writes there and delete it again",
    )


def close_home(root: str, name: str, check_mode: bool = False) -> bool:
    """Give ``root``/``name`` to root, mode 0700, until its user is created again; return whether it changed.

    Removing the account frees its user id: the next account with that id must not be able to read the files.
    """
    with open_directory(absolute(root)) as fd:
        if fd is None:
            return False
        with contextlib.suppress(FileNotFoundError):
            if not check_mode:
                _remember_owner(fd, _one_component(name))
            path = os.path.join(root, name)
            changed = _ensure_entry(fd, _one_component(name), path, 0, 0, 0o700, check_mode, make=False)
            if changed and not check_mode:
                _flush(fd, [name], root)
            return changed
        return False


def close_homes(root: str, names: Iterable[str]) -> list[str]:
    """Close the homes of removed users; return warnings: a home that is a link or a file stays as it is."""
    warnings = []
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            continue  # a name that was not created here may lead to another directory
        try:
            close_home(root, name)
        except NotDurable:
            raise
        except SecureFtpError as error:
            warnings.append(f"the files of the removed user {name!r} stay as they are: {error}")
    return warnings


def _remember_owner(parent: int, name: str) -> None:
    """Record the owner of this home; do nothing if the file system cannot, or if it is not a directory."""
    with contextlib.suppress(OSError):
        fd = os.open(name, OPEN, dir_fd=parent)
        try:
            owner = os.fstat(fd).st_uid
            if owner != 0:
                os.setxattr(fd, _FORMER_OWNER, str(owner).encode())
        finally:
            os.close(fd)


def remembered_owner(root: str, name: str) -> int | None:
    """The user id that owned ``root``/``name`` before ``close_home``; None if it is not closed or none was recorded.

    The record is still there if ``hand_over`` was interrupted.
    """
    if not is_closed(root, name):
        return None
    try:
        return int(os.getxattr(os.path.join(root, name), _FORMER_OWNER, follow_symlinks=False))
    except (OSError, ValueError):
        return None


def is_closed(root: str, name: str) -> bool:
    """Whether ``root``/``name`` is in the state that ``close_home`` leaves."""
    try:
        found = os.lstat(os.path.join(root, _one_component(name)))
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _matches(found, 0, 0, 0o700)


def former_owner(root: str, name: str) -> int | None:
    """The user id that owns the files in the kept home ``root``/``name``; None when it is unknown.

    That is the owner of the home. If the home was closed, it is the recorded owner, or else the owner of most entries.
    """
    path = os.path.join(root, _one_component(name))
    try:
        owner = os.lstat(path).st_uid
        if owner != 0:
            return owner
        noted = remembered_owner(root, name)
        if noted is not None:
            return noted
        with os.scandir(path) as entries:
            count = Counter(entry.stat(follow_symlinks=False).st_uid for entry in entries)
    except OSError:
        return None
    del count[0]
    return count.most_common(1)[0][0] if count else None


def hand_over(root: str, name: str, former: int, uid: int, gid: int) -> int:
    """Give everything in ``root``/``name`` that belongs to ``former`` to ``uid`` and ``gid``; return how many entries.

    The home is closed first, so that nobody can exchange files meanwhile. Links are not followed, mounts not entered,
    and files of other owners stay as they are, also those hard-linked here. If interrupted, it can be repeated.
    """
    close_home(root, name)
    done = 0
    path = os.path.join(absolute(root), _one_component(name))
    with open_directory(path) as home:
        if home is None:
            return 0
        try:
            for fd, entry, found in walk(home, path):
                if found.st_uid == former:
                    os.chown(entry, uid, gid, dir_fd=fd, follow_symlinks=False)
                    done += 1
            with contextlib.suppress(OSError):
                os.removexattr(home, _FORMER_OWNER)
        except OSError as error:
            raise file_error(path, "hand over", error, "the rest stays closed; try again") from error
    return done


def absolute(path: str) -> str:
    """Return ``path`` without ``..``. Raises SecureFtpError unless it is absolute and below ``/``."""
    normal = os.path.normpath(path)
    if not os.path.isabs(path) or normal == "/" or "\0" in path:
        raise SecureFtpError("directory", "an absolute path below /", found=repr(path))
    return normal


def _one_component(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise SecureFtpError("directory name", "one path component", found=repr(name))
    return name


@contextlib.contextmanager
def open_directory(path: str, create: bool = False) -> Iterator[int | None]:
    """Open a directory component by component; None when a component is missing and not to be created."""
    fd: int | None = os.open("/", OPEN)
    links = 0
    todo = [part for part in path.split("/") if part]
    try:
        while todo and fd is not None:
            part = todo.pop(0)
            try:
                child = os.open(part, OPEN, dir_fd=fd)
            except FileNotFoundError:
                if not create:
                    os.close(fd)
                    fd = None
                    break
                os.mkdir(part, 0o755, dir_fd=fd)
                child = os.open(part, OPEN, dir_fd=fd)
                os.fchmod(child, 0o755)
                flush_opened(child, path)
                flush_opened(fd, path)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                links += 1
                target = _trusted_link(fd, part, path, links)
                todo = [piece for piece in target.split("/") if piece] + todo
                child = os.open("/", OPEN) if target.startswith("/") else os.dup(fd)
            os.close(fd)
            fd = child
        yield fd
    except OSError as error:
        raise file_error(path, "open", error) from error
    finally:
        if fd is not None:
            os.close(fd)


def _trusted_link(fd: int, part: str, path: str, links: int) -> str:
    """Return the target of link ``part`` when only the administrator can have made it."""
    found = os.stat(part, dir_fd=fd, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise SecureFtpError(path, f"a directory at {part!r}", found=kind(found))
    directory = os.fstat(fd)
    if directory.st_uid not in (0, os.geteuid()) or directory.st_mode & 0o022:
        raise SecureFtpError(
            path,
            found=f"{part!r} is a symbolic link in a directory others can write to, so anybody may have planted it",
            remedy="give the real path",
        )
    if links > _MAX_LINKS:
        raise SecureFtpError(path, found=f"more than {_MAX_LINKS} symbolic links", remedy="give the real path")
    return os.readlink(part, dir_fd=fd)


def _ensure_entry(
    parent: int, name: str, path: str, uid: int, gid: int, mode: int, check_mode: bool, make: bool = True
) -> bool:
    """Make entry ``name`` a directory with that owner and mode; FileNotFoundError if it is missing and not ``make``."""
    try:
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            if not make:
                raise
            if check_mode:
                return True
            os.mkdir(name, 0o700, dir_fd=parent)
        else:
            if not stat.S_ISDIR(found.st_mode):
                raise SecureFtpError(path, "a directory", found=kind(found), remedy="remove or rename it")
            if _matches(found, uid, gid, mode):
                return False
            if check_mode:
                return True
        fd = os.open(name, OPEN, dir_fd=parent)
        try:
            found = os.fstat(fd)
            if (found.st_uid, found.st_gid) != (uid, gid):
                os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
    except FileNotFoundError:
        if not make:
            raise
        raise SecureFtpError(
            path, found="vanished while it was made", remedy="something else removes it; try again"
        ) from None
    except OSError as error:
        raise file_error(path, "make the directory", error) from error
    return True


def _matches(found: os.stat_result, uid: int, gid: int, mode: int) -> bool:
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, gid, mode)


def kind(found: os.stat_result) -> str:
    """What was found, in words."""
    for test, name in (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISREG, "a file"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISDIR, "a directory"),
    ):
        if test(found.st_mode):
            return name
    return "a device"


def _empty(top: int, path: str) -> None:
    """Remove everything in ``top``, at any depth, with two descriptors open at a time; files may vanish meanwhile.

    Subdirectories are first moved up into ``top``, so depth costs neither descriptors nor stack.
    """
    mount = mount_id(top)
    prefix, moved = f".removing-{os.urandom(6).hex()}-", 0
    todo = os.listdir(top)
    while todo:
        name = todo.pop()
        with contextlib.suppress(FileNotFoundError):
            if not _remove_plain(top, name):
                continue
            child = os.open(name, OPEN, dir_fd=top)
            try:
                if mount_id(child) != mount:
                    raise _mounted_meanwhile(os.path.join(path, name))
                for entry in os.listdir(child):
                    with contextlib.suppress(FileNotFoundError):
                        if _remove_plain(child, entry):
                            moved += 1
                            os.rename(entry, f"{prefix}{moved}", src_dir_fd=child, dst_dir_fd=top)
                            todo.append(f"{prefix}{moved}")
            finally:
                os.close(child)
            try:
                os.rmdir(name, dir_fd=top)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                # A file was added to it meanwhile; the caller tries again.


def _remove_plain(fd: int, name: str) -> bool:
    """Unlink ``name`` unless it is a directory; return whether it is one."""
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return True
    os.unlink(name, dir_fd=fd)
    return False


def _mounted_meanwhile(path: str) -> SecureFtpError:
    return SecureFtpError(
        path, found="a file system was mounted there meanwhile", remedy="unmount it and delete what is left again"
    )
