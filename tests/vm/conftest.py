"""A virtual machine on which site.yml has run, made once for all tests; each file of tests gets a copy of its own.

make vm                                                      all of it
.venv/bin/pytest -p no:cacheprovider tests/vm/test_power.py  a part
SECURE_FTP_VM_REUSE=1                                        with the machine of the run before, if there is one
SECURE_FTP_CUTS=100, SECURE_FTP_SEED=7                       more power cuts; at other instants than those of 1
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from machine import BASE, ROOT, Machine, build

_FIGURES: list[str] = []
PASSWORDS = {"batman": "bat-Cave!1 deep", "robin": "Robin#2 nest", "alfred": "Alfred$3 butler"}
USERS: list[dict[str, Any]] = [
    {"name": "batman", "password": PASSWORDS["batman"]},
    {"name": "robin", "password": PASSWORDS["robin"]},
    {"name": "alfred", "password": PASSWORDS["alfred"], "locked": True},
]
VARIABLES = {**BASE, "ftp_users": USERS}
CUTS = int(os.environ.get("SECURE_FTP_CUTS", "20"))
SITE_CUTS = max(1, CUTS // 10)
"""Of a run of site.yml, which takes far longer."""
COMMAND_CUTS = max(1, CUTS - SITE_CUTS)
SEED = os.environ.get("SECURE_FTP_SEED", "1")


def dice_of(what: str, turn: int = 0) -> random.Random:
    """The dice of one cut: they do not depend on what the cuts before it met."""
    return random.Random(f"{SEED} {what} {turn}")


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Note a measured figure, in a sentence; all of them are printed at the end."""
    return _FIGURES.append


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the power cuts, which take longest, come last."""
    items.sort(key=lambda item: "power" in item.path.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if _FIGURES:
        terminalreporter.section("figures")
        terminalreporter.line(f"SECURE_FTP_SEED={SEED}")
        for sentence in _FIGURES:
            terminalreporter.line(sentence)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """The dice of one test."""
    return dice_of(request.node.name)


def recap(output: str) -> dict[str, int]:
    """The numbers of Ansible's last line about the machine."""
    line = re.findall(r"^machine +: (.*)$", output, re.MULTILINE)
    assert line, output
    return {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", line[-1])}


def tasks_of(output: str) -> list[str]:
    """The names of the tasks that a run has begun."""
    return re.findall(r"^TASK \[(.*)\]", output, re.MULTILINE)


def converge(folder: Path) -> None:
    """Make ``folder`` the disk of a machine on which site.yml has run, and how that run went."""
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir(parents=True)
    machine = Machine(build() / "disk", folder)
    try:
        machine.on()
        story: dict[str, Any] = {"boot": machine.booted_in, "kernel": machine.sh("uname -r").strip()}
        with machine.shell() as shell:
            assert shell.answers("before")
            started = time.monotonic()
            done = machine.play(VARIABLES)
            assert done.returncode == 0, done.stdout
            story.update(recap=recap(done.stdout), seconds=time.monotonic() - started, tasks=tasks_of(done.stdout))
            story["session went on"] = shell.answers("after")
        machine.off()
    except BaseException:
        machine.kill()
        raise
    (folder / "story.json").write_text(json.dumps(story))


@pytest.fixture(scope="session")
def converged() -> Path:
    """The directory of the converged machine: ``disk`` and ``story.json``."""
    folder = ROOT / ".work" / "vm" / "converged"
    if not (os.environ.get("SECURE_FTP_VM_REUSE") and (folder / "story.json").exists()):
        converge(folder)
    return folder


@pytest.fixture(scope="session")
def story(converged: Path) -> dict[str, Any]:
    """How the run went that converged it."""
    return json.loads((converged / "story.json").read_text())


@pytest.fixture(scope="module")
def machine(
    converged: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    """A copy of the converged machine, switched on."""
    work = tmp_path_factory.mktemp("vm")
    second = None
    if getattr(request.module, "SECOND_DISK", 0):
        second = work / "second"
        with second.open("wb") as file:
            file.truncate(request.module.SECOND_DISK)
    machine = Machine(converged / "disk", work, second)
    try:
        machine.on()
        yield machine
    finally:
        machine.drop()
