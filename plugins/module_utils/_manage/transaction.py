# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""One change of users in one or more backends: done completely, undone, or finished by the next one.

The backend whose file is replaced as a whole comes last. A failure before that restores the other backends. After that
there is no way back: from the journal the next change finishes what is left to do, or what the disk has lost.
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
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import leave
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import refuse_upload_only
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import accounts_lock, note
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.halves import (
    joins,
    with_present_lock,
    with_present_rights,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.with_account import (
    expect_accounts,
    with_kept,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    Backend,
    Plan,
    Reading,
    Stored,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS, RIGHTS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    STAND_IN,
    hash_many,
    validate_rounds,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import QUOTAS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import UPLOAD_ONLY
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

LOCK_FILE = "/run/secure_ftp.server-users.lock"
LOCK_SECONDS = 120.0
"""How long a change waits for the changes before it."""

_AT_ONCE = ("comment", *QUOTAS)
"""Rights whose change ends no session: open ones have it too."""

_AHEAD = "the change is made, and the next change of users does what is left of it"

Remove = Collection[str]
"""The protocols in which the directories of removed users are deleted."""

Reopen = Callable[[str, Mapping[str, Any]], "Backend | None"]


def users_lock() -> ContextManager[None]:
    """The lock that every change of users holds; entering it raises Busy if the others take too long."""
    return accounts_lock(LOCK_FILE, LOCK_SECONDS)


def note_in_lock(text: str) -> None:
    """Say what the change that holds ``users_lock`` does, for the error of those who wait in vain."""
    with contextlib.suppress(OSError):  # then the error says less
        note(text, LOCK_FILE)


class Transaction:
    """Changes of the users of ``backends``, in this order.

    ``path`` is the journal, None for none: only root has a place for one. ``reopen`` gives the backends of a killed
    change, which may be others than these.
    """

    def __init__(self, backends: Sequence[Backend], reopen: Reopen, path: str | None = journal.PATH) -> None:
        self._backends, self._reopen, self._path = backends, reopen, path

    @contextlib.contextmanager
    def alone(self, mend: Callable[[], object] | None = None) -> Iterator[list[str]]:
        """Hold the lock for one change, after finishing what a killed one left; yield warnings about that.

        ``mend`` runs before: with a damaged database nothing can be finished.
        """
        with users_lock():
            if mend is not None:
                mend()
            yield self.finish()

    def read(self, names: Sequence[str], remove_home: Remove = ()) -> dict[str, Stored]:
        """Read what a change of ``names`` has to know."""
        return {one.protocol: one.stored(names, one.protocol in remove_home) for one in self._backends}

    def is_current(self, reading: Reading) -> bool:
        """Whether ``reading`` is still what the host has."""
        return all(backend.is_current(reading[backend.protocol]) for backend in self._backends)

    def plan(self, users: Sequence[User], remove_home: Remove, reading: Reading) -> dict[str, Plan]:
        """By protocol, what ``run`` would do."""
        users = with_kept(self._without_passwords(users, reading, dry_run=True), reading)
        wanted = with_present_rights(self._with_lock(users, reading), reading)
        return self._plans(wanted, reading, remove_home)

    def run(self, users: Sequence[User], remove_home: Remove = (), reading: Reading | None = None) -> dict[str, Plan]:
        """Make the change; return what was done, by protocol. Files are deleted last: nothing brings them back.

        ``reading`` is what ``read`` said of these users under this lock.
        """
        if reading is None:
            reading = self.read([user.name for user in users], remove_home)
        users = self._without_passwords(users, reading)
        users = with_present_rights(self._with_lock(with_kept(users, reading), reading), reading)
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
            _note_joined(done, reading)
            self._leave_folders([*users, *purged])
        except BaseException as error:  # Ctrl-C too; the journal stays when even this fails
            is_done = self._is_done(before)
            if not is_done:
                self._undo(before, [path for plan in plans.values() for path in plan.new_directories])
                self._forget()
            _say(error, _AHEAD if is_done else NOTHING)
            raise
        self._end_sessions(done)
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
            self._leave_folders(intent.users)
        except Busy:
            raise  # it stays half-done for now, and in the journal
        except (OSError, SecureFtpError) as error:
            # The disk may recover, or may still lose the change, or ftp-users repair has to run first.
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
        refuse_upload_only([user.name for user in users if user.present and user.access == UPLOAD_ONLY])
        expect_accounts(users, reading, self._reopen)
        plans = {
            one.protocol: one.plan(reading[one.protocol], users, one.protocol in remove_home) for one in self._backends
        }
        _note_joined(plans, reading)
        return plans

    def _with_lock(self, users: Sequence[User], reading: Reading) -> list[User]:
        """``users``, who stay locked when they get another protocol, be it by a change of that protocol alone."""
        names = [user.name for user in users if user.locked is None and joins(user, reading)]
        elsewhere: dict[str, Stored] = {}
        for protocol in PROTOCOLS:
            if names and self._path is not None and protocol not in reading:
                with contextlib.suppress(SecureFtpError, OSError):  # a host without this protocol
                    backend = self._reopen(protocol, {})
                    elsewhere.update({} if backend is None else {protocol: backend.stored(names)})
        return with_present_lock(users, reading, elsewhere)

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

    def _leave_folders(self, users: Sequence[User]) -> None:
        """Unmount the shared folders of those who have no account any more: what is mounted is not deleted."""
        if self._path is not None and users:
            leave([user.name for user in users])

    def _end_sessions(self, done: Mapping[str, Plan]) -> None:
        """End the sessions that accounts do not allow any more, of every protocol of this host."""
        names = sorted({name for plan in done.values() for name in plan.ending})
        if not names:
            return
        known = {backend.protocol: backend for backend in self._backends}
        for protocol in PROTOCOLS:
            backend = known.get(protocol)
            if backend is None:
                with contextlib.suppress(SecureFtpError):  # a host without this protocol
                    backend = self._reopen(protocol, {})
            if backend is not None:
                next(iter(done.values())).outcome.warnings.extend(backend.end_sessions(names))

    def _remove_homes(self, users: Sequence[User], done: Mapping[str, Plan]) -> None:
        try:
            for backend in self._backends:
                plan = done[backend.protocol]
                plan.outcome.homes_removed = backend.delete(plan) if plan.deletions else []
        except (OSError, SecureFtpError, KeyboardInterrupt) as error:
            gone = _named([user for user in users if not user.present])
            state = f"user {gone}: the user is removed, but not all files; do the same again to remove them"
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
        """Whether the file that is replaced as a whole, the last one, has been changed: then there is no way back."""
        for backend in self._backends:
            if backend.whole:
                names = list(before[backend.protocol])
                now = users_of({backend.protocol: backend.stored(names)}, names)
                return _records([backend], now) != _records([backend], before)
        return False

    def _undo(self, before: Users, made: Sequence[str]) -> None:
        """Restore everything as it was and remove the directories made for new users."""
        try:
            for backend in reversed(self._backends):
                backend.restore(before[backend.protocol])
        except (OSError, SecureFtpError, KeyboardInterrupt) as error:
            _say(error, "the change is half made, and the next change of users finishes it")
            raise
        for path in made:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def users_of(reading: Reading, names: Sequence[str]) -> dict[str, dict[str, User]]:
    """By protocol, each of ``names`` as it is stored."""
    return {protocol: {name: stored.user(name) for name in names} for protocol, stored in reading.items()}


def _note_joined(plans: Mapping[str, Plan], reading: Reading) -> None:
    """Note in each plan who of those it adds is a user of another protocol already."""
    for protocol, plan in plans.items():
        others = [stored for one, stored in reading.items() if one != protocol]
        plan.outcome.joined = [name for name in plan.outcome.added if any(stored.has(name) for stored in others)]


def _say(error: BaseException, state: str) -> None:
    """Let ``error`` say what has been changed by now. An OSError is raised again as an error with a file name."""
    if isinstance(error, OSError):
        raise file_error(str(error.filename or "the system"), "use", error, state) from error
    if isinstance(error, SecureFtpError):
        error.state = state
    if isinstance(error, KeyboardInterrupt):
        error.args = (state,)


def _records(backends: Sequence[Backend], users: Users) -> dict[str, str | None]:
    """What identifies the version of the file that is replaced as a whole; as secret as the hashes in it."""
    for backend in backends:
        if backend.whole:
            return {
                name: f"{'!' if user.locked else ''}{user.password_hash}" if user.present else None
                for name, user in users[backend.protocol].items()
            }
    return {}


def _log_finished(intent: journal.Intent, result: str) -> None:
    """Log the killed change in the name of its operator: it had no time to do so itself."""
    users = audit.whom([user.name for user in intent.users])
    priority = syslog.LOG_INFO if result == "finished" else syslog.LOG_WARNING
    audit.write(priority, f"by={audit.literal(intent.by)} with=journal finish {users}result={result}")


def _unfinished(intent: journal.Intent, backends: Sequence[Backend], reading: Reading) -> list[User]:
    """The users that the killed change did not finish.

    The file that is replaced as a whole comes last: if a record differs, all was done, or the user was changed later.
    """
    now = _records(backends, users_of(reading, [user.name for user in intent.users]))
    return [user for user in intent.users if not now or now[user.name] == intent.records.get(user.name)]


def _is_shut_out(user: User, protocol: str) -> bool:
    """Whether the sessions of ``user`` have to end."""
    given = user.password_hash is not None or user.authorized_keys is not None  # a key may have been taken away
    given = given or any(getattr(user, name) is not None for name in RIGHTS if name not in _AT_ONCE)
    return bool(user.locked) or not uses(user, protocol) or given


def _named(users: Sequence[User]) -> str:
    return listed([repr(user.name) for user in users])
