# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS sessions: processes called vsftpd in the directory of a user; others are left alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.reconcile import sole_directories
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.sessions import end_ftps_sessions

PR_SET_NAME = 15


def session(root: Path, name: bytes = b"vsftpd") -> int:
    """A process of that name, jailed to ``root``, which like vsftpd does not mind SIGTERM."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
            os.chroot(root)
            os.write(told, b"x")
            time.sleep(60)
        os._exit(0)
    os.close(told)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return pid


def is_over(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG) != (0, 0)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root to jail a process")
    for name in ("bat", "batman", "robin"):
        (tmp_path / name).mkdir()
    yield tmp_path


def test_the_sessions_of_one_user_end_and_nobody_elses(homes: Path) -> None:
    mine = [session(homes / "bat"), session(homes / "bat")]
    others = [session(homes / "batman"), session(homes / "robin"), session(homes / "bat", b"rsync"), session(Path("/"))]
    try:
        assert end_ftps_sessions([str(homes / "bat"), str(homes / "missing")]) == 2
        assert all(is_over(pid) for pid in mine)
        assert not any(is_over(pid) for pid in others)
    finally:
        for pid in (*mine, *others):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # those that are over
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def test_a_directory_under_another_name_is_the_same_one(homes: Path) -> None:
    (homes / "link").symlink_to("robin")
    pid = session(homes / "robin")
    assert end_ftps_sessions([str(homes / "link")]) == 1
    assert is_over(pid)


def test_a_user_whose_directory_is_the_root_of_the_host_does_not_end_the_daemon(homes: Path) -> None:
    pid = session(Path("/"))
    try:
        assert end_ftps_sessions(["/"], seconds=1) == 0
        assert not is_over(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_a_directory_that_users_own_files_share_is_left_out(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / name).write_text("local_root=/srv/both\n")
    (tmp_path / "cid").write_text("local_root=/srv/cid\n")
    found = Homes("/home/vftp/$USER", "$USER", str(tmp_path))
    assert sole_directories(["ann", "cid", "dan"], found) == ["/home/vftp/dan", "/srv/cid"]
    assert "/srv/both" in sole_directories(["ann", "bob"], found)


def test_nobody_to_end() -> None:
    assert end_ftps_sessions([]) == 0
