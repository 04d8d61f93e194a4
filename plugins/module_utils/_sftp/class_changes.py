# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan which classes (see _ssh/classes.py) SFTP users are in, so that sshd gives them their rights. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    ClassMembers,
    ReadyClasses,
    SetClasses,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import (
    class_of,
    is_class,
    rights_by,
    shut_class,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import READ_WRITE, Rights
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, rights_of


@dataclass
class ClassChanges:
    """The changes of the rights of SFTP users."""

    classes: dict[str, str | None] = field(default_factory=dict)
    """The class that a user is to be in, None for none; only of users who are not, or whose class sshd does not know.
    """

    widened: list[str] = field(default_factory=list)
    """Those of them who get more rights, or whose accounts get log-ins."""

    parts: dict[str, list[str]] = field(default_factory=dict)
    """The names of the fields that change, by user."""

    def add(self, stored: Stored, user: User, new: bool) -> None:
        """Plan the class; a new account never keeps that of an earlier account with its name."""
        name, group = user.name, stored.jail.group
        if not new and user.access is None and user.umask is None:
            return
        there = Rights() if new else stored.rights(name)
        wanted = rights_of(user, there)
        if user.access == READ_WRITE and rights_by(stored.command)[0] != READ_WRITE:
            raise SecureFtpError(
                f"{stored.block['forcecommand'].where}: ForceCommand of the group {group!r}",
                f"no -R and no list of requests, so that user {name!r} can have access {READ_WRITE}",
                found=stored.command,
                remedy="correct that line, or leave access out",
            )
        its = class_of(group, wanted.access, wanted.umask)
        has = list(stored.classes_of(name))
        if has == ([its] if its else []) and (its is None or stored.knows_class(its)):
            return
        if not new and not has and wanted == there:  # the jail itself gives no more
            return
        self.classes[name] = its
        parts = [what for what in ("access", "umask") if getattr(there, what) != getattr(wanted, what)]
        if not stored.is_shut(name):
            self.parts[name] = parts or ["access"]
        if stored.is_shut(name) or (not new and there.access != READ_WRITE == wanted.access):
            self.widened.append(name)

    def shut(self, stored: Stored, name: str) -> None:
        """Plan the class of an account that cannot log in."""
        its = shut_class(stored.jail.group)
        if list(stored.classes_of(name)) != [its]:
            self.classes[name] = its

    def when_asked(self, stored: Stored, name: str) -> tuple[str | None, Sequence[str]]:
        """The class of ``name`` when sshd is asked, and the classes that the user has left by then."""
        has = stored.classes_of(name)
        if name in self.classes and name not in self.widened:
            its = self.classes[name]
            return its, [group for group in has if group != its]
        return next((group for group in stored.classes if group in has), None), ()

    def unknown(self, stored: Stored) -> list[str]:
        """The classes of this change that sshd does not know."""
        return sorted({its for its in self.classes.values() if its is not None and not stored.knows_class(its)})

    def steps(self, stored: Stored, new_users: Sequence[str], config: str) -> tuple[list[Any], list[Any]]:
        """Make sshd know the classes of this change, and put users into theirs; the second steps are for more rights.

        The first step is there for a class that sshd should know too: the run that wrote it may have been killed before
        the reload.
        """
        names = tuple(sorted({its for its in self.classes.values() if its is not None}))
        new = tuple(name for name in names if name not in stored.accounts.groups)
        ready: list[Any] = [ReadyClasses(names, new, stored.jail.group, config)] if names else []
        accounts = {*stored.accounts.users, *new_users}
        groups = stored.accounts.groups.values()
        now = {one.name: set(one.members) for one in groups if is_class(stored.jail.group, one.name)}
        narrowed = {name: its for name, its in self.classes.items() if name not in self.widened}
        return ready + _moves(now, narrowed, accounts), _moves(now, self.classes, accounts)


def _moves(now: dict[str, set[str]], classes: Mapping[str, str | None], accounts: Collection[str]) -> list[Any]:
    """Put each user into the class of ``classes`` alone, and change ``now``, the members of each class, to that.

    First all users join, and then they leave, so that nobody is in none for a moment. Names without an account go.
    """
    lists: list[ClassMembers] = []

    def change(group: str, members: set[str]) -> None:
        lists.append(ClassMembers(group, tuple(sorted(members))))
        now[group] = members

    for group in sorted({its for its in classes.values() if its is not None}):
        joining = {name for name, its in classes.items() if its == group} - now.get(group, set())
        if joining:
            change(group, now.get(group, set()).intersection(accounts) | joining)
    for group in sorted(now):
        leaving = {name for name, its in classes.items() if its != group} & now[group]
        if leaving:
            change(group, now[group].intersection(accounts) - leaving)
    return [SetClasses(tuple(lists))] if lists else []
