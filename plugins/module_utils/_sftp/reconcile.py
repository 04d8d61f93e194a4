# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Bring the SFTP accounts of a host to a list of people.

Every decision is taken from what is found on the host, and credentials come last, so a run that was killed between
two steps leaves nobody half-open and the next run finishes the work:

remove: password taken, keys taken, home closed, sessions ended, account deleted, home deleted where asked for.
add: account without credentials, jail asserted, home, keys, password.
lock: account expired, which shuts out passwords and keys alike, mark before the password, sessions ended.
password: stored, sessions ended; so they are when a key is taken away.
unlock: expiry as it was, mark taken off the password.
At the end all of it is flushed to disk.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import Callable, Collection, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    NotPermitted,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    LOCKED_SINCE,
    NO_HOME,
    NO_PASSWORD,
    PENDING,
    Account,
    Accounts,
    accounts_lock,
    choose_uids,
    create_accounts,
    delete_accounts,
    flush_accounts,
    known_elsewhere,
    login_names,
    read_accounts,
    set_expiry,
    set_no_home,
    set_passwords,
    set_shell,
    uid_range,
    unsuitable,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    close_homes,
    ensure_directory,
    ensure_homes,
    former_owner,
    hand_over,
    is_closed,
    remembered_owner,
    remove_home,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import flush, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import (
    LockState,
    locate,
    lock_state,
    read_keys,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_GROUP,
    DEFAULT_KEYS_DIRECTORY,
    Jail,
    Setting,
    discovered_keys_directory,
    effective,
    jail_problems,
    prepare_host,
    read_settings,
    where_set,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    DEFAULT_ROUNDS,
    hash_many,
    verify_many,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person, uses

HOME_MODE = 0o700
KEY_FILE_MODE = 0o644
KEY_FILE_HEADER = "# Managed by secure_ftp.server: the complete list of this user's keys.\n"
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")
JAIL_CHECKS = ("full", "chroot", "none")


@dataclass(frozen=True)
class Rules:
    """Options of the modules; ``directory`` and ``keys_directory`` None means: discover."""

    group: str = DEFAULT_GROUP
    directory: str | None = None
    keys_directory: str | None = None
    shell: str = NO_SHELLS[0]
    update_password: str = "always"
    rounds: int = DEFAULT_ROUNDS
    purge: bool = False
    remove_home: bool = False
    jail_check: str = "chroot"
    config: str = CONFIG
    check_mode: bool = False


@dataclass
class Outcome:
    """Who was, or in check mode would be, affected; never a password, a hash or a key."""

    directory: str = ""
    keys_directory: str = ""
    added: list[str] = field(default_factory=list)
    changed_users: dict[str, list[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    homes_removed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.added or self.changed_users or self.removed or self.homes_removed)

    @property
    def touched(self) -> set[str]:
        """Who was there before and is there still, and differs."""
        return set(self.changed_users)

    def report(self, report: Callable[[str, Sequence[str]], None]) -> None:
        """Hand what was done to whom to the log."""
        report("added", self.added)
        report("removed", self.removed)
        report("changed", list(self.changed_users))

    def diff(self) -> dict[str, str]:
        """One line per user; says that something changed, never what it is."""
        return {
            "before_header": "SFTP users",
            "after_header": "SFTP users",
            "before": "".join(f"{line}\n" for line in self.before),
            "after": "".join(f"{line}\n" for line in self.after),
        }


@dataclass
class _Plan:
    add: list[Person] = field(default_factory=list)
    keep: list[Person] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    key_files: dict[str, bytes | None] = field(default_factory=dict)
    keys_gone: list[str] = field(default_factory=list)
    """Who loses a key that may have opened a session."""
    ready_hashes: dict[str, str] = field(default_factory=dict, repr=False)
    to_hash: dict[str, str] = field(default_factory=dict, repr=False)
    shells: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    """Whose passwd home is to be taken away."""
    lock: list[str] = field(default_factory=list)
    unlock: list[str] = field(default_factory=list)
    marked: dict[str, str] = field(default_factory=dict)
    """The mark to put before the password, of everybody whose password is marked."""
    expiry: dict[str, str] = field(default_factory=dict)


def reconcile(people: Sequence[Person], rules: Rules, etc: str = "/etc") -> Outcome:
    """Make the members of ``rules.group`` those of ``people`` who use SFTP.

    Raises SecureFtpError before anything is changed when the input or the host does not allow it, and before any
    credential is stored when sshd would not jail the accounts. What goes wrong later says what was done.
    """
    # Nothing is written in check mode, so it needs no lock either.
    with contextlib.nullcontext() if rules.check_mode else accounts_lock():
        accounts = read_accounts(etc, passwords_of={person.name for person in people})
        settings = read_settings(rules.config)
        jail, found = locate(settings, rules.group, rules.directory, rules.keys_directory)
        members = accounts.members(rules.group)
        _refuse_strangers(people, rules, accounts, members, etc)
        plan = _plan(people, rules, accounts, members, jail)
        outcome = _outcome(people, plan, rules, accounts, jail)
        if rules.check_mode:
            return outcome
        _refuse_unready_host(rules, accounts, found, plan, jail)
        gone = sorted(person.name for person in people if not uses(person, "sftp"))
        left = [name for name in gone if is_left(jail.directory, name, accounts)]
        done: list[str] = []
        try:
            outcome.warnings += close_homes(jail.directory, left)
            for step in _steps(plan, rules, accounts, settings, jail, etc, outcome):
                done.append(step)
        except SecureFtpError as error:
            error.state = f"done already: {', '.join(done)}" if done else ""
            raise
        return outcome


def _steps(
    plan: _Plan,
    rules: Rules,
    accounts: Accounts,
    settings: Sequence[Setting],
    jail: Jail,
    etc: str,
    outcome: Outcome,
) -> Iterator[str]:
    """Carry out ``plan``; after each step say what was done. Warnings go to ``outcome``."""
    outcome.warnings += _remove(plan, accounts, jail)
    if plan.remove:
        yield f"removed {listed(plan.remove)}"
    _add(plan, rules, accounts, jail, etc)
    everybody, wanted = accounts, [*plan.add, *plan.keep]
    if plan.add:
        yield f"added {listed([person.name for person in plan.add])} without password and keys"
        accounts = read_accounts(etc, only={person.name for person in wanted})
    outcome.warnings += _assert_jail(wanted, rules, accounts, jail, settings)
    for name in plan.homes:
        set_no_home(accounts.users[name], {user.uid for user in everybody.users.values() if user.name != name})
        yield f"passwd home of {name}"
    yield from _provide(plan, rules, accounts, jail)
    shut_out = {
        *plan.lock,
        *plan.keys_gone,
        *(name for name, what in outcome.changed_users.items() if "password" in what),
    }
    outcome.warnings += end_sessions_of(shut_out, everybody)
    for home in outcome.homes_removed:
        remove_home(jail.directory, os.path.basename(home))
        yield f"deleted {home}"
    # Before anybody forgets what was to be done, and before FTPS follows: also where a killed run has done it all.
    flush_accounts(etc)
    flush([jail.directory, jail.keys_directory])


def _refuse_strangers(
    people: Sequence[Person], rules: Rules, accounts: Accounts, members: Sequence[str], etc: str
) -> None:
    group, inside, operator = rules.group, set(members), login_names()
    wanted = [person.name for person in people if uses(person, "sftp")]
    for name in wanted:
        if name == group:
            raise InvalidInput(f"user {name!r}: is the name of the SFTP group too; choose another name")
        if name in accounts.users and name not in inside:
            raise NotPermitted(f"user {name!r}: {stranger(name, group)}")
    roots = {user.name for user in accounts.users.values() if user.uid == 0}
    for name in sorted(inside & (operator | roots)):
        raise SecureFtpError(
            f"user {name!r}: expected only SFTP users in the group {group}, found"
            f" {'an account with user id 0' if name in roots else 'the account you log in with'};"
            f" take it out first: gpasswd -d {name} {group}"
        )
    touched = {person.name for person in people} & inside if not rules.purge else inside
    for name in sorted(touched):
        why = unsuitable(accounts.users[name], accounts.groups_of(name), accounts.groups[group], uid_range(etc)[0])
        if why:
            raise NotPermitted(f"user {name!r}: {why}; or take it out of the group {group}: gpasswd -d {name} {group}")
    for name in known_elsewhere((name for name in wanted if name not in accounts.users), etc):
        raise SecureFtpError(
            f"user {name!r}: expected a new name, found an account of this name in a directory service of"
            " /etc/nsswitch.conf; choose another name"
        )


def stranger(name: str, group: str) -> str:
    """Why ``name``, an account outside of ``group``, is not made an SFTP user."""
    return (
        f"expected a new name or a member of the group {group}, found another system account of this name; choose"
        f" another name, or, when it really is to become an SFTP-only user, run: usermod -g {group} {name}"
    )


def _plan(people: Sequence[Person], rules: Rules, accounts: Accounts, members: Sequence[str], jail: Jail) -> _Plan:
    plan, inside = _Plan(), set(members)
    to_verify: list[tuple[Person, str]] = []
    for person in people:
        if not uses(person, "sftp"):
            continue
        new = person.name not in inside
        (plan.add if new else plan.keep).append(person)
        state = lock_state(accounts, person.name)
        stored = state.stored
        if new or (stored in PENDING and not state.full):
            _first_password(plan, person)
        elif rules.update_password == "always":
            if person.password_hash is not None and person.password_hash != stored:
                plan.ready_hashes[person.name] = person.password_hash
            elif person.password is not None:
                to_verify.append((person, stored))
        if not new and not _is_no_shell(accounts.users[person.name].shell, rules.shell):
            plan.shells.append(person.name)
        if not new and obeys_its_user(accounts.users[person.name], jail.directory):
            plan.homes.append(person.name)
        _plan_keys(plan, person, new, jail)
        _plan_lock(plan, person, state)
    verified = verify_many([(person.password or "", stored) for person, stored in to_verify])
    for (person, _stored), right in zip(to_verify, verified):
        if not right:
            plan.to_hash[person.name] = person.password or ""
    wanted = {person.name for person in (*plan.add, *plan.keep)}
    unwanted = {person.name for person in people} - wanted
    plan.remove = sorted((inside - wanted) & unwanted if not rules.purge else inside - wanted)
    for name in sorted(unwanted | set(plan.remove)):
        # A key file without an account is what a killed removal leaves; another account's file is not ours.
        if (name in inside or name not in accounts.users) and os.path.lexists(_key_path(jail, name)):
            plan.key_files[name] = None
    return plan


def _first_password(plan: _Plan, person: Person) -> None:
    if person.password is not None:
        plan.to_hash[person.name] = person.password
    else:
        plan.ready_hashes[person.name] = NO_PASSWORD if person.password_hash is None else person.password_hash


def _plan_lock(plan: _Plan, person: Person, state: LockState) -> None:
    """Plan the lock; without ``person.locked`` it stays, even where the password changes."""
    name = person.name
    if person.locked is None:
        if state.mark:
            plan.marked[name] = state.mark
        return
    if person.locked:
        mark = plan.marked[name] = f"!expires={state.day}!" if state.day else state.mark or "!"
        changed = not state.full or mark != state.mark
        if not state.full:
            plan.expiry[name] = LOCKED_SINCE
    else:
        changed = state.full or bool(state.mark)
        if state.full:
            plan.expiry[name] = state.day
    if changed:
        (plan.lock if person.locked else plan.unlock).append(name)
        if name not in plan.ready_hashes and name not in plan.to_hash:
            plan.ready_hashes[name] = state.stored


def obeys_its_user(account: Account, directory: str) -> bool:
    """Whether ``account`` could write its own passwd home, or make it, so that programs outside the jail obey it.

    ``directory`` is the jail: what is below it may become the user's at any time.
    """
    if account.home == NO_HOME:
        return False
    home = os.path.realpath(account.home)
    if home == os.path.realpath(directory) or home.startswith(os.path.realpath(directory).rstrip("/") + "/"):
        return True
    path, below = home, None
    while True:
        with contextlib.suppress(OSError):
            found = os.stat(path)
            open_ = found.st_mode & 0o002 or (found.st_gid == account.gid and found.st_mode & 0o020)
            # In a sticky directory nobody can replace what belongs to somebody else.
            held = below is not None and found.st_mode & stat.S_ISVTX and below.st_uid != account.uid
            if found.st_uid == account.uid or (open_ and not held):
                return True
            below = found
        if path == "/":
            break
        path = os.path.dirname(path)
    return False


def _is_no_shell(found: str, wanted: str) -> bool:
    return found == wanted or (wanted in NO_SHELLS and found in NO_SHELLS)


def _key_path(jail: Jail, name: str) -> str:
    return os.path.join(jail.keys_directory, name)


def _plan_keys(plan: _Plan, person: Person, new: bool, jail: Jail) -> None:
    """Plan the key file; a new account never inherits the file of an earlier one of its name."""
    path = _key_path(jail, person.name)
    if person.authorized_keys:
        data = (KEY_FILE_HEADER + "".join(f"{key}\n" for key in person.authorized_keys)).encode()
        if not _is_key_file(path, data):
            plan.key_files[person.name] = data
    elif (new or person.authorized_keys is not None) and os.path.lexists(path):
        plan.key_files[person.name] = None
    if not new and person.name in plan.key_files and _loses_a_key(jail, person):
        plan.keys_gone.append(person.name)


def _loses_a_key(jail: Jail, person: Person) -> bool:
    try:
        return not set(read_keys(jail.keys_directory, person.name)).issubset(person.authorized_keys or ())
    except SecureFtpError:  # no file of ours, and nobody knows what is in it
        return True


def _is_key_file(path: str, data: bytes) -> bool:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or (found.st_uid, found.st_gid) != (0, 0):
            return False
        if stat.S_IMODE(found.st_mode) != KEY_FILE_MODE or found.st_size != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except FileNotFoundError:
        return False


def _outcome(people: Sequence[Person], plan: _Plan, rules: Rules, accounts: Accounts, jail: Jail) -> Outcome:
    outcome = Outcome(directory=jail.directory, keys_directory=jail.keys_directory)
    outcome.added = [person.name for person in plan.add]
    outcome.removed = list(plan.remove)
    kept = [person.name for person in plan.keep]
    homes = set(_homes(jail, kept, accounts, check_mode=True))
    for name in kept:
        parts = []
        stored = lock_state(accounts, name).stored
        if name in plan.to_hash or plan.ready_hashes.get(name, stored) != stored:
            parts.append("password")
        if name in plan.lock:
            parts.append("locked")
        if name in plan.unlock:
            parts.append("unlocked")
        if name in plan.key_files:
            parts.append("authorized_keys")
        if name in plan.shells:
            parts.append("shell")
        if name in plan.homes:
            parts.append("passwd home")
        if name in homes:
            parts.append("home")
        if parts:
            outcome.changed_users[name] = parts
        outcome.before.append(f"{name}: present")
        outcome.after.append(f"{name}: present" + (f", changed: {', '.join(parts)}" if parts else ""))
    made = [*outcome.added, *(name for name in kept if name in homes)]
    outcome.homes = [os.path.join(jail.directory, name) for name in made]
    for person in plan.add:
        credentials = "password" if person.password is not None or person.password_hash is not None else "no password"
        locked_too = ", locked" if person.locked else ""
        outcome.after.append(
            f"{person.name}: present, {credentials}, keys: {len(person.authorized_keys or ())}{locked_too}"
        )
        if credentials == "no password" and not person.authorized_keys:
            outcome.warnings.append(
                f"user {person.name!r}: has neither a password nor authorized_keys, so it cannot log in by SFTP"
            )
    gone = {person.name for person in people if not uses(person, "sftp")} | set(plan.remove)
    for name in plan.remove:
        outcome.before.append(f"{name}: present")
    for name, data in plan.key_files.items():
        # Left over from a removal that was cut short.
        if data is None and name in gone and name not in plan.remove:
            outcome.removed.append(name)
            outcome.before.append(f"{name}: key file without an account")
    if rules.remove_home:
        for name in sorted(gone):
            ours = name in plan.remove or is_left(jail.directory, name, accounts)
            if ours and remove_home(jail.directory, name, check_mode=True):
                outcome.homes_removed.append(os.path.join(jail.directory, name))
    affected = {*outcome.added, *outcome.changed_users, *outcome.removed}
    affected |= {os.path.basename(home) for home in outcome.homes_removed}
    outcome.unchanged = [person.name for person in people if person.name not in affected]
    outcome.before.sort()
    outcome.after.sort()
    return outcome


def _homes(jail: Jail, names: Sequence[str], accounts: Accounts, check_mode: bool) -> list[str]:
    def owner(name: str) -> tuple[int, int]:
        account = accounts.users[name]
        return account.uid, account.gid

    return ensure_homes(jail.directory, names, owner, HOME_MODE, check_mode) if names else []


def _refuse_unready_host(
    rules: Rules, accounts: Accounts, found: Mapping[str, Setting], plan: _Plan, jail: Jail
) -> None:
    if not plan.add and not plan.keep:
        return
    if not os.path.isdir(jail.directory):
        raise SecureFtpError(
            f"{jail.directory}: expected the directory of the jail, found none; apply the role sshd_chroot first"
        )
    if rules.group not in accounts.groups:
        raise SecureFtpError(
            f"group {rules.group!r}: expected it to exist, found none; apply the role sshd_chroot first"
        )
    if rules.jail_check != "none" and "chrootdirectory" not in found and plan.add:
        raise SecureFtpError(
            f"{rules.config}: expected a block 'Match Group {rules.group}' with ChrootDirectory, found none, so new"
            " accounts would not be jailed; apply the role sshd_chroot first"
        )
    if any(plan.key_files.values()) and not rules.keys_directory and discovered_keys_directory(found) is None:
        raise SecureFtpError(
            f"{rules.config}: group {rules.group!r}: expected AuthorizedKeysFile with one directory for all users and"
            f" %u, such as {DEFAULT_KEYS_DIRECTORY}/%u, found none, so sshd would not read the keys; apply the role"
            " sshd_chroot first"
        )


def _remove(plan: _Plan, accounts: Accounts, jail: Jail) -> list[str]:
    """Remove accounts; their homes are closed before the user ids are free. Return warnings about them."""
    set_passwords({name: "!*" for name in plan.remove})
    for name, data in plan.key_files.items():
        if data is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_key_path(jail, name))
    gone = set(plan.remove)
    leaving = [accounts.users[name] for name in plan.remove]
    staying = {user.uid for user in accounts.users.values() if user.name not in gone}
    warnings = close_homes(jail.directory, plan.remove)
    if leaving:
        warnings += delete_accounts(leaving, shared=staying)
    return warnings


def _add(plan: _Plan, rules: Rules, accounts: Accounts, jail: Jail, etc: str) -> None:
    if not plan.add:
        return
    names = [person.name for person in plan.add]
    used = {user.uid for user in accounts.users.values()}
    former = _former_owners(jail.directory, accounts.users)
    uids = choose_uids(names, used, former, uid_range(etc))
    taken = [name for name in names if name in accounts.passwords or name in accounts.groups]
    create_accounts(uids, accounts.groups[rules.group], rules.shell, taken)


def _former_owners(directory: str, users: Collection[str]) -> dict[str, int]:
    """Who owns the homes of nobody in ``users``: an account's id must not open the files of one that is gone."""
    try:
        strays = set(os.listdir(directory)).difference(users)
    except FileNotFoundError:
        return {}
    owners = {name: former_owner(directory, name) for name in strays}
    return {name: uid for name, uid in owners.items() if uid is not None}


def is_left(directory: str, name: str, accounts: Accounts) -> bool:
    """Whether ``directory``/``name`` is the home of a user who is gone, and no directory of somebody else's.

    It was closed, or belongs to the free user id of an account that other tools have removed.
    """
    if name in accounts.users:
        return False
    if is_closed(directory, name):
        return True
    owner = former_owner(directory, name)
    return bool(owner) and owner not in {account.uid for account in accounts.users.values()}


def _take_back(plan: _Plan, accounts: Accounts, jail: Jail) -> None:
    """Give users who come back everything in the homes they left, whatever their user id is now."""
    for person in plan.add:
        account = accounts.users[person.name]
        former = former_owner(jail.directory, person.name)
        if former is not None and former != account.uid:
            hand_over(jail.directory, person.name, former, account.uid, account.gid)
    for person in plan.keep:  # a run that was cut short has made the account, and not handed over everything
        account = accounts.users[person.name]
        former = remembered_owner(jail.directory, person.name)
        if former is not None and former != account.uid:
            hand_over(jail.directory, person.name, former, account.uid, account.gid)


def end_sessions_of(names: Collection[str], accounts: Accounts) -> list[str]:
    """End the sessions of those of ``names`` who have an account; return warnings about what is still there.

    ``accounts`` are all of the host: the user id of one may be that of another, too.
    """
    ending = {name: accounts.users[name].uid for name in names if name in accounts.users}
    return end_sessions(ending, {user.uid for user in accounts.users.values() if user.name not in ending})


def _provide(plan: _Plan, rules: Rules, accounts: Accounts, jail: Jail) -> Iterator[str]:
    """Give who is wanted what is wanted, credentials last; after each step say what was done."""
    for name in plan.shells:
        set_shell(name, rules.shell)
        yield f"shell of {name}"
    _take_back(plan, accounts, jail)
    made = _homes(jail, [person.name for person in (*plan.add, *plan.keep)], accounts, check_mode=False)
    if made:
        yield f"homes of {listed(made)}"
    if any(plan.key_files.values()):
        ensure_directory(jail.keys_directory, 0, 0, 0o755)
    for name, data in plan.key_files.items():
        if data is not None:
            replace_file(_key_path(jail, name), data, KEY_FILE_MODE, 0, 0)
            yield f"keys of {name}"
    for name, day in plan.expiry.items():
        set_expiry(name, day)
        yield f"{'locked' if name in plan.lock else 'unlocked'} {name}"
    hashed = hash_many(list(plan.to_hash.values()), rounds=rules.rounds)
    stored = {**plan.ready_hashes, **dict(zip(plan.to_hash, hashed))}
    set_passwords({name: plan.marked.get(name, "") + value for name, value in stored.items()})
    if stored:
        yield f"passwords of {listed(sorted(stored))}"


def _assert_jail(
    people: Sequence[Person], rules: Rules, accounts: Accounts, jail: Jail, settings: Sequence[Setting]
) -> list[str]:
    """Ask sshd what it would do with one user of each class; warnings for what ``chroot`` lets pass.

    A class is: logs in by password, by key, by both or by neither; and the set of its groups.
    """
    if rules.jail_check == "none":
        return []
    classes: dict[tuple[bool, bool, str | tuple[str, ...]], Person] = {}
    for person in people:
        stored = accounts.passwords.get(person.name, "!")
        by_password = (
            person.password is not None
            or person.password_hash is not None
            or not (stored in PENDING or stored == NO_PASSWORD)
        )
        by_key = bool(person.authorized_keys) or (
            person.authorized_keys is None and os.path.exists(_key_path(jail, person.name))
        )
        groups = tuple(accounts.groups_of(person.name))
        classes.setdefault((by_password, by_key, groups if len(groups) > 1 else rules.group), person)
    warnings = []
    if classes:
        prepare_host()
    for (by_password, by_key, _groups), person in classes.items():
        values = effective(person.name, rules.config)
        fatal, open_doors = jail_problems(
            person.name, accounts.groups_of(person.name), values, jail, by_password, by_key
        )
        if rules.jail_check == "full":
            fatal += open_doors
        if fatal:
            said = [problem + where_set(problem.split(":")[0], settings, rules.group) for problem in fatal]
            raise SecureFtpError(
                f"sshd, for user {person.name!r}: {'; '.join(said)}. Correct that line (an earlier Match block or a"
                " global line wins over the block of the role sshd_chroot). No password or key was stored"
            )
        warnings += [f"sshd, for user {person.name!r}: {problem}; apply the role sshd_chroot" for problem in open_doors]
    return warnings


def sftp_options() -> dict[str, dict[str, object]]:
    """Argument spec shared by sftp_user and sftp_users; its keys are fields of Rules."""
    return {
        "group": {"type": "str", "default": DEFAULT_GROUP},
        "directory": {"type": "path"},
        "keys_directory": {"type": "path", "no_log": False},
        "config": {"type": "path", "default": CONFIG},
        "shell": {"type": "path", "default": NO_SHELLS[0]},
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "remove_home": {"type": "bool", "default": False},
        "rounds": {"type": "int", "default": Rules.rounds},
        "jail_check": {"type": "str", "choices": list(JAIL_CHECKS), "default": "chroot"},
    }
