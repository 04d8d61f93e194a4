"""What is installed or run for the project is told by its hash: Python packages by lock, GitHub actions by commit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WISHES = sorted(ROOT.glob("requirements/*.in"))
LOCKS = sorted(ROOT.glob("requirements/*.txt"))


def wished(path: Path) -> set[str]:
    """The lines NAME==RELEASE of a file and of those it refers to."""
    lines = path.read_text(encoding="utf-8").splitlines()
    others = [path.parent / line[3:] for line in lines if line.startswith("-r ")]
    return {plain(line) for line in lines if "==" in line}.union(*map(wished, others))


def plain(requirement: str) -> str:
    """One spelling of the name (PEP 503), without extras."""
    name, _equals, release = requirement.partition("==")
    return re.sub(r"[-_.]+", "-", re.sub(r"\[.*", "", name)).lower() + "==" + release


def locked(path: Path) -> dict[str, list[str]]:
    """The hashes of each NAME==RELEASE; fails for whatever else is in the file, such as where packages come from."""
    text = re.sub(r" *#.*", "", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = line.split()
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", requirement), f"{path.name}: {line}"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word) for word in hashes), f"{path.name}: {line}"
        found[plain(requirement)] = hashes
    return found


def test_every_wish_has_a_lock_and_every_lock_a_wish() -> None:
    assert [path.stem for path in WISHES] == [path.stem for path in LOCKS] != []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_a_hash_for_each_release_and_what_is_wished(path: Path) -> None:
    found = locked(path)
    assert [requirement for requirement, hashes in found.items() if not hashes] == []
    assert wished(path.with_suffix(".in")) <= set(found), "make lock"
    text = path.read_text(encoding="utf-8")
    assert "://" not in text and not re.search(r"-r /", text), "where this machine keeps things is in the lock"


def test_the_checks_are_locked_to_what_the_tests_run_with() -> None:
    control, test, lint = (locked(ROOT / "requirements" / name) for name in ("control.txt", "test.txt", "lint.txt"))
    assert control.items() <= test.items() <= lint.items(), "make lock"


def test_nothing_is_installed_without_a_hash() -> None:
    scripts = [
        ROOT / "Makefile",
        *ROOT.glob(".github/workflows/*.yml"),
        *ROOT.glob("tests/*/*"),
        *ROOT.glob("requirements/*"),
    ]
    installs = [
        line.strip()
        for path in scripts
        if path.is_file() and path.suffix in ("", ".yml", ".py", ".sh") and path.parent.name != "sanity"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bpip3? install\b", line) and not line.lstrip().startswith("#")
    ]
    assert len(installs) >= 3
    assert [line for line in installs if "--require-hashes" not in line] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.stem)
def test_every_action_is_a_commit_with_its_release_beside_it(path: Path) -> None:
    used = re.findall(r"\buses: *(.*)", path.read_text(encoding="utf-8"))
    assert used
    wrong = [line for line in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]
    assert wrong == []
