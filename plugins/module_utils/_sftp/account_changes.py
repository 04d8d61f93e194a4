# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan the changes of what an account says about its user (see _users/account.py). Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.quota_changes import QuotaChanges
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.source_changes import SourceChanges, expect_pam
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import SetGecos
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import comment_in, day_of
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


@dataclass
class AccountChanges:
    """The changes, by user name."""

    gecos: dict[str, str] = field(default_factory=dict)
    """The field of passwd(5) with the comment, of new accounts too."""

    sources: SourceChanges = field(default_factory=SourceChanges)
    quotas: QuotaChanges = field(default_factory=QuotaChanges)

    parts: dict[str, list[str]] = field(default_factory=dict)
    """The names of the fields that change, of accounts that are there."""

    later: set[str] = field(default_factory=set)
    """Users who may log in for longer than before."""

    shut_out: set[str] = field(default_factory=set)
    """Users who may not go on, in any protocol: the new day of expiry has come, or there are fewer sources."""

    def add(self, stored: Stored, user: User) -> None:
        """Plan the changes of the account of ``user``, which may be a new one."""
        account = stored.accounts.users.get(user.name)
        if user.comment is not None and comment_in(user.comment) != comment_in(account.gecos if account else ""):
            self.gecos[user.name] = user.comment
            if account:
                self.parts.setdefault(user.name, []).append("comment")
        if user.expires is not None:
            self._add_expiry(stored, user.name, day_of(user.expires))
        if self.sources.add(stored, user, account is None) and account:
            self.parts.setdefault(user.name, []).append("allowed_sources")
            if user.name not in self.sources.wider:
                self.shut_out.add(user.name)
        differ = self.quotas.add(stored, user)
        if differ and account:
            self.parts.setdefault(user.name, []).extend(differ)

    def _add_expiry(self, stored: Stored, name: str, day: str) -> None:
        """Note what another expiry means; the step is planned with the lock, which shares its field of shadow(5)."""
        there = lock_state(stored.accounts, name).day
        if day:  # without PAM sshd looks at the account itself, and lets the user in for one more day
            expect_pam(stored, name, "expires")
        if day == there or name not in stored.accounts.users:
            return
        self.parts.setdefault(name, []).append("expires")
        if there.isdigit() and (not day or int(day) > int(there)):
            self.later.add(name)
        elif day and int(day) <= stored.today:
            self.shut_out.add(name)

    def steps(self, stored: Stored) -> list[Any]:
        """Change accounts that are there; new ones are created with everything."""
        texts = {name: text for name, text in self.gecos.items() if name in stored.accounts.users}
        return [SetGecos(texts)] if texts else []
