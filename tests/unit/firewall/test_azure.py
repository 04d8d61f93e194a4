# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an Azure network security group."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.azure import nsg_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import port_plan


def plan(found=(), ssh_ports=(22,), base=1000, **variables):
    return nsg_plan(port_plan(Settings.parse(variables), ssh_ports), list(found), base)


def foreign(name="web", priority=500, access="Allow", **more):
    return {
        "name": name,
        "description": None,
        "priority": priority,
        "direction": "Inbound",
        "access": access,
        "protocol": "Tcp",
        "source_address_prefix": "*",
        "destination_port_range": "443",
        **more,
    }


def test_the_exact_rules_of_the_defaults():
    assert plan(vsftpd_tls_modes=["explicit", "implicit"]).rules == tuple(
        {
            "name": f"secure-ftp-{name}",
            "description": f"secure_ftp.server {description}",
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "source_address_prefix": "*",
            "destination_port_range": ports,
            "priority": priority,
        }
        for name, description, ports, priority in (
            ("ssh", "SSH", "22", 1000),
            ("ftps-explicit-tls", "FTPS explicit TLS", "21", 1001),
            ("ftps-implicit-tls", "FTPS implicit TLS", "990", 1002),
            ("ftps-passive-data", "FTPS passive data", "50000-50999", 1003),
        )
    )


def by_name(result):
    return {rule["name"]: rule for rule in result.rules}


def test_families_cannot_be_mixed_and_networks_cannot_overlap():
    rules = by_name(plan(firewall_allowed_sources=["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", "2001:db8::/32"]))
    assert rules["secure-ftp-ftps-explicit-tls"]["source_address_prefix"] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert rules["secure-ftp-ftps-explicit-tls-ipv6"]["source_address_prefix"] == "2001:db8::/32"
    assert by_name(plan(firewall_ipv6=False))["secure-ftp-ssh"]["source_address_prefix"] == "0.0.0.0/0"


def test_several_ssh_ports_are_one_rule():
    assert by_name(plan(ssh_ports=(2222, 22)))["secure-ftp-ssh"]["destination_port_range"] == ["22", "2222"]


def test_extra_rules_are_named_by_what_they_are_about():
    extra = [
        {"port": 113, "rule": "reject", "comment": "ident"},
        {"port": "8000:8010", "source": "198.51.100.0/24", "proto": "udp"},
        {"port": 443, "source": "2001:db8::"},
    ]
    rules = by_name(plan(firewall_extra_rules=extra))
    assert rules["secure-ftp-extra-tcp-113"]["access"] == "Deny"
    assert rules["secure-ftp-extra-udp-8000-8010-198.51.100.0_24"]["protocol"] == "Udp"
    assert rules["secure-ftp-extra-tcp-443-2001.db8.._"]["source_address_prefix"] == "2001:db8::/128"


@given(st.integers(1, 65535), st.one_of(st.ip_addresses().map(str), st.just("any")))
def test_names_are_what_the_service_takes(port, source):
    extra = [{"port": port, "source": source, "proto": "udp"}]
    for rule in plan(firewall_extra_rules=extra).rules:
        assert re.match(r"\w[\w.-]{0,78}[\w_]\Z", rule["name"])


def test_a_rule_keeps_its_priority_when_others_come_and_go():
    first = plan(vsftpd_tls_modes=["explicit", "implicit"], firewall_extra_rules=[{"port": 80}]).rules
    second = plan(found=first, vsftpd_pasv_max_port=51999, firewall_extra_rules=[{"port": 81}, {"port": 80}])
    priorities = {rule["name"]: rule["priority"] for rule in second.rules}
    for rule in first:
        assert priorities.get(rule["name"], rule["priority"]) == rule["priority"]
    assert second.stale == ("secure-ftp-ftps-implicit-tls",)
    assert priorities["secure-ftp-extra-tcp-81"] == 1005, "the stale one is still there when this is added"
    third = plan(found=second.rules, vsftpd_tls_modes=["explicit", "implicit"], firewall_extra_rules=[{"port": 81}])
    assert by_name(third)["secure-ftp-ftps-implicit-tls"]["priority"] == 1002
    assert third.stale == ("secure-ftp-extra-tcp-80",)


def test_nothing_changes_the_second_time():
    first = plan(firewall_allowed_sources=["10.0.0.0/8", "2001:db8::/32"])
    assert plan(found=first.rules, firewall_allowed_sources=["10.0.0.0/8", "2001:db8::/32"]) == first


def test_priorities_of_others_are_left_to_them():
    rules = plan(found=[foreign(priority=1000), foreign("out", 1002, direction="Outbound")]).rules
    assert [rule["priority"] for rule in rules] == [1001, 1002, 1003]


def test_a_raised_base_moves_the_rules():
    first = plan()
    assert [rule["priority"] for rule in plan(found=first.rules, base=2000).rules] == [2000, 2001, 2002]


def test_no_priority_left():
    with pytest.raises(SecureFtpError, match="4095.*firewall_azure_priority"):
        plan(base=4095)


def test_rules_of_others_are_never_stale():
    found = [foreign("secure-ftp-mine"), foreign("web", description="secure_ftp.server?")]
    assert plan(found=found).stale == ()


def test_a_foreign_rule_with_a_name_of_ours():
    with pytest.raises(SecureFtpError, match="Secure-FTP-SSH.*rename"):
        plan(found=[foreign("Secure-FTP-SSH")])


@pytest.mark.parametrize(
    "more",
    [
        {"destination_port_range": "*", "protocol": "*"},
        {"destination_port_range": "20-22"},
        {"destination_port_range": None, "destination_port_ranges": ["1", "50500"]},
        {"destination_port_range": "21", "source_address_prefix": None, "source_address_prefixes": ["0.0.0.0/0"]},
    ],
)
def test_a_foreign_deny_that_comes_first_is_an_error_with_the_remedy(more):
    with pytest.raises(SecureFtpError, match="no-entry.*firewall_azure_priority below 500"):
        plan(found=[foreign("no-entry", 500, "Deny", **more)])


@pytest.mark.parametrize(
    "more",
    [
        {"priority": 4096, "destination_port_range": "*"},
        {"destination_port_range": "23"},
        {"destination_port_range": "22", "protocol": "Udp"},
        {"destination_port_range": "22", "direction": "Outbound"},
        {"destination_port_range": "22", "source_address_prefix": "192.0.2.0/24"},
    ],
)
def test_other_foreign_denials_are_no_error(more):
    plan(found=[foreign("no-entry", access="Deny", **more)])
