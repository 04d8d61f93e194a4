# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""One change of users in one or more backends: whole, undone, or finished by the next one.

The backend that is replaced whole comes last: once it is changed there is no way back, and what is left to do, or the
disk may yet lose, the journal finishes. Before that the others are put back as they were.
"""

from __future__ import annotations

import contextlib
import os
import syslog
from typing import Any, Callable, Collection, ContextManager, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    Busy,
    DamagedStore,
    NotDurable,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import accounts_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    Backend,
    Plan,
    Reading,
    Stored,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    STAND_IN,
    hash_many,
    validate_rounds,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

LOCK_FILE = "/run/secure_ftp.server-users.lock"
LOCK_SECONDS = 120.0
"""How long a change waits for the changes before it."""

_AHEAD = "the change is made, and what is left of it is done by the next change of users"

Remove = Collection[str]
"""The protocols whose directories of removed users are deleted."""

Reopen = Callable[[str, Mapping[str, Any]], "Backend | None"]


def users_lock() -> ContextManager[None]:
    """The lock that every change of users holds; entering it raises Busy when they take too long."""
    return accounts_lock(LOCK_FILE, LOCK_SECONDS)


class Transaction:
    """Changes of the users of ``backends``, in this order.

    ``path`` is the journal, None for none: who is not root has no place for one. ``reopen`` gives the backends that a
    killed change had; they need not be these.
    """

    def __init__(self, backends: Sequence[Backend], reopen: Reopen, path: str | None = journal.PATH) -> None:
        self._backends, self._reopen, self._path = backends, reopen, path

    @contextlib.contextmanager
    def alone(self, mend: Callable[[], object] | None = None) -> Iterator[list[str]]:
        """Let one change at a time run, after what a killed one left is finished; yield warnings about that.

        ``mend`` comes before: by a damaged database nothing can be finished.
        """
        with users_lock():
            if mend is not None:
                mend()
            yield self.finish()

    def read(self, names: Sequence[str], remove_home: Remove = ()) -> dict[str, Stored]:
        """Read what a change of ``names`` has to know."""
        return {one.protocol: one.stored(names, one.protocol in remove_home) for one in self._backends}

    def is_current(self, reading: Reading) -> bool:
        """Whether the host still says what it said."""
        return all(backend.is_current(reading[backend.protocol]) for backend in self._backends)

    def plan(self, users: Sequence[User], remove_home: Remove, reading: Reading) -> dict[str, Plan]:
        """By protocol, what ``run`` would do."""
        return self._plans(self._without_passwords(users, reading, dry_run=True), reading, remove_home)

    def run(self, users: Sequence[User], remove_home: Remove = (), reading: Reading | None = None) -> dict[str, Plan]:
        """Do it; return what was done by protocol. ``remove_home`` comes last: nothing brings files back.

        ``reading`` is what ``read`` said of these users under this lock.
        """
        if reading is None:
            reading = self.read([user.name for user in users], remove_home)
        users = self._without_passwords(users, reading)
        plans = self._plans(users, reading, remove_home)
        if not any(plan.outcome.changed for plan in plans.values()):
            return plans
        named = {user.name for user in users}
        gone = sorted({name for plan in plans.values() for name in plan.outcome.removed} - named)
        purged = [User(name, present=False) for name in gone]
        before = users_of(reading, [*named, *gone])
        for backend in self._backends:
            backend.expect_ready(plans[backend.protocol])
        self._remember([*users, *purged], before)
        try:
            done = {backend.protocol: backend.apply(plans[backend.protocol]) for backend in self._backends}
        except BaseException as error:  # Ctrl-C too; the journal stays when even this fails
            is_done = self._is_done(before)
            if not is_done:
                self._undo(before, [path for plan in plans.values() for path in plan.new_directories])
                self._forget()
            _say(error, _AHEAD if is_done else NOTHING)
            raise
        self._forget()
        self._remove_homes([*users, *purged], done)
        return done

    def finish(self) -> list[str]:
        """Finish what a killed change has left half-done; return warnings about it."""
        if self._path is None:
            return []
        intent = journal.read(self._path)
        if intent is None:
            journal.remove(self._path)
            return []
        rest: list[User] = []
        warnings: list[str] = []
        try:
            found = [self._reopen(protocol, place) for protocol, place in intent.places.items()]
            backends = [backend for backend in found if backend is not None]
            names = [user.name for user in intent.users]
            reading = {backend.protocol: backend.stored(names) for backend in backends}
            rest = _unfinished(intent, backends, reading)
            for backend in backends:
                shut_out = [user.name for user in intent.users if _is_shut_out(user, backend.protocol)]
                warnings += backend.end_sessions(shut_out)
            plans = [backend.apply(backend.plan(reading[backend.protocol], rest)) for backend in backends]
        except Busy:
            raise  # it stays half-done for now, and is remembered
        except (OSError, SecureFtpError) as error:
            # Of the disk, so not for ever; or the disk may lose it yet; or ftp-users repair comes first.
            if isinstance(error, (OSError, NotDurable, DamagedStore)) or isinstance(error.__cause__, OSError):
                state = f"a change of {_named(intent.users)} that was interrupted has to be finished first; {NOTHING}"
                _say(error, state)
                raise
            warnings.append(f"user {_named(rest)}: an interrupted change could not be finished: {error}")
            _log_finished(intent, error.code)
        else:
            if any(plan.outcome.changed for plan in plans):
                warnings.append(f"user {_named(rest)}: an interrupted change was finished first")
            _log_finished(intent, "finished")
        journal.remove(self._path)
        return warnings

    # --- its steps -------------------------------------------------------------------------------------------------

    def _plans(self, users: Sequence[User], reading: Reading, remove_home: Remove) -> dict[str, Plan]:
        return {
            one.protocol: one.plan(reading[one.protocol], users, one.protocol in remove_home) for one in self._backends
        }

    def _without_passwords(self, users: Sequence[User], reading: Reading, dry_run: bool = False) -> list[User]:
        """``users`` with hashes instead of passwords, so that no password reaches the journal.

        A password that is stored already on every protocol of its user is left as it is.
        """
        rounds = self._backends[0].rounds
        validate_rounds(rounds)
        given = [user for user in users if user.password is not None]
        if not given:
            return list(users)
        settled = {one.protocol: one.settled(reading[one.protocol], given) for one in self._backends}
        to_hash = [
            user
            for user in given
            if user.present and not all(user.name in settled.get(one, {user.name}) for one in user.protocols)
        ]
        made = [STAND_IN] * len(to_hash) if dry_run else hash_many([one.password or "" for one in to_hash], rounds)
        hashes = dict(zip((user.name for user in to_hash), made))
        return [
            user if user.password is None else user._replace(password=None, password_hash=hashes.get(user.name))
            for user in users
        ]

    def _remove_homes(self, users: Sequence[User], done: Mapping[str, Plan]) -> None:
        try:
            for backend in self._backends:
                plan = done[backend.protocol]
                plan.outcome.homes_removed = backend.delete(plan) if plan.deletions else []
        except (OSError, SecureFtpError) as error:
            gone = _named([user for user in users if not user.present])
            state = f"user {gone}: removed already, but not all of the files; do the same again to remove them"
            _say(error, state)
            raise

    def _remember(self, users: Sequence[User], before: Users) -> None:
        if self._path is not None:
            places = {backend.protocol: backend.place() for backend in self._backends}
            journal.write(journal.Intent(users, _records(self._backends, before), places, audit.operator()), self._path)

    def _forget(self) -> None:
        if self._path is not None:
            journal.remove(self._path)

    def _is_done(self, before: Users) -> bool:
        """Whether what is replaced whole, and comes last, has been changed: then there is no way back."""
        for backend in self._backends:
            if backend.whole:
                names = list(before[backend.protocol])
                now = users_of({backend.protocol: backend.stored(names)}, names)
                return _records([backend], now) != _records([backend], before)
        return False

    def _undo(self, before: Users, made: Sequence[str]) -> None:
        """Put everything back as it was and take away the directories made for new users."""
        try:
            for backend in reversed(self._backends):
                backend.restore(before[backend.protocol])
        except (OSError, SecureFtpError) as error:
            _say(error, "the change is made by half, and finished by the next change of users")
            raise
        for path in made:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def users_of(reading: Reading, names: Sequence[str]) -> dict[str, dict[str, User]]:
    """By protocol, each of ``names`` as it is."""
    return {protocol: {name: stored.user(name) for name in names} for protocol, stored in reading.items()}


def _say(error: BaseException, state: str) -> None:
    """Let ``error`` say what has been changed by now. Raises it anew where it is of the system, with a name."""
    if isinstance(error, OSError):
        raise file_error(str(error.filename or "the system"), "use", error, state) from error
    if isinstance(error, SecureFtpError):
        error.state = state


def _records(backends: Sequence[Backend], users: Users) -> dict[str, str | None]:
    """Tell versions of what is replaced whole apart; as secret as what they are made of."""
    for backend in backends:
        if backend.whole:
            return {
                name: f"{'!' if user.locked else ''}{user.password_hash}" if user.present else None
                for name, user in users[backend.protocol].items()
            }
    return {}


def _log_finished(intent: journal.Intent, result: str) -> None:
    """Log the change that was killed, in the name of who made it: it had no time to do so itself."""
    users = audit.whom([user.name for user in intent.users])
    priority = syslog.LOG_INFO if result == "finished" else syslog.LOG_WARNING
    audit.write(priority, f"by={audit.literal(intent.by)} with=journal finish {users}result={result}")


def _unfinished(intent: journal.Intent, backends: Sequence[Backend], reading: Reading) -> list[User]:
    """Whom the killed change did not get to.

    What is replaced whole comes last: where the record is another one, all was done, or somebody was here since.
    """
    now = _records(backends, users_of(reading, [user.name for user in intent.users]))
    return [user for user in intent.users if not now or now[user.name] == intent.records.get(user.name)]


def _is_shut_out(user: User, protocol: str) -> bool:
    """Whether who is logged in as ``user`` was to be logged out."""
    given = user.password_hash is not None or user.authorized_keys is not None  # a key may have been taken away
    return bool(user.locked) or not uses(user, protocol) or given


def _named(users: Sequence[User]) -> str:
    return listed([repr(user.name) for user in users])
