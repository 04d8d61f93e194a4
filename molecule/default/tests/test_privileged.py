# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that is there for something else is nobody's to change, whatever group it was put into: every front."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import inside
import pytest
from conftest import ansible

# ruff: noqa: F811
from held import NAME, PASSWORD, known_passwords, users  # noqa: F401  # pylint: disable=unused-import

ANOTHER = "another One-2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3hcCbmkGwMJe4CvSTYbJ8qHRKYZPZkqBfjWgJvzLsB"
WAYS = {
    "sudo": (f"gpasswd -a {NAME} sudo", f"gpasswd -d {NAME} sudo", "found a member of sudo"),
    "shadow": (f"gpasswd -a {NAME} shadow", f"gpasswd -d {NAME} shadow", "found a member of shadow"),
    "low uid": (f"usermod -u 611 {NAME}", f"usermod -u 60001 {NAME}", "found 611"),
    "other group": (f"usermod -g users -aG sftponly {NAME}", f"usermod -g sftponly {NAME}", "found group id 100"),
}


@pytest.fixture(params=WAYS)
def privileged(request, server, users):
    """What every refusal says about the account."""
    begin, end, why = WAYS[request.param]
    server.sh(begin)
    yield why
    server.sh(end)


STATE = "sha256sum /etc/passwd /etc/shadow /etc/group /etc/vsftpd/users.db; ls -lR /etc/ssh/sftponly_keys /home/*ftp"


def state(server) -> str:
    return server.sh(STATE).stdout


COMMANDS = (
    f"ftp-users lock {NAME}",
    f"ftp-users unlock {NAME}",
    f"ftp-users del {NAME}",
    f"ftp-users del {NAME} --remove-home",
    f"printf '{ANOTHER}\\n' | ftp-users passwd {NAME} --password-stdin",
    f"printf '{ANOTHER}\\n' | ftp-users edit {NAME} --password-stdin",
    f"ftp-users edit {NAME} --protocol ftps",
    f"ftp-users keys {NAME} add '{KEY}'",
    f"printf 'name,password\\n{NAME},{ANOTHER}\\n' | ftp-users import - --yes",
    f"printf 'name,password\\n{NAME},{ANOTHER}\\n' | ftp-users import - --dry-run",
)


@pytest.mark.spread
def test_command_and_remote_control_leave_it_alone(server, control, privileged):
    before = state(server)
    for command in COMMANDS:
        answer = server.sh(command, check=False)
        assert answer.returncode == 6 and privileged in answer.stderr, (command, answer)
        assert state(server) == before, command
    for request in (
        {"verb": "edit", "name": NAME, "password": ANOTHER},
        {"verb": "lock", "name": NAME},
        {"verb": "del", "name": NAME},
        {"verb": "keys_add", "name": NAME, "key": KEY},
    ):
        answer = control.ssh({"version": 1, **request})
        assert privileged in answer.output and answer.json["ok"] is False, (request, answer)
        assert state(server) == before, request


def run_modules(server, folder: Path, modules: list[tuple[str, dict]]) -> list[tuple[dict, str]]:
    """Run modules in one play, each of which may fail; return what each returned, and the state after it."""
    tasks = []
    for number, (name, options) in enumerate(modules):
        tasks += [
            {f"secure_ftp.server.{name}": options, "register": f"said_{number}", "ignore_errors": True},
            {"ansible.builtin.raw": f"sh -c '{STATE}'", "register": f"state_{number}"},
        ]
    numbers = range(len(modules))
    found = "[" + ",".join(f"[said_{number}, state_{number}.stdout]" for number in numbers) + "]"
    report = {"content": f"{{{{ {found} | to_json }}}}", "dest": str(folder / "answers.json")}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    tasks.append({"ansible.builtin.copy": report, "delegate_to": "localhost", "vars": here})
    play = {"hosts": "all", "gather_facts": False, "vars": inside.variables(server.name), "tasks": tasks}
    (folder / "play.json").write_text(json.dumps([play]))
    ansible("ansible-playbook", f"--inventory={server.name},", str(folder / "play.json"))
    return json.loads((folder / "answers.json").read_text())


@pytest.mark.spread
@pytest.mark.parametrize("privileged", ["sudo", "other group"], indirect=True)
def test_modules_leave_it_alone_even_when_they_purge(server, privileged, tmp_path):
    before = state(server)
    preflight = {"variables": {"sshd_chroot_directory": "/home/sftp"}}
    asked = [
        ("sftp_user", {"name": NAME, "password": ANOTHER}),
        ("sftp_user", {"name": NAME, "state": "absent", "remove_home": True}),
        ("sftp_users", {"users": [{"name": NAME, "locked": True}]}),
        ("sftp_users", {"users": [], "purge": True}),
        ("preflight", {**preflight, "users": [{"name": NAME, "password": PASSWORD}]}),
        ("preflight", {**preflight, "users": [{"name": NAME, "state": "absent"}]}),
    ]
    for one, (said, after) in zip(asked, run_modules(server, tmp_path, asked), strict=True):
        assert said["failed"] and privileged in said["msg"], (one, said)
        assert after.split() == before.split(), one
