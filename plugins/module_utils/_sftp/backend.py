# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""SFTP as a backend: the members of one group, who are accounts of this host."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    PENDING,
    read_accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.reconcile import (
    Outcome,
    Rules,
    end_sessions_of,
    reconcile,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import (
    as_they_are,
    describe,
    locate,
    lock_state,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import discovered_group, read_settings
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import verify_many
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person, uses


class Sftp:
    """The users of the group ``rules`` names."""

    protocol = "sftp"
    whole = False

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.rounds = rules.rounds

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> Sftp:
        """Return what ``place`` of an earlier process said, or what sshd's configuration says."""
        rules = place.get("rules") or {}
        return cls(Rules(**rules) if "group" in rules else Rules(**rules, group=discovered_group(read_settings())))

    def place(self) -> dict[str, Any]:
        return {"rules": asdict(replace(self.rules, check_mode=False, remove_home=False, purge=False))}

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        return describe(self.rules.group, name, self.rules.config)

    def stored(self, names: Sequence[str]) -> dict[str, Person]:
        there = as_they_are(list(filter(is_component, names)), self.rules.group, self.rules.config)
        return {**{name: Person(name, present=False) for name in names}, **there}

    def settled(self, users: Sequence[Person]) -> set[str]:
        given = {user.name: user.password for user in users if uses(user, "sftp") and user.password is not None}
        if not given:
            return set()
        accounts = read_accounts(passwords_of=set(given))
        there = sorted(given.keys() & set(accounts.members(self.rules.group)))
        states = [lock_state(accounts, name) for name in there]
        if self.rules.update_password == "on_create":
            return {name for name, state in zip(there, states) if state.full or state.stored not in PENDING}
        pairs = [(given[name] or "", state.stored) for name, state in zip(there, states)]
        return {name for name, fits in zip(there, verify_many(pairs)) if fits}

    def apply(self, users: Sequence[Person], check_mode: bool = False, remove_home: bool = False) -> Outcome:
        rules = replace(self.rules, check_mode=check_mode, remove_home=remove_home)
        # A name such as ``../x`` that others wrote into the database of FTPS has no account and no files.
        return reconcile([user for user in users if is_component(user.name)], rules)

    def restore(self, before: Mapping[str, Person]) -> None:
        people = [person for person in before.values() if is_component(person.name)]
        reconcile(people, replace(self.rules, purge=False, update_password="always", jail_check="none"))

    def directories(self, names: Sequence[str]) -> list[str]:
        rules = self.rules
        jail, _found = locate(read_settings(rules.config), rules.group, rules.directory, rules.keys_directory)
        return [os.path.join(jail.directory, name) for name in names if is_component(name)]

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        accounts = read_accounts()
        return end_sessions_of(set(names).intersection(accounts.members(self.rules.group)), accounts)
