# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The two halves of a user, FTPS and SFTP: what is meant for one never changes or locks the other silently."""

from __future__ import annotations

import contextlib
from typing import Callable, Container, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError, UserExists
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import NO_PASSWORD, PENDING
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend, Reading, Stored, Users
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

_NONE = frozenset((None, NO_PASSWORD, *PENDING))
"""What is stored if there is no password."""


def expect_no_silent_change(user: User, has: Sequence[str], edit: str, passwd: str) -> None:
    """Refuse a password that is given only for added protocols, if the user already ``has`` another protocol.

    ``edit`` and ``passwd`` are the commands that the error names.
    """
    new = [protocol for protocol in user.protocols if protocol not in has]
    if has and gives_password(user) and len(new) == len(user.protocols):
        name, there = user.name, " and ".join(has)
        raise UserExists(
            f"user {name!r}",
            found=f"has {there} already, and the new password would replace the present one",
            remedy=f"to add {' and '.join(new)} with the present password: {edit}; to change both: {passwd}, or name"
            " both protocols",
        )


def with_password(users: Users, name: str) -> list[str]:
    """The protocols by which ``name`` has a password."""
    return [one for one, there in users.items() if uses(there[name], one) and there[name].password_hash not in _NONE]


def other_passwords(users: Sequence[User], backend: Backend, stored: Stored) -> list[str]:
    """The names of those ``users`` whose password ``stored`` in ``backend`` differs from the given one."""
    given = [user for user in users if user.present and gives_password(user)]
    known = {user.name: stored.user(user.name) for user in given}
    there = [user for user in given if with_password({backend.protocol: known}, user.name)]
    plain = [user._replace(protocols=(backend.protocol,)) for user in there if user.password is not None]
    right = backend.settled(stored, plain) if plain else set()
    return [
        user.name for user in there if user.name not in right and user.password_hash != known[user.name].password_hash
    ]


def joined(users: Sequence[User], reading: Reading, backends: Sequence[Backend]) -> list[str]:
    """Warn about users whose present password is replaced because a list adds a protocol to them."""
    warnings = []
    before = {one: {user.name: stored.user(user.name) for user in users} for one, stored in reading.items()}
    for backend in backends:
        stays = [user for user in users if user.present and uses(before[backend.protocol][user.name], backend.protocol)]
        joining = [user for user in stays if any(not uses(before[one][user.name], one) for one in _of(user, before))]
        replacing = [user for user in joining if backend.protocol in user.protocols]
        there = backend.protocol.upper()
        warnings += [
            f"user {name!r}: has only {there} so far and gets both; the given password replaces the one for {there}"
            for name in other_passwords(replacing, backend, reading[backend.protocol])
        ]
    return warnings


def with_present_rights(users: Sequence[User], reading: Reading) -> list[User]:
    """``users``, each who gets another protocol with the rights of the one that the user has, unless they are given."""
    return [_with_present_rights(user, reading) for user in users]


def _with_present_rights(user: User, reading: Reading) -> User:
    has = [one for one in reading if reading[one].has(user.name)]
    if not has or not joins(user, reading):
        return user
    there = [reading[one].user(user.name) for one in has]
    access = there[0].access if user.access is None else user.access
    umask = there[0].umask if user.umask is None and user.access is None else user.umask
    rate = user.ftps_max_rate if user.ftps_max_rate is not None else there[0].ftps_max_rate
    return user._replace(access=access, umask=umask, ftps_max_rate=rate)


def with_present_lock(users: Sequence[User], reading: Reading, elsewhere: Reading) -> list[User]:
    """``users``, each who is locked and gets another protocol locked in that too, unless ``locked`` is given.

    ``elsewhere`` is what is stored in protocols that the change leaves as they are. An account of which only the
    password is locked (``passwd --lock``) counts as locked: the other protocol would accept the password.
    """
    return [
        user._replace(locked=True)
        if user.locked is None and joins(user, reading) and _is_locked(user, {**elsewhere, **reading})
        else user
        for user in users
    ]


def joins(user: User, reading: Reading) -> bool:
    """Whether ``user`` is new in a protocol."""
    return user.present and any(not reading[one].has(user.name) for one in _of(user, reading))


def _is_locked(user: User, reading: Reading) -> bool:
    has = [stored for stored in reading.values() if stored.has(user.name)]
    return any(stored.user(user.name).locked is not False for stored in has)


def untouched(user: User, protocol: str, reopen: Callable[[str, Mapping[str, object]], Backend | None]) -> list[str]:
    """Warn if a change of ``user`` in ``protocol`` alone leaves the other protocol different.

    No warning if the other one cannot be read, as on a host without it.
    """
    (other,) = (one for one in PROTOCOLS if one != protocol)
    with contextlib.suppress(SecureFtpError, OSError):
        backend = reopen(other, {})
        if backend is not None:
            return _left(user, protocol.upper(), backend)
    return []


def _left(user: User, ours: str, backend: Backend) -> list[str]:
    name, theirs = user.name, backend.protocol.upper()
    stored = backend.stored([name])
    there = stored.user(name)
    if not uses(there, backend.protocol):
        return []
    both = f"this module changes only {ours}; for both:"
    if not user.present or (user.locked and not there.locked):
        verb = "lock" if user.present else "del"
        return [] if there.locked else [f"user {name!r}: can still log in by {theirs}: {both} ftp-users {verb} {name}"]
    warnings = []
    if other_passwords([user], backend, stored):
        warnings.append(f"user {name!r}: keeps another password for {theirs}: {both} ftp-users passwd {name}")
    edit = f"{both} ftp-users edit {name}"
    for field, option in (("access", "--access"), ("umask", "--umask")):
        given, kept = getattr(user, field), getattr(there, field)
        if given is not None and given != kept:
            warnings.append(f"user {name!r}: keeps {field} {kept} for {theirs}: {edit} {option} {given}")
    return warnings


def two_hashes(users: Users, names: Sequence[str]) -> list[str]:
    """Warn about those of ``names`` who have two hashes, of which an export has only one."""
    found = [name for name in names if len({users[one][name].password_hash for one in with_password(users, name)}) > 1]
    if not found:
        return []
    who = listed(list(map(repr, found)))
    return [
        f"user {who}: FTPS and SFTP have different hashes, perhaps of the same password; the export has that of FTPS,"
        " and importing it sets it for both"
    ]


def gives_password(user: User) -> bool:
    """Whether ``user`` is to get a password, or the hash of one."""
    return user.password is not None or user.password_hash is not None


def _of(user: User, before: Container[str]) -> list[str]:
    return [protocol for protocol in user.protocols if protocol in before]
