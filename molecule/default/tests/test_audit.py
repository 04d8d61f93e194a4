# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who did what: each change, refused ones too, is one line in the log of a real host that nobody can forge.

The line is read where an administrator reads it: in the journal, and in auth.log where a syslog daemon writes one.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import Any

import pytest
from conftest import run_module, wait_until
from logged import LINE, Log

NAME = "harvey"
FIRST = "Two-Face%1 coin toss"
SECOND = "two-face%2 COIN toss"
OLIVIA = "olivia"


def brief(found: re.Match[str]) -> tuple[str, str, str, str]:
    """By what, what, whom, with what result."""
    front = found["front"] or f"client {ast.literal_eval(found['client'])}"
    return front, found["verb"], found["users"] or "", found["result"]


def who(found: re.Match[str]) -> set[str]:
    """Who did it: a session of a log-in adds its own name to that of sudo."""
    return set(ast.literal_eval(found["by"]).split(","))


@pytest.fixture(autouse=True)
def users(server):
    """Nobody of that name before and after; an administrator who may run the command with sudo, and nothing else."""
    sudoers = "/etc/sudoers.d/olivia-audit"
    clear = f"ftp-users del {NAME} --remove-home 2>/dev/null; rm -rf {' '.join(server.homes(NAME))}"
    server.sh(
        f"{clear}\nid {OLIVIA} 2>/dev/null || useradd --create-home {OLIVIA}\n"
        f"echo '{OLIVIA} ALL=(root) NOPASSWD: /usr/local/sbin/ftp-users' >{sudoers}; chmod 0440 {sudoers}"
    )
    yield
    server.sh(f"{clear}\nuserdel --remove {OLIVIA} 2>/dev/null; rm -f {sudoers}")


def sudo(server, *words: str, stdin: str = "") -> int:
    """Let the administrator run the command; return its status."""
    line = f"printf %s {shlex.quote(stdin)} | runuser -u {OLIVIA} -- sudo -n ftp-users {shlex.join(words)}"
    status: int = server.sh(line, check=False).returncode
    return status


def secrets(server, user: str = NAME) -> list[str]:
    """What must be in no line: the passwords, their parts, the stored hashes."""
    stored = server.sh(
        f"getent shadow {user} | cut -d: -f2; db_dump -p /etc/vsftpd/users.db | grep -A1 '^ {user}$' | tail -n 1"
    ).stdout.split()
    hashes = [part for value in stored for part in value.split("$")[-2:] if len(part) > 10]
    assert len(hashes) == 4, "salt and hash of both protocols"
    return [FIRST, SECOND, FIRST.split()[0], SECOND.split()[0], "$6$", *hashes]


def test_the_command_names_who_called_sudo(server):
    log = Log(server)
    assert sudo(server, "add", NAME, "--password-stdin", stdin=FIRST) == 0
    assert sudo(server, "passwd", NAME, "--password-stdin", stdin=SECOND) == 0
    hidden = secrets(server)
    assert sudo(server, "lock", NAME) == 0
    assert sudo(server, "lock", NAME) == 0, "changes nothing, so it is no line"
    assert sudo(server, "add", NAME, "--password-stdin", stdin=FIRST) == 4
    assert sudo(server, "edit", NAME, "--hash-stdin", stdin=f"{FIRST}\n") == 2, "a password where a hash belongs"
    assert sudo(server, "passwd", "nobody-here", "--password-stdin", stdin=FIRST) == 3
    assert sudo(server, "del", NAME) == 0
    lines = log.wait(7)
    assert [brief(line) for line in lines] == [
        ("command", "add", f"'{NAME}'", "added"),
        ("command", "edit", f"'{NAME}'", "changed"),
        ("command", "edit", f"'{NAME}'", "changed"),
        ("command", "add", f"'{NAME}'", "exists"),
        ("command", "edit", f"'{NAME}'", "invalid"),
        ("command", "edit", "'nobody-here'", "no_such_user"),
        ("command", "del", f"'{NAME}'", "removed"),
    ]
    assert all(OLIVIA in who(line) for line in lines), lines
    everything = json.dumps(log.messages()) + (log.auth() or "")
    for secret in hidden:
        assert secret not in everything


@pytest.mark.spread
def test_a_module_is_named_with_what_it_did_and_what_it_was_refused(server, key_file, tmp_path):
    public = server.client.sh(f"ssh-keygen -y -f {key_file}").stdout.strip()
    log = Log(server)
    options = {"name": NAME, "password": "{{ the_password }}", "authorized_keys": [public]}
    assert "CHANGED" in run_module(server, "ftp_user", options, FIRST, tmp_path)
    for name in ("ftp_user", "sftp_user"):
        assert "SUCCESS" in run_module(server, name, options, FIRST, tmp_path)
    hidden = secrets(server)
    options = {"name": NAME, "password": "{{ the_password }}"}
    assert "CHANGED" in run_module(server, "sftp_user", options, SECOND, tmp_path)
    hidden += secrets(server)
    with pytest.raises(AssertionError, match=OLIVIA):  # an account of the host is not one of ours
        run_module(server, "sftp_user", {"name": OLIVIA, "password": "{{ the_password }}"}, FIRST, tmp_path)
    run_module(server, "ftp_user", {"name": NAME, "state": "absent"}, FIRST, tmp_path)
    lines = log.wait(4)
    assert [brief(line) for line in lines[:2] + lines[3:]] == [
        ("ftp_user", "apply", f"'{NAME}'", "added"),
        ("sftp_user", "apply", f"'{NAME}'", "changed"),
        ("ftp_user", "apply", f"'{NAME}'", "removed"),
    ]
    refused = brief(lines[2])
    assert refused[:3] == ("sftp_user", "apply", f"'{OLIVIA}'") and refused[3] not in ("added", "changed")
    everything = json.dumps(log.messages()) + (log.auth() or "")
    for secret in hidden:
        assert secret not in everything
    assert public.split()[1] not in "".join(log.ours()), "Ansible itself logs options, public keys among them"


@pytest.mark.spread
def test_a_client_of_remote_control_is_named_with_its_address(server, control):
    def call(verb: str, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = control.ssh({"version": 1, "verb": verb, "name": NAME, **fields}).json
        return answer

    log = Log(server)
    assert call("add", password=FIRST)["ok"]
    assert call("edit", locked=True, password=SECOND)["result"]["user"]["locked"] is True
    hidden = secrets(server)
    assert call("edit", locked=False)["result"]["user"]["locked"] is False
    assert call("add", password=FIRST)["error"]["code"] == "exists"
    assert call("edit", locked=FIRST)["error"]["code"] == "invalid"
    lines = log.wait(5)
    assert [brief(line) for line in lines] == [
        ("client tests", "add", f"'{NAME}'", "ok"),
        ("client tests", "edit", f"'{NAME}'", "ok"),
        ("client tests", "edit", f"'{NAME}'", "ok"),
        ("client tests", "add", f"'{NAME}'", "exists"),
        ("client tests", "request", "", "invalid"),
    ]
    assert {line["address"] for line in lines} <= set(server.client.sh("hostname -I").stdout.split())
    assert [line["rest"] for line in lines[:3]] == [" changed"] * 3
    everything = json.dumps(log.messages()) + (log.auth() or "")
    for secret in hidden:
        assert secret not in everything


FORGED = "by='root' with=command del users='batman' result=removed"


@pytest.mark.spread
def test_nobody_can_forge_a_line(server, control):
    """Neither by a name, nor by who they say they are, nor by writing with our tag."""
    names = [f"x\n{FORGED}", f"x' result=ok\r\n{FORGED}", "\x1b[2Jx", "\u202ex", f"x\tftp-users[1]: {FORGED}"]
    log = Log(server)
    for name in names:
        assert sudo(server, "lock", name) in (2, 3)
        answer = control.ssh({"version": 1, "verb": "lock", "name": name}).json
        assert answer["ok"] is False
    server.sh(f"SUDO_USER={shlex.quote(names[0])} ftp-users lock nobody-here", check=False)
    server.sh(f"runuser -u {OLIVIA} -- logger -p authpriv.info -t ftp-users {shlex.quote(FORGED)}")
    wait_until(lambda: FORGED in log.messages(SYSLOG_IDENTIFIER="ftp-users"), 60, log.messages)
    lines = log.ours()
    assert len(lines) == 2 * len(names) + 1, lines
    for line in lines:
        assert line.isascii() and line.isprintable() and not line.startswith(FORGED)
        assert LINE.fullmatch(line), line
        assert line.startswith(("by='olivia' with=command edit users=", "client='tests' from=", 'by="x\\nby=')), line
