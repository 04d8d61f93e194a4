# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Users of both protocols on this server, as the command and the remote control manage them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, ContextManager, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    NoSuchUser,
    NotPermitted,
    SecureFtpError,
    UserExists,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules as FtpsRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import halves, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import Report, audited, unheard
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import here, reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import together
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import (
    Transaction,
    users_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    HASHED,
    Backend,
    Plan,
    Reading,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS, RIGHTS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import names_key, validate_authorized_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import DEFAULT_ROUNDS, is_hash
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, user_from_options, uses


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


def nothing_to_change(name: str, remedy: str) -> InvalidInput:
    """The error for an edit of ``name`` that names no change."""
    return InvalidInput(f"user {name!r}", "something to change", found="nothing", remedy=remedy)


def expect_root(what: str = "changing users") -> None:
    """Raise NotPermitted unless this process may do ``what``."""
    if os.geteuid() != 0:
        raise NotPermitted(what, "to run as root", found="another user", remedy="use sudo")


class Manager:
    """The users of this server; the live configuration says where they are stored.

    Methods that change a user return ``{"changed": bool, "user": what show() returns or None, "warnings": [str]}``.
    All raise SecureFtpError, of the kind that fits, with nothing changed.

    ``program`` is what stands before a verb in the remedies of errors; empty for callers that have the same verbs by
    another name.
    """

    def __init__(
        self,
        rounds: int = DEFAULT_ROUNDS,
        journal_path: str = journal.PATH,
        audit: bool = True,
        backends: Sequence[Backend] | None = None,
        program: str = "ftp-users",
    ) -> None:
        self._program = program
        self._rounds, self._journal_path, self._audit, self._given = rounds, journal_path, audit, backends
        self._report: Report = unheard
        self._known: tuple[frozenset[str], bool, Reading] | None = None

    # --- looking ---------------------------------------------------------------------------------------------------

    def users(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return all users (or only ``name``), sorted by name; each as ``show`` does."""
        if name is not None:
            user = self._user(name, self._read([name]))
            return [user] if user else []
        sides = {one: {user["name"]: user for user in self._backends[one].describe()} for one in self._backends}
        said = {name: one for backend in self._backends.values() for name, one in backend.of_accounts().items()}
        return [
            _whole(name, {one: side.get(name) for one, side in sides.items()}, said.get(name, {}))
            for name in sorted({*chain(*sides.values())})
        ]

    def show(self, name: str) -> dict[str, Any]:
        """Return one user: name, protocols, locked, rights; and for each protocol None or scheme, directory and rights.

        The scheme is None for an SFTP user without a password; ``keys`` is how many keys an SFTP user has.
        Raises NoSuchUser.
        """
        found = self.users(name)
        if not found:
            remedy = f"see all users: {self._command('list')}"
            raise NoSuchUser(f"user {name!r}", found="no such user for FTPS or SFTP", remedy=remedy)
        return found[0]

    @staticmethod
    def _user(name: str, reading: Reading) -> dict[str, Any] | None:
        sides = {protocol: stored.described(name) for protocol, stored in reading.items()}
        said = {key: value for stored in reading.values() for key, value in stored.of_account(name).items()}
        return _whole(name, sides, said) if any(sides.values()) else None

    def keys(self, name: str) -> list[str]:
        """Return the public keys of an SFTP user, as lines of an authorized_keys file."""
        return self._keys_of(self.show(name))

    def _keys_of(self, user: Mapping[str, Any]) -> list[str]:
        self._expect_sftp(user)
        name = user["name"]
        return list(self._read([name])["sftp"].user(name).authorized_keys or ())

    def export(self, hashes: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
        """Return all users for import, with keys and, if asked for, the stored hash; and warnings.

        A user with both protocols gets the hash of FTPS; a warning names the users with another one for SFTP.
        """
        everybody = self.users()
        names = [user["name"] for user in everybody]
        stored = users_of(self._transaction.read(names), names)
        found = [
            {
                "name": user["name"],
                "protocols": user["protocols"],
                "locked": user["locked"],
                "password_hash": self._exported_hash(user, stored) if hashes else None,
                "authorized_keys": list(stored["sftp"][user["name"]].authorized_keys or ()),
                **{name: user[name] for name in RIGHTS},
            }
            for user in everybody
        ]
        return found, halves.two_hashes(stored, names) if hashes else []

    @staticmethod
    def _exported_hash(user: Mapping[str, Any], stored: Users) -> str | None:
        hashes = (stored[protocol][user["name"]].password_hash for protocol in user["protocols"])
        return next((value for value in hashes if is_hash(value)), None)

    # --- changing --------------------------------------------------------------------------------------------------

    def add(self, name: str, no_password: bool = False, **options: Any) -> dict[str, Any]:
        """Add a user; ``options`` are the fields of a user except the name and ``state``.

        With ``no_password`` the password of a protocol that the user already has is not used for the new one. Raises
        UserExists if the user already has one of the protocols.
        """
        with self._changing("add", [name]) as warnings:
            user = self.expect_new(name, **options)
            if no_password and halves.gives_password(user):
                raise InvalidInput(f"user {name!r}", "a password or no_password", found="both")
            return self._answer(name, *self._apply([user], take_hash=not no_password), warnings)

    def expect_new(self, name: str, **options: Any) -> User:
        """Return the user ``add`` would make, with the present protocols too; raises what it would raise."""
        user = self._wanted(name, options)
        if "ftps" in user.protocols:
            self._expect_ftps()
        for there in self.users(name):
            taken = [protocol for protocol in user.protocols if protocol in there["protocols"]]
            if taken:
                raise UserExists(
                    f"user {name!r}",
                    found=f"exists already ({', '.join(taken)})",
                    remedy=f"change it with: {self._command('edit', name)}",
                )
            self._expect_no_silent_change(user, there["protocols"])
            user = user._replace(protocols=tuple(dict.fromkeys((*there["protocols"], *user.protocols))))
        return user

    def edit(self, name: str, **options: Any) -> dict[str, Any]:
        """Change only what ``options`` (as of ``add``) name. An added protocol gets the password of the other one.

        Raises NoSuchUser, and InvalidInput if they name nothing.
        """
        with self._changing("edit", [name]) as warnings:
            there = self.show(name)
            if all(value is None for value in options.values()):
                words = "name what to change, such as a password, protocols or keys; to be asked for a new password:"
                raise nothing_to_change(name, f"{words} {self._command('passwd', name)}")
            if options.get("protocols") is None:  # they decide how long a password may be
                options["protocols"] = there["protocols"]
            user = self._wanted(name, options, existing=True)
            self._expect_no_silent_change(user, there["protocols"])
            if user.authorized_keys is not None and "sftp" not in user.protocols:
                self._expect_sftp(there)
            return self._answer(name, *self._apply([user]), warnings)

    def delete(self, name: str, remove_home: bool = False) -> dict[str, Any]:
        """Remove a user from both protocols; the files stay, closed, unless ``remove_home``.

        ``files`` of the answer are the directories that stay. Raises NoSuchUser, unless ``remove_home`` finds the files
        of a user who was removed before.
        """
        with self._changing("del", [name]) as warnings:
            self._read([name], True)
            if remove_home:
                found = self._homes(name)
            else:
                there = self.show(name)
                try:
                    found = self._homes(name)
                except SecureFtpError:  # only a person may delete one of them
                    sides = [there[protocol] for protocol in there["protocols"]]
                    found = sorted({side["directory"] for side in sides if side["directory"]})
            if not found and remove_home:
                self.show(name)
            result, _plans = self._apply([User(name, present=False)], remove_home=remove_home)
            files = [] if remove_home else found
            return {"changed": True, "user": None, "files": files, "warnings": [*warnings, *result.warnings]}

    def _homes(self, name: str) -> list[str]:
        """The directories that ``remove_home`` deletes. Raises SecureFtpError if only a person may do that."""
        if not is_component(name):
            return []
        plans = self._transaction.plan([User(name, present=False)], PROTOCOLS, self._read([name], True))
        return sorted({step.path for plan in plans.values() for step in plan.deletions})

    def lock(self, name: str) -> dict[str, Any]:
        """Deny a user all log-ins, in both protocols, by password and by key. Raises NoSuchUser."""
        return self.edit(name, locked=True)

    def unlock(self, name: str) -> dict[str, Any]:
        """Allow a locked user to log in again, exactly as before. Raises NoSuchUser."""
        return self.edit(name, locked=False)

    def add_key(self, name: str, key: str) -> dict[str, Any]:
        """Add a public key to those of an SFTP user. Raises NoSuchUser, and UserExists if the user has it already."""
        (line,) = validate_authorized_keys([key], name)
        with self._changing("keys add", [name]) as warnings:
            user = self.show(name)
            keys = self._keys_of(user)
            if any(names_key(line, known) for known in keys):
                raise UserExists(f"user {name!r}", found="has this key already")
            return self._set_keys(user, (*keys, line), warnings)

    def delete_key(self, name: str, key: str) -> dict[str, Any]:
        """Remove the public keys that ``key`` names: a whole line, its base64 part, its comment or its fingerprint.

        Raises NoSuchUser, and InvalidInput if it names none.
        """
        with self._changing("keys del", [name]) as warnings:
            user = self.show(name)
            keys = self._keys_of(user)
            kept = tuple(line for line in keys if not names_key(key, line))
            if len(kept) == len(keys):
                raise InvalidInput(
                    f"user {name!r}",
                    "a key this user has, by line, base64 part, comment or fingerprint",
                    found="none that matches",
                    remedy=f"see them: {self._command('keys', name, 'list')}",
                )
            return self._set_keys(user, kept, warnings)

    def apply_list(self, users: Sequence[User], dry_run: bool = False, weak: Sequence[str] = ()) -> Result:
        """Add or change all ``users`` in one transaction; other users do not change.

        The log names the users in ``weak``, whose weak hashes were accepted. Raises UserExists as ``add`` does for a
        password that is given only for a new protocol.
        """
        if dry_run:
            warnings = self._expect_whole(users)
            reading = self._read([one.name for one in users])
            result = _result(users, self._transaction.plan(self._complete(users), (), reading))
            result.warnings[:0] = warnings
            return result
        with self._changing("import", [user.name for user in users]) as warnings:
            warnings = [*warnings, *self._expect_whole(users)]
            result, _plans = self._apply(users)
            self._report("weak-hash-allowed", weak)
            result.warnings[:0] = warnings
            return result

    def _expect_whole(self, users: Sequence[User]) -> list[str]:
        """Refuse or, if both protocols are meant, return warnings about passwords that would be replaced."""
        names = [user.name for user in users]
        reading = self._read(names)
        before = users_of(reading, names)
        for user in users:
            has = [protocol for protocol, stored in before.items() if uses(stored[user.name], protocol)]
            self._expect_no_silent_change(user, has)
        return halves.joined(users, reading, list(self._backends.values()))

    def hash_plaintext(self) -> Result:
        """Hash every plaintext password of the database and switch its PAM service over; log-ins work throughout."""
        with self._changing("hash-plaintext", []) as warnings:
            self._expect_ftps()
            backend = Ftps(discover(), FtpsRules(hash_plaintext=True, rounds=self._rounds))
            outcome = Transaction([backend], reopen, self._journal_path).run([])[backend.protocol].outcome
            hashed = outcome.whose(HASHED)
            self._report("hashed", hashed)
            return Result(changed=hashed, warnings=[*warnings, *outcome.warnings])

    def with_protocols(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """``options`` of a new user, with SFTP alone if they name no protocols and this host has nothing else."""
        if options.get("protocols") is None and self._is_sftp_only:
            return {**options, "protocols": ["sftp"]}
        return options

    # --- the transaction -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self, verb: str, names: Sequence[str]) -> Iterator[list[str]]:
        """Hold the lock for one change, after finishing what a killed one left; yield warnings about that.

        The log says who did ``verb`` to ``names``, unless the caller logs it.
        """
        expect_root()
        log: ContextManager[Report] = (
            audited("command", verb, names) if self._audit else contextlib.nullcontext(unheard)
        )
        with log as self._report, self._transaction.alone() as warnings:
            yield warnings

    def _read(self, names: Sequence[str], remove_home: bool = False) -> Reading:
        """What is stored of ``names``; not read again unless it has changed."""
        known = self._known
        fits = known is not None and known[0].issuperset(names) and (known[1] or not remove_home)
        if known is not None and fits and self._transaction.is_current(known[2]):
            return known[2]
        reading = self._transaction.read(names, PROTOCOLS if remove_home else ())
        self._known = frozenset(names), remove_home, reading
        return reading

    def _apply(
        self, users: Sequence[User], remove_home: bool = False, take_hash: bool = True
    ) -> tuple[Result, dict[str, Plan]]:
        users = self._complete(users, take_hash)
        reading = self._read([user.name for user in users], remove_home)
        plans = self._transaction.run(users, PROTOCOLS if remove_home else (), reading)
        self._known = None  # of quotas no file would say that they are others now
        result = _result(users, plans)
        self._report("added", result.added)
        self._report("changed", result.changed)
        self._report("removed", [user.name for user in users] if remove_home else result.removed)
        return result, plans

    def _complete(self, users: Sequence[User], take_hash: bool = True) -> list[User]:
        """Give an added protocol the hash of the other one if the user gets no password."""
        if any(uses(user, "ftps") for user in users):
            self._expect_ftps()
        if not take_hash:
            return list(users)
        names = [user.name for user in users if user.present and user.password is None and user.password_hash is None]
        before = users_of(self._read([user.name for user in users]), names)
        known = {user.name: _known_hash(user, before) for user in users if user.name in names}
        return [user._replace(password_hash=known[user.name]) if known.get(user.name) else user for user in users]

    # --- users ----------------------------------------------------------------------------------------------------

    def _wanted(self, name: str, options: Mapping[str, Any], existing: bool = False) -> User:
        options = options if existing else self.with_protocols(options)
        user = user_from_options({"name": name, **options}, min_length(), existing)
        if not user.protocols:
            raise InvalidInput(
                f"user {name!r}: protocols",
                "ftps, sftp or both",
                found="none",
                remedy=f"to remove the user: {self._command('del', name)}",
            )
        return user

    def _expect_no_silent_change(self, user: User, has: Sequence[str]) -> None:
        edit, passwd = self._command("edit", user.name, "--protocol both"), self._command("passwd", user.name)
        halves.expect_no_silent_change(user, has, edit, passwd)

    def _expect_sftp(self, user: Mapping[str, Any]) -> None:
        if user["sftp"] is None:
            raise InvalidInput(
                f"user {user['name']!r}",
                found="keys are for SFTP, which this user does not have",
                remedy=f"add it: {self._command('edit', user['name'], '--protocol both')}",
            )

    def _command(self, *words: str) -> str:
        """A command that the caller can type."""
        return " ".join(word for word in (self._program, *words) if word)

    def _set_keys(self, there: Mapping[str, Any], keys: Sequence[str], warnings: list[str]) -> dict[str, Any]:
        user = User(there["name"], protocols=tuple(there["protocols"]), authorized_keys=tuple(keys))
        return self._answer(user.name, *self._apply([user]), warnings)

    def _answer(self, name: str, result: Result, plans: Mapping[str, Plan], warnings: Sequence[str]) -> dict[str, Any]:
        after = {one: self._backends[one].after(plan) for one, plan in plans.items()}
        return {
            "changed": result.changes_anything,
            "user": self._user(name, after),
            "warnings": [*warnings, *result.warnings],
        }

    # --- where users are kept --------------------------------------------------------------------------------------

    @cached_property
    def _backends(self) -> dict[str, Backend]:
        """By protocol, in the order of a change; FTPS is missing on a host that has no vsftpd with a database."""
        return {one.protocol: one for one in (here(self._rounds) if self._given is None else self._given)}

    @property
    def _is_sftp_only(self) -> bool:
        """Whether this host has no vsftpd at all, not only one that is not complete."""
        return "ftps" not in self._backends and not any(map(os.path.exists, CONFIGS))

    @property
    def _transaction(self) -> Transaction:
        return Transaction(list(self._backends.values()), reopen, self._journal_path)

    def _expect_ftps(self) -> None:
        if "ftps" not in self._backends:
            if not self._is_sftp_only:
                discover()  # raises, and says what is missing
            raise SecureFtpError(
                "FTPS",
                f"vsftpd's configuration at {' or '.join(CONFIGS)}",
                found="none",
                remedy="this server has SFTP only: give the user no other protocol",
            )


def _known_hash(user: User, before: Users) -> str | None:
    """The hash of the one protocol that the user has, if another one is added."""
    known = {protocol: stored[user.name] for protocol, stored in before.items()}
    there = [stored for protocol, stored in known.items() if uses(stored, protocol)]
    hashes = {stored.password_hash for stored in there if is_hash(stored.password_hash)}
    new = [protocol for protocol in user.protocols if not uses(known[protocol], protocol)]
    return hashes.pop() if new and len(hashes) == 1 else None


def _result(users: Sequence[User], plans: Mapping[str, Plan]) -> Result:
    """The result for each of ``users`` in all protocols, as the command reports it."""
    whole = together(users, {protocol: plan.outcome for protocol, plan in plans.items()})
    return Result(
        added=sorted(whole.added),
        changed=sorted(whole.changed_users),
        removed=sorted(whole.removed),
        unchanged=sorted(whole.unchanged),
        warnings=list(whole.warnings),
    )


USED = {
    "used_bytes": "the bytes of the user's account on the file system of its home",
    "used_files": "its files and directories there",
}
"""What is used of a quota, and what it means; None where the kernel does not count it."""

_BOTH = {"scheme": "scheme", "directory": "home", "access": "access", "umask": "umask"}


def _whole(name: str, sides: Mapping[str, Mapping[str, Any] | None], said: Mapping[str, Any]) -> dict[str, Any]:
    """One user, put together from the descriptions of both protocols; the rights are those of FTPS if they differ.

    ``said`` is what the user's account says.
    """
    parts = [sides[protocol] or {} for protocol in PROTOCOLS if sides.get(protocol)]
    return {
        "name": name,
        "protocols": [protocol for protocol in PROTOCOLS if sides.get(protocol)],
        "locked": all(part["locked"] for part in parts),
        **{right: next((part[right] for part in (said, *parts) if right in part), None) for right in (*RIGHTS, *USED)},
        "ftps": _side(sides.get("ftps"), **_BOTH, obeys_account="obeys_account"),
        "sftp": _side(sides.get("sftp"), **_BOTH, keys="keys", expires="expires"),
    }


def _side(found: Mapping[str, Any] | None, **names: str) -> dict[str, Any] | None:
    return None if found is None else {ours: found[theirs] for ours, theirs in names.items()}
