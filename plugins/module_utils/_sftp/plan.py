# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan the steps that give SFTP users the wanted state, from what is stored and what is wanted.

Touches nothing. Credentials come last: a run that is killed between two steps leaves no user with access that is only
half set up, and the next run finishes the work:

remove: password removed, keys removed, home closed, sessions ended, account deleted, home deleted if asked for.
add: account without credentials, jail checked, home, keys, password.
rights: sshd knows the class, user put into it, before the credentials; more rights than before come after them.
quota: set before the credentials, more than before after them; the limit of a removed account goes before the account.
lock: account expired, which denies passwords and keys alike, mark before the password, sessions ended.
password: stored, sessions ended; sessions are ended too when a key is removed.
other protocols only: password and keys removed, class that cannot log in, sessions ended; an account that gets a
log-in leaves that class last.
unlock: previous expiry restored, mark removed from the password.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    LOCKED_SINCE,
    NO_HOME,
    NO_PASSWORD,
    Account,
    Accounts,
    Group,
    choose_uids,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry, differs, is_to_be_deleted
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.account_changes import AccountChanges
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.class_changes import ClassChanges
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import LockState, lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import (
    HOME_MODE,
    KEY_FILE_HEADER,
    KEY_FILE_MODE,
    Rules,
    is_no_shell,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.quota_changes import taken_away
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.refusals import obstacle, refuse_strangers
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Home, KeyFile, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    CreateAccounts,
    DropKeys,
    EndSessions,
    HandOver,
    JailClass,
    MakeHomes,
    NoHome,
    ReadyClasses,
    RemoveAccounts,
    SetAccess,
    SetClasses,
    SetExpiry,
    SetGecos,
    SetHashes,
    SetQuotas,
    SetShells,
    TakePasswords,
    WriteKeys,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import (
    command_of,
    no_place,
    shut_class,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import day_of
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    HOME,
    LOCKED,
    PASSWORD,
    UNLOCKED,
    CloseHomes,
    Outcome,
    Plan,
    RemoveHome,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import STAND_IN, verify_many
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses


@dataclass
class _Changes:
    """The changes, by user name."""

    add: list[User] = field(default_factory=list)
    keep: list[User] = field(default_factory=list)
    shut: list[str] = field(default_factory=list)
    """Users of other protocols only, whose accounts cannot log in."""

    close: set[str] = field(default_factory=set)
    """Those of them whose accounts have, or had by SFTP, something to log in with."""

    remove: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Names that are not to be users, existing or not."""

    key_files: dict[str, bytes | None] = field(default_factory=dict)
    keys_gone: list[str] = field(default_factory=list)
    """Users who lose a key with which a session may have been opened."""

    hashes: dict[str, str] = field(default_factory=dict)
    to_hash: dict[str, str] = field(default_factory=dict)
    shells: set[str] = field(default_factory=set)
    passwd_homes: set[str] = field(default_factory=set)
    """Users whose passwd home is to be changed."""

    homes: set[str] = field(default_factory=set)
    """Existing users whose directory is to be created or corrected."""

    lock: set[str] = field(default_factory=set)
    unlock: set[str] = field(default_factory=set)
    marked: dict[str, str] = field(default_factory=dict)
    """The mark to put before the password, of all users who are to have one."""

    expiry: dict[str, str] = field(default_factory=dict)

    rights: ClassChanges = field(default_factory=ClassChanges)
    account: AccountChanges = field(default_factory=AccountChanges)


def settled(stored: Stored, users: Sequence[User], rules: Rules) -> set[str]:
    """Users whose given password is not to be stored: it is the stored one, or stored ones are to be kept."""
    there = [user for user in users if user.password is not None and uses(user, "sftp") and stored.has(user.name)]
    states = [lock_state(stored.accounts, user.name) for user in there]
    known = [(user, state.stored) for user, state in zip(there, states) if not state.is_pending]
    if rules.update_password == "on_create":
        return {user.name for user, _hash in known}
    fits = verify_many([(user.password or "", hash_) for user, hash_ in known])
    return {user.name for (user, _hash), right in zip(known, fits) if right}


def make_plan(stored: Stored, users: Sequence[User], rules: Rules, remove_home: bool = False) -> Plan:
    """Plan how the members of the group become those of ``users`` who use SFTP.

    Raises SecureFtpError for changes that cannot or must not be made.
    """
    refuse_strangers(stored, users, rules)
    changes = _changes(stored, users, rules)
    if stored.homes_problem and (changes.add or changes.keep or (remove_home and changes.gone)):
        raise SecureFtpError.of(stored.homes_problem)
    taken = {account.uid for account in stored.accounts.users.values()}
    left = [name for name in changes.gone if is_left(stored, name, taken)]
    deletions = _deletions(stored, changes, left) if remove_home else ()
    outcome = _outcome(stored, users, changes, deletions)
    new_names = _without_account(stored, changes)
    there = bool(changes.add or changes.keep or changes.shut)
    why = obstacle(stored, rules, bool(new_names), there, any(changes.key_files.values()))
    if why is None and not stored.takes_classes and changes.rights.unknown(stored):
        why = no_place(rules.config, stored.jail.group).problem
    why = why or changes.account.quotas.problem
    made = [*new_names, *sorted(changes.homes)]
    new = [name for name in made if name not in stored.homes or stored.homes[name].found is None]
    return Plan(
        users,
        stored,
        () if why else _steps(stored, changes, rules, left),
        deletions,
        outcome,
        tuple(os.path.join(stored.jail.directory, name) for name in new),
        why,
        remove_home,
        ending=tuple(sorted(changes.account.shut_out)),
    )


def is_left(stored: Stored, name: str, taken: Collection[int]) -> bool:
    """Whether the directory of ``name`` is the home of a removed user, and does not belong to another account.

    It was closed, or its owner is a free user id (not in ``taken``) of an account that another tool has removed.
    """
    home = stored.homes.get(name)
    if name in stored.accounts.users or home is None or home.found is None:
        return False
    return home.found.is_closed or (bool(home.former) and home.former not in taken)


def after(plan: Plan) -> Stored:
    """What is stored after ``plan`` is done; STAND_IN stands for a hash that is still to be made."""
    stored: Stored = plan.stored
    users, keys, homes = dict(stored.accounts.users), dict(stored.keys), dict(stored.homes)
    passwords, expires = dict(stored.accounts.passwords), dict(stored.accounts.expires)
    groups, classes = dict(stored.accounts.groups), dict(stored.classes)
    for step in plan.steps:
        if isinstance(step, RemoveAccounts):
            for account in step.accounts:
                users.pop(account.name, None)
                passwords.pop(account.name, None)
                expires.pop(account.name, None)
        elif isinstance(step, CreateAccounts):
            for name, uid in step.uids.items():
                gecos = step.gecos.get(name, "")
                users[name], passwords[name] = Account(name, uid, step.group.gid, step.home, step.shell, gecos), "!*"
                expires.pop(name, None)
        elif isinstance(step, TakePasswords):
            passwords.update(dict.fromkeys(set(step.names).intersection(users), "!*"))
        elif isinstance(step, NoHome):
            users.update((one.name, users[one.name]._replace(home=step.home)) for one in step.accounts)
        elif isinstance(step, SetShells):
            users.update((name, users[name]._replace(shell=shell)) for name, shell in step.shells.items())
        elif isinstance(step, SetAccess):
            stored = replace(stored, access=step.access, asks_access=step.group)
        elif isinstance(step, SetQuotas):
            stored = stored.with_limits(step.limits)
        elif isinstance(step, SetGecos):
            users.update((name, users[name]._replace(gecos=text)) for name, text in step.texts.items())
        elif isinstance(step, SetExpiry):
            expires.update(step.days)
        elif isinstance(step, SetHashes):
            passwords.update(step.hashes)
            passwords.update((name, step.hashes[name] + STAND_IN) for name in step.to_hash)
        elif isinstance(step, DropKeys):
            for name in step.names:
                keys.pop(name, None)
        elif isinstance(step, WriteKeys):
            keys[step.name] = KeyFile(step.data)
        elif isinstance(step, MakeHomes):
            for name, owner in step.owners.items():
                homes[name] = Home(Entry("a directory", *owner, HOME_MODE))
        elif isinstance(step, ReadyClasses):
            classes.update((name, command_of(step.group, name, stored.command)) for name in step.names)
        elif isinstance(step, SetClasses):
            for group, names in step.lists:
                groups[group] = Group(group, groups[group].gid if group in groups else -1, frozenset(names))
    accounts = replace(stored.accounts, users=users, groups=groups, passwords=passwords, expires=expires)
    stored = replace(stored, accounts=accounts, keys=keys, homes=homes, classes=classes)
    return replace(stored, obeying=frozenset(), versions={})


# --- what changes --------------------------------------------------------------------------------------------------


def _changes(stored: Stored, users: Sequence[User], rules: Rules) -> _Changes:
    changes, known = _Changes(), settled(stored, users, rules)
    for user in users:
        if not uses(user, "sftp"):
            if user.present and stored.gives_accounts:
                _shut(changes, stored, user, rules)
            continue
        new = not stored.has(user.name)
        (changes.add if new else changes.keep).append(user)
        state = lock_state(stored.accounts, user.name)
        _password(changes, user, state, new, user.name in known, rules)
        _account(changes, stored, user, rules)
        changes.rights.add(stored, user, new)
        _keys(changes, stored, user, new)
        _lock(changes, user, state)
    wanted = {*(user.name for user in (*changes.add, *changes.keep)), *changes.shut}
    unwanted = {user.name for user in users} - wanted
    inside = set(stored.members)
    changes.remove = sorted((inside - wanted) & unwanted if not rules.purge else inside - wanted)
    changes.gone = sorted(unwanted.union(changes.remove))
    for name in changes.gone:
        # A killed removal leaves a key file without an account; the file of an account outside the group is not ours.
        if (name in inside or name not in stored.accounts.users) and name in stored.keys:
            changes.key_files[name] = None
    return changes


def _account(changes: _Changes, stored: Stored, user: User, rules: Rules) -> None:
    """Plan the shell, the directories and what the account says; what is missing is made with the account."""
    name = user.name
    changes.account.add(stored, user)
    if not stored.has_account(name):
        _home_differs(stored, Account(name, -1, -1, NO_HOME, rules.shell))  # raises if it is not a directory
        return
    account = stored.accounts.users[name]
    if not is_no_shell(account.shell, rules.shell):
        changes.shells.add(name)
    by_others = any(protocol != "sftp" for protocol in user.protocols)
    if name in stored.obeying or (by_others and account.home == NO_HOME != stored.passwd_home):
        changes.passwd_homes.add(name)
    if _home_differs(stored, account):
        changes.homes.add(name)


def _shut(changes: _Changes, stored: Stored, user: User, rules: Rules) -> None:
    """Plan an account that cannot log in."""
    name = user.name
    changes.shut.append(name)
    _account(changes, stored, user, rules)
    changes.rights.shut(stored, name)
    state = lock_state(stored.accounts, name)
    day = state.day if user.expires is None else day_of(user.expires)
    if day != (LOCKED_SINCE if state.full else state.day):
        changes.expiry[name] = day
    if name in stored.keys:
        changes.key_files[name] = None
    if stored.has_account(name) and (stored.has(name) or lock_state(stored.accounts, name).has_password):
        changes.close.add(name)


def _password(changes: _Changes, user: User, state: LockState, new: bool, is_settled: bool, rules: Rules) -> None:
    if new or state.is_pending:
        if user.password is not None:
            changes.to_hash[user.name] = user.password
        else:
            changes.hashes[user.name] = NO_PASSWORD if user.password_hash is None else user.password_hash
    elif rules.update_password == "always":
        if user.password_hash is not None and user.password_hash != state.stored:
            changes.hashes[user.name] = user.password_hash
        elif user.password is not None and not is_settled:
            changes.to_hash[user.name] = user.password


def _lock(changes: _Changes, user: User, state: LockState) -> None:
    """Plan lock and expiry, which shadow(5) has one field for; what is not given stays, even if the password changes.

    While the account is locked, the mark before the password keeps the day.
    """
    name, day = user.name, state.day if user.expires is None else day_of(user.expires)
    full = state.full if user.locked is None else user.locked
    if user.locked is False:
        mark = ""
    elif full and (user.locked or day != state.day):
        mark = f"!expires={day}!" if day else ("!" if state.day else state.mark or "!")
    else:
        mark = state.mark
    if mark:
        changes.marked[name] = mark
    if full != state.full or (not full and day != state.day):
        changes.expiry[name] = LOCKED_SINCE if full else day
    if user.locked and (not state.full or (mark != state.mark and day == state.day)):
        changes.lock.add(name)
    elif user.locked is False and (state.full or state.mark):
        changes.unlock.add(name)
    if (mark != state.mark or full != state.full) and name not in changes.to_hash:
        changes.hashes.setdefault(name, state.stored if full else state.unlocked)


def _keys(changes: _Changes, stored: Stored, user: User, new: bool) -> None:
    """Plan the key file; a new account never keeps the file of an earlier account with its name."""
    found = stored.keys.get(user.name)
    if user.authorized_keys:
        data = (KEY_FILE_HEADER + "".join(f"{key}\n" for key in user.authorized_keys)).encode()
        if found is None or (found.data, found.uid, found.gid, found.mode) != (data, 0, 0, KEY_FILE_MODE):
            changes.key_files[user.name] = data
    elif (new or user.authorized_keys is not None) and found is not None:
        changes.key_files[user.name] = None
    if new or found is None or user.name not in changes.key_files:
        return
    # If the old file could not be read, it may have contained other keys.
    if found.keys is None or not set(found.keys).issubset(user.authorized_keys or ()):
        changes.keys_gone.append(user.name)


def _home_differs(stored: Stored, account: Account) -> bool:
    home = stored.homes.get(account.name)
    path = os.path.join(stored.jail.directory, account.name)
    return differs(path, home.found if home else None, account.uid, account.gid, HOME_MODE)


def _deletions(stored: Stored, changes: _Changes, left: Sequence[str]) -> tuple[RemoveHome, ...]:
    directory, going = stored.jail.directory, {*changes.remove, *left}
    return tuple(
        RemoveHome(directory, name)
        for name in changes.gone
        if name in going and name in stored.homes
        if is_to_be_deleted(os.path.join(directory, name), stored.homes[name].found, stored.mounts)
    )


# --- who is affected -----------------------------------------------------------------------------------------------


def _parts(changes: _Changes, stored: Stored, name: str) -> list[str]:
    """What changes for an existing user, in words."""
    known = lock_state(stored.accounts, name).stored
    return [
        what
        for what, changed in (
            (PASSWORD, name in changes.to_hash or changes.hashes.get(name, known) != known),
            (LOCKED, name in changes.lock),
            (UNLOCKED, name in changes.unlock),
            *((field, True) for field in changes.rights.parts.get(name, ())),
            *((field, True) for field in changes.account.parts.get(name, ())),
            ("authorized_keys", name in changes.key_files),
            ("shell", name in changes.shells),
            ("home in passwd", name in changes.passwd_homes),
            (HOME, name in changes.homes),
        )
        if changed
    ]


def _outcome(stored: Stored, users: Sequence[User], changes: _Changes, deletions: Sequence[RemoveHome]) -> Outcome:
    directory = stored.jail.directory
    closed = sorted(name for name in changes.close if stored.has(name))
    outcome = Outcome("SFTP users", [user.name for user in changes.add], removed=[*changes.remove, *closed])
    outcome.before += [f"{name}: present" for name in outcome.removed]
    for name in changes.shut:
        parts = ["password removed"] if name in changes.close else []
        parts += ["new account"] if not stored.has_account(name) else []
        parts += [what for what in _parts(changes, stored, name) if what != PASSWORD]
        if name in changes.rights.classes:
            parts.append("group without log-in")
        if parts and name not in closed:
            outcome.changed_users[name] = parts
            outcome.after.append(f"{name}: account without log-in by SFTP: {', '.join(parts)}")
    for user in changes.keep:
        parts = _parts(changes, stored, user.name)
        if parts:
            outcome.changed_users[user.name] = parts
        outcome.before.append(f"{user.name}: present")
        outcome.after.append(f"{user.name}: present" + (f", changed: {', '.join(parts)}" if parts else ""))
    outcome.homes = [
        os.path.join(directory, name) for name in (*_without_account(stored, changes), *sorted(changes.homes))
    ]
    for user in changes.add:
        credentials = "no password" if user.password is None and user.password_hash is None else "password"
        keys, locked = len(user.authorized_keys or ()), ", locked" if user.locked else ""
        outcome.after.append(f"{user.name}: present, {credentials}, keys: {keys}{locked}")
        if credentials == "no password" and not user.authorized_keys:
            outcome.warnings.append(
                f"user {user.name!r}: has neither a password nor authorized_keys, so it cannot log in by SFTP"
            )
    removed = set(changes.remove)
    for name in changes.gone:
        if name in changes.key_files and name not in removed:  # left from an interrupted removal
            outcome.removed.append(name)
            outcome.before.append(f"{name}: key file without an account")
    outcome.warnings += changes.account.quotas.warnings
    outcome.homes_removed = [step.path for step in deletions]
    affected = {*outcome.added, *outcome.changed_users, *outcome.removed, *(step.name for step in deletions)}
    outcome.unchanged = [user.name for user in users if user.name not in affected]
    return outcome


# --- the steps -----------------------------------------------------------------------------------------------------


def _steps(stored: Stored, changes: _Changes, rules: Rules, left: Sequence[str]) -> tuple[Any, ...]:
    accounts, directory = stored.accounts, stored.jail.directory
    steps: list[Any] = []
    if left:
        steps.append(CloseHomes(directory, tuple(left)))
    steps += _removal(stored, changes)
    made = _accounts_to_make(stored, changes, rules)
    steps += [made] if made else []
    at_first, at_last = changes.rights.steps(stored, _without_account(stored, changes), rules.config)
    sources_first, sources_last = changes.account.sources.steps(stored, changes.gone)
    quotas_first, quotas_last = changes.account.quotas.steps(stored, made.uids if made else {})
    steps += [*at_first, *sources_first, *quotas_first]
    classes = () if rules.jail_check == "none" else _jail_classes(stored, changes)
    if classes:
        steps.append(AssertJail(classes, stored.jail, tuple(stored.settings), rules.config, rules.jail_check == "full"))
    if changes.passwd_homes:
        moving = tuple(accounts.users[name] for name in sorted(changes.passwd_homes))
        steps.append(NoHome(moving, _shared_uids(accounts), stored.passwd_home))
    if changes.shells:
        steps.append(SetShells(dict.fromkeys(sorted(changes.shells), rules.shell)))
    steps += changes.account.steps(stored)
    steps += _homes(stored, changes, made.uids if made else {})
    written = [(name, data) for name, data in changes.key_files.items() if data is not None]
    steps += [WriteKeys(stored.jail.keys_directory, name, data) for name, data in written]
    later = changes.account.later
    steps += _expiry(changes, [name for name in changes.expiry if name not in later])
    hashes = {**changes.hashes, **dict.fromkeys(changes.to_hash, "")}
    if hashes:
        marked = {name: changes.marked.get(name, "") + value for name, value in hashes.items()}
        steps.append(SetHashes(marked, changes.to_hash, rules.rounds))
    steps += [*at_last, *sources_last, *quotas_last]
    steps += _expiry(changes, [name for name in changes.expiry if name in later])
    shut_out = {*changes.lock, *changes.account.shut_out, *changes.keys_gone, *changes.rights.classes, *changes.close}
    shut_out.update(user.name for user in changes.keep if PASSWORD in _parts(changes, stored, user.name))
    ending = {name: accounts.users[name].uid for name in sorted(shut_out) if name in accounts.users}
    if ending:
        # With accounts for other protocols, only the sessions of sshd are ended: the others may go on.
        staying = [user for user in accounts.users.values() if user.name not in ending or stored.gives_accounts]
        steps.append(EndSessions(ending, frozenset(user.uid for user in staying)))
    return tuple(steps)


def _expiry(changes: _Changes, names: Sequence[str]) -> list[SetExpiry]:
    days = {name: changes.expiry[name] for name in names}
    locked, unlocked = (tuple(name for name in names if name in which) for which in (changes.lock, changes.unlock))
    return [SetExpiry(days, locked, unlocked)] if days else []


def _shared_uids(accounts: Accounts) -> frozenset[int]:
    """The user ids that several accounts have."""
    counted = Counter(user.uid for user in accounts.users.values())
    return frozenset(uid for uid, accounts_of_it in counted.items() if accounts_of_it > 1)


def _removal(stored: Stored, changes: _Changes) -> list[Any]:
    steps: list[Any] = []
    if changes.remove or changes.close:
        steps.append(TakePasswords((*changes.remove, *sorted(changes.close))))
    dropped = tuple(name for name, data in changes.key_files.items() if data is None)
    if dropped:
        steps.append(DropKeys(stored.jail.keys_directory, dropped))
    if changes.remove:
        users, gone = stored.accounts.users, set(changes.remove)
        staying = frozenset(user.uid for user in users.values() if user.name not in gone)
        steps.append(CloseHomes(stored.jail.directory, tuple(changes.remove)))
        steps += taken_away(stored, changes.remove)
        steps.append(RemoveAccounts(tuple(users[name] for name in changes.remove), staying))
    return steps


def _without_account(stored: Stored, changes: _Changes) -> list[str]:
    """The users who get a new account."""
    names = (*(user.name for user in changes.add), *changes.shut)
    return [name for name in names if not stored.has_account(name)]


def _accounts_to_make(stored: Stored, changes: _Changes, rules: Rules) -> CreateAccounts | None:
    accounts = stored.accounts
    names = _without_account(stored, changes)
    if not names or stored.jail.group not in accounts.groups:
        return None
    used = {user.uid for user in accounts.users.values()}
    uids = choose_uids(names, used, stored.strays, stored.uids)
    taken = tuple(name for name in names if name in accounts.passwords or name in accounts.groups)
    gecos = {name: text for name, text in changes.account.gecos.items() if name in uids}
    return CreateAccounts(uids, accounts.groups[stored.jail.group], rules.shell, taken, stored.passwd_home, gecos)


def _homes(stored: Stored, changes: _Changes, uids: Mapping[str, int]) -> list[Any]:
    """Give users who are created again the files in their old homes, even with another id, and create other homes."""
    users = stored.accounts.users
    gid = stored.accounts.groups[stored.jail.group].gid if stored.jail.group in stored.accounts.groups else -1
    owners = {name: (uid, gid) for name, uid in uids.items()}
    names = [*(user.name for user in (*changes.keep, *changes.add)), *changes.shut]
    owners.update((name, (users[name].uid, users[name].gid)) for name in names if stored.has_account(name))
    steps: list[Any] = []
    for name, owner in owners.items():
        former = stored.homes[name].former if name in stored.homes else None
        if former is not None and former != owner[0]:
            steps.append(HandOver(stored.jail.directory, name, former, *owner))
    made = {name: owners[name] for name in (*uids, *sorted(changes.homes))}
    if made:
        steps.append(MakeHomes(stored.jail.directory, made))
    return steps


def _jail_classes(stored: Stored, changes: _Changes) -> tuple[JailClass, ...]:
    """One user of each class; a class is the ways to log in (password, key, both, neither) and the groups."""
    classes: dict[tuple[Any, ...], JailClass] = {}
    group = stored.jail.group
    for user in (*changes.add, *changes.keep):
        given = user.password is not None or user.password_hash is not None
        state, new = lock_state(stored.accounts, user.name), not stored.has(user.name)
        by_password = given or (not new and state.has_password)
        kept = user.authorized_keys is None and not new and user.name in stored.keys
        by_key = bool(user.authorized_keys) or kept
        if stored.is_shut(user.name):  # until the credentials are stored
            by_password = by_key = False
        its, others = changes.rights.when_asked(stored, user.name)
        mine = {*stored.accounts.groups_of(user.name), *((group,) if new else ()), *((its,) if its else ())}
        groups = tuple(sorted(mine.difference(others)))
        key = (by_password, by_key, groups if len(groups) > 1 else group)
        command = stored.classes.get(its or "", "")
        if its and user.name in changes.rights.classes:
            command = command_of(group, its, stored.command)
        classes.setdefault(key, JailClass(user.name, groups, by_password, by_key, command))
    shut = shut_class(group)
    command = command_of(group, shut, stored.command)
    for name in changes.shut:
        others = changes.rights.when_asked(stored, name)[1]
        groups = tuple(sorted({*stored.accounts.groups_of(name), group, shut}.difference(others)))
        classes.setdefault((shut, groups), JailClass(name, groups, False, False, command, shut=True))
    return tuple(classes.values())
