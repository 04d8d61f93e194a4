# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""UFW: the rules for a port plan, the existing rules, and which to add and to delete.

Rules of this collection have a comment that starts with OWNER; every other rule is foreign.
Existing rules are read from ``ufw show added``, which prints them in the syntax of ufw(8), active or not.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from typing import Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import ACTIONS, ANYWHERE, PortRule

OWNER = "secure_ftp.server"

_ADDED = re.compile(r"ufw (?P<words>.*?)(?: comment '(?P<comment>.*)')?\Z")
# What ufw writes above each rule of user.rules: action, protocol, port, to, source port, from, direction.
_TUPLE = re.compile(r"^### tuple ### (\S+) (\S+) (\S+) (?:0\.0\.0\.0/0|::/0) any (?:0\.0\.0\.0/0|::/0) in\b", re.M)


@dataclass(frozen=True)
class Rule:
    """One incoming rule without interfaces, the only kind that this collection writes."""

    action: str
    ports: str
    proto: str
    source: str = ANYWHERE
    comment: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What ufw compares: a rule with the same place replaces the existing one."""
        return (self.ports, self.proto, self.source)

    @property
    def own(self) -> bool:
        return self.comment == OWNER or self.comment.startswith(OWNER + " ")

    def covers(self, port: int) -> bool:
        """Whether the rule decides about TCP connections to ``port`` from every address."""
        if self.source != ANYWHERE or self.proto not in ("tcp", ANYWHERE):
            return False
        for part in self.ports.split(","):
            low, _sep, high = part.partition(":")
            if low.isdigit() and int(low) <= port <= int(high or low):
                return True
        return False

    def added(self) -> list[str]:
        """The arguments of ufw(8) that add the rule with its comment."""
        return [*self._words(), "comment", self.comment]

    def deleted(self) -> list[str]:
        """The arguments of ufw(8) that delete the rule."""
        return ["delete", *self._words()]

    def _words(self) -> list[str]:
        return [self.action, "from", self.source, "to", "any", "port", self.ports, "proto", self.proto]

    def __str__(self) -> str:
        """The command of ufw(8) that adds the rule."""
        if self.source == ANYWHERE:
            return f"ufw {self.action} {self.ports}" + (f"/{self.proto}" if self.proto != ANYWHERE else "")
        proto = f" proto {self.proto}" if self.proto != ANYWHERE else ""
        return f"ufw {self.action} from {self.source} to any port {self.ports}{proto}"


@dataclass(frozen=True)
class Plan:
    add: tuple[Rule, ...]
    delete: tuple[Rule, ...]


def wanted_rules(rules: Iterable[PortRule]) -> list[Rule]:
    """The incoming rules of a port plan for UFW, one for each place, in the order of the plan.

    Outgoing connections need no rule: their default policy is allow.
    """
    unique: dict[tuple[str, str, str], Rule] = {}
    for port_rule in rules:
        if port_rule.direction != "in":
            continue
        for source in port_rule.sources:
            rule = Rule(port_rule.action, port_rule.ports, port_rule.protocol, source, f"{OWNER} {port_rule.name}")
            unique.setdefault(rule.place, rule)
    return list(unique.values())


def parse_added(text: str) -> list[Rule | None]:
    """The rules of ``ufw show added`` in their order; None for a rule of a kind that this collection never writes."""
    rules: list[Rule | None] = []
    for line in text.splitlines():
        match = _ADDED.match(line.strip())
        if match:
            rules.append(_parse_words(match.group("words"), match.group("comment") or ""))
    return rules


def _parse_words(words: str, comment: str) -> Rule | None:
    try:
        tokens = shlex.split(words)
    except ValueError:
        return None
    if tokens and tokens[0] not in ACTIONS:
        return None
    if len(tokens) == 2:
        ports, _sep, proto = tokens[1].partition("/")
        if not ports[:1].isdigit():  # an application profile
            return None
        return Rule(tokens[0], ports, proto or ANYWHERE, ANYWHERE, comment)
    pairs: dict[str, str] = {}
    side = ""
    if len(tokens) % 2 == 0:  # "in", "log": an interface or logging
        return None
    for key, value in zip(tokens[1::2], tokens[2::2]):
        if key in ("from", "to"):
            side = key
        pairs[f"{side} port" if key == "port" else key] = value
    if set(pairs) - {"from", "to", "to port", "proto"} or pairs.get("to", "any") != "any" or "to port" not in pairs:
        return None
    return Rule(tokens[0], pairs["to port"], pairs.get("proto", ANYWHERE), pairs.get("from", ANYWHERE), comment)


def halves_missing(wanted: Iterable[Rule], files: Iterable[str]) -> set[Rule]:
    """The rules for anywhere that are missing in one of ``files``: the texts of user.rules and, with IPv6, user6.rules.

    ``ufw show added`` prints a rule once, whether it exists for IPv4, for IPv6 or for both. It exists for only one of
    them if it was added or deleted while /etc/default/ufw said IPV6=no.
    """
    present = [set(_TUPLE.findall(text)) for text in files]
    return {
        rule
        for rule in wanted
        if rule.source == ANYWHERE and not all((rule.action, rule.proto, rule.ports) in rules for rules in present)
    }


def plan(wanted: Sequence[Rule], found: Sequence[Rule | None], halves: Iterable[Rule] = ()) -> Plan:
    """What to add and delete so that our rules are exactly ``wanted``; ``halves`` (halves_missing) are added again.

    If a foreign rule already allows the traffic (allow, or the stricter limit), ours is not added, because it would
    replace that rule. Raises SecureFtpError when a foreign rule blocks a port that must be open, because adding ours
    would overwrite it or have no effect.
    """
    foreign = [rule for rule in found if rule is not None and not rule.own]
    own = [rule for rule in found if rule is not None and rule.own]
    passed = {rule.place for rule in foreign if rule.action in ("allow", "limit")}
    for rule in wanted:
        if rule.action in ("allow", "limit"):
            _refuse_shut(rule, found)
        for other in foreign:
            if rule.place == other.place and (rule.action in ("deny", "reject")) != (
                other.action in ("deny", "reject")
            ):
                said = f"would replace the existing rule '{other}'"
                raise SecureFtpError(f"'{rule}'", found=said, remedy="delete one of the two")
    present = {(rule.place, rule.action) for rule in own} - {(rule.place, rule.action) for rule in halves}
    add = tuple(
        rule
        for rule in wanted
        if (rule.place, rule.action) not in present
        and (
            rule.place not in passed
            if rule.action in ("allow", "limit")
            else rule.place not in {r.place for r in foreign}
        )
    )
    keep = {(rule.place, rule.action) for rule in wanted}
    places = {rule.place for rule in wanted}
    # Adding a rule at a place replaces the old one, so the old one need not be deleted, and cannot be.
    delete = tuple(rule for rule in own if (rule.place, rule.action) not in keep and rule.place not in places)
    return Plan(add, delete)


def _refuse_shut(rule: Rule, found: Sequence[Rule | None]) -> None:
    """The first matching rule decides, so a deny before ``rule``, or before its future place, blocks the port."""
    port = int(rule.ports.partition(":")[0])
    for other in found:
        if other is None:
            continue
        if other.place == rule.place and other.action in ("allow", "limit"):
            return
        if not other.own and other.action in ("deny", "reject") and other.covers(port):
            raise SecureFtpError(
                f"port {rule.ports}/{rule.proto} ({rule.comment})",
                found=f"is needed, but the rule '{other}' comes first and blocks it",
                remedy=f"delete that rule (ufw delete {str(other)[4:]}) or give the service another port",
            )


def refuse_lockout(client: str, ssh_sources: Sequence[str]) -> None:
    """Raise SecureFtpError when the client address of this connection is in none of ``ssh_sources``."""
    if not client or ANYWHERE in ssh_sources:
        return
    address = ipaddress.ip_address(client)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not any(address in ipaddress.ip_network(source) for source in ssh_sources):
        raise SecureFtpError(
            "firewall_ssh_allowed_sources",
            found=f"this connection comes from {client}, which none of {', '.join(ssh_sources)} contains",
            remedy="add it, or the firewall would lock you out",
        )


def policies_to_change(text: str) -> list[list[str]]:
    """The arguments of ufw(8) for each default policy in /etc/default/ufw that is not as wanted.

    Wanted are deny incoming and allow outgoing. ``ufw status verbose`` shows the same settings, but only while the
    firewall is active.
    """
    change = []
    for direction, key, value, policy in (
        ("incoming", "DEFAULT_INPUT_POLICY", "DROP", "deny"),
        ("outgoing", "DEFAULT_OUTPUT_POLICY", "ACCEPT", "allow"),
    ):
        if _setting(text, key).upper() != value:
            change.append(["default", policy, direction])
    return change


def filters_ipv6(text: str) -> bool:
    """Whether /etc/default/ufw allows rules for IPv6; without them only the loopback interface has IPv6."""
    return _setting(text, "IPV6").lower() == "yes"


def accepts_by_default(text: str) -> bool:
    """Whether /etc/default/ufw allows incoming traffic that no rule is about."""
    return _setting(text, "DEFAULT_INPUT_POLICY").upper() == "ACCEPT"


def _setting(text: str, key: str) -> str:
    """The last value of ``key``, which is the one that counts; empty if there is none."""
    values: list[str] = re.findall(rf"^\s*{key}\s*=\s*\"?([A-Za-z]+)", text, re.MULTILINE)
    return values[-1] if values else ""
