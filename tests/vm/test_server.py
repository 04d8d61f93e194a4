# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on a machine with a kernel of its own, over real SSH, and what a reboot leaves of it.

sshd gets its port from ssh.socket, as on Ubuntu 22.10 and newer: the socket holds the port and starts ssh.service with
the first connection. An sshd that reloads starts itself anew without the socket it was given and cannot bind the port:
"Cannot bind any address". The last test is about ssh.service alone, which is Debian's way.
"""

from __future__ import annotations

from conftest import PASSWORDS, VARIABLES, recap
from users import EVERYBODY, logs_in

UNITS = (
    "systemctl list-unit-files --no-legend --plain --state=enabled,static,generated | sort;"
    " systemctl list-units --no-legend --plain --type=service,socket,timer,mount --state=active"
    " | awk '{ print $1, $3, $4 }' | grep -vE '^(user|session|run-user|systemd-(tmpfiles|hostname|timedate))' | sort"
)
PORTS = "ss -Hlntu | awk '{ print $1, $5 }' | grep -v ':68$' | sort"
FIREWALL = "ufw status verbose; iptables-save | grep -v '^[#:]'; ip6tables-save | grep -v '^[#:]'"
MOUNTS = "findmnt --real --noheadings --list --output TARGET,SOURCE,FSTYPE,OPTIONS | sort"
LOCKS = "getent shadow batman robin alfred; cat /etc/vsftpd/users.db | sha256sum"
WHOLE = {"units": UNITS, "ports": PORTS, "firewall": FIREWALL, "mounts": MOUNTS, "locks": LOCKS}


CHANGED = {**VARIABLES, "sshd_chroot_log_level": "VERBOSE"}
SSH = (
    "systemctl is-enabled ssh.socket || true; systemctl is-active ssh.socket || true;"
    " systemctl is-enabled ssh.service || true; systemctl show --property=Accept --value ssh.socket"
)
BY_THE_SOCKET = ["enabled", "active", "disabled", "no"]


def expect_change(machine, variables, by):
    """The part of site.yml that is sshd's changes it by what ``by`` says of its units.

    Sessions of before go on, and new ones begin.
    """
    assert machine.sh(SSH).split() == by
    with machine.shell() as shell, machine.sftp("batman", PASSWORDS["batman"]) as session:
        assert shell.answers("before")
        run = machine.play(variables, "--tags=sshd_chroot")
        assert run.returncode == 0 and recap(run.stdout)["changed"] > 0, run.stdout
        assert shell.answers("after") and session.listdir(".") == []
    assert machine.sh(SSH).split() == by
    machine.end_shared_sessions()
    assert logs_in(machine) == EVERYBODY
    assert "Cannot bind any address" not in machine.sh("journalctl --unit=ssh --no-pager")


def test_it_converges_over_ssh_by_ssh_socket_as_an_administrator_with_sudo(story, machine, figure):
    recap = story["recap"]
    assert recap["changed"] > 20 and (recap["failed"], recap["unreachable"]) == (0, 0)
    assert story["session went on"]
    assert machine.sh(SSH).split() == BY_THE_SOCKET
    figure(
        f"vm: kernel {story['kernel']} up in {story['boot']:.0f} s, sshd by ssh.socket; site.yml:"
        f" {recap['changed']} changed in {story['seconds']:.0f} s, a session went on meanwhile"
    )


def test_a_reboot_brings_everything_back(machine, figure):
    """And nothing is left to do for the second run of site.yml."""
    assert logs_in(machine) == EVERYBODY
    before = {what: machine.sh(script) for what, script in WHOLE.items()}
    findings = machine.findings()
    assert "Status: active" in before["firewall"] and ":990" in before["ports"], before
    machine.reboot()
    assert {what: machine.sh(script) for what, script in WHOLE.items()} == before
    assert machine.findings() == findings
    assert logs_in(machine) == EVERYBODY
    assert machine.sh("systemctl --failed --no-legend --plain") == ""
    again = machine.play(VARIABLES)
    assert again.returncode == 0 and recap(again.stdout)["changed"] == 0, again.stdout
    figure("vm: after a reboot every unit, port, rule, mount and lock was as before, and site.yml changed nothing")


def test_sshd_takes_a_change_while_the_socket_holds_its_port(machine, figure):
    expect_change(machine, CHANGED, BY_THE_SOCKET)
    figure("vm: by ssh.socket site.yml changed sshd, a shell and an SFTP session went on, new ones began")


def test_sshd_takes_a_change_without_a_socket(machine, figure):
    machine.sh("systemctl disable ssh.socket; systemctl enable ssh.service")
    machine.reboot()
    expect_change(machine, VARIABLES, ["disabled", "inactive", "enabled", "no"])
    figure("vm: so it did by ssh.service, after a reboot")
