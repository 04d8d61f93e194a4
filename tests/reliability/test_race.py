"""Many writers at once: nobody's users are lost, and the lock neither sticks nor waits for ever."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest
from store_tools import (
    PASSWORD_HASH,
    Child,
    contents,
    fake_hash,
    litter,
    numbered_users,
    run_module,
    run_module_file,
    write,
)

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

EACH = 50


def by_library(database: Path, writer: int) -> None:
    for number in range(EACH):
        write(database, {b"w%02d-%02d" % (writer, number): fake_hash(number)})


def by_ftp_user(database: Path, writer: int) -> None:
    for number in range(EACH):
        result = run_module(
            "ftp_user",
            name=f"w{writer:02d}-{number:02d}",
            password_hash=PASSWORD_HASH,
            db=str(database),
            create_home=False,
        )
        assert result.get("changed") is True, result


def by_ftp_users(database: Path, writer: int) -> None:
    for first in range(0, EACH, 10):
        users = [
            {"name": f"w{writer:02d}-{number:02d}", "password_hash": PASSWORD_HASH}
            for number in range(first, first + 10)
        ]
        result = run_module("ftp_users", users=users, db=str(database), create_home=False)
        assert len(result.get("added", ())) == 10, result


def by_program(database: Path, writer: int) -> None:
    for number in range(EACH):
        name = f"w{writer:02d}-{number:02d}"
        result = run_module_file(
            "ftp_user", name=name, password_hash=PASSWORD_HASH, db=str(database), create_home=False
        )
        assert result.get("changed") is True, result


def test_16_writers_of_50_users_each_lose_none(memory: Path, figure: Callable[[str], None]) -> None:
    database = memory / "users.db"
    writers = [by_library] * 8 + [by_ftp_user] * 4 + [by_ftp_users] * 3 + [by_program]
    children = [Child(lambda work=work, number=number: work(database, number)) for number, work in enumerate(writers)]
    for child in children:
        child.result()
    expected = {b"w%02d-%02d" % (writer, number) for writer in range(len(writers)) for number in range(EACH)}
    assert len(expected) == 800
    assert contents(database).keys() == expected
    assert not litter(database)
    figure(f"raced: {len(writers)} writers of {EACH} users each: {len(expected)} users present")


def test_writers_of_the_same_user_the_last_one_wins(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    write(database, numbered_users(0, 200))
    count = 20

    def work(writer: int) -> None:
        for number in range(count):
            write(database, {b"batman": b"$1$%d-%d" % (writer, number)})

    children = [Child(lambda writer=writer: work(writer)) for writer in range(16)]
    for child in children:
        child.result()
    found = contents(database)
    assert found.pop(b"batman") in {b"$1$%d-%d" % (writer, count - 1) for writer in range(16)}
    assert found == numbered_users(0, 200)


def test_adding_and_removing_the_same_users_leaves_a_sound_file(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    write(database, numbered_users(0, 200))

    def work(writer: int) -> None:
        for number in range(20):
            some = numbered_users(200, 260, number)
            write(database, some if (writer + number) % 2 else dict.fromkeys(some))

    children = [Child(lambda writer=writer: work(writer)) for writer in range(8)]
    for child in children:
        child.result()
    found = contents(database)
    assert numbered_users(0, 200).items() <= found.items()
    assert len(found) in (200, 260), "a bulk write was split"


def hold_lock(database: Path) -> subprocess.Popen[str]:
    """Another program that holds the lock, started and ready."""
    code = (
        "import fcntl, os, sys, time\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "os.ftruncate(fd, 0)\n"
        "os.pwrite(fd, b'%d\\n' % os.getpid(), 0)\n"
        "print('held', flush=True)\n"
        "time.sleep(120)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, f"{database}.lock"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_lock_holder_blocks_nobody(tmp_path: Path, signal_number: int) -> None:
    database = tmp_path / "users.db"
    holder = hold_lock(database)
    holder.send_signal(signal_number)
    holder.wait()
    started = time.monotonic()
    write(database, numbered_users(0, 10))
    assert time.monotonic() - started < 2
    assert contents(database) == numbered_users(0, 10)


def test_a_live_lock_holder_is_waited_for_with_a_bound(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    write(database, numbered_users(0, 10))
    before = database.read_bytes()
    holder = hold_lock(database)
    try:
        started = time.monotonic()
        with pytest.raises(SecureFtpError) as error:
            write(database, numbered_users(0, 20), lock_timeout=1.0)
        assert 1.0 <= time.monotonic() - started < 2.0
        for part in (str(database), f"{database}.lock", str(holder.pid), "1 second"):
            assert part in str(error.value)
        result = run_module(
            "ftp_user", name="robin", password_hash=PASSWORD_HASH, db=str(database), create_home=False, lock_timeout=0.5
        )
        assert result["failed"] and str(holder.pid) in result["msg"], result
        assert database.read_bytes() == before
    finally:
        holder.kill()
        holder.wait()


def test_a_slow_lock_holder_is_only_waited_for(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    fd = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    child = Child(lambda: write(database, numbered_users(0, 10)))
    time.sleep(1)
    assert not database.exists()
    fcntl.flock(fd, fcntl.LOCK_UN)
    child.result(timeout=2)
    os.close(fd)
    assert contents(database) == numbered_users(0, 10)


def test_readers_need_no_lock(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    write(database, {b"batman": PASSWORD_HASH.encode()})
    holder = hold_lock(database)
    try:
        started = time.monotonic()
        result = run_module("ftp_user_info", db=str(database))
        assert [user["name"] for user in result["users"]] == ["batman"], result
        unchanged = run_module(
            "ftp_user", name="batman", password_hash=PASSWORD_HASH, db=str(database), create_home=False
        )
        assert unchanged["changed"] is False, unchanged
        assert time.monotonic() - started < 2
    finally:
        holder.kill()
        holder.wait()
