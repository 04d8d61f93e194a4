# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""SFTP users as they are: where their jail is, how they are locked, what keys they have."""

from __future__ import annotations

import datetime
import os
import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    LOCKED_SINCE,
    NO_PASSWORD,
    PENDING,
    Accounts,
    read_accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_DIRECTORY,
    DEFAULT_KEYS_DIRECTORY,
    Jail,
    Setting,
    allows_passwords,
    discovered_directory,
    discovered_keys_directory,
    find_jail,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import scheme
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person

_EPOCH = datetime.date(1970, 1, 1)

# A lock keeps an expiry that was there before it in front of the password, where unlocking finds it.
_LOCKED = re.compile(r"!(?:expires=(?P<day>[0-9]+)!)?(?P<stored>.+)")


class LockState(NamedTuple):
    """How an account is locked: ``full`` shuts out password and key, ``mark`` stands before the password ``stored``.

    ``mark`` alone is what ``passwd --lock`` does: keys still work.
    """

    full: bool
    mark: str
    stored: str
    day: str


def lock_state(accounts: Accounts, name: str) -> LockState:
    """Read the lock of account ``name``; ``day`` is the expiry it has without the lock, days since 1970 or empty.

    Without an account nothing is locked: a line of shadow(5) may be left of somebody who is gone.
    """
    if name not in accounts.users:
        return LockState(False, "", "!", "")
    stored, expires = accounts.passwords.get(name, "!"), accounts.expires.get(name, "")
    full = expires == LOCKED_SINCE
    parts = _LOCKED.match(stored)
    if parts is None or (stored in PENDING and not full):
        return LockState(full, "", stored, "" if full else expires)
    behind = parts.group("stored")
    mark = stored[: len(stored) - len(behind)]
    return LockState(full, mark, behind, (parts.group("day") or "") if full else expires)


def is_shut(state: LockState, has_keys: bool) -> bool:
    """Whether nobody gets in: the account is locked, or (``passwd --lock``) its password is, and it has no key."""
    return state.full or (bool(state.mark) and not has_keys)


def expiry(state: LockState) -> datetime.date | None:
    """The day from which the account expires, set by chage(1) or an administrator; our own lock does not count."""
    return _EPOCH + datetime.timedelta(days=int(state.day)) if re.fullmatch("[0-9]{1,6}", state.day) else None


def describe(group: str, name: str | None = None, config: str = CONFIG, etc: str = "/etc") -> list[dict[str, Any]]:
    """Return the members of ``group``: name, scheme of the password (None without one), lock, expiry, home and keys."""
    accounts = read_accounts(etc, only=None if name is None else {name})
    jail = jail_of(group, config)
    names = [user for user in accounts.members(group) if name in (None, user)]
    try:
        with_keys = {entry.name for entry in os.scandir(jail.keys_directory)} if names else set()
    except OSError:
        with_keys = set()
    described = []
    for user in names:
        state = lock_state(accounts, user)
        usable = state.stored not in PENDING and state.stored != NO_PASSWORD
        keys = len(read_keys(jail.keys_directory, user)) if user in with_keys else 0
        end = expiry(state)
        described.append(
            {
                "name": user,
                "scheme": scheme(state.stored) if usable else None,
                "locked": is_shut(state, bool(keys)),
                "expires": end.isoformat() if end else None,
                "home": os.path.join(jail.directory, user),
                "keys": keys,
            }
        )
    return described


def read_keys(keys_directory: str, name: str) -> list[str]:
    """Return the lines of ``name``'s key file that hold a key; none when there is no file."""
    try:
        fd = os.open(os.path.join(keys_directory, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise file_error(os.path.join(keys_directory, name), "read", error) from error
    with open(fd, "rb") as file:
        lines = file.read().decode("utf-8", "surrogateescape").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def as_they_are(names: Iterable[str], group: str, config: str = CONFIG, etc: str = "/etc") -> dict[str, Person]:
    """Return each of ``names`` as a Person of SFTP that ``reconcile`` would leave unchanged."""
    accounts = read_accounts(etc)
    jail = jail_of(group, config)
    members = set(accounts.members(group))
    people = {}
    for name in names:
        if name not in members:
            people[name] = Person(name, present=False)
            continue
        state = lock_state(accounts, name)
        keys = tuple(read_keys(jail.keys_directory, name))
        locked = None if state.mark and not state.full else state.full
        people[name] = Person(name, True, None, state.stored, ("sftp",), keys, locked)
    return people


def jail_of(group: str, config: str = CONFIG) -> Jail:
    """Return the jail of ``group`` in sshd's configuration, with this library's places where it is silent."""
    return locate(read_settings(config), group)[0]


def locate(
    settings: Sequence[Setting], group: str, directory: str | None = None, keys_directory: str | None = None
) -> tuple[Jail, Mapping[str, Setting]]:
    """Return the jail of ``group`` and what ``settings`` say about it; ``directory`` and ``keys_directory`` win."""
    found = find_jail(settings, group)
    directory = os.path.normpath(directory or discovered_directory(found, group) or DEFAULT_DIRECTORY)
    keys_directory = os.path.normpath(keys_directory or discovered_keys_directory(found) or DEFAULT_KEYS_DIRECTORY)
    return Jail(group, directory, keys_directory, allows_passwords(found)), found
