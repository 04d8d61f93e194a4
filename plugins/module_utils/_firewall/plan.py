# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Which ports the server needs, worked out once from the public variables, for whatever firewall there is.

``port_plan`` is the whole of it: UFW's rules, the rules of an Azure network security group, the print-out of
``firewall_backend: none`` and the table of docs/firewall.md are translations of what it returns.

Values may be strings where numbers or truth values are meant: ``-e vsftpd_port=2121`` gives one.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput

ANYWHERE = "any"
ACTIONS = ("allow", "deny", "limit", "reject")
PROTOCOLS = ("tcp", "udp")
TLS_MODES = ("explicit", "implicit")
BACKENDS = ("ufw", "azure_nsg", "none")
EXTRA_KEYS = ("port", "proto", "source", "rule", "comment")

DEFAULTS: dict[str, Any] = {
    "vsftpd_tls_modes": ["explicit"],
    "vsftpd_port": 21,
    "vsftpd_implicit_port": 990,
    "vsftpd_pasv_enable": True,
    "vsftpd_pasv_min_port": 50000,
    "vsftpd_pasv_max_port": 50999,
    "vsftpd_port_enable": True,
    "vsftpd_connect_from_port_20": True,
    "vsftpd_ftp_data_port": 20,
    "firewall_enabled": True,
    "firewall_backend": "ufw",
    "firewall_ipv6": True,
    "firewall_rate_limit": False,
    "firewall_confirm_timeout": 60,
    "firewall_ssh_port": 0,
    "firewall_allowed_sources": [],
    "firewall_ssh_allowed_sources": [],
    "firewall_extra_rules": [],
    "firewall_azure_resource_group": "",
    "firewall_azure_security_group": "",
    "firewall_azure_subscription": "",
    "firewall_azure_priority": 1000,
}
"""The public variables the plan is made of and their defaults (a unit test compares them with the roles')."""

# UFW's module passes the comment on a command line inside apostrophes.
_COMMENT = re.compile(r"[A-Za-z0-9 _.,:+()/@-]*\Z")
_PORTS = re.compile(r"([0-9]{1,5})(?:[:-]([0-9]{1,5}))?\Z")
_NETWORK = "an IP address or network such as 192.0.2.0/24, or any"
# Azure's rules for the names of resource groups and of security groups, the wider of the two.
_AZURE_NAME = re.compile(r"[A-Za-z0-9_().-]{1,90}(?<!\.)\Z")
AZURE_PRIORITIES = (100, 4096)
"""The number of the rule that a network security group looks at first, and of the last one."""


@dataclass(frozen=True)
class PortRule:
    """One rule of the plan, in no firewall's language.

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
    """Where the rule comes from, for messages."""

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
        """The rule in words, for messages and the print-out."""
        if self.direction == "out":
            return f"{self.action} out {self.protocol} from port {self.source_ports or 'any'} to any ({self.name})"
        return f"{self.action} in {self.protocol} {self.ports} from {', '.join(self.sources)} ({self.name})"


def port_plan(variables: Mapping[str, Any], ssh_ports: Iterable[int] = (22,)) -> list[PortRule]:
    """Every rule ``variables`` (by their public names, DEFAULTS for those left out) imply, SSH first.

    Incoming: SSH on each of ``ssh_ports``, a control port for each TLS mode, the passive range, the extra rules. Never
    20 or 989: those are the server's *source* ports of active mode (RFC 959 3.2; RFC 4217 section 10), outgoing
    connections, which are listed as such for firewalls that restrict what goes out. No two rules of the plan decide
    about the same connection differently, so their order does not matter.

    Raises InvalidInput with every problem when there is one.
    """
    ssh_ports = sorted(set(ssh_ports))
    found = service_problems(variables, ssh_ports) + firewall_problems(variables, ssh_ports)
    if found:
        raise InvalidInput("; ".join(found))
    return _rules(variables, ssh_ports)


def value_of(variables: Mapping[str, Any], name: str) -> Any:
    """The value of a public variable, its default when it is not given."""
    return variables.get(name, DEFAULTS[name])


def integer(value: object) -> int | None:
    """``value`` as an integer from 0 on; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.match(r"\s*[0-9]{1,9}\s*\Z", value):
        return int(value)
    return None


def boolean(value: object) -> bool | None:
    """``value`` as a truth value the way YAML 1.1 and Ansible write them; None when it is none."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("yes", "true", "on", "1", "y", "t"):
        return True
    return False if text in ("no", "false", "off", "0", "n", "f") else None


def is_on(variables: Mapping[str, Any], name: str) -> bool:
    """Whether a switch is on; one that is no truth value is reported elsewhere and taken for its default."""
    value = boolean(variables.get(name, DEFAULTS.get(name, True)))
    return bool(DEFAULTS.get(name, True)) if value is None else value


def tls_modes(variables: Mapping[str, Any], found: list[str]) -> list[str]:
    """The TLS modes, explicit first; what is wrong with them is appended to ``found``."""
    modes = value_of(variables, "vsftpd_tls_modes")
    if not isinstance(modes, (list, tuple)) or not modes:
        found.append(f"vsftpd_tls_modes: expected a list of explicit and/or implicit, found {modes!r}")
        return []
    wrong = [mode for mode in modes if mode not in TLS_MODES]
    if wrong:
        found.append(f"vsftpd_tls_modes: expected explicit and/or implicit, found {', '.join(map(repr, wrong))}")
    elif len(set(modes)) != len(modes):
        found.append(f"vsftpd_tls_modes: expected each mode once, found {list(modes)!r}")
    return [mode for mode in TLS_MODES if mode in modes]


def control_ports(variables: Mapping[str, Any], found: list[str]) -> list[tuple[str, int]]:
    """Variable and port of each listener; what is wrong with the ports is appended to ``found``."""
    modes = tls_modes(variables, found)
    ports = []
    for mode, name in (("explicit", "vsftpd_port"), ("implicit", "vsftpd_implicit_port")):
        port = _port(variables, name, 1, found)
        if port is not None and mode in modes:
            ports.append((name, port))
    return ports


def passive_range(variables: Mapping[str, Any], found: list[str]) -> tuple[int, int] | None:
    """First and last port of the passive range; None when there is none or it is wrong."""
    low = _port(variables, "vsftpd_pasv_min_port", 1024, found)
    high = _port(variables, "vsftpd_pasv_max_port", 1024, found)
    if not is_on(variables, "vsftpd_pasv_enable") or low is None or high is None:
        return None
    if low > high:
        found.append(
            f"vsftpd_pasv_min_port: expected at most vsftpd_pasv_max_port ({high}), found {low}; swap the two values"
        )
        return None
    return low, high


def _port(variables: Mapping[str, Any], name: str, low: int, found: list[str]) -> int | None:
    value = value_of(variables, name)
    port = integer(value)
    if port is None or not low <= port <= 65535:
        found.append(f"{name}: expected a port from {low} to 65535, found {value!r}")
        return None
    return port


def service_problems(variables: Mapping[str, Any], ssh_ports: Iterable[int]) -> list[str]:
    """Every contradiction of the services' own ports, firewall or not."""
    found: list[str] = []
    single = control_ports(variables, found)
    for index, (name, port) in enumerate(single):
        for other, other_port in single[:index]:
            if port == other_port:
                found.append(f"{name}: {port} is the port of {other} as well; give them different ports")
        if port in ssh_ports:
            found.append(f"{name}: {port} is the port of SSH on this host; choose another")
    if is_on(variables, "vsftpd_port_enable") and is_on(variables, "vsftpd_connect_from_port_20"):
        _port(variables, "vsftpd_ftp_data_port", 1, found)
    span = passive_range(variables, found)
    if span is not None:
        words = f"{span[0]}-{span[1]} (vsftpd_pasv_min_port to vsftpd_pasv_max_port)"
        for name, port in single + [("the SSH port of this host", port) for port in ssh_ports]:
            if span[0] <= port <= span[1]:
                found.append(f"{name}: {port} lies in the passive range {words}; move one of the two")
    return found


def firewall_problems(variables: Mapping[str, Any], ssh_ports: Iterable[int] = ()) -> list[str]:
    """Every problem of the variables of the role firewall, contradictions between rules included."""
    if not is_on(variables, "firewall_enabled"):
        return []
    found: list[str] = []
    ssh_port = value_of(variables, "firewall_ssh_port")
    if not 0 <= _or_minus_one(ssh_port) <= 65535:
        found.append(f"firewall_ssh_port: expected a port from 1 to 65535, or 0 to find it out, found {ssh_port!r}")
    timeout = value_of(variables, "firewall_confirm_timeout")
    if not 5 <= _or_minus_one(timeout) <= 3600:
        found.append(f"firewall_confirm_timeout: expected seconds from 5 to 3600, found {timeout!r}")
    found += _backend_problems(variables)
    for name in ("firewall_allowed_sources", "firewall_ssh_allowed_sources"):
        try:
            sources = parse_sources(value_of(variables, name), name)
        except InvalidInput as error:
            found.append(str(error))
        else:
            found += _family_problems(sources, name, variables)
    extra, problems = _extra_rules(variables)
    found += problems
    if not found and not service_problems(variables, ()):
        found += _contradictions(_rules(variables, sorted(set(ssh_ports)) or [_or_minus_one(ssh_port) or 22]))
    return found


def _or_minus_one(value: object) -> int:
    number = integer(value)
    return -1 if number is None else number


def _backend_problems(variables: Mapping[str, Any]) -> Iterator[str]:
    backend = value_of(variables, "firewall_backend")
    if backend not in BACKENDS:
        yield f"firewall_backend: expected one of {', '.join(BACKENDS)}, found {backend!r}"
    if backend != "azure_nsg":
        return
    for name, what in (
        ("firewall_azure_resource_group", "the resource group the network security group is in"),
        ("firewall_azure_security_group", "the network security group"),
    ):
        value = value_of(variables, name)
        if not value:
            yield f"{name}: is empty, but firewall_backend is azure_nsg; name {what}"
        elif not isinstance(value, str) or not _AZURE_NAME.match(value):
            yield f"{name}: expected letters, digits and _ - . ( ), not ending in a dot, found {value!r}"
    base = value_of(variables, "firewall_azure_priority")
    low, high = AZURE_PRIORITIES
    if not low <= _or_minus_one(base) <= high:
        yield f"firewall_azure_priority: expected a number from {low} to {high}, found {base!r}"
    if is_on(variables, "firewall_rate_limit"):
        yield (
            "firewall_rate_limit: is true, but network security groups cannot limit rates (firewall_backend:"
            " azure_nsg); set it to false"
        )


def _family_problems(sources: Iterable[str], name: str, variables: Mapping[str, Any]) -> Iterator[str]:
    if is_on(variables, "firewall_ipv6"):
        return
    for source in sources:
        if ":" in source:
            yield f"{name}: {source} is IPv6, but firewall_ipv6 is false; remove the one or allow the other"


def _extra_rules(variables: Mapping[str, Any]) -> tuple[list[PortRule], list[str]]:
    entries = value_of(variables, "firewall_extra_rules")
    if not isinstance(entries, (list, tuple)):
        return [], [f"firewall_extra_rules: expected a list of rules, found {entries!r}"]
    rules: list[PortRule] = []
    found: list[str] = []
    azure = value_of(variables, "firewall_backend") == "azure_nsg"
    for index, entry in enumerate(entries):
        name = f"firewall_extra_rules[{index}]"
        try:
            rule = parse_extra_rule(entry, name)
        except InvalidInput as error:
            found.append(str(error))
            continue
        found += _family_problems(rule.sources, name, variables)
        if azure and rule.action == "limit":
            found.append(f"{name}: rule: network security groups cannot limit rates, found limit; write allow")
        for other in rules:
            if (rule.protocol, rule.ports, rule.sources) == (other.protocol, other.ports, other.sources):
                found.append(f"{name}: is about the same connections as {other.variable}; keep one of the two")
        rules.append(rule)
    return rules, found


def _rules(variables: Mapping[str, Any], ssh_ports: Sequence[int]) -> list[PortRule]:
    """The plan of variables without problems."""
    families = ("ipv4", "ipv6") if is_on(variables, "firewall_ipv6") else ("ipv4",)
    login = "limit" if is_on(variables, "firewall_rate_limit") else "allow"
    ssh_sources = parse_sources(value_of(variables, "firewall_ssh_allowed_sources"), "firewall_ssh_allowed_sources")
    sources = parse_sources(value_of(variables, "firewall_allowed_sources"), "firewall_allowed_sources")
    names = {"vsftpd_port": "FTPS explicit TLS", "vsftpd_implicit_port": "FTPS implicit TLS"}
    rules = [PortRule("SSH", login, "tcp", str(port), ssh_sources, families) for port in ssh_ports]
    rules += [
        PortRule(names[name], login, "tcp", str(port), sources, families, variable=name)
        for name, port in control_ports(variables, [])
    ]
    span = passive_range(variables, [])
    if span is not None:
        # Never limited: every listing and every file is a connection of its own.
        ports = parse_ports("{}:{}".format(*span), "passive range")
        rules.append(PortRule("FTPS passive data", "allow", "tcp", ports, sources, families))
    rules += [
        PortRule(rule.name, rule.action, rule.protocol, rule.ports, rule.sources, families, variable=rule.variable)
        for rule in _extra_rules(variables)[0]
    ]
    if is_on(variables, "vsftpd_port_enable"):
        fixed = is_on(variables, "vsftpd_connect_from_port_20")
        data_port = str(integer(value_of(variables, "vsftpd_ftp_data_port")) or 20) if fixed else ""
        active = PortRule("FTPS active data", "allow", "tcp", "", sources, families, "out", data_port)
        rules.append(active)
    return rules


def _contradictions(rules: Sequence[PortRule]) -> Iterator[str]:
    """Two rules that decide about one connection differently: which of them acts would depend on their order."""
    for index, rule in enumerate(rules):
        for other in rules[:index]:
            if rule.direction == other.direction == "in" and rule.action != other.action and overlap(rule, other):
                yield (
                    f"{rule.variable}: '{rule}' contradicts '{other}'; remove it from firewall_extra_rules, or change"
                    " the sources or ports of one of the two"
                )


def overlap(one: PortRule, other: PortRule) -> bool:
    """Whether there is an incoming connection that both rules are about."""
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
        raise InvalidInput(f"{name}: expected a port from 1 to 65535 or a range LOW:HIGH, found {value!r}")
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
        raise InvalidInput(f"{name}: expected {_NETWORK}; found {value!r}") from None
    if network.prefixlen == 0:
        raise InvalidInput(f"{name}: found {value!r}; write any to allow every address, IPv4 and IPv6")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def parse_sources(values: object, name: str) -> tuple[str, ...]:
    """Every source of a list, in its order; an empty list means anywhere."""
    if not isinstance(values, (list, tuple)):
        raise InvalidInput(f"{name}: expected a list of addresses and networks, found {values!r}")
    sources = tuple(dict.fromkeys(parse_source(value, f"{name}[{index}]") for index, value in enumerate(values)))
    return (ANYWHERE,) if not sources or ANYWHERE in sources else sources


def parse_extra_rule(entry: object, name: str) -> PortRule:
    """One entry of ``firewall_extra_rules``; its comment becomes the name of the rule."""
    if not isinstance(entry, Mapping):
        raise InvalidInput(f"{name}: expected a mapping with port, proto, source, rule and comment, found {entry!r}")
    unknown = sorted(set(map(str, entry)) - set(EXTRA_KEYS))
    if unknown:
        raise InvalidInput(
            f"{name}: expected only port, proto, source, rule and comment, found also {', '.join(unknown)}"
        )
    action, proto = entry.get("rule") or "allow", entry.get("proto") or "tcp"
    if action not in ACTIONS:
        raise InvalidInput(f"{name}: rule: expected one of {', '.join(ACTIONS)}, found {action!r}")
    if proto not in PROTOCOLS:
        raise InvalidInput(f"{name}: proto: expected one of {', '.join(PROTOCOLS)}, found {proto!r}")
    comment = str(entry.get("comment") or "extra")
    if not _COMMENT.match(comment):
        raise InvalidInput(
            f"{name}: comment: expected only letters, digits, blanks and _ . , : + ( ) / @ -, found {comment!r}"
        )
    return PortRule(
        name=comment,
        action=action,
        protocol=proto,
        ports=parse_ports(entry.get("port"), f"{name}: port"),
        sources=(parse_source(entry.get("source") or ANYWHERE, f"{name}: source"),),
        variable=name,
    )
