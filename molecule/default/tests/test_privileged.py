# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that is there for something else is nobody's to change, whatever group it was put into: every front."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import inside
import pytest
from conftest import ROOT

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


def state(server) -> str:
    files = "/etc/passwd /etc/shadow /etc/group /etc/vsftpd/users.db"
    return server.sh(f"sha256sum {files}; ls -lR /etc/ssh/sftponly_keys /home/sftp /home/vftp").stdout


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


def module(server, name: str, options: dict) -> str:
    """Run a module that has to fail, and say what it said."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible"),
            server.name,
            f"--inventory={server.name},",
            f"--extra-vars={json.dumps(inside.variables(server.name))}",
            f"--module-name=secure_ftp.server.{name}",
            f"--args={json.dumps(options)}",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


@pytest.mark.spread
@pytest.mark.parametrize("privileged", ["sudo", "other group"], indirect=True)
def test_modules_leave_it_alone_even_when_they_purge(server, privileged):
    before = state(server)
    for name, options in (
        ("sftp_user", {"name": NAME, "password": ANOTHER}),
        ("sftp_user", {"name": NAME, "state": "absent", "remove_home": True}),
        ("sftp_users", {"users": [{"name": NAME, "locked": True}]}),
        ("sftp_users", {"users": [], "purge": True}),
    ):
        assert privileged in module(server, name, options), (name, options)
        assert state(server) == before, (name, options)
    variables = {"sshd_chroot_directory": "/home/sftp"}
    for entry in ({"name": NAME, "password": PASSWORD}, {"name": NAME, "state": "absent"}):
        assert privileged in module(server, "preflight", {"users": [entry], "variables": variables})
