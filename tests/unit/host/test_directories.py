# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of users, among users who plant links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import directories

OWNER = (33, 34)


def facts(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    path = tmp_path / "homes"
    assert directories.ensure_directory(str(path), 0, 0, 0o555)
    return path


def test_a_directory_is_made_once_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        path = tmp_path / "a" / "b"
        assert directories.ensure_directory(str(path), *OWNER, 0o750)
    finally:
        os.umask(old)
    assert facts(path) == (0o750, *OWNER) and facts(path.parent) == (0o755, 0, 0)
    assert not directories.ensure_directory(str(path), *OWNER, 0o750)


def test_mode_and_owner_are_corrected_but_nothing_inside(root: Path) -> None:
    directories.ensure_home(str(root), "robin", *OWNER)
    inside = root / "robin" / "file"
    inside.write_text("x")
    (root / "robin").chmod(0o777)
    os.chown(root / "robin", 0, 0)
    before = facts(inside)
    assert directories.ensure_home(str(root), "robin", *OWNER)
    assert facts(root / "robin") == (0o700, *OWNER) and facts(inside) == before


def test_check_mode_only_predicts(tmp_path: Path, root: Path) -> None:
    assert directories.ensure_directory(str(tmp_path / "x" / "y"), 0, 0, 0o755, check_mode=True)
    assert not (tmp_path / "x").exists()
    assert directories.ensure_homes(str(tmp_path / "x"), ["a", "b"], lambda _n: OWNER, 0o700, True) == ["a", "b"]
    assert directories.ensure_homes(str(root), ["a"], lambda _n: OWNER, 0o700, True) == ["a"]
    assert os.listdir(root) == []


def test_a_batch_reports_who_changed(root: Path) -> None:
    directories.ensure_home(str(root), "b", *OWNER)
    assert directories.ensure_homes(str(root), ["a", "b", "c"], lambda _name: OWNER, 0o700) == ["a", "c"]


@pytest.mark.parametrize("plant", ["link", "file", "fifo"])
def test_a_home_that_is_something_else_is_refused(root: Path, tmp_path: Path, plant: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    before = facts(target)
    if plant == "link":
        (root / "robin").symlink_to(target)
    elif plant == "file":
        (root / "robin").write_text("")
    else:
        os.mkfifo(root / "robin")
    with pytest.raises(SecureFtpError, match="expected a directory"):
        directories.ensure_home(str(root), "robin", *OWNER)
    with pytest.raises(SecureFtpError, match="expected the user's directory"):
        directories.remove_home(str(root), "robin")
    assert facts(target) == before


def test_a_link_among_the_parents_is_followed_only_where_nobody_else_can_plant_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "home").symlink_to("data")
    assert directories.ensure_directory(str(tmp_path / "home" / "vftp"), 0, 0, 0o755)
    assert (tmp_path / "data" / "vftp").is_dir()
    tmp_path.chmod(0o1777)
    with pytest.raises(SecureFtpError, match="planted"):
        directories.ensure_directory(str(tmp_path / "home" / "vftp2"), 0, 0, 0o755)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SecureFtpError, match="symbolic links"):
        directories.ensure_directory(str(tmp_path / "a" / "x"), 0, 0, 0o755)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_only_one_component_is_a_home(root: Path, name: str) -> None:
    with pytest.raises(SecureFtpError, match="one path component"):
        directories.ensure_home(str(root), name, *OWNER)
    with pytest.raises(SecureFtpError, match="one path component"):
        directories.remove_home(str(root), name)


@pytest.mark.parametrize("path", ["relative/x", "/", ""])
def test_only_absolute_paths_below_the_root(path: str) -> None:
    with pytest.raises(SecureFtpError, match="absolute path"):
        directories.ensure_directory(path, 0, 0, 0o755)


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecureFtpError, match="create it first"):
        directories.ensure_home(str(tmp_path / "none"), "robin", *OWNER)


def test_removal_takes_links_but_not_their_targets(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    home = root / "robin"
    directories.ensure_home(str(root), "robin", *OWNER)
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "dir-link").symlink_to(outside)
    (home / "file-link").symlink_to(outside / "file")
    os.mkfifo(home / "fifo")
    assert directories.remove_home(str(root), "robin", check_mode=True) and home.exists()
    assert directories.remove_home(str(root), "robin")
    assert not home.exists() and (outside / "file").read_text() == "x"
    assert not directories.remove_home(str(root), "robin")


def test_removal_of_a_tree_deeper_than_any_limit(root: Path) -> None:
    directories.ensure_home(str(root), "robin", *OWNER)
    fd = os.open(root / "robin", os.O_RDONLY)
    for _turn in range(1500):
        os.mkdir("d" * 200, dir_fd=fd)
        child = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    assert directories.remove_home(str(root), "robin")
    assert os.listdir(root) == []


def test_what_vanishes_during_a_removal_is_gone_and_nothing_else_is_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer that ends meanwhile takes its own file away; that is not "there was nothing"."""
    directories.ensure_home(str(root), "robin", *OWNER)
    for name in "abc":
        (root / "robin" / name).write_text("x")
    real = os.unlink

    def unlink(name: str, *, dir_fd: int) -> None:
        real(name, dir_fd=dir_fd)
        raise FileNotFoundError

    monkeypatch.setattr(directories.os, "unlink", unlink)
    assert directories.remove_home(str(root), "robin")
    assert os.listdir(root) == []


@pytest.mark.parametrize("times", [3, 1000])
def test_what_is_put_in_during_a_removal_goes_too_as_long_as_that_ends(
    root: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    directories.ensure_home(str(root), "robin", *OWNER)
    left = [times]
    real = os.rmdir

    def rmdir(name: str, *, dir_fd: int) -> None:
        if name == "robin" and left[0]:
            left[0] -= 1
            (root / "robin" / "late").write_text("x")
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(directories.os, "rmdir", rmdir)
    monkeypatch.setattr(directories.time, "sleep", lambda seconds: None)
    if times == 3:
        assert directories.remove_home(str(root), "robin")
        assert os.listdir(root) == []
        return
    with pytest.raises(SecureFtpError, match=r"expected an empty directory .* found new files \(late\)"):
        directories.remove_home(str(root), "robin")
    left[0] = 0
    assert directories.remove_home(str(root), "robin") and os.listdir(root) == []


def test_a_kept_home_is_closed_and_comes_back_whole(root: Path, tmp_path: Path) -> None:
    former, now = 4001, 4002
    home = root / "robin"
    directories.ensure_home(str(root), "robin", former, 900)
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "b" / "file").write_text("x")
    outside = tmp_path / "outside"
    outside.write_text("root's")
    (home / "link").symlink_to(outside)
    os.link(outside, home / "hard")
    for path in (home / "a", home / "a" / "b", home / "a" / "b" / "file", home / "link"):
        os.chown(path, former, 900, follow_symlinks=False)
    assert directories.close_home(str(root), "robin") and not directories.close_home(str(root), "robin")
    assert facts(home) == (0o700, 0, 0) and directories.is_closed(str(root), "robin")
    assert directories.former_owner(str(root), "robin") == former
    assert directories.hand_over(str(root), "robin", former, now, 901) == 4
    assert {facts(path)[1:] for path in (home / "a", home / "a" / "b", home / "a" / "b" / "file", home / "link")} == {
        (now, 901)
    }
    assert facts(outside)[1:] == (0, 0) and facts(home) == (0o700, 0, 0)
    assert not directories.close_home(str(root), "nobody") and not directories.is_closed(str(root), "nobody")


@pytest.fixture
def kept(root: Path) -> Path:
    """The closed home of robin, once 4001, with more files of somebody else's than of his own."""
    home = root / "robin"
    directories.ensure_home(str(root), "robin", 4001, 900)
    for number in range(4):
        (home / f"mine-{number}").write_text("x")
        os.chown(home / f"mine-{number}", 4001, 900)
    for number in range(6):
        (home / f"theirs-{number}").write_text("x")
        os.chown(home / f"theirs-{number}", 4009, 4009)
    directories.close_home(str(root), "robin")
    try:
        os.getxattr(home, directories._FORMER_OWNER)
    except OSError:
        pytest.skip("this file system keeps no attributes of root's")
    return home


def test_whose_a_kept_home_was_is_noted_and_not_guessed(root: Path, kept: Path) -> None:
    assert directories.former_owner(str(root), "robin") == 4001
    assert directories.hand_over(str(root), "robin", 4001, 4002, 900) == 4
    assert {path.stat().st_uid for path in kept.glob("theirs-*")} == {4009}


def test_handing_over_that_was_cut_short_goes_on(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.chown, []

    def chown(*arguments: object, **options: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(errno.EIO, "broken")
        real(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(directories.os, "chown", chown)
        with pytest.raises(SecureFtpError, match="the rest stays closed; try again"):
            directories.hand_over(str(root), "robin", 4001, 4002, 900)
    assert directories.remembered_owner(str(root), "robin") == 4001
    directories.hand_over(str(root), "robin", 4001, 4002, 900)
    assert {path.stat().st_uid for path in kept.glob("mine-*")} == {4002}
    assert directories.remembered_owner(str(root), "robin") is None


def test_a_directory_that_is_moved_while_it_is_handed_over_leads_nowhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then ".." is another directory, with entries of the same names."""
    home, outside = root / "robin", tmp_path / "outside"
    (home / "top" / "sub").mkdir(parents=True)
    outside.mkdir()
    for directory in (home / "top", outside):
        (directory / "a").write_text("x")
        os.chown(directory / "a", 4001, 4001)
    os.chown(home / "top" / "sub", 4001, 4001)
    real = os.listdir

    def listdir(fd: int) -> list[str]:
        names = sorted(real(fd))  # the last comes first: "sub" before "a"
        if not names:
            os.rename(home / "top" / "sub", outside / "sub")
        return names

    monkeypatch.setattr(directories.os, "listdir", listdir)
    with pytest.raises(SecureFtpError, match="moved meanwhile"):
        directories.hand_over(str(root), "robin", 4001, 4002, 4002)
    assert (outside / "a").stat().st_uid == 4001


def test_a_home_that_is_a_link_keeps_nobody_from_being_removed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (root / "robin").symlink_to(tmp_path / "disk")
    directories.ensure_home(str(root), "batman", 4001, 4001)
    before = facts(tmp_path / "disk")
    (warning,) = directories.close_homes(str(root), ["robin", "../disk", "nobody", "batman"])
    assert "found a symbolic link" in warning and "'robin'" in warning
    assert facts(tmp_path / "disk") == before and facts(root / "batman") == (0o700, 0, 0)


def test_a_kept_home_deeper_than_any_limit_is_handed_over(root: Path) -> None:
    directories.ensure_home(str(root), "robin", 4001, 900)
    fd = os.open(root / "robin", os.O_RDONLY)
    for _turn in range(1500):
        os.mkdir("d" * 200, dir_fd=fd)
        os.chown("d" * 200, 4001, 900, dir_fd=fd)
        child = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    assert directories.hand_over(str(root), "robin", 4001, 4002, 901) == 1500
    assert directories.remove_home(str(root), "robin")


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, int, int]]]:
    """What is flushed: the path, and its mode and owner then."""
    seen, fsync = [], os.fsync

    def note(fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        seen.append((str(path), facts(path)))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    return seen


def test_homes_that_are_made_are_flushed_as_they_are_to_be(
    root: Path, flushed: list[tuple[str, tuple[int, int, int]]]
) -> None:
    directories.ensure_homes(str(root), ["ann", "bob"], lambda _name: OWNER, 0o700)
    mine = (0o700, *OWNER)
    assert flushed == [(f"{root}/ann", mine), (f"{root}/bob", mine), (str(root), facts(root))]
    flushed.clear()
    directories.ensure_homes(str(root), ["ann", "bob"], lambda _name: OWNER, 0o700)
    assert not flushed, "nothing was changed"


def test_a_directory_is_flushed_with_every_parent_that_was_missing(
    root: Path, flushed: list[tuple[str, tuple[int, int, int]]]
) -> None:
    directories.ensure_directory(str(root / "a" / "b"), *OWNER, 0o750)
    paths = [path for path, _facts in flushed]
    assert paths == [f"{root}/a", str(root), f"{root}/a/b", f"{root}/a"]


def test_a_home_is_closed_and_removed_for_good(root: Path, flushed: list[tuple[str, tuple[int, int, int]]]) -> None:
    directories.ensure_home(str(root), "ann", *OWNER)
    flushed.clear()
    directories.close_homes(str(root), ["ann"])
    assert (f"{root}/ann", (0o700, 0, 0)) in flushed
    flushed.clear()
    directories.remove_home(str(root), "ann")
    assert [path for path, _facts in flushed] == [str(root)] and not (root / "ann").exists()


@pytest.mark.parametrize("change", ["make", "close", "remove"])
def test_a_change_of_homes_that_cannot_be_flushed_is_no_success(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    if change != "make":
        directories.ensure_home(str(root), "ann", *OWNER)

    def refuse(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(NotDurable, match=f"{root}(/ann)?: cannot flush it to disk"):
        if change == "make":
            directories.ensure_home(str(root), "ann", *OWNER)
        elif change == "close":
            directories.close_homes(str(root), ["ann"])
        else:
            directories.remove_home(str(root), "ann")
