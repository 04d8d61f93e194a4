# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files of one directory replaced together."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import many_files
from ansible_collections.secure_ftp.server.plugins.module_utils._host.many_files import (
    STAGE,
    flush_file_system,
    replace_files,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output

FILES = {f"user{number}": b"%d\n" % number for number in range(50)}


def replace(directory: Path, files: dict[str, bytes]) -> None:
    replace_files(str(directory), files, 0o640, os.geteuid(), os.getegid())


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_all_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "user7").write_bytes(b"old")
    replace(tmp_path, FILES)
    assert content(tmp_path) == {**FILES, "other": b"other"}
    assert stat.S_IMODE((tmp_path / "user7").stat().st_mode) == 0o640


def test_they_are_on_disk_before_they_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(many_files, "flush_file_system", lambda path: seen.append((path, content(tmp_path / STAGE))))
    monkeypatch.setattr(many_files, "fsync_directory", lambda path: seen.append((path, content(tmp_path))))
    replace(tmp_path, FILES)
    assert seen == [(str(tmp_path), FILES), (str(tmp_path), FILES)]


def test_what_cannot_be_flushed_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_files, "run_command", lambda command, seconds: Output(1, "", "sync: Input/output error"))
    with pytest.raises(NotDurable, match="cannot flush its file system to disk"):
        replace(tmp_path, FILES)
    assert content(tmp_path) == {}


def test_the_file_system_is_really_flushed(tmp_path: Path) -> None:
    flush_file_system(str(tmp_path))
    with pytest.raises(NotDurable, match="No such file"):
        flush_file_system(str(tmp_path / "none"))


def test_a_link_is_not_replaced_and_then_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "user7").symlink_to("/etc/passwd")
    with pytest.raises(SecureFtpError, match="a regular file, found a symbolic link"):
        replace(tmp_path, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["user7"]


@pytest.mark.parametrize("is_link", [False, True])
def test_what_a_killed_run_has_left_is_removed_and_no_link_is_followed(tmp_path: Path, is_link: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    place = tmp_path / "place"
    place.mkdir()
    if is_link:
        (place / STAGE).symlink_to(elsewhere)
    else:
        (place / STAGE).mkdir()
        (place / STAGE / "user7").write_bytes(b"half")
        (place / STAGE / "link").symlink_to(elsewhere)
    replace(place, FILES)
    assert content(place) == FILES and (elsewhere / "kept").exists()
