# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""SFTP as a backend: the users are the members of one group, accounts of this host."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import read_accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import apply, plan, steps
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import (
    Place,
    Stored,
    describe,
    is_current,
    locate,
    of_accounts,
    read_state,
    with_accounts_for_all,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import shut_class
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    Jail,
    classes_in,
    discovered_group,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Plan
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


class Sftp:
    """The users of the group in ``rules``; ``etc`` contains the account files.

    ``accounts_for_all`` is for check mode: as if sshd already knew the class of accounts that cannot log in.
    """

    protocol = "sftp"
    whole = False

    def __init__(self, rules: Rules, etc: str = "/etc", accounts_for_all: bool = False) -> None:
        self.rules, self._accounts_for_all = rules, accounts_for_all
        self.rounds, self.purge = rules.rounds, rules.purge
        self._place = Place(rules.group, rules.config, rules.directory, rules.keys_directory, etc)

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> Sftp:
        """Return the backend of a ``place`` from an earlier process, or else of sshd's configuration."""
        rules = place.get("rules") or {}
        return cls(Rules.of(rules if "group" in rules else {**rules, "group": discovered_group(read_settings())}))

    def place(self) -> dict[str, Any]:
        return {"rules": asdict(replace(self.rules, purge=False))}

    def jail(self) -> Jail:
        """The jail of the users."""
        rules = self.rules
        return locate(read_settings(rules.config), rules.group, rules.directory, rules.keys_directory)[0]

    @property
    def has_accounts(self) -> bool:
        settings = read_settings(self.rules.config)
        return shut_class(self.rules.group) in classes_in(settings, self.rules.group)

    def let_accounts_in(self) -> None:
        """Let sshd know the class of accounts that cannot log in: from then on, users of other protocols get one."""
        shut, group = shut_class(self.rules.group), self.rules.group
        accounts = read_accounts(self._place.etc)
        if shut not in accounts.groups or not self.has_accounts:
            new = () if shut in accounts.groups else (shut,)
            apply.ready_classes(steps.ReadyClasses((shut,), new, group, self.rules.config))

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        return describe(self.rules.group, name, self.rules.config, self._place.etc)

    def of_accounts(self, name: str | None = None) -> dict[str, dict[str, Any]]:
        return of_accounts(self.rules.group, name, self.rules.config, self._place.etc)

    def stored(self, names: Sequence[str], remove_home: bool = False) -> Stored:
        found = read_state(self._place, names, mounts=remove_home, purge=self.rules.purge)
        return with_accounts_for_all(found) if self._accounts_for_all else found

    def is_current(self, stored: Stored) -> bool:
        return is_current(stored)

    def settled(self, stored: Stored, users: Sequence[User]) -> set[str]:
        return plan.settled(stored, users, self.rules)

    def plan(self, stored: Stored, users: Sequence[User], remove_home: bool = False) -> Plan:
        # A name such as ``../x``, which another program wrote into the database of FTPS, has no account and no files.
        return plan.make_plan(stored, [user for user in users if is_component(user.name)], self.rules, remove_home)

    def after(self, done: Plan) -> Stored:
        return plan.after(done)

    def expect_ready(self, wanted: Plan) -> None:
        wanted.expect_ready()

    def apply(self, wanted: Plan) -> Plan:
        return apply.apply(wanted, self._again)

    def _again(self, wanted: Plan) -> Plan:
        """``wanted``, or a new plan if account files, keys or sshd's configuration have changed since."""
        if is_current(wanted.stored):
            return wanted
        names = [user.name for user in wanted.users]
        return self.plan(self.stored(names, wanted.remove_home), wanted.users, wanted.remove_home)

    def delete(self, done: Plan) -> list[str]:
        return apply.delete(done)

    def restore(self, before: Mapping[str, User]) -> None:
        users = [user for user in before.values() if is_component(user.name)]
        rules = replace(self.rules, purge=False, update_password="always", jail_check="none")
        back = Sftp(rules, self._place.etc)
        back.apply(back.plan(back.stored(list(before)), users))

    def directory(self, name: str) -> str | None:
        return os.path.join(self.jail().directory, name)

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        accounts = read_accounts(self._place.etc)
        ending = {name: accounts.users[name].uid for name in accounts.members(self.rules.group) if name in names}
        return end_sessions(ending, {user.uid for user in accounts.users.values() if user.name not in ending})
