# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan from where users may log in (see _host/access.py and _ssh/asked.py). Touches nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Collection, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import is_usable
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import ACCESS_IN_ETC, PAM_IN_ETC, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import SetAccess
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import pam_problem
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import is_wider
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


@dataclass
class SourceChanges:
    """The changes, by user name; an empty tuple is everywhere."""

    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wider: set[str] = field(default_factory=set)
    """Existing users who may log in from more places than before."""

    def add(self, stored: Stored, user: User, new: bool) -> bool:
        """Plan the sources of ``user``; return whether they change. A new account never has those of an earlier one.

        Raises SecureFtpError if they could not be enforced.
        """
        there = stored.access.sources.get(user.name, ())
        wanted = user.allowed_sources if user.allowed_sources is not None else () if new else there
        if user.allowed_sources:
            expect_pam(stored, user.name, "allowed_sources")
            _expect_one_name(stored, user.name)
        if wanted != there:
            self.sources[user.name] = wanted
            if not new and is_wider(wanted, there):
                self.wider.add(user.name)
        # A service that somebody has restored does not ask any more.
        return wanted != there or (bool(user.allowed_sources) and stored.asks_access != stored.jail.group)

    def steps(self, stored: Stored, gone: Collection[str]) -> tuple[list[Any], list[Any]]:
        """The step before there are credentials, and the step for more rights, and for those who are ``gone``."""
        there = dict(stored.access.sources)
        first = _with(there, {name: one for name, one in self.sources.items() if name not in self.wider})
        last = _with(first, {**{name: self.sources[name] for name in self.wider}, **dict.fromkeys(gone, ())})
        lacks = stored.asks_access != (stored.jail.group if first else "") and bool(first)
        early = [_step(stored, first)] if first != there or lacks else []
        return early, [_step(stored, last)] if last != first else []


def _with(there: Mapping[str, tuple[str, ...]], new: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: sources for name, sources in {**there, **new}.items() if sources}


def _step(stored: Stored, sources: Mapping[str, tuple[str, ...]]) -> SetAccess:
    access = stored.access._replace(sources=sources)
    paths = (os.path.join(stored.etc, ACCESS_IN_ETC), os.path.join(stored.etc, PAM_IN_ETC))
    return SetAccess(paths[0], access, paths[1], stored.jail.group if sources else "")


def expect_pam(stored: Stored, name: str, what: str) -> None:
    """Raise SecureFtpError unless sshd asks PAM, which enforces the field ``what`` of user ``name``."""
    problem = pam_problem(stored.settings)
    if problem is not None:
        raise SecureFtpError.of(problem.about(f"user {name!r}: {what}").also(f"or leave {what} out"))


def _expect_one_name(stored: Stored, name: str) -> None:
    twins = [one for one in stored.in_lower_case.get(name.lower(), ()) if one != name]
    if twins or not is_usable(name):
        found = f"the account {twins[0]!r} beside it" if twins else "another"
        raise InvalidInput(
            f"user {name!r}: allowed_sources",
            "a name that pam_access does not confuse with another: of letters, digits, '.', '_' and '-', not ALL or"
            " EXCEPT, and not that of another account in other letter case",
            found=found,
            remedy="choose another name, or leave it out",
            state=NOTHING,
        )
