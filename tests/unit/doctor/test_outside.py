# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on ways out of the jail."""

from __future__ import annotations

import os

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import outside as _doctor_outside
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.outside import (
    outside_findings,
    privileged_findings,
    subsystem_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import NO_HOME, Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import parse

HASH = "$6$rounds=50000$abcdefghijklmnop$" + "h" * 86
NOLOGIN = "/usr/sbin/nologin"


def user(name: str = "ann", uid: int = 1003, home: str = NO_HOME, shell: str = NOLOGIN, gid: int = 900) -> Account:
    return Account(name, uid, gid, home, shell)


def test_a_home_in_the_jail_is_found_and_its_fix_ends_what_obeys_it():
    users = [user(), user("bob", 1004, "/home/sftp/bob")]
    (finding,) = outside_findings(users, users, "/home/sftp", "/nowhere")
    assert finding.subject == "account-home" and finding.where == "bob" and "bob (/home/sftp/bob)" in finding.what
    assert finding.fix == ("{ pkill -KILL -U 1004 --ns $$ --nslist pid || true; } && usermod --home /nonexistent bob")


def test_a_fix_touches_nothing_of_another_account_with_the_same_number(tmp_path):
    users = [user("bob", os.geteuid(), "/home/sftp/bob"), user("cy", 1009, "/home/sftp/cy")]
    others = [*users, user("admin", os.geteuid(), "/root", "/bin/bash")]
    (tmp_path / "var/spool/cron/atjobs").mkdir(parents=True)
    (tmp_path / "var/spool/cron/atjobs/a0001").touch()
    home, outside = outside_findings(users, others, "/home/sftp", str(tmp_path))
    assert home.fix == (
        "usermod --home /nonexistent bob"
        " && { pkill -KILL -U 1009 --ns $$ --nslist pid || true; } && usermod --home /nonexistent cy"
    )
    assert outside.what == "bob: has an at job" and outside.fix == "atq"


def test_what_runs_outside_is_found(tmp_path):
    for path in ("var/lib/systemd/linger/ann", "var/spool/cron/crontabs/bob", "var/spool/cron/atjobs/a0001"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    users = [user(), user("bob", 1004), user("cy", os.geteuid())]
    (finding,) = outside_findings(users, users, "/home/sftp", str(tmp_path))
    assert finding.subject == "account-outside"
    assert finding.what == "ann: lingers, bob: has a crontab, cy: has an at job"
    assert finding.fix == (
        f"loginctl disable-linger ann && crontab -r -u bob && rm -f -- {tmp_path}/var/spool/cron/atjobs/a0001"
    )
    assert list(outside_findings([user("dan", 1009)], [], "/home/sftp", str(tmp_path))) == []


def test_an_administrator_in_the_group_is_found():
    groups = {"sftponly": Group("sftponly", 900, frozenset()), "sudo": Group("sudo", 27, frozenset({"ann"}))}
    accounts = Accounts({"ann": user(), "bob": user("bob", 1004)}, groups, {})
    (finding,) = privileged_findings(accounts, "sftponly")
    assert finding.subject == "account-privileged" and finding.fix == "gpasswd -d ann sudo"
    groups["sftponly"] = Group("sftponly", 900, frozenset({"bob"}))
    accounts = Accounts({"bob": user("bob", 1004, gid=1004)}, groups, {})
    assert [one.fix for one in privileged_findings(accounts, "sftponly")] == ["gpasswd -d bob sftponly"]
    accounts = Accounts({"low": user("low", 200)}, groups, {})
    assert [one.fix for one in privileged_findings(accounts, "sftponly")] == ["usermod -g nogroup low"]


@pytest.mark.parametrize(
    ("line", "stored", "shell", "is_found"),
    [
        ("internal-sftp -l INFO", HASH, NOLOGIN, True),
        ("internal-sftp", "*", NOLOGIN, False),
        ("internal-sftp", "!" + HASH, NOLOGIN, False),
        ("internal-sftp", HASH, "/bin/bash", False),
        ("/usr/lib/openssh/sftp-server", HASH, NOLOGIN, False),
    ],
)
def test_whom_the_subsystem_line_serves_beside_the_jail(line, stored, shell, is_found, monkeypatch):
    """The same server over SSH: an account for mail alone, which nologin kept out of the external sftp-server."""
    accounts = Accounts(
        {"mailbox": user("mailbox", 1004, gid=1004, shell=shell), "ann": user()},
        {"sftponly": Group("sftponly", 900, frozenset())},
        {"mailbox": stored, "ann": HASH},
    )
    monkeypatch.setattr(_doctor_outside, "effective", lambda user, path: {"authorizedkeysfile": [".ssh/keys"]})
    text = f"Subsystem sftp {line}\nMatch Group sftponly\n  ChrootDirectory /home/sftp\n"
    found = list(subsystem_findings(Sftp("/etc/ssh/sshd_config", parse(text), accounts)))
    assert [one.subject for one in found] == (["subsystem-internal"] if is_found else [])
    assert not is_found or ("mailbox" in found[0].what and "ann" not in found[0].what)


@pytest.mark.parametrize(
    ("settings", "is_found"),
    [
        ({"authorizedkeysfile": [".ssh/authorized_keys .ssh/authorized_keys2"]}, True),
        ({"authorizedkeysfile": ["/etc/ssh/keys/%u"]}, False),
        ({"authorizedkeysfile": ["KEYS/%u.%U.%%"]}, True),
        ({"authorizedkeysfile": ["%h/.ssh/authorized_keys2"]}, True),
        ({"authorizedkeysfile": [".ssh/authorized_keys"]}, False),
        ({"authorizedkeysfile": ["none"]}, False),
        ({"authorizedkeysfile": ["none"], "authorizedkeyscommand": ["/usr/bin/sss_ssh_authorizedkeys %u"]}, True),
        ({"authorizedkeysfile": ["none"], "authorizedkeyscommand": ["none"]}, False),
    ],
)
def test_keys_are_looked_for_where_sshd_does(settings, is_found, tmp_path, monkeypatch):
    """An account whose keys are kept elsewhere than in ~/.ssh/authorized_keys logs in all the same."""
    for path in ("home/.ssh/authorized_keys2", "keys/mailbox.1004.%"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    values = {key: [value.replace("KEYS", str(tmp_path / "keys")) for value in settings[key]] for key in settings}
    monkeypatch.setattr(_doctor_outside, "effective", lambda user, path: values)
    accounts = Accounts(
        {"mailbox": user("mailbox", 1004, str(tmp_path / "home"), gid=1004)},
        {"sftponly": Group("sftponly", 900, frozenset())},
        {"mailbox": "*"},
    )
    text = "Subsystem sftp internal-sftp\nMatch Group sftponly\n  ChrootDirectory /home/sftp\n"
    found = list(subsystem_findings(Sftp("/etc/ssh/sshd_config", parse(text), accounts)))
    assert [one.subject for one in found] == (["subsystem-internal"] if is_found else [])


def test_jobs_of_at_are_files_of_the_spool(tmp_path):
    (tmp_path / ".SEQ").touch()
    (tmp_path / "a1").touch()
    assert _doctor_outside._jobs(str(tmp_path)) == [(str(tmp_path / "a1"), os.geteuid())]
