"""A disk that is full, read-only, over quota or broken: a clear error, and the old users stay."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest
from store_tools import contents, litter, numbered_users, run_module, write

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

HERE = Path(__file__).parent
MEANING = {
    "EIO": "input/output error",
    "ENOSPC": "no space left",
    "EDQUOT": "quota",
    "EROFS": "read-only",
}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


def with_faults(preload: Path, database: Path, kind: str, mode: str) -> list[dict]:
    done = subprocess.run(
        [sys.executable, str(HERE / "faulty_writer.py"), str(database), kind, mode],
        env={**os.environ, "LD_PRELOAD": str(preload)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["single", "bulk", "new"])
def test_every_system_call_of_a_write_may_fail(
    tmp_path: Path, preload: Path, kind: str, figure: Callable[[str], None]
) -> None:
    database = tmp_path / "users.db"
    if kind != "new":
        write(database, numbered_users(0, 500, "old"))
    clean, *faults = with_faults(preload, database, kind, "faults")
    assert clean["error"] is None and len(clean["log"]) > 8, clean
    calls = set()
    for fault in faults:
        call, _sep, path = fault["call"].partition(" ")
        calls.add(call)
        assert not fault["litter"], fault
        if fault["error"] is None:
            # Noting the holder's process id is a courtesy, and a renamed file is not there any more. Nothing else may
            # be ignored.
            courtesy = path.endswith(".lock") and call in ("ftruncate", "write", "pwrite")
            assert courtesy or (path.endswith(".tmp") and call == "unlink"), fault
            continue
        assert str(database) in fault["error"], fault
        if path == str(tmp_path):
            # The last step, which makes the finished rename durable.
            assert "is in place" in fault["error"], fault
        else:
            assert fault["untouched"] and MEANING[fault["fault"]] in fault["error"].lower(), fault
    figure(f"faults: {len(faults)} system calls of a {kind} write failed ({', '.join(sorted(calls))}), nothing lost")
    assert {"open", "write", "fsync", "rename"} <= calls


@pytest.mark.parametrize("kind", ["single", "bulk", "new"])
def test_everything_is_on_disk_before_the_rename(tmp_path: Path, preload: Path, kind: str) -> None:
    database = tmp_path / "users.db"
    if kind != "new":
        write(database, numbered_users(0, 500, "old"))
    log = [line.split(" ", 1) for line in with_faults(preload, database, kind, "log")[0]["log"]]
    renamed = log.index(["rename", str(database)])
    new = [index for index, (call, path) in enumerate(log) if path.endswith(".tmp") and call != "unlink"]
    assert max(new) < renamed, "the file is changed after it was renamed in"
    touched = [index for index in new if log[index][0] in ("write", "pwrite", "ftruncate", "fchmod", "fchown")]
    assert touched and log[max(new)][0] == "fsync" and max(touched) < max(new), "not flushed after the last write"
    assert ["fsync", str(tmp_path)] in log[renamed:], "the rename is not flushed"


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A tmpfs of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused(database: Path, words: str) -> None:
    """A bulk write is refused with those words and changes nothing."""
    before, names = database.read_bytes(), litter(database)
    with pytest.raises(SecureFtpError) as error:
        write(database, numbered_users(0, 3000, "new"))
    assert str(database) in str(error.value) and words in str(error.value), error.value
    result = run_module(
        "ftp_user", name="robin", password="Robin#2 nest", rounds=1000, db=str(database), create_home=False
    )
    assert result["failed"] and words in result["msg"] and "Traceback" not in result["msg"], result
    assert "nest" not in json.dumps(result)
    assert database.read_bytes() == before and litter(database) == names


@needs_root
def test_a_disk_that_fills_up_at_any_point(tmp_path: Path, figure: Callable[[str], None]) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        database = disk / "users.db"
        write(database, numbered_users(0, 3000, "old"))
        size = database.stat().st_size
        before = contents(database)
        full = 0
        for left in range(0, 2 * size, 32 << 10):
            space = os.statvfs(disk)
            fill = disk / "fill"
            fill.write_bytes(bytes(max(0, space.f_bavail * space.f_bsize - left)))
            try:
                write(database, numbered_users(2500, 4500, "new"))
            except SecureFtpError as error:
                full += 1
                assert "no space left" in str(error), error
                assert contents(database) == before
            fill.unlink()
            assert not litter(database)
            write(database, {**dict.fromkeys(numbered_users(3000, 4500)), **numbered_users(0, 3000, "old")})
            assert contents(database) == before
        assert full >= 10, f"the disk was full {full} times only"
        figure(f"disk: full at {full} different points of a write, the old users were intact each time")


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        write(disk / "users.db", numbered_users(0, 3000, "old"))
        space = os.statvfs(disk)
        (disk / "fill").write_bytes(bytes(space.f_bavail * space.f_bsize))
        refused(disk / "users.db", "no space left")


@needs_root
def test_no_inode_left(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=4m,nr_inodes=4") as disk:
        write(disk / "users.db", numbered_users(0, 10, "old"))
        (disk / "fill").touch()
        refused(disk / "users.db", "no space left")


@needs_root
def test_a_read_only_file_system(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        write(disk / "users.db", numbered_users(0, 10, "old"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(disk / "users.db", "read-only")
        unchanged = run_module("ftp_users", users=[], db=str(disk / "users.db"), create_home=False)
        assert unchanged["changed"] is False, "nothing to do needs no write"


@needs_root
def test_over_quota(tmp_path: Path) -> None:
    """A Btrfs of its own with a quota group: unlike user quotas, those bind root and need no kernel module."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    image.touch()
    os.truncate(image, 128 << 20)
    folder.mkdir()
    subprocess.run(["mkfs.btrfs", "--quiet", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False).returncode:
        pytest.skip("this machine cannot mount Btrfs from a loop device")
    try:
        users = folder / "users"
        for command in (
            ["quota", "enable", str(folder)],
            ["subvolume", "create", str(users)],
            ["qgroup", "limit", "2M", str(users)],
        ):
            subprocess.run(["btrfs", *command], check=True, capture_output=True)
        database = users / "users.db"
        write(database, numbered_users(0, 4000, "old"))
        # What is left is less than the copy a change needs.
        fill = users / "fill"
        fill.write_bytes(bytes((2 << 20) - 3 * database.stat().st_size // 2))
        refused(database, "quota")
        subprocess.run(["btrfs", "qgroup", "limit", "16M", str(users)], check=True, capture_output=True)
        write(database, numbered_users(0, 10, "new"))
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
