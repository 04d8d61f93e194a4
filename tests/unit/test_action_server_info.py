# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: what the summary knows of it, and how it is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible.errors", reason="playbooks run on the control machine, with the whole of Ansible")

from doctor.test_summary import SERVER

from ansible_collections.secure_ftp.server.plugins.action.server_info import added, has_changed, is_for_people
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import as_json, brief, lines

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.mark.parametrize(
    ("variables", "changed"),
    [
        ({}, False),
        ({"__vsftpd_configs": {"changed": True, "results": []}}, True),
        ({"__vsftpd_configs": {"changed": False}, "__user_command_pages": {"changed": True}}, True),
        ({"__firewall_plan_before": {"changed": False, "pending": True}}, True),
        ({"__firewall_plan_before": {"changed": False, "pending": False}}, False),
        ({"__packages_installed": ["vsftpd"]}, True),
        ({"__packages_installed": []}, False),
        ({"__somebody_elses": {"changed": True}, "vsftpd_options": {"changed": True}}, False),
        ({"__vsftpd_options": {"changed": "{{ no }}"}, "__vsftpd_kept": ["changed"]}, False),
    ],
)
def test_what_our_roles_have_registered_says_whether_this_run_changed_anything(
    variables: dict[str, Any], changed: bool
) -> None:
    assert has_changed(variables) is changed


def test_new_users_are_those_of_this_run() -> None:
    assert added(
        {"__pam_userdb_users": {"added": ["robin", "batman"]}, "__sshd_chroot_sftp_users": {"added": ["a"]}}
    ) == [
        "a",
        "batman",
        "robin",
    ]
    assert added({"__pam_userdb_users": {"skipped": True}, "ftp_users": [{"name": "x"}]}) == []


@pytest.mark.parametrize(
    ("callback", "people"),
    [("default", True), ("ansible.builtin.default", True), ("json", False), ("ansible.posix.jsonl", False)],
)
def test_nothing_is_printed_between_the_lines_of_a_program(callback: str, people: bool) -> None:
    assert is_for_people(callback) is people


pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not PLAYBOOK.exists(), reason="runs the module on this machine")


def run(
    folder: Path, task: dict[str, Any], *options: str, twice: bool = False, **variables: Any
) -> tuple[dict[str, Any], str]:
    """What the task returns in a play with these variables, and everything that was printed."""
    report = folder / "answer.json"
    tasks = [
        {"ansible.builtin.set_fact": {"__nothing": True, **variables}},
        {"secure_ftp.server.server_info": {"show": True, **task}, "register": "said"},
        *([{"secure_ftp.server.server_info": {}}] if twice else []),
        {"ansible.builtin.copy": {"content": "{{ said | to_json }}", "dest": str(report)}, "check_mode": False},
    ]
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (folder / "play.json").write_text(json.dumps([play]))
    (folder / "inventory").write_text(f"web1 ansible_python_interpreter={sys.executable}\n")
    done = subprocess.run(
        [str(PLAYBOOK), "-i", str(folder / "inventory"), str(folder / "play.json"), *options],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    said: dict[str, Any] = json.loads(report.read_text())
    assert done.stdout.count("\n".join(said["lines"])) == 1, "printed as it is, and only where show is true"
    return said, done.stdout


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_the_text_is_printed_in_lines_and_returned(tmp_path: Path, options: list[str]) -> None:
    """Whatever this machine is: that it is no server is no failure, in check mode either."""
    said, _output = run(tmp_path, {}, *options, twice=True)
    assert said["lines"][0].startswith("web1") and said["about"]["name"] == "web1" and said["changed"] is False


def command(folder: Path, script: str) -> dict[str, Any]:
    """Variables of a run that has installed a command that does this."""
    path = folder / "ftp-users"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"user_command_path": str(path), "__user_command_installed": {"changed": False, "paths": []}}


def test_the_command_that_this_run_installed_is_asked_instead(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(json.dumps({**as_json(SERVER), "name": "files"}))
    installed = command(tmp_path, f'[ "$*" = "about --json" ] && echo Welcome && cat {tmp_path}/about.json')
    said, _output = run(tmp_path, {}, **installed)
    assert said["lines"] == brief(SERVER) and said["about"] == json.loads(json.dumps(as_json(SERVER)))
    added_now = {"__pam_userdb_users": {"changed": True, "added": ["robin"]}}
    said, _output = run(tmp_path, {}, **installed, **added_now)
    assert said["lines"] == lines(SERVER, ["robin"]), "the whole text, since this run has changed something"
    said, _output = run(tmp_path, {}, "--check", **installed)
    assert said["lines"] != brief(SERVER), "in check mode it may be an older one"


@pytest.mark.parametrize("script", ["exit 1", "echo {"])
def test_a_command_that_does_not_answer_is_replaced_by_the_module(tmp_path: Path, script: str) -> None:
    said, _output = run(tmp_path, {}, **command(tmp_path, script))
    assert said["about"]["name"] == "web1" and "findings" in said["about"]
