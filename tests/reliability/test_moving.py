"""Files of a user are moved into another directory, and killed at random: each is there exactly once in the end."""

from __future__ import annotations

import os
import random
import stat
import time
from collections import Counter
from pathlib import Path
from typing import Callable

import pytest
from store_tools import Child

from ansible_collections.secure_ftp.server.plugins.module_utils._host import moving
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import ensure_home, remove_home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed")
GUEST, PERSON = (4001, 4001), (5001, 900)
KILLS = int(os.environ.get("SECURE_FTP_KILLS", "1000")) // 10
FILES = 10_000


class Homes:
    """Two directories of one user, with files whose content says where they were."""

    def __init__(self, old: Path, new: Path, files: int) -> None:
        self.old, self.new, self.files = old / "batman", new / "batman", files

    def make(self) -> None:
        """Some names are in both; some directories and files have each other's names."""
        for home, owner in ((self.old, GUEST), (self.new, PERSON)):
            ensure_home(str(home.parent), home.name, *owner)
        for number in range(self.files):
            folder = self.old.joinpath(*(f"d{digit}" for digit in str(number // 50)))
            folder.mkdir(parents=True, exist_ok=True)
            self._put(folder / f"f{number}", f"old {number}", GUEST)
            if number % 20 == 0:
                twin = self.new / folder.relative_to(self.old)
                twin.mkdir(parents=True, exist_ok=True)
                self._put(twin / f"f{number}", f"new {number}", PERSON)
        (self.old / "deep").mkdir()
        self._put(self.old / "deep" / "inside", "old inside", GUEST)
        self._put(self.new / "deep", "new deep", PERSON)
        self.wanted = Counter(self.contents(self.old) + self.contents(self.new))
        assert set(self.wanted.values()) == {1}

    @staticmethod
    def _put(path: Path, text: str, owner: tuple[int, int]) -> None:
        path.write_text(text)
        os.chown(path, *owner)

    @staticmethod
    def contents(home: Path) -> list[str]:
        """What is in the files that have their names; half a copy has none yet."""
        return [
            path.read_text()
            for path in home.rglob("*")
            if not stat.S_ISDIR(path.lstat().st_mode) and not path.relative_to(home).parts[0].startswith(".moving-")
        ]

    def move(self) -> None:
        moving.Move(str(self.old), str(self.new), GUEST, PERSON, aside="from-ftps").run()

    def expect_nothing_lost(self) -> None:
        found = set(self.contents(self.new) + (self.contents(self.old) if self.old.exists() else []))
        assert found == set(self.wanted)

    def expect_moved(self) -> None:
        """Everything once, and every file is the person's."""
        assert Counter(self.contents(self.new)) == self.wanted and not self.old.exists()
        assert not [path for path in self.new.iterdir() if path.name.startswith(".moving-")]
        files = [path.lstat() for path in self.new.rglob("*") if path.is_file()]
        assert {(one.st_uid, one.st_gid) for one in files} == {PERSON}
        assert (self.new.stat().st_uid, stat.S_IMODE(self.new.stat().st_mode)) == (PERSON[0], 0o700)

    def clear(self) -> None:
        remove_home(str(self.new.parent), self.new.name)


@pytest.fixture(params=["rename", "copy"])
def places(memory: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """The parents of both directories, on one file system or on two."""
    memory.chmod(0o755)
    for parent in (memory / "old", memory / "new"):
        parent.mkdir()
    if request.param == "rename":
        return memory / "old", memory / "new"
    if tmp_path.stat().st_dev == memory.stat().st_dev:
        pytest.skip("one file system only")
    tmp_path.chmod(0o755)
    return tmp_path, memory / "new"  # a copy is flushed for each file: into memory, that costs nothing


def test_killed_again_and_again_every_file_is_there_once(
    places: tuple[Path, Path], figure: Callable[[str], None]
) -> None:
    homes, chance = Homes(*places, files=300), random.Random(4)
    homes.make()
    started = time.perf_counter()
    Child(homes.move).result()
    lifetime = time.perf_counter() - started
    homes.expect_moved()
    kills = moves = most = 0
    while kills < KILLS:
        homes.clear()
        homes.make()
        again, now = True, 0
        while again:
            child = Child(homes.move)
            time.sleep(chance.uniform(0, lifetime * 0.6))
            again = child.kill()
            now += again
            homes.expect_nothing_lost()
        kills, moves, most = kills + now, moves + 1, max(most, now)
        homes.expect_moved()
    assert most > 1, "a move that was killed once was not killed again"
    figure(f"killed: {moves} moves of 301 files {kills} times, one {most} times: every file there once at the end")


def test_ten_thousand_files(places: tuple[Path, Path], figure: Callable[[str], None]) -> None:
    homes, chance = Homes(*places, files=FILES), random.Random(5)
    homes.make()
    kills, started = 0, time.perf_counter()
    for _kill in range(5):
        child = Child(homes.move)
        time.sleep(chance.uniform(0.05, 0.3))
        kills += child.kill()
    homes.expect_nothing_lost()
    homes.move()
    taken = time.perf_counter() - started
    homes.expect_moved()
    figure(f"moved: {FILES} files in {taken:.1f} s with {kills} kills")
