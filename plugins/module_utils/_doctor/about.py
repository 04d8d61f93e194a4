# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What users and their clients need to know about this server, read from the live configuration; nothing secret.

``summary.py`` turns it into lines of text, for the command, the playbook and the demo alike.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import socket
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.examine import examine, to_json
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.host import ssh_ports
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import find_sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance, find_instances
from ansible_collections.secure_ftp.server.plugins.module_utils._host.addresses import addresses
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    allows_passwords,
    discovered_group,
    effective,
    find_jail,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import HostKey, host_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import certificate as tls

EXPLICIT, IMPLICIT, NO_TLS = "explicit", "implicit", "none"
PASSWORD, KEY = "password", "key"
_ANY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Ftps:
    """One vsftpd: its TLS mode (EXPLICIT, IMPLICIT or NO_TLS), port, passive ports and certificate.

    ``passive`` is ``LOW-HIGH``, "any" without limits, "" without passive mode. ``certificate`` is "" without TLS.
    """

    unit: str
    mode: str
    port: int
    passive: str
    certificate: str


@dataclass(frozen=True)
class Sftp:
    """sshd for users of SFTP: its ports, and whether they may log in with a password."""

    ports: tuple[int, ...]
    passwords: bool


@dataclass(frozen=True)
class Certificate:
    """The certificate in a file. ``not_after`` is a day of UTC, YYYY-MM-DD; ``sha256`` has colons, as in FileZilla.

    ``trusted``: the authorities of this host know it, so clients need no file to check it. ``names_host``: it names the
    address or name that ``About.host`` gives clients. Without a readable certificate everything but ``path`` is empty.
    """

    path: str
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_after: str = ""
    sha256: str = ""
    self_signed: bool = False
    trusted: bool = False
    names_host: bool = False


@dataclass(frozen=True)
class Example:
    """A user who can log in, for examples: the name, and by what, PASSWORD or KEY."""

    name: str
    by: str


@dataclass(frozen=True)
class Users:
    """How many users there are, and one of each protocol for examples.

    ``problem`` is the reason if they could not be read, else "".
    """

    total: int = 0
    ftps: int = 0
    sftp: int = 0
    locked: int = 0
    ftps_example: Example | None = None
    sftp_example: Example | None = None
    problem: str = ""


@dataclass(frozen=True)
class About:
    """This server.

    ``host`` is the address or name that clients use; ``outside`` is vsftpd's ``pasv_address`` if no interface has it,
    else "". ``findings`` are those of ``ftp-users check``, as in its JSON. ``command`` is how root calls ftp-users, ""
    if it is not installed.
    """

    name: str
    host: str
    addresses: tuple[str, ...]
    outside: str
    ftps: tuple[Ftps, ...]
    sftp: Sftp | None
    users: Users
    certificates: tuple[Certificate, ...]
    host_keys: tuple[HostKey, ...]
    findings: tuple[Mapping[str, str], ...]
    command: str

    @property
    def serves(self) -> tuple[str, ...]:
        """The protocols that are set up, "FTPS" and "SFTP"."""
        return tuple(name for name, there in (("FTPS", self.ftps), ("SFTP", self.sftp)) if there)

    def facts(self) -> dict[str, Any]:
        """All of it as json.dumps takes it."""
        return {**dataclasses.asdict(self), "serves": list(self.serves)}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> About:
        """The same from what ``facts`` gave, which may have been JSON in between; more keys do no harm."""
        users, sftp = dict(facts["users"]), facts["sftp"]
        for which in ("ftps_example", "sftp_example"):
            users[which] = Example(**users[which]) if users[which] else None
        return cls(
            name=facts["name"],
            host=facts["host"],
            addresses=tuple(facts["addresses"]),
            outside=facts["outside"],
            ftps=tuple(Ftps(**one) for one in facts["ftps"]),
            sftp=Sftp(tuple(sftp["ports"]), sftp["passwords"]) if sftp else None,
            users=Users(**users),
            certificates=tuple(Certificate(**{**one, "names": tuple(one["names"])}) for one in facts["certificates"]),
            host_keys=tuple(HostKey(**one) for one in facts["host_keys"]),
            findings=tuple(facts["findings"]),
            command=facts["command"],
        )


def about(
    users: Callable[[], Sequence[Mapping[str, Any]]], name: str = "", command: str = "", run: Run = run_command
) -> About:
    """Read everything; ``users`` gives each user as Manager.show does, ``name`` "" means the name of the host.

    What cannot be read is left out, and is among the findings. Raises NotPermitted unless run by root.
    """
    findings = to_json(examine())
    instances = [one for one in _of_errors(lambda: find_instances(run), []) if one.options is not None]
    found = _of_errors(addresses, [])
    candidates = _candidates(instances, found)
    paths = list(dict.fromkeys(one.pair[0] for one in instances if one.pair))
    shown = {path: _of_errors(lambda path=path: tls.read(path), None) for path in paths}  # type: ignore[misc]
    host = _host(candidates, [one for one in shown.values() if one])
    everybody, problem = _everybody(users)
    sftp = _of_errors(lambda: _sftp(everybody, run), None)
    return About(
        name=name or socket.gethostname(),
        host=host,
        addresses=tuple(found),
        outside=next((one for one in candidates[:1] if one not in found), ""),
        ftps=tuple(map(_ftps, instances)),
        sftp=sftp,
        users=_users(everybody, problem, sftp),
        certificates=tuple(_certificate(path, one, host) for path, one in shown.items()),
        host_keys=tuple(_of_errors(lambda: host_keys(run), [])) if sftp else (),
        findings=tuple(findings),
        command=command,
    )


def _of_errors(read: Callable[[], Any], otherwise: Any) -> Any:
    """What ``read`` returns, or ``otherwise`` if the host refuses: the check that ran before has a finding about it."""
    try:
        return read()
    except (SecureFtpError, OSError):
        return otherwise


# --- vsftpd ---------------------------------------------------------------------------------------------------------


def _ftps(instance: Instance) -> Ftps:
    mode = NO_TLS
    if instance.pair:
        mode = IMPLICIT if instance.is_yes("implicit_ssl") else EXPLICIT
    low, high = (instance.get(f"pasv_{end}_port", "0") for end in ("min", "max"))
    limited = "any" if "0" in (low, high) else f"{low}-{high}"
    return Ftps(
        unit=instance.unit,
        mode=mode,
        port=instance.port,
        passive=limited if instance.is_yes("pasv_enable") else "",
        certificate=instance.pair[0] if instance.pair else "",
    )


def _candidates(instances: Sequence[Instance], found: Sequence[str]) -> list[str]:
    """The addresses or names that clients may use, the best first.

    An address that vsftpd tells its clients for transfers, or the only one that it listens on, is the administrator's
    own word.
    """
    for name in ("pasv_address", "listen_address", "listen_address6"):
        for instance in instances:
            told = instance.get(name)
            if told and told not in _ANY_ADDRESS:
                return [told]
    return list(found)


# --- the certificate ------------------------------------------------------------------------------------------------


def _host(candidates: Sequence[str], certificates: Sequence[tls.Certificate]) -> str:
    """The first of ``candidates`` that the certificate names, else a name in it, else the first of ``candidates``.

    A self-signed certificate has the host's own name without anybody's doing, so that one may be unknown to clients.
    """
    for candidate in candidates:
        if any(_names(one, candidate) for one in certificates):
            return candidate
    for one in certificates:
        own = {socket.gethostname().lower(), socket.getfqdn().lower()}
        common = one.subject.partition("CN=")[2].partition(",")[0].lower()
        listed = sorted(name.partition(":")[2] for name in one.names if name.startswith("DNS:"))
        for name in sorted(listed, key=lambda name: name != common):
            if name.startswith("*."):
                fitting = [one for one in own if fnmatch.fnmatch(one, name) and one.count(".") == name.count(".")]
                if fitting:
                    return fitting[0]
            elif not (one.self_signed and name in own):
                return name
    return next(iter(candidates), socket.getfqdn())


def _names(certificate: tls.Certificate, host: str) -> bool:
    """Whether a client that checks the name accepts the certificate for ``host`` (RFC 6125: * is one label)."""
    if {f"IP:{host}", f"DNS:{host.lower()}"} & certificate.names:
        return True
    return f"DNS:*.{host.lower().partition('.')[2]}" in certificate.names


def _certificate(path: str, one: tls.Certificate | None, host: str) -> Certificate:
    if one is None:
        return Certificate(path)
    return Certificate(
        path=path,
        subject=one.subject,
        issuer=one.issuer,
        names=tuple(sorted(one.names)),
        not_after=time.strftime("%Y-%m-%d", time.gmtime(one.ends)),
        sha256=one.fingerprint,
        self_signed=one.self_signed,
        trusted=not one.self_signed and bool(_of_errors(lambda: tls.is_trusted(path), False)),
        names_host=_names(one, host),
    )


# --- users ----------------------------------------------------------------------------------------------------------


def _everybody(users: Callable[[], Sequence[Mapping[str, Any]]]) -> tuple[Sequence[Mapping[str, Any]], str]:
    try:
        return users(), ""
    except (SecureFtpError, OSError) as error:
        return [], str(error)


def _sftp(everybody: Sequence[Mapping[str, Any]], run: Run) -> Sftp | None:
    found = find_sftp()
    if not found.groups:
        return None
    example = next((user["name"] for user in everybody if user["sftp"]), None)
    if example is None:
        passwords = allows_passwords(find_jail(found.settings, discovered_group(found.settings)))
    else:
        passwords = effective(example, found.config).get("passwordauthentication") != ["no"]
    return Sftp(tuple(sorted(ssh_ports(run))), passwords)


def _users(everybody: Sequence[Mapping[str, Any]], problem: str, sftp: Sftp | None) -> Users:
    # A user of both protocols is the better example.
    able = sorted((user for user in everybody if _is_plain(user["name"])), key=lambda user: -len(user["protocols"]))
    passwords = sftp is not None and sftp.passwords
    return Users(
        total=len(everybody),
        ftps=sum(user["ftps"] is not None for user in everybody),
        sftp=sum(user["sftp"] is not None for user in everybody),
        locked=sum(bool(user["locked"]) for user in everybody),
        ftps_example=_example(able, "ftps", True),
        sftp_example=_example(able, "sftp", passwords),
        problem=problem,
    )


def _is_plain(name: str) -> bool:
    """Whether a shell, a URL and curl's --user take the name as it is."""
    return name.isascii() and name.replace(".", "").replace("_", "").replace("-", "").isalnum() and name[0] != "-"


def _example(able: Iterable[Mapping[str, Any]], protocol: str, passwords: bool) -> Example | None:
    today = time.strftime("%Y-%m-%d", time.gmtime())  # shadow(5) keeps days, of UTC
    for user in able:
        side = user[protocol]
        expires = (side or {}).get("expires")
        if side is None or user["locked"] or (expires and expires <= today):
            continue
        if side["scheme"] and passwords:
            return Example(user["name"], PASSWORD)
        if side.get("keys"):
            return Example(user["name"], KEY)
    return None


def command_here(path: str) -> str:
    """How root calls the command at ``path``: by its name if that directory is searched; "" if it is not there."""
    if not os.access(path, os.X_OK):
        return ""
    searched = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    return os.path.basename(path) if os.path.dirname(path) in searched else path
