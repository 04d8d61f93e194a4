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


OF_OTHERS = {"vsftpd_port": "{{ undefined }}", "firewall_backend": "x", "pam_userdb_db": "users.db"}
OF_A_GROUP = {
    "a_port": "ftp",
    "vsftpd_port": "{{ a_port }}",
    "vsftpd_pasv_min_port": "{{ nobody_defines_this }}",
    "vsftpd_private_key_content": SECRET,
    "vsftpd_prot": 1,
    "firewall_confirm_timeout": 30,
    "ftp_users": [{"name": "batman", "password": "{{ hidden_word }}", "protcols": []}],
    "hidden_word": "Gotham-City!",
}
# One run for many tests: what takes its time is the start of Ansible.
HANDED_OVER = {
    "templated": ("preflight", {"as_data": True}, {"hosts": "first"}),
    "defaults": (
        "preflight",
        {"as_data": True},
        {
            "roles": [{"role": "secure_ftp.server.sshd_chroot", "tags": ["never"]}],
            "vars": {"sshd_chroot_keys_directory": "/home/{{ 'sftp' }}/keys"},
        },
    ),
    "a role alone": ("preflight", {"as_data": True, "roles": ["pam_userdb"]}, {"vars": OF_OTHERS}),
    "no role": ("preflight", {"as_data": True, "roles": []}, {"vars": {**OF_OTHERS, "ftp_users_purge": "maybe"}}),
    "given": (
        "preflight",
        {"as_data": True, "variables": {"vsftpd_implicit_port": 0}},
        {"vars": {"vsftpd_port": "ftp", "ftp_users": "nobody"}},
    ),
    "without FTPS": (
        "preflight",
        {"as_data": True, "configurations": {"/etc/vsftpd.conf": {}}, "run_roles": ["vsftpd", "sshd_chroot"]},
        {"vars": {**OF_OTHERS, "vsftpd_port": 0, "ftp_protocols": ["sftp"], "vsftpd_tls_modes": []}},
    ),
    "a message": ("preflight", {"roles": ["vsftpd"]}, {"vars": {"vsftpd_port": "ftp"}}),
}
PORT_PLAN = {
    "in words": (
        "firewall_plan",
        {},
        {"vars": {"firewall_backend": "none", "vsftpd_port": "{{ a_port }}", "a_port": 2121, "vsftpd_listen": "x"}},
    ),
    "undefined": (
        "firewall_plan",
        {},
        {"vars": {"firewall_backend": "none", "vsftpd_port": "{{ nobody_defines_this }}"}},
    ),
}
"""By name: a module of the collection, its options, and what else the play has in which it runs."""


def answers(folder: Path, plays: dict[str, Any], *arguments: str) -> tuple[dict[str, dict[str, Any]], str]:
    """What each module returns in its play, on this machine, and everything that was printed."""
    playbook = []
    for name, (module, options, more) in plays.items():
        report = {"content": "{{ found | to_json }}", "dest": str(folder / f"{name}.json")}
        tasks = [
            {f"secure_ftp.server.{module}": options, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": report},
        ]
        playbook.append({"hosts": "second", "gather_facts": False, "tasks": tasks, **more})
    (folder / "play.json").write_text(json.dumps(playbook))
    here = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (folder / "inventory").write_text(f"[first]\none {here}\n[second]\ntwo {here}\n")
    done = subprocess.run(
        [str(PLAYBOOK), "-vvv", "-i", str(folder / "inventory"), str(folder / "play.json"), *arguments],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in plays}, done.stdout


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], str]:
    folder = tmp_path_factory.mktemp("handed-over")
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "first.json").write_text(json.dumps(OF_A_GROUP))
    return answers(folder, HANDED_OVER, "-e", "firewall_confirm_timeout=1")


@pytest.fixture(scope="module")
def port_plan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return answers(tmp_path_factory.mktemp("port-plan"), PORT_PLAN, "-e", "firewall_ssh_port=22")[0]


def subjects(found: dict[str, Any]) -> dict[str, Any]:
    return {problem["subject"]: problem for problem in found["problems"]}


def test_everything_is_handed_over_templated_and_what_is_undefined_is_one_problem(handed_over: Any) -> None:
    found, printed = handed_over
    by_subject = subjects(found["templated"])
    assert by_subject["vsftpd_port"]["expected"] == "a port from 1 to 65535"
    assert by_subject["vsftpd_port"]["found"] == "'ftp'"
    assert "nobody_defines_this" in by_subject["vsftpd_pasv_min_port"]["found"]
    assert by_subject["firewall_confirm_timeout"]["found"] == "1", "-e wins, as everywhere"
    assert "did you mean vsftpd_port?" in by_subject["vsftpd_prot"]["remedy"]
    assert "unknown key protcols" in by_subject["ftp_users[0] ('batman')"]["found"]
    assert "Gotham-City!" not in printed and "c2VjcmV0" not in printed


def test_the_defaults_of_the_roles_of_a_play_are_handed_over(handed_over: Any) -> None:
    found = subjects(handed_over[0]["defaults"])
    assert "sshd_chroot_keys_directory" in found, "it lies in the default of sshd_chroot_directory"


def test_a_role_alone_is_not_asked_about_the_variables_of_others(handed_over: Any) -> None:
    alone, nobody = subjects(handed_over[0]["a role alone"]), subjects(handed_over[0]["no role"])
    assert "pam_userdb_db" in alone and not {"vsftpd_port", "firewall_backend"} & set(alone)
    assert "ftp_users_purge" in nobody and not {"pam_userdb_db", "firewall_backend"} & set(nobody)


def test_a_server_without_ftps_is_not_asked_about_its_roles(handed_over: Any) -> None:
    found = subjects(handed_over[0]["without FTPS"])
    assert "firewall_backend" in found
    assert not {"vsftpd_port", "vsftpd_tls_modes", "pam_userdb_db", "ftp_protocols"} & set(found)


def test_values_that_a_task_gives_are_what_is_looked_at(handed_over: Any) -> None:
    found = subjects(handed_over[0]["given"])
    assert "vsftpd_implicit_port" in found and not {"vsftpd_port", "ftp_users"} & set(found)


def test_a_problem_is_in_the_message_alone_unless_it_is_asked_for_as_data(handed_over: Any) -> None:
    """Ansible prints everything that a failed task returns."""
    found = handed_over[0]["a message"]
    said = [name for name, value in found.items() if "a port from 1 to 65535" in str(value)]
    # Since 2.19 a failed task that is registered also has the error as Ansible shows it.
    assert found["failed"] and set(said) <= {"msg", "exception"} and "msg" in said, said


def test_the_port_plan_reads_the_variables_of_the_play(port_plan: Any) -> None:
    answer = port_plan["in words"]
    assert answer["variables"] == {"firewall_backend": "none", "firewall_ssh_port": "22", "vsftpd_port": 2121}
    assert "allow in tcp 2121 from any (FTPS explicit TLS)" in answer["in_words"]


def test_the_port_plan_names_a_variable_without_a_value(port_plan: Any) -> None:
    answer = port_plan["undefined"]
    assert answer["failed"] and answer["msg"].startswith("vsftpd_port: ") and "nobody_defines_this" in answer["msg"]
