# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several files of root's in one task: only what differs is written, and nothing of others is lost."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.secure_ftp.server.plugins.modules import system_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is written is root's")
OURS = "# Managed by Ansible (role secure_ftp.server.vsftpd): changes made here are lost.\n"


def run(capsys: pytest.CaptureFixture[str], check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    with patch_module_args({**arguments, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
        system_files.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_differs_is_made_in_one_go_and_the_rest_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()
    there.chmod(0o750)
    unit, timer = made / "a.service", made / "a.timer"
    wanted = {
        "directories": [{"path": str(there), "mode": "0700"}, {"path": str(made)}],
        "files": [{"path": str(unit), "content": OURS}, {"path": str(timer), "content": "[Timer]\n", "mode": "0600"}],
    }
    foretold = run(capsys, check_mode=True, **wanted)
    assert foretold["changed"] and not made.exists()
    done = run(capsys, **wanted)
    assert done["paths"] == foretold["paths"] == [str(made), str(unit), str(timer)]
    assert (mode_of(there), mode_of(made), mode_of(unit), mode_of(timer)) == (0o750, 0o755, 0o644, 0o600)
    assert unit.read_text() == OURS and timer.read_text() == "[Timer]\n"
    assert run(capsys, **wanted)["changed"] is False

    inode = timer.stat().st_ino
    unit.chmod(0o666)
    again = run(capsys, **wanted)
    assert again["paths"] == [str(unit)] and mode_of(unit) == 0o644 and timer.stat().st_ino == inode
    unit.write_text("other\n")
    (shown,) = run(capsys, **wanted)["diff"]
    assert (shown["before_header"], shown["before"], shown["after"]) == (str(unit), "other\n", OURS)


def test_a_diff_of_a_long_page_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page"
    for old, new in ((None, "a\n" * 200), ("a\n" * 200, "b\n" * 200)):
        wanted = {"files": [{"path": str(page), "content": new, "diff": False}]}
        (shown,) = run(capsys, **wanted)["diff"]
        assert shown["after"].startswith("(200 lines, SHA-256 ") and shown["after"].count("\n") == 1
        assert shown["before"].startswith("(200 lines, SHA-256 " if old else "") and shown["before"] != shown["after"]
        assert shown["before_header"] == str(page) and page.read_text() == new


def test_a_copy_stays_of_what_somebody_else_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service, absent = tmp_path / "vsftpd.virtual", tmp_path / "absent"
    service.write_bytes(b"auth required pam_unix.so \xff\r\n")
    wanted = {"keep": [str(service), str(absent)], "files": [{"path": str(service), "content": OURS}]}
    assert run(capsys, check_mode=True, **wanted)["copies"] == [] and list(tmp_path.iterdir()) == [service]
    (copy,) = run(capsys, **wanted)["copies"]
    assert Path(copy).read_bytes() == b"auth required pam_unix.so \xff\r\n"
    assert service.read_text() == OURS and not absent.exists()
    wanted["files"][0]["content"] = OURS + "auth required pam_deny.so\n"
    assert run(capsys, **wanted)["copies"] == [], "the file is ours by now"


def test_a_file_that_is_only_to_be_there_stays_and_others_are_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service, link = tmp_path / "service", tmp_path / "link"
    link.symlink_to("nowhere")
    wanted = {
        "files": [{"path": str(service), "content": "deny\n", "replace": False}],
        "look_for": [str(link), str(service), str(tmp_path / "absent")],
    }
    assert run(capsys, check_mode=True, **wanted)["there"] == [str(link)]
    done = run(capsys, **wanted)
    assert done["changed"] and done["there"] == [str(link), str(service)] and done["links"] == [str(link)]
    assert service.read_text() == "deny\n"
    service.write_text("allow\n")
    assert not run(capsys, **wanted)["changed"] and service.read_text() == "allow\n"


@pytest.mark.parametrize(("mode", "there"), [("rw-r--r--", "expected an octal mode"), ("0644", "symbolic link")])
def test_a_bad_mode_and_a_link_are_refused(
    mode: str, there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("untouched")
    link.symlink_to(real)
    refused = run(capsys, files=[{"path": str(link), "content": "new", "mode": mode}])
    assert refused["failed"] and str(link) in refused["msg"] and there in refused["msg"]
    assert real.read_text() == "untouched" and link.is_symlink()
