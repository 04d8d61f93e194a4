# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Find everything that can be known to be wrong before anything is changed, all at once.

The checks read the settings, the list of users as it was given, and a description of the host, so that they can be
tested without a host.
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
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import FTPS_ROLES, Settings, boolean
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import (
    did_you_mean,
    kind_said,
    listed,
    value_said,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import plan as _port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import tls_modes
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database as _userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import addresses_of, is_name
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import problem as no_address
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_check import unreachable
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import login_names
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import read_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import count, no_tools
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listener
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import collections
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import variables as _variables
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.folders import folder_problems
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import access
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    DEFAULT_GROUP,
    discovered_group,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users import (
    account,
    fields,
    passwords,
    policy,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import (
    NO_LIMIT,
    QUOTAS,
    given_quotas,
    not_counted,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import (
    IsTaken,
    User,
    never,
    user_from_options,
    user_or_problems,
    with_defaults,
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
TLS_VERSIONS = ("vsftpd_ssl_tlsv1", "vsftpd_ssl_tlsv11", "vsftpd_ssl_tlsv12", "vsftpd_ssl_tlsv13")
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
    """The user that Ansible logs in as, and the users who became root."""
    ssh_ports: tuple[int, ...] = ()
    account_of: Callable[[str], tuple[str, ...] | None] = field(default=lambda name: None)
    """The groups of a system account, the primary one first, or None if there is no such account."""
    is_stored: IsTaken = field(default=never)
    """Whether exactly that hash is already stored for a user."""
    has_account: Callable[[str], bool] = field(default=lambda name: True)
    """Whether there is such an account; true if that is not known."""
    listener_of: Callable[[int], str | None] = field(default=lambda port: None)
    """The program that listens on a TCP port, or None."""
    has_file: Callable[[str], bool] = field(default=lambda path: True)
    """Whether a file exists, or may exist by the time it is needed."""
    ftps_names: Callable[[str], frozenset[str] | None] = field(default=lambda path: None)
    """The users in that database of FTPS users, '' for the one in use; None if that cannot be known."""
    jail_group: str = DEFAULT_GROUP
    """The group that sshd's configuration jails."""
    gives_accounts: bool = False
    """Whether users of FTPS only have an account too."""
    addresses_of: Callable[[str], Sequence[str] | None] = field(default=lambda name: None)
    """The IPv4 addresses of a host name; None if that cannot be known."""
    quota_problem: Callable[[str], Problem | None] = field(default=lambda path: None)
    """Why the file system of a path, existing or not, enforces no quotas of users; None if it does, or may do."""


@dataclass(frozen=True)
class Control:
    """What the checks need to know of the control machine; unknown things are not checked."""

    defined: tuple[str, ...] = ()
    """The names of the variables that are set."""
    missing_collections: tuple[str, ...] = ()
    play_roles: tuple[str, ...] = ()
    """The roles of the play, without the name of the collection."""


def problems(settings: Settings, users: object, host: Host, control: Control = Control()) -> list[Problem]:
    """Every problem of ``settings`` and ``users`` (as ``ftp_users``) on ``host``, once."""
    unsupported = releases.problem(host.os_id, host.os_version, host.os_name)
    found = [unsupported] if unsupported else []
    found += _variables.problems(settings, control.defined)
    found += _check_protocols(settings)
    found += collections.problems(settings, control.missing_collections)
    purge = _variables.purge_problems(settings.ftp_users_purge, users, control.defined)
    found += purge or check_users(users, settings, host)
    found += settings.problems(lambda name: not name.startswith("firewall_"))
    found += _check_ports(settings, host)
    found += _check_vsftpd(settings, host)
    found += _check_paths(settings)
    found += _port_plan.firewall_problems(settings, host.ssh_ports)
    found += access.problems(settings, _names(users))
    found += folder_problems(
        settings,
        users,
        host.has_account,
        lambda name: name in (host.ftps_names("") or ()),
        host.quota_problem,
    )
    return list(dict.fromkeys(found))


def _check_protocols(settings: Settings) -> Iterable[Problem]:
    """Whether the server can serve just those protocols."""
    protocols = settings.ftp_protocols
    if sorted(map(str, protocols)) not in (["sftp"], ["ftps", "sftp"]):
        found = ", ".join(map(str, protocols)) or "an empty list"
        remedy = "SFTP is always there: a user who may not use it gets protocols: [ftps]"
        yield Problem("ftp_protocols", "[ftps, sftp], or [sftp] for a server without FTPS", found, remedy)
    for role in FTPS_ROLES:
        # Variables of a role are only looked at if the role is in the play.
        if not settings.serves_ftps and role in settings.roles:
            said = f"has no ftps, but the role {role} sets it up"
            yield Problem("ftp_protocols", found=said, remedy="leave that role out of the play, or this variable")


def _names(users: object) -> set[object]:
    entries = users if isinstance(users, (list, tuple)) else []
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping) and entry.get("state") != "absent"]
    return {name for name in names if isinstance(name, str)}


def secrets_of(users: object) -> set[str]:
    """Every string in ``users`` that is not known to be public: passwords, hashes, and values of misspelled keys.

    Ansible puts stars in the place of each, also inside words. No message contains the value of a misspelled key, so
    one that is a part of our own words or of a user's name is no reason to make the messages unreadable.
    """
    secrets: set[str] = set()
    doubtful: set[str] = set()
    for entry in users if isinstance(users, (list, tuple)) else [users]:
        if isinstance(entry, Mapping):
            for key, value in entry.items():
                if key in _SECRET:
                    secrets.update(_strings(value))
                elif key not in fields.PUBLIC:
                    doubtful.update(_strings(value))
        else:
            secrets.update(_strings(entry))
    words = "\n".join((*_WORDS, *map(str, _names(users))))
    return secrets | {one for one in doubtful if len(one) > _SHORT and one not in words}


_SECRET = frozenset(field.name for field in fields.FIELDS if field.secret)
_WORDS = ("ftp_users", *fields.NAMES, *(word for field in fields.FIELDS for word in field.choices))
_SHORT = 2
"""So few characters are a part of too many words."""


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)


def warnings(settings: Settings, users: object, host: Host, control: Control = Control()) -> list[str]:
    """What may not work with ``settings`` and ``users`` (as ``ftp_users``), each a sentence."""
    said = []
    address = settings.vsftpd_pasv_address
    why = unreachable(next(iter(host.addresses_of(address) or ()), "") if is_name(address) else address)
    if why:
        remedy = "give the public address of the NAT, or leave it empty without NAT: listings and transfers would hang"
        problem = Problem("vsftpd_pasv_address", found=f"{address} is {why}", remedy=remedy)
        said.append(str(problem))
    said += [str(problem) for problem in _few_ports(settings)]
    if not settings.serves_ftps:
        said += [
            f"vsftpd still listens on port {port} of this host: ftp_protocols without ftps leaves it as it is;"
            " to end FTPS: systemctl disable --now vsftpd vsftpd-implicit"
            for port in sorted({settings.vsftpd_port, settings.vsftpd_implicit_port})
            if host.listener_of(port) == "vsftpd"
        ]
    return said + _without_ftps(settings, users, host, control) + _hash_warnings(users, host)


def _few_ports(settings: Settings) -> Iterable[Problem]:
    """Whether so many transfers at once as one address may have find a free passive port.

    vsftpd tries ten ports at random for each transfer. With twice as many ports as transfers one in a thousand fails.
    """
    span = _port_plan.passive_range(settings, [])
    transfers = settings.vsftpd_max_per_ip or Settings().vsftpd_max_per_ip
    count = span[1] - span[0] + 1 if span else 0
    if span and count < 2 * transfers:
        last = span[0] + 10 * transfers - 1
        remedy = (
            "vsftpd tries ten of them at random for each transfer, and then gives up; ten times as many are enough"
            f" (vsftpd_pasv_max_port: {last}), or set a lower vsftpd_max_per_ip"
        )
        said = f"{count} passive {'port' if count == 1 else 'ports'} for {transfers} transfers at once of one address"
        yield Problem("vsftpd_pasv_min_port and vsftpd_pasv_max_port", found=said, remedy=remedy)


def _without_ftps(settings: Settings, users: object, host: Host, control: Control) -> list[str]:
    """The users for whom a play with the role sshd_chroot, but without FTPS, does nothing."""
    roles = {*settings.roles, *control.play_roles}
    if "sshd_chroot" not in settings.roles or "pam_userdb" in roles or host.ftps_names("") is not None:
        return []
    names = [
        str(entry.get("name"))
        for entry in (users if isinstance(users, (list, tuple)) else ())
        if isinstance(entry, Mapping) and entry.get("state") != "absent" and entry.get("protocols") == ["ftps"]
    ]
    if not names:
        return []
    said = "protocols: [ftps], but this play sets up no FTPS and this host has none, so these users are not made"
    remedy = "add the roles vsftpd and pam_userdb, or give them sftp"
    return [str(Problem(f"ftp_users: {listed(names)}", found=said, remedy=remedy))]


def _hash_warnings(users: object, host: Host) -> list[str]:
    """The hashes in ``users`` that this release may not accept."""
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


def check_users(users: object, settings: Settings, host: Host) -> list[Problem]:
    """Every problem of ``ftp_users``."""
    if not isinstance(users, (list, tuple)):
        return [Problem("ftp_users", "a list of mappings", kind_said(users))]
    found: list[Problem] = []
    try:
        least = policy.valid_min_length(settings.ftp_users_password_min_length, MIN_LENGTH)
    except SecureFtpError as error:
        found.append(error.problem)
        least = 1
    wrong = _check_defaults(settings.ftp_users_defaults)
    found += wrong
    defaults = {} if wrong else settings.ftp_users_defaults
    count: dict[str, int] = {}
    limited: list[str] = []
    for index, entry in enumerate(users):
        where = f"ftp_users[{index}]"
        if not isinstance(entry, Mapping):
            kind = kind_said(entry)
            found.append(Problem(where, "a mapping such as {name: batman}", kind, "write '- name: ...'"))
            continue
        shape, sound = _check_shape(entry, where)
        options = _as_modules_read(with_defaults(sound, defaults))
        if options.get("protocols") is None and not settings.serves_ftps:
            options["protocols"] = ["sftp"]
        user, wrong = user_or_problems(options, least, host.is_stored) if "name" in entry else (None, [])
        found += shape + [problem.about(where) for problem in wrong]
        if shape or user is None:
            continue
        count[user.name] = count.get(user.name, 0) + 1
        limited += [user.name] if user.present and given_quotas(user) else []
        found += _check_user(user, where, settings, host)
    found += _check_quotas(limited, settings, host)
    found += [
        Problem(f"ftp_users: user {name!r}", found=f"listed {times} times", remedy="merge the entries")
        for name, times in count.items()
        if times > 1
    ]
    return found


def _check_defaults(defaults: Mapping[str, Any]) -> list[Problem]:
    """Every problem of ``ftp_users_defaults``."""
    unknown = sorted(str(key) for key in defaults if key not in fields.RIGHTS)
    if unknown:
        remedy = did_you_mean(unknown, fields.RIGHTS)
        said = f"unknown key {', '.join(unknown)}"
        return [Problem("ftp_users_defaults", f"only {', '.join(fields.RIGHTS)}", said, remedy)]
    try:
        user_from_options({"name": "anybody", **defaults})
    except SecureFtpError as error:
        subject = error.problem.subject.replace("user 'anybody'", "ftp_users_defaults")
        return [replace(error.problem, subject=subject)]
    return []


def _check_shape(entry: Mapping[str, Any], where: str) -> tuple[list[Problem], dict[str, Any]]:
    """What the validator of one user assumes about an entry: the problems, and what of the entry is sound."""
    found = []
    sound = {key: value for key, value in entry.items() if key in fields.NAMES}
    unknown = sorted(str(key) for key in entry if key not in fields.NAMES)
    name = entry.get("name")
    if isinstance(name, str):
        where = f"{where} ({name[:60]!r})"
    if unknown:
        remedy = did_you_mean(unknown, fields.NAMES)
        found.append(Problem(where, f"only {', '.join(fields.NAMES)}", f"unknown key {', '.join(unknown)}", remedy))
    if "name" not in entry:
        found.append(Problem(where, found="the name is missing"))
    for key in fields.LISTS:
        value = entry.get(key)
        if value is None or (isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)):
            continue
        del sound[key]
        if isinstance(value, (list, tuple)):
            odd = ", ".join(kind_said(item) for item in value if not isinstance(item, str))
            found.append(Problem(f"{where}: {key}", "a list of strings", f"{odd} in it"))
        else:
            # Somebody may have written a private key there.
            said = kind_said(value) if key == "authorized_keys" else value_said(value)
            found.append(Problem(f"{where}: {key}", "a list", said, "write it as [...]"))
    return found, sound


def _as_modules_read(entry: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with its switches as truth values: templates make strings of them, which Ansible accepts too."""
    switches = {key: boolean(entry[key]) for key in fields.SWITCHES if isinstance(entry.get(key), (str, int))}
    return {**entry, **{key: value for key, value in switches.items() if value is not None}}


def _check_user(user: User, where: str, settings: Settings, host: Host) -> list[Problem]:
    who = f"{where}: user {user.name!r}"
    if user.name in host.login_users:
        said = "Ansible logs in as this user, so a jail would lock you out"
        return [Problem(who, found=said, remedy="choose another name")]
    found = []
    if user.name == settings.get("vsftpd_guest_username"):
        found.append(Problem(who, found="is vsftpd_guest_username too", remedy="choose another name"))
    if user.present and not user.protocols:
        remedy = "list ftps and/or sftp, or set state: absent"
        found.append(Problem(who, found="protocols is empty", remedy=remedy))
    if user.present and "ftps" in user.protocols and not settings.serves_ftps:
        remedy = "leave protocols out, or add ftps to ftp_protocols"
        return [Problem(f"{who}: protocols", "sftp, as ftp_protocols says", listed(user.protocols), remedy)]
    limited = given_quotas(user) if user.present else []
    if limited and "ftps" in user.protocols and not host.gives_accounts:
        found.append(not_counted(who, limited))
    rest = [name for name in account.given(user) if name not in limited]
    if user.present and rest and "sftp" not in user.protocols and not host.gives_accounts:
        found.append(account.no_account(who, rest))
    if user.present and user.password is None and user.password_hash is None:
        found += _check_new(user, where, settings, host)
    if user.present and ("sftp" in user.protocols or settings.ftp_users_home == "one"):
        groups = host.account_of(user.name)
        group = settings.get("sshd_chroot_group") or host.jail_group
        if groups is not None and group not in groups:
            said = f"a system account of this name exists that is not in the group {group}"
            remedy = "choose another name, or add that account to the group yourself"
            if "sftp" not in user.protocols:
                remedy += ", or set ftp_users_home: per_protocol for users of FTPS without accounts"
            found.append(Problem(who, found=said, remedy=remedy))
    return found


def _check_quotas(names: Sequence[str], settings: Settings, host: Host) -> Iterable[Problem]:
    """Whether the file system of the homes of ``names`` enforces quotas."""
    problem = host.quota_problem(settings.sshd_chroot_directory) if names else None
    if problem is not None:
        yield problem.about(f"ftp_users: quota of {listed(names)}").also("or leave quota and quota_files out")


class Quotas(NamedTuple):
    """Whether any user, or any shared folder, is to have a quota: both need the package of that name."""

    users: bool
    folders: bool


def quotas_in(settings: Settings, users: object) -> Quotas:
    """Who is to have a quota, by valid ``settings`` and ``users``."""

    def any_of(entries: object, names: Iterable[str]) -> bool:
        entries = entries if isinstance(entries, (list, tuple)) else ()
        given = (entry.get(name) for entry in entries if isinstance(entry, Mapping) for name in names)
        return any(value is not None and str(value) not in NO_LIMIT for value in given)

    defaults = [settings.ftp_users_defaults] if isinstance(users, (list, tuple)) and users else []
    return Quotas(any_of(users, QUOTAS) or any_of(defaults, QUOTAS), any_of(settings.ftp_shared_folders, ("quota",)))


def _check_new(user: User, where: str, settings: Settings, host: Host) -> Iterable[Problem]:
    """Whether ``user``, who gets no password, has something to log in with in each protocol."""
    who = f"{where}: user {user.name!r}"
    if "ftps" in user.protocols:
        database = str(settings.get("pam_userdb_db") or "")
        known = host.ftps_names(database)
        if known is not None and user.name not in known:
            expected = f"password or password_hash, as the user is new to FTPS (not in {database or 'the database'})"
            yield Problem(who, expected, "none", "give one, or protocols: [sftp]")
    if "sftp" in user.protocols and not user.authorized_keys and not host.has_account(user.name):
        expected = "password, password_hash or authorized_keys, as the user is new to SFTP (there is no such account)"
        yield Problem(who, expected, "none", "give one, or protocols: [ftps]")


def _check_ports(settings: Settings, host: Host) -> list[Problem]:
    found = _port_plan.service_problems(settings, host.ssh_ports)
    for name, port in _port_plan.control_ports(settings, []):
        program = host.listener_of(port) if name in settings.given and port not in host.ssh_ports else None
        if program and program != "vsftpd":
            said = f"{program} listens on port {port} of this host"
            found.append(Problem(name, found=said, remedy="stop it or choose another port"))
    return found


def _check_vsftpd(settings: Settings, host: Host) -> list[Problem]:
    """Settings of vsftpd that exclude each other."""
    found = []
    if not (settings.vsftpd_listen or settings.vsftpd_listen_ipv6) and "vsftpd_listen" in settings.given:
        found.append(
            Problem(
                "vsftpd_listen and vsftpd_listen_ipv6",
                "one of the two to be true",
                "both false",
            )
        )
    if not settings.vsftpd_pasv_enable and not settings.vsftpd_port_enable:
        said = "both are false, so no file could be transferred"
        found.append(Problem("vsftpd_pasv_enable and vsftpd_port_enable", found=said, remedy="set one to true"))
    if not settings.vsftpd_ssl_enable and "implicit" in tls_modes(settings, []):
        said = "is false, but vsftpd_tls_modes lists implicit"
        found.append(Problem("vsftpd_ssl_enable", found=said, remedy="choose one"))
    if settings.vsftpd_ssl_enable and not any(getattr(settings, name) for name in TLS_VERSIONS):
        found.append(Problem(f"{TLS_VERSIONS[0]} to {TLS_VERSIONS[-1]}", "one of them to be true", "all false"))
    address = settings.vsftpd_pasv_address
    if address and settings.vsftpd_listen_ipv6 and not settings.vsftpd_listen:
        said = "is set, but with IPv6 alone vsftpd tells clients the address 0.0.0.0 instead"
        found.append(Problem("vsftpd_pasv_address", found=said, remedy="set vsftpd_listen: true, for IPv4 alone"))
    if address:
        try:
            if ipaddress.IPv4Address(address).is_unspecified:
                said = f"{address} is announced to clients literally"
                remedy = "give the public address of the NAT, or leave it empty without NAT"
                found.append(Problem("vsftpd_pasv_address", found=said, remedy=remedy))
        except ValueError:
            if not is_name(address):
                found.append(Problem("vsftpd_pasv_address", "an IPv4 address, a host name or nothing", repr(address)))
            elif host.addresses_of(address) == []:
                found.append(no_address("vsftpd_pasv_address", address))
    if settings.vsftpd_guest_username == "root":
        said = "is root, which would give all users all rights"
        found.append(Problem("vsftpd_guest_username", found=said, remedy="use ftp"))
    found += _check_certificate(settings, host)
    found += [
        Problem("vsftpd_options", found=f"{name} is read by other roles too", remedy=f"set {of_others} instead")
        for name, of_others in sorted(OPTIONS_OF_OTHERS.items())
        if name in settings.vsftpd_options
    ]
    root, token = settings.vsftpd_local_root, settings.vsftpd_user_sub_token
    both = {"vsftpd_local_root", "vsftpd_user_sub_token"} <= settings.given
    if both and settings.vsftpd_guest_enable and token and posixpath.basename(root) != token:
        found.append(
            Problem(
                "vsftpd_local_root",
                f"a path that ends in /{token} (vsftpd_user_sub_token)",
                repr(root),
                "without it all users would share one directory",
            )
        )
    return found


def _check_certificate(settings: Settings, host: Host) -> list[Problem]:
    source, found = settings.vsftpd_certificate_source, []
    if source == "content":
        said = "is empty, but vsftpd_certificate_source is content"
        found += [
            Problem(name, found=said, remedy="give the PEM text")
            for name in ("vsftpd_certificate_content", "vsftpd_private_key_content")
            if settings.get(name) == ""
        ]
    if source == "files" and settings.vsftpd_ssl_enable:
        for name in ("vsftpd_rsa_cert_file", "vsftpd_rsa_private_key_file"):
            path = settings.get(name)
            if path is not None and not host.has_file(path):
                said = f"{path} is not on the server, but vsftpd_certificate_source is files"
                found.append(Problem(name, found=said, remedy="put it there first"))
    days, renew = settings.vsftpd_certificate_days, settings.vsftpd_certificate_renew_days
    if source == "self_signed" and renew >= days:
        found.append(
            Problem(
                "vsftpd_certificate_renew_days",
                f"less than vsftpd_certificate_days ({days})",
                str(renew),
                "the certificate would be renewed at every run",
            )
        )
    return found


def _check_paths(settings: Settings) -> list[Problem]:
    found = []
    sound: dict[str, str] = {}
    for name in PATHS:
        value = settings.get(name)
        if value is None or name in settings.wrong:
            continue
        if not value.startswith("/") or re.search(r"[\x00-\x1f\x7f]", value):
            found.append(Problem(name, "an absolute path", repr(value)))
        elif ".." in value.split("/") or posixpath.normpath(value) == "/":
            found.append(Problem(name, "a path below / without '..'", repr(value)))
        elif re.search(r"\s", value):
            found.append(Problem(name, "a path without blanks", repr(value)))
        else:
            sound[name] = posixpath.normpath(value)
    database = sound.get("pam_userdb_db")
    if database and not database.endswith(".db"):
        remedy = "pam_userdb always appends .db itself"
        found.append(Problem("pam_userdb_db", "a path that ends in .db", repr(database), remedy))
    ftps, sftp = sound.get("vsftpd_local_root"), sound.get("sshd_chroot_directory")
    # The directory of one user ends in /$USER.
    ftps = posixpath.dirname(ftps) if ftps and posixpath.basename(ftps).startswith("$") else ftps
    if ftps and sftp and (_within(ftps, sftp) or _within(sftp, ftps)):
        said = f"{sftp} and vsftpd_local_root: {ftps} contain one another"
        found.append(Problem("sshd_chroot_directory", found=said, remedy="give each a directory of its own"))
    for jail in filter(None, (ftps, sftp)):
        for name in ("pam_userdb_db", "sshd_chroot_keys_directory"):
            if name in sound and _within(sound[name], jail):
                said = f"{sound[name]} is below {jail}, where users can reach it"
                found.append(Problem(name, found=said, remedy="move it, e.g. to /etc"))
    return found


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def message(found: Sequence[Problem]) -> str:
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
    """The users in the database ``path``, '' for the one in use; empty if there is none, None if it is unreadable."""
    try:
        path = path or discover().database
        return frozenset(name.decode("utf-8", "surrogateescape") for name in _userdb.read(path).all())
    except (SecureFtpError, OSError):
        return None  # the code that needs it says what is wrong with it


def this_host(login_user: str, ssh_ports: Iterable[int], check_mode: bool = False) -> Host:
    """The host this code runs on. ``login_user`` is the user Ansible logs in as, '' if unknown.

    With ``check_mode`` a missing file is accepted: an earlier play may be the one that makes it.
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
        addresses_of=addresses_of,
        jail_group=_jail_group(),
        quota_problem=quota_problem,
    )


def quota_problem(path: str) -> Problem | None:
    """Why the file system of ``path`` enforces no quotas; the programs for them are installed later."""
    problem = count(path, read_mounts()).problem
    return None if problem == no_tools() else problem


def _jail_group() -> str:
    try:
        return discovered_group(read_settings())
    except SecureFtpError:
        return DEFAULT_GROUP  # the code that needs it says what is wrong
