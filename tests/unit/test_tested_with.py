"""What docs/tested-with.md and the README say is tested is what runs: rig, workflow and Molecule against the page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from ansible_collections.secure_ftp.server.plugins.module_utils._core.releases import RELEASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tested-with.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
TESTS = ROOT / "molecule" / "default" / "tests"


def platforms() -> list[str]:
    """What Molecule runs on, as the rig says."""
    answer = subprocess.run(
        [str(ROOT / "tests" / "containers" / "rig"), "platforms"], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


def test_the_page_names_every_platform_of_the_rig_and_no_other() -> None:
    table = PAGE.split("<!-- platforms:begin -->")[1].split("<!-- platforms:end -->")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == platforms()


def test_the_workflow_runs_every_platform() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["molecule"]["strategy"]["matrix"]["platform"] == platforms()


def test_molecule_runs_every_platform_unless_it_is_told_otherwise() -> None:
    runner = (ROOT / "tests" / "containers" / "molecule").read_text(encoding="utf-8")
    assert 'platforms=${SECURE_FTP_PLATFORMS:-$("$rig" platforms)}' in runner


def test_every_supported_release_has_a_platform_and_real_ubuntu_comes_first() -> None:
    named = [platform for platform in platforms() if not platform.endswith("-alike")]
    assert set(named) == {release.os_id + release.version.replace(".", "") for release in RELEASES}
    assert [name.startswith("ubuntu") for name in named] == [True] * 3 + [False] * 3


def test_look_alikes_are_called_so_wherever_they_are_named() -> None:
    for path in (ROOT / "tests" / "containers").glob("Containerfile.*-alike"):
        text = path.read_text(encoding="utf-8")
        assert "look-alike of Ubuntu" in text and "which it is not" in text and "look-alike\"'" in text, path
    assert "A look-alike is not Ubuntu" in PAGE
    assert "look-alikes" in README


def test_what_is_said_to_run_on_a_look_alike_has_tests_there() -> None:
    said = set(re.findall(r"Molecule, on `([a-z-]+)`", PAGE))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.glob("test_*.py"))
    assert said == {platform for platform in platforms() if platform.endswith("-alike")}
    for platform in said:
        assert re.search(rf"mark\.only\([^)]*\"{platform}\"", tests)
    assert tests.count("@pytest.mark.alike") >= 10


def test_every_make_target_that_the_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", PAGE))
    assert named and named <= targets


def test_what_is_said_of_the_virtual_machine_is_what_its_tests_are() -> None:
    vm = ROOT / "tests" / "vm"
    section = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").split("## Power cuts")[1]
    named = re.findall(r"^\| `(test_\w+\.py)` \|", section, re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in vm.glob("test_*.py"))
    default = re.findall(r'"SECURE_FTP_CUTS", "(\d+)"', (vm / "conftest.py").read_text(encoding="utf-8"))
    row = next(line for line in PAGE.splitlines() if "`make vm`" in line)
    assert default and f" {default[0]} power cuts" in row
    assert ("ssh.socket" in row) == ("ssh.socket" in (vm / "test_server.py").read_text(encoding="utf-8"))
