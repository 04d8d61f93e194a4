# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon has read its files, told by what systemctl shows."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host import programs
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import State, is_outdated, states


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let systemctl show a unit in that state since ``age`` seconds."""

    def show(age: float = 60, state: str = "active", need_reload: str = "no") -> None:
        program = tmp_path / "systemctl"
        since = round((time.clock_gettime(time.CLOCK_MONOTONIC) - age) * 1e6)
        lines = f"ActiveState={state}\\nNeedDaemonReload={need_reload}\\nStateChangeTimestampMonotonic={since}\\n"
        program.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
        program.chmod(0o755)
        monkeypatch.setattr(programs, "PATH", f"{tmp_path}:{programs.PATH}")

    return show


def written(path: Path, ago: float) -> str:
    path.touch()
    os.utime(path, (time.time() - ago,) * 2)
    return str(path)


def test_a_file_written_after_the_last_reload_is_not_read_yet(tmp_path, shown):
    shown(age=60)
    old, new = written(tmp_path / "old", 70), written(tmp_path / "new", 50)
    assert not is_outdated("vsftpd", [], [old])
    assert is_outdated("vsftpd", [], [old, new])
    assert not is_outdated("vsftpd", [], [old, str(tmp_path / "missing")])


def test_a_file_restored_with_its_old_time_is_not_read_yet(tmp_path, shown):
    """cp -p, tar and rsync -a set the time of writing; nobody can set back the time of the change."""
    conf, before = tmp_path / "vsftpd.conf", written(tmp_path / "before", 7200)
    shown(age=-1)
    assert not is_outdated("vsftpd", [written(conf, 3600)])
    shown(age=60)
    shutil.copy2(before, conf)
    assert os.stat(conf).st_mtime < time.time() - 7000
    assert is_outdated("vsftpd", [str(conf)])
    assert not is_outdated("vsftpd", [str(tmp_path / "missing")])


def test_a_link_to_an_old_file_is_as_new_as_the_link(tmp_path, shown, monkeypatch):
    old, link = written(tmp_path / "old", 70), tmp_path / "link"
    link.symlink_to(old)
    real, aged = os.stat, os.stat_result(list(os.stat(old)[:7]) + [time.time() - 70] * 3)
    monkeypatch.setattr(os, "stat", lambda path, **more: aged if path == str(link) else real(path, **more))
    shown(age=60)
    assert is_outdated("vsftpd", [str(link)])


def test_a_unit_that_does_not_run_reads_everything_when_it_starts(tmp_path, shown):
    shown(state="inactive")
    assert not is_outdated("vsftpd", [written(tmp_path / "new", 1)])


def test_a_file_from_the_future_is_not_new(tmp_path, shown):
    shown()
    assert not is_outdated("vsftpd", [], [written(tmp_path / "future", -3600)])


def test_a_changed_unit_file_is_not_read_yet(shown):
    shown(need_reload="yes")
    assert is_outdated("vsftpd", [])


def test_without_systemd_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "PATH", str(tmp_path))
    assert not is_outdated("vsftpd", [written(tmp_path / "new", 1)])


def test_the_states_of_units_come_in_the_order_they_were_asked_for():
    def run(command):
        assert command[2:-1] == ["vsftpd", "nothing", "late.timer"]
        return programs.Output(
            0,
            "ActiveState=active\nUnitFileState=enabled\n\n"
            "ActiveState=inactive\nUnitFileState=\n\n"
            "ActiveState=failed\nUnitFileState=enabled\n",
        )

    assert states(["vsftpd", "nothing", "late.timer", "vsftpd"], run) == {
        "vsftpd": State(True, True),
        "nothing": State(False, False),
        "late.timer": State(False, True),
    }


def test_a_host_without_systemd_runs_nothing():
    def run(command):
        raise programs.MissingProgram("systemctl", found="it is missing")

    assert states(["ssh"], run) == {"ssh": State(False, False)} and states([], run) == {}
