# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port plan: from the public variables to the rules of no firewall in particular."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import plan as _port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import PortRule, overlap

AZURE = {
    "firewall_backend": "azure_nsg",
    "firewall_azure_resource_group": "rg",
    "firewall_azure_security_group": "nsg",
}


def port_plan(variables, ssh_ports=(22,)):
    return _port_plan.port_plan(Settings.parse(variables), ssh_ports)


def service_problems(variables, ssh_ports):
    return list(map(str, _port_plan.service_problems(Settings.parse(variables), ssh_ports)))


def firewall_problems(variables, ssh_ports=()):
    return list(map(str, _port_plan.firewall_problems(Settings.parse(variables), ssh_ports)))


def words(ssh_ports=(22,), **variables):
    return [str(rule) for rule in port_plan(variables, ssh_ports)]


def test_the_defaults_in_words():
    assert words() == [
        "allow in tcp 22 from any (SSH)",
        "allow in tcp 21 from any (FTPS explicit TLS)",
        "allow in tcp 50000:50999 from any (FTPS passive data)",
        "allow out tcp from port 20 to any (FTPS active data)",
    ]


def test_as_dictionary():
    assert port_plan({})[0].as_dict() == {
        "name": "SSH",
        "direction": "in",
        "protocol": "tcp",
        "ports": "22",
        "source_ports": "",
        "sources": ["any"],
        "families": ["ipv4", "ipv6"],
        "action": "allow",
    }


@pytest.mark.parametrize(
    "variables, ports",
    [
        ({}, ["22", "21", "50000:50999"]),
        ({"vsftpd_tls_modes": ["implicit"]}, ["22", "990", "50000:50999"]),
        ({"vsftpd_tls_modes": ["implicit", "explicit"]}, ["22", "21", "990", "50000:50999"]),
        ({"vsftpd_pasv_enable": "no"}, ["22", "21"]),
        ({"ftp_protocols": ["sftp"]}, ["22"]),
        ({"ftp_protocols": ["sftp"], "vsftpd_tls_modes": [], "vsftpd_port": 22, "vsftpd_pasv_min_port": 0}, ["22"]),
        ({"vsftpd_port": "2121", "vsftpd_pasv_min_port": 6000, "vsftpd_pasv_max_port": "6000"}, ["22", "2121", "6000"]),
        ({"firewall_extra_rules": [{"port": "8000-8010"}]}, ["22", "21", "50000:50999", "8000:8010"]),
    ],
)
def test_exactly_the_ports_the_variables_imply(variables, ports):
    incoming = [rule for rule in port_plan(variables) if rule.direction == "in"]
    assert [rule.ports for rule in incoming] == ports
    assert all(rule.protocol == "tcp" and rule.action == "allow" for rule in incoming)


def test_active_mode_is_an_outgoing_connection_and_opens_nothing():
    assert "allow out tcp from port any to any (FTPS active data)" in words(vsftpd_connect_from_port_20=False)
    assert "allow out tcp from port 2020 to any (FTPS active data)" in words(vsftpd_ftp_data_port=2020)
    assert not [rule for rule in port_plan({"vsftpd_port_enable": False}) if rule.direction == "out"]


def test_sources_for_each_service():
    rules = port_plan(
        {"firewall_allowed_sources": ["10.1.2.3/8", "2001:DB8::1"], "firewall_ssh_allowed_sources": ["192.0.2.7"]},
        (22,),
    )
    assert {rule.name: rule.sources for rule in rules} == {
        "SSH": ("192.0.2.7",),
        "FTPS explicit TLS": ("10.0.0.0/8", "2001:db8::1"),
        "FTPS passive data": ("10.0.0.0/8", "2001:db8::1"),
        "FTPS active data": ("10.0.0.0/8", "2001:db8::1"),
    }


def test_every_ssh_port_once_in_order():
    assert [rule.ports for rule in port_plan({}, (2222, 22, 2222)) if rule.name == "SSH"] == ["22", "2222"]


def test_only_log_ins_are_limited():
    actions = {rule.name: rule.action for rule in port_plan({"firewall_rate_limit": True})}
    assert actions["SSH"] == actions["FTPS explicit TLS"] == "limit"
    assert actions["FTPS passive data"] == "allow"


def test_without_ipv6_any_is_ipv4():
    assert {rule.families for rule in port_plan({"firewall_ipv6": False})} == {("ipv4",)}


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"vsftpd_pasv_min_port": 51000}, ["vsftpd_pasv_min_port", "swap"]),
        ({"vsftpd_pasv_min_port": 2000, "vsftpd_port": 2121, "vsftpd_pasv_max_port": 3000}, ["vsftpd_port", "2121"]),
        ({"vsftpd_implicit_port": 21, "vsftpd_tls_modes": ["explicit", "implicit"]}, ["vsftpd_implicit_port", "21"]),
        ({"vsftpd_port": 22}, ["vsftpd_port", "SSH"]),
        ({"vsftpd_tls_modes": []}, ["vsftpd_tls_modes"]),
        ({"vsftpd_ftp_data_port": 0}, ["vsftpd_ftp_data_port", "0"]),
        ({"vsftpd_pasv_min_port": 1}, ["vsftpd_pasv_min_port", "1024"]),
        ({"firewall_backend": "iptables"}, ["firewall_backend", "ufw, azure_nsg, none", "'iptables'"]),
        ({"firewall_confirm_timeout": 1}, ["firewall_confirm_timeout", "5 to 3600", "1"]),
        ({"firewall_ssh_port": 70000}, ["firewall_ssh_port", "70000"]),
        ({"firewall_allowed_sources": ["10.0.0.300"]}, ["firewall_allowed_sources[0]", "10.0.0.300"]),
        ({"firewall_ssh_allowed_sources": "10.0.0.1"}, ["firewall_ssh_allowed_sources", "list"]),
        (
            {"firewall_ipv6": False, "firewall_allowed_sources": ["2001:db8::/32"]},
            ["firewall_allowed_sources", "2001:db8::/32", "firewall_ipv6"],
        ),
        (
            {"firewall_ipv6": False, "firewall_extra_rules": [{"port": 443, "source": "2001:db8::1"}]},
            ["firewall_extra_rules[0]", "2001:db8::1", "firewall_ipv6"],
        ),
        ({**AZURE, "firewall_azure_resource_group": ""}, ["firewall_azure_resource_group", "empty"]),
        ({**AZURE, "firewall_azure_security_group": ""}, ["firewall_azure_security_group", "empty"]),
        ({**AZURE, "firewall_azure_security_group": "a/b"}, ["firewall_azure_security_group", "'a/b'"]),
        ({**AZURE, "firewall_azure_priority": 99}, ["firewall_azure_priority", "100 to 4096", "99"]),
        ({**AZURE, "firewall_rate_limit": True}, ["firewall_rate_limit", "azure_nsg"]),
        ({**AZURE, "firewall_extra_rules": [{"port": 1, "rule": "limit"}]}, ["firewall_extra_rules[0]", "limit"]),
        # Rules that would shut what the services need, or decide about one connection in two ways.
        ({"firewall_extra_rules": [{"port": 22, "rule": "deny"}]}, ["firewall_extra_rules[0]", "SSH"]),
        (
            {"vsftpd_tls_modes": ["implicit"], "firewall_extra_rules": [{"port": 990, "rule": "reject"}]},
            ["firewall_extra_rules[0]", "990", "FTPS implicit TLS"],
        ),
        (
            {"firewall_extra_rules": [{"port": "50500:60000", "rule": "deny", "source": "192.0.2.1"}]},
            ["firewall_extra_rules[0]", "FTPS passive data"],
        ),
        (
            {"firewall_rate_limit": True, "firewall_extra_rules": [{"port": 21}]},
            ["firewall_extra_rules[0]", "limit in tcp 21"],
        ),
        (
            {"firewall_extra_rules": [{"port": "80:90"}, {"port": 85, "rule": "deny", "source": "10.0.0.0/8"}]},
            ["firewall_extra_rules[1]", "80:90"],
        ),
        (
            {"firewall_extra_rules": [{"port": 80}, {"port": "80", "comment": "again"}]},
            ["firewall_extra_rules[1]", "firewall_extra_rules[0]"],
        ),
    ],
)
def test_a_contradiction_is_one_problem_with_the_name_of_the_variable(variables, expected):
    found = service_problems(variables, [22]) + firewall_problems(variables, [22])
    assert len(found) == 1, found
    for word in expected:
        assert word in found[0]
    with pytest.raises(InvalidInput):
        port_plan(variables)


def test_every_problem_is_in_the_one_message():
    with pytest.raises(InvalidInput) as caught:
        port_plan({"vsftpd_port": 0, "firewall_backend": "x", "firewall_extra_rules": 7})
    for word in ("vsftpd_port", "firewall_backend", "firewall_extra_rules"):
        assert word in str(caught.value)


def test_azure_variables_do_not_matter_to_others_and_good_ones_pass():
    assert firewall_problems({"firewall_azure_priority": "x"}) == []
    assert firewall_problems(AZURE) == []


def test_rules_for_others_and_for_other_networks_are_no_contradiction():
    extra = [{"port": 21, "proto": "udp", "rule": "deny"}, {"port": 21, "source": "192.0.2.1", "rule": "deny"}]
    assert firewall_problems({"firewall_extra_rules": extra, "firewall_allowed_sources": ["10.0.0.0/8"]}) == []


SOURCES = st.one_of(
    st.just("any"),
    st.builds(lambda a, n: f"10.{a}.0.0/{n}", st.integers(0, 3), st.integers(14, 16)),
    st.builds(lambda a, n: f"2001:db8:{a}::/{n}", st.integers(0, 3), st.integers(46, 48)),
)
EXTRA = st.fixed_dictionaries(
    {"port": st.integers(1, 40)},
    optional={
        "source": SOURCES,
        "rule": st.sampled_from(_port_plan.ACTIONS),
        "proto": st.sampled_from(_port_plan.PROTOCOLS),
    },
)


@given(st.lists(EXTRA, max_size=4), st.lists(SOURCES, max_size=2), st.booleans())
def test_the_order_of_a_plan_never_matters(extra, sources, limit):
    variables = {
        "firewall_extra_rules": extra,
        "firewall_allowed_sources": sources,
        "firewall_rate_limit": limit,
    }
    try:
        rules = [rule for rule in port_plan(variables) if rule.direction == "in"]
    except InvalidInput:
        return
    for index, rule in enumerate(rules):
        for other in rules[:index]:
            assert rule.action == other.action or not overlap(rule, other)


@pytest.mark.parametrize(
    "one, other, expected",
    [
        (("tcp", "20:30", ("any",)), ("tcp", "30", ("10.0.0.0/8",)), True),
        (("tcp", "20:30", ("any",)), ("tcp", "31", ("any",)), False),
        (("tcp", "21", ("any",)), ("udp", "21", ("any",)), False),
        (("tcp", "21", ("10.0.0.0/8",)), ("tcp", "21", ("2001:db8::/32", "10.9.0.1")), True),
        (("tcp", "21", ("10.0.0.0/8",)), ("tcp", "21", ("2001:db8::/32",)), False),
    ],
)
def test_overlap(one, other, expected):
    assert overlap(PortRule("a", "allow", *one), PortRule("b", "deny", *other)) is expected


@pytest.mark.parametrize(
    "value, expected",
    [(22, "22"), ("22", "22"), ("6000-6010", "6000:6010"), ("6000:6010", "6000:6010"), ("7:7", "7")],
)
def test_ports(value, expected):
    assert _port_plan.parse_ports(value, "port") == expected


@pytest.mark.parametrize("value", [0, 65536, "ssh", "10:9", "1,2", None, True, -1, 1.5, "", "22\n"])
def test_bad_ports(value):
    with pytest.raises(SecureFtpError, match="port"):
        _port_plan.parse_ports(value, "port")


@pytest.mark.parametrize(
    "value, expected",
    [("any", "any"), ("10.1.2.3/8", "10.0.0.0/8"), ("192.0.2.1/32", "192.0.2.1"), ("2001:DB8::1/128", "2001:db8::1")],
)
def test_sources(value, expected):
    assert _port_plan.parse_source(value, "source") == expected


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "example.org", "", 7, None, "10.0.0.0/33"])
def test_bad_sources(value):
    with pytest.raises(SecureFtpError, match="source"):
        _port_plan.parse_source(value, "source")


def test_any_among_the_sources_is_everybody():
    assert _port_plan.parse_sources(["10.0.0.1", "any"], "s") == ("any",)
    assert _port_plan.parse_sources([], "s") == ("any",)


@pytest.mark.parametrize(
    "entry, word",
    [
        ({"port": 1, "rule": "drop"}, "rule"),
        ({"port": 1, "proto": "any"}, "proto"),
        ({"port": 1, "comment": "it's"}, "comment"),
        ({"port": 1, "comment": "a\nb"}, "comment"),
        ({"prot": 1}, "prot"),
        ({}, "port"),
        (7, "mapping"),
    ],
)
def test_bad_extra_rules(entry, word):
    with pytest.raises(SecureFtpError, match=word):
        _port_plan.parse_extra_rule(entry, "firewall_extra_rules[0]")


def test_a_server_without_ftps_makes_no_connections_of_active_mode():
    assert words(ftp_protocols=["sftp"]) == ["allow in tcp 22 from any (SSH)"]
