"""Whatever lies where the database should be: its own clear error within a second, and it stays as it is."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import random
import sqlite3
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_tools import PASSWORD_HASH, Child, contents, numbered_users, run_module, write

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database as _userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import validate_user_name
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    hash_password,
    validate_hash,
    validate_password,
    verify,
)

DAMAGED = int(os.environ.get("SECURE_FTP_DAMAGED", "500"))
"""Damaged databases given to reader, writer and salvager."""


def sound(path: Path) -> bytearray:
    other = path.with_name("other.db")
    write(other, numbered_users(0, 500))
    content = bytearray(other.read_bytes())
    for file in (other, other.with_name("other.db.lock")):
        file.unlink()
    return content


def truncated(path: Path) -> None:
    content = sound(path)
    path.write_bytes(content[: len(content) * 2 // 3])


def version_10(path: Path) -> None:
    content = sound(path)
    struct.pack_into("<I", content, 16, 10)
    path.write_bytes(content)


def btree(path: Path) -> None:
    subprocess.run(["db_load", "-T", "-t", "btree", str(path)], input=b"batman\nx\n", check=True)


def sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table users (name, password)")
        database.commit()


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


def sparse_with_header(path: Path) -> None:
    path.write_bytes(sound(path))
    os.truncate(path, 10 << 30)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncated, "truncated"),
    "random bytes": (lambda path: path.write_bytes(random.Random(5).randbytes(100_000)), "unknown content"),
    "btree": (btree, "btree"),
    "hash version 10": (version_10, "version"),
    "gdbm": (lambda path: path.write_bytes(struct.pack("<I", 0x13579ACE) + bytes(20_000)), "GDBM"),
    "sqlite": (sqlite, "SQLite"),
    "empty": (lambda path: path.touch(), "empty file"),
    "directory": (lambda path: path.mkdir(), "directory"),
    "fifo": (os.mkfifo, "named pipe"),
    "symlink": (lambda path: path.symlink_to("elsewhere.db"), "symbolic link"),
    "10 GB sparse": (sparse, "only zero bytes"),
    "10 GB behind a header": (sparse_with_header, "bytes long instead of"),
    "text": (lambda path: path.write_text("batman\nsecret\n"), "text file"),
}


def fingerprint(path: Path) -> tuple:
    found = os.lstat(path)
    small = os.path.isfile(path) and found.st_size < 1 << 24
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if small else None
    return (found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, digest)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_named_in_a_second_and_untouched(
    tmp_path: Path, kind: str, figure: Callable[[str], None]
) -> None:
    database = tmp_path / "users.db"
    make, words = HOSTILE[kind]
    make(database)
    before, names = fingerprint(database), os.listdir(tmp_path)
    slowest = 0.0
    user = {"name": "batman", "password_hash": PASSWORD_HASH}
    options = {"db": str(database), "create_home": False}
    for module, parameters in (
        ("ftp_user_info", {"db": str(database)}),
        ("ftp_user", {**user, **options}),
        ("ftp_users", {"users": [user], "purge": True, **options}),
        ("ftp_users", {"users": [user], "_ansible_check_mode": True, **options}),
    ):
        started = time.monotonic()
        result = Child(lambda module=module, parameters=parameters: run_module(module, **parameters)).result(timeout=10)
        slowest = max(slowest, time.monotonic() - started)
        assert slowest < 1
        assert result.get("failed") and words in result["msg"] and str(database) in result["msg"], result
        assert "Traceback" not in str(result)
    assert fingerprint(database) == before and os.listdir(tmp_path) == names
    figure(f"hostile: {kind} refused after at most {slowest * 1000:.0f} ms")


def test_every_kind_has_its_own_words() -> None:
    words = [expected for _make, expected in HOSTILE.values()]
    assert len(set(words)) == len(words)


def varied(path: Path) -> bytearray:
    """A sound database with values on overflow pages and with free pages."""
    other = path.with_name("other.db")
    write(other, {**numbered_users(0, 700), **{b"long%d" % number: b"x" * 700 * number for number in range(20)}})
    write(other, dict.fromkeys([*numbered_users(500, 700), *(b"long%d" % number for number in range(0, 20, 3))]))
    content = bytearray(other.read_bytes())
    for file in (other, other.with_name("other.db.lock")):
        file.unlink()
    return content


def damage(content: bytearray, chance: random.Random) -> None:
    """Change a few bytes, sometimes those that hold the structure together, sometimes whole pages."""
    size, pages = 4096, len(content) // 4096
    for _turn in range(chance.choice((1, 1, 2, 5))):
        page = chance.randrange(pages) * size
        kind = chance.randrange(6)
        if kind == 0:
            content[chance.randrange(len(content))] = chance.randrange(256)
        elif kind == 1:
            struct.pack_into("<I", content, page + chance.choice((8, 12, 16)), chance.randrange(pages + 2))
        elif kind == 2:
            struct.pack_into("<H", content, page + chance.choice((20, 22)), chance.randrange(70) * 2)
        elif kind == 3:
            struct.pack_into("<H", content, page + 26 + 2 * chance.randrange(60), chance.randrange(5000))
        elif kind == 4:
            other = chance.randrange(pages) * size
            content[page : page + size] = content[other : other + size]
        else:
            struct.pack_into("<I", content, 4 * chance.randrange(6, 60), chance.choice((0, 1, 5, 1 << 31, pages)))


def use_damaged(database: Path, content: bytes, number: int) -> list[str]:
    """Read, write (few and many) and salvage a damaged database; what was not refused."""
    done = []
    for name, work in (
        ("read", lambda: _userdb.read(str(database)).all()),
        ("few", lambda: write(database, {b"user%06d" % (number % 500): b"$1$x", b"new%d" % number: b"$1$y" * 20})),
        ("many", lambda: write(database, numbered_users(300, 900, number))),
        ("remove", lambda: write(database, {**dict.fromkeys(numbered_users(0, 400)), b"long7": None, b"long19": b"x"})),
        ("salvage", lambda: _userdb.salvage_database(str(database))),
    ):
        database.write_bytes(content)
        try:
            work()
            done.append(name)
        except SecureFtpError as error:
            assert str(database) in str(error)
            assert database.read_bytes() == content, f"{name} refused and changed it"
    return done


def use_each_damaged(database: Path, batch: list[tuple[bytes, int]]) -> list[list[str]]:
    return [use_damaged(database, content, number) for content, number in batch]


def test_damaged_databases_neither_crash_nor_hang_anything(memory: Path, figure: Callable[[str], None]) -> None:
    database = memory / "users.db"
    original = bytes(varied(database))
    chance, accepted = random.Random(6), 0
    for first in range(0, DAMAGED, 25):
        batch = []
        for number in range(first, first + 25):
            content = bytearray(original)
            damage(content, chance)
            batch.append((bytes(content), number))
        work = functools.partial(use_each_damaged, database, batch)
        accepted += sum(bool(done) for done in Child(work).result(timeout=60))
        for file in memory.glob("*.damaged-*"):
            file.unlink()
    figure(f"damaged: {DAMAGED} databases read, changed, salvaged; {accepted} good for some of it, no crash or hang")
    assert accepted >= DAMAGED // 20


@pytest.mark.parametrize("lost", ["a page", "the header", "the end", "every 7th page's type"])
def test_what_is_readable_of_a_damaged_database_is_salvaged_by_ftp_users(tmp_path: Path, lost: str) -> None:
    database = tmp_path / "users.db"
    content = sound(database)
    if lost == "a page":
        content[8192:12288] = random.Random(7).randbytes(4096)
    elif lost == "the header":
        content[:4096] = bytes(4096)
    elif lost == "the end":
        del content[len(content) * 3 // 4 :]
    else:
        for page in range(7, len(content) // 4096, 7):
            content[page * 4096 + 25] = 99
    database.write_bytes(content)
    options = {"db": str(database), "create_home": False, "users": [{"name": "batman", "password_hash": PASSWORD_HASH}]}
    refused = run_module("ftp_users", **options)
    assert refused["failed"] and "salvage: true" in refused["msg"], refused
    assert database.read_bytes() == content
    result = run_module("ftp_users", salvage=True, **options)
    kept = result["salvaged"]["kept"]
    assert Path(kept).read_bytes() == content
    found = contents(database)
    assert found.pop(b"batman") == PASSWORD_HASH.encode()
    assert found.items() <= numbered_users(0, 500).items(), "an invented record"
    assert len(found) == result["salvaged"]["records"] >= 300


with tempfile.TemporaryDirectory() as _folder:
    SOUND_HEADER = bytes(sound(Path(_folder, "users.db"))[:512])

ANYTHING = st.one_of(
    st.text(),
    st.text(alphabet="ab0._-/~$ :\n\0é", min_size=1, max_size=40),
    st.binary(),
    st.integers(),
    st.none(),
    st.floats(),
    st.booleans(),
    st.lists(st.text()),
    st.just("a" * 10**6),
)


@settings(max_examples=400, deadline=None)
@given(ANYTHING)
def test_name_validator(value: object) -> None:
    try:
        name = validate_user_name(value)
    except SecureFtpError as error:
        assert len(str(error)) < 1000
        return
    assert isinstance(name, str) and 1 <= len(name) <= 32 and name.isascii()
    assert not set(name) & set("/\0\n\r\t :") and name not in (".", "..") and not name.startswith("-")


@settings(max_examples=400, deadline=None)
@given(ANYTHING)
def test_password_validators(value: object) -> None:
    for validate in (functools.partial(validate_password, min_length=1), validate_hash):
        try:
            validate(value, "batman")
        except SecureFtpError as error:
            assert len(str(error)) < 1000
            if isinstance(value, str) and len(value) > 8:
                assert value not in str(error), "the secret is in the message"
            continue
        assert isinstance(value, str) and "\0" not in value and "\n" not in value


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_every_valid_password_verifies_against_its_hash_alone(password: str) -> None:
    try:
        validate_password(password, "batman")
    except SecureFtpError:
        return
    stored = hash_password(password, 1000)
    validate_hash(stored, "batman")
    assert verify(password, stored) and not verify(password + "x", stored)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(["", "header", "magic"]))
def test_the_opener_survives_any_bytes(content: bytes, beginning: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "users.db")
        if beginning == "magic":
            content = content[:12].ljust(12, b"\0") + struct.pack("<II", 0x061561, 9) + content[12:]
        elif beginning == "header":
            content = SOUND_HEADER + content
        path.write_bytes(content)
        with contextlib.suppress(SecureFtpError):
            _userdb.read(str(path)).all()
