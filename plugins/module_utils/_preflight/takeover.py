# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Find what a run would change on a server that somebody else set up, before anything is changed.

A configuration that this collection wrote, or that is as the distribution's package left it, is not checked. Everything
else is the work of others and is compared with the variables.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import stat
from typing import Any, Callable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import database_path, read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance, find_instances
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import PAM_DIRECTORY, find_userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import DEFAULT_SERVICE, Homes, guest_ids
from ansible_collections.secure_ftp.server.plugins.module_utils._host.pam import with_rules
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import MissingProgram, run_command

SWITCH = "vsftpd_replace_existing"
UNITS = {"/etc/vsftpd.conf": "vsftpd", "/etc/vsftpd-implicit.conf": "vsftpd-implicit"}
"""The unit that is to read each configuration."""
MASK = "/etc/systemd/system/vsftpd.service"
MASK_MARK = f"{MASK}.d/secure-ftp-masked.conf"
"""Exists if the mask is that of the role vsftpd, which makes one until vsftpd is configured."""
UNIT_FILE = "/etc/systemd/system/vsftpd-implicit.service"

_INDIFFERENT = ("background", "secure_chroot_dir", "pam_service_name")
"""Settings that nobody misses: systemd's and vsftpd's own, and a name; what the PAM service reads is checked."""
_YES, _NO = ("YES", "TRUE", "1"), ("NO", "FALSE", "0")
_GO_ON = f"to continue anyway set {SWITCH}: true"
_HARMLESS_MODULES = ("pam_userdb.so", "pam_deny.so", "pam_permit.so")


def takeover_problems(
    settings: Settings,
    users: object,
    wanted: Mapping[str, Mapping[str, Any]],
    instances: Sequence[Instance] | None = None,
    pam_directory: str = PAM_DIRECTORY,
    unit_file: str = UNIT_FILE,
) -> list[Problem]:
    """What would be lost or changed of the work of others, each with the remedies.

    ``wanted`` are the settings of each vsftpd.conf that is to be written, by its path. ``instances`` are those of the
    host (found when None). Empty if the operator set vsftpd_replace_existing.
    """
    if settings.vsftpd_replace_existing:
        return []
    if instances is None:
        try:
            instances = find_instances(run_command)
        except MissingProgram:
            instances = []
    found = list(_mask_problems()) if wanted else []
    given = settings.get("vsftpd_pam_service")
    services: dict[str, str] = {given: ""} if given else {}
    for path, options in wanted.items():
        unit = UNITS.get(path, "vsftpd")
        for instance in instances:
            if instance.unit == unit or instance.path == path:
                services.setdefault(instance.get("pam_service_name", DEFAULT_SERVICE), instance.path)
                found += _configuration_problems(instance, options)
    for service, path in services.items():
        found += _service_problems(service, path, settings, users, pam_directory)
    if wanted and _is_foreign(unit_file):  # with one TLS mode the role removes it
        what = "was not written by this collection and would be replaced or removed"
        found.append(Problem(unit_file, found=what, remedy=f"rename it, or {_GO_ON}"))
    found += _database_directory_problems(settings)
    found += _home_problems(settings, users)
    return list(dict.fromkeys(found))


def is_stock(path: str) -> bool:
    """Whether a configuration file of the package vsftpd is as the package left it.

    Source: dpkg-query(1): ``Conffiles`` lists each with the MD5 sum of the packaged version.
    """
    try:
        listed_files = run_command(["dpkg-query", "--show", "--showformat=${Conffiles}", "vsftpd"]).out
        with open(path, "rb") as file:
            digest = hashlib.md5(file.read()).hexdigest()
    except (MissingProgram, OSError, ValueError):
        return False
    return any(line.split()[:2] == [path, digest] for line in listed_files.splitlines())


def _is_foreign(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return not is_ours(file.read(4096))
    except OSError:
        return False


def _is_installed() -> bool:
    try:
        return run_command(["dpkg-query", "--show", "--showformat=${db:Status-Status}", "vsftpd"]).out == "installed"
    except MissingProgram:
        return False


def _mask_problems(
    mask: str = MASK, mark: str = MASK_MARK, is_installed: Callable[[], bool] = _is_installed
) -> Iterator[Problem]:
    """The work of others at the path where the role masks vsftpd until it is configured."""
    try:
        target = os.readlink(mask)
    except FileNotFoundError:
        return
    except OSError:
        target = ""  # no link
    if target == "/dev/null":
        if not os.path.exists(mark):
            said = "somebody masked vsftpd, so it must not run"
            yield Problem(mask, found=said, remedy="if it may run: systemctl unmask vsftpd")
    elif not is_installed():
        unit = "is a unit of somebody else that runs vsftpd without the distribution's package"
        otherwise = f"otherwise stop it and rename it, or {_GO_ON} (a dated copy of the file is kept)"
        remedy = f"to keep it as it is, leave this host out; {otherwise}"
        yield Problem(mask, found=f"{unit}, and the package would replace it", remedy=remedy)


def _configuration_problems(instance: Instance, wanted: Mapping[str, Any]) -> Iterator[Problem]:
    if instance.options is None:
        if os.path.lexists(instance.path):
            said = f"cannot be read: {instance.problem}"
            yield Problem(instance.path, found=said, remedy="repair it")
        return
    if is_ours(instance.text) or is_stock(instance.path):
        return
    differing = {
        name: value
        for name, value in instance.options.items()
        if name not in _INDIFFERENT and not _same(name, value, wanted)
    }
    if not differing:
        return
    shown = ", ".join(f"{name}={value} (would be {_shown(name, wanted)})" for name, value in differing.items())
    said = f"was not written by this collection, and {len(differing)} of its settings would change: {shown}"
    keep = f"to keep them set {_variables_for(differing, wanted)}"
    remedy = f"{keep}; {_GO_ON} (a dated copy of the file is kept)"
    yield Problem(instance.path, found=visible(said), remedy=visible(remedy))


def _text(value: object) -> str:
    return ("YES" if value else "NO") if isinstance(value, bool) else str(value)


def _same(name: str, old: str, wanted: Mapping[str, Any]) -> bool:
    new = wanted.get(name)
    if new is None:
        return not old
    text = _text(new)
    if text.upper() in _YES or text.upper() in _NO:
        return (text.upper() in _YES) == (old.upper() in _YES) and (old.upper() in _YES or old.upper() in _NO)
    return text == old or (text.isdigit() and old.isdigit() and int(text) == int(old))


def _shown(name: str, wanted: Mapping[str, Any]) -> str:
    return "left out" if wanted.get(name) is None else _text(wanted[name])


def _variables_for(settings: Mapping[str, str], wanted: Mapping[str, Any]) -> str:
    """The variables that keep ``settings``, as a line of YAML."""
    direct: dict[str, object] = {}
    others: dict[str, object] = {}
    for name, value in settings.items():
        upper = value.upper()
        plain: object = value
        if upper in ("YES", "TRUE", "NO", "FALSE"):
            plain = upper in _YES
        if name == "listen_port":
            direct["vsftpd_implicit_port" if wanted.get("implicit_ssl") else "vsftpd_port"] = plain
        elif name == "implicit_ssl":
            direct["vsftpd_tls_modes"] = ["implicit" if plain is True else "explicit"]
        elif name == "listen" and plain is True:
            direct["vsftpd_listen"], direct["vsftpd_listen_ipv6"] = True, False
        elif name in ("rsa_cert_file", "rsa_private_key_file"):
            direct["vsftpd_certificate_source"] = "files"
            direct[f"vsftpd_{name}"] = plain
        elif name in wanted:
            direct[name if name.startswith("vsftpd_") else f"vsftpd_{name}"] = plain
        else:
            others[name] = plain
    if others:
        direct["vsftpd_options"] = others
    return json.dumps(direct, ensure_ascii=False)


def _service_problems(
    service: str, config: str, settings: Settings, users: object, directory: str
) -> Iterator[Problem]:
    """The checks of the PAM service that would be lost. ``config`` is the file that names it, '' for the variables."""
    path = os.path.join(directory, service)
    try:
        userdb = find_userdb(service, directory)
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return
    except (SecureFtpError, OSError) as error:
        yield error.problem if isinstance(error, SecureFtpError) else Problem(path, found=str(error))
        return
    where = f"{path} (the PAM service of {config})" if config else path
    if userdb is not None:
        yield from _database_problems(where, database_path(userdb.database), settings, users)
    if (userdb is not None or not config) and not is_ours(text):
        lines = [line.strip() for line in with_rules(text, ()).splitlines() if _would_be_missed(line)]
        if lines:
            said = f"was not written by this collection, and these lines of it would be lost: {'; '.join(lines)}"
            remedy = f"give vsftpd_pam_service another name and put them there, or {_GO_ON}"
            yield Problem(where, found=visible(said), remedy=remedy)


def _would_be_missed(line: str) -> bool:
    """Whether a line decides about log-ins by other means than the database. vsftpd opens no PAM session."""
    words = line.split("#")[0].split()
    if not words or words[0].lstrip("-") in ("session", "password"):
        return False
    return not any(os.path.basename(word) in _HARMLESS_MODULES for word in words)


def _database_problems(where: str, old: str, settings: Settings, users: object) -> Iterator[Problem]:
    new = settings.get("pam_userdb_db")
    if new is None or not os.path.isabs(new) or new.endswith("/"):
        return  # a problem of its own
    if os.path.realpath(old) == os.path.realpath(database_path(new)):
        return
    keep = f"to keep it set pam_userdb_db: {old}"
    try:
        names = {key.decode("utf-8", "backslashreplace") for key in read(os.path.realpath(old)).all()}
    except SecureFtpError as error:
        whole = f"{where}: reads the database {old}, which cannot be read"
        yield error.problem.about(whole).also(f"{keep}, or {_GO_ON}")
        return
    out = sorted(names - _wanted_names(users))
    if out:
        count = "1 user" if len(out) == 1 else f"{len(out)} users"
        said = f"reads the database {old}, and {count} in it could no longer log in, because ftp_users lacks them"
        remedy = f"{keep}, or add them to ftp_users, or {_GO_ON}"
        yield Problem(where, found=visible(f"{said}: {listed(out)}"), remedy=remedy)


def _wanted_names(users: object) -> set[str]:
    """The names of those ``users`` who get FTPS."""
    entries = users if isinstance(users, (list, tuple)) else []
    names = set()
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and entry.get("state") != "absent":
            protocols = entry.get("protocols")
            if protocols is None or (isinstance(protocols, (list, tuple)) and "ftps" in protocols):
                names.add(entry["name"])
    return names


def _database_directory_problems(settings: Settings) -> Iterator[Problem]:
    path = os.path.dirname(settings.get("pam_userdb_db") or "")
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return
    if found.st_uid != 0 or found.st_mode & 0o022:
        owner, mode = _owner(found.st_uid), f"{stat.S_IMODE(found.st_mode):04o}"
        what = f"its directory {path} exists already, owner {owner}, mode {mode}"
        said = f"{what}, so users other than root could replace the database"
        remedy = f"choose another directory, or run: chown root {path} && chmod go-w {path}"
        yield Problem("pam_userdb_db", found=said, remedy=remedy)


def _home_problems(settings: Settings, users: object) -> Iterator[Problem]:
    """The existing directories of users that would get another owner."""
    root, guest = settings.get("vsftpd_local_root"), settings.vsftpd_guest_username
    ids = guest_ids(guest)
    if root is None or ids is None:
        return
    homes = Homes(root, settings.vsftpd_user_sub_token)
    if homes.shared:
        return
    foreign: dict[str, list[str]] = {}
    for name in sorted(_wanted_names(users)):
        path = homes.of(name) if "/" not in name and "\0" not in name else ""
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid not in (0, ids[0]):
            foreign.setdefault(_owner(found.st_uid), []).append(path)
    for owner, paths in foreign.items():
        said = f"{listed(paths)}: owned by {owner}, would get the owner {guest}, the system user of the FTPS users"
        remedy = f"set vsftpd_guest_username: {owner} or another vsftpd_local_root, or {_GO_ON}"
        yield Problem("vsftpd_local_root", found=visible(said), remedy=remedy)


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
