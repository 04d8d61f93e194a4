# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""People of both protocols on this server, as the command and the remote control manage them.

Every change is one transaction: SFTP first, which can fail in more ways, then FTPS, whose database is replaced whole
or not at all. When the second half fails the first is undone; when the process is killed the next change finishes it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ContextManager, Iterable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    Busy,
    InvalidInput,
    NoSuchUser,
    NotDurable,
    NotPermitted,
    SecureFtpError,
    UserExists,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import reconcile as ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import accounts_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import Report, audited
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import reconcile as sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import state
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import discovered_group, read_settings
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import names_key, validate_authorized_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    DEFAULT_ROUNDS,
    hash_many,
    is_hash,
    verify_many,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import (
    Person,
    person_from_options,
    uses,
)


def _unheard(_result: str, _users: Sequence[str]) -> None:
    """Report of a change that its caller logs."""


LOCK_FILE = "/run/secure_ftp.server-users.lock"
LOCK_SECONDS = 120.0
"""How long a change waits for the changes before it."""


@dataclass
class Result:
    """What a change did: names, each list sorted."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changes_anything(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def expect_root() -> None:
    """Raise NotPermitted unless this process may change users."""
    if os.geteuid() != 0:
        raise NotPermitted("changing users: expected to run as root, found another user; use sudo")


class Manager:
    """The people of this server; where they are kept is read from the live configuration when it is needed.

    Methods that change somebody return ``{"changed": bool, "user": what show() returns or None, "warnings": [str]}``.
    All raise SecureFtpError, of the kind that fits, with nothing changed.
    """

    def __init__(self, rounds: int = DEFAULT_ROUNDS, journal_path: str = journal.PATH, audit: bool = True) -> None:
        self._rounds, self._journal_path, self._audit = rounds, journal_path, audit
        self._report: Report = _unheard

    # --- looking ---------------------------------------------------------------------------------------------------

    def users(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return everybody (or only ``name``), sorted by name; each as ``show`` does."""
        by_ftps = {user["name"]: user for user in ftps.describe(self._server, name)["users"]} if self._server else {}
        by_sftp = {user["name"]: user for user in state.describe(self._group, name)}
        users = []
        for found in sorted({*by_ftps, *by_sftp}):
            parts = [part for part in (by_ftps.get(found), by_sftp.get(found)) if part]
            users.append(
                {
                    "name": found,
                    "protocols": [protocol for protocol, side in zip(PROTOCOLS, (by_ftps, by_sftp)) if found in side],
                    "locked": all(part["locked"] for part in parts),
                    "ftps": _side(by_ftps.get(found), scheme="scheme", directory="home"),
                    "sftp": _side(
                        by_sftp.get(found), scheme="scheme", directory="home", keys="keys", expires="expires"
                    ),
                }
            )
        return users

    def show(self, name: str) -> dict[str, Any]:
        """Return one user: name, protocols, locked; for each protocol None or scheme of the password and directory.

        The scheme is None for an SFTP user without a password; ``keys`` is how many keys an SFTP user has.
        Raises NoSuchUser.
        """
        found = self.users(name)
        if not found:
            raise NoSuchUser(f"user {name!r}: no such user by FTPS or SFTP; see who there is: ftp-users list")
        return found[0]

    def keys(self, name: str) -> list[str]:
        """Return the public keys of an SFTP user, as lines of an authorized_keys file."""
        return self._keys_of(self.show(name))

    def _keys_of(self, user: Mapping[str, Any]) -> list[str]:
        _expect_sftp(user)
        return list(state.as_they_are([user["name"]], self._group)[user["name"]].authorized_keys or ())

    def export(self, hashes: bool = False) -> list[dict[str, Any]]:
        """Return everybody with keys and, when asked for, the stored hash (FTPS's of who has both): what to import."""
        users = self.users()
        names = [user["name"] for user in users]
        people = self._as_they_are(names)
        return [
            {
                "name": user["name"],
                "protocols": user["protocols"],
                "locked": user["locked"],
                "password_hash": self._exported_hash(user, people) if hashes else None,
                "authorized_keys": list(people["sftp"][user["name"]].authorized_keys or ()),
            }
            for user in users
        ]

    @staticmethod
    def _exported_hash(user: Mapping[str, Any], people: Mapping[str, Mapping[str, Person]]) -> str | None:
        stored = (people[protocol][user["name"]].password_hash for protocol in user["protocols"])
        return next((value for value in stored if is_hash(value)), None)

    # --- changing --------------------------------------------------------------------------------------------------

    def add(self, name: str, **options: Any) -> dict[str, Any]:
        """Add a user; ``options`` are those of a person: password, password_hash, protocols, authorized_keys, locked.

        Raises UserExists when the name is taken on one of the protocols.
        """
        with self._changing("add", [name]) as warnings:
            person = self.expect_new(name, **options)
            return self._answer(name, self._apply([person], certain=True), warnings)

    def expect_new(self, name: str, **options: Any) -> Person:
        """Return whom ``add`` would make, protocols the user has already included; raises what it would raise."""
        person = self._person(name, options)
        if "ftps" in person.protocols:
            self._expect_ftps()
        for user in self.users(name):
            taken = [protocol for protocol in person.protocols if protocol in user["protocols"]]
            if taken:
                raise UserExists(
                    f"user {name!r}: exists already ({', '.join(taken)}); change it with: ftp-users edit {name}"
                )
            _expect_no_silent_change(user, person, options)
            person = person._replace(protocols=tuple(dict.fromkeys((*user["protocols"], *person.protocols))))
        return person

    def edit(self, name: str, **options: Any) -> dict[str, Any]:
        """Change what ``options`` (as of ``add``) name, and nothing else. A protocol that is added gets the password.

        Raises NoSuchUser.
        """
        with self._changing("edit", [name]) as warnings:
            user = self.show(name)
            if options.get("protocols") is None:  # they decide how long a password may be
                options["protocols"] = user["protocols"]
            person = self._person(name, options, existing=True)
            _expect_no_silent_change(user, person, options)
            if person.authorized_keys is not None and "sftp" not in person.protocols:
                _expect_sftp(user)
            return self._answer(name, self._apply([person]), warnings)

    def delete(self, name: str, remove_home: bool = False) -> dict[str, Any]:
        """Remove a user from both protocols; the files stay, closed, unless ``remove_home``.

        Raises NoSuchUser, unless ``remove_home`` finds the files of a user who is gone already.
        """
        with self._changing("del", [name]) as warnings:
            if not (remove_home and self._left_home(name)):
                self.show(name)
            result = self._apply([Person(name, present=False)], remove_home=remove_home)
            return {"changed": True, "user": None, "warnings": [*warnings, *result.warnings]}

    def _left_home(self, name: str) -> bool:
        rules: dict[str, Any] = {"remove_home": True, "check_mode": True}
        if not is_component(name):
            return False
        gone = [Person(name, present=False)]
        homes = list(sftp.reconcile(gone, sftp.Rules(group=self._group, **rules)).homes_removed)
        if self._server:
            homes += ftps.reconcile(gone, self._server, ftps.Rules(**rules)).homes_removed
        return bool(homes)

    def lock(self, name: str) -> dict[str, Any]:
        """Keep a user from logging in, by either protocol, password or key. Raises NoSuchUser."""
        return self.edit(name, locked=True)

    def unlock(self, name: str) -> dict[str, Any]:
        """Let a locked user in again, exactly as before. Raises NoSuchUser."""
        return self.edit(name, locked=False)

    def add_key(self, name: str, key: str) -> dict[str, Any]:
        """Add a public key to those of an SFTP user. Raises NoSuchUser, and UserExists when it is there already."""
        (line,) = validate_authorized_keys([key], name)
        with self._changing("keys add", [name]) as warnings:
            user = self.show(name)
            keys = self._keys_of(user)
            if any(names_key(line, known) for known in keys):
                raise UserExists(f"user {name!r}: has this key already")
            return self._set_keys(user, (*keys, line), warnings)

    def delete_key(self, name: str, key: str) -> dict[str, Any]:
        """Remove the public keys that ``key`` names: a whole line, its base64 part, its comment or its fingerprint.

        Raises NoSuchUser, and InvalidInput when it names none.
        """
        with self._changing("keys del", [name]) as warnings:
            user = self.show(name)
            keys = self._keys_of(user)
            kept = tuple(line for line in keys if not names_key(key, line))
            if len(kept) == len(keys):
                raise InvalidInput(
                    f"user {name!r}: expected a key this user has, by line, base64 part, comment or fingerprint, found"
                    f" none that matches; see them: ftp-users keys {name} list"
                )
            return self._set_keys(user, kept, warnings)

    def apply_list(self, people: Sequence[Person], dry_run: bool = False) -> Result:
        """Add or change every one of ``people`` in one transaction; nobody else is touched."""
        if dry_run:
            return self._apply(people, dry_run=True)
        with self._changing("import", [person.name for person in people]) as warnings:
            result = self._apply(people)
            result.warnings[:0] = warnings
            return result

    def hash_plaintext(self) -> Result:
        """Hash every plaintext password of the database and switch its PAM service over; log-ins work throughout."""
        with self._changing("hash-plaintext", []) as warnings:
            rules = ftps.Rules(hash_plaintext=True, rounds=self._rounds)
            outcome = ftps.reconcile([], self._expect_ftps(), rules)
            self._report("hashed", outcome.hashed)
            return Result(changed=outcome.hashed, warnings=[*warnings, *outcome.warnings])

    # --- the transaction -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self, verb: str, names: Sequence[str]) -> Iterator[list[str]]:
        """Let one change at a time run, after what a killed one left is finished; yield warnings about that.

        The log says who did ``verb`` to ``names``, unless the caller does.
        """
        expect_root()
        log: ContextManager[Report] = (
            audited("command", verb, names) if self._audit else contextlib.nullcontext(_unheard)
        )
        with log as self._report, accounts_lock(LOCK_FILE, LOCK_SECONDS):
            yield self.finish()

    def _apply(
        self, people: Sequence[Person], remove_home: bool = False, dry_run: bool = False, certain: bool = False
    ) -> Result:
        """Do it, or only say what would be done; ``certain`` that something changes saves looking for it first."""
        before = self._as_they_are([person.name for person in people])
        people = [self._with_known_hash(person, before) for person in people]
        if any(uses(person, "ftps") for person in people):
            self._expect_ftps()
        if certain and self._server:  # SFTP, which comes first, objects before it changes anything
            ftps.reconcile(people, self._server, ftps.Rules(check_mode=True))
        elif not certain:
            result = self._reconcile(people, remove_home, check_mode=True)
            if dry_run or not (result.changes_anything or remove_home):
                return result
        people = self._hashed(people, before)
        new_directories = self._missing_directories(people)
        journal.write(journal.Intent(people, _records(before["ftps"])), self._journal_path)
        try:
            result = self._reconcile(people)
        except BaseException:  # Ctrl-C too; the journal stays when even this fails
            if not self._both_done(before["ftps"]):
                self._undo(before["sftp"], new_directories)
                journal.remove(self._journal_path)
            raise
        journal.remove(self._journal_path)
        if remove_home:  # last: nothing brings it back
            self._reconcile(people, remove_home=True)
        self._report("added", result.added)
        self._report("changed", result.changed)
        self._report("removed", [person.name for person in people] if remove_home else result.removed)
        return result

    def _reconcile(self, people: Sequence[Person], remove_home: bool = False, check_mode: bool = False) -> Result:
        rules: dict[str, Any] = {"remove_home": remove_home, "rounds": self._rounds, "check_mode": check_mode}
        by_sftp = sftp.reconcile(_with_files(people), sftp.Rules(group=self._group, **rules))
        result = Result(warnings=list(by_sftp.warnings))
        added, changed, removed = set(by_sftp.added), set(by_sftp.changed_users), set(by_sftp.removed)
        if self._server:
            by_ftps = ftps.reconcile(people, self._server, ftps.Rules(**rules))
            result.warnings += by_ftps.warnings
            added |= set(by_ftps.added)
            changed |= {*by_ftps.changed_users, *by_ftps.hashed, *by_ftps.locked, *by_ftps.unlocked}
            changed |= {os.path.basename(home) for home in by_ftps.homes}
            removed |= set(by_ftps.removed)
        names = {person.name for person in people}
        gone = {person.name for person in people if not person.present}
        result.removed = sorted(removed & gone)
        result.added = sorted(added)
        result.changed = sorted(((changed | removed) & names) - added - gone)
        result.unchanged = sorted(names - added - changed - removed)
        return result

    def _both_done(self, before: Mapping[str, Person]) -> bool:
        """Whether FTPS, which comes second and is replaced whole, has been changed: then there is no way back.

        What is left to do, and what the disk may yet lose, the next change finishes by the journal.
        """
        return self._server is not None and _records(ftps.as_they_are(before, self._server)) != _records(before)

    def _undo(self, before: Mapping[str, Person], new_directories: Sequence[str]) -> None:
        """Put SFTP back as it was and take away the directories made for new users; FTPS was not changed."""
        sftp.reconcile(_with_files(before.values()), sftp.Rules(group=self._group, jail_check="none"))
        for path in new_directories:
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def _missing_directories(self, people: Sequence[Person]) -> list[str]:
        jail = state.jail_of(self._group)
        people = _with_files(people)
        paths = [os.path.join(jail.directory, person.name) for person in people]
        homes = self._server.homes if self._server else None
        if homes and not homes.shared:
            paths += [homes.of(person.name) for person in people]
        return [path for path in paths if not os.path.lexists(path)]

    def finish(self) -> list[str]:
        """Finish what a killed change has left half-done; return warnings about it."""
        intent = journal.read(self._journal_path)
        if intent is None:
            journal.remove(self._journal_path)
            return []
        now = _records(self._as_they_are([person.name for person in intent.people])["ftps"])
        # SFTP comes first: where the record is another one, both halves were done, or somebody else was here since.
        rest = [person for person in intent.people if now[person.name] == intent.records.get(person.name)]
        shut = [person.name for person in intent.people if person.locked or not uses(person, "ftps")]
        if self._server:
            ftps.end_sessions(shut, self._server)
        names = ", ".join(repr(person.name) for person in rest[:5]) + (" and others" if len(rest) > 5 else "")
        try:
            result = self._reconcile(rest)
        except (Busy, NotDurable):
            raise  # it stays half-done for now, or the disk may lose it yet, and is remembered
        except SecureFtpError as error:
            warnings = [f"user {names}: an interrupted change could not be finished: {error}"]
        else:
            finished = f"user {names}: an interrupted change was finished first"
            warnings = [finished] if result.changes_anything else []
        journal.remove(self._journal_path)
        return warnings

    # --- people ----------------------------------------------------------------------------------------------------

    def _as_they_are(self, names: Sequence[str]) -> dict[str, dict[str, Person]]:
        missing = {name: Person(name, present=False) for name in names}
        return {
            "ftps": ftps.as_they_are(names, self._server) if self._server else missing,
            "sftp": {**missing, **state.as_they_are(list(filter(is_component, names)), self._group)},
        }

    def _hashed(self, people: Sequence[Person], before: Mapping[str, Mapping[str, Person]]) -> list[Person]:
        """Return ``people`` with hashes instead of passwords, so that no password reaches the journal.

        A password that verifies on every protocol is left as it is.
        """
        right = self._right_passwords(people, before)
        to_hash = [person for person in people if person.password is not None and person.name not in right]
        made = hash_many([person.password or "" for person in to_hash], self._rounds)
        hashes = dict(zip((person.name for person in to_hash), made))
        return [
            person._replace(password=None, password_hash=hashes.get(person.name))
            if person.password is not None
            else person
            for person in people
        ]

    def _right_passwords(self, people: Sequence[Person], before: Mapping[str, Mapping[str, Person]]) -> set[str]:
        """Return whose given password is the stored one on every protocol."""
        wanted = [
            (person, before[protocol][person.name])
            for person in people
            if person.password is not None
            for protocol in person.protocols
        ]
        verified = verify_many([(person.password or "", stored.password_hash or "") for person, stored in wanted])
        wrong = {person.name for (person, _stored), right in zip(wanted, verified) if not right}
        return {person.name for person, _stored in wanted} - wrong

    def _with_known_hash(self, person: Person, before: Mapping[str, Mapping[str, Person]]) -> Person:
        """Give a protocol that is new to a user who is given no password the hash of the other one."""
        if (person.password or person.password_hash) is not None or not person.present:
            return person
        known = [before[protocol][person.name] for protocol in PROTOCOLS]
        hashes = {stored.password_hash for stored in known if stored.present and is_hash(stored.password_hash)}
        new = [protocol for protocol in person.protocols if not before[protocol][person.name].present]
        return person._replace(password_hash=hashes.pop()) if new and len(hashes) == 1 else person

    def _person(self, name: str, options: Mapping[str, Any], existing: bool = False) -> Person:
        person = person_from_options({"name": name, **options}, min_length(), existing)
        if not person.protocols:
            raise InvalidInput(
                f"user {name!r}: protocols: expected ftps, sftp or both, found none; to remove the user: ftp-users del"
            )
        return person

    def _set_keys(self, user: Mapping[str, Any], keys: Sequence[str], warnings: list[str]) -> dict[str, Any]:
        person = Person(user["name"], protocols=tuple(user["protocols"]), authorized_keys=tuple(keys))
        return self._answer(person.name, self._apply([person]), warnings)

    def _answer(self, name: str, result: Result, warnings: Sequence[str]) -> dict[str, Any]:
        warnings = [*warnings, *result.warnings]
        return {"changed": result.changes_anything, "user": self.show(name), "warnings": warnings}

    # --- where people are kept -------------------------------------------------------------------------------------

    @cached_property
    def _server(self) -> Server | None:
        """The FTPS side; None on a host that has no vsftpd with a database."""
        if not any(os.path.exists(path) for path in CONFIGS):
            return None
        return discover()

    def _expect_ftps(self) -> Server:
        if self._server is None:
            discover()  # raises, and says what is missing
            raise SecureFtpError(f"FTPS: expected vsftpd's configuration at {' or '.join(CONFIGS)}, found none")
        return self._server

    @cached_property
    def _group(self) -> str:
        """The group of the SFTP users."""
        return discovered_group(read_settings())


@contextlib.contextmanager
def module_change(front: str, names: Sequence[str], check_mode: bool) -> Iterator[Report]:
    """Let the module ``front`` change users of one protocol: under the one lock, after a killed change is finished.

    What it reports of ``names`` is logged. Check mode changes nothing, so it waits for nobody.
    """
    if check_mode or os.geteuid() != 0:
        yield _unheard
        return
    with audited(front, "apply", names) as report, accounts_lock(LOCK_FILE, LOCK_SECONDS):
        Manager(audit=False).finish()
        yield report


def _with_files(people: Iterable[Person]) -> list[Person]:
    """Return who may have files or an account: a name such as ``../x`` that others wrote into the database may not."""
    return [person for person in people if is_component(person.name)]


def _side(found: Mapping[str, Any] | None, **names: str) -> dict[str, Any] | None:
    return None if found is None else {ours: found[theirs] for ours, theirs in names.items()}


def _expect_no_silent_change(user: Mapping[str, Any], person: Person, options: Mapping[str, Any]) -> None:
    """Refuse a password that is meant for a protocol to be added, but would replace that of the other one."""
    new = [protocol for protocol in options.get("protocols") or () if protocol not in user["protocols"]]
    given = person.password is not None or person.password_hash is not None
    if new and given and user["protocols"] and set(new) == set(options["protocols"]):
        name, there = user["name"], " and ".join(user["protocols"])
        raise UserExists(
            f"user {name!r}: has {there} already, whose password the new one would replace; to add {' and '.join(new)}"
            f" with the password there is: ftp-users edit {name} --protocol both; to change both: ftp-users passwd"
            f" {name}"
        )


def _expect_sftp(user: Mapping[str, Any]) -> None:
    if user["sftp"] is None:
        raise InvalidInput(
            f"user {user['name']!r}: keys are for SFTP, which this user does not have; add it:"
            f" ftp-users edit {user['name']} --protocol both"
        )


def _records(people: Mapping[str, Person]) -> dict[str, str | None]:
    """Tell versions of FTPS records apart; the journal is as secret as what they are made of."""
    return {
        name: f"{'!' if person.locked else ''}{person.password_hash}" if person.present else None
        for name, person in people.items()
    }
