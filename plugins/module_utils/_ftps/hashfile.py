# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The Berkeley DB hash file format, read without libdb.

libdb trusts the pages it reads: a damaged file can make it loop or crash. This reader checks every
offset and link before using it, needs no Python binding, and reads 100,000 records as fast as libdb. The
layout is that of libdb 5.3, src/dbinc/db_page.h: a metadata page (DBMETA, HMETA), then pages that
begin with lsn, pgno, prev_pgno, next_pgno, entries, hf_offset, level and type.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import struct
from dataclasses import dataclass
from operator import gt
from typing import Callable, Collection, Dict, Iterable, Iterator, NoReturn, Tuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    DamagedStore,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error

MAX_SIZE = 1 << 30
"""Largest database read: 1 GiB holds five million users."""

FEW = 16
"""Up to this number, records are looked up one by one."""

_SALVAGE_SIZE = 256 << 20
_META_SIZE = 512
_HASH_MAGIC = 0x061561
_OTHER_MAGIC = {0x053162: "btree", 0x042253: "queue", 0x074582: "heap"}
_GDBM_MAGIC = frozenset(range(0x13579ACD, 0x13579AD2))
_MIN_VERSION, _MAX_VERSION = 7, 9
_PAGE_SIZES = tuple(1 << bits for bits in range(9, 17))

# Page types.
_FREE, _HASH_UNSORTED, _OVERFLOW, _HASH_META, _HASH = 0, 2, 7, 8, 13
_HASH_PAGES = (_HASH_UNSORTED, _HASH)
# Item types: the first byte of each item on a hash page.
_KEYDATA, _OFFPAGE = 1, 3

_HEADER_SIZE = 26
_HEADER = "8xIIIHHBB"
_HASH_CHECK = b"%$sniglet^&\0"  # CHARKEY of hash.h; its hash in the header shows which hash function is used
_CHECKSUM = 0x01  # DBMETA_CHKSUM in metaflags: page headers are 32 bytes
_CHECKSUM_HEADER_SIZE = 32
_SUBDATABASE_OR_DUPLICATES = 0x07  # DB_HASH_DUP, DB_HASH_SUBDB, DB_HASH_DUPSORT


@dataclass(frozen=True)
class Identity:
    """What distinguishes one version of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class _Unpackers(Dict[int, Callable[..., Tuple[int, ...]]]):
    """``unpack_from`` for each number of offsets; struct's own cache is small."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self._order = order

    def __missing__(self, count: int) -> Callable[..., tuple[int, ...]]:
        self[count] = unpack = struct.Struct(f"{self._order}{count}H").unpack_from
        return unpack


class HashFile:
    """One version of a database, completely in memory.

    Attributes: ``path``, ``data``, ``identity``, ``mode``, ``uid``, ``gid``, ``page_size``.
    """

    def __init__(self, path: str, data: mmap.mmap, found: os.stat_result) -> None:
        """Check the headers; items are checked when their page is read. Raises DamagedStore naming what is wrong."""
        self.path, self.data = path, data
        self.identity = identity_of(found)
        self.mode, self.uid, self.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
        self._order, self.page_size, self._overhead = _check_header(path, data[:_META_SIZE], len(data))
        header = struct.Struct(f"{self._order}{_HEADER}{self.page_size - _HEADER_SIZE}x")
        self._pages = list(header.iter_unpack(data))
        self._unpackers = _Unpackers(self._order)
        self._max_bucket, self._high_mask, self._low_mask = struct.unpack_from(f"{self._order}72xIII", data)
        self._buckets_known = struct.unpack_from(f"{self._order}92xI", data)[0] == _hash(_HASH_CHECK)
        self._spares = struct.unpack_from(f"{self._order}96x32I", data)
        self._records: dict[bytes, bytes] | None = None
        self._check_headers()

    def records(self) -> dict[bytes, bytes]:
        """Every record."""
        if self._records is None:
            records: dict[bytes, bytes] = {}
            pairs = 0
            for number, page in enumerate(self._pages):
                if page[6] in _HASH_PAGES and number:
                    pairs += page[3] // 2
                    self._read_page(number, records)
            if pairs != len(records):
                self._damaged("a record exists twice")
            self._records = records
        return self._records

    def get(self, key: bytes) -> bytes | None:
        """One record, looked up in its bucket: no need to decode every page."""
        if self._records is not None or not self._buckets_known:
            return self.records().get(key)
        found: dict[bytes, bytes] = {}
        for number in self._bucket(self._bucket_of(key)):
            self._read_page(number, found)
            if key in found:
                break
        return found.get(key)

    def check_before_change(self, keys: Collection[bytes]) -> None:
        """Check every page libdb may need to change ``keys``. Raises DamagedStore naming what is wrong."""
        if len(keys) > FEW or not self._buckets_known:
            numbers: Iterable[int] = range(1, len(self._pages))
        else:
            # Each new record may make libdb split one bucket, in order; bucket n is split off the bucket
            # whose number is n without its highest bit.
            new = range(self._max_bucket + 1, self._max_bucket + 1 + len(keys))
            split = [number - (1 << number.bit_length() - 1) for number in new]
            buckets = {*map(self._bucket_of, keys), *(bucket for bucket in split if bucket <= self._max_bucket)}
            numbers = [number for bucket in buckets for number in self._bucket(bucket)]
        for number in numbers:
            if self._pages[number][6] in _HASH_PAGES:
                self._offsets(number)

    def _damaged(self, what: str) -> NoReturn:
        _raise_damaged(self.path, what)

    def _bucket_of(self, key: bytes) -> int:
        bucket: int = _hash(key) & self._high_mask
        return bucket if bucket <= self._max_bucket else bucket & self._low_mask

    def _bucket(self, bucket: int) -> Iterator[int]:
        """Yield the pages of a bucket; none when it was never used."""
        number = bucket + self._spares[bucket.bit_length()]
        while number and self._pages[number][6] in _HASH_PAGES:
            yield number
            number = self._pages[number][2]

    def _check_headers(self) -> None:
        """Check every page's header and links, so that neither we nor libdb follow a wrong one."""
        pages, size, overhead = self._pages, self.page_size, self._overhead
        count = len(pages)
        for number, (pgno, previous, following, entries, end, _level, kind) in enumerate(pages):
            if kind == _FREE or not number:
                continue
            if kind not in (_HASH, _HASH_UNSORTED, _OVERFLOW):
                self._damaged(f"page {number} has the unknown type {kind}")
            if pgno != number:
                self._damaged(f"page {number} has the page number {pgno}")
            if following >= count or previous >= count:
                self._damaged(f"page {number} points beyond the last page")
            if kind == _OVERFLOW:
                if end > size - overhead:
                    self._damaged(f"overflow page {number} is longer than a page")
                if following and (pages[following][6] != _OVERFLOW or pages[following][1] != number):
                    self._damaged(f"overflow page {number} has a wrong next page")
                continue
            if following and (pages[following][6] not in _HASH_PAGES or pages[following][1] != number):
                self._damaged(f"page {number} has a next page that is not of its bucket")
            # On an empty page of 65,536 bytes the end is 65,536, which does not fit into 16 bits and is stored as 0.
            if entries % 2 or overhead + 2 * entries > (end or size & 1 << 16) or end > size:
                self._damaged(f"the items of page {number} overlap its header")
        for level, spare in enumerate(self._spares[: self._max_bucket.bit_length() + 1]):
            first, last = 1 << level >> 1, min(self._max_bucket, (1 << level) - 1)
            heads = pages[first + spare : last + spare + 1]
            if any(page[1] or (page[6] not in _HASH_PAGES and (page[6] != _FREE or page[0])) for page in heads):
                self._damaged("a bucket begins with a page of another kind")
        self._check_free_pages()

    def _check_free_pages(self) -> None:
        """Check the list of free pages: libdb takes new pages from it and writes to them unchecked."""
        seen = set()
        number = struct.unpack_from(f"{self._order}28xI", self.data)[0]
        while number:
            if number >= len(self._pages) or number in seen:
                self._damaged("its list of free pages is not valid")
            seen.add(number)
            pgno, _previous, following, _entries, _end, _level, kind = self._pages[number]
            if kind != _FREE or pgno != number:
                self._damaged(f"page {number} is listed as free but is not")
            number = following

    def _offsets(self, number: int) -> tuple[int, ...]:
        """Return the offsets of a page's items. The items fill the page from its end, so the offsets must decrease."""
        _pgno, _previous, _following, entries, end, _level, _kind = self._pages[number]
        offsets = self._unpackers[entries](self.data, number * self.page_size + self._overhead)
        if entries and (offsets[0] >= self.page_size or offsets[-1] != end or not all(map(gt, offsets, offsets[1:]))):
            self._damaged(f"the items of page {number} overlap")
        return offsets

    def _read_page(self, number: int, records: dict[bytes, bytes]) -> None:
        base = number * self.page_size
        page = self.data[base : base + self.page_size]
        offsets = self._offsets(number)
        end = self.page_size
        for key, value in zip(offsets[::2], offsets[1::2]):
            if page[key] == _KEYDATA and page[value] == _KEYDATA:
                records[page[key + 1 : end]] = page[value + 1 : key]
            else:
                records[self._item(page[key:end])] = self._item(page[value:key])
            end = value

    def _item(self, item: bytes) -> bytes:
        if item[0] == _KEYDATA:
            return item[1:]
        result = _overflow(self.data, self._order, self.page_size, self._overhead, item)
        if result is None:
            self._damaged(f"an item of type {item[0]} cannot be read")
        return result


def _hash(key: bytes) -> int:
    """Hash as libdb does since version 3 (__ham_func5 of hash_func.c)."""
    value = 0
    for byte in key:
        value = (value * 16777619 & 0xFFFFFFFF) ^ byte
    return value


def identity_of(found: os.stat_result) -> Identity:
    """Return the identity of a stat result."""
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def open_hash_file(path: str) -> HashFile | None:
    """Read the database at ``path``; None when there is no file.

    Raises DamagedStore, within a second, naming what is there if it is not such a database.
    """
    opened = _read(path, MAX_SIZE)
    return None if opened is None else HashFile(path, *opened)


def salvage(path: str) -> dict[bytes, bytes]:
    """Return every record of a damaged database that can still be read.

    Raises DamagedStore when there is no file, or it never was a hash database.
    """
    opened = _read(path, _SALVAGE_SIZE, salvaging=True)
    if opened is None:
        raise DamagedStore(path, "a database to salvage", found="nothing")
    data, _found = opened
    best: dict[bytes, bytes] = {}
    for order in "<>":
        for size in _PAGE_SIZES:
            for overhead in (_HEADER_SIZE, _CHECKSUM_HEADER_SIZE):
                records = dict(_salvage_records(data, order, size, overhead))
                if len(records) > len(best):
                    best = records
    return best


def _read(path: str, limit: int, salvaging: bool = False) -> tuple[mmap.mmap, os.stat_result] | None:
    """Return a copy of a regular file with the header of a hash database, None when there is no file."""
    try:
        _check_kind(path, os.lstat(path))
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(path, "read", error) from error
    try:
        found = os.fstat(fd)
        _check_kind(path, found)
        head = os.pread(fd, _META_SIZE, 0)
        if salvaging:
            _refuse_other_formats(path, head, found.st_size)
        else:
            _check_header(path, head, found.st_size)
            if found.st_size > limit:
                raise DamagedStore(path, f"a list of users, of at most {limit} bytes", found=f"{found.st_size} bytes")
        size = min(found.st_size, limit)
        return _load(path, fd, size), found
    except OSError as error:
        raise file_error(path, "read", error) from error
    finally:
        os.close(fd)


def _load(path: str, fd: int, size: int) -> mmap.mmap:
    """Copy a file into private memory; large pages make that three times as fast (measured)."""
    data = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):
        data.madvise(mmap.MADV_HUGEPAGE)
    with memoryview(data) as view:
        done = 0
        while done < size:
            with view[done:] as rest:
                count = os.preadv(fd, [rest], done)
            if not count:
                raise DamagedStore(
                    path, found="another program truncated it just now", remedy="stop that program and try again"
                )
            done += count
    return data


def _check_kind(path: str, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    if stat.S_ISLNK(found.st_mode):
        raise SecureFtpError(
            path,
            "a Berkeley DB hash file",
            found="a symbolic link",
            remedy=f"log-ins follow the link, changes cannot: name the real file, {os.path.realpath(path)}, in db= of"
            " the PAM service and in pam_userdb_db",
        )
    for test, kind, remedy in (
        (stat.S_ISDIR, "a directory", "name the file in it"),
        (stat.S_ISFIFO, "a named pipe", "remove it"),
        (stat.S_ISSOCK, "a socket", "remove it"),
    ):
        if test(found.st_mode):
            raise DamagedStore(path, "a Berkeley DB hash file", found=kind, remedy=remedy)
    raise DamagedStore(path, "a Berkeley DB hash file", found="a device", remedy="name a file")


def _raise_damaged(path: str, what: str) -> NoReturn:
    raise DamagedStore(
        path,
        found=f"the Berkeley DB file is damaged: {what}",
        remedy="restore a backup, or let ftp_users keep what is readable with salvage: true",
    )


def _magic(head: bytes, offset: int) -> tuple[int, int]:
    if len(head) < offset + 4:
        return 0, 0
    return struct.unpack_from("<I", head, offset)[0], struct.unpack_from(">I", head, offset)[0]


def _refuse_other_formats(path: str, head: bytes, size: int) -> None:
    """Refuse a file that never was a Berkeley DB hash file; accept one that may be damaged."""

    def refuse(kind: str, remedy: str = "name another file or move this one away") -> NoReturn:
        raise DamagedStore(path, "a Berkeley DB hash file", found=kind, remedy=remedy)

    if size == 0:
        refuse("an empty file", "remove it, a new database will be created")
    if head.startswith(b"SQLite format 3\0"):
        refuse("an SQLite database")
    if _GDBM_MAGIC.intersection(_magic(head, 0)):
        refuse("a GDBM database", "convert it with 'gdbm_dump' and 'db_load'")
    if _HASH_MAGIC in _magic(head, 0):
        refuse("a Berkeley DB 1.85 database", "convert it with 'db_dump185' and 'db_load'")
    for magic, kind in _OTHER_MAGIC.items():
        if magic in _magic(head, 12):
            refuse(f"a Berkeley DB {kind} database", "convert it with 'db_dump' and 'db_load -T -t hash'")
    if all(byte in b"\t\n\r" or byte >= 0x20 for byte in head):
        try:
            head[:-3].decode("utf-8", "strict" if len(head) < 4 else "ignore")
            text = head.isascii() or head.decode("utf-8", "ignore").isprintable()
        except UnicodeDecodeError:
            text = False
        if text:
            refuse("a text file", "make the database with ftp_users or 'db_load -T -t hash'")


def _check_header(path: str, head: bytes, size: int) -> tuple[str, int, int]:
    """Check the metadata page; return byte order, page size and size of a page header."""
    _refuse_other_formats(path, head, size)
    little, big = _magic(head, 12)
    if _HASH_MAGIC not in (little, big):
        said = "unknown content" + (" (only zero bytes)" if not any(head) else "")
        remedy = "move it away, or if it is a damaged database let ftp_users keep what is readable with salvage: true"
        raise DamagedStore(path, "a Berkeley DB hash file", found=said, remedy=remedy)
    if len(head) < _META_SIZE:
        _raise_damaged(path, f"truncated to {size} bytes")
    order = "<" if little == _HASH_MAGIC else ">"
    page_number, version, page_size = struct.unpack_from(f"{order}8xI4xII", head)
    encryption, kind, flags = head[24], head[25], head[26]
    last_page, partitions, method_flags = struct.unpack_from(f"{order}32xII8xI", head)
    if not _MIN_VERSION <= version <= _MAX_VERSION:
        raise DamagedStore(
            path,
            f"Berkeley DB hash version {_MIN_VERSION} to {_MAX_VERSION}",
            found=f"{version}, which pam_userdb (libdb 5.3) cannot read",
            remedy="dump it with the db_dump that made it and load it with db_load",
        )
    if page_size not in _PAGE_SIZES or kind != _HASH_META or page_number != 0:
        _raise_damaged(path, "its first page is not valid")
    if encryption:
        raise DamagedStore(
            path, found="the database is encrypted, which pam_userdb cannot read", remedy="dump and load it plain"
        )
    if method_flags & _SUBDATABASE_OR_DUPLICATES or partitions:
        raise DamagedStore(
            path,
            found="the database is partitioned or allows duplicate keys, which pam_userdb cannot use",
            remedy="dump it with db_dump and load it with 'db_load -T -t hash'",
        )
    expected = (last_page + 1) * page_size
    if size < expected:
        _raise_damaged(path, f"truncated, {size} bytes instead of {expected}")
    if size > expected:
        _raise_damaged(path, f"{size} bytes long instead of {expected}")
    max_bucket, high_mask, low_mask = struct.unpack_from(f"{order}72xIII", head)
    spares = struct.unpack_from(f"{order}96x32I", head)
    if high_mask != low_mask * 2 + 1 or low_mask & high_mask != low_mask or not low_mask <= max_bucket <= high_mask:
        _raise_damaged(path, "its bucket masks are not valid")
    for level in range(max_bucket.bit_length() + 1):
        last_bucket = min(max_bucket, (1 << level) - 1)
        if last_bucket + spares[level] > last_page:
            _raise_damaged(path, "its buckets are beyond its last page")
    return order, page_size, _CHECKSUM_HEADER_SIZE if flags & _CHECKSUM else _HEADER_SIZE


def _overflow(data: mmap.mmap, order: str, size: int, overhead: int, item: bytes) -> bytes | None:
    """Read an item that is stored on overflow pages; None when it cannot be read."""
    if item[0] != _OFFPAGE or len(item) != 12:
        return None
    number, length = struct.unpack_from(f"{order}4xII", item)
    if length > len(data):
        return None
    parts: list[bytes] = []
    while length:
        base = number * size
        if not number or base + size > len(data):
            return None
        _pgno, _previous, number, _entries, used, _level, kind = struct.unpack_from(f"{order}{_HEADER}", data, base)
        if kind != _OVERFLOW or not 0 < used <= min(length, size - overhead):
            return None
        parts.append(data[base + overhead : base + overhead + used])
        length -= used
    return b"".join(parts)


def _salvage_records(data: mmap.mmap, order: str, size: int, overhead: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield each pair of items that looks complete, even if the rest of its page is damaged."""

    def item(start: int, end: int, page: bytes) -> bytes | None:
        if not overhead <= start < end <= size:
            return None
        return (
            page[start + 1 : end]
            if page[start] == _KEYDATA
            else _overflow(data, order, size, overhead, page[start:end])
        )

    for base in range(0, len(data) - _HEADER_SIZE, size):
        page = data[base : base + size].ljust(size, b"\0")
        number, _previous, _following, entries, _offset, _level, kind = struct.unpack_from(f"{order}{_HEADER}", page)
        if kind not in _HASH_PAGES or number != base // size:
            continue
        entries = min(entries, (size - overhead) // 2)
        offsets = (size, *struct.unpack_from(f"{order}{entries}H", page, overhead))
        for index in range(1, entries, 2):
            key = item(offsets[index], offsets[index - 1], page)
            value = item(offsets[index + 1], offsets[index], page)
            if key and value is not None:
                yield key, value
