# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of FTPS users: the PAM service, the database, and the directories."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import stat
from dataclasses import replace
from typing import Any, Collection, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
    chained,
    first,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.leftbehind import plaintext_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.personal import personal_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Served, Users
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import writable_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import name_of
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import PAM_DIRECTORY, find_userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal, account_in
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import ROOT_MODE
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import (
    DEFAULT_SERVICE,
    Homes,
    Server,
    discover,
    guest_ids,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import plaintext_keys, without_locks
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import is_shut, lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import unsafe_components
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import leads_out

PAM_MODULES = ("/lib/*/security/pam_userdb.so", "/lib/security/pam_userdb.so", "/usr/lib/*/security/pam_userdb.so")
DATABASE = "/etc/vsftpd/users"
"""The database for a PAM service that does not name one any more."""

KINDS: dict[str, Kind] = {
    "pam-missing": Kind(
        ERROR,
        "the PAM service of vsftpd does not exist",
        "PAM uses its service 'other' instead: FTPS users cannot log in, but system users may try their passwords.",
        "printf '%s\\n' {lines} >{path} && chmod 0644 {path}",
    ),
    "pam-no-database": Kind(
        ERROR,
        "the PAM service of vsftpd does not read a database of users",
        "FTPS users cannot log in; if the service uses other modules, other users may be able to.",
        "cp -p {path} {path}.$(date -u +%Y%m%dT%H%M%SZ)~ && printf '%s\\n' {lines} >{path} && chmod 0644 {path}",
    ),
    "pam-module-missing": Kind(
        ERROR,
        "the PAM module pam_userdb is missing",
        "Every FTPS log-in fails.",
        "apt-get install --reinstall libpam-modules",
    ),
    "pam-plaintext": Kind(
        ERROR,
        "PAM compares passwords as plaintext, although hashes are stored",
        "No FTPS user can log in with the password, but anybody who has seen a hash can log in with that.",
        "ftp-users hash-plaintext",
    ),
    "database-missing": Kind(
        ERROR,
        "the database of FTPS users is missing, although users have directories",
        "No FTPS user can log in.",
        "install -m 0600 BACKUP.db {path}",
    ),
    "database-damaged": Kind(
        ERROR,
        "the database of FTPS users cannot be read",
        "FTPS users cannot log in, and users cannot be added or changed.",
        "ftp-users repair",
    ),
    "database-link": Kind(
        WARNING,
        "the database of FTPS users is a symbolic link",
        "Log-ins work, but users cannot be added or changed: a change replaces the file and needs its real path.",
        "ls -l {path}",
    ),
    "database-exposed": Kind(
        ERROR,
        "users other than root can read or change the database of FTPS users",
        "A user who can read it can try passwords against its hashes; a user who can write it can add log-ins.",
        "chown root:root {path} && chmod 0600 {path}",
    ),
    "plaintext-records": Kind(
        ERROR,
        "passwords are stored as plaintext",
        "Anybody who gets the database or a backup has them, and PAM with crypt=crypt denies these users the log-in.",
        "ftp-users hash-plaintext",
    ),
    "user-name": Kind(
        ERROR,
        "a user name in the database points to a path outside the directory of the users",
        "That user starts in a directory of another user or of the system.",
        "ftp-users repair",
    ),
    "ftps-root-unsafe": Kind(
        WARNING,
        "users other than root can change a directory above those of the FTPS users",
        "A user who can write to it can replace the users' directories with links or other directories.",
        "chown root:root {path} && chmod go-w {path}",
    ),
    "ftps-directory-owner": Kind(
        ERROR,
        "directories of FTPS users have another owner",
        "These users cannot enter them or cannot upload, and the owner can read their files.",
        "chown {guest}:{group} {paths}",
    ),
    "ftps-directory-open": Kind(
        WARNING,
        "directories of FTPS users are open to other users of this host",
        "Local users may read or change the files in them.",
        "chmod 0700 {paths}",
    ),
    "half-locked": Kind(
        ERROR,
        "users are locked on one protocol but not on the other",
        "A user who should be locked can still log in: a lock or unlock was interrupted, or made by other means.",
        "ftp-users lock {user}",
    ),
}
found = Reporter(KINDS)


def user_findings(
    instances: Sequence[Instance], served: Sequence[Served] = (), pam_directory: str = PAM_DIRECTORY
) -> Iterator[Finding]:
    """Examine PAM, the database and the directories of every instance with virtual users, each only once.

    What is ``served`` was read before.
    """
    known = {one.users.database: one.users for one in served}
    virtual = [instance for instance in instances if instance.options is not None and instance.is_yes("guest_enable")]
    if virtual and not any(glob.glob(pattern) for pattern in PAM_MODULES):
        yield found("pam-module-missing", f"no pam_userdb.so in {PAM_MODULES[0]}", PAM_MODULES[0])
    services: dict[str, Instance] = {}
    for instance in virtual:
        services.setdefault(instance.get("pam_service_name", DEFAULT_SERVICE), instance)
    done: set[tuple[str, Homes | None, str]] = set()
    for service, instance in services.items():
        wrong = list(_pam_findings(service, pam_directory))
        yield from wrong
        if any(finding.subject in ("pam-missing", "pam-no-database") for finding in wrong):
            continue
        server = discover(config=instance.path, pam_directory=pam_directory)
        if (server.database, server.homes, server.guest) not in done:
            done.add((server.database, server.homes, server.guest))
            yield from server_findings(server, known.get(server.database) or Users(server.database))


def server_findings(server: Server, users: Users) -> Iterator[Finding]:
    """Examine a database and the directories of its users."""
    path = os.path.realpath(server.database)
    yield from link_findings(server)
    yield from writable_findings(os.path.dirname(path))
    try:
        view, records = users.view, users.records
    except SecureFtpError as error:
        remedy = "the fix keeps the readable records; if you have a backup, restore that instead"
        yield found("database-damaged", str(replace(error.problem, remedy=remedy)), path, path=path)
        return
    if view.file is None:
        if server.homes and server.homes.root and _names_in(server.homes.root):
            what = f"{path}: missing, and {server.homes.root} holds directories of users"
            yield found("database-missing", what, path, path=path)
        return
    if view.file.uid != 0 or view.file.mode & 0o077:
        what = f"{path}: owner {view.file.uid}, mode {view.file.mode:04o}; expected root and 0600"
        yield found("database-exposed", what, path, path=path)
    yield from _record_findings(records, server)
    for directory in dict.fromkeys((os.path.dirname(server.database), os.path.dirname(path))):
        yield from plaintext_findings(directory, records)
    names = sorted(name for name in users.names if not leads_out(name))
    if server.homes is None:
        return
    files = users.files(server.homes.config_directory)
    if server.has_accounts:  # the homes are those of SFTP
        yield from personal_findings(server.homes, names, files)
    else:
        # If sshd has lost the class of such accounts, which another check finds, homes are still not of the guest.
        others = [name for name in names if account_in(files.get(name), name) is None]
        yield from directory_findings(server.homes, server.guest, others, files)


def _pam_findings(service: str, directory: str) -> Iterator[Finding]:
    path = os.path.join(directory, service)
    lines = [f"auth required pam_userdb.so db={DATABASE} crypt=crypt", f"account required pam_userdb.so db={DATABASE}"]
    if not os.path.exists(path):
        yield found("pam-missing", f"{path}: missing", path, lines=lines, path=path)
        return
    yield from writable_findings(path)
    if find_userdb(service, directory) is None:
        what = f"{path}: expected an auth line of pam_userdb with db=, found none"
        yield found("pam-no-database", what, path, lines=lines, path=path)


def _record_findings(records: Mapping[bytes, bytes], server: Server) -> Iterator[Finding]:
    lost = sorted(name_of(key) for key in records if leads_out(name_of(key)))
    if lost:
        what = f"{server.database}: user {listed([repr(name) for name in lost])}; the fix removes them"
        yield found("user-name", what, server.database)
    plain = sorted(map(name_of, plaintext_keys(without_locks(records)[0], server)))
    service = server.service
    if plain:
        what = (
            f"{server.database}: plaintext password of {listed(plain)}; the fix hashes it, users keep their passwords"
        )
        yield found("plaintext-records", what, server.database)
    elif service is not None and service.plaintext and records:
        what = f"{service.path}: expected crypt=crypt on every auth line of pam_userdb"
        yield found("pam-plaintext", what, service.path)


def link_findings(server: Server) -> Iterator[Finding]:
    """Examine whether the database is a symbolic link. PAM follows it; a change that replaces the file must not."""
    path = server.database
    if not os.path.islink(path):
        return
    real = os.path.realpath(path)
    what = f"{path}: a symbolic link to {real}"
    if not real.endswith(".db"):
        yield found(
            "database-link", f"{what}, whose name must end in .db for PAM", path, f"ls -l {quoted([path, real])}"
        )
        return
    pam = server.service.path if server.service else os.path.join(PAM_DIRECTORY, "SERVICE")
    old, new = path[: -len(".db")], real[: -len(".db")]
    edit = quoted(f"s|db={re.escape(old)}\\(\\.db\\)\\?\\b|db={new}|")
    yield found("database-link", f"{what}; set pam_userdb_db: {real} too", path, f"sed -i {edit} {quoted(pam)}")


def lock_findings(served: Sequence[Served], sftp: Sftp) -> Iterator[Finding]:
    """Examine whether users who are locked on one protocol are locked on the other."""
    half: dict[str, str] = {}
    members = {name for group in sftp.groups for name in sftp.accounts.members(group)} - sftp.shut
    with_keys = {name for directory in sftp.keys_directories() for name in _names_in(directory)}
    databases = {one.users.database: one.users for one in served}
    for _database, users in sorted(databases.items()):
        with contextlib.suppress(SecureFtpError):  # other checks report this
            for name in sorted(users.names & members):
                by_ftps = name in users.locked
                by_sftp = is_shut(lock_state(sftp.accounts, name), name in with_keys)
                if by_ftps != by_sftp:
                    half[name] = "locked over FTPS only" if by_ftps else "locked over SFTP only"
    if half:
        what = listed([f"{name}: {how}" for name, how in half.items()])
        fix = chained(f"ftp-users lock {quoted(name)}" for name in half)
        yield found("half-locked", f"{what}; ftp-users unlock allows the user to log in again", min(half), fix)


def directory_findings(
    homes: Homes, guest: str, names: Sequence[str], files: Mapping[str, Personal]
) -> Iterator[Finding]:
    """Examine the directories of users ``names``, who act as the system user ``guest``, with their ``files``."""
    for path, status in unsafe_components(homes.above):
        what = f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}; expected root and 0755 or less"
        yield _kept(found("ftps-root-unsafe", what, path, path=path), [path], _is_meant(status))
    yield from personal_findings(homes, names, files)
    names = [name for name in names if homes.own(name, files) is None]
    ids = guest_ids(guest)
    if ids is None:
        return  # the check of the configuration reports this
    home = os.path.realpath(pwd.getpwnam(guest).pw_dir)
    of = {name: homes.of(name, files) for name in names}
    holders = [path for path in of.values() if home == path or home.startswith(path.rstrip("/") + "/")]
    if holders:
        what = f"{guest} ({home}): its home is in the directory of an FTPS user, {listed(holders)}"
        yield found("account-home", what, guest, user=guest)
    missing, foreign, open_ = [], [], []
    for path in dict.fromkeys(of.values()):
        try:
            status = os.lstat(path)
        except OSError:
            missing.append(path)
            continue
        if not stat.S_ISDIR(status.st_mode):
            missing.append(path)
        elif status.st_uid != ids[0]:
            foreign.append(path)
        elif status.st_mode & 0o077:
            open_.append(path)
    owner: dict[str, Any] = {"guest": guest, "group": ids[1]}
    for subject, paths, what in (
        ("ftps-directory-missing", missing, "missing, or not a directory"),
        ("ftps-directory-owner", foreign, f"expected owner {guest}"),
        ("ftps-directory-open", open_, "expected mode 0700"),
    ):
        if paths:
            finding = found(subject, f"{listed(paths)}: {what}", paths[0], paths=paths, **owner)
            yield _kept(finding, paths, subject == "ftps-directory-open" and not _is_our_root(homes.root))


def _is_meant(found: os.stat_result) -> bool:
    """Whether an unsafe directory may be meant so: its owner or the group that can write to it is not root's."""
    return found.st_uid != 0 or (found.st_gid != 0 and bool(found.st_mode & 0o020))


def _is_our_root(root: str | None) -> bool:
    """Whether ``root`` is as this library makes it; then only its users need their directories."""
    try:
        found = os.stat(root or "")
    except OSError:
        return False
    return found.st_uid == 0 and stat.S_IMODE(found.st_mode) == ROOT_MODE


def _kept(finding: Finding, paths: Sequence[str], somebodys: bool) -> Finding:
    """``finding``; if the directories are ``somebodys``, who may need their modes, with a fix that only lists them.

    A run does not change such directories either (is_kept).
    """
    if not somebodys:
        return finding
    named, comment = first(paths)
    what = f"{finding.what}; a run does not change this, since others may need it: you have to decide"
    return finding._replace(what=what, fix=f"ls -ld {quoted(named)}{comment}")


def _names_in(directory: str) -> Collection[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return ()
