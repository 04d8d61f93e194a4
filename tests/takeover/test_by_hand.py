"""A running server made by a tutorial: vsftpd and pam_userdb, set up by hand (case 11)."""

from __future__ import annotations

import json
import re

import pytest
import tutorial
from tutorial import CONF, PAM

FILES = (
    "cat /etc/vsftpd.conf /etc/pam.d/vsftpd.virtual; find /etc/vsftpd /home/vsftpd /srv -printf '%p %u %m %s\\n' | sort"
)
NEW = {"ftp_users": [{"name": "newone", "password": "New-one-12345"}]}


@pytest.fixture
def by_hand(host):
    """The tutorial's server; bob and sue log in."""
    tutorial.build(host)
    assert host.logs_in("bob", "Bob-pass-1") and host.logs_in("sue", "Sue-pass-1")
    return host


def ways_out(output: str) -> dict:
    """The variables that the message names to keep the settings, copied from it as an operator would."""
    found = re.search(r"to keep them set (\{.*?\}); to continue anyway", output)
    assert found, output
    return json.loads(found.group(1))


def a_role_without_the_playbook_stops_too(by_hand, role: str, before: str) -> None:
    done = by_hand.role(role, NEW)
    assert done.returncode != 0 and by_hand.sh(FILES).stdout == before, done.stdout
    assert "2 users in it could no longer log in" in done.stdout or role == "vsftpd"
    assert "/etc/vsftpd.conf: was not written by this collection" in done.stdout or role == "pam_userdb"
    assert "changed=0" in done.stdout


def test_a_run_stops_with_the_ways_out_and_taking_them_keeps_everybody(by_hand):
    before = by_hand.sh(FILES).stdout
    done = by_hand.play(NEW)
    assert done.returncode != 0 and by_hand.sh(FILES).stdout == before, done.stdout
    for role in ("vsftpd", "pam_userdb"):
        a_role_without_the_playbook_stops_too(by_hand, role, before)
    message = json.loads(re.search(r"=> (\{.*\})", done.stdout, re.S).group(1))["msg"]
    assert "2 users in it could no longer log in" in message and "bob, sue" in message
    assert "to keep it set pam_userdb_db: /etc/vsftpd/vsftpd-virtual-user.db" in message
    keep = ways_out(message)
    assert keep["vsftpd_local_root"] == "/home/vsftpd/$USER"
    assert keep["vsftpd_user_config_dir"] == "/etc/vsftpd/vsftpd_user_conf"
    by_hand.site({**NEW, **keep, "pam_userdb_db": "/etc/vsftpd/vsftpd-virtual-user.db"})
    for name, password in (("bob", "Bob-pass-1"), ("sue", "Sue-pass-1"), ("newone", "New-one-12345")):
        assert by_hand.logs_in(name, password), name
    assert by_hand.sh("cat /etc/vsftpd.conf.*~").stdout == CONF, "one copy of their configuration"
    assert by_hand.sh("cat /etc/pam.d/vsftpd.virtual.*~").stdout == PAM, "one copy of their PAM file"
    said = by_hand.sh("ftp-users check", check=False).stdout
    assert "/etc/vsftpd/logins.txt" in said and "ftps-directory-missing" not in said
    assert '"/srv/www/site1"' in by_hand.sh("ftp-users show sue --json").stdout
    # Ours now: nothing is asked, although a setting would change.
    later = {**NEW, **keep, "pam_userdb_db": "/etc/vsftpd/vsftpd-virtual-user.db", "vsftpd_max_per_ip": 4}
    assert by_hand.preflight(later).returncode == 0


UNIT = "/etc/systemd/system/vsftpd-implicit.service"
THEIR_UNIT = "[Service]\nExecStart=/usr/sbin/vsftpd /etc/theirs.conf\n\n[Install]\nWantedBy=multi-user.target\n"


def test_who_knows_goes_on_and_the_check_sees_the_passwords_left_beside(by_hand):
    by_hand.copy(THEIR_UNIT, UNIT)
    asked = by_hand.preflight({**NEW, "vsftpd_pam_service": "other"}).stdout
    assert f"{UNIT}: was not written by this collection and would be replaced or removed" in asked
    by_hand.site({**NEW, "vsftpd_replace_existing": True})
    assert by_hand.logs_in("newone", "New-one-12345")
    assert by_hand.sh("cat /etc/vsftpd.conf.*~").stdout == CONF
    assert by_hand.sh(f"cat {UNIT}.*~; test ! -e {UNIT}").stdout == THEIR_UNIT
    said = by_hand.sh("ftp-users check", check=False).stdout
    assert "/etc/vsftpd/logins.txt" in said
