# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account of a user says about the user, with real tools and real clients."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import KEY_FILE, PASSWORDS, run_module

NAME = "selene"
PASSWORD = "nine-Lives and 1 more"


def users(server, *words: str, stdin: str = "") -> dict:
    line = " ".join(map(shlex.quote, ("ftp-users", *words, "--json")))
    return json.loads(server.sh(f"printf %s {shlex.quote(stdin)} | {line}").stdout)


def add(server, *words: str) -> dict:
    key = Path(f"{KEY_FILE}.pub").read_text(encoding="ascii").strip()
    return users(server, "add", NAME, "--password-stdin", "--key", key, *words, stdin=PASSWORD)


@pytest.fixture(autouse=True)
def selene(server, monkeypatch):
    """Let the helpers log the user in, and leave nothing of the user behind."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    remove = f"ftp-users del {NAME} --remove-home >/dev/null 2>&1; true"
    server.sh(remove)
    yield
    server.sh(remove)


COMMENT = 'Jörg "100 %" \\ Müller, bruce@example.net'


@pytest.mark.alike
def test_a_comment_is_the_one_of_the_account(server):
    assert add(server, "--comment", COMMENT)["user"]["comment"] == COMMENT
    passwd = f"getent passwd {NAME} | cut -d: -f5"
    assert server.sh(passwd).stdout.strip() == COMMENT
    assert not users(server, "edit", NAME, "--comment", COMMENT)["changed"]
    assert users(server, "edit", NAME, "--comment", "Selina, Kyle")["changed"]
    assert server.sh(passwd).stdout.strip() == "Selina, Kyle"
    server.sh(f"chfn -f 'Selina Kyle' -r 12 {NAME} || usermod -c 'Selina Kyle,12,,' {NAME}")
    assert users(server, "show", NAME)["user"]["comment"] == "Selina Kyle,12"
    assert not users(server, "edit", NAME, "--comment", "Selina Kyle,12")["changed"]
    assert users(server, "edit", NAME, "--comment", "")["user"]["comment"] == ""
    assert server.sh(passwd).stdout.strip() == ""


@pytest.mark.spread
def test_the_module_and_an_import_give_comments(server, tmp_path):
    add(server)
    options = {"name": NAME, "comment": COMMENT}
    first, second = (run_module(server, "ftp_user", options, PASSWORD, tmp_path) for _time in range(2))
    assert "CHANGED" in first and "CHANGED" not in second
    server.sh(f"ftp-users export --hashes | grep -e ^name -e ^{NAME} >/root/selene.csv; ftp-users del {NAME}")
    server.sh("ftp-users import --yes /root/selene.csv; rm /root/selene.csv")
    assert users(server, "show", NAME)["user"]["comment"] == COMMENT


def granted(server, key_file, tls: str = "explicit") -> list[bool]:
    """Whether the user may log in by FTPS, and by SFTP with the password and with the key."""
    by_password = server.ftps_login(NAME, PASSWORD, tls)["granted"]
    return [by_password, server.sftp_login(NAME)["granted"], server.sftp_login(NAME, key_file=key_file)["granted"]]


def day(server, days: int) -> str:
    return server.sh(f"date -u -d '{days} days' +%F").stdout.strip()


@pytest.mark.alike
def test_an_expiry_ends_log_ins_by_every_way(server, key_file):
    add(server, "--expires", "2099-01-31")
    for days, may in ((1, True), (0, False), (-1, False)):
        assert users(server, "edit", NAME, "--expires", day(server, days))["changed"]
        assert granted(server, key_file) == [may] * 3, days
    assert not server.ftps_login(NAME, PASSWORD, "implicit")["granted"]
    shown = server.sh(f"ftp-users list; ftp-users show {NAME}; ftp-users check; true").stdout
    assert f"{NAME}  " in shown and "expired" in shown and "account-expires" in shown
    assert users(server, "edit", NAME, "--expires", "never")["user"]["expires"] == "never"
    assert granted(server, key_file) == [True] * 3
    assert server.ftps_login(NAME, PASSWORD, "implicit")["granted"]


@pytest.mark.spread
def test_a_lock_and_an_expiry_keep_apart(server, key_file):
    add(server, "--expires", "2099-01-31", "--locked")
    assert granted(server, key_file) == [False] * 3
    assert users(server, "edit", NAME, "--expires", "2099-02-28")["user"]["locked"]
    assert users(server, "unlock", NAME)["user"]["expires"] == "2099-02-28"
    assert granted(server, key_file) == [True] * 3
    assert server.sh(f"chage -l {NAME} | grep ^Account").stdout.rstrip().endswith(": Feb 28, 2099")
    users(server, "edit", NAME, "--expires", "2020-01-31")
    users(server, "lock", NAME)
    users(server, "unlock", NAME)
    assert granted(server, key_file) == [False] * 3


@pytest.mark.spread
def test_the_module_takes_a_date_and_ftps_alone_refuses_it(server, tmp_path):
    add(server)
    for value, changed in (("2099-01-31", True), ("2099-01-31", False), ("never", True)):
        said = run_module(server, "ftp_user", {"name": NAME, "expires": value}, PASSWORD, tmp_path)
        assert ("CHANGED" in said) == changed
    refused = server.sh(f"ftp-users edit {NAME} --protocol ftps --expires 2099-01-31", check=False)
    assert refused.returncode != 0 and "expected an account, which expires is stored in" in refused.stderr
    users(server, "edit", NAME, "--expires", "2020-01-31")
    refused = server.sh(f"ftp-users edit {NAME} --protocol ftps", check=False)
    assert refused.returncode != 0 and not server.ftps_login(NAME, PASSWORD)["granted"], "the limit is not lost"


@pytest.mark.spread
def test_a_service_made_by_hand_learns_to_obey(server, key_file):
    service = server.sh("grep -l pam_userdb /etc/pam.d/*").stdout.split()[0]
    add(server)
    server.sh(f"cp -p {service} /root/service; sed -i '/BEGIN secure_ftp/,/END secure_ftp/d; 2d' {service}")
    by_hand = server.sh(f"cat {service}").stdout
    try:
        assert not users(server, "show", NAME)["user"]["ftps"]["obeys_account"]
        server.sh(f"chage --expiredate 2020-01-31 {NAME}")
        assert granted(server, key_file) == [True, False, False]
        assert "account-ignored" in server.sh("ftp-users check", check=False).stdout
        assert users(server, "edit", NAME, "--expires", "2020-01-31")["user"]["ftps"]["obeys_account"]
        assert granted(server, key_file) == [False] * 3
        copy = server.sh(f"ls {service}.*~").stdout.split()
        assert server.sh(f"cat {copy[-1]}").stdout == by_hand
        assert "account-ignored" not in server.sh("ftp-users check", check=False).stdout
    finally:
        server.sh(f"mv /root/service {service}; rm -f {service}.*~")


@pytest.mark.spread
def test_a_system_account_with_the_name_of_a_user_is_no_concern_of_ftps(server):
    """An administrator's account outside the jail may have expired: the user of FTPS is somebody else."""
    server.sh(f"useradd -M -s /usr/sbin/nologin -e 2020-01-31 {NAME}")
    try:
        users(server, "add", NAME, "--password-stdin", "--protocol", "ftps", stdin=PASSWORD)
        assert server.ftps_login(NAME, PASSWORD)["granted"]
    finally:
        server.sh(f"ftp-users del {NAME} --remove-home; userdel {NAME}", check=False)
