# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Fields of a user that are stored in the user's account: refused where they would have no place, or half of one."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Mapping, Optional, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import EMPTY, given, limits, no_account
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend, Reading, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import QUOTAS, given_quotas, not_counted
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

Reopen = Callable[[str, Mapping[str, Any]], Optional[Backend]]


def with_kept(users: Sequence[User], reading: Reading) -> list[User]:
    """``users``, each who loses or gets a protocol with the limits of the present account, unless they are given.

    So every protocol of the change knows them, and so does the journal.
    """
    return [_with_kept(user, reading) for user in users]


def _with_kept(user: User, reading: Reading) -> User:
    if not user.present or all(reading[one].has(user.name) == (one in user.protocols) for one in reading):
        return user
    said = [one.of_account(user.name) for one in reading.values()]
    kept = [name for name in EMPTY if name != "comment"]
    there = {name: one[name] for one in said for name in kept if name in one and one[name] != EMPTY[name]}
    return user._replace(**{name: value for name, value in there.items() if getattr(user, name) is None})


def expect_accounts(users: Sequence[User], reading: Reading, reopen: Reopen) -> None:
    """Refuse users with fields that are stored in an account, if they have none after this change, or no daemon obeys.

    ``reading`` is what the protocols of this change have; ``reopen`` gives those that it is not about. Raises
    InvalidInput.
    """
    _expect_counted(users, reading, reopen)
    for user in users:
        if not user.present or not given(user):
            continue
        if "sftp" not in reading:
            _expect_same(user, reopen)
        elif not any(stored.gives_account(user) for stored in reading.values()):
            raise InvalidInput.of(no_account(f"user {user.name!r}", given(user)))
        elif "ftps" not in reading and limits(user):
            _expect_obeyed(user, reopen)


def _expect_counted(users: Sequence[User], reading: Reading, reopen: Reopen) -> None:
    """Refuse a quota of a user who has, or gets, FTPS with sessions of another account: only half would be counted."""
    ftps = reading.get("ftps")
    if ftps is None:
        limited = [user for user in users if user.present and given_quotas(user)]
        ftps = _of_other("ftps", limited, reopen)
        uncounted = [user for user in limited if ftps and ftps.has(user.name) and not ftps.counts(user.name)]
    else:
        whose = [user for user in users if uses(user, "ftps") and not ftps.counts(user.name)]
        new = [user for user in whose if not given_quotas(user) and not ftps.has(user.name)]
        sftp = _of_other("sftp", new, reopen) if "sftp" not in reading else None
        has = {one.name: _quotas_of(sftp, one.name) for one in new}
        uncounted = [user for user in (one._replace(**has.get(one.name, {})) for one in whose) if given_quotas(user)]
    if uncounted:
        user = uncounted[0]
        raise InvalidInput.of(not_counted(f"user {user.name!r}", given_quotas(user)))


def _quotas_of(stored: Stored | None, name: str) -> dict[str, Any]:
    said = stored.of_account(name) if stored else {}
    return {what: said[what] for what in QUOTAS if what in said}


def _of_other(protocol: str, users: Sequence[User], reopen: Reopen) -> Stored | None:
    """What ``protocol``, which is no part of this change, has of ``users``; None on a host without it."""
    with contextlib.suppress(SecureFtpError):
        backend = reopen(protocol, {}) if users else None
        if backend is not None:
            stored: Stored = backend.stored([user.name for user in users])
            return stored
    return None


def _expect_same(user: User, reopen: Reopen) -> None:
    """Accept what the account says already: the account is not a part of this change."""
    other: dict[str, Any] = {}
    try:
        backend = reopen("sftp", {})
        if backend is not None:
            other = backend.stored([user.name]).of_account(user.name)
    except SecureFtpError:
        pass  # then there is none that could be changed
    different = [name for name in given(user) if getattr(user, name) != other.get(name)]
    if different:
        raise InvalidInput(
            f"user {user.name!r}",
            f"a change of both protocols, since {' and '.join(different)} is stored in the account of SFTP",
            found="a change of FTPS only",
            remedy="leave db and protocols of the module out, or leave this out",
            state=NOTHING,
        )


def _expect_obeyed(user: User, reopen: Reopen) -> None:
    """Refuse a limit that FTPS, which is not a part of this change, would not obey."""
    is_ignored = False
    try:
        backend = reopen("ftps", {})
        if backend is not None:
            described = backend.stored([user.name]).described(user.name)
            is_ignored = described is not None and not described["obeys_account"]
    except SecureFtpError:
        pass  # then this host does not serve FTPS
    if is_ignored:
        what = " and ".join(limits(user))
        remedy = "change both protocols, with the module ftp_user, or apply the role pam_userdb"
        raise InvalidInput(
            f"user {user.name!r}",
            f"vsftpd's PAM service to obey accounts, for {what}",
            found="one that does not ask them",
            remedy=f"{remedy}, or leave {what} out",
            state=NOTHING,
        )
