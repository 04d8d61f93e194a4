# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Which UFW rules the variables imply, which are there, and what is to be added and deleted.

Rules of this collection carry a comment that starts with OWNER; every other rule belongs to somebody else.
Existing rules are read from ``ufw show added``, which prints them in the syntax of ufw(8), active or not.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._errors import SecureFtpError

OWNER = "secure_ftp.server"
ANYWHERE = "any"
ACTIONS = ("allow", "deny", "limit", "reject")
PROTOCOLS = ("tcp", "udp")

# The ufw module passes the comment on a command line inside apostrophes.
_COMMENT = re.compile(r"[A-Za-z0-9 _.,:+()/@-]*\Z")
_PORTS = re.compile(r"([0-9]{1,5})(?:[:-]([0-9]{1,5}))?\Z")
_ADDED = re.compile(r"ufw (?P<words>.*?)(?: comment '(?P<comment>.*)')?\Z")


@dataclass(frozen=True)
class Rule:
    """One incoming rule without interfaces: what this collection writes."""

    action: str
    ports: str
    proto: str
    source: str = ANYWHERE
    comment: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What ufw compares: a rule with the same place replaces the one that is there."""
        return (self.ports, self.proto, self.source)

    @property
    def own(self) -> bool:
        return self.comment == OWNER or self.comment.startswith(OWNER + " ")

    def covers(self, port: int) -> bool:
        """Whether the rule decides about a TCP connection to ``port``, wherever it comes from."""
        if self.source != ANYWHERE or self.proto not in ("tcp", ANYWHERE):
            return False
        for part in self.ports.split(","):
            low, _sep, high = part.partition(":")
            if low.isdigit() and int(low) <= port <= int(high or low):
                return True
        return False

    def options(self) -> dict[str, str]:
        """The options of community.general.ufw for this rule."""
        return {
            "rule": self.action,
            "to_port": self.ports,
            "proto": self.proto,
            "from_ip": self.source,
            "comment": self.comment,
        }

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


def parse_ports(value: object, name: str) -> str:
    """``22``, ``"22"``, ``"6000:6010"`` or ``"6000-6010"`` in ufw's own spelling."""
    match = _PORTS.match(str(value)) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    low, high = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
    if not 1 <= low <= high <= 65535:
        raise SecureFtpError(f"{name}: expected a port from 1 to 65535 or a range LOW:HIGH, found {value!r}")
    return str(low) if low == high else f"{low}:{high}"


def parse_source(value: object, name: str) -> str:
    """An address or network as ufw prints it back, or ``any``."""
    if value in (ANYWHERE, "anywhere"):
        return ANYWHERE
    try:
        if not isinstance(value, str):
            raise ValueError
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise SecureFtpError(
            f"{name}: expected an IP address or network such as 192.0.2.0/24, or any; found {value!r}"
        ) from None
    if network.prefixlen == 0:
        raise SecureFtpError(f"{name}: found {value!r}; write any to allow every address, IPv4 and IPv6")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def parse_sources(values: object, name: str) -> tuple[str, ...]:
    """Every source of a list, in its order; an empty list means anywhere."""
    if not isinstance(values, (list, tuple)):
        raise SecureFtpError(f"{name}: expected a list of addresses and networks, found {values!r}")
    sources = tuple(dict.fromkeys(parse_source(value, f"{name}[{index}]") for index, value in enumerate(values)))
    return (ANYWHERE,) if not sources or ANYWHERE in sources else sources


def parse_extra_rule(entry: object, name: str) -> Rule:
    """One entry of ``firewall_extra_rules``."""
    if not isinstance(entry, Mapping):
        raise SecureFtpError(f"{name}: expected a mapping with port, proto, source, rule and comment, found {entry!r}")
    unknown = sorted(set(map(str, entry)) - {"port", "proto", "source", "rule", "comment"})
    if unknown:
        raise SecureFtpError(
            f"{name}: expected only port, proto, source, rule and comment, found also {', '.join(unknown)}"
        )
    action, proto = entry.get("rule") or "allow", entry.get("proto") or "tcp"
    if action not in ACTIONS:
        raise SecureFtpError(f"{name}: rule: expected one of {', '.join(ACTIONS)}, found {action!r}")
    if proto not in PROTOCOLS:
        raise SecureFtpError(f"{name}: proto: expected one of {', '.join(PROTOCOLS)}, found {proto!r}")
    comment = str(entry.get("comment") or "extra")
    if not _COMMENT.match(comment):
        raise SecureFtpError(
            f"{name}: comment: expected only letters, digits, blanks and _ . , : + ( ) / @ -, found {comment!r}"
        )
    return Rule(
        action=action,
        ports=parse_ports(entry.get("port"), f"{name}: port"),
        proto=proto,
        source=parse_source(entry.get("source") or ANYWHERE, f"{name}: source"),
        comment=f"{OWNER} {comment}",
    )


def parse_extra_rules(entries: object, name: str) -> list[Rule]:
    if not isinstance(entries, (list, tuple)):
        raise SecureFtpError(f"{name}: expected a list of rules, found {entries!r}")
    return [parse_extra_rule(entry, f"{name}[{index}]") for index, entry in enumerate(entries)]


def wanted_rules(
    ssh_ports: Iterable[int],
    ssh_sources: Sequence[str],
    services: Iterable[tuple[str, str]],
    sources: Sequence[str],
    extra: Iterable[Rule],
) -> list[Rule]:
    """SSH first, then ``services`` (name, ports), then the extra rules; one rule for each place."""
    rules = [
        Rule("allow", str(port), "tcp", source, f"{OWNER} SSH")
        for port in sorted(set(ssh_ports))
        for source in ssh_sources
    ]
    rules += [Rule("allow", ports, "tcp", source, f"{OWNER} {name}") for name, ports in services for source in sources]
    rules += extra
    unique: dict[tuple[str, str, str], Rule] = {}
    for rule in rules:
        first = unique.setdefault(rule.place, rule)
        if first.action != rule.action:
            raise SecureFtpError(f"'{rule}' contradicts '{first}'; remove it from firewall_extra_rules")
    return list(unique.values())


def ftps_services(
    modes: Iterable[str], port: int, implicit_port: int, pasv_ports: tuple[int, int] | None
) -> list[tuple[str, str]]:
    """Name and ports of every FTPS listener.

    Never 20 or 989: those are the server's source ports of active mode (RFC 959 3.2, RFC 4217 appendix),
    outgoing connections that need no incoming rule.
    """
    modes = set(modes)
    services = []
    if "explicit" in modes:
        services.append(("FTPS explicit TLS", parse_ports(port, "vsftpd_port")))
    if "implicit" in modes:
        services.append(("FTPS implicit TLS", parse_ports(implicit_port, "vsftpd_implicit_port")))
    if services and pasv_ports is not None:
        services.append(("FTPS passive data", parse_ports("{}:{}".format(*pasv_ports), "passive range")))
    return services


def parse_added(text: str) -> list[Rule | None]:
    """The rules of ``ufw show added`` in their order; None for one of a kind this collection never writes."""
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


def plan(wanted: Sequence[Rule], found: Sequence[Rule | None]) -> Plan:
    """What to add and what to delete so that our rules are exactly ``wanted``.

    A foreign rule that already lets the traffic in (allow, or the stricter limit) counts as there: adding ours would
    take it over. Raises SecureFtpError when a foreign rule shuts a port that is wanted open, because adding ours would
    overwrite it or have no effect.
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
                raise SecureFtpError(f"'{rule}' would replace the rule '{other}' that is there; delete one of the two")
    present = {(rule.place, rule.action) for rule in own}
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
    # Adding a rule at a place replaces the old one; deleting that afterwards by its old action would find nothing.
    delete = tuple(rule for rule in own if (rule.place, rule.action) not in keep and rule.place not in places)
    return Plan(add, delete)


def _refuse_shut(rule: Rule, found: Sequence[Rule | None]) -> None:
    """The first matching rule decides, so a deny in front of ``rule``, or of the place it will get, shuts the port."""
    port = int(rule.ports.partition(":")[0])
    for other in found:
        if other is None:
            continue
        if other.place == rule.place and other.action in ("allow", "limit"):
            return
        if not other.own and other.action in ("deny", "reject") and other.covers(port):
            raise SecureFtpError(
                f"port {rule.ports}/{rule.proto} ({rule.comment}) is needed, but the rule '{other}' comes first and"
                f" shuts it; delete that rule (ufw delete {str(other)[4:]}) or give the service another port"
            )


def from_options(options: Mapping[str, Any], ssh_ports: Iterable[int]) -> list[Rule]:
    """The wanted rules of the options of the module firewall_plan."""
    pasv = (options["pasv_min_port"], options["pasv_max_port"]) if options["pasv_enable"] else None
    return wanted_rules(
        ssh_ports,
        parse_sources(options["ssh_allowed_sources"], "firewall_ssh_allowed_sources"),
        ftps_services(options["tls_modes"], options["port"], options["implicit_port"], pasv),
        parse_sources(options["allowed_sources"], "firewall_allowed_sources"),
        parse_extra_rules(options["extra_rules"], "firewall_extra_rules"),
    )


def refuse_lockout(client: str, ssh_sources: Sequence[str]) -> None:
    """Raise SecureFtpError when the address this connection comes from is in none of ``ssh_sources``."""
    if not client or ANYWHERE in ssh_sources:
        return
    address = ipaddress.ip_address(client)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not any(address in ipaddress.ip_network(source) for source in ssh_sources):
        raise SecureFtpError(
            f"firewall_ssh_allowed_sources: this connection comes from {client}, which none of {', '.join(ssh_sources)}"
            " contains; add it, or the firewall would lock you out"
        )


def policies_to_change(text: str) -> list[dict[str, str]]:
    """The default policies of /etc/default/ufw that are not deny incoming, allow outgoing.

    ``ufw status verbose`` shows the same settings, but only while the firewall is active.
    """
    change = []
    for direction, key, value, policy in (
        ("incoming", "DEFAULT_INPUT_POLICY", "DROP", "deny"),
        ("outgoing", "DEFAULT_OUTPUT_POLICY", "ACCEPT", "allow"),
    ):
        settings = re.findall(rf"^\s*{key}\s*=\s*\"?([A-Za-z]+)", text, re.MULTILINE)
        if not settings or settings[-1].upper() != value:
            change.append({"direction": direction, "default": policy})
    return change
