# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: found beforehand, of whatever kind, and never crossed by a removal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import directories
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import (
    Mount,
    mount_id,
    mount_points,
    mounts_at,
    read_mounts,
)

LINES = """22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
90 22 254:0 /srv/shared /home/sftp/ann/my\\040files rw shared:1 - ext4 /dev/vda1 rw
91 22 0:40 / /home/sftp/bob rw - tmpfs tmpfs rw
92 22 0:41 / /home/sftp/annette rw - tmpfs tmpfs rw
"""


def test_mount_points_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(LINES)
    points = mount_points(str(tmp_path / "mountinfo"))
    assert points == ["/", "/home/sftp/ann/my files", "/home/sftp/bob", "/home/sftp/annette"]
    assert mounts_at("/home/sftp/ann", points) == ["/home/sftp/ann/my files"]
    assert mounts_at("/home/sftp/bob/", points) == ["/home/sftp/bob"]
    assert mounts_at("/home/sftp/an", points) == []


def test_a_mount_says_of_what_it_is_and_whether_it_can_be_written(tmp_path: Path) -> None:
    lines = "93 22 0:42 / /home/sftp/ann/a ro,nosuid shared:9 master:1 - fuse /srv/my\\040files rw,user_id=9\n"
    (tmp_path / "mountinfo").write_text(LINES + lines)
    found = read_mounts(str(tmp_path / "mountinfo"))
    assert found[0] == Mount("/", "ext4", "/dev/vda1", False, frozenset({"rw"}), "254:0")
    assert found[-1] == Mount("/home/sftp/ann/a", "fuse", "/srv/my files", True, frozenset({"rw", "user_id=9"}), "0:42")


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """Somebody else's directory, of the same file system, with five invoices; ``mount`` puts it into a home."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    tmp_path.chmod(0o755)
    path = tmp_path / "shared"
    path.mkdir()
    for number in range(5):
        (path / f"invoice-{number}.pdf").write_text("x")
    yield path
    for point in reversed([one for one in mount_points() if one.startswith(str(tmp_path))]):
        subprocess.run(["umount", "--lazy", point], check=True)


def mount(source: Path, target: Path) -> None:
    done = subprocess.run(["mount", "--bind", str(source), str(target)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this sandbox cannot mount")


@pytest.mark.parametrize("where", ["ann/shared", "ann/deep/er/shared", "ann"])
def test_a_bind_mount_of_the_same_file_system_refuses_everything(shared: Path, tmp_path: Path, where: str) -> None:
    """It has the device number of the home, so comparing those deleted every file of it."""
    root = tmp_path / "homes"
    (root / where).mkdir(parents=True)
    if where != "ann":
        (root / "ann" / "a-file").write_text("mine")
    mount(shared, root / where)
    for check_mode in (True, False):
        with pytest.raises(SecureFtpError, match="expected no file system mounted at or below .* umount "):
            directories.remove_home(str(root), "ann", check_mode)
    assert len(list(shared.iterdir())) == 5
    assert where == "ann" or (root / "ann" / "a-file").read_text() == "mine"


def test_what_is_mounted_after_the_look_is_not_entered_either(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "homes"
    (root / "ann" / "in").mkdir(parents=True)
    mount(shared, root / "ann" / "in")
    monkeypatch.setattr(directories, "refuse_mounts", lambda paths: None)
    with pytest.raises(SecureFtpError, match="was mounted there meanwhile"):
        directories.remove_home(str(root), "ann")
    assert len(list(shared.iterdir())) == 5


def test_a_mount_in_a_kept_home_is_not_handed_over(shared: Path, tmp_path: Path) -> None:
    root = tmp_path / "homes"
    (root / "ann" / "in").mkdir(parents=True)
    for path in (root / "ann" / "in", *shared.iterdir()):
        os.chown(path, 4001, 4001)
    (root / "ann" / "own").write_text("x")
    os.chown(root / "ann" / "own", 4001, 4001)
    mount(shared, root / "ann" / "in")
    assert directories.hand_over(str(root), "ann", 4001, 4002, 4002) == 1
    assert {path.stat().st_uid for path in shared.iterdir()} == {4001}
    assert (root / "ann" / "own").stat().st_uid == 4002


def test_two_ways_to_one_file_system_differ(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    mount(shared, tmp_path / "in")
    ids = []
    for path in (shared, tmp_path / "in"):
        fd = os.open(path, os.O_RDONLY)
        ids.append(mount_id(fd))
        os.close(fd)
    assert ids[0] != ids[1] and shared.stat().st_dev == (tmp_path / "in").stat().st_dev
