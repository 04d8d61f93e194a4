# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of UFW that cuts the controller off is undone by the host itself.

Both cases are invisible to the role: a rule in before.rules, which no list of rules shows, and an SSH port that another
program of the host hands on to sshd, so that SSH_CONNECTION names the loopback. Traffic is real SSH from this machine.
"""

from __future__ import annotations

import time

import pytest
from conftest import podman
from over_ssh import OverSsh

TIMEOUT = 12
WRITTEN = "ufw status verbose; ufw show added; sha256sum /etc/default/ufw /etc/ufw/ufw.conf /etc/ufw/*.rules; "
STATE = WRITTEN + "iptables-save | grep -v '^[#:]' | sort | sha256sum"
"""What tells one state of UFW from another: its words, its files and the rules in the kernel."""
PROXY_PORT = 2200


@pytest.fixture()
def over_ssh(server, tmp_path):
    over_ssh = OverSsh(server, tmp_path)
    yield over_ssh
    over_ssh.leave()


def guards(server) -> str:
    """Timers and files of the guard that are left; there must be none when a run is over."""
    timers = "systemctl list-units --all --plain --no-legend --type=timer 'secure-ftp-ufw-guard*'"
    files = (
        "find /run /var/lib/secure_ftp.server /etc/systemd/system -name '*ufw-guard*' -not -name '*-ufw-guard-[0-9]*'"
    )
    return server.sh(f"{timers}; {files}", check=False).stdout


def until_as_it_was(server, before: str, seconds: float) -> float:
    """Wait until UFW is in the state ``before`` again; how long that took."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        if server.sh(STATE).stdout == before and not guards(server):
            return time.monotonic() - started
        time.sleep(1)
    raise AssertionError(f"not undone after {seconds} s:\n{before}\n---\n{server.sh(STATE).stdout}\n{guards(server)}")


@pytest.mark.spread
@pytest.mark.parametrize("conntrack", ["-m conntrack --ctstate NEW ", ""], ids=["new-connections", "every-packet"])
def test_enabling_that_cuts_the_controller_off(server, over_ssh, conntrack):
    drop = f"-I ufw-before-input -p tcp --dport 22 -s {over_ssh.address()} {conntrack}-j DROP"
    server.sh(
        "ufw --force disable; cp -p /etc/ufw/before.rules /root/before.rules\n"
        f"sed -i '/^# End required lines/a {drop}' /etc/ufw/before.rules; grep -q 'dport 22 -s' /etc/ufw/before.rules"
    )
    try:
        before = server.sh(STATE).stdout
        assert "Status: inactive" in before and over_ssh.reaches(22)
        # That the plan really cuts the connection: without the guard nothing would bring it back.
        server.sh("ufw --force enable")
        assert not over_ssh.reaches(22)
        server.sh("ufw --force disable")
        assert server.sh(STATE).stdout == before

        run = over_ssh.play(firewall_confirm_timeout=TIMEOUT)
        assert run.rc != 0, run.output
        assert "firewall_confirm_timeout" in run.output and "put UFW back" in run.output, run.output
        until_as_it_was(server, before, 5)
        assert over_ssh.reaches(22)
        assert "nobody has confirmed" in server.sh("journalctl -u 'secure-ftp-ufw-guard*' --since -5min").stdout
    finally:
        server.sh("mv /root/before.rules /etc/ufw/before.rules; ufw reload")


@pytest.fixture()
def proxy(server):
    """systemd-socket-proxyd hands connections to port 2200 on to sshd."""
    server.sh(
        "systemd-run --quiet --collect --unit verify-proxy"
        f" --socket-property=ListenStream=0.0.0.0:{PROXY_PORT} --socket-property=Accept=no"
        " /lib/systemd/systemd-socket-proxyd 127.0.0.1:22"
    )
    yield PROXY_PORT
    server.sh("systemctl stop verify-proxy.socket verify-proxy.service")


@pytest.mark.spread
def test_a_change_of_an_active_firewall_that_cuts_the_controller_off(server, over_ssh, proxy):
    server.sh("ufw default allow incoming; ufw delete allow 990/tcp; ufw allow 8081/tcp comment 'not ours'")
    try:
        before = server.sh(STATE).stdout
        assert "Status: active" in before and "allow (incoming)" in before and over_ssh.reaches(proxy)
        run = over_ssh.play(proxy, firewall_confirm_timeout=TIMEOUT)
        assert run.rc != 0, run.output
        assert "firewall_confirm_timeout" in run.output and "put UFW back" in run.output, run.output
        until_as_it_was(server, before, 5)
        assert over_ssh.reaches(proxy)
        # Told of the port, the same change goes through, and by the same way.
        extra = [{"port": proxy, "comment": "SSH by way of the proxy"}]
        run = over_ssh.play(proxy, firewall_confirm_timeout=300, firewall_extra_rules=extra)
        assert run.rc == 0 and run.changed > 0, run.output
        assert over_ssh.reaches(proxy) and not over_ssh.reaches(8082)
        assert guards(server) == ""
    finally:
        server.sh("ufw delete allow 8081/tcp; ufw default deny incoming")


@pytest.mark.spread
def test_nothing_is_armed_when_nothing_changes(server, over_ssh):
    run = over_ssh.play()
    assert run.rc == 0 and run.changed == 0 and "put UFW back" not in run.output, run.output
    assert guards(server) == ""


@pytest.mark.spread
def test_the_change_of_a_run_that_died_is_undone(server, over_ssh):
    """Nothing more is heard of the controller."""
    before = server.sh(STATE).stdout
    assert over_ssh.module("ufw_guard", "state=armed timeout=30").rc == 0
    server.sh("ufw allow 7777/tcp")
    assert server.sh(STATE).stdout != before
    until_as_it_was(server, before, 120)
    late = over_ssh.module("ufw_guard", "state=disarmed")
    assert late.rc != 0 and "put UFW back" in late.output, late.output


@pytest.mark.spread
def test_the_next_run_confirms_what_one_that_died_left(server, over_ssh):
    """It came over a new connection, so nothing is to be undone, even when nothing is left to be done."""
    assert over_ssh.module("ufw_guard", "state=armed timeout=600").rc == 0
    assert guards(server) != ""
    over_ssh.converge()
    assert guards(server) == ""


def pull_the_plug(server) -> None:
    """End the server without a word to anything on it, and boot it again at its addresses: a host keeps its card."""
    card = "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}"
    mac = podman("container", "inspect", "--format", card, server.name).stdout.strip()
    for arguments in (
        ("stop", "--time", "0", server.name),
        ("network", "disconnect", "secure-ftp-test", server.name),
        ("network", "connect", "--ip", server.address, "--mac-address", mac, "secure-ftp-test", server.name),
        ("start", server.name),
    ):
        done = podman(*arguments)
        assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 60
    while server.sh("systemctl is-system-running", check=False).stdout.strip() not in ("running", "degraded"):
        assert time.monotonic() < deadline, server.sh("systemctl list-jobs", check=False).stdout
        time.sleep(0.5)


@pytest.mark.spread
@pytest.mark.parametrize("active", [True, False], ids=["active", "inactive"])
def test_a_reboot_does_not_make_a_lock_out_permanent(server, over_ssh, active):
    """Copies and timer in memory were gone with it, and the firewall came up as it was changed."""
    server.sh("ufw --force enable" if active else "ufw --force disable")
    state = STATE if active else WRITTEN  # an inactive UFW leaves its empty chains in the kernel, until it reboots
    before = server.sh(state).stdout
    assert over_ssh.module("ufw_guard", "state=armed timeout=600").rc == 0
    server.sh(f"ufw insert 1 deny from {over_ssh.address()} to any port 22; ufw --force enable")
    assert not over_ssh.reaches(22)
    pull_the_plug(server)
    assert server.sh(state).stdout == before and guards(server) == ""
    assert over_ssh.reaches(22)
    log = server.sh("journalctl --boot --unit secure-ftp-ufw-guard-boot").stdout
    assert "nobody has confirmed" in log, log
    late = over_ssh.module("ufw_guard", "state=disarmed")
    assert late.rc != 0 and "put UFW back" in late.output, late.output


@pytest.mark.spread
def test_a_confirmed_change_survives_a_reboot(server, over_ssh):
    assert over_ssh.module("ufw_guard", "state=armed timeout=600").rc == 0
    server.sh("ufw allow 7777/tcp")
    try:
        changed = server.sh(STATE).stdout
        assert over_ssh.module("ufw_guard", "state=disarmed").rc == 0
        pull_the_plug(server)
        assert server.sh(STATE).stdout == changed and guards(server) == "" and over_ssh.reaches(22)
    finally:
        server.sh("ufw delete allow 7777/tcp")
