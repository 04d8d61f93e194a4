"""The workflows run what `make test` runs, and `make` alone lists every target."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_the_workflows_run_every_part_of_make_test_and_no_target_that_is_not_there() -> None:
    (parts,) = re.findall(r"^test: (.*?) ##", MAKEFILE, re.MULTILINE)
    run: set[str] = set()
    for path in ROOT.glob(".github/workflows/*.yml"):
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                for words in re.findall(r"\bmake ([a-z -]+)$", step.get("run", ""), re.MULTILINE):
                    run |= set(words.split())
    assert run <= TARGETS
    assert set(parts.split()) <= run


def test_make_alone_lists_every_target_on_a_line_of_its_own() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in listed.splitlines()] == re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) == TARGETS, "a target has no description"
