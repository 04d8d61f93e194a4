# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a user are moved into another directory: nothing is lost, overwritten, or followed."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import directories, moving
from ansible_collections.secure_ftp.server.plugins.module_utils._host.moving import Move

GUEST, PERSON = (4001, 4001), (5001, 900)


@pytest.fixture(params=["rename", "copy"])
def roots(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, Path]]:
    """The parents of both directories: on one file system, or on two."""
    tmp_path.chmod(0o755)
    old = tmp_path / "old"
    if request.param == "rename":
        old.mkdir()
        new = tmp_path / "new"
        new.mkdir()
        yield old, new
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        if os.stat(folder).st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is on the same file system")
        old.mkdir()
        yield old, Path(folder)


@pytest.fixture
def old(roots: tuple[Path, Path]) -> Path:
    path = roots[0] / "batman"
    directories.ensure_home(str(roots[0]), "batman", *GUEST)
    return path


@pytest.fixture
def new(roots: tuple[Path, Path]) -> Path:
    path = roots[1] / "batman"
    directories.ensure_home(str(roots[1]), "batman", *PERSON)
    return path


def move(old: Path, new: Path, **options: Any) -> moving.Moved:
    return Move(str(old), str(new), GUEST, PERSON, aside="from-elsewhere", **options).run()


def put(path: Path, text: str = "x", owner: tuple[int, int] = GUEST, mode: int = 0o640) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chown(path, *owner)
    path.chmod(mode)
    for parent in path.parents:
        if parent.name == "batman":  # nothing above the home
            break
    else:
        return path
    for one in path.relative_to(parent).parents:
        if not one.name.startswith(".moving-"):
            os.chown(parent / one, *owner)
    return path


def tree(path: Path) -> dict[str, str]:
    return {
        str(one.relative_to(path)): one.read_text() if one.is_file() and not one.is_symlink() else ""
        for one in sorted(path.rglob("*"))
        if not one.is_dir() or one.is_symlink()
    }


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_everything_moves_and_keeps_mode_time_and_attributes(old: Path, new: Path) -> None:
    os.makedirs(old / "a" / "b")
    os.chown(old / "a", *GUEST)
    os.chown(old / "a" / "b", *GUEST)
    (old / "a").chmod(0o2750)
    file = put(old / "a" / "b" / "file", "text")
    os.utime(file, ns=(10**18, 10**18 + 7))
    os.setxattr(file, "user.note", b"kept")
    os.utime(old / "a", ns=(10**18, 10**18 + 9))
    done = move(old, new)
    assert tree(new) == {"a/b/file": "text"} and not old.exists()
    moved = new / "a" / "b" / "file"
    assert owner(moved) == PERSON and stat.S_IMODE(moved.stat().st_mode) == 0o640
    assert moved.stat().st_mtime_ns == 10**18 + 7 and os.getxattr(moved, "user.note") == b"kept"
    assert owner(new / "a") == PERSON and stat.S_IMODE((new / "a").stat().st_mode) == 0o2750
    assert (new / "a").stat().st_mtime_ns == 10**18 + 9
    assert owner(new) == PERSON and stat.S_IMODE(new.stat().st_mode) == 0o700
    assert (done.files, done.aside) == (1, [])


def test_directories_are_merged_and_nothing_is_overwritten(old: Path, new: Path) -> None:
    put(new / "same" / "mine", "mine", PERSON)
    put(new / "same" / "both", "of sftp", PERSON)
    put(new / "from-elsewhere" / "same" / "both", "older", PERSON)
    put(new / "file", "a file here", PERSON)
    put(new / "directory" / "inside", "a directory here", PERSON)
    put(old / "same" / "both", "of ftps")
    put(old / "same" / "yours", "yours")
    put(old / "file" / "inside", "a directory there")
    put(old / "directory", "a file there")
    done = move(old, new)
    assert tree(new) == {
        "same/mine": "mine",
        "same/both": "of sftp",
        "same/yours": "yours",
        "from-elsewhere/same/both": "older",
        "from-elsewhere/same/both.1": "of ftps",
        "file": "a file here",
        "from-elsewhere/file/inside": "a directory there",
        "directory/inside": "a directory here",
        "from-elsewhere/directory": "a file there",
    }
    assert sorted(done.aside) == [
        "from-elsewhere/directory",
        "from-elsewhere/file",
        "from-elsewhere/same/both.1",
    ]
    assert not old.exists()
    assert owner(new / "from-elsewhere") == PERSON and owner(new / "from-elsewhere" / "file") == PERSON


def test_the_place_for_files_aside_may_be_taken_itself(old: Path, new: Path) -> None:
    put(new / "from-elsewhere", "a file of this name", PERSON)
    put(new / "a", "here", PERSON)
    put(old / "a", "there")
    move(old, new)
    assert tree(new) == {"from-elsewhere": "a file of this name", "a": "here", "from-elsewhere.1/a": "there"}


def test_a_name_of_the_greatest_length_gets_a_number(old: Path, new: Path) -> None:
    name = "ä" * 127 + "x"
    assert len(name.encode()) == 255
    for path in (new / name, new / "from-elsewhere" / name):
        put(path, str(path.parent.name), PERSON)
    put(old / name, "there")
    move(old, new)
    assert sorted(tree(new).values()) == ["batman", "from-elsewhere", "there"]


def test_a_link_is_moved_as_a_link(old: Path, new: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "secret", "secret", (0, 0))
    (old / "link").symlink_to(outside)
    (old / "folder").symlink_to(outside.parent)
    os.lchown(old / "link", *GUEST)
    (new / "into").symlink_to(outside.parent)
    put(old / "into" / "planted", "x")
    move(old, new)
    assert (new / "link").is_symlink() and (new / "folder").is_symlink()
    assert owner(new / "link") == PERSON and owner(outside) == (0, 0)
    assert os.listdir(outside.parent) == ["secret"], "the link was followed"
    assert tree(new)["from-elsewhere/into/planted"] == "x"


def test_files_of_others_keep_their_owner(old: Path, new: Path) -> None:
    put(old / "of-root", owner=(0, 0))
    put(old / "shared", owner=(0, GUEST[1]))
    move(old, new)
    assert owner(new / "of-root") == (0, 0) and owner(new / "shared") == (0, PERSON[1])


def test_a_file_with_a_name_elsewhere_is_copied(old: Path, new: Path, tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "backup", "text")
    os.link(elsewhere, old / "file")
    os.link(elsewhere, old / "twice")
    inside = put(old / "inside", "inside")
    os.link(inside, old / "again")
    move(old, new)
    assert owner(elsewhere) == GUEST and elsewhere.stat().st_nlink == 1, "the file of somebody else changed its owner"
    assert tree(new) == {"file": "text", "twice": "text", "inside": "inside", "again": "inside"}
    assert {owner(new / name) for name in tree(new)} == {PERSON}
    if old.parent.parent == new.parent.parent:
        assert (new / "inside").samefile(new / "again")


def test_a_pipe_and_a_socket_move(old: Path, new: Path) -> None:
    os.mkfifo(old / "pipe", 0o600)
    os.chown(old / "pipe", *GUEST)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(old / "socket"))
    move(old, new)
    assert stat.S_ISFIFO((new / "pipe").stat().st_mode) and owner(new / "pipe") == PERSON
    assert stat.S_ISSOCK((new / "socket").stat().st_mode)


def test_a_device_stops_it_before_anything(old: Path, new: Path) -> None:
    put(old / "a" / "file")
    try:
        os.mknod(old / "a" / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except OSError:
        pytest.skip("no devices here")
    with pytest.raises(SecureFtpError, match="a/device.*a device"):
        move(old, new)
    assert tree(new) == {} and (old / "a" / "file").exists() and owner(old) == GUEST and owner(new) == PERSON


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_mount_stops_it_before_anything(
    old: Path, new: Path, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(old / "file")
    table = tmp_path / "mountinfo"
    table.write_text(f"1 1 0:1 / {(old if which == 'old' else new) / 'mounted'} rw - ext4 x rw\n")
    with pytest.raises(SecureFtpError, match="no file system mounted.*mounted"):
        move(old, new, mountinfo=str(table))
    assert (old / "file").exists() and owner(old) == GUEST and owner(new) == PERSON


def test_names_of_any_bytes(old: Path, new: Path) -> None:
    names = [b"\xff\xfe", b"new\nline", b"-rf", b" ", "ü".encode(), b"\x1b[31m", b"*"]
    for name in names:
        with open(os.path.join(os.fsencode(old), name), "wb") as file:
            file.write(name)
    move(old, new)
    assert sorted(os.listdir(os.fsencode(new))) == sorted(names)


def test_any_depth(old: Path, new: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(old)
        for _level in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("file").write_text("deep")
    finally:
        os.chdir(here)
    move(old, new)
    assert not old.exists()
    try:
        os.chdir(new)
        for _level in range(1500):
            os.chdir("d")
        assert Path("file").read_text() == "deep"
    finally:
        os.chdir(here)
    directories.remove_home(str(new.parent), new.name)


def test_it_is_closed_while_it_is_moved_and_sessions_end_first(old: Path, new: Path) -> None:
    put(old / "file")
    seen = []

    def look() -> list[str]:
        seen.append((owner(old), owner(new), os.listdir(new)))
        return ["one stays"]

    done = move(old, new, end_sessions=look)
    assert seen == [((0, 0), (0, 0), [])] and done.warnings == ["one stays"]
    assert owner(new) == PERSON


def test_progress_is_told(old: Path, new: Path) -> None:
    for number in range(5):
        put(old / "a" / str(number))
    told: list[tuple[int, int]] = []
    move(old, new, progress=lambda done, whole: told.append((done, whole)))
    assert told[-1] == (6, 6) and told == sorted(told)


def test_nothing_to_move(old: Path, new: Path) -> None:
    old.rmdir()
    put(new / "file", owner=PERSON)
    assert move(old, new).files == 0
    assert tree(new) == {"file": "x"}


def test_a_full_disk_loses_nothing_and_the_next_run_goes_on(
    old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        put(old / f"file{number}", str(number))
    real, count = os.rename, 0

    def rename(*args: Any, **options: Any) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise OSError(errno.ENOSPC, "full")
        real(*args, **options)

    monkeypatch.setattr(moving.os, "rename", rename)
    with pytest.raises(SecureFtpError, match="no space left.*do it again") as failed:
        move(old, new)
    assert failed.value.changed
    assert sorted([*tree(old).values(), *tree(new).values()]) == list("012345")
    assert owner(old) == GUEST and owner(new) == PERSON, "both work until the next run"
    monkeypatch.undo()
    move(old, new)
    assert tree(new) == {f"file{number}": str(number) for number in range(6)} and not old.exists()


def test_an_immutable_file_is_named(old: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(old / "a" / "file")
    real = os.chown

    def chown(path: Any, *args: Any, **options: Any) -> None:
        if path == "file":
            raise OSError(errno.EPERM, "Operation not permitted")
        real(path, *args, **options)

    monkeypatch.setattr(moving.os, "chown", chown)
    if old.parent.parent != new.parent.parent:
        pytest.skip("a copy changes the owner of the copy")
    with pytest.raises(SecureFtpError, match=r"a/file.*immutable.*chattr -i"):
        move(old, new)
    assert (old / "a" / "file").exists()


def test_what_a_killed_copy_left_is_finished(roots: tuple[Path, Path], old: Path, new: Path) -> None:
    """The file is in its place already, and still in the old one; a part of another one lies beside."""
    file = put(old / "a" / "file", "text")
    put(new / "a" / "file", "text", PERSON)
    os.utime(new / "a" / "file", ns=(0, file.stat().st_mtime_ns))
    put(old / "other", "other")
    (new / ".moving-abc").mkdir()
    put(new / ".moving-abc" / "1", "oth", PERSON)
    put(new / ".moving-of-a-user", "mine", PERSON)
    move(old, new)
    assert tree(new) == {"a/file": "text", "other": "other", ".moving-of-a-user": "mine"}


def test_a_sparse_file_stays_sparse(old: Path, new: Path) -> None:
    with open(old / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(1 << 28)
        file.write(b"end")
        file.truncate(1 << 29)
    move(old, new)
    found = (new / "sparse").stat()
    assert found.st_size == 1 << 29 and found.st_blocks * 512 < 1 << 20
    with open(new / "sparse", "rb") as file:
        assert file.read(5) == b"begin"
        file.seek(1 << 28)
        assert file.read(4) == b"end\0"


def test_what_would_move(old: Path, new: Path) -> None:
    put(old / "a" / "file", "1234")
    (old / "link").symlink_to("x")
    found = moving.look(str(old))
    assert (found.files, found.directories, found.size) == (2, 1, 4)
    assert moving.look(str(old.parent / "nobody")).files == 0
    assert tree(old) and not tree(new)
