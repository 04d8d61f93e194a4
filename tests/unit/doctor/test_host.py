# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on firewall, clock, disks and leftovers."""

from __future__ import annotations

import os
import subprocess
import time
from types import SimpleNamespace

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import host as _doctor_host
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.host import (
    clock_findings,
    disk_findings,
    firewall_findings,
    leftover_findings,
    library_findings,
    ssh_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw as _ufw
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output

CONF = "listen=YES\npasv_min_port=50000\npasv_max_port=50009\n"
OPEN = "ufw allow 22/tcp\nufw allow 21/tcp\nufw allow 50000:50009/tcp\n"


@pytest.fixture
def ufw(monkeypatch, tmp_path):
    """An active UFW with those rules; the subjects and fixes found."""
    monkeypatch.setattr(_ufw, "find_program", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(_ufw, "SETTINGS", str(tmp_path / "ufw"))

    def examine(rules: str, conf: str = CONF, active: str = "active", policy: str = "DROP") -> list:
        (tmp_path / "ufw").write_text(f'DEFAULT_INPUT_POLICY="{policy}"\n')

        def run(command):
            return Output(0, f"Status: {active}\n" if command[1] == "status" else f"Added user rules\n{rules}")

        return list(firewall_findings([Instance("vsftpd", "/etc/vsftpd.conf", options=parse(conf))], [22], run))

    return examine


@pytest.mark.parametrize(
    "rules",
    [
        OPEN,
        OPEN.replace("allow", "limit"),
        "ufw allow 20:60000/tcp\n",
        "ufw allow 21,22,50000:50009/tcp\n",
        "ufw allow 22/tcp\nufw allow 21/tcp\nufw allow 50000:50004/tcp\nufw allow 50005:50009/tcp\n",
        "ufw deny 23/tcp\nufw deny from 192.0.2.1 to any port 21 proto tcp\n" + OPEN,
        OPEN.replace("allow 21/tcp", "allow from 192.0.2.0/24 to any port 21 proto tcp"),
        OPEN + "ufw deny 21/tcp\n",
        OPEN.replace("ufw allow 22/tcp", "ufw allow OpenSSH"),
    ],
)
def test_an_open_firewall(ufw, rules):
    assert ufw(rules) == []


@pytest.mark.parametrize(
    ("rules", "where", "says"),
    [
        (OPEN.replace("ufw allow 22/tcp\n", ""), "22", "no rule allows port 22"),
        (OPEN.replace("21/tcp", "21/udp"), "21", "no rule"),
        (OPEN.replace("50000:50009", "50000:50008"), "50000:50009", "no rule allows port 50009"),
        ("ufw deny 50003/tcp\n" + OPEN, "50000:50009", "'ufw deny 50003/tcp' blocks port 50003"),
        ("ufw reject 21\n" + OPEN, "21", "'ufw reject 21' blocks"),
        ("ufw deny 21/tcp\nufw allow OpenSSH\n" + OPEN, "21", "'ufw deny 21/tcp'"),
    ],
)
def test_a_shut_firewall(ufw, rules, where, says):
    (finding,) = ufw(rules)
    assert (finding.subject, finding.where) == ("firewall-port-closed", where)
    assert says in finding.what and f"ufw allow {where}/tcp comment 'secure_ftp.server " in finding.fix
    if "shuts" in says:
        assert finding.fix.startswith("ufw --force delete ")


def test_what_an_inactive_or_open_firewall_says_does_not_matter(ufw):
    assert ufw("", active="inactive") == [] and ufw("", policy="ACCEPT") == []


def test_a_passive_range_that_no_firewall_can_know(ufw):
    (finding,) = ufw(OPEN, "listen=YES\n")
    assert finding.subject == "passive-range-unset" and finding.fix.startswith("ufw allow 50000:50999/tcp && sed -i ")
    assert ufw(OPEN, "listen=YES\npasv_enable=NO\n") == []


def test_a_firewall_that_cannot_be_asked(monkeypatch):
    monkeypatch.setattr(_ufw, "find_program", lambda name: f"/usr/sbin/{name}")
    with pytest.raises(SecureFtpError, match="need to be root"):
        list(firewall_findings([], [22], lambda command: Output(1, "", "ERROR: You need to be root")))


@pytest.mark.parametrize(
    ("container", "shown", "fix"),
    [
        (0, "NTPSynchronized=no\n", None),
        (1, "CanNTP=yes\nNTP=yes\nNTPSynchronized=yes\n", None),
        (1, "CanNTP=no\nNTP=no\nNTPSynchronized=yes\n", None),
        (1, "CanNTP=yes\nNTP=no\nNTPSynchronized=no\n", "timedatectl set-ntp true"),
        (1, "CanNTP=yes\nNTP=yes\nNTPSynchronized=no\n", "timedatectl timesync-status; "),
        (1, "CanNTP=no\nNTP=no\nNTPSynchronized=no\n", "apt-get install systemd-timesyncd && "),
    ],
)
def test_the_clock(monkeypatch, container, shown, fix):
    monkeypatch.setattr(_doctor_host, "find_program", lambda name: f"/usr/bin/{name}")
    answers = {"systemd-detect-virt": Output(container, ""), "timedatectl": Output(0, shown)}
    findings = list(clock_findings(lambda command: answers[command[0]]))
    assert [finding.subject for finding in findings] == ([] if fix is None else ["clock-unsynchronised"])
    assert fix is None or findings[0].fix.startswith(fix)


def test_disks(monkeypatch):
    def full(blocks: int, inodes: int, files: int = 1000):
        return SimpleNamespace(f_blocks=1000, f_bavail=blocks, f_frsize=1 << 20, f_files=files, f_favail=inodes)

    for status, expected in (
        (full(10, 10), []),
        (full(9, 10), ["9 MiB of 1000 MiB left"]),
        (full(10, 9), ["9 of 1000 inodes left"]),
        (full(10, 0, files=0), []),  # btrfs counts none
    ):
        monkeypatch.setattr(_doctor_host.os, "statvfs", lambda path, status=status: status)
        findings = list(disk_findings(["/", "/nowhere", "/"]))
        assert [finding.what for finding in findings] == [f"/: {text}" for text in expected]


def test_leftovers_are_old_files_of_ours(tmp_path):
    ours = [".users.db.0123456789ab.tmp", ".sshd_config-abcd_123", ".batman.ba9876543210.new"]
    for name in [*ours, "users.db", ".users.db.lock", ".young.db.0123456789ab.tmp", ".bashrc"]:
        (tmp_path / name).write_text("")
        age = 5 if "young" in name else 3600
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (finding,) = leftover_findings([str(tmp_path), str(tmp_path), str(tmp_path / "missing")])
    subprocess.run(finding.fix, shell=True, check=True)
    assert sorted(os.listdir(tmp_path)) == [".bashrc", ".users.db.lock", ".young.db.0123456789ab.tmp", "users.db"]
    assert list(leftover_findings([str(tmp_path)])) == []


def test_the_library(monkeypatch):
    assert list(library_findings()) == []

    def refuse():
        raise SecureFtpError("the Python module berkeleydb (or bsddb3)", found="is missing")

    monkeypatch.setattr(_doctor_host, "load_driver", refuse)
    assert [finding.subject for finding in library_findings()] == ["library-missing"]


@pytest.mark.parametrize(
    ("served", "socket", "service", "expected"),
    [
        ({22}, "", "UnitFileState=enabled\n", []),
        ({22}, "", "UnitFileState=disabled\n", ["service-disabled"]),
        (set(), "UnitFileState=enabled\nActiveState=active\nListen=[::]:22 (Stream)\n", "UnitFileState=disabled\n", []),
        (set(), "", "UnitFileState=enabled\n", ["service-inactive"]),
        ({2222}, "", "UnitFileState=enabled\n", ["port-closed"]),
    ],
)
def test_ssh(monkeypatch, served, socket, service, expected):
    monkeypatch.setattr(_doctor_host, "served_ports", lambda: served)
    monkeypatch.setattr(_doctor_host, "is_outdated", lambda unit, paths, stamped=(): False)
    answers = {"ssh.socket": Output(0, socket), "ssh.service": Output(0, service)}
    findings = list(ssh_findings([22], lambda command: answers[command[2]]))
    assert [finding.subject for finding in findings] == expected
