# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""FTPS as a backend: the users of one database."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import apply, plan
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import is_current, load_driver
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import Stored, describe, read_state
from ansible_collections.secure_ftp.server.plugins.module_utils._host.unchanged import identity_of
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Plan
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


class Ftps:
    """The users of ``server``; with ``options``, ``discover`` finds the same server again."""

    protocol = "ftps"
    whole = True

    def __init__(self, server: Server, rules: Rules, options: Mapping[str, Any] | None = None) -> None:
        self.server, self._rules, self._options = server, rules, dict(options or {})
        self.rounds, self.purge = rules.rounds, rules.purge
        self._replaced: list[Personal] = []

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> Ftps | None:
        """Return the backend of a ``place`` from an earlier process; None without vsftpd and a named database."""
        options = place.get("options") or {}
        if not options.get("db") and not any(map(os.path.exists, CONFIGS)):
            return None
        return cls(discover(**options), Rules.of(place.get("rules") or {}), options)

    def place(self) -> dict[str, Any]:
        return {"options": self._options, "rules": asdict(replace(self._rules, purge=False))}

    @property
    def has_accounts(self) -> bool:
        return self.server.has_accounts

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = describe(self.server, name)["users"]
        return users

    def of_accounts(self, _name: str | None = None) -> dict[str, dict[str, Any]]:
        return {}

    def stored(self, names: Sequence[str], remove_home: bool = False) -> Stored:
        everybody = self._rules.purge or self._rules.hash_plaintext
        return read_state(self.server, names, homes=True, mounts=remove_home, everybody=everybody)

    def is_current(self, stored: Stored) -> bool:
        known = stored.view is not None and is_current(self.server.database, stored.view)
        return known and all(identity_of(path) == version for path, version in stored.versions.items())

    def settled(self, stored: Stored, users: Sequence[User]) -> set[str]:
        return plan.settled(stored, users, self._rules)

    def plan(self, stored: Stored, users: Sequence[User], remove_home: bool = False) -> Plan:
        return plan.make_plan(stored, users, self._rules, remove_home)

    def after(self, done: Plan) -> Stored:
        return plan.after(done)

    def expect_ready(self, wanted: Plan) -> None:
        wanted.expect_ready()
        if any(isinstance(step, plan.WriteRecords) for step in wanted.steps):
            load_driver()

    def apply(self, wanted: Plan) -> Plan:
        self._replaced.clear()
        return apply.apply(wanted, self._rules, self._replaced)

    def delete(self, done: Plan) -> list[str]:
        return apply.delete(done)

    def restore(self, before: Mapping[str, User]) -> None:
        """Restore the files of users that the last ``apply`` replaced.

        The database was not changed, or the change cannot be taken back.
        """
        apply.put_files(self._replaced)
        self._replaced.clear()

    def directory(self, name: str) -> str | None:
        return self.server.homes.of(name) if self.server.homes else None

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        return apply.end_sessions(names, self.server)
