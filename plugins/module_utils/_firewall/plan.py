# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Which ports the server needs, determined once from the public settings, for every kind of firewall.

``port_plan`` returns the complete plan: UFW's rules, the rules of an Azure network security group, the output of
``firewall_backend: none`` and the table of docs/firewall.md are made from it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import READS, Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import did_you_mean

ANYWHERE = "any"
ACTIONS = ("allow", "deny", "limit", "reject")
PROTOCOLS = ("tcp", "udp")
TLS_MODES = ("explicit", "implicit")
EXTRA_KEYS = ("port", "proto", "source", "rule", "comment")

# UFW prints the comment inside apostrophes.
_COMMENT = re.compile(r"[A-Za-z0-9 _.,:+()/@-]*\Z")
_PORTS = re.compile(r"([0-9]{1,5})(?:[:-]([0-9]{1,5}))?\Z")
_NETWORK = "an IP address or network such as 192.0.2.0/24, or any"
# Azure's rules for the names of resource groups and of security groups; this is the less strict of the two.
_AZURE_NAME = re.compile(r"[A-Za-z0-9_().-]{1,90}(?<!\.)\Z")
AZURE_PRIORITIES = (100, 4096)
"""The numbers of the first and of the last rule that a network security group looks at."""


@dataclass(frozen=True)
class PortRule:
    """One rule of the plan, not in the syntax of any firewall.

    ``action``: allow, limit (allow, but not too often from one address), deny (silently) or reject (with an answer).
    ``ports``: the server's port, ``21``, or range, ``50000:50999``, ends included; empty for outgoing connections,
    which go to any port of the client. ``source_ports``: the server's own port they come from, empty for any.
    ``sources``: the other side, ``("any",)`` or addresses and networks. ``families``: what ``any`` stands for.
    """

    name: str
    action: str
    protocol: str
    ports: str
    sources: tuple[str, ...] = (ANYWHERE,)
    families: tuple[str, ...] = ("ipv4", "ipv6")
    direction: str = "in"
    source_ports: str = ""
    variable: str = ""
    """The variable that the rule comes from, for messages."""

    def as_dict(self) -> dict[str, Any]:
        """The rule for Jinja and JSON."""
        return {
            "name": self.name,
            "direction": self.direction,
            "protocol": self.protocol,
            "ports": self.ports,
            "source_ports": self.source_ports,
            "sources": list(self.sources),
            "families": list(self.families),
            "action": self.action,
        }

    def __str__(self) -> str:
        """The rule in words, for messages and the output."""
        if self.direction == "out":
            return f"{self.action} out {self.protocol} from port {self.source_ports or 'any'} to any ({self.name})"
        return f"{self.action} in {self.protocol} {self.ports} from {', '.join(self.sources)} ({self.name})"


def port_plan(settings: Settings, ssh_ports: Iterable[int] = (22,)) -> list[PortRule]:
    """Every rule that ``settings`` imply, SSH first.

    Incoming: SSH on each of ``ssh_ports``, a control port for each TLS mode, the passive range, the extra rules. Never
    20 or 989: those are the server's *source* ports of active mode (RFC 959 3.2; RFC 4217 section 10). Active mode uses
    outgoing connections, which are listed for firewalls that restrict outgoing traffic. No two rules of the plan decide
    differently about the same connection, so their order does not matter.

    Raises InvalidInput that lists every problem.
    """
    ssh_ports = sorted(set(ssh_ports))
    found = service_problems(settings, ssh_ports) + firewall_problems(settings, ssh_ports)
    if found:
        raise InvalidInput("the port plan", found="; ".join(map(str, found)))
    return _rules(settings, ssh_ports)


def tls_modes(settings: Settings, found: list[Problem]) -> list[str]:
    """The TLS modes, explicit first; their problems are appended to ``found``."""
    modes = settings.vsftpd_tls_modes
    if not settings.serves_ftps:
        return []
    if not modes:
        remedy = "for a server without FTPS set ftp_protocols: [sftp]"
        found.append(Problem("vsftpd_tls_modes", "a list of explicit and/or implicit", "an empty list", remedy))
        return []
    wrong = [mode for mode in modes if mode not in TLS_MODES]
    if wrong:
        found.append(Problem("vsftpd_tls_modes", "explicit and/or implicit", ", ".join(map(repr, wrong))))
    elif len(set(modes)) != len(modes):
        found.append(Problem("vsftpd_tls_modes", "each mode once", repr(list(modes))))
    return [mode for mode in TLS_MODES if mode in modes]


def control_ports(settings: Settings, found: list[Problem]) -> list[tuple[str, int]]:
    """Variable and port of each listener; problems of the ports are appended to ``found``."""
    modes = tls_modes(settings, found)
    ports = []
    for mode, name in (("explicit", "vsftpd_port"), ("implicit", "vsftpd_implicit_port")):
        port = _port(settings, name, 1, found)
        if port is not None and mode in modes:
            ports.append((name, port))
    return ports


def passive_range(settings: Settings, found: list[Problem]) -> tuple[int, int] | None:
    """First and last port of the passive range; None when there is none or it is not valid."""
    if not settings.serves_ftps:
        return None
    low = _port(settings, "vsftpd_pasv_min_port", 1024, found)
    high = _port(settings, "vsftpd_pasv_max_port", 1024, found)
    if not settings.vsftpd_pasv_enable or low is None or high is None:
        return None
    if low > high:
        found.append(
            Problem("vsftpd_pasv_min_port", f"at most vsftpd_pasv_max_port ({high})", str(low), "swap the two values")
        )
        return None
    return low, high


def _port(settings: Settings, name: str, low: int, found: list[Problem]) -> int | None:
    port: int = getattr(settings, name)
    if not low <= port <= 65535:
        found.append(Problem(name, f"a port from {low} to 65535", str(port)))
        return None
    return port


def service_problems(settings: Settings, ssh_ports: Iterable[int]) -> list[Problem]:
    """Every problem of the services' own ports, with or without a firewall."""
    if not settings.serves_ftps:  # these ports are those of FTPS
        return []
    found = settings.problems(READS["firewall"].__contains__)
    single = control_ports(settings, found)
    for index, (name, port) in enumerate(single):
        for other, other_port in single[:index]:
            if port == other_port:
                said = f"{port} is also the port of {other}"
                found.append(Problem(name, found=said, remedy="give them different ports"))
        if port in ssh_ports:
            found.append(Problem(name, found=f"{port} is the port of SSH on this host", remedy="choose another"))
    if settings.vsftpd_port_enable and settings.vsftpd_connect_from_port_20:
        _port(settings, "vsftpd_ftp_data_port", 1, found)
    span = passive_range(settings, found)
    if span is not None:
        words = f"{span[0]}-{span[1]} (vsftpd_pasv_min_port to vsftpd_pasv_max_port)"
        for name, port in single + [("the SSH port of this host", port) for port in ssh_ports]:
            if span[0] <= port <= span[1]:
                said = f"{port} lies in the passive range {words}"
                found.append(Problem(name, found=said, remedy="move one of the two"))
    return found


def firewall_problems(settings: Settings, ssh_ports: Iterable[int] = ()) -> list[Problem]:
    """Every problem of the variables of the role firewall, including contradictions between rules."""
    if not settings.firewall_enabled:
        return []
    azure = settings.firewall_backend == "azure_nsg"
    found = settings.problems(lambda name: name.startswith("firewall_") and (azure or "_azure_" not in name))
    ssh_port = settings.firewall_ssh_port
    if not 0 <= ssh_port <= 65535:
        found.append(Problem("firewall_ssh_port", "a port from 1 to 65535, or 0 to find it out", str(ssh_port)))
    timeout = settings.firewall_confirm_timeout
    if not 5 <= timeout <= 3600:
        found.append(Problem("firewall_confirm_timeout", "seconds from 5 to 3600", str(timeout)))
    found += _backend_problems(settings)
    for name in ("firewall_allowed_sources", "firewall_ssh_allowed_sources"):
        try:
            sources = parse_sources(getattr(settings, name), name)
        except InvalidInput as error:
            found.append(error.problem)
        else:
            found += _family_problems(sources, name, settings)
    extra, problems = _extra_rules(settings)
    found += problems
    if not found and not service_problems(settings, ()):
        found += _contradictions(_rules(settings, sorted(set(ssh_ports)) or [ssh_port or 22]))
    return found


def _backend_problems(settings: Settings) -> Iterator[Problem]:
    if settings.firewall_backend != "azure_nsg":
        return
    for name, what in (
        ("firewall_azure_resource_group", "the resource group the network security group is in"),
        ("firewall_azure_security_group", "the network security group"),
    ):
        value = getattr(settings, name)
        if not value:
            yield Problem(name, found="is empty, but firewall_backend is azure_nsg", remedy=f"name {what}")
        elif not _AZURE_NAME.match(value):
            yield Problem(name, "letters, digits and _ - . ( ), not ending in a dot", repr(value))
    base = settings.firewall_azure_priority
    low, high = AZURE_PRIORITIES
    if not low <= base <= high:
        yield Problem("firewall_azure_priority", f"a number from {low} to {high}", str(base))
    if settings.firewall_rate_limit:
        said = "is true, but network security groups cannot limit rates (firewall_backend: azure_nsg)"
        yield Problem("firewall_rate_limit", found=said, remedy="set it to false")


def _family_problems(sources: Iterable[str], name: str, settings: Settings) -> Iterator[Problem]:
    if settings.firewall_ipv6:
        return
    for source in sources:
        if ":" in source:
            said = f"{source} is IPv6, but firewall_ipv6 is false"
            yield Problem(name, found=said, remedy="remove the one or allow the other")


def _extra_rules(settings: Settings) -> tuple[list[PortRule], list[Problem]]:
    rules: list[PortRule] = []
    found: list[Problem] = []
    azure = settings.firewall_backend == "azure_nsg"
    for index, entry in enumerate(settings.firewall_extra_rules):
        name = f"firewall_extra_rules[{index}]"
        try:
            rule = parse_extra_rule(entry, name)
        except InvalidInput as error:
            found.append(error.problem)
            continue
        found += _family_problems(rule.sources, name, settings)
        if azure and rule.action == "limit":
            expected = "allow, as network security groups cannot limit rates"
            found.append(Problem(f"{name}: rule", expected, "limit"))
        for other in rules:
            if (rule.protocol, rule.ports, rule.sources) == (other.protocol, other.ports, other.sources):
                said = f"is about the same connections as {other.variable}"
                found.append(Problem(name, found=said, remedy="keep one of the two"))
        rules.append(rule)
    return rules, found


def _rules(settings: Settings, ssh_ports: Sequence[int]) -> list[PortRule]:
    """The plan for settings without problems."""
    families = ("ipv4", "ipv6") if settings.firewall_ipv6 else ("ipv4",)
    login = "limit" if settings.firewall_rate_limit else "allow"
    ssh_sources = parse_sources(settings.firewall_ssh_allowed_sources, "firewall_ssh_allowed_sources")
    sources = parse_sources(settings.firewall_allowed_sources, "firewall_allowed_sources")
    names = {"vsftpd_port": "FTPS explicit TLS", "vsftpd_implicit_port": "FTPS implicit TLS"}
    rules = [PortRule("SSH", login, "tcp", str(port), ssh_sources, families) for port in ssh_ports]
    rules += [
        PortRule(names[name], login, "tcp", str(port), sources, families, variable=name)
        for name, port in control_ports(settings, [])
    ]
    span = passive_range(settings, [])
    if span is not None:
        # Never limited: every listing and every file is a separate connection.
        ports = parse_ports("{}:{}".format(*span), "passive range")
        rules.append(PortRule("FTPS passive data", "allow", "tcp", ports, sources, families))
    rules += [
        PortRule(rule.name, rule.action, rule.protocol, rule.ports, rule.sources, families, variable=rule.variable)
        for rule in _extra_rules(settings)[0]
    ]
    if settings.vsftpd_port_enable and settings.serves_ftps:
        fixed = settings.vsftpd_connect_from_port_20
        data_port = str(settings.vsftpd_ftp_data_port or 20) if fixed else ""
        active = PortRule("FTPS active data", "allow", "tcp", "", sources, families, "out", data_port)
        rules.append(active)
    return rules


def _contradictions(rules: Sequence[PortRule]) -> Iterator[Problem]:
    """Two rules that decide differently about one connection: which of them acts would depend on their order."""
    for index, rule in enumerate(rules):
        for other in rules[:index]:
            if rule.direction == other.direction == "in" and rule.action != other.action and overlap(rule, other):
                yield Problem(
                    rule.variable,
                    found=f"'{rule}' contradicts '{other}'",
                    remedy="remove it from firewall_extra_rules, or change the sources or ports of one of the two",
                )


def overlap(one: PortRule, other: PortRule) -> bool:
    """Whether both rules apply to the same incoming connection."""
    if one.protocol != other.protocol:
        return False
    (low, high), (other_low, other_high) = bounds(one.ports), bounds(other.ports)
    if low > other_high or other_low > high:
        return False
    if ANYWHERE in one.sources or ANYWHERE in other.sources:
        return True
    networks = [[ipaddress.ip_network(source) for source in rule.sources] for rule in (one, other)]
    return any(a.version == b.version and a.overlaps(b) for a in networks[0] for b in networks[1])


def bounds(ports: str) -> tuple[int, int]:
    """First and last port of ``21`` or ``50000:50999``."""
    low, _sep, high = ports.partition(":")
    return int(low), int(high or low)


def parse_ports(value: object, name: str) -> str:
    """``22``, ``"22"``, ``"6000:6010"`` or ``"6000-6010"`` as ``22`` or ``6000:6010``."""
    match = _PORTS.match(str(value)) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    low, high = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
    if not 1 <= low <= high <= 65535:
        raise InvalidInput(name, "a port from 1 to 65535 or a range LOW:HIGH", found=repr(value))
    return str(low) if low == high else f"{low}:{high}"


def parse_source(value: object, name: str) -> str:
    """An address or network in its canonical form (RFC 5952), or ``any``."""
    if value in (ANYWHERE, "anywhere"):
        return ANYWHERE
    try:
        if not isinstance(value, str):
            raise ValueError
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise InvalidInput(name, _NETWORK, found=repr(value)) from None
    if network.prefixlen == 0:
        raise InvalidInput(name, "any, to allow every address, IPv4 and IPv6", found=repr(value))
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def parse_sources(values: object, name: str) -> tuple[str, ...]:
    """Every source of a list, in its order; an empty list means anywhere."""
    if not isinstance(values, (list, tuple)):
        raise InvalidInput(name, "a list of addresses and networks", found=repr(values))
    sources = tuple(dict.fromkeys(parse_source(value, f"{name}[{index}]") for index, value in enumerate(values)))
    return (ANYWHERE,) if not sources or ANYWHERE in sources else sources


def parse_extra_rule(entry: object, name: str) -> PortRule:
    """One entry of ``firewall_extra_rules``; its comment becomes the name of the rule."""
    if not isinstance(entry, Mapping):
        raise InvalidInput(name, "a mapping with port, proto, source, rule and comment", found=repr(entry))
    unknown = sorted(set(map(str, entry)) - set(EXTRA_KEYS))
    if unknown:
        expected = "only port, proto, source, rule and comment"
        remedy = did_you_mean(unknown, EXTRA_KEYS)
        raise InvalidInput(name, expected, found=f"also {', '.join(unknown)}", remedy=remedy)
    action, proto = entry.get("rule") or "allow", entry.get("proto") or "tcp"
    if action not in ACTIONS:
        raise InvalidInput(f"{name}: rule", f"one of {', '.join(ACTIONS)}", found=repr(action))
    if proto not in PROTOCOLS:
        raise InvalidInput(f"{name}: proto", f"one of {', '.join(PROTOCOLS)}", found=repr(proto))
    comment = str(entry.get("comment") or "extra")
    if not _COMMENT.match(comment):
        expected = "only letters, digits, blanks and _ . , : + ( ) / @ -"
        raise InvalidInput(f"{name}: comment", expected, found=repr(comment))
    return PortRule(
        name=comment,
        action=action,
        protocol=proto,
        ports=parse_ports(entry.get("port"), f"{name}: port"),
        sources=(parse_source(entry.get("source") or ANYWHERE, f"{name}: source"),),
        variable=name,
    )
