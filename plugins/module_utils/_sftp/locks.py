# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How the account of an SFTP user is locked, and when it expires: the only reading of shadow(5) for this."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    LOCKED_SINCE,
    NO_PASSWORD,
    PENDING,
    Accounts,
)

_EPOCH = datetime.date(1970, 1, 1)

# A lock stores the previous expiry before the password, where unlocking finds it.
_LOCKED = re.compile(r"!(?:expires=(?P<day>[0-9]+)!)?(?P<stored>.+)")


class LockState(NamedTuple):
    """How an account is locked: ``full`` denies password and key, ``mark`` stands before the password ``stored``.

    ``mark`` alone is what ``passwd --lock`` does: keys still work.
    """

    full: bool
    mark: str
    stored: str
    day: str

    @property
    def is_pending(self) -> bool:
        """Whether no password was ever set, because creation was interrupted. A locked account may look the same."""
        return self.stored in PENDING and not self.full

    @property
    def unlocked(self) -> str:
        """The password to store without the lock; if none was ever set, the one that allows log-ins by key only."""
        return NO_PASSWORD if self.stored in PENDING else self.stored

    @property
    def has_password(self) -> bool:
        """Whether there is a password, locked or not."""
        return self.stored not in PENDING and self.stored != NO_PASSWORD


def lock_state(accounts: Accounts, name: str) -> LockState:
    """Read the lock of account ``name``; ``day`` is the expiry it has without the lock, days since 1970 or empty.

    Without an account nothing is locked: a line of shadow(5) may be left from a removed account.
    """
    if name not in accounts.users:
        return LockState(False, "", "!", "")
    stored, expires = accounts.passwords.get(name, "!"), accounts.expires.get(name, "")
    full = expires == LOCKED_SINCE
    plain = LockState(full, "", stored, "" if full else expires)
    parts = _LOCKED.match(stored)
    if parts is None or plain.is_pending:
        return plain
    behind = parts.group("stored")
    mark = stored[: len(stored) - len(behind)]
    return LockState(full, mark, behind, (parts.group("day") or "") if full else expires)


def is_shut(state: LockState, has_keys: bool) -> bool:
    """Whether every log-in is denied.

    The account is locked, or only its password is (``passwd --lock``) and it has no key.
    """
    return state.full or (bool(state.mark) and not has_keys)


def expiry(state: LockState) -> datetime.date | None:
    """The day from which the account expires, set by chage(1) or an administrator; our own lock does not count."""
    return _EPOCH + datetime.timedelta(days=int(state.day)) if re.fullmatch("[0-9]{1,6}", state.day) else None
