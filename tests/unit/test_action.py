# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play hands to our modules without a list of variables in the playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
pytestmark = pytest.mark.skipif(not PLAYBOOK.exists(), reason="playbooks run on the control machine")
SECRET = "-----BEGIN PRIVATE KEY----- c2VjcmV0"


def details(tmp_path: Path, task: dict[str, Any], play: dict[str, Any], *arguments: str) -> tuple[list[Any], str]:
    """What ``preflight`` finds in a play of this machine, as data, and everything that was printed of it."""
    found, printed = answer_of("preflight", tmp_path, {**task, "as_data": True}, play, *arguments)
    return found["problems"], printed


def answer_of(
    module: str, tmp_path: Path, task: dict[str, Any], play: dict[str, Any], *arguments: str
) -> tuple[dict[str, Any], str]:
    """What ``module`` of the collection returns in a play of this machine, and everything that was printed of it."""
    answer = tmp_path / "answer.json"
    report = {"content": "{{ found | to_json }}", "dest": str(answer)}
    tasks = [
        {f"secure_ftp.server.{module}": task, "register": "found", "ignore_errors": True},
        {"ansible.builtin.copy": report},
    ]
    host = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks, **play}
    playbook = tmp_path / "play.json"
    playbook.write_text(json.dumps([host]))
    (tmp_path / "inventory").write_text(f"localhost ansible_python_interpreter={sys.executable}\n")
    done = subprocess.run(
        [str(PLAYBOOK), "-vvv", "-i", str(tmp_path / "inventory"), str(playbook), *arguments],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(answer.read_text())
    return found, done.stdout


def subjects(found: list[Any]) -> dict[str, Any]:
    return {problem["subject"]: problem for problem in found}


def test_everything_is_handed_over_templated_and_what_is_undefined_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.json").write_text(
        json.dumps(
            {
                "a_port": "ftp",
                "vsftpd_port": "{{ a_port }}",
                "vsftpd_pasv_min_port": "{{ nobody_defines_this }}",
                "vsftpd_private_key_content": SECRET,
                "vsftpd_prot": 1,
                "firewall_confirm_timeout": 30,
                "ftp_users": [{"name": "batman", "password": "{{ hidden_word }}", "protcols": []}],
                "hidden_word": "Gotham-City!",
            }
        )
    )
    found, printed = details(tmp_path, {}, {}, "-e", "firewall_confirm_timeout=1")
    by_subject = subjects(found)
    assert by_subject["vsftpd_port"]["expected"] == "a port from 1 to 65535"
    assert by_subject["vsftpd_port"]["found"] == "'ftp'"
    assert "nobody_defines_this" in by_subject["vsftpd_pasv_min_port"]["found"]
    assert by_subject["firewall_confirm_timeout"]["found"] == "1", "-e wins, as everywhere"
    assert "did you mean vsftpd_port?" in by_subject["vsftpd_prot"]["remedy"]
    assert "unknown key protcols" in by_subject["ftp_users[0] ('batman')"]["found"]
    assert "Gotham-City!" not in printed and "c2VjcmV0" not in printed


def test_the_defaults_of_the_roles_of_a_play_are_handed_over(tmp_path: Path) -> None:
    role = {"role": "secure_ftp.server.sshd_chroot", "tags": ["never"]}
    play = {"roles": [role], "vars": {"sshd_chroot_keys_directory": "/home/{{ 'sftp' }}/keys"}}
    found, _printed = details(tmp_path, {}, play)
    assert "sshd_chroot_keys_directory" in subjects(found), "it lies in the default of sshd_chroot_directory"


def test_a_role_alone_is_not_asked_about_the_variables_of_others(tmp_path: Path) -> None:
    play = {"vars": {"vsftpd_port": "{{ undefined }}", "firewall_backend": "x", "pam_userdb_db": "users.db"}}
    alone = subjects(details(tmp_path, {"roles": ["pam_userdb"]}, play)[0])
    assert "pam_userdb_db" in alone and not {"vsftpd_port", "firewall_backend"} & set(alone)
    nobody = subjects(details(tmp_path, {"roles": []}, {"vars": {**play["vars"], "ftp_users_purge": "maybe"}})[0])
    assert "ftp_users_purge" in nobody and not {"pam_userdb_db", "firewall_backend"} & set(nobody)


def test_values_that_a_task_gives_are_what_is_looked_at(tmp_path: Path) -> None:
    play = {"vars": {"vsftpd_port": "ftp", "ftp_users": "nobody"}}
    found = subjects(details(tmp_path, {"variables": {"vsftpd_implicit_port": 0}}, play)[0])
    assert "vsftpd_implicit_port" in found and not {"vsftpd_port", "ftp_users"} & set(found)


def test_a_problem_is_in_the_message_alone_unless_it_is_asked_for_as_data(tmp_path: Path) -> None:
    """Ansible prints everything that a failed task returns."""
    play = {"vars": {"vsftpd_port": "ftp"}}
    found, _printed = answer_of("preflight", tmp_path, {"roles": ["vsftpd"]}, play)
    said = [name for name, value in found.items() if "a port from 1 to 65535" in str(value)]
    # Since 2.19 a failed task that is registered also has the error as Ansible shows it.
    assert found["failed"] and set(said) <= {"msg", "exception"} and "msg" in said, said


def test_the_port_plan_reads_the_variables_of_the_play(tmp_path: Path) -> None:
    play = {"vars": {"firewall_backend": "none", "vsftpd_port": "{{ a_port }}", "a_port": 2121, "vsftpd_listen": "x"}}
    answer, _printed = answer_of("firewall_plan", tmp_path, {}, play, "-e", "firewall_ssh_port=22")
    assert answer["variables"] == {"firewall_backend": "none", "firewall_ssh_port": "22", "vsftpd_port": 2121}
    assert "allow in tcp 2121 from any (FTPS explicit TLS)" in answer["in_words"]


def test_the_port_plan_names_a_variable_without_a_value(tmp_path: Path) -> None:
    play = {"vars": {"firewall_backend": "none", "vsftpd_port": "{{ nobody_defines_this }}"}}
    answer, _printed = answer_of("firewall_plan", tmp_path, {}, play)
    assert answer["failed"] and answer["msg"].startswith("vsftpd_port: ") and "nobody_defines_this" in answer["msg"]
