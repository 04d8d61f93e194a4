# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable, Mapping

import pytest
from hypothesis import settings

ANOTHER_PYTHON = "SECURE_FTP_ANOTHER_PYTHON"
"""Set by tests/python/unit: the same tests have run, or will run, on the Python of .venv."""

settings.register_profile("unit", deadline=None)  # a machine that does something else meanwhile is no fault
settings.register_profile("another", deadline=None, max_examples=25)  # odd values are looked for by that of .venv
settings.load_profile("another" if os.environ.get(ANOTHER_PYTHON) else "unit")

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes

HERE = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "once: takes long and says the same on every Python: runs on that of .venv")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another Python, leave out what is marked ``once``, and this folder itself: it is about the project."""
    if os.environ.get(ANOTHER_PYTHON):
        once = [item for item in items if item.path.parent == HERE or item.get_closest_marker("once")]
        config.hook.pytest_deselected(items=once)
        items[:] = [item for item in items if item not in once]


HASH = "$6$rounds=50000$abcdefghijklmnop$" + "h" * 86
"""A well-formed sha512_crypt hash of nothing in particular."""


def written(path: str | Path) -> tuple[int, int, int]:
    """Which file this is and when it was written or changed; reading it moves no more than its time of access."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def load(path: Path, records: Mapping[str, str], *options: str) -> Path:
    """Make a database with db_load, the peer."""
    text = "".join(f"{key}\n{value}\n" for key, value in records.items())
    subprocess.run(["db_load", "-T", "-t", "hash", *options, str(path)], input=text, text=True, check=True)
    return path


def dump(path: Path) -> dict[str, str]:
    """Read a database with db_dump, the peer."""
    subprocess.run(["db_verify", "-q", str(path)], check=True)
    output = subprocess.run(["db_dump", "-p", str(path)], capture_output=True, text=True, check=True).stdout
    lines = [line[1:] for line in output.splitlines() if line.startswith(" ")]
    return dict(zip(lines[::2], lines[1::2]))


@pytest.fixture
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what ends sessions see no process but those of this test: not those of tests beside this one."""
    everybody = processes.processes

    def below_this() -> list[processes.Process]:
        parents = {one.pid: one.parent for one in everybody()}

        def is_below(pid: int) -> bool:
            return pid in parents and (parents[pid] == os.getpid() or is_below(parents[pid]))

        return [one for one in everybody() if is_below(one.pid)]

    monkeypatch.setattr(processes, "processes", below_this)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The path of a database that is not there yet."""
    return tmp_path / "users.db"


@pytest.fixture
def loaded(db: Path) -> Callable[..., Path]:
    """Make the database with db_load."""

    def make(records: Mapping[str, str], *options: str) -> Path:
        return load(db, records, *options)

    return make
