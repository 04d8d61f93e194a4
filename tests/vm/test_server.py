# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on a machine with a kernel of its own, over real SSH, and what a reboot leaves of it."""

from __future__ import annotations

import json

from conftest import PASSWORDS, VARIABLES, recap

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


def test_it_converges_over_ssh_as_an_administrator_with_sudo(converged, figure):
    story = json.loads((converged / "story.json").read_text())
    recap = story["recap"]
    assert recap["changed"] > 20 and (recap["failed"], recap["unreachable"]) == (0, 0)
    figure(
        f"vm: kernel {story['kernel']} up in {story['boot']:.0f} s; site.yml: {recap['changed']} changed in"
        f" {story['seconds']:.0f} s"
    )


def logs_in(machine) -> dict[str, tuple[bool, bool, bool]]:
    """Who is let in by explicit and implicit FTPS and by SFTP."""
    return {
        name: (
            machine.ftps_accepts(name, password),
            machine.ftps_accepts(name, password, implicit=True),
            machine.sftp_accepts(name, password),
        )
        for name, password in PASSWORDS.items()
    }


EVERYBODY = {"batman": (True,) * 3, "robin": (True,) * 3, "alfred": (False,) * 3}


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
