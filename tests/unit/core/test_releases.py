# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of releases: complete, the only one, and read the same way on the host and from facts."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.releases import RELEASES, Release

ROOT = Path(__file__).resolve().parents[3]
CODENAMES = {
    **{"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13"},
    **{"focal": "Ubuntu 20.04", "jammy": "Ubuntu 22.04", "noble": "Ubuntu 24.04"},
}


def by_name(name: str) -> Release:
    return next(release for release in RELEASES if release.name == name)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_field_is_filled_and_comparable(release: Release) -> None:
    assert releases.find(release.os_id, release.version) is release
    assert release.name.lower() == f"{release.os_id} {release.version}"
    for field in releases.PACKAGES:
        assert re.fullmatch(r"\d+(\.\d+)*", getattr(release, field)), field
    assert {field.name for field in fields(Release)} - {"os_id", "version", "name"} == set(releases.PACKAGES)


def test_what_each_release_lacks() -> None:
    assert [release.name for release in RELEASES if release.ignores_match_in_drop_ins] == ["Ubuntu 20.04"]
    assert [release.name for release in RELEASES if release.misreads_hashes] == ["Ubuntu 22.04"]
    assert [len(by_name(name).lacks) for name in ("Debian 12", "Ubuntu 20.04", "Ubuntu 22.04", "Debian 13")] == [
        0,
        1,
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (("Debian", "12.15", "12"), "Debian 12"),
        (("Debian", "13", "13"), "Debian 13"),
        (("Ubuntu", "20.04", "20"), "Ubuntu 20.04"),
        (("Ubuntu", "24.04", "24"), "Ubuntu 24.04"),
    ],
)
def test_facts_of_a_supported_release(facts: tuple[str, str, str], name: str) -> None:
    found = releases.of_facts(dict(zip(("distribution", "distribution_version", "distribution_major_version"), facts)))
    assert found["problem"] == "" and found["name"] == name and found["vsftpd"] == by_name(name).vsftpd


@pytest.mark.parametrize("facts", [("Debian", "10.13", "10"), ("Ubuntu", "23.10", "23"), ("Fedora", "40", "40")])
def test_facts_of_another_release(facts: tuple[str, str, str]) -> None:
    found = releases.of_facts(dict(zip(("distribution", "distribution_version", "distribution_major_version"), facts)))
    assert "expected Debian 11, 12, 13 or Ubuntu 20.04, 22.04, 24.04, found " + facts[0] in found["problem"]
    assert found["vsftpd"] == ""


def test_no_facts_are_no_release() -> None:
    assert "found an unknown system" in releases.of_facts({})["problem"]


def test_os_release(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text("# comment\nID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\nbroken\n")
    settings = releases.read_os_release([str(tmp_path / "none"), str(path)])
    assert settings["ID"] == "debian" and settings["VERSION_ID"] == "12" and settings["PRETTY_NAME"] == "Debian 12"
    assert releases.read_os_release([str(tmp_path / "none")]) == {}


def test_the_roles_say_the_same_releases() -> None:
    for path in ROOT.glob("roles/*/meta/main.yml"):
        platforms = yaml.safe_load(path.read_text(encoding="utf-8"))["galaxy_info"]["platforms"]
        named = {CODENAMES[version] for platform in platforms for version in platform["versions"]}
        assert named == {release.name for release in RELEASES}, path


def test_there_is_no_second_list() -> None:
    """A version of a release that stands anywhere else would be forgotten when one is added."""
    pattern = re.compile(r"[\"'](?:20|22|24)\.04[\"']")
    files = [path for folder in ("plugins", "roles", "playbooks") for path in (ROOT / folder).rglob("*.*")]
    found = [path.name for path in files if path.suffix in (".py", ".yml", ".j2") and pattern.search(path.read_text())]
    assert found == ["releases.py"]
