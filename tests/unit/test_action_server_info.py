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

from ansible_collections.secure_ftp.server.plugins.action.server_info import added, has_changed, is_for_people

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


@pytest.mark.skipif(os.geteuid() != 0 or not PLAYBOOK.exists(), reason="runs the module as root on this machine")
def test_the_text_is_printed_in_lines_and_returned(tmp_path: Path) -> None:
    """This machine is no server, which is no failure, in check mode too."""
    answer = tmp_path / "answer.json"
    tasks = [
        {"secure_ftp.server.server_info": {"show": True}, "register": "said"},
        {"secure_ftp.server.server_info": {}},
        {
            "ansible.builtin.copy": {"content": "{{ said | to_json }}", "dest": str(answer)},
            "check_mode": False,
        },
    ]
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    (tmp_path / "inventory").write_text(f"web1 ansible_python_interpreter={sys.executable}\n")
    for options in ([], ["--check"]):
        done = subprocess.run(
            [str(PLAYBOOK), "-i", str(tmp_path / "inventory"), str(tmp_path / "play.json"), *options],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        said = json.loads(answer.read_text())
        assert said["lines"] and said["about"]["name"] == "web1" and said["changed"] is False
        assert done.stdout.count("\n".join(said["lines"])) == 1, "printed as it is, and only where show is true"
