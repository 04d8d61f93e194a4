# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The store of FTPS users: a Berkeley DB hash file that is replaced as a whole or not at all.

pam_userdb opens the file for each login, so the next login sees a renamed file, and never one half
written. Every writer holds ``flock`` on a lock file beside it, changes a private copy and renames it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import os
import re
import sys
import time
from typing import Any, Callable, Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    Busy,
    MissingDriver,
    NotDurable,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import DRIVERS, SYSTEM_PYTHON
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.hashfile import (
    FEW,
    HashFile,
    Identity,
    identity_of,
    open_hash_file,
    salvage,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import (
    file_error,
    fsync_directory,
    write_all,
)

PACKAGE = "python3-bsddb3"
"""The binding's package; it has this name in every supported Debian and Ubuntu release."""


LOCK_TIMEOUT = 30.0
"""Seconds to wait for another writer."""

Changes = Mapping[bytes, "bytes | None"]
"""What to write: the new value of each key, None to remove it."""

_SUFFIX = ".db"
_NEW_MODE = 0o600
_POLL = 0.05
_ATTEMPTS = 5
_MIN_CACHE, _MAX_CACHE = 1 << 20, 64 << 20
_PAGE_SIZE = 4096
_MAX_LIBDB = (6, 0)


def database_path(path: str) -> str:
    """Return the file of a database that is named with or without ``.db``; pam_userdb's ``db=`` omits it."""
    if not os.path.isabs(path) or "\0" in path or path.endswith("/"):
        raise SecureFtpError("db", "the absolute path of a file", found=repr(path))
    return path if path.endswith(_SUFFIX) else path + _SUFFIX


class View:
    """The records at one moment; only those that are needed are read."""

    def __init__(self, file: HashFile | None) -> None:
        self._file = file

    @property
    def identity(self) -> Identity | None:
        """The version of the file; None when there is none."""
        return self._file.identity if self._file else None

    @property
    def file(self) -> HashFile | None:
        """The file; None when there is none."""
        return self._file

    def all(self) -> dict[bytes, bytes]:
        """Every record; not to be modified."""
        return self._file.records() if self._file else {}

    def select(self, keys: list[bytes]) -> Mapping[bytes, bytes]:
        """At least those records of ``keys`` that exist."""
        if self._file is None or len(keys) > FEW:
            return self.all()
        found = ((key, self._file.get(key)) for key in keys)
        return {key: value for key, value in found if value is not None}


def read(path: str) -> View:
    """Read the database at ``path`` (empty when there is none); no lock is needed, as writers rename a whole file.

    Raises SecureFtpError naming what is wrong with the file.
    """
    return View(open_hash_file(path))


def update(
    path: str,
    decide: Callable[[View], Changes],
    check_mode: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
    view: View | None = None,
) -> Changes:
    """Apply the changes that ``decide`` returns, in one transaction; return those that made a difference.

    ``view`` is what was read already, or None. ``decide`` may be called again with newer records when another writer
    has changed the database meanwhile. Raises SecureFtpError, with the database as it was, if it cannot be written.
    """
    for _attempt in range(_ATTEMPTS):
        view = view or read(path)
        changes = _differences(view, decide(view))
        if not changes or check_mode:
            return changes
        driver = load_driver()
        with _lock(path, lock_timeout):
            if not is_current(path, view):
                view = read(path)
                changes = _differences(view, decide(view))
                if not changes:
                    return changes
            if _replace(path, view, changes, driver):
                return changes
        view = None
    raise SecureFtpError(
        path, found="another program keeps writing it without the lock", remedy="stop that program and try again"
    )


def salvage_database(path: str, check_mode: bool = False, lock_timeout: float = LOCK_TIMEOUT) -> tuple[int, str | None]:
    """Replace a damaged database by its readable records; return their number and the path of the kept file.

    A database that is not damaged is not changed: (its number of records, None). Keys and values that
    are not printable text are dropped. The damaged file stays beside it as ``.damaged-<time>``.
    """
    with contextlib.suppress(SecureFtpError):
        return len(read(path).all()), None
    records = {key: value for key, value in salvage(path).items() if _printable(key) and _printable(value)}
    backup = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    if check_mode:
        return len(records), backup
    driver = load_driver()
    with _lock(path, lock_timeout):
        try:
            os.link(path, backup, follow_symlinks=False)
        except OSError as error:
            raise file_error(backup, "write", error) from error
        _replace(path, None, records, driver, owner=os.lstat(path))
    return len(records), backup


def name_of(key: bytes) -> str:
    """The user name in ``key``; other programs may have written any bytes."""
    return key.decode("utf-8", "surrogateescape")


def _printable(value: bytes) -> bool:
    try:
        return bool(value) and value.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _differences(view: View, changes: Changes) -> Changes:
    current = view.select(list(changes))
    return {key: value for key, value in changes.items() if current.get(key) != value}


def is_current(path: str, view: View) -> bool:
    """Whether the file at ``path`` is still the version of ``view``."""
    return _identity(path) == view.identity


def _identity(path: str) -> Identity | None:
    try:
        return identity_of(os.lstat(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(path, "read", error) from error


def load_driver() -> Any:
    """Return the ``db`` module of the Berkeley DB binding. Raises SecureFtpError; MissingDriver without one."""
    for name in DRIVERS:
        try:
            driver = importlib.import_module(name + ".db")
        except ImportError:
            continue
        version = tuple(driver.version()[:2])
        if version >= _MAX_LIBDB:
            raise SecureFtpError(
                f"the Python module {name}",
                "libdb 5.3, whose files pam_userdb can read",
                found=f"libdb {version[0]}.{version[1]}",
                remedy=f"install the distribution's package {PACKAGE} instead",
            )
        return driver
    system = os.path.realpath(sys.executable) == os.path.realpath(SYSTEM_PYTHON) and sys.prefix == sys.base_prefix
    another = "" if system else f", and set ansible_python_interpreter={SYSTEM_PYTHON}"
    error = MissingDriver(
        "the Python module berkeleydb (or bsddb3)",
        found=f"is missing for {sys.executable}",
        remedy=f"install the package {PACKAGE} on the host{another}",
    )
    error.bindings, error.interpreter = DRIVERS, SYSTEM_PYTHON
    raise error


@contextlib.contextmanager
def _lock(path: str, timeout: float) -> Iterator[None]:
    """Hold the writers' lock. The lock file is kept: after a removal, two writers could lock two files."""
    lock = path + ".lock"
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise file_error(path, "lock", error) from error
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Busy(
                        path,
                        found=f"another writer{_holder(fd)} has held {lock} for {timeout:g} seconds",
                        remedy="wait for it or end it, then try again",
                    ) from None
                time.sleep(_POLL)
            except OSError as error:
                raise file_error(path, "lock", error) from error
        with contextlib.suppress(OSError):  # used only for the message above
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(fd)


def _holder(fd: int) -> str:
    """Describe the process that holds the lock; '' when it is unknown."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(os.pread(fd, 32, 0))
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f", process {pid} ({file.read().strip()}),"
    return ""


def _replace(path: str, view: View | None, changes: Changes, driver: Any, owner: os.stat_result | None = None) -> bool:
    """Write the changed database beside ``path`` and rename it to ``path``; False when ``path`` changed meanwhile.

    Without ``view`` the new database contains only ``changes``. The caller holds the lock.
    """
    directory, base = os.path.split(path)
    file = view.file if view else None
    expected = view.identity if view else _identity(path)
    mode, uid, gid = (file.mode, file.uid, file.gid) if file else (_NEW_MODE, os.geteuid(), os.getegid())
    if owner is not None:
        mode, uid, gid = owner.st_mode & 0o7777, owner.st_uid, owner.st_gid
    temporary = os.path.join(directory, f".{base}.{os.urandom(6).hex()}.tmp")
    try:
        _clean(directory, base)
        if file:
            file.check_before_change(changes.keys())
        try:
            _write(temporary, file, changes, driver, (mode, uid, gid))
            if _identity(path) != expected:
                return False
            os.rename(temporary, path)
        finally:
            _remove(temporary)
    except OSError as error:
        raise file_error(path, "write", error) from error
    except driver.DBError as error:
        raise _database_error(path, error) from error
    try:
        fsync_directory(directory)
    except OSError as error:
        raise NotDurable(
            path,
            found=f"the new database is in place, but the directory could not be flushed to disk: {error.strerror}",
            remedy="check the disk, then run again",
        ) from error
    return True


def _write(path: str, file: HashFile | None, changes: Changes, driver: Any, access: tuple[int, int, int]) -> None:
    """Write the changed database to the new file ``path`` and flush it; ``access`` is mode, uid and gid."""
    mode, uid, gid = access
    # libdb retries a flush that failed, and the second one succeeds although data is lost. The kernel reports
    # the failure once to each descriptor, so this one, opened before libdb's, gets the error too.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _NEW_MODE)
    try:
        found = os.fstat(fd)
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
        if file:
            write_all(fd, file.data)
        _apply(path, changes, driver, create=file is None)
        os.fsync(fd)
    finally:
        os.close(fd)


def _apply(path: str, changes: Changes, driver: Any, create: bool) -> None:
    # The number of buckets is left to libdb: giving it the number of records beforehand is faster, but makes
    # the file, and so every later change, nearly twice as large (measured).
    database = driver.DB()
    try:
        database.set_cachesize(0, _cache(sum(map(_size, changes.items()))))
        if create:
            database.set_pagesize(_PAGE_SIZE)
        database.open(path, dbtype=driver.DB_HASH, flags=driver.DB_CREATE if create else 0, mode=_NEW_MODE)
        for key, value in changes.items():
            if value is not None:
                database.put(key, value)
            elif not create:
                database.delete(key)
        database.sync()
    finally:
        database.close()


def _size(record: tuple[bytes, bytes | None]) -> int:
    return len(record[0]) + len(record[1] or b"") + 6


def _cache(content: int) -> int:
    return min(max(2 * content, _MIN_CACHE), _MAX_CACHE)


def _clean(directory: str, base: str) -> None:
    """Remove temporary files of killed writers; the lock guarantees that no writer is using them."""
    litter = re.compile(re.escape(f".{base}.") + r"[0-9a-f]{12}\.tmp\Z")
    for entry in os.listdir(directory):
        if litter.match(entry):
            _remove(os.path.join(directory, entry))


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _database_error(path: str, error: Exception) -> SecureFtpError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number in errno.errorcode:
        return file_error(path, "write", OSError(number, os.strerror(number)))
    return SecureFtpError(path, found=f"libdb could not write the new database: {error}", state=NOTHING)
