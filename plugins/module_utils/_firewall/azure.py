# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Azure network security groups: a port plan as security rules, and which rules of the group are stale.

Rules of this collection have a name that starts with PREFIX and a description that starts with OWNER; every other
rule is foreign. The name describes the purpose of the rule, not its content: if the passive range changes, the rule
keeps its name and gets other ports.

Source of facts: the service's documentation of security rules (names, priorities from 100 to 4096, unique for each
direction) and its error ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import (
    ANYWHERE,
    AZURE_PRIORITIES,
    PortRule,
    bounds,
)

OWNER = "secure_ftp.server"
PREFIX = "secure-ftp-"


@dataclass(frozen=True)
class NsgPlan:
    """``rules``: for azure.azcollection.azure_rm_securitygroup. ``stale``: names of rules to be deleted."""

    rules: tuple[dict[str, Any], ...]
    stale: tuple[str, ...]


def nsg_plan(rules: Iterable[PortRule], found: Sequence[Mapping[str, Any]], base: int = 1000) -> NsgPlan:
    """The security rules of a port plan, given the rules the group has.

    ``found`` are dictionaries as azure_rm_securitygroup returns them. An existing rule keeps its priority. A new one
    gets the lowest number from ``base`` on that no incoming rule has; stale rules count too, because they are deleted
    last. Raises SecureFtpError when a foreign rule has a name of ours or blocks a port that has to be open, or when no
    priority is left.
    """
    wanted = [rule for port_rule in _merged(rules) for rule in _security_rules(port_rule)]
    own = {str(rule["name"]).lower(): rule for rule in found if is_own(rule)}
    foreign = [rule for rule in found if not is_own(rule)]
    names = {rule["name"] for rule in wanted}
    for other in foreign:
        if str(other["name"]).lower() in names:
            raise SecureFtpError(
                f"rule {other['name']} of the network security group",
                f"a rule of this collection, whose description starts with {OWNER}",
                found="a foreign rule",
                remedy="rename or delete it",
            )
    taken = {int(rule["priority"]) for rule in found if rule.get("direction") == "Inbound"}
    for rule in wanted:
        there = own.get(rule["name"])
        if there is not None and int(there["priority"]) >= base:
            rule["priority"] = int(there["priority"])
        else:
            rule["priority"] = _free(taken, base)
            taken.add(rule["priority"])
    for rule in wanted:
        _refuse_shut(rule, foreign)
    return NsgPlan(tuple(wanted), tuple(sorted(rule["name"] for name, rule in own.items() if name not in names)))


def is_own(rule: Mapping[str, Any]) -> bool:
    return str(rule["name"]).lower().startswith(PREFIX) and str(rule.get("description") or "").startswith(OWNER)


def _free(taken: set[int], base: int) -> int:
    for priority in range(base, AZURE_PRIORITIES[1] + 1):
        if priority not in taken:
            return priority
    raise SecureFtpError(
        "the network security group",
        f"a free priority from {base} to {AZURE_PRIORITIES[1]}",
        found="none",
        remedy="lower firewall_azure_priority",
    )


def _merged(rules: Iterable[PortRule]) -> list[PortRule]:
    """The incoming rules; SSH on several ports is one rule with all of them, separated by commas."""
    merged: dict[str, PortRule] = {}
    for rule in rules:
        if rule.direction != "in":
            continue
        name = _name(rule)
        if name in merged:
            both = sorted({*merged[name].ports.split(","), rule.ports}, key=bounds)
            rule = PortRule(rule.name, rule.action, rule.protocol, ",".join(both), rule.sources, rule.families)
        merged[name] = rule
    return list(merged.values())


def _name(rule: PortRule) -> str:
    """A name of word characters, dots and hyphens; it begins with a word character and ends with one or with ``_``."""
    if rule.variable.startswith("firewall_extra_rules"):
        source = "" if rule.sources == (ANYWHERE,) else "-" + rule.sources[0].replace(":", ".").replace("/", "_")
        name = f"{PREFIX}extra-{rule.protocol}-{rule.ports.replace(':', '-')}{source}"
    else:
        name = PREFIX + re.sub(r"[^a-z0-9]+", "-", rule.name.lower())
    return name if name[-1].isalnum() else name + "_"


def _security_rules(rule: PortRule) -> list[dict[str, Any]]:
    """One security rule, or two: one rule cannot contain both IPv4 and IPv6 networks."""
    name = _name(rule)
    if ANYWHERE in rule.sources:
        return [_security_rule(rule, name, ["*" if "ipv6" in rule.families else "0.0.0.0/0"])]
    networks = [ipaddress.ip_network(source) for source in rule.sources]
    # Collapsed: the service refuses a rule with a network that contains another one.
    ipv4 = ipaddress.collapse_addresses(net for net in networks if isinstance(net, ipaddress.IPv4Network))
    ipv6 = ipaddress.collapse_addresses(net for net in networks if isinstance(net, ipaddress.IPv6Network))
    # An extra rule has one source, which is part of its name.
    suffix = "" if rule.variable.startswith("firewall_extra_rules") else "-ipv6"
    families = (name, list(map(str, ipv4))), (name + suffix, list(map(str, ipv6)))
    return [_security_rule(rule, family, prefixes) for family, prefixes in families if prefixes]


def _security_rule(rule: PortRule, name: str, prefixes: list[str]) -> dict[str, Any]:
    ports = [ports.replace(":", "-") for ports in rule.ports.split(",")]
    return {
        "name": name,
        "description": f"{OWNER} {rule.name}",
        "direction": "Inbound",
        # Deny is silent; a security group cannot send an answer, as reject does.
        "access": "Allow" if rule.action in ("allow", "limit") else "Deny",
        "protocol": rule.protocol.capitalize(),
        "source_address_prefix": prefixes[0] if len(prefixes) == 1 else prefixes,
        "destination_port_range": ports[0] if len(ports) == 1 else ports,
    }


def _refuse_shut(rule: Mapping[str, Any], foreign: Iterable[Mapping[str, Any]]) -> None:
    """The rule with the lowest number decides, so a deny from everywhere with a lower number blocks the port."""
    if rule["access"] != "Allow":
        return
    ports = rule["destination_port_range"]
    for other in foreign:
        if (
            other.get("access") == "Deny"
            and other.get("direction") == "Inbound"
            and int(other["priority"]) < rule["priority"]
            and str(other.get("protocol")).lower() in ("*", rule["protocol"].lower())
            and _values(other, "source_address_prefix", "source_address_prefixes") & {"*", "0.0.0.0/0", "Internet"}
            and not other.get("destination_application_security_groups")
            and _covers(
                _values(other, "destination_port_range", "destination_port_ranges"),
                ports if isinstance(ports, list) else [ports],
            )
        ):
            raise SecureFtpError(
                f"port {ports} ({rule['description']})",
                found=f"is needed, but the rule {other['name']} of the network security group comes first (priority"
                f" {other['priority']}) and blocks it",
                remedy=f"delete that rule, or set firewall_azure_priority below {other['priority']}",
            )


def _values(rule: Mapping[str, Any], single: str, several: str) -> set[str]:
    return {str(value) for value in [rule.get(single), *(rule.get(several) or [])] if value}


def _covers(ranges: Iterable[str], ports: Iterable[str]) -> bool:
    """Whether one of ``ranges`` (``*``, ``22`` or ``20-30``) and one of ``ports`` have a port in common."""
    for span in ranges:
        low, high = (1, 65535) if span == "*" else bounds(span.replace("-", ":"))
        for port in ports:
            first, last = bounds(port.replace("-", ":"))
            if low <= last and first <= high:
                return True
    return False
