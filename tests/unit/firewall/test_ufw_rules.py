"""UFW: from `ufw show added` and the port plan to what is to be added and deleted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw_rules as _firewall
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.ufw_rules import Rule, parse_added, plan

# Printed by ufw 0.36.2.
ADDED = """Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp comment 'secure_ftp.server SSH'
ufw allow from 10.0.0.0/8 to any port 50000:50999 proto tcp comment 'secure_ftp.server x'
ufw deny 99
ufw limit 2222/tcp
ufw allow out on eth0 to 1.2.3.4 port 5 proto udp
ufw allow OpenSSH
ufw allow 20,21,22,989,990/tcp
ufw allow from 2001:db8::/32 to any port 21 proto tcp comment 'it's ours'
ufw route allow in on eth0 out on eth1
ufw allow from 10.0.0.1
ufw allow in on eth0 from any to any port 80
ufw deny log 23/tcp
"""


def wanted(ssh_ports=(22,), **variables):
    """The rules of the defaults, changed by public variables without their prefixes."""
    prefixed = {
        ("firewall_" if name.endswith(("sources", "rules", "limit")) else "vsftpd_") + name: value
        for name, value in variables.items()
    }
    return _firewall.wanted_rules(port_plan(Settings.parse(prefixed), ssh_ports))


def commands(rules):
    return [str(rule) for rule in rules]


def test_show_added():
    assert parse_added(ADDED) == [
        Rule("allow", "22", "tcp", "any", "secure_ftp.server SSH"),
        Rule("allow", "50000:50999", "tcp", "10.0.0.0/8", "secure_ftp.server x"),
        Rule("deny", "99", "any", "any"),
        Rule("limit", "2222", "tcp", "any"),
        None,
        None,
        Rule("allow", "20,21,22,989,990", "tcp", "any"),
        Rule("allow", "21", "tcp", "2001:db8::/32", "it's ours"),
        None,
        None,
        None,
        None,
    ]
    assert parse_added("Added user rules (see 'ufw status' for running firewall):\n(None)\n") == []


@given(st.lists(st.text(max_size=30)))
def test_any_text_is_read(lines):
    parse_added("\n".join("ufw " + line for line in lines))


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, ["22/tcp", "21/tcp", "50000:50999/tcp"]),
        ({"tls_modes": ["implicit"]}, ["22/tcp", "990/tcp", "50000:50999/tcp"]),
        ({"tls_modes": ["implicit", "explicit"]}, ["22/tcp", "21/tcp", "990/tcp", "50000:50999/tcp"]),
        ({"pasv_enable": False}, ["22/tcp", "21/tcp"]),
        ({"port": 2121, "pasv_min_port": 6000, "pasv_max_port": 6000}, ["22/tcp", "2121/tcp", "6000/tcp"]),
        ({"extra_rules": [{"port": 443}]}, ["22/tcp", "21/tcp", "50000:50999/tcp", "443/tcp"]),
        ({"extra_rules": [{"port": 21}]}, ["22/tcp", "21/tcp", "50000:50999/tcp"]),
    ],
)
def test_exactly_the_ports_the_variables_imply_ssh_first(options, expected):
    assert commands(wanted(**options)) == [f"ufw allow {ports}" for ports in expected]


def test_several_ssh_ports_and_sources():
    rules = wanted((2222, 22), allowed_sources=["10.0.0.1/8", "2001:db8::1"], ssh_allowed_sources=["192.0.2.7"])
    assert commands(rules) == [
        "ufw allow from 192.0.2.7 to any port 22 proto tcp",
        "ufw allow from 192.0.2.7 to any port 2222 proto tcp",
        "ufw allow from 10.0.0.0/8 to any port 21 proto tcp",
        "ufw allow from 2001:db8::1 to any port 21 proto tcp",
        "ufw allow from 10.0.0.0/8 to any port 50000:50999 proto tcp",
        "ufw allow from 2001:db8::1 to any port 50000:50999 proto tcp",
    ]
    assert all(rule.own for rule in rules)


def test_the_arguments_that_add_a_rule_and_delete_it():
    (rule, *_others) = wanted(ssh_allowed_sources=["2001:db8::/32"])
    words = ["allow", "from", "2001:db8::/32", "to", "any", "port", "22", "proto", "tcp"]
    assert rule.added() == [*words, "comment", "secure_ftp.server SSH"]
    assert rule.deleted() == ["delete", *words]
    assert wanted()[0].added()[:3] == ["allow", "from", "any"]


def show(rules):
    """What ufw show added prints after the rules were added."""
    return "\n".join(f"{rule} comment '{rule.comment}'" for rule in rules)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"allowed_sources": ["10.0.0.0/8", "2001:db8::/32"], "tls_modes": ["explicit", "implicit"]},
        {"extra_rules": [{"port": "1-9", "proto": "udp", "rule": "deny", "source": "192.0.2.1", "comment": "no"}]},
    ],
)
def test_nothing_to_do_the_second_time(options):
    rules = wanted(**options)
    assert plan(rules, []).add == tuple(rules)
    assert plan(rules, parse_added(show(rules))) == _firewall.Plan((), ())


def test_stale_rules_go_and_foreign_ones_stay():
    before = wanted(tls_modes=["explicit", "implicit"], extra_rules=[{"port": 8443}])
    text = show(before) + "\nufw allow 80/tcp\nufw allow 990/udp comment 'mine'\nufw allow OpenSSH"
    todo = plan(wanted(pasv_max_port=51999), parse_added(text))
    assert commands(todo.add) == ["ufw allow 50000:51999/tcp"]
    assert commands(todo.delete) == ["ufw allow 990/tcp", "ufw allow 50000:50999/tcp", "ufw allow 8443/tcp"]


def test_a_comment_that_only_begins_alike_is_foreign():
    todo = plan(wanted(), parse_added("ufw allow 80/tcp comment 'secure_ftp.servers of mine'"))
    assert todo.delete == ()


@pytest.mark.parametrize("action", ["allow", "limit"])
def test_a_foreign_rule_that_lets_it_in_is_neither_repeated_nor_taken_over(action):
    todo = plan(wanted(), parse_added(f"ufw {action} 22/tcp"))
    assert commands(todo.add) == ["ufw allow 21/tcp", "ufw allow 50000:50999/tcp"]


@pytest.mark.parametrize("line", ["deny 22/tcp", "reject 22", "deny 20:30/tcp", "deny 21,22/tcp comment 'mine'"])
def test_a_foreign_rule_that_shuts_ssh_is_an_error_with_the_remedy(line):
    with pytest.raises(SecureFtpError) as caught:
        plan(wanted(), parse_added(f"ufw {line}"))
    rule = line.partition(" comment")[0]
    assert "22" in str(caught.value) and f"(ufw delete {rule})" in str(caught.value)


def test_a_foreign_deny_behind_our_rule_or_for_one_address_is_no_error():
    rules = wanted()
    text = show(rules) + "\nufw deny 22\nufw deny from 192.0.2.9 to any port 21 proto tcp\nufw deny 21/udp"
    assert plan(rules, parse_added(text)) == _firewall.Plan((), ())


def test_a_firewall_in_use_with_a_ban_first_and_a_limit_gets_what_is_missing_behind_them():
    """Case 22: what fail2ban put first stays first, SSH stays limited, another service stays open."""
    text = "ufw deny from 203.0.113.7\nufw limit 22/tcp\nufw allow 8080/tcp"
    todo = plan(wanted(), parse_added(text))
    assert commands(todo.add) == [command for command in commands(wanted()) if " 22/tcp" not in command]
    assert len(todo.add) == 2 and todo.delete == () and not any("insert" in command for command in commands(todo.add))
    assert plan(wanted(), parse_added(f"{text}\n{show(todo.add)}")) == _firewall.Plan((), ())


def test_an_own_rule_that_changes_its_action_is_replaced_in_place():
    before = wanted(extra_rules=[{"port": 443}])
    todo = plan(wanted(extra_rules=[{"port": 443, "rule": "deny"}]), parse_added(show(before)))
    assert commands(todo.add) == ["ufw deny 443/tcp"] and todo.delete == ()


def test_an_extra_rule_may_not_shut_the_server():
    with pytest.raises(SecureFtpError, match="firewall_extra_rules"):
        wanted(extra_rules=[{"port": 22, "rule": "deny"}])


def test_an_extra_deny_does_not_replace_a_foreign_allow():
    with pytest.raises(SecureFtpError, match="delete one"):
        plan(wanted(extra_rules=[{"port": 80, "rule": "deny"}]), parse_added("ufw allow 80/tcp"))


def test_lockout():
    _firewall.refuse_lockout("", ["10.0.0.0/8"])
    _firewall.refuse_lockout("192.0.2.1", ["any"])
    _firewall.refuse_lockout("10.9.9.9", ["192.0.2.1", "10.0.0.0/8"])
    _firewall.refuse_lockout("::ffff:10.9.9.9", ["10.0.0.0/8"])
    with pytest.raises(SecureFtpError, match="192.0.2.1.*lock you out"):
        _firewall.refuse_lockout("192.0.2.1", ["10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    "text, expected",
    [
        ('DEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n', []),
        ("DEFAULT_INPUT_POLICY=ACCEPT\nDEFAULT_OUTPUT_POLICY=ACCEPT\n", ["incoming"]),
        ('DEFAULT_INPUT_POLICY="REJECT"\nDEFAULT_OUTPUT_POLICY="DROP"\n', ["incoming", "outgoing"]),
        ('# DEFAULT_INPUT_POLICY="DROP"\n', ["incoming", "outgoing"]),
    ],
)
def test_policies(text, expected):
    every = {"incoming": ["default", "deny", "incoming"], "outgoing": ["default", "allow", "outgoing"]}
    assert _firewall.policies_to_change(text) == [every[direction] for direction in expected]


USER_RULES = """*filter
### RULES ###

### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=7365637572655f
-A ufw-user-input -p tcp --dport 22 -j ACCEPT

### tuple ### limit tcp 21 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow tcp 50000:50999 0.0.0.0/0 any 10.0.0.0/8 in
"""
USER6_RULES = """### tuple ### allow tcp 22 ::/0 any ::/0 in comment=7365637572655f
### tuple ### allow tcp 21 ::/0 any ::/0 in
"""


def test_a_rule_that_one_family_lacks_is_added_again():
    rules = wanted()
    assert commands(_firewall.halves_missing(rules, [USER_RULES, USER_RULES])) != []
    half = _firewall.halves_missing(rules, [USER_RULES, USER6_RULES])
    assert {str(rule) for rule in half} == {"ufw allow 21/tcp", "ufw allow 50000:50999/tcp"}
    todo = plan(rules, parse_added(show(rules)), half)
    assert set(todo.add) == half and todo.delete == ()


def test_a_foreign_rule_of_one_family_is_left_alone():
    rules = wanted()
    text = "ufw allow 22/tcp\n" + show(rules[1:])
    assert plan(rules, parse_added(text), rules[:1]) == _firewall.Plan((), ())


def test_rules_for_one_network_have_no_other_half():
    assert _firewall.halves_missing(wanted(allowed_sources=["10.0.0.0/8"])[1:], ["", ""]) == set()


def test_limited_log_ins_and_unlimited_data():
    assert commands(wanted(rate_limit=True)) == ["ufw limit 22/tcp", "ufw limit 21/tcp", "ufw allow 50000:50999/tcp"]


@pytest.mark.parametrize("text, expected", [("IPV6=yes\n", True), ('IPV6="no"', False), ("#IPV6=yes\n", False)])
def test_ipv6(text, expected):
    assert _firewall.filters_ipv6(text) is expected
