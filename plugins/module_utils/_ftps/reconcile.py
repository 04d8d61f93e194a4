# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""FTPS users as they should be: one transaction on the database, and the directories to go with it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    NotDurable,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import (
    LOCK_TIMEOUT,
    Changes,
    View,
    read,
    update,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import allow_both, allow_hashes_only, restore
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server, guest_ids, is_kept
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.sessions import end_ftps_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    close_homes,
    ensure_directory,
    ensure_homes,
    remove_home,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person, uses

ROOT_MODE = 0o555
HOME_MODE = 0o700
SETTLE = 1.0
"""Seconds a log-in has to get from reading the PAM file to reading the database."""


@dataclass(frozen=True)
class Rules:
    """How to treat people and what belongs to them."""

    purge: bool = False
    update_password: str = "always"
    hash_plaintext: bool = False
    create_home: bool = True
    remove_home: bool = False
    rounds: int = passwords.DEFAULT_ROUNDS
    lock_timeout: float = LOCK_TIMEOUT
    check_mode: bool = False


@dataclass
class Outcome:
    """What was (or in check mode would be) done; names only, each list sorted."""

    added: list[str] = field(default_factory=list)
    changed_users: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    hashed: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    unlocked: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    homes_removed: list[str] = field(default_factory=list)
    pam_changed: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        users = (self.added, self.changed_users, self.removed, self.hashed, self.locked, self.unlocked)
        return self.pam_changed or any(users) or bool(self.homes or self.homes_removed)

    @property
    def touched(self) -> set[str]:
        """Who was there before and is there still, and differs."""
        homes = map(os.path.basename, self.homes)
        return {*self.changed_users, *self.hashed, *self.locked, *self.unlocked, *homes}

    def done(self) -> str:
        """What was done to whom, in words, for an error about what was not."""
        lists = {what: getattr(self, what) for what in ("added", "removed", "hashed", "locked", "unlocked")}
        lists = {**lists, "changed": self.changed_users, "deleted": self.homes_removed}
        return "; ".join(f"{what} {listed(names)}" for what, names in lists.items() if names) or "directories were made"

    def report(self, report: Callable[[str, Sequence[str]], None]) -> None:
        """Hand what was done to whom to the log."""
        for what in ("added", "removed", "hashed", "locked", "unlocked"):
            report(what, getattr(self, what))
        report("changed", self.changed_users)

    def diff(self, database: str) -> dict[str, str]:
        """Describe the change for Ansible's --diff: who, and that a password changed, never what it is."""
        before, after = [], []
        for names, old, new in (
            (self.added, None, ""),
            (self.changed_users, "", " (password changed)"),
            (self.hashed, " (plaintext)", " (hashed)"),
            (self.locked, "", " (locked)"),
            (self.unlocked, " (locked)", ""),
            (self.removed, "", None),
        ):
            before += [visible(name) + old + "\n" for name in names if old is not None]
            after += [visible(name) + new + "\n" for name in names if new is not None]
        after += [f"directory {path}\n" for path in self.homes]
        before += [f"directory {path}\n" for path in self.homes_removed]
        return {
            "before_header": database,
            "after_header": database,
            "before": "".join(sorted(before)),
            "after": "".join(sorted(after)),
        }


def reconcile(people: Sequence[Person], server: Server, rules: Rules) -> Outcome:
    """Make FTPS users what ``people`` says; who is not in it stays, unless ``rules.purge``.

    Directories are there before their users and go after them. Raises SecureFtpError, with the
    database untouched, for whatever keeps it from being written; what goes wrong after that says what was done.
    """
    passwords.validate_rounds(rules.rounds)
    plaintext_service = bool(server.service and server.service.plaintext)
    decision = _Decision(people, server, rules)
    planned = update(server.database, decision, check_mode=True)
    outcome = Outcome(pam_changed=rules.hash_plaintext and plaintext_service)
    undurable: NotDurable | None = None
    present = [person.name for person in people if uses(person, "ftps")]
    gone = [person.name for person in people if not uses(person, "ftps")]
    if rules.remove_home:
        # Refuses what must not be deleted, such as mounts, before anybody is removed.
        _remove_homes(sorted({*gone, *_removed(planned)}), server, check_mode=True)
    if rules.create_home and server.homes:
        outcome.homes = _create_homes(present, server, rules.check_mode)
    if not rules.check_mode and (planned or outcome.pam_changed):
        decision.final = True
        switching = None
        if outcome.pam_changed and server.service:
            update(server.database, decision, check_mode=True)  # hashes now, so that the switch is short
            switching = allow_both(server.service)
            if planned:
                time.sleep(SETTLE)
        try:
            planned = update(server.database, decision, lock_timeout=rules.lock_timeout)
        except NotDurable as error:
            undurable = error  # it is done, so what goes with it must be done as well
        except SecureFtpError as error:
            if switching is not None and server.service:
                restore(server.service, switching)
            error.state = "directories were made" if outcome.homes else ""
            raise
    decision.report(planned, outcome)
    try:
        _after_the_record(sorted({*outcome.removed, *gone}), server, rules, outcome)
    except SecureFtpError as error:
        if not rules.check_mode and outcome.changed:
            error.state = f"done already: {outcome.done()}"
        raise
    if undurable is not None:
        raise undurable
    return outcome


def _after_the_record(gone: Sequence[str], server: Server, rules: Rules, outcome: Outcome) -> None:
    """Do what goes with records that are written: the PAM file, sessions, and the directories of who is ``gone``."""
    if not rules.check_mode:
        if outcome.pam_changed and server.service:
            allow_hashes_only(server.service)
        outcome.warnings += end_sessions(sorted({*outcome.removed, *outcome.changed_users, *outcome.locked}), server)
    if rules.remove_home:
        for name in gone:
            outcome.homes_removed += _remove_homes([name], server, rules.check_mode)
    elif not rules.check_mode and server.homes and server.homes.root:
        outcome.warnings += close_homes(server.homes.root, sorted(filter(is_component, gone)))


def _removed(changes: Changes) -> list[str]:
    return [_text(key) for key, value in changes.items() if value is None]


def end_sessions(names: Sequence[str], server: Server) -> list[str]:
    """End the sessions of users who are gone, locked, or have another password; return warnings about what stays.

    Sessions in a directory of several users stay: nothing tells them apart.
    """
    homes = server.homes
    if not names or homes is None:
        return []
    mine = [] if homes.shared else sole_directories(names, homes)
    warnings = end_ftps_sessions(mine)
    others = sorted(name for name in names if is_component(name) and homes.of(name) not in mine)
    if others:
        warnings.append(
            f"{listed(others)}: FTPS sessions that are open go on, because they start in a directory of several users,"
            " where nothing tells them apart; to end all of them: systemctl restart vsftpd"
        )
    return warnings


def sole_directories(names: Iterable[str], homes: Homes) -> list[str]:
    """Return the directories of ``names`` that nobody else's own file (vsftpd.conf(5), user_config_dir) gives too."""
    ours = set(filter(is_component, names))
    try:
        others = set(os.listdir(homes.config_directory)) - ours if homes.config_directory else set()
    except OSError:
        others = set()
    taken = {os.path.realpath(homes.of(name)) for name in others}
    return sorted(path for path in map(homes.of, ours) if os.path.realpath(path) not in taken)


def describe(server: Server, name: str | None = None) -> dict[str, Any]:
    """Return who exists: name, scheme and directory of each, and who has a plaintext password."""
    view = read(server.database)
    wanted = None if name is None else view.select([name.encode("utf-8")])
    # Whether a record that could be of DES is plaintext depends on all the others.
    if wanted is None or any(passwords.scheme(_text(value)) in passwords.AMBIGUOUS for value in wanted.values()):
        records, locked = without_locks(view.all())
    else:
        records, locked = without_locks(wanted)
    plain = plaintext_keys(records, server)
    if name is not None:
        records = {key: value for key, value in records.items() if key == name.encode("utf-8")}
    users = [
        {
            "name": _text(key),
            "scheme": passwords.PLAINTEXT if key in plain else passwords.scheme(_text(value)),
            "locked": key in locked,
            "home": server.homes.of(_text(key)) if server.homes else None,
        }
        for key, value in sorted(records.items())
    ]
    return {
        "users": users,
        "plaintext": [user["name"] for user in users if user["scheme"] == passwords.PLAINTEXT],
        "db": server.database,
        "exists": view.identity is not None,
        "pam_crypt": server.service.hashed and not server.service.plaintext if server.service else None,
    }


def as_they_are(names: Iterable[str], server: Server) -> dict[str, Person]:
    """Return each of ``names`` as a Person of FTPS that ``reconcile`` would leave unchanged."""
    wanted = {name: name.encode("utf-8") for name in names}
    records, locked = without_locks(read(server.database).select(list(wanted.values())))
    return {
        name: Person(name, True, None, _text(records[key]), ("ftps",), None, key in locked)
        if key in records
        else Person(name, present=False)
        for name, key in wanted.items()
    }


class _Decision:
    """Decides the changes for a view; what was hashed or verified once is not computed again.

    Lists are long: the people are sorted once, by what they bring, and every step looks only at those it is about.
    """

    def __init__(self, people: Sequence[Person], server: Server, rules: Rules) -> None:
        self.final = False
        self._server, self._rules = server, rules
        self._people: dict[bytes, Person] = {}
        self._gone: set[bytes] = set()
        self._given_hashes: dict[bytes, str] = {}
        self._passwords: dict[bytes, str] = {}
        self._without: list[bytes] = []
        self._locks: dict[bytes, bool] = {}
        for person in people:
            key = person.name.encode("utf-8")
            self._people[key] = person
            if not uses(person, "ftps"):
                self._gone.add(key)
            elif person.password_hash is not None:
                self._given_hashes[key] = person.password_hash
            elif person.password is not None:
                self._passwords[key] = person.password
            else:
                self._without.append(key)
            if person.locked is not None:
                self._locks[key] = person.locked
        self._verified: dict[tuple[bytes, bytes], bool] = {}
        self._hashes: dict[bytes, bytes] = {}
        self._current: Mapping[bytes, bytes] = {}
        self._locked: set[bytes] = set()
        self._to_hash: dict[bytes, str] = {}
        self._plaintext: set[bytes] = set()

    def __call__(self, view: View) -> Changes:
        everything = self._rules.purge or self._rules.hash_plaintext
        stored = view.all() if everything else view.select(list(self._people))
        self._current, self._locked = without_locks(stored)
        current = self._current
        self._plaintext = plaintext_keys(current, self._server)
        self._verify(current)
        self._refuse_new_without_password(current)
        changes: dict[bytes, bytes | None] = {key: None for key in self._gone if key in current}
        if self._rules.purge:
            changes.update((key, None) for key in current if key not in self._people)
        keep = current if self._rules.update_password == "on_create" else ()
        for key, given in self._given_hashes.items():
            value = given.encode("utf-8")
            if current.get(key) != value and key not in keep:
                changes[key] = value
        self._to_hash = {
            key: password
            for key, password in self._passwords.items()
            if key not in current or (key not in keep and not self._verified[key, current[key]])
        }
        # A plaintext password cannot be locked: behind the mark it would be another plaintext password.
        for key in self._plaintext if self._rules.hash_plaintext else self._plaintext & self._to_be_locked():
            if key not in changes and key not in self._to_hash:
                self._to_hash[key] = _text(current[key])
        self._refuse_hashes_for_plaintext_service(changes)
        changes.update(self._hashed())
        self._lock(changes)
        return changes

    def _lock(self, changes: dict[bytes, bytes | None]) -> None:
        """Put the mark of a lock on every record that is to have one, and take it off those that are not."""
        for key, wanted in self._locks.items():
            if key not in self._gone and key not in changes and wanted != (key in self._locked):
                changes[key] = self._current[key]
        for key in self._to_be_locked().intersection(changes):
            value = changes[key]
            if value is not None:
                changes[key] = passwords.locked(_text(value)).encode("utf-8")

    def _to_be_locked(self) -> set[bytes]:
        wanted = {key for key, locked in self._locks.items() if locked}
        return wanted | {key for key in self._locked if self._locks.get(key, True)}

    def report(self, changes: Changes, outcome: Outcome) -> None:
        """Sort the names into ``outcome``."""
        for key, value in changes.items():
            if value is None:
                names = outcome.removed
            elif key not in self._current:
                names = outcome.added
            elif key in self._plaintext and self._same_password(key):
                names = outcome.hashed
            elif passwords.unlocked(_text(value)) == _text(self._current[key]):
                names = outcome.locked
            elif value == self._current[key]:
                names = outcome.unlocked
            else:
                names = outcome.changed_users
            names.append(_text(key))
        outcome.unchanged = [
            person.name for key, person in self._people.items() if key not in changes and key not in self._gone
        ]
        for names in (
            outcome.added,
            outcome.changed_users,
            outcome.removed,
            outcome.hashed,
            outcome.locked,
            outcome.unlocked,
            outcome.unchanged,
        ):
            names.sort()
        unsafe = [_text(key) for key, value in self._given_hashes.items() if passwords.has_unsafe_length(value)]
        release = releases.here()
        if unsafe and (release is None or release.misreads_hashes):
            outcome.warnings.append(passwords.unsafe_length_warning(unsafe))
        left = sorted(_text(key) for key in self._plaintext if key not in changes)
        if left:
            outcome.warnings.append(
                f"{self._server.database}: plaintext password stored for {listed(left)}; set hash_plaintext: true on"
                " ftp_users"
            )

    def _refuse_new_without_password(self, current: Mapping[bytes, bytes]) -> None:
        for key in self._without:
            if key not in current:
                raise InvalidInput(
                    f"user {_text(key)!r}: not in {self._server.database} yet, so expected password or password_hash,"
                    " found neither; give one (or protocols: [sftp] for a user of SFTP alone)"
                )

    def _same_password(self, key: bytes) -> bool:
        """Whether a record that changes keeps its password."""
        if self._rules.update_password == "on_create" or key not in self._people:
            return True
        if key in self._passwords:
            return self._verified[key, self._current[key]]
        return key not in self._given_hashes

    def _verify(self, current: Mapping[bytes, bytes]) -> None:
        """Verify every given password that is not known yet, on every core."""
        if self._rules.update_password == "on_create":
            return
        pairs: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        for key, password in self._passwords.items():
            stored = current.get(key)
            if stored is None or (key, stored) in self._verified:
                continue
            if key in self._plaintext:
                self._verified[key, stored] = stored == password.encode("utf-8")
            else:
                pairs[key, stored] = (password, _text(stored))
        self._verified.update(zip(pairs, passwords.verify_many(list(pairs.values()))))

    def _hashed(self) -> dict[bytes, bytes | None]:
        """Hash what is to be hashed, on every core; a stand-in while nothing is going to be written."""
        if not self.final:
            return {key: b"" for key in self._to_hash}
        missing = [key for key in self._to_hash if key not in self._hashes]
        made = passwords.hash_many([self._to_hash[key] for key in missing], self._rules.rounds)
        self._hashes.update((key, value.encode("ascii")) for key, value in zip(missing, made))
        return {key: self._hashes[key] for key in self._to_hash}

    def _refuse_hashes_for_plaintext_service(self, changes: Changes) -> None:
        service = self._server.service
        if service is None or service.hashed or self._rules.hash_plaintext:
            return
        if self._to_hash or any(value is not None for value in changes.values()):
            raise SecureFtpError(
                f"{service.path}: pam_userdb compares plaintext passwords (no crypt=crypt on its auth line), so a"
                " stored hash would lock its user out; run ftp_users with hash_plaintext: true to hash the database"
                " and switch the service over"
            )


def without_locks(records: Mapping[bytes, bytes]) -> tuple[Mapping[bytes, bytes], set[bytes]]:
    """Return the records as they would be unlocked, and the keys of those that are locked."""
    marked = {key: passwords.unlocked(_text(value)) for key, value in records.items() if value[:1] == b"!"}
    behind = {key: value.encode("utf-8") for key, value in marked.items() if value is not None}
    return {**records, **behind} if behind else records, set(behind)


def plaintext_keys(records: Mapping[bytes, bytes], server: Server) -> set[bytes]:
    """Return whose record is a plaintext password.

    A DES hash looks like a password of 13 letters: it counts as one where the service compares
    plaintext, or where other records are certainly plaintext.
    """
    certain, ambiguous = set(), set()
    for key, value in records.items():
        if value[:3] == b"$6$" and len(value) >= 91:
            continue  # the common case; a damaged one still cannot be taken for a password worth keeping
        found = passwords.scheme(_text(value))
        if found == passwords.PLAINTEXT:
            certain.add(key)
        elif found in passwords.AMBIGUOUS:
            ambiguous.add(key)
    service = server.service
    return certain | ambiguous if certain or (service and not service.hashed) else certain


def _create_homes(names: Sequence[str], server: Server, check_mode: bool) -> list[str]:
    homes = server.homes
    if homes is None or homes.shared or not names:
        return []
    ids = guest_ids(server.guest)
    names = [name for name in names if is_component(name) and not is_kept(homes, name, ids)]
    if ids is None:
        if check_mode:
            return sorted(homes.of(name) for name in names)
        raise SecureFtpError(
            f"guest_username: the system user {server.guest!r} who owns the directories does not exist; install vsftpd,"
            " name another user, or set create_home: false"
        )
    root = homes.root
    if root is None:
        paths = (homes.of(name) for name in names)
        return sorted(path for path in paths if ensure_directory(path, *ids, HOME_MODE, check_mode))
    if not check_mode and not os.path.lexists(root):
        ensure_directory(root, 0, 0, ROOT_MODE)
    made = ensure_homes(root, names, lambda _name: ids, HOME_MODE, check_mode)
    return sorted(homes.of(name) for name in made)


def _remove_homes(names: Sequence[str], server: Server, check_mode: bool) -> list[str]:
    homes = server.homes
    if homes is None or homes.shared or not names:
        return []
    names = [name for name in names if is_component(name) and homes.own(name) is None]
    if homes.root is None:
        raise SecureFtpError(
            f"remove_home: {homes.pattern!r} does not end in {homes.token!r}, so what else is in it is unknown;"
            " remove the directories by hand"
        )
    return sorted(homes.of(name) for name in names if remove_home(homes.root, name, check_mode))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
