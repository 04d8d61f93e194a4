# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who swaps directories for links while his home is made, closed, handed over or deleted."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import directories

SWAPS = int(os.environ.get("SECURE_FTP_SWAPS", "100"))
ROUNDS = 20
USER, LATER = 4001, 4002


def facts(tree: Path) -> list[tuple[str, int, int, int]]:
    return sorted(
        (str(path), path.lstat().st_uid, path.lstat().st_gid, stat.S_IMODE(path.lstat().st_mode))
        for path in (tree, *tree.rglob("*"))
    )


class Swapper(threading.Thread):
    """Makes a directory of the home a link to somebody else's, and back, as fast as it can."""

    def __init__(self, home: Path, victim: Path):
        super().__init__(daemon=True)
        self.home, self.victim, self.swaps, self.stopped = home, victim, 0, False

    def run(self) -> None:
        while not self.stopped:
            with contextlib.suppress(OSError):
                for name in ("a", "b"):
                    os.rename(self.home / name, self.home / f"{name}.kept")
                    os.symlink(self.victim, self.home / name)
                    os.unlink(self.home / name)
                    os.rename(self.home / f"{name}.kept", self.home / name)
                    self.swaps += 1


def fill(home: Path) -> None:
    for name in ("a", "b", "c"):
        (home / name / "deep").mkdir(parents=True, exist_ok=True)
        (home / name / "deep" / "file").write_text("x")
    for path in home.rglob("*"):
        with contextlib.suppress(OSError):
            os.chown(path, USER, USER, follow_symlinks=False)


def test_nothing_outside_is_touched_while_directories_are_swapped_for_links(
    memory: Path, figure: Callable[[str], None]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to have files of somebody else")
    memory.chmod(0o755)
    root, victim = memory / "homes", memory / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep" / "file").write_text("keep")
    os.chown(victim / "deep" / "file", USER, USER)  # even what has the user's own id, such as a mail spool
    before = facts(victim)
    directories.ensure_directory(str(root), 0, 0, 0o755)
    swaps = rounds = 0
    while swaps < SWAPS or rounds < ROUNDS:
        rounds += 1
        home = root / f"user{rounds}"
        directories.ensure_home(str(root), home.name, USER, USER)
        fill(home)
        swapper = Swapper(home, victim)
        swapper.start()
        while not swapper.swaps:
            pass
        with contextlib.suppress(SecureFtpError):  # what could not be done whole is said
            directories.ensure_home(str(root), home.name, LATER, LATER)
            directories.hand_over(str(root), home.name, USER, LATER, LATER)
            directories.remove_home(str(root), home.name)
        swapper.stopped = True
        swapper.join()
        swaps += swapper.swaps
        assert facts(victim) == before
        shutil.rmtree(home, ignore_errors=True)
    figure(f"links: {swaps} swaps of directories and links during {rounds} adds and dels, nothing outside touched")
