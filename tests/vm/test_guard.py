# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the firewall that locks the controller out, and a machine that goes down before it is undone."""

from __future__ import annotations

import socket

import pytest

STATE = (
    "ufw status verbose; ufw show added; sha256sum /etc/default/ufw /etc/ufw/ufw.conf /etc/ufw/*.rules;"
    " iptables-save | grep -v '^[#:]' | sort"
)
GUARD = "find / -xdev -name '*ufw-guard*' -not -path '/var/lib/systemd/*' -not -path '/usr/local/*'"


def answers(machine) -> bool:
    """Whether sshd greets a new connection from here."""
    try:
        with socket.create_connection(("127.0.0.1", machine.ports[22]), 10) as connection:
            connection.settimeout(10)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.mark.parametrize("power", [True, False], ids=["reboot", "power-cut"])
def test_a_lock_out_is_undone_by_the_next_boot(machine, dice, figure, power):
    before = machine.sh(STATE)
    assert "Status: active" in before and answers(machine)
    armed = machine.ansible(
        "ansible", "machine", "-b", "-m", "secure_ftp.server.ufw_guard", "-a", "state=armed timeout=900"
    )
    assert armed.returncode == 0, armed.stdout
    # From here everything comes from the gateway of QEMU's network.
    machine.sh("ufw insert 1 deny from 10.0.2.2")
    assert not answers(machine), "this was to lock us out"
    if power:
        machine.reboot()
    else:
        # ufw flushes nothing, and the kernel writes after half a minute at the latest: either content is whole.
        machine.power_cut(dice)
        machine.on()
    assert machine.sh(STATE) == before and answers(machine)
    assert machine.sh(GUARD) == ""
    assert "nobody has confirmed" in machine.sh("journalctl --boot --unit secure-ftp-ufw-guard-boot")
    late = machine.ansible("ansible", "machine", "-b", "-m", "secure_ftp.server.ufw_guard", "-a", "state=disarmed")
    assert late.returncode != 0 and "put UFW back" in late.stdout, late.stdout
    figure(f"vm: a lock-out by the firewall was undone by the boot after a {'reboot' if power else 'power cut'}")


def test_a_confirmed_change_survives_a_power_cut_at_once(machine, dice, figure):
    """ufw(8) flushes nothing; who confirms does."""
    armed = machine.ansible(
        "ansible", "machine", "-b", "-m", "secure_ftp.server.ufw_guard", "-a", "state=armed timeout=900"
    )
    assert armed.returncode == 0, armed.stdout
    machine.sh("ufw allow 7777/tcp")
    changed = machine.sh(STATE)
    kept = machine.ansible("ansible", "machine", "-b", "-m", "secure_ftp.server.ufw_guard", "-a", "state=disarmed")
    assert kept.returncode == 0, kept.stdout
    machine.power_cut(dice)
    machine.on()
    assert machine.sh(STATE) == changed and machine.sh(GUARD) == ""
    figure("vm: a confirmed change of the firewall was there after a power cut")
