# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor finds about shared folders, on a host that is as listed and then broken in one way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folders.test_plan import LAYOUT, RIGHTS, accounts, ready

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.folders import examined_folder, folder_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import unit_files
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry


def findings(stored: Any) -> list[tuple[str, str, str]]:
    return [(one.subject, one.what, one.fix) for one in examined_folder(stored, "projects")]


def test_a_folder_as_listed_has_no_finding() -> None:
    assert findings(ready()) == []


def test_a_host_without_folders_is_asked_nothing(tmp_path: Path) -> None:
    def run(_command: Any) -> Any:
        raise AssertionError

    assert list(folder_findings(run, str(tmp_path))) == []


@pytest.mark.parametrize(
    ("changes", "subject", "said"),
    [
        ({"running": False}, "folder-unmounted", "ftp-shared-projects.service is not running"),
        ({"mounted": RIGHTS - {("ro", "alfred")}}, "folder-unmounted", "not mounted for alfred"),
        ({"mounted": RIGHTS - {("rw", "robin")} | {("ro", "robin")}}, "folder-unmounted", "not mounted for robin"),
        ({"at_boot": False}, "folder-units", "not enabled"),
        ({"files": {}}, "folder-units", "ftp-shared-projects-ro@.service"),
        (
            {"files": {**unit_files("projects", LAYOUT), "ftp-shared-projects.service": "[Unit]"}},
            "folder-units",
            "ftp-shared-projects.service: missing or changed",
        ),
        ({"links": RIGHTS - {("ro", "alfred")}}, "folder-units", "mounted for alfred, but not enabled"),
        ({"source": Entry("a directory", 980, 980, 0o755)}, "folder-files", "mode 0755"),
        ({"source": Entry("a directory", 0, 0, 0o700)}, "folder-files", "uid 0"),
        ({"source": None}, "folder-files", "found nothing"),
    ],
)
def test_what_is_broken_is_found(changes: dict[str, Any], subject: str, said: str) -> None:
    found = [one for one in findings(ready(**changes)) if one[0] == subject]
    assert len(found) == 1 and said in found[0][1]


def test_the_fix_of_a_mount_restarts_the_unit_of_that_user() -> None:
    ((_subject, _what, fix),) = findings(ready(mounted=RIGHTS - {("ro", "alfred")}))
    assert fix == "systemctl restart ftp-shared-projects-ro@alfred.service"


def test_a_group_with_a_stranger_is_found() -> None:
    stored = replace(ready(), accounts=accounts(("batman", "robin", "joker")))
    ((subject, what, fix),) = findings(stored)
    assert subject == "folder-group" and "joker" in what
    assert fix == "gpasswd --members batman,robin ftpshare-projects"


def test_a_folder_for_nobody_is_found() -> None:
    ((subject, what, fix),) = findings(ready(links=RIGHTS | {("ro", "joker")}))
    assert subject == "folder-nobody" and "joker: no such account" in what
    assert fix == "systemctl disable --now ftp-shared-projects-ro@joker.service"


def test_files_of_root_are_found(tmp_path: Path) -> None:
    (tmp_path / "projects" / "sub").mkdir(parents=True)
    (tmp_path / "projects" / "sub" / "file").write_text("x")
    layout = LAYOUT._replace(sources=str(tmp_path))
    mine = os.getuid()
    stored = replace(ready(files=unit_files("projects", layout)), layout=layout)
    users = {**stored.accounts.users}
    users["ftpshare-projects"] = users["ftpshare-projects"]._replace(uid=mine + 1)
    stored = replace(stored, accounts=replace(stored.accounts, users=users))
    stored.folders["projects"] = stored.found("projects")._replace(  # type: ignore[index]
        source=Entry("a directory", mine + 1, 980, 0o700)
    )
    ((subject, what, fix),) = findings(stored)
    assert subject == "folder-foreign-files" and "projects/sub" in what
    assert fix == f"chown -hR ftpshare-projects: {tmp_path}/projects"
