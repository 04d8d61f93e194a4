"""docs/dependencies.md lists every dependency, with a reason, and no other."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PINNED = r"([A-Za-z0-9._-]+)==[0-9][A-Za-z0-9.]*"


def listed(section: str) -> set[str]:
    """What the table of a section has in its first column; every row has a reason."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    table = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE))
    assert all(len(reason) > 2 for reason in table.values())
    return set(table)


def assert_agree(used: set[str], section: str) -> None:
    """A row may stand for a family, such as ``azure-*``."""
    patterns = listed(section)
    assert [name for name in sorted(used) if not any(fnmatchcase(name, row) for row in patterns)] == [], (
        "without reason"
    )
    assert [row for row in sorted(patterns) if not any(fnmatchcase(name, row) for name in used)] == [], "not used"


def requirements() -> dict[str, list[str]]:
    """The lines of each file that is written by hand, without comments and references to other files."""
    paths = [*ROOT.glob("requirements-*.txt"), *ROOT.glob("requirements/*.in")]
    return {
        str(path.relative_to(ROOT)): [
            line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith(("#", "-r "))
        ]
        for path in paths
    }


def test_every_requirement_is_pinned_to_one_release() -> None:
    for name, lines in requirements().items():
        # What a user installs beside an Ansible of their own must leave room for what that one needs.
        loose = [line for line in lines if ">=" in line] if name == "requirements-azure.txt" else []
        assert [line for line in lines if line not in loose and not re.fullmatch(PINNED, line)] == [], name


def test_every_python_package_has_a_reason() -> None:
    used = {re.split("[=>]=", line)[0] for lines in requirements().values() for line in lines}
    assert_agree(used - {"ansible-core"}, "Development: Python")


def test_every_dependency_of_the_clients_has_a_reason() -> None:
    python = (ROOT / "clients/python/pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:requires|dependencies) = \[(.*)\]$", python, re.MULTILINE)
    used = {re.split("[=>]=", one)[0] for names in lists for one in re.findall(r'"([^"]+)"', names)}
    php = json.loads((ROOT / "clients/php/composer.json").read_text(encoding="utf-8"))["require"]
    assert len(lists) == 2
    assert_agree(used | {name for name in php if name != "php"}, "Run time: the clients of remote control")


def test_every_collection_has_a_reason_and_is_used() -> None:
    """Those whose reason begins with the word optional are for a feature that says so when they are missing."""
    listed_ones = listed("Run time: the control machine") - {"ansible-core"}
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    used = set(re.findall(r"^ *([a-z_]+\.[a-z_]+)\.[a-z_]+:", text, re.MULTILINE))
    assert used - {"ansible.builtin", "secure_ftp.server"} == listed_ones
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert set(galaxy["dependencies"]) == {name for name in listed_ones if f"| `{name}` | optional" not in PAGE}


def test_every_package_of_a_host_has_a_reason() -> None:
    used = {"ufw"}
    for path in ROOT.glob("roles/*/vars/main.yml"):
        variables = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for value in (value for name, value in variables.items() if name.endswith("_packages")):
            used |= set(value if isinstance(value, list) else re.findall(r"'([a-z0-9.+-]+)'", value)) - {"self_signed"}
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        used |= set(re.findall(r"ansible\.builtin\.apt:\n\s+name: ([a-z0-9.+-]+)\n", path.read_text(encoding="utf-8")))
    assert_agree(used, "Run time: the hosts, Debian and Ubuntu packages")


def test_every_package_of_containers_and_virtual_machines_has_a_reason() -> None:
    installers = [(ROOT / "tests" / name).read_text(encoding="utf-8") for name in ("containers/rig", "vm/build")]
    wanted = [re.findall(r"wanted=\(([^)]*)\)", text) for text in installers]
    assert_agree({word for (words,) in wanted for word in words.split()}, "Development: Debian packages")


@pytest.mark.parametrize(("text", "bound"), [("ansible-core", "2.20"), ("ansible", "13")])
def test_the_upper_bounds_are_kept(text: str, bound: str) -> None:
    pins = [
        line.partition("==")[2] for lines in requirements().values() for line in lines if line.startswith(f"{text}==")
    ]
    assert pins
    assert all([int(part) for part in pin.split(".")] < [int(part) for part in bound.split(".")] for pin in pins)
    assert f"| `{text}` | below {bound} |" in PAGE


def test_ansible_itself_warns_above_the_bound() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"].endswith(",<2.20.0")
