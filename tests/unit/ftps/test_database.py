# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user store, on real files, against db_load, db_dump, db_verify, Perl's DB_File and hostile content."""

from __future__ import annotations

import errno
import fcntl
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable

import pytest
from conftest import HASH, dump, load, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database as userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import hashfile

OLD = {f"user{number}": f"{HASH}{number}" for number in range(200)}
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=300)


def text(path: Path) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in userdb.read(str(path)).all().items()}


def put(path: Path, **changes: str | None) -> int:
    return len(
        userdb.update(
            str(path), lambda _view: {key.encode(): value.encode() if value else None for key, value in changes.items()}
        )
    )


def litter(path: Path) -> list[str]:
    return sorted(set(os.listdir(path.parent)) - {path.name, path.name + ".lock"})


# What others write and read


def test_a_new_database_is_private_and_readable_by_the_peers(db: Path) -> None:
    assert put(db, batman=HASH, robin="x") == 2
    assert dump(db) == {"batman": HASH, "robin": "x"}
    assert stat.S_IMODE(db.stat().st_mode) == 0o600 and litter(db) == []


def test_keys_and_values_are_exact_bytes(db: Path) -> None:
    put(db, robin="value")
    output = subprocess.run(["db_dump", str(db)], capture_output=True, text=True, check=True).stdout
    assert " 726f62696e\n 76616c7565\n" in output


def test_only_the_differences_are_written(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    before = written(db)
    assert put(db, user1=OLD["user1"], nobody=None) == 0
    assert written(db) == before and not Path(f"{db}.lock").exists()
    assert put(db, user1="new", user2=None, user3=OLD["user3"], other="o") == 3
    expected = {**OLD, "user1": "new", "other": "o"}
    del expected["user2"]
    assert dump(db) == expected == text(db)


def test_owner_and_mode_stay(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    db.chmod(0o640)
    os.chown(db, 12, 34)
    put(db, robin="x")
    found = db.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 12, 34)


def test_a_reader_keeps_the_version_it_opened(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    with db.open("rb") as reader:
        before = db.read_bytes()
        put(db, robin="x")
        assert reader.read() == before


def test_check_mode_writes_nothing_and_needs_no_directory(tmp_path: Path) -> None:
    path = str(tmp_path / "none" / "users.db")
    assert userdb.update(path, lambda _view: {b"robin": b"x"}, check_mode=True) == {b"robin": b"x"}
    assert os.listdir(tmp_path) == []


def test_perl_reads_ours_and_we_read_and_update_perls(tmp_path: Path) -> None:
    ours, perls = tmp_path / "ours.db", tmp_path / "perls.db"
    put(ours, robin=HASH)
    script = 'use DB_File; tie %h,"DB_File",$ARGV[0],O_RDWR|O_CREAT,0600,$DB_HASH or die; '
    shown = subprocess.run(
        ["perl", "-e", script + 'print "$_=$h{$_}\n" for keys %h', str(ours)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"robin={HASH}\n"
    subprocess.run(["perl", "-e", script + '$h{"user$_"}="v" x $_ for 1..3000', str(perls)], check=True)
    expected = {f"user{number}": "v" * number for number in range(1, 3001)}
    assert text(perls) == expected
    put(perls, user7="new", user2999=None)
    expected["user7"] = "new"
    del expected["user2999"]
    assert dump(perls) == expected


@pytest.mark.parametrize("options", [("-c", "db_lorder=4321"), ("-c", "chksum=1"), ("-c", "db_pagesize=512")])
def test_databases_of_every_shape_are_read_and_updated(loaded: Callable[..., Path], options: tuple[str, ...]) -> None:
    records = {**OLD, "long": "x" * 100000}
    db = loaded(records, *options)
    assert text(db) == records
    put(db, user1="new", long="y" * 70000)
    assert dump(db) == {**records, "user1": "new", "long": "y" * 70000}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.dictionaries(TEXT, TEXT, max_size=60), new=st.dictionaries(TEXT, st.none() | TEXT, max_size=60))
def test_any_change_of_any_content_agrees_with_the_peers(
    tmp_path: Path, old: dict[str, str], new: dict[str, str | None]
) -> None:
    db = tmp_path / "users.db"
    with suppress(FileNotFoundError):
        db.unlink()
    load(db, old)
    assert text(db) == old
    put(db, **new)
    expected = {key: value for key, value in {**old, **new}.items() if value is not None}
    assert dump(db) == expected == text(db)
    for key, value in expected.items():
        assert userdb.read(str(db)).select([key.encode()]) == {key.encode(): value.encode()}


@pytest.mark.parametrize("count", [0, 1, 2, 31, 1000, 5000, 20000])
def test_every_size_is_read_whole(db: Path, count: int) -> None:
    records = {f"user{number}".encode(): HASH.encode() for number in range(count)}
    userdb.update(str(db), lambda _view: {**records, b"x": b"y"})
    userdb.update(str(db), lambda _view: {b"x": None})
    assert userdb.read(str(db)).all() == records
    assert load(db.with_name("peer.db"), {k.decode(): v.decode() for k, v in records.items()}).exists()
    assert userdb.read(str(db.with_name("peer.db"))).all() == records


# What is not a database


def noise(size: int) -> bytes:
    return random.Random(1).getrandbits(8 * size).to_bytes(size, "little")


def _btree(path: Path) -> None:
    subprocess.run(["db_load", "-T", "-t", "btree", str(path)], input="a\nb\n", text=True, check=True)


def _version(path: Path, version: int) -> None:
    load(path, OLD)
    with path.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<I", version))


def _sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table a (b)")
    connection.commit()
    connection.close()


def _truncated(path: Path, size: int) -> None:
    load(path, OLD)
    os.truncate(path, size)


def _symlink(path: Path) -> None:
    load(path.with_name("real.db"), OLD)
    path.symlink_to("real.db")


def _sparse(path: Path, whole: bool) -> None:
    if whole:
        load(path, OLD)
    else:
        path.touch()
    os.truncate(path, 10 << 30)


def _encrypted(path: Path) -> None:
    load(path, OLD)
    with path.open("r+b") as file:
        file.seek(24)
        file.write(b"\1")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory": (lambda path: path.mkdir(), "found a directory"),
    "fifo": (os.mkfifo, "found a named pipe"),
    "symlink": (_symlink, "found a symbolic link"),
    "dangling symlink": (lambda path: path.symlink_to("none"), "found a symbolic link"),
    "device": (lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)), "found a device"),
    "empty": (lambda path: path.touch(), "found an empty file"),
    "one byte": (lambda path: path.write_bytes(b"\1"), "unknown content"),
    "truncated header": (lambda path: _truncated(path, 100), "truncated to 100 bytes"),
    "truncated": (lambda path: _truncated(path, 8192 + 100), "truncated, 8292 bytes instead"),
    "btree": (_btree, "Berkeley DB btree"),
    "hash version 10": (lambda path: _version(path, 10), "hash version 7 to 9, found 10"),
    "hash version 6": (lambda path: _version(path, 6), "hash version 7 to 9, found 6"),
    "gdbm": (lambda path: path.write_bytes(struct.pack("<I", 0x13579ACF) + bytes(5000)), "GDBM"),
    "hash 1.85": (lambda path: path.write_bytes(struct.pack(">I", 0x061561) + bytes(5000)), "1.85"),
    "sqlite": (_sqlite, "SQLite"),
    "random": (lambda path: path.write_bytes(noise(100000)), "unknown content"),
    "zeros": (lambda path: path.write_bytes(bytes(65536)), "only zero bytes"),
    "text": (lambda path: path.write_text("batman\nsecret\n" * 100), "found a text file"),
    "encrypted": (_encrypted, "encrypted"),
    "10 GB sparse": (lambda path: _sparse(path, whole=False), "only zero bytes"),
    "10 GB sparse behind a database": (lambda path: _sparse(path, whole=True), "bytes long instead of"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_have_their_own_error_at_once_and_stay(db: Path, kind: str) -> None:
    make, message = HOSTILE[kind]
    make(db)
    before = db.lstat()
    started = time.monotonic()
    with pytest.raises(SecureFtpError, match=message) as caught:
        put(db, robin="x")
    assert time.monotonic() - started < 1
    assert str(db) in str(caught.value)
    after = db.lstat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


def test_every_hostile_file_has_a_different_error(tmp_path: Path) -> None:
    assert len({message for _make, message in HOSTILE.values()}) >= len(HOSTILE) - 4


@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=5000), st.booleans())
def test_the_opener_survives_any_bytes(tmp_path: Path, content: bytes, with_magic: bool) -> None:
    path = tmp_path / "fuzz.db"
    path.write_bytes(
        content[:12] + struct.pack("<III", 0x061561, 9, 512) + b"\0\x08" + content[26:] if with_magic else content
    )
    with suppress(SecureFtpError):
        userdb.read(str(path)).all()
    with suppress(SecureFtpError):
        hashfile.salvage(str(path))


@settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
def test_a_damaged_database_is_refused_read_or_written_but_never_a_crash(
    tmp_path: Path, damage: list[tuple[int, int]], header: bool
) -> None:
    path, sound = tmp_path / "fuzz.db", tmp_path / "sound.db"
    if not sound.exists():
        load(sound, {**OLD, "long": "x" * 20000})
    content = bytearray(sound.read_bytes())
    for position, value in damage:
        content[position % (512 if header else len(content))] = value
    path.write_bytes(content)
    with suppress(SecureFtpError):
        userdb.read(str(path)).all()
    with suppress(SecureFtpError):
        put(path, user5="new", user6=None, other="x")
    assert litter(path) in (["sound.db"], ["sound.db", "sound.db.lock"])


def test_page_links_in_a_circle_are_refused(loaded: Callable[..., Path]) -> None:
    db = loaded({f"user{number}": HASH for number in range(2000)})
    content = bytearray(db.read_bytes())
    size = struct.unpack_from("<I", content, 20)[0]
    linked = [base for base in range(size, len(content), size) if struct.unpack_from("<I", content, base + 16)[0]]
    struct.pack_into("<I", content, linked[0] + 16, linked[0] // size)
    db.write_bytes(content)
    with pytest.raises(SecureFtpError, match="salvage: true"):
        put(db, robin="x")


# Salvage


def test_a_sound_database_is_not_salvaged(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    before = written(db)
    assert userdb.salvage_database(str(db)) == (200, None)
    assert written(db) == before


@pytest.mark.parametrize("damage", ["first page", "one page", "truncated", "all pages"])
def test_what_is_readable_is_salvaged_and_the_damaged_file_kept(loaded: Callable[..., Path], damage: str) -> None:
    records = {f"user{number}": HASH for number in range(2000)}
    db = loaded(records)
    db.chmod(0o640)
    content = bytearray(db.read_bytes())
    size = struct.unpack_from("<I", content, 20)[0]
    pages = [base for base in range(size, len(content), size) if content[base + 25] in (2, 13)]
    if damage == "first page":
        content[:size] = bytes(size)
    elif damage == "one page":
        content[pages[3] : pages[3] + size] = noise(size)
    elif damage == "truncated":
        del content[len(content) // 2 :]
    else:
        for base in pages:
            struct.pack_into("<H", content, base + 28, 0xFFFF)
    db.write_bytes(content)
    with pytest.raises(SecureFtpError):
        userdb.read(str(db)).all()
    predicted, _kept = userdb.salvage_database(str(db), check_mode=True)
    count, kept = userdb.salvage_database(str(db))
    assert count == predicted and kept is not None
    assert Path(kept).read_bytes() == content
    found = dump(db)
    assert len(found) == count and found.items() <= records.items()
    least = {"first page": 2000, "one page": 1900, "truncated": 800, "all pages": 1500}[damage]
    assert count >= least
    assert stat.S_IMODE(db.stat().st_mode) == 0o640


def test_what_never_was_a_database_is_not_salvaged(db: Path) -> None:
    _sqlite(db)
    with pytest.raises(SecureFtpError, match="SQLite"):
        userdb.salvage_database(str(db))


# Locks, failures, kills, races


def test_a_live_holder_is_waited_for_and_named(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    with open(f"{db}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        started = time.monotonic()
        with pytest.raises(SecureFtpError, match=rf"process {os.getpid()} \(.*0.3 seconds"):
            userdb.update(str(db), lambda _view: {b"robin": b"x"}, lock_timeout=0.3)
        assert 0.3 <= time.monotonic() - started < 2
    assert "robin" not in text(db)


def test_a_dead_holder_does_not_block(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    script = (
        "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        " f.write('999999'); f.flush(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, f"{db}.lock"], check=False)
    assert Path(f"{db}.lock").read_text() == "999999"
    started = time.monotonic()
    assert put(db, robin="x") == 1
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("call", ["fsync", "rename", "write", "fchmod"])
@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EROFS, "read-only"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "input/output error"),
    ],
)
def test_a_failing_system_call_leaves_the_old_database(
    loaded: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, call: str, number: int, meaning: str
) -> None:
    db = loaded(OLD)
    before = db.read_bytes()

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(SecureFtpError, match=meaning):
            put(db, robin="x")
    assert db.read_bytes() == before and litter(db) == []
    assert put(db, robin="x") == 1


def test_a_full_file_system_leaves_the_old_database(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        db = mount / "users.db"
        load(db, {f"user{number}": HASH for number in range(300)})
        before = db.read_bytes()
        many = {f"new{number}": HASH for number in range(2000)}
        with pytest.raises(SecureFtpError, match="no space left"):
            put(db, **many)
        assert db.read_bytes() == before and litter(db) == []
        with pytest.raises(SecureFtpError, match="no space left"):
            put(mount / "other.db", **many)
        assert litter(db) == ["other.db.lock"]
        subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
        with pytest.raises(SecureFtpError, match="read-only"):
            put(db, robin="x")
        assert db.read_bytes() == before
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def _writer(path: str, names: list[str]) -> None:
    for name in names:
        userdb.update(path, lambda _view, name=name: {name.encode(): HASH.encode()})


def test_racing_writers_lose_nobody(db: Path) -> None:
    sets = [[f"w{writer}-{number}" for number in range(10)] for writer in range(8)]
    processes = [multiprocessing.Process(target=_writer, args=(str(db), names)) for names in sets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert set(dump(db)) == {name for names in sets for name in names} and litter(db) == []


def test_a_write_without_our_lock_is_noticed(loaded: Callable[..., Path]) -> None:
    db = loaded({"robin": "old"})
    calls = []

    def decide(_view: userdb.View) -> dict[bytes, bytes]:
        calls.append(1)
        if len(calls) == 1:
            other = load(db.with_name("other.db"), {"robin": "old", "batman": "other"})
            os.rename(other, db)
        return {b"joker": b"x"}

    userdb.update(str(db), decide)
    assert dump(db) == {"robin": "old", "batman": "other", "joker": "x"} and len(calls) == 2


def test_a_write_without_our_lock_is_noticed_up_to_the_last_moment(
    loaded: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = loaded({"robin": "old"})
    fsync, calls = os.fsync, []

    def swap(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            os.rename(load(db.with_name("other.db"), {"robin": "old", "batman": "other"}), db)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", swap)
    assert put(db, joker="x") == 1
    assert dump(db) == {"robin": "old", "batman": "other", "joker": "x"} and litter(db) == []


def test_killed_writers_leave_the_old_or_the_new_set(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    db.chmod(0o640)
    new = {f"user{number}": "new" for number in range(200)}
    rng, outcomes = random.Random(7), set()
    for turn in range(600):
        if turn >= 60 and len(outcomes) == 2:
            break
        state = text(db)
        target = new if state == OLD else OLD
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                put(db, **target)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.02 * (1 + turn // 60)))  # longer when no writer came to its end so far
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        after = text(db)
        assert after in (state, target)
        outcomes.add(after == target)
        assert stat.S_IMODE(db.stat().st_mode) == 0o640
    assert outcomes == {True, False}
    put(db, last="x")
    assert litter(db) == []
    assert "last" in dump(db)


def test_litter_of_others_is_left_alone(loaded: Callable[..., Path]) -> None:
    db = loaded(OLD)
    stale = db.with_name(".users.db.0123456789ab.tmp")
    stale.write_text("x")
    (db.with_name(".users.db.note.tmp")).mkdir()
    put(db, robin="x")
    assert litter(db) == [".users.db.note.tmp"]


# Paths and bindings


@pytest.mark.parametrize(("given_path", "file"), [("/a/users", "/a/users.db"), ("/a/users.db", "/a/users.db")])
def test_the_suffix_may_be_left_out(given_path: str, file: str) -> None:
    assert userdb.database_path(given_path) == file


@pytest.mark.parametrize("path", ["users", "", "/a/", "/a\0b"])
def test_paths_that_are_no_file_are_refused(path: str) -> None:
    with pytest.raises(SecureFtpError, match="absolute path of a file"):
        userdb.database_path(path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecureFtpError, match="directory does not exist"):
        put(tmp_path / "none" / "users.db", robin="x")


def test_a_missing_binding_is_one_error_that_names_the_package(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(db, OLD)
    for name in ("berkeleydb", "berkeleydb.db", "bsddb3", "bsddb3.db"):
        monkeypatch.setitem(sys.modules, name, None)
    assert text(db) == OLD
    with pytest.raises(SecureFtpError, match="package python3-bsddb3"):
        put(db, robin="x")
    assert litter(db) == []


def test_a_binding_whose_files_pam_cannot_read_is_refused(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("berkeleydb.db"), "version", lambda: (18, 1, 40))
    with pytest.raises(SecureFtpError, match="libdb 18.1"):
        put(db, robin="x")
    assert not db.exists()


def test_a_copy_elsewhere_is_the_same_database(loaded: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copy(loaded(OLD), tmp_path / "copy.db")
    assert text(tmp_path / "copy.db") == OLD
