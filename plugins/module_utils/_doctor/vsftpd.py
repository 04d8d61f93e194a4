# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of vsftpd: its configuration, certificate, services and ports."""

from __future__ import annotations

import grp
import os
import stat
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.certificates import certificate_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.probe import serves_another_certificate
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import addresses_of, name_in
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_check import (
    host_findings,
    refusal,
    unreachable,
    value_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import PATH, find_program
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listener
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated

_PAIR = ("rsa_cert_file", "rsa_private_key_file")

_EDIT_VSFTPD = '"${{EDITOR:-editor}}" {path} && systemctl restart {unit}'
KINDS: dict[str, Kind] = {
    "vsftpd-missing": Kind(
        ERROR,
        "vsftpd is configured but not installed",
        "Nobody can log in over FTPS.",
        "apt-get install --reinstall vsftpd && systemctl restart {unit}",
    ),
    "vsftpd-config": Kind(
        ERROR,
        "vsftpd does not accept its configuration, or cannot serve with it on this host",
        "Sessions fail, or the daemon does not start at its next restart or boot.",
        _EDIT_VSFTPD,
    ),
    "guest-user-missing": Kind(
        ERROR,
        "the system user that every FTPS session runs as does not exist",
        "Every FTPS log-in fails right after the password.",
        "useradd --system --no-create-home --home-dir /srv/ftp --shell /usr/sbin/nologin {group} {user}",
    ),
    "tls-not-forced": Kind(
        ERROR,
        "sessions without TLS are accepted",
        "Passwords and files cross the network unencrypted: anybody on the way can read them.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "anonymous-login": Kind(
        WARNING,
        "anybody may log in without a password",
        "Strangers can read, and perhaps write, files that are meant for known users.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "pasv-address": Kind(
        WARNING,
        "the address that clients are told for data connections is none that they can reach",
        "Log-ins work, but every listing and transfer in passive mode hangs.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "pasv-address-changed": Kind(
        WARNING,
        "the name behind `vsftpd_pasv_address` has another address now",
        "Clients are told the old one: log-ins work, but every listing and transfer in passive mode hangs.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "ftps-jail-open": Kind(
        ERROR,
        "FTPS users are not confined to their directories",
        "Every user can read and change the files of all the others: they share one system user.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
}
found = Reporter(KINDS)


def vsftpd_findings(instances: Sequence[Instance], now: float) -> Iterator[Finding]:
    """Examine every instance; a certificate that several of them use is examined once."""
    binary = find_program("vsftpd")
    if binary is None:
        for instance in instances[:1]:
            what = f"{instance.path} exists, but there is no program vsftpd in {PATH}"
            yield found("vsftpd-missing", what, instance.path, restarts=[instance.unit])
        return
    pairs: dict[tuple[str, str], list[str]] = {}
    for instance in instances:
        if instance.pair:
            pairs.setdefault(instance.pair, []).append(instance.unit)
    for pair, units in pairs.items():
        yield from certificate_findings(*pair, units, now)
    for instance in instances:
        yield from instance_findings(instance, binary)


def instance_findings(instance: Instance, binary: str) -> Iterator[Finding]:
    """Examine one instance except its certificate."""
    if instance.options is None:
        what = f"{instance.path}: cannot be read: {instance.problem}"
        yield found("vsftpd-config", what, instance.path, path=instance.path, restarts=[instance.unit])
        return
    yield from writable_findings(instance.path)
    yield from _configuration_findings(instance, instance.options, binary)
    yield from _safety_findings(instance)
    if instance.listens:
        yield from _service_findings(instance)


def writable_findings(path: str) -> Iterator[Finding]:
    """Examine whether others than root can change the file or directory ``path``."""
    try:
        status = os.stat(path)
    except OSError:
        return
    if status.st_uid != 0 or status.st_mode & 0o022:
        what = f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}; expected owner root;"
        yield found("config-writable", f"{what} others may only read", path, path=path)


def set_options(instance: Instance, options: Mapping[str, str]) -> str:
    """The command that writes ``options`` into the configuration, in the place of their old lines."""
    # Append before deleting: d ends sed's work on a line.
    edits = [f"-e {quoted(f'$a {name}={value}')}" for name, value in options.items()]
    edits += [f"-e {quoted(f'/^{name}=/d')}" for name in options]
    return f"sed -i {' '.join(edits)} {quoted(instance.path)} && systemctl restart {quoted(instance.unit)}"


def _configuration_findings(instance: Instance, options: Mapping[str, str], binary: str) -> Iterator[Finding]:
    words: dict[str, Any] = {"path": instance.path, "restarts": [instance.unit]}
    problems = [*value_findings(options), *(problem for problem, _is_absence in host_findings(options))]
    for problem in problems:
        if problem.subject in _PAIR:
            continue  # the examination of the certificate says more
        if problem.subject == "guest_username":
            user = options.get("guest_username") or "ftp"
            group = ["--gid", user] if _is_group(user) else ["--user-group"]
            yield found("guest-user-missing", str(problem), user, user=user, group=group)
        else:
            yield found("vsftpd-config", f"{instance.path}: {problem}", instance.path, **words)
    if not problems:
        said = refusal(binary, options, instance.text + "\nssl_enable=NO\nimplicit_ssl=NO\n")
        if said is not None:
            yield found("vsftpd-config", f"{instance.path}: vsftpd says: {said}", instance.path, **words)


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _safety_findings(instance: Instance) -> Iterator[Finding]:
    path, units = instance.path, [instance.unit]
    wrong = {
        name: "YES"
        for name in ("ssl_enable", "force_local_logins_ssl", "force_local_data_ssl")
        if not instance.is_yes(name)
    }
    if wrong:
        set_to = ", ".join(f"{name}={instance.get(name, 'NO')}" for name in wrong)
        what = f"{path}: {set_to}; expected YES"
        yield found("tls-not-forced", what, path, set_options(instance, wrong), restarts=units)
    if instance.is_yes("anonymous_enable"):
        what = f"{path}: anonymous_enable={instance.get('anonymous_enable', 'YES (the default)')}; expected NO"
        yield found("anonymous-login", what, path, set_options(instance, {"anonymous_enable": "NO"}), restarts=units)
    address = instance.get("pasv_address", "")
    why = unreachable(address)
    if why:
        what = f"{path}: pasv_address={address}, {why}; expected the public address of the NAT,"
        fix = set_options(instance, {"pasv_address": "PUBLIC_ADDRESS"})
        yield found("pasv-address", f"{what} or no such line without NAT", path, fix, restarts=units)
    name = name_in(instance.text)
    now = addresses_of(name) if name else []
    if now and address not in now:
        what = f"{path}: pasv_address={address}; {name} is {listed(now)} now"
        fix = set_options(instance, {"pasv_address": now[0]})
        yield found("pasv-address-changed", what, path, fix, restarts=units)
    if not instance.is_yes("chroot_local_user") and not instance.is_yes("chroot_list_enable"):
        what = f"{path}: chroot_local_user={instance.get('chroot_local_user', 'NO (the default)')}; expected YES"
        yield found("ftps-jail-open", what, path, set_options(instance, {"chroot_local_user": "YES"}), restarts=units)


def _service_findings(instance: Instance) -> Iterator[Finding]:
    unit = instance.unit
    if not instance.enabled:
        yield found("service-disabled", f"{unit}: not enabled", unit, unit=unit)
    if not instance.active:
        yield found("service-inactive", f"{unit}: not running", unit, restarts=[unit])
        return
    program = listener(instance.port)
    if program != "vsftpd":
        what = f"port {instance.port} of {instance.path}: " + (
            f"{program} listens there, not vsftpd" if program else "nothing listens there"
        )
        yield found("port-closed", what, str(instance.port), port=instance.port, restarts=[unit])
    elif serves_another_certificate(instance.options or {}):
        what = f"{unit}: serves another certificate than the one in {instance.get('rsa_cert_file')}"
        yield found("service-outdated", what, unit, verb="restart", restarts=[unit])
    elif is_outdated(unit, [instance.path], instance.pair or ()):
        what = f"{unit}: started before its configuration or certificate was last written"
        yield found("service-outdated", what, unit, verb="restart", restarts=[unit])
