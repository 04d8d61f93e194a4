"""UFW that is in use: a ban of fail2ban first, `limit` on SSH, another service, and no IPv6 (case 22)."""

from __future__ import annotations

from typing import Iterator

import pytest

SETUP = """
set -e
DEBIAN_FRONTEND=noninteractive apt-get -qq install ufw >/dev/null 2>&1
sysctl -q net.ipv6.conf.all.disable_ipv6=1
sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw
ufw limit 22/tcp; ufw allow 8080/tcp; ufw insert 1 deny from 203.0.113.7
ufw --force enable
"""
BEFORE = ["ufw deny from 203.0.113.7", "ufw limit 22/tcp", "ufw allow 8080/tcp"]


@pytest.fixture
def in_use(host) -> Iterator:
    """The firewall is active, and shut for others when the test is over."""
    host.sh(SETUP)
    yield host
    host.sh("ufw disable; ufw --force reset; sysctl -q net.ipv6.conf.all.disable_ipv6=0; rm -f /etc/ufw/*.20*")


def rules(host) -> list[str]:
    """What was added, in its order, without what is said of it."""
    lines = host.sh("ufw show added").stdout.splitlines()[1:]
    return [line.partition(" comment ")[0] for line in lines]


def test_rules_of_others_stay_in_their_order_and_a_second_run_changes_nothing(in_use):
    assert rules(in_use) == BEFORE
    variables = {"firewall_enabled": True}
    done = in_use.play(variables, "--tags=firewall")
    assert done.returncode == 0, done.stdout
    found = rules(in_use)
    assert [rule for rule in found if rule in BEFORE] == BEFORE and found[0] == BEFORE[0], found
    assert {"ufw allow 21/tcp", "ufw allow 50000:50999/tcp"} <= set(found), found
    assert in_use.sh("grep ^IPV6= /etc/default/ufw; ufw status").stdout.startswith("IPV6=yes\nStatus: active")
    again = in_use.play(variables, "--tags=firewall")
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    assert rules(in_use) == found
