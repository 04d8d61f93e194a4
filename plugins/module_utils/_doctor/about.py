# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Read what users and their clients need to know about this server from its live configuration."""

from __future__ import annotations

import fnmatch
import os
import socket
import time
from typing import Any, Callable, Iterable, Mapping, Sequence, Tuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.examine import examine, to_json
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.live import Live
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import (
    EXPLICIT,
    IMPLICIT,
    KEY,
    NO_TLS,
    PASSWORD,
    About,
    Certificate,
    Example,
    Ftps,
    Remote,
    Sftp,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import name_in
from ansible_collections.secure_ftp.server.plugins.module_utils._host.addresses import addresses
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    allows_passwords,
    discovered_group,
    effective,
    find_jail,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import host_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import certificate as tls
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import is_over

Access = Tuple[str, Tuple[str, ...]]
"""The account of remote control, and the names of its clients."""

_ANY_ADDRESS = ("0.0.0.0", "::")


def about(
    users: Callable[[], Sequence[Mapping[str, Any]]],
    name: str = "",
    command: str = "",
    run: Run = run_command,
    remote: Callable[[], Access | None] = lambda: None,
    check: bool = True,
) -> About:
    """Read everything; ``users`` gives each user as Manager.show does, ``name`` "" means the name of the host.

    ``remote`` gives the Access of other machines, None if they have none. Without ``check`` there are no findings.

    What cannot be read is left out, and is among the findings. Raises NotPermitted unless run by root.
    """
    live = Live(run)
    findings = to_json(examine(live)) if check else []
    instances = [one for one in _of_errors(lambda: live.instances, []) if one.options is not None]
    found = _of_errors(addresses, [])
    candidates = _candidates(instances, found)
    paths = list(dict.fromkeys(one.pair[0] for one in instances if one.pair))
    shown = {path: _of_errors(lambda path=path: tls.read(path), None) for path in paths}  # type: ignore[misc]
    host = _host(candidates, [one for one in shown.values() if one])
    everybody, problem = _everybody(users)
    sftp = _of_errors(lambda: _sftp(everybody, live), None)
    access: Access | None = _of_errors(remote, None)
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
        remote=_remote(access, live) if access else None,
        findings=tuple(findings),
        command=command,
        two_homes=any(map(_has_two_homes, everybody)),
    )


def _has_two_homes(user: Mapping[str, Any]) -> bool:
    return bool(user["ftps"] and user["sftp"] and user["ftps"]["directory"] != user["sftp"]["directory"])


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
            told = (name_in(instance.text) if name == "pasv_address" else "") or instance.get(name)
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


def _sftp(everybody: Sequence[Mapping[str, Any]], live: Live) -> Sftp | None:
    found = live.sftp
    if not found.groups:
        return None
    example = next((user["name"] for user in everybody if user["sftp"]), None)
    if example is None:
        passwords = allows_passwords(find_jail(found.settings, discovered_group(found.settings)))
    else:
        passwords = effective(example, found.config).get("passwordauthentication") != ["no"]
    return Sftp(tuple(sorted(live.ssh_ports)), passwords)


def _remote(access: Access, live: Live) -> Remote:
    user, clients = access
    return Remote(user, clients, tuple(sorted(_of_errors(lambda: live.ssh_ports, ()))))


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
    for user in able:
        side = user[protocol]
        is_shut = is_over(user.get("expires")) and (side or {}).get("obeys_account", True)
        if side is None or user["locked"] or is_shut:
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
