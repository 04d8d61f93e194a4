# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import files as atomic


def test_a_file_is_made_with_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.replace_file(str(path), b"new", 0o640, 12, 34)
    found = path.stat()
    assert (path.read_bytes(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (b"new", 0o640, 12, 34)


def test_a_reader_keeps_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        atomic.replace_file(str(path), b"new", 0o600, -1, -1)
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_failure_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(SecureFtpError, match="nothing was changed"):
        atomic.replace_file(str(path), b"new", 0o600, -1, -1)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_link_is_not_replaced_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(SecureFtpError, match="symbolic link"):
        atomic.replace_file(str(tmp_path / "link"), b"new", 0o600, -1, -1)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"old"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecureFtpError, match="directory does not exist"):
        atomic.replace_file(str(tmp_path / "none" / "file"), b"new", 0o600, -1, -1)


def test_a_copy_has_owner_mode_time_and_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    atomic.replace_file(str(path), b"first", 0o640, 12, 34)
    os.utime(path, (1000, 2000))
    copy = Path(atomic.keep_copy(str(path)))
    found = copy.stat()
    assert (copy.read_bytes(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (b"first", 0o640, 12, 34)
    assert int(found.st_mtime) == 2000 and copy.name.startswith("conf.2") and copy.name.endswith("Z~")
    assert atomic.keep_copy(str(path)) == str(copy), "one copy of the same content is enough"
    path.write_bytes(b"second")
    others = {atomic.keep_copy(str(path))}
    path.write_bytes(b"third")
    others.add(atomic.keep_copy(str(path)))
    assert {Path(other).read_bytes() for other in others} == {b"second", b"third"}, "none replaces another"
    assert copy.read_bytes() == b"first"


def test_a_link_is_not_copied_nor_followed_when_copies_are_compared(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"data")
    (tmp_path / "conf").symlink_to("real")
    with pytest.raises(SecureFtpError, match="conf: cannot copy it"):
        atomic.keep_copy(str(tmp_path / "conf"))
    (tmp_path / "conf.planted~").symlink_to("real")
    (tmp_path / "conf").unlink()
    (tmp_path / "conf").write_bytes(b"data")
    assert Path(atomic.keep_copy(str(tmp_path / "conf"))).read_bytes() == b"data"
    assert not Path(atomic.keep_copy(str(tmp_path / "conf"))).is_symlink()


def test_what_is_not_there_or_cannot_be_flushed_by_its_kind_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    atomic.flush([str(tmp_path / "nothing"), str(tmp_path)])


@pytest.mark.parametrize("call", ["fsync", "open"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_cannot_be_flushed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(NotDurable, match=f"{tmp_path}: cannot flush it to disk"):
        atomic.flush([str(tmp_path)])
