# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""FTPS as a backend: the users of one database."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.reconcile import (
    Outcome,
    Rules,
    as_they_are,
    describe,
    end_sessions,
    plaintext_keys,
    reconcile,
    without_locks,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import verify_many
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person, uses


class Ftps:
    """The users of ``server``; ``options`` are those of ``discover`` that lead to it again."""

    protocol = "ftps"
    whole = True

    def __init__(self, server: Server, rules: Rules, options: Mapping[str, Any] | None = None) -> None:
        self.server, self._rules, self._options = server, rules, dict(options or {})
        self.rounds = rules.rounds

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> Ftps | None:
        """Return what ``place`` of an earlier process said; None where there is no vsftpd and no database is named."""
        options = place.get("options") or {}
        if not options.get("db") and not any(map(os.path.exists, CONFIGS)):
            return None
        return cls(discover(**options), Rules(**place.get("rules") or {}), options)

    def place(self) -> dict[str, Any]:
        return {
            "options": self._options,
            "rules": asdict(replace(self._rules, check_mode=False, remove_home=False, purge=False)),
        }

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = describe(self.server, name)["users"]
        return users

    def stored(self, names: Sequence[str]) -> dict[str, Person]:
        return as_they_are(names, self.server)

    def settled(self, users: Sequence[Person]) -> set[str]:
        given = {user.name.encode("utf-8"): user for user in users if uses(user, "ftps") and user.password is not None}
        if not given:
            return set()
        # Whether a record that could be of DES is plaintext depends on all the others.
        stored, _locked = without_locks(read(self.server.database).all())
        there = [key for key in given if key in stored]
        if self._rules.update_password == "on_create":
            return {given[key].name for key in there}
        plain = plaintext_keys(stored, self.server)
        right = {key for key in there if key in plain and stored[key] == (given[key].password or "").encode("utf-8")}
        hashed = [key for key in there if key not in plain]
        pairs = [(given[key].password or "", stored[key].decode("utf-8", "backslashreplace")) for key in hashed]
        right.update(key for key, fits in zip(hashed, verify_many(pairs)) if fits)
        return {given[key].name for key in right}

    def apply(self, users: Sequence[Person], check_mode: bool = False, remove_home: bool = False) -> Outcome:
        return reconcile(users, self.server, replace(self._rules, check_mode=check_mode, remove_home=remove_home))

    def restore(self, before: Mapping[str, Person]) -> None:
        """The database was not changed, or there is no way back."""

    def directories(self, names: Sequence[str]) -> list[str]:
        homes = self.server.homes
        return [homes.of(name) for name in names if is_component(name)] if homes and not homes.shared else []

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        return end_sessions(names, self.server)
