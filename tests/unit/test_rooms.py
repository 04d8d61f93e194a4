# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library is a house: each folder a room, the rooms on floors, and imports lead downwards only."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "plugins" / "module_utils"
PACKAGE = "ansible_collections.secure_ftp.server.plugins.module_utils"

FLOORS = (
    ("_core",),
    ("_host", "_users"),
    ("_ssh", "_tls", "_folders"),
    ("_ftps", "_sftp", "_firewall"),
    ("_manage", "_doctor"),
    ("_remote",),
    ("_command", "_preflight", "_ansible"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")
LONGEST_FUNCTION = 60


def name_of(path: Path) -> str:
    return path.relative_to(LIBRARY).with_suffix("").as_posix().replace("/", ".")


NAMES = set(map(name_of, FILES))


def imported(path: Path) -> Iterator[str]:
    """The parts of the library that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}."):
            whole = (node.module or "")[len(PACKAGE) + 1 :]
            if whole in NAMES:
                yield whole
            else:
                yield from (f"{whole}.{alias.name}" for alias in node.names)


GRAPH = {name_of(path): set(imported(path)) for path in FILES}


def room(name: str) -> str:
    return name.partition(".")[0]


def needed(name: str) -> set[str]:
    """``name`` is a part of the library; return all it needs, directly or not."""
    found: set[str] = set()
    todo = [*GRAPH[name]]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += GRAPH[one]
    return found


def test_every_file_is_in_a_room_and_no_folder_holds_code_of_its_own() -> None:
    assert {room(name) for name in NAMES} == set(FLOOR), "a new room gets a floor here"
    assert len(FLOOR) <= 15 and len(FLOORS) <= 8
    assert [str(path) for path in LIBRARY.rglob("__init__.py") if path.parent != LIBRARY and path.read_text()] == []
    assert {path.parent.parent for path in FILES} == {LIBRARY}, "a room has no rooms"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_imports_lead_downwards(name: str) -> None:
    upwards = [other for other in GRAPH[name] if room(other) != room(name) and FLOOR[room(other)] >= FLOOR[room(name)]]
    assert not upwards, f"{name} is on floor {FLOOR[room(name)]}"
    assert name not in needed(name), "a circle"


def test_the_protocols_and_the_firewall_are_strangers() -> None:
    assert FLOOR["_ftps"] == FLOOR["_sftp"] == FLOOR["_firewall"], "so that no import leads from one to another"


def test_the_host_knows_no_word_of_file_transfer() -> None:
    words = re.compile(r"(?i)sftp|ftps|vsftpd|chroot|jail")
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((LIBRARY / "_host").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


def test_only_the_modules_and_their_room_know_ansible() -> None:
    knows = re.compile(r"^\s*(from|import) ansible(\.|\s)", re.MULTILINE)
    assert {room(name_of(path)) for path in FILES if knows.search(path.read_text(encoding="utf-8"))} == {"_ansible"}


@pytest.mark.parametrize(("module", "most"), [("ufw_guard", 6), ("ftps_probe", 6), ("sshd_probe", 9)])
def test_a_small_module_ships_little(module: str, most: int) -> None:
    """Each task of it sends these files to the host."""
    direct = set(imported(ROOT / "plugins" / "modules" / f"{module}.py"))
    shipped = direct.union(*map(needed, direct))
    assert len(shipped) <= most, sorted(shipped)


def test_no_function_is_longer_than_a_page() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in [*FILES, *(ROOT / "plugins").glob("*/*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_the_tests_mirror_the_rooms() -> None:
    folders = {path.name for path in (ROOT / "tests" / "unit").iterdir() if (path / "__init__.py").exists()}
    assert folders == {name.lstrip("_") for name in FLOOR} - {"ansible"} | {"modules"}
