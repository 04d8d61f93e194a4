# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Everything that can be known to be wrong before anything is touched, found in one go.

The checks read plain values (the variables of the roles, the list of people) and a description of the host, so that
they can be tested without a host. Values may be strings where numbers are meant: ``-e vsftpd_port=2121`` gives one.
"""

from __future__ import annotations

import contextlib
import functools
import grp
import ipaddress
import os
import posixpath
import pwd
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import plan as _port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import boolean, integer, is_on, tls_modes
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database as _userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import login_names
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listener
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import collections
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import variables as _variables
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import access
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    DEFAULT_GROUP,
    discovered_group,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users import fields, passwords, policy
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import (
    IsTaken,
    Person,
    never,
    person_from_options,
)

MIN_LENGTH = "ftp_users_password_min_length"

PATHS = (
    "vsftpd_local_root",
    "vsftpd_rsa_cert_file",
    "vsftpd_rsa_private_key_file",
    "pam_userdb_db",
    "sshd_chroot_directory",
    "sshd_chroot_keys_directory",
    "remote_control_keys_directory",
)
SWITCHES = (
    "ftp_users_purge",
    "vsftpd_listen",
    "vsftpd_listen_ipv6",
    "vsftpd_guest_enable",
    "vsftpd_pasv_enable",
    "vsftpd_port_enable",
    "vsftpd_ssl_enable",
    "vsftpd_ssl_tlsv12",
    "vsftpd_ssl_tlsv13",
    "vsftpd_connect_from_port_20",
    "firewall_enabled",
    "firewall_ipv6",
    "firewall_rate_limit",
)
OPTIONS_OF_OTHERS = {
    "listen": "vsftpd_listen",
    "listen_ipv6": "vsftpd_listen_ipv6",
    "listen_port": "vsftpd_port or vsftpd_implicit_port",
    "implicit_ssl": "vsftpd_tls_modes",
    "pasv_enable": "vsftpd_pasv_enable",
    "pasv_min_port": "vsftpd_pasv_min_port",
    "pasv_max_port": "vsftpd_pasv_max_port",
    "local_root": "vsftpd_local_root",
    "user_sub_token": "vsftpd_user_sub_token",
    "guest_username": "vsftpd_guest_username",
    "pam_service_name": "vsftpd_pam_service",
}
"""Settings of vsftpd.conf(5) about ports, directories or PAM, and the variables other roles read them from."""


@dataclass(frozen=True)
class Host:
    """What the checks need to know of the target."""

    os_id: str
    os_version: str
    os_name: str = ""
    login_users: frozenset[str] = frozenset()
    """Who Ansible logs in as, and who became root."""
    ssh_ports: tuple[int, ...] = ()
    account_of: Callable[[str], tuple[str, ...] | None] = field(default=lambda name: None)
    """The groups of a system account, the primary one first, or None when there is no such account."""
    is_stored: IsTaken = field(default=never)
    """Whether that hash is what is stored for a user already."""
    has_account: Callable[[str], bool] = field(default=lambda name: True)
    """Whether there is such an account, or that is not known."""
    listener_of: Callable[[int], str | None] = field(default=lambda port: None)
    """The program that listens on a TCP port, or None."""
    has_file: Callable[[str], bool] = field(default=lambda path: True)
    """Whether a file is there, or may be by the time it is needed."""
    ftps_names: Callable[[str], frozenset[str] | None] = field(default=lambda path: None)
    """Who is in that database of FTPS users, '' for the one in use; None when that cannot be known."""
    jail_group: str = DEFAULT_GROUP
    """The group that sshd's configuration jails."""


@dataclass(frozen=True)
class Control:
    """What the checks need to know of the control machine: what is not known is not checked."""

    defined: tuple[str, ...] = ()
    """The names of the variables that are set."""
    missing_collections: tuple[str, ...] = ()


def problems(variables: Mapping[str, Any], users: object, host: Host, control: Control = Control()) -> list[str]:
    """Every problem, each a sentence that says what was expected, what was found and how to put it right."""
    found = _check_system(host, variables)
    found += _variables.problems(variables, control.defined)
    found += collections.problems(variables, control.missing_collections)
    purge = _variables.purge_problems(is_on(variables, "ftp_users_purge"), users, control.defined)
    found += purge or check_users(users, variables, host)
    found += _check_switches(variables)
    found += _check_ports(variables, host)
    found += _check_vsftpd(variables, host)
    found += _check_paths(variables)
    found += _port_plan.firewall_problems(variables, host.ssh_ports)
    found += access.problems(variables, _names(users))
    return found


def _names(users: object) -> set[object]:
    entries = users if isinstance(users, (list, tuple)) else []
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping) and entry.get("state") != "absent"]
    return {name for name in names if isinstance(name, str)}


def secrets_of(users: object) -> set[str]:
    """Every string in ``users`` that is not known to be public: passwords, hashes, and whatever a typo holds."""
    secrets: set[str] = set()
    for entry in users if isinstance(users, (list, tuple)) else [users]:
        if isinstance(entry, Mapping):
            for key, value in entry.items():
                if key not in fields.PUBLIC:
                    secrets.update(_strings(value))
        else:
            secrets.update(_strings(entry))
    return secrets


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)


def _check_system(host: Host, variables: Mapping[str, Any]) -> list[str]:
    """Whether the release is supported, and what is asked of it that it lacks."""
    unsupported = releases.problem(host.os_id, host.os_version, host.os_name)
    release = releases.find(host.os_id, host.os_version)
    if unsupported or release is None:
        return [unsupported or ""]
    if release.chooses_tls_versions:
        return []
    return [
        f"{name}: false has no effect with vsftpd {release.vsftpd} of {release.name}, which always allows this version;"
        " leave it out"
        for name in ("vsftpd_ssl_tlsv12", "vsftpd_ssl_tlsv13")
        if name in variables and boolean(variables[name]) is False
    ]


def warnings(users: object, host: Host) -> list[str]:
    """What may not work on this release with ``users`` (as ``ftp_users``), each a sentence."""
    release = releases.find(host.os_id, host.os_version)
    if release is None or not release.misreads_hashes:
        return []
    unsafe = [
        str(entry.get("name"))
        for entry in (users if isinstance(users, (list, tuple)) else ())
        if isinstance(entry, Mapping)
        and isinstance(entry.get("password_hash"), str)
        and passwords.has_unsafe_length(entry["password_hash"])
    ]
    return [passwords.unsafe_length_warning(unsafe)] if unsafe else []


def check_users(users: object, variables: Mapping[str, Any], host: Host) -> list[str]:
    """Every problem of ``ftp_users``."""
    if not isinstance(users, (list, tuple)):
        return [f"ftp_users: expected a list of mappings, found {type(users).__name__}"]
    found: list[str] = []
    least = integer(variables.get(MIN_LENGTH, policy.DEFAULT_MIN_LENGTH))
    try:
        least = policy.valid_min_length(least, MIN_LENGTH)
    except SecureFtpError as error:
        found.append(str(error))
        least = 1
    count: dict[str, int] = {}
    for index, entry in enumerate(users):
        where = f"ftp_users[{index}]"
        if not isinstance(entry, Mapping):
            found.append(
                f"{where}: expected a mapping such as {{name: batman}}, found {type(entry).__name__};"
                " write '- name: ...'"
            )
            continue
        shape = _check_shape(entry, where)
        if shape:
            found += shape
            continue
        try:
            person = person_from_options(_as_modules_read(entry), least, is_taken=host.is_stored)
        except SecureFtpError as error:
            found.append(f"{where}: {error}")
            continue
        count[person.name] = count.get(person.name, 0) + 1
        found += _check_person(person, where, variables, host)
    found += [
        f"ftp_users: user {name!r}: listed {times} times; merge the entries"
        for name, times in count.items()
        if times > 1
    ]
    return found


def _check_shape(entry: Mapping[str, Any], where: str) -> list[str]:
    """What the validator of one person takes for granted."""
    found = []
    unknown = sorted(str(key) for key in entry if key not in fields.NAMES)
    name = entry.get("name")
    if isinstance(name, str):
        where = f"{where} ({name[:60]!r})"
    if unknown:
        found.append(f"{where}: unknown key {', '.join(unknown)}; expected only {', '.join(fields.NAMES)}")
    if "name" not in entry:
        found.append(f"{where}: the name is missing")
    for key in fields.LISTS:
        value = entry.get(key)
        if value is not None and not isinstance(value, (list, tuple)):
            found.append(f"{where}: {key}: expected a list, found {type(value).__name__}; write it as [...]")
        elif value is not None and not all(isinstance(item, str) for item in value):
            found.append(f"{where}: {key}: expected a list of strings")
    return found


def _as_modules_read(entry: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with its switches as truth values: templates make strings of them, which Ansible takes too."""
    switches = {key: boolean(entry[key]) for key in fields.SWITCHES if isinstance(entry.get(key), (str, int))}
    return {**entry, **{key: value for key, value in switches.items() if value is not None}}


def _check_person(person: Person, where: str, variables: Mapping[str, Any], host: Host) -> list[str]:
    if person.name in host.login_users:
        return [
            f"{where}: user {person.name!r}: Ansible logs in as this user, jailing it would cut you off;"
            " choose another name"
        ]
    found = []
    if person.name == variables.get("vsftpd_guest_username"):
        found.append(f"{where}: user {person.name!r}: is vsftpd_guest_username too; choose another name")
    if person.present and not person.protocols:
        found.append(f"{where}: user {person.name!r}: protocols is empty; list ftps and/or sftp, or set state: absent")
    if person.present and person.password is None and person.password_hash is None:
        found += _check_new(person, where, variables, host)
    if person.present and "sftp" in person.protocols:
        groups = host.account_of(person.name)
        group = str(variables.get("sshd_chroot_group") or host.jail_group)
        if groups is not None and group not in groups:
            found.append(
                f"{where}: user {person.name!r}: a system account of this name exists that is not in the group {group};"
                " choose another name, or add that account to the group yourself"
            )
    return found


def _check_new(person: Person, where: str, variables: Mapping[str, Any], host: Host) -> Iterable[str]:
    """Whether ``person``, who is given no password, has something to log in with by each protocol."""
    user = f"{where}: user {person.name!r}"
    if "ftps" in person.protocols:
        database = str(variables.get("pam_userdb_db") or "")
        known = host.ftps_names(database)
        if known is not None and person.name not in known:
            yield (
                f"{user}: is new to FTPS (not in {database or 'the database'}), so expected password or password_hash,"
                " found none; give one, or protocols: [sftp]"
            )
    if "sftp" in person.protocols and not person.authorized_keys and not host.has_account(person.name):
        yield (
            f"{user}: is new to SFTP (there is no such account), so expected password, password_hash or"
            " authorized_keys, found none; give one, or protocols: [ftps]"
        )


def _check_switches(variables: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: expected true or false, found {variables[name]!r}"
        for name in SWITCHES
        if name in variables and boolean(variables[name]) is None
    ]


def _check_ports(variables: Mapping[str, Any], host: Host) -> list[str]:
    found = _port_plan.service_problems(variables, host.ssh_ports)
    for name, port in _port_plan.control_ports(variables, []):
        program = host.listener_of(port) if name in variables and port not in host.ssh_ports else None
        if program and program != "vsftpd":
            found.append(f"{name}: {program} listens on port {port} of this host; stop it or choose another port")
    return found


def _check_vsftpd(variables: Mapping[str, Any], host: Host) -> list[str]:
    """Settings of vsftpd that exclude each other."""
    found = []
    if {"vsftpd_listen", "vsftpd_listen_ipv6"} <= set(variables):
        ipv4, ipv6 = is_on(variables, "vsftpd_listen"), is_on(variables, "vsftpd_listen_ipv6")
        if ipv4 == ipv6:
            found.append(
                "vsftpd_listen and vsftpd_listen_ipv6: expected one of the two to be true, found both"
                f" {str(ipv4).lower()}; vsftpd_listen_ipv6 alone serves IPv4 too"
            )
    if not is_on(variables, "vsftpd_pasv_enable") and not is_on(variables, "vsftpd_port_enable"):
        found.append(
            "vsftpd_pasv_enable and vsftpd_port_enable: both are false, no file could be transferred; allow one"
        )
    if not is_on(variables, "vsftpd_ssl_enable") and "implicit" in tls_modes(variables, []):
        found.append("vsftpd_ssl_enable: is false, but vsftpd_tls_modes lists implicit; choose one")
    address = variables.get("vsftpd_pasv_address") or ""
    if address:
        try:
            if ipaddress.IPv4Address(address if isinstance(address, str) else "").is_unspecified:
                found.append(
                    f"vsftpd_pasv_address: {address} is announced to clients literally; give the public address of the"
                    " NAT, or leave it empty without NAT"
                )
        except ValueError:
            found.append(f"vsftpd_pasv_address: expected an IPv4 address or nothing, found {address!r}")
    guest = variables.get("vsftpd_guest_username")
    if guest == "root":
        found.append("vsftpd_guest_username: found root, which would give every user every right; use ftp")
    found += _check_certificate(variables, host)
    options = variables.get("vsftpd_options", {})
    if not isinstance(options, Mapping):
        return found + [f"vsftpd_options: expected a mapping, found {type(options).__name__}"]
    found += [
        f"vsftpd_options: {name} is read by other roles too; set {OPTIONS_OF_OTHERS[name]} instead"
        for name in sorted(map(str, options))
        if name in OPTIONS_OF_OTHERS
    ]
    root, token = variables.get("vsftpd_local_root"), variables.get("vsftpd_user_sub_token")
    virtual = is_on(variables, "vsftpd_guest_enable")
    if virtual and isinstance(root, str) and isinstance(token, str) and token and posixpath.basename(root) != token:
        found.append(
            f"vsftpd_local_root: expected a path that ends in /{token} (vsftpd_user_sub_token), found {root!r};"
            " without it all users would share one directory"
        )
    return found


def _check_certificate(variables: Mapping[str, Any], host: Host) -> list[str]:
    source = variables.get("vsftpd_certificate_source", "self_signed")
    sources = ("self_signed", "content", "files")
    if source not in sources:
        return [f"vsftpd_certificate_source: expected one of {', '.join(sources)}, found {source!r}"]
    found = []
    if source == "content":
        found += [
            f"{name}: is empty, but vsftpd_certificate_source is content; give the PEM text"
            for name in ("vsftpd_certificate_content", "vsftpd_private_key_content")
            if name in variables and not variables[name]
        ]
    if source == "files" and is_on(variables, "vsftpd_ssl_enable"):
        for name in ("vsftpd_rsa_cert_file", "vsftpd_rsa_private_key_file"):
            path = variables.get(name)
            if isinstance(path, str) and not host.has_file(path):
                found.append(
                    f"{name}: {path} is not on the server, but vsftpd_certificate_source is files; put it there first"
                )
    days = integer(variables.get("vsftpd_certificate_days", 825))
    renew = integer(variables.get("vsftpd_certificate_renew_days", 30))
    if source == "self_signed" and days is not None and renew is not None and renew >= days:
        found.append(
            f"vsftpd_certificate_renew_days: expected less than vsftpd_certificate_days ({days}), found {renew};"
            " the certificate would be renewed at every run"
        )
    return found


def _check_paths(variables: Mapping[str, Any]) -> list[str]:
    found = []
    sound: dict[str, str] = {}
    for name in PATHS:
        if name not in variables:
            continue
        value = variables[name]
        if not isinstance(value, str) or not value.startswith("/") or re.search(r"[\x00-\x1f\x7f]", value):
            found.append(f"{name}: expected an absolute path, found {value!r}")
        elif ".." in value.split("/") or posixpath.normpath(value) == "/":
            found.append(f"{name}: expected a path below / without '..', found {value!r}")
        elif re.search(r"\s", value):
            found.append(f"{name}: expected a path without blanks, found {value!r}")
        else:
            sound[name] = posixpath.normpath(value)
    database = sound.get("pam_userdb_db")
    if database and not database.endswith(".db"):
        found.append(
            f"pam_userdb_db: expected a path that ends in .db, found {database!r}; pam_userdb always appends .db itself"
        )
    ftps, sftp = sound.get("vsftpd_local_root"), sound.get("sshd_chroot_directory")
    # The directory of one user ends in /$USER.
    ftps = posixpath.dirname(ftps) if ftps and posixpath.basename(ftps).startswith("$") else ftps
    if ftps and sftp and (_within(ftps, sftp) or _within(sftp, ftps)):
        found.append(
            f"sshd_chroot_directory: {sftp} and vsftpd_local_root: {ftps} hold each other;"
            " give each a directory of its own"
        )
    for jail in filter(None, (ftps, sftp)):
        for name in ("pam_userdb_db", "sshd_chroot_keys_directory"):
            if name in sound and _within(sound[name], jail):
                found.append(
                    f"{name}: {sound[name]} lies where users can reach it, below {jail}; move it, e.g. to /etc"
                )
    return found


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def message(found: list[str]) -> str:
    """One message of all problems."""
    title = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return "\n".join([f"{title} found, nothing was changed:", *(f"- {problem}" for problem in found)])


def account_groups(name: str) -> tuple[str, ...] | None:
    """The groups of a system account, the primary one first; None when there is none."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = [group.gr_name for group in grp.getgrall() if name in group.gr_mem]
    with contextlib.suppress(KeyError):
        groups.insert(0, grp.getgrgid(account.pw_gid).gr_name)
    return tuple(groups)


@functools.lru_cache(maxsize=1)
def ftps_names(path: str) -> frozenset[str] | None:
    """Who is in the database ``path``, '' for the one in use; nobody when there is none, None when it is unreadable."""
    try:
        path = path or discover().database
        return frozenset(name.decode("utf-8", "surrogateescape") for name in _userdb.read(path).all())
    except (SecureFtpError, OSError):
        return None  # those who need it say what is wrong with it


def this_host(login_user: str, ssh_ports: Iterable[int], check_mode: bool = False) -> Host:
    """The host this code runs on. ``login_user`` is who Ansible logs in as, '' when it does not say.

    With ``check_mode`` an earlier play may be the one that makes a file that is missing.
    """
    release = releases.read_os_release()
    return Host(
        os_id=release.get("ID", "").lower(),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", ""),
        login_users=frozenset({login_user, *login_names()} - {"", "root"}),
        ssh_ports=tuple(ssh_ports),
        account_of=account_groups,
        is_stored=is_stored,
        has_account=lambda name: account_groups(name) is not None,
        listener_of=listener,
        has_file=lambda path: check_mode or os.path.isfile(path),
        ftps_names=ftps_names,
        jail_group=_jail_group(),
    )


def _jail_group() -> str:
    try:
        return discovered_group(read_settings())
    except SecureFtpError:
        return DEFAULT_GROUP  # those who need it say what is wrong
