"""The workflows run what `make test` runs, and `make` alone lists every target."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_the_workflows_run_every_part_of_make_test_and_no_target_that_is_not_there() -> None:
    parts = " ".join(re.findall(r"^(?:BESIDE|ONE_HOST|HOSTS) := (.*)", MAKEFILE, re.MULTILINE))
    run: set[str] = set()
    for path in ROOT.glob(".github/workflows/*.yml"):
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                for words in re.findall(r"\bmake ([a-z -]+)(?: [A-Z]+=.*)?$", step.get("run", ""), re.MULTILINE):
                    run |= set(words.split())
    assert run <= TARGETS
    for whole, part in (("unit-all", {"unit-oldest", "unit-newest"}), ("cores", {"cores-oldest"})):
        run |= part if whole in run else set()
    assert set(parts.split()) <= run


def test_the_workflow_has_a_job_for_each_ansible_core_that_make_cores_knows_and_runtime_yml_allows() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))["jobs"]
    cores = [path.stem.partition("-")[2] for path in sorted(ROOT.glob("requirements/core-*.in"))]
    pins = (ROOT / "requirements/control.in").read_text(encoding="utf-8")
    (newest,) = re.findall(r"^ansible-core==(2\.\d+)", pins, re.MULTILINE)
    assert jobs["cores"]["strategy"]["matrix"]["core"] == [*cores, newest]
    allowed = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    oldest, bound = re.findall(r"2\.(\d+)\.0", allowed)
    assert [f"2.{minor}" for minor in range(int(oldest), int(bound))] == [*cores, newest]


def would_run(*targets: str) -> str:
    command = ["make", "--no-print-directory", "--dry-run", "--always-make", *targets]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_control_machine_is_made_by_pip_alone_and_the_tests_get_all_they_need() -> None:
    """Packages of the distribution need root; a compiler is one of them."""
    control = would_run("venv", "build", "bundle")
    assert "--requirement requirements/control.txt" in control
    assert "rig packages" not in control and "requirements/test.txt" not in control
    for target in ("demo", "unit", "molecule", "takeover", "cores-oldest", "lint", "package", "test"):
        run = would_run(target)
        assert run.index("rig packages") < run.index("-m venv") < run.index("requirements/test.txt"), target


def test_make_venv_ends_with_what_to_do_next() -> None:
    assert "ansible-playbook -i inventory.yml playbooks/site.yml" in would_run("venv").splitlines()[-1]
    assert "inventory.yml" not in would_run("build"), "only who asked for it is told"


def test_make_alone_lists_every_target_on_a_line_of_its_own() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in listed.splitlines()] == re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) == TARGETS, "a target has no description"


def test_every_exception_from_ansible_test_has_a_reason_and_none_is_about_documentation() -> None:
    for path in ROOT.glob("tests/sanity/ignore-*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[^ ]+ [^ ]+ # .{10,}", line), f"{path.name}: no reason: {line}"
            assert not re.search(r" (validate-modules|ansible-doc|yamllint)\b", line), f"{path.name}: {line}"


def ways() -> Any:
    """The breaks of `make broken`."""
    spec = importlib.util.spec_from_file_location("broken", ROOT / "tests" / "broken" / "broken.py")
    assert spec and spec.loader
    sys.modules["broken"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WAYS


@pytest.mark.parametrize("way", [pytest.param(way, id=way.name) for way in ways()])
def test_what_is_broken_on_purpose_is_still_there(way: Any) -> None:
    """`make broken` takes long and runs seldom: code that has moved would be found late."""
    assert (ROOT / way.file).read_text(encoding="utf-8").count(way.old) == 1
    path, _sep, name = way.test.partition("::")
    test = ROOT / "tests" / (path if "/" in path else f"reliability/{path or 'test_kill.py'}")
    assert f"def {name.partition('[')[0]}" in test.read_text(encoding="utf-8")
