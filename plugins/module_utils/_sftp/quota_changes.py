# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan how much users may store (see _host/quotas.py). Touches nothing.

A limit belongs to a user id. So a new account gets its own even if it is none, as another program may have left one,
and the limit of an account goes before the account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import size_said
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Limit, Usage
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import SetQuotas
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import QUOTAS, given_quotas
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


@dataclass
class QuotaChanges:
    """The changes, by user name."""

    limits: dict[str, Limit] = field(default_factory=dict)
    """The limits that are to be, of new accounts and of those whose limits change."""

    wider: set[str] = field(default_factory=set)
    """Those who get more than before."""

    problem: Problem | None = None
    """Why a wanted limit cannot be enforced."""

    warnings: list[str] = field(default_factory=list)

    def add(self, stored: Stored, user: User) -> list[str]:
        """Plan the limits of ``user``, who may be new; return the names of the fields that change."""
        counted = stored.counted_of(user.name)
        if given_quotas(user) and not counted.works and self.problem is None:
            what = f"user {user.name!r}: {' and '.join(given_quotas(user))}"
            self.problem = counted.problem.about(what) if counted.problem else Problem(what, found="nothing counts")
        account = stored.accounts.users.get(user.name)
        usage = counted.of(account.uid) if account else Usage()
        there = usage.limit
        wanted = Limit(*(old if new is None else new for old, new in zip(there, (user.quota, user.quota_files))))
        if account is None or wanted != there:
            self.limits[user.name] = wanted
        if wanted == there:
            return []
        if account and all(new == 0 or new >= old > 0 for old, new in zip(there, wanted)):
            self.wider.add(user.name)
        self._warn(user.name, usage, wanted)
        return [what for what, old, new in zip(QUOTAS, there, wanted) if old != new]

    def _warn(self, name: str, usage: Usage, wanted: Limit) -> None:
        has, ends = f"user {name!r}: has", "so nothing can be uploaded until some are deleted"
        if 0 < wanted.size < usage.size:
            said = f"{usage.size} bytes, more than the quota of {size_said(wanted.size)}"
            self.warnings.append(f"{has} {said}, {ends}")
        if 0 < wanted.files < usage.files:
            self.warnings.append(f"{has} {usage.files} files, more than the quota_files of {wanted.files}, {ends}")

    def steps(self, stored: Stored, uids: Mapping[str, int]) -> tuple[list[Any], list[Any]]:
        """The steps before there are credentials, and those for more than before; ``uids`` are of new accounts."""
        users = stored.accounts.users
        early: dict[str, tuple[int, Limit]] = {}
        late: dict[str, tuple[int, Limit]] = {}
        for name, limit in self.limits.items():
            uid = uids[name] if name in uids else users[name].uid if name in users else None
            if uid is not None and stored.counted_of(name).of(uid).limit != limit:
                (late if name in self.wider else early)[name] = (uid, limit)
        return _steps(stored, early), _steps(stored, late)


def taken_away(stored: Stored, names: Sequence[str]) -> list[Any]:
    """Take the limits of accounts away that are to be removed, unless another account has the same user id."""
    users, gone = stored.accounts.users, set(names)
    staying = {one.uid for one in users.values() if one.name not in gone}
    limited = {
        name: (users[name].uid, Limit())
        for name in names
        if users[name].uid not in staying and stored.counted_of(name).of(users[name].uid).limit != Limit()
    }
    return _steps(stored, limited)


def _steps(stored: Stored, limits: Mapping[str, tuple[int, Limit]]) -> list[Any]:
    """One step for each file system."""
    found: dict[str, dict[str, tuple[int, Limit]]] = {}
    for name, limit in limits.items():
        found.setdefault(stored.counted_of(name).device, {})[name] = limit
    return [SetQuotas(device, one) for device, one in found.items() if device]
