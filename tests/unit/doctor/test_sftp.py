# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on sshd's configuration, and the edits it advises, applied to real files and judged by the parser."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
from dataclasses import replace

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import sftp as _doctor_sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import sftp_users
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Member, Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.sftp import classes, sftp_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CLOSED,
    Jail,
    find_jail,
    parse,
    with_jail,
)

HASH = "$6$rounds=50000$abcdefghijklmnop$" + "h" * 86


def users(*names: str, passwords=None, expires=None, groups=()) -> Accounts:
    users = {name: Account(name, 1000 + i, 900, "/", "/usr/sbin/nologin") for i, name in enumerate(names)}
    found = {"sftponly": Group("sftponly", 900, frozenset()), **{group.name: group for group in groups}}
    return Accounts(users, found, {**dict.fromkeys(names, HASH), **(passwords or {})}, expires or {})


class Place:
    """An sshd_config with a jail, homes and key files below ``root``."""

    def __init__(self, root):
        self.jail = root / "jail"
        self.keys = root / "keys"
        self.config = root / "sshd_config"
        self.jail.mkdir(mode=0o755)
        self.keys.mkdir(mode=0o755)
        self.accounts = users("batman", "robin")
        for name in ("batman", "robin"):
            (self.jail / name).mkdir(mode=0o700)
            os.chown(self.jail / name, self.accounts.users[name].uid, 900)
        jail = Jail(directory=str(self.jail), keys_directory=str(self.keys))
        self.config.write_text(with_jail("Port 22\n", jail, str(self.config)))
        self.settings = {word.lower(): [value] for word, value in jail.settings().items()}
        self.settings["pubkeyauthentication"] = ["yes"]
        self.own: dict[str, dict[str, list[str]]] = {}

    def sftp(self) -> Sftp:
        return Sftp(str(self.config), parse(self.config.read_text(), str(self.config)), self.accounts)

    def findings(self) -> list:
        return list(sftp_findings(self.sftp()))

    def subjects(self) -> list[str]:
        return [finding.subject for finding in self.findings()]


@pytest.fixture
def place(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("sound files belong to root")
    here = Place(tmp_path)
    for module in (_doctor_sftp, sftp_users):
        monkeypatch.setattr(module, "unsafe_components", lambda path: iter(()))
    monkeypatch.setattr(_doctor_sftp, "effective", lambda user, path: {**here.settings, **here.own.get(user, {})})
    return here


def test_a_sound_server(place):
    assert place.subjects() == []


def test_ways_out_of_the_jail_are_part_of_the_examination(place):
    place.accounts.users["robin"] = place.accounts.users["robin"]._replace(home=str(place.jail / "robin"))
    assert "account-home" in place.subjects()


def test_sshd_refuses_its_configuration(place, monkeypatch):
    def refuse(user, path):
        raise SecureFtpError("line 3", found="Bad configuration option")

    monkeypatch.setattr(_doctor_sftp, "effective", refuse)
    (finding,) = place.findings()
    assert finding.subject == "sshd-config" and "line 3" in finding.what


def test_a_group_without_a_block(place):
    place.config.write_text("Port 22\n")
    (finding,) = place.findings()
    assert finding.subject == "jail-missing"
    edit = finding.fix.split(" && ")[0]
    subprocess.run(edit, shell=True, check=True)
    block = find_jail(parse(place.config.read_text(), str(place.config)), "sftponly")
    assert {*Jail().settings()} <= {word for word in Jail().settings() if word.lower() in block}
    assert block["chrootdirectory"].value == "/home/sftp"


def test_other_groups_are_found_and_none_is_made_up():
    text = "Match Group partners\n  ChrootDirectory /srv\nMatch Group *\n  ChrootDirectory none\n"
    assert Sftp("/x", parse(text), Accounts({}, {}, {})).groups == ["partners"]
    assert Sftp("/x", parse("Port 22\n"), Accounts({}, {}, {})).groups == []
    assert Sftp("/x", [], users("batman")).groups == ["sftponly"]


def apply(fix: str) -> None:
    """Run the edits of a fix, but not sshd."""
    edits, _and, reload = fix.partition(" && sshd -t")
    assert reload.partition(" #")[0] == " && systemctl reload ssh"
    subprocess.run(edits, shell=True, check=True)


def test_sshd_is_restarted_where_a_socket_starts_it(place):
    place.config.write_text("Match User robin\n  ChrootDirectory none\n" + place.config.read_text())
    place.own["robin"] = {"chrootdirectory": ["none"]}
    sftp = replace(place.sftp(), verb="restart")
    fixes = [finding.fix for finding in sftp_findings(sftp) if finding.subject == "jail-open"]
    assert fixes and all("sshd -t && systemctl restart ssh" in fix for fix in fixes)


def block_of(place, user="robin"):
    """Settings of the member as the first matching block has them."""
    settings = parse(place.config.read_text(), str(place.config))
    member = Member(place.accounts.users[user], ("sftponly",), True, False)
    return {
        setting.keyword: setting.value
        for setting in reversed(settings)
        if setting.match and _doctor_sftp._applies(setting.match, member)
    }


def test_the_line_of_another_block_is_taken_out(place):
    text = place.config.read_text()
    out = "Match User robin,harvey\n  chrootdirectory none\n  ForceCommand = /bin/sh\n"
    out += "Match User r*\n  ChrootDirectory /\n"
    place.config.write_text("# ChrootDirectory in a comment\n" + out + text)
    assert block_of(place)["chrootdirectory"] == "none"
    place.own["robin"] = {"chrootdirectory": ["none"], "forcecommand": ["/bin/sh"]}
    (finding,) = place.findings()
    assert finding.subject == "jail-open" and "chrootdirectory: expected" in finding.what
    apply(finding.fix)
    assert block_of(place)["chrootdirectory"] == str(place.jail)
    assert block_of(place)["forcecommand"].startswith("internal-sftp")
    assert place.config.read_text().endswith(text), "the jail's own block was right"
    once = place.config.read_text()
    apply(finding.fix)
    assert place.config.read_text() == once, "twice does no harm"


def test_a_wrong_line_of_the_own_block_is_put_right(place):
    text = place.config.read_text()
    place.config.write_text(re.sub("AllowTcpForwarding +no", "AllowTcpForwarding yes", text))
    place.settings["allowtcpforwarding"] = ["yes"]
    (finding,) = place.findings()
    assert finding.subject == "jail-doors"
    apply(finding.fix)
    assert block_of(place)["allowtcpforwarding"] == "no"


def test_lines_missing_in_the_own_block_are_added(place):
    text = re.sub(f"(?m)^ *({'|'.join(CLOSED)}) .*\n", "", place.config.read_text())
    place.config.write_text("X11Forwarding yes\n" + text)
    place.settings.update({word.lower(): ["yes"] for word in CLOSED})
    (finding,) = place.findings()
    apply(finding.fix)
    assert {word.lower(): block_of(place)[word.lower()] for word in CLOSED} == {
        word.lower(): value for word, value in CLOSED.items()
    }


def test_somebody_shut_out(place):
    place.config.write_text("DenyUsers robin\n" + place.config.read_text())
    place.settings["denyusers"] = ["robin"]
    (finding,) = place.findings()
    assert finding.subject == "sftp-login-refused" and finding.where == "robin"


def test_one_directory_for_each_user_is_said_to_be_too_much(place):
    place.config.write_text(place.config.read_text().replace(str(place.jail), f"{place.jail}/%u"))
    assert place.subjects() == ["jail-unsupported"]


def test_thousands_of_users_are_a_few_questions():
    accounts = users(*(f"user{number}" for number in range(3000)))
    members = [
        Member(account, ("sftponly",), number % 2 == 0, number % 3 == 0)
        for number, account in enumerate(accounts.users.values())
    ]
    assert len(classes(members, parse("Port 22\n"))) == 4
    text = "DenyUsers user7 evil@192.0.2.1\nMatch User user8,!user9*\n  X11Forwarding yes\nMatch Group a User user5\n"
    asked = {member.account.name for member in classes(members, parse(text))}
    assert {"user7", "user8", "user5"} <= asked and len(asked) < 20


@pytest.mark.parametrize("stored", ["!", "!*", "!!"])
def test_half_made_accounts(place, stored):
    place.accounts = users("batman", "robin", passwords={"robin": stored})
    (finding,) = place.findings()
    assert (finding.subject, finding.fix) == ("account-pending", "ftp-users passwd robin")


@pytest.mark.parametrize(("stored", "expected"), [("!", []), ("!!", []), ("!*", ["account-pending"]), ("*", [])])
def test_accounts_of_others_that_log_in_by_key(place, stored, expected):
    place.accounts = users("batman", "robin", passwords={"robin": stored})
    (place.keys / "robin").write_text("")
    assert place.subjects() == expected


def test_nobody_can_log_in_without_a_password_and_a_key(place):
    place.accounts = users("batman", "robin", passwords={"batman": "*", "robin": "*"})
    (place.keys / "robin").write_text("")
    (finding,) = place.findings()
    assert (finding.severity, finding.subject) == ("warning", "no-way-in")
    assert finding.fix == "ftp-users passwd batman" and finding.what.startswith("batman: no password and no key")


def test_locked_and_key_only_accounts_are_sound(place):
    passwords = {"robin": f"!{HASH}", "batman": "*"}
    (place.keys / "batman").write_text("")
    place.accounts = users("batman", "robin", passwords=passwords, expires={"robin": "1"})
    assert place.subjects() == []
    place.accounts = users("batman", "robin", passwords={"robin": "!*"}, expires={"robin": "1"})
    assert place.subjects() == []


def test_homes_keys_and_shells(place):
    (place.jail / "robin").rmdir()
    os.chown(place.jail / "batman", 0, 0)
    users = dict(place.accounts.users)
    users["robin"] = users["robin"].__class__("robin", 1001, 900, "/", "/bin/bash")
    place.accounts = Accounts(users, place.accounts.groups, place.accounts.passwords)
    for name, mode in (("batman", 0o666), ("robin", 0o600), ("ghost", 0o644), (".batman.0123456789ab.new", 0o600)):
        (place.keys / name).write_text("")
        (place.keys / name).chmod(mode)
    findings = {finding.subject: finding for finding in place.findings()}
    assert list(findings) == [
        "account-shell",
        "sftp-home-missing",
        "sftp-home-owner",
        "key-file-unsafe",
        "key-file-orphan",
    ]
    assert "ghost" in findings["key-file-orphan"].what
    for subject in ("key-file-unsafe", "key-file-orphan"):
        subprocess.run(findings[subject].fix, shell=True, check=True)
    assert not [subject for subject in place.subjects() if subject.startswith("key-")]


def test_the_jail_is_missing(place):
    place.jail.rename(place.jail.with_name("elsewhere"))
    assert place.subjects() == ["jail-directory-missing"]


def test_a_home_that_was_left_open_is_found(place):
    """As an older version of this library left it, and userdel does: the next account gets the user id."""
    (place.jail / "joker").mkdir(mode=0o700)
    os.chown(place.jail / "joker", 4001, 900)
    (place.jail / "penguin").mkdir(mode=0o700)  # closed
    (finding,) = place.findings()
    assert finding.subject == "sftp-home-left" and f"{place.jail}/joker" in finding.what
    subprocess.run(finding.fix, shell=True, check=True)
    assert place.findings() == []


def test_an_account_that_ends_is_found_and_a_lock_of_ours_is_not_one(place):
    """Set by chage: list said active, and sshd refused the user."""
    today = (datetime.datetime.now(datetime.timezone.utc).date() - datetime.date(1970, 1, 1)).days
    for days, is_found in ((-5, True), (10, True), (100, False)):
        place.accounts = users("batman", "robin", expires={"robin": str(today + days)})
        assert place.subjects() == (["account-expires"] if is_found else []), days
    place.accounts = users("batman", "robin", expires={"robin": "1"}, passwords={"robin": "!" + HASH})
    assert place.subjects() == []


def ignored_in_drop_in(place) -> object:
    """The finding on an sshd that ignores the Match block of a drop-in, as OpenSSH 8.2 does; the drop-in has it."""
    drop_in = place.config.parent / "jail.conf"
    drop_in.write_text(place.config.read_text())
    place.config.write_text(f"Include {drop_in}\nPort 22")
    place.settings.update({"chrootdirectory": ["none"], "forcecommand": ["none"], "authorizedkeysfile": ["x"]})
    place.settings.pop("permittty", None)
    return next(finding for finding in place.findings() if finding.subject == "jail-open")


def test_a_block_that_sshd_ignores_in_a_drop_in_is_moved_to_the_main_file(place):
    finding = ignored_in_drop_in(place)
    assert f"move the block to {place.config}" in finding.fix
    apply(finding.fix)
    moved = find_jail(parse(place.config.read_text(), str(place.config)), "sftponly")
    assert {setting.path for setting in moved.values()} == {str(place.config)}
    assert moved["chrootdirectory"].value == str(place.jail)
    assert {"port", "match"} <= {one.keyword for one in parse(place.config.read_text(), str(place.config))}


def test_a_drop_in_that_says_the_wrong_thing_is_corrected_where_it_is(place):
    drop_in = place.config.parent / "jail.conf"
    drop_in.write_text(re.sub(r"(?i)(permittty\s+)no", r"\1yes", place.config.read_text()))
    place.config.write_text(f"Include {drop_in}\n")
    place.settings["permittty"] = ["yes"]
    (finding,) = place.findings()
    assert finding.subject == "jail-doors" and "move the block" not in finding.fix
    apply(finding.fix)
    assert re.search(r"PermitTTY\s+no", drop_in.read_text())
