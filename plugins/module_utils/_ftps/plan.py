# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan the steps that give FTPS users the wanted state, from what is stored and what is wanted.

Touches nothing. A directory is created before its user and removed after its user.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    InvalidInput,
    Problem,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import (
    Account,
    Personal,
    account_in,
    file_of,
    rights_in,
    with_rights,
    without_rights,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import HOME_MODE, Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import Home, Stored, text, without_locks
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry, differs, is_to_be_deleted
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import limits
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    HASHED,
    HOME,
    LOCKED,
    PASSWORD,
    UNLOCKED,
    CloseHomes,
    Outcome,
    Plan,
    RemoveHome,
    Step,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import Rights
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, rights_of, uses


@dataclass(frozen=True)
class MakeHomes(Step):
    """Create or correct directories of the guest account."""

    paths: tuple[str, ...]
    uid: int
    gid: int

    @property
    def said(self) -> str:
        return "directories were created"


@dataclass(frozen=True)
class AllowBoth(Step):
    """Let PAM accept hashes besides plaintext; with ``settle`` wait for log-ins that have read the old PAM file."""

    settle: bool


@dataclass(frozen=True)
class ObeyAccounts(Step):
    """Let the PAM service in the file ``path`` obey the accounts of the jail of ``group``."""

    path: str
    group: str

    @property
    def said(self) -> str:
        return f"{self.path} obeys accounts"


@dataclass(frozen=True)
class WriteRecords(Step):
    """Replace the database as a whole: the new value of each key, None to remove it.

    A key of ``to_hash`` gets the value in ``changes`` (the mark of a lock, or nothing) and then the password's hash.
    """

    changes: Mapping[bytes, bytes | None]
    to_hash: Mapping[bytes, str]

    @property
    def said(self) -> str:
        gone = sorted(text(key) for key, value in self.changes.items() if value is None)
        put = sorted(text(key) for key, value in self.changes.items() if value is not None)
        return "; ".join(f"{what} {listed(names)}" for what, names in (("removed", gone), ("wrote", put)) if names)


@dataclass(frozen=True)
class WriteFiles(Step):
    """Replace files in ``directory`` (user_config_dir), by path; an empty text removes the file."""

    directory: str
    files: Mapping[str, str]

    @property
    def said(self) -> str:
        return f"files of {listed(sorted(map(os.path.basename, self.files)))} in {self.directory}"


@dataclass(frozen=True)
class DropFiles(WriteFiles):
    """The same for users who are gone."""


@dataclass(frozen=True)
class AllowHashesOnly(Step):
    """Let PAM accept hashes only."""

    @property
    def said(self) -> str:
        return "PAM accepts hashes only"


@dataclass(frozen=True)
class EndSessions(Step):
    """End the open sessions of these users."""

    names: tuple[str, ...]


@dataclass
class _Wishes:
    """The users, grouped once by their fields: lists are long, and each decision is about a part of them."""

    users: dict[bytes, User] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    hashes: dict[bytes, bytes] = field(default_factory=dict)
    passwords: dict[bytes, str] = field(default_factory=dict)
    without: list[bytes] = field(default_factory=list)
    locks: dict[bytes, bool] = field(default_factory=dict)


def _sorted(users: Sequence[User]) -> _Wishes:
    wishes = _Wishes()
    for user in users:
        key = user.name.encode("utf-8")
        wishes.users[key] = user
        if not uses(user, "ftps"):
            wishes.gone.add(key)
        elif user.password_hash is not None:
            wishes.hashes[key] = user.password_hash.encode("utf-8")
        elif user.password is not None:
            wishes.passwords[key] = user.password
        else:
            wishes.without.append(key)
        if user.locked is not None:
            wishes.locks[key] = user.locked
    return wishes


def settled(stored: Stored, users: Sequence[User], rules: Rules) -> set[str]:
    """Users whose given password is not to be stored: it is the stored one, or stored ones are to be kept."""
    return {text(key) for key in _settled(stored, _sorted(users).passwords, rules)}


def _settled(stored: Stored, given: Mapping[bytes, str], rules: Rules) -> set[bytes]:
    there = [key for key in given if key in stored.records]
    if rules.update_password == "on_create":
        return set(there)
    right = {key for key in there if key in stored.plaintext and stored.records[key] == given[key].encode("utf-8")}
    hashed = [key for key in there if key not in stored.plaintext]
    fits = passwords.verify_many([(given[key], text(stored.records[key])) for key in hashed])
    return right.union(key for key, verified in zip(hashed, fits) if verified)


def make_plan(stored: Stored, users: Sequence[User], rules: Rules, remove_home: bool = False) -> Plan:
    """Plan how FTPS users become as in ``users``; other users stay, unless ``rules.purge``.

    Raises SecureFtpError for changes that cannot or must not be made.
    """
    passwords.validate_rounds(rules.rounds)
    wishes = _sorted(users)
    write = _records(stored, wishes, rules)
    files, parts = _files(stored, wishes)
    service = stored.server.service
    outcome = _outcome(stored, wishes, write)
    _add_rights(outcome, parts)
    switch = rules.hash_plaintext and bool(service and service.plaintext)
    obey = _obey(stored, wishes)
    outcome.pam_changed = switch or obey is not None
    missing = _missing_homes(stored, wishes) if rules.create_home else []
    _add_homes(outcome, missing, stored)
    gone = sorted({*outcome.removed, *(text(key) for key in wishes.gone)})
    deletions = _deletions(stored, gone) if remove_home else ()
    outcome.homes_removed = sorted(step.path for step in deletions)
    outcome.before += [f"directory {path}" for path in outcome.homes_removed]
    outcome.warnings = _warnings(stored, wishes, write)
    obstacle = None
    if missing and stored.guest is None:
        obstacle = Problem(
            "guest_username",
            found=f"the system user {stored.server.guest!r}, the owner of the directories, does not exist",
            remedy="install vsftpd, name another user, or set create_home: false",
        )
    new = tuple(stored.homes[name].path for name in missing if stored.homes[name].found is None)
    steps = (*((obey,) if obey else ()), *_steps(stored, outcome, write, gone, files, switch))
    return Plan(users, stored, steps, deletions, outcome, new, obstacle, remove_home)


def after(plan: Plan) -> Stored:
    """What is stored after ``plan`` is done; STAND_IN stands for a hash that is still to be made."""
    stored: Stored = plan.stored
    records = {
        key: passwords.locked(text(value)).encode() for key, value in stored.records.items() if key in stored.locked
    }
    records = {**stored.records, **records}
    homes, files = dict(stored.homes), dict(stored.files)
    for step in plan.steps:
        if isinstance(step, MakeHomes):
            made = Entry("a directory", step.uid, step.gid, HOME_MODE)
            homes.update((name, Home(home.path, made)) for name, home in homes.items() if home.path in step.paths)
        elif isinstance(step, ObeyAccounts) and stored.server.service:
            service = replace(stored.server.service, accounts_of=step.group)
            stored = replace(stored, server=replace(stored.server, service=service))
        elif isinstance(step, WriteFiles):
            for path, content in step.files.items():
                files[os.path.basename(path)] = Personal(path, content)
        elif isinstance(step, WriteRecords):
            for key, value in step.changes.items():
                if value is None:
                    records.pop(key, None)
                else:
                    records[key] = value + (passwords.STAND_IN.encode() if key in step.to_hash else b"")
    unlocked, locked = without_locks(records)
    plaintext = {*stored.plaintext} - _changed(plan)
    files = {name: one for name, one in files.items() if one.text}
    stored = replace(stored, homes=homes, files=files, view=None, versions={})
    return replace(stored, records=unlocked, locked=locked, plaintext=plaintext)


def _changed(plan: Plan) -> set[bytes]:
    return {key for step in plan.steps if isinstance(step, WriteRecords) for key in step.changes}


def _records(stored: Stored, wishes: _Wishes, rules: Rules) -> WriteRecords:
    current = stored.records
    for key in wishes.without:
        if key not in current:
            raise InvalidInput(
                f"user {text(key)!r}",
                f"password or password_hash, as it is new to FTPS (not in {stored.server.database})",
                found="neither",
                remedy="give one (or protocols: [sftp] for a user of SFTP alone)",
            )
    changes: dict[bytes, bytes | None] = {key: None for key in wishes.gone if key in current}
    if rules.purge:
        changes.update((key, None) for key in current if key not in wishes.users)
    keep = current if rules.update_password == "on_create" else ()
    for key, value in wishes.hashes.items():
        if current.get(key) != value and key not in keep:
            changes[key] = value
    known = _settled(stored, wishes.passwords, rules)
    to_hash = {key: password for key, password in wishes.passwords.items() if key not in known}
    to_be_locked = {key for key, locked in wishes.locks.items() if locked}
    to_be_locked.update(key for key in stored.locked if wishes.locks.get(key, True))
    # A plaintext password cannot be locked: with the mark before it, it would be another plaintext password.
    for key in stored.plaintext if rules.hash_plaintext else stored.plaintext & to_be_locked:
        if key not in changes and key not in to_hash:
            to_hash[key] = text(current[key])
    _refuse_hashes_for_plaintext_service(stored, rules, changes, to_hash)
    changes.update((key, b"") for key in to_hash)
    for key, wanted in wishes.locks.items():
        if key not in wishes.gone and key not in changes and wanted != (key in stored.locked):
            changes[key] = current[key]
    for key in to_be_locked.intersection(changes):
        found = changes[key]
        if found is not None:
            changes[key] = passwords.locked(text(found)).encode("utf-8")
    return WriteRecords(changes, to_hash)


def _files(stored: Stored, wishes: _Wishes) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The new text of each file that changes, by path, and the fields that change for each existing user."""
    texts: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    usual = rights_in(stored.server.options, None)
    for key, user in wishes.users.items():
        if key in wishes.gone:
            continue
        is_new, file = key not in stored.records, stored.files.get(user.name)
        given = (user.access, user.umask, user.ftps_max_rate) != (None, None, None)
        account = _account(stored, user.name, file)
        if not given and account is None and (file is None or not is_new):
            continue
        if is_new and file is not None:
            file = Personal(file.path, without_rights(file))
        there = rights_in(stored.server.options, file)
        wanted = rights_of(user, there)
        if account or (given and (file is not None or wanted != usual)):
            file = _with_rights(stored, user.name, file, wanted, account)
        known = stored.files.get(user.name)
        if file is not None and file.text != (known.text if known else ""):
            texts[file.path] = file.text
            if not is_new:
                fields = [name for name in Rights._fields if getattr(there, name) != getattr(wanted, name)]
                parts[user.name] = fields or ["access" if account is None else HOME]
    return texts, parts


def _obey(stored: Stored, wishes: _Wishes) -> ObeyAccounts | None:
    """The step that lets vsftpd's PAM service obey accounts, if one of the users has an account that says something.

    Without a service that reads this database, nobody logs in by it.
    """
    server = stored.server
    needed = any(limits(user) for key, user in wishes.users.items() if key not in wishes.gone)
    if not needed or server.service is None or server.obeys_accounts or not server.jail_group:
        return None
    return ObeyAccounts(server.service.top, server.jail_group)


def _account(stored: Stored, name: str, file: Personal | None) -> Account | None:
    """The account as which the sessions of ``name`` run, if that is an own one.

    While a host changes over, it may be so for this user only.
    """
    server = stored.server
    if server.has_accounts and server.homes:
        return Account(name, server.homes.by_pattern(name))
    return account_in(file, name)


def _with_rights(stored: Stored, name: str, file: Personal | None, wanted: Rights, account: Account | None) -> Personal:
    server = stored.server
    path = file_of(server.user_files, name)
    if server.options is None or not path:
        raise SecureFtpError(
            f"user {name!r}",
            "user_config_dir in vsftpd.conf, the directory for the rights and accounts of single FTPS users",
            found="none",
            remedy="apply the role vsftpd" + ("" if account else ", or leave access, umask and ftps_max_rate out"),
            state=NOTHING,
        )
    return Personal(path, with_rights(file or Personal(path, ""), server.options, wanted, account))


def _add_rights(outcome: Outcome, parts: Mapping[str, Sequence[str]]) -> None:
    for name, fields in parts.items():
        outcome.changed_users.setdefault(name, []).extend(fields)
        outcome.before.append(f"{visible(name)}: rights")
        outcome.after.append(f"{visible(name)}: rights (changed: {', '.join(fields)})")
    outcome.unchanged = [name for name in outcome.unchanged if name not in parts]


def _refuse_hashes_for_plaintext_service(
    stored: Stored, rules: Rules, changes: Mapping[bytes, bytes | None], to_hash: Mapping[bytes, str]
) -> None:
    service = stored.server.service
    if service is None or service.hashed or rules.hash_plaintext:
        return
    if to_hash or any(value is not None for value in changes.values()):
        raise SecureFtpError(
            service.path,
            found="pam_userdb compares plaintext passwords (no crypt=crypt on its auth line), so a user with a stored"
            " hash could not log in",
            remedy="run ftp_users with hash_plaintext: true to hash the database and switch the service over",
        )


def _outcome(stored: Stored, wishes: _Wishes, write: WriteRecords) -> Outcome:
    outcome = Outcome(stored.server.database)
    for key, value in write.changes.items():
        name = text(key)
        if value is None:
            outcome.removed.append(name)
        elif key not in stored.records:
            outcome.added.append(name)
        else:
            outcome.changed_users[name] = [_what(stored, write, key)]
    outcome.unchanged = sorted(
        user.name for key, user in wishes.users.items() if key not in write.changes and key not in wishes.gone
    )
    outcome.added.sort()
    outcome.removed.sort()
    was, is_ = {HASHED: " (plaintext)", UNLOCKED: " (locked)"}, {LOCKED: " (locked)", HASHED: " (hashed)"}
    is_[PASSWORD] = " (password changed)"
    for name, (what,) in outcome.changed_users.items():
        outcome.before.append(visible(name) + was.get(what, ""))
        outcome.after.append(visible(name) + is_.get(what, ""))
    outcome.after += map(visible, outcome.added)
    outcome.before += map(visible, outcome.removed)
    return outcome


def _what(stored: Stored, write: WriteRecords, key: bytes) -> str:
    """What changes for an existing user: one word."""
    value, known = write.changes[key] or b"", stored.records[key]
    if key in stored.plaintext and write.to_hash.get(key) == text(known):
        return HASHED
    if key in stored.plaintext or key in write.to_hash:
        return PASSWORD
    if passwords.unlocked(text(value)) == text(known):
        return LOCKED
    return UNLOCKED if value == known else PASSWORD


def _missing_homes(stored: Stored, wishes: _Wishes) -> list[str]:
    """Names of users whose directory is to be created or corrected."""
    present = (user.name for key, user in wishes.users.items() if key not in wishes.gone)
    known = ((name, stored.homes[name]) for name in present if name in stored.homes)
    ids = stored.guest or (-1, -1)
    return [
        name
        for name, home in known
        if not home.is_kept(stored.guest) and differs(home.path, home.found, *ids, HOME_MODE)
    ]


def _add_homes(outcome: Outcome, names: Sequence[str], stored: Stored) -> None:
    outcome.homes = sorted(stored.homes[name].path for name in names)
    outcome.after += [f"directory {path}" for path in outcome.homes]
    added = set(outcome.added)
    for name in names:
        if name not in added:
            outcome.changed_users.setdefault(name, []).append(HOME)


def _deletions(stored: Stored, gone: Sequence[str]) -> tuple[RemoveHome, ...]:
    homes = stored.server.homes
    if homes is None or homes.shared or not gone or stored.server.has_accounts:
        return ()
    if homes.root is None:
        raise SecureFtpError(
            "remove_home",
            found=f"{homes.pattern!r} does not end in {homes.token!r}, so a directory may contain other files too",
            remedy="remove the directories by hand",
        )
    known = ((name, stored.homes[name]) for name in gone if name in stored.homes)
    return tuple(
        RemoveHome(homes.root, name)
        for name, home in known
        if not home.own and is_to_be_deleted(home.path, home.found, stored.mounts)
    )


def _warnings(stored: Stored, wishes: _Wishes, write: WriteRecords) -> list[str]:
    warnings = []
    unsafe = [text(key) for key, value in wishes.hashes.items() if passwords.has_unsafe_length(text(value))]
    if unsafe and stored.misreads_hashes:
        warnings.append(passwords.unsafe_length_warning(unsafe))
    left = sorted(text(key) for key in stored.plaintext if key not in write.changes)
    if left:
        warnings.append(
            f"{stored.server.database}: plaintext password stored for {listed(left)}; set hash_plaintext: true on"
            " ftp_users"
        )
    return warnings


def _steps(
    stored: Stored,
    outcome: Outcome,
    write: WriteRecords,
    gone: Sequence[str],
    files: Mapping[str, str],
    switch: bool,
) -> tuple[Any, ...]:
    steps: list[Any] = []
    directory = stored.server.user_files
    if outcome.homes and stored.guest is not None:
        steps.append(MakeHomes(tuple(outcome.homes), *stored.guest))
    if files:
        steps.append(WriteFiles(directory, files))
    if switch:
        steps.append(AllowBoth(bool(write.changes)))
    if write.changes:
        steps.append(write)
    if switch:
        steps.append(AllowHashesOnly())
    going = set(gone)
    left = {one.path: without_rights(one) for name, one in stored.files.items() if name in going}
    left = {path: content for path, content in left.items() if content != stored.files[os.path.basename(path)].text}
    if left:
        steps.append(DropFiles(directory, left))
    shut_out = {*outcome.removed, *outcome.whose(PASSWORD), *outcome.whose(LOCKED)}
    rights = (*Rights._fields, *((HOME,) if stored.server.has_accounts else ()))
    shut_out.update(name for field_ in rights for name in outcome.whose(field_))
    if shut_out:
        steps.append(EndSessions(tuple(sorted(shut_out))))
    homes = stored.server.homes
    closing = tuple(sorted(filter(is_component, gone)))
    if closing and homes and homes.root and not stored.server.has_accounts:
        steps.append(CloseHomes(homes.root, closing))
    return tuple(steps)
