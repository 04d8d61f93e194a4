# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command is installed from the library that runs, one whole version at a time."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import installer as _install
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import (
    Installation,
    install,
    library_files,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the command belongs to root")


@pytest.fixture
def where(tmp_path: Path) -> Installation:
    return Installation(str(tmp_path / "sbin" / "ftp-users"), str(tmp_path / "lib"), str(tmp_path / "etc" / "users"))


def versions(where: Installation) -> list[str]:
    return sorted(os.listdir(where.library))


def test_the_command_runs_without_ansible_and_without_this_tree(where: Installation, tmp_path: Path) -> None:
    paths = install(where, "_command.main")
    assert [Path(path).name for path in paths[1:]] == ["ftp-users", "users"]
    done = subprocess.run([where.link or "", "--help"], capture_output=True, text=True, cwd="/", env={}, check=True)
    assert done.stdout.startswith("usage: ftp-users ")
    words = [where.command, "keys", "batman", "add", "--json"]
    failed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and json.loads(failed.stdout)["error"]["code"] == "invalid", "nothing stays unwritten"
    assert not any("ansible.module_utils" in source for source in library_files("_command.main").values())
    assert install(where, "_command.main") == []


@pytest.mark.once
def test_check_mode_says_the_same_and_does_nothing(where: Installation, tmp_path: Path) -> None:
    planned = install(where, "_command.main", check_mode=True)
    assert os.listdir(tmp_path) == []
    assert install(where, "_command.main") == planned


@pytest.mark.once
def test_a_new_version_replaces_the_old_one(where: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    install(where, "_command.main")
    before = versions(where)
    files = library_files("_command.main")
    monkeypatch.setattr(
        _install, "library_files", lambda entry: {**files, "_users/names.py": files["_users/names.py"] + "# new\n"}
    )
    assert where.command in install(where, "_command.main")
    assert len(versions(where)) == 1 and versions(where) != before


@pytest.mark.once
def test_what_was_changed_by_hand_is_put_right(where: Installation) -> None:
    install(where, "_command.main")
    (version,) = versions(where)
    victim = next(Path(where.library, version).rglob("_users/names.py"))
    victim.write_text("raise SystemExit(1)\n")
    os.chmod(where.command, 0o644)
    assert install(where, "_command.main") == [str(Path(where.library, version)), where.command]
    subprocess.run([where.command, "--help"], capture_output=True, check=True)


@pytest.mark.once
def test_a_script_in_the_place_of_the_link_is_kept(where: Installation) -> None:
    script = Path(where.link or "")
    script.parent.mkdir()
    script.write_text("#!/usr/bin/perl\n")
    install(where, "_command.main")
    assert script.is_symlink() and _copies(script) == ["#!/usr/bin/perl\n"]


def _copies(path: Path) -> list[str]:
    return [copy.read_text() for copy in path.parent.glob(f"{path.name}.*~")]


@pytest.mark.once
def test_a_command_of_somebody_else_is_kept_and_an_older_one_of_ours_is_not(where: Installation) -> None:
    command = Path(where.command)
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text("#!/bin/sh\necho theirs\n")
    install(where, "_command.main")
    assert _copies(command) == ["#!/bin/sh\necho theirs\n"]
    command.write_text(command.read_text() + "# an older version\n")
    install(where, "_command.main")
    assert len(_copies(command)) == 1


@pytest.mark.once
def test_a_directory_in_the_place_of_the_link_is_an_error(where: Installation) -> None:
    Path(where.link or "").mkdir(parents=True)
    with pytest.raises(SecureFtpError, match="found a directory; move it away"):
        install(where, "_command.main")


def test_a_part_that_is_missing_is_named(monkeypatch: Any) -> None:
    with pytest.raises(SecureFtpError, match="_core.nothing: expected the source"):
        library_files("_core.nothing")
    with pytest.raises(SecureFtpError, match="_nothing.main: expected the source"):
        library_files("_nothing.main")
