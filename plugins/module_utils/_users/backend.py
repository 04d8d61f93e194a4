# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The interface of a protocol for changes of users: read what is stored, plan the steps, run them, take them back.

``stored`` reads the host once, ``plan`` decides and touches nothing, ``apply`` runs the steps of a plan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

PASSWORD, HASHED, LOCKED, UNLOCKED, HOME = "password", "hashed", "locked", "unlocked", "home"
"""Words for the kinds of change to an existing user; a protocol may have more."""

_ALONE = (HASHED, LOCKED, UNLOCKED)
"""Changes that the log reports by these words if nothing else of the user changes."""


@dataclass
class Outcome:
    """The users that were, or in check mode would be, affected; names only, never a password, a hash or a key."""

    place: str = ""
    """Where the users are stored, for the header of a diff."""

    added: list[str] = field(default_factory=list)
    changed_users: dict[str, list[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    homes_removed: list[str] = field(default_factory=list)
    pam_changed: bool = False
    warnings: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    """Those of ``added`` who had another protocol before: they are no new users of the server."""

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        users = self.added or self.changed_users or self.removed
        return bool(users or self.homes or self.homes_removed or self.pam_changed)

    def whose(self, what: str) -> list[str]:
        """Names of the users with the change ``what``, sorted."""
        return sorted(name for name, parts in self.changed_users.items() if what in parts)

    def report(self, report: Callable[[str, Sequence[str]], None]) -> None:
        """Report each kind of change, with the names of its users, to the log."""
        report("added", self.added)
        report("removed", self.removed)
        rest = dict(self.changed_users)
        for word in _ALONE:
            names = sorted(name for name, parts in rest.items() if parts == [word])
            report(word, names)
            rest = {name: parts for name, parts in rest.items() if name not in names}
        report("changed", sorted(rest))

    def diff(self) -> dict[str, str]:
        """Describe the change for Ansible's --diff: the users and the kind of change, never the values."""
        return {
            "before_header": self.place,
            "after_header": self.place,
            "before": "".join(f"{line}\n" for line in sorted(self.before)),
            "after": "".join(f"{line}\n" for line in sorted(self.after)),
        }


class Step:
    """One thing to do, as a value."""

    @property
    def said(self) -> str:
        """What was done, in words, for the error of a later step; empty when it need not be mentioned."""
        return ""


@dataclass(frozen=True)
class CloseHomes(Step):
    """Give the directories of removed users to root."""

    root: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class RemoveHome(Step):
    """Delete a directory with everything in it."""

    root: str
    name: str

    @property
    def path(self) -> str:
        """The path of the directory."""
        return os.path.join(self.root, self.name)

    @property
    def said(self) -> str:
        return f"deleted {self.path}"


class Stored(Protocol):
    """The state of the host as a value: the users that were asked for, and what else a plan needs."""

    def has(self, name: str) -> bool:
        """Whether ``name`` is a user."""

    def user(self, name: str) -> User:
        """``name`` as a User that a plan would not change. Raises SecureFtpError if its state cannot be read."""

    def described(self, name: str) -> dict[str, Any] | None:
        """Name, scheme of the password, locked, home and fields of this protocol; None if there is no such user."""

    def of_account(self, name: str) -> dict[str, Any]:
        """What the account of ``name`` says about the user in every protocol; empty without one here."""

    def counts(self, name: str) -> bool:
        """Whether the kernel counts what ``name`` stores by this protocol for an account of the user's own."""

    def gives_account(self, user: User) -> bool:
        """Whether ``user`` has an account after a change of this protocol to what ``user`` describes."""


Reading = Mapping[str, Stored]
"""What is stored, by protocol: read once for everything that one change has to decide."""

Users = Mapping[str, Mapping[str, User]]
"""The current state of some users, by protocol and name."""


@dataclass(frozen=True)
class Plan:
    """The steps, in order, that change what is ``stored`` to what ``users`` describe.

    ``deletions`` come when everything else is done, because deleted files cannot be restored. ``new_directories`` do
    not exist yet. ``obstacle`` is why this host is not ready, None when it is: check mode reports the plan anyway.
    """

    users: Sequence[User]
    stored: Any = field(repr=False)
    steps: tuple[Step, ...] = field(default=(), repr=False)
    deletions: tuple[RemoveHome, ...] = ()
    outcome: Outcome = field(default_factory=Outcome)
    new_directories: tuple[str, ...] = ()
    obstacle: Problem | None = None
    remove_home: bool = False
    ending: tuple[str, ...] = ()
    """The users whose sessions of every protocol have to end, because of what their accounts say."""

    def expect_ready(self) -> None:
        """Raise SecureFtpError when the host is not ready for the plan."""
        if self.obstacle:
            raise SecureFtpError.of(self.obstacle)


def run_steps(steps: Sequence[Step], do: Callable[[Any], None], done: list[str] | None = None) -> None:
    """``do`` each step; an error says which steps were ``done`` before."""
    done = [] if done is None else done
    for step in told("steps of the change", steps, len(steps)):
        try:
            do(step)
        except SecureFtpError as error:
            error.state = f"done already: {'; '.join(done)}" if done else ""
            raise
        if step.said:
            done.append(step.said)


def run_deletions(plan: Plan, remove: Callable[[str, str], bool], done: list[str]) -> list[str]:
    """``remove`` the directories that ``plan`` deletes; return those that existed. ``done`` are the steps before."""
    gone: list[str] = []

    def do(step: RemoveHome) -> None:
        if remove(step.root, step.name):
            gone.append(step.path)

    run_steps(plan.deletions, do, done)
    return gone


class Backend(Protocol):
    """The users of one protocol in one place. Every method raises SecureFtpError, of the kind that fits."""

    protocol: str
    whole: bool
    """Whether ``apply`` replaces everything at once: the state is the old one or the new one, never between."""

    rounds: int
    """Rounds of a new hash."""

    purge: bool
    """Whether every user is removed who is not in the list."""

    @property
    def has_accounts(self) -> bool:
        """Whether every user of this host has one account and one home for all protocols."""

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        """Every user, or only ``name``: what ``Stored.described`` returns for each."""

    def of_accounts(self, name: str | None = None) -> dict[str, dict[str, Any]]:
        """What ``Stored.of_account`` returns of every account, or only ``name``; empty if they are kept elsewhere."""

    def stored(self, names: Sequence[str], remove_home: bool = False) -> Any:
        """Read what a plan about ``names`` needs, a Stored; with ``remove_home`` the mounts too."""

    def is_current(self, stored: Any) -> bool:
        """Whether the host is still in the state ``stored``; opens nothing."""

    def settled(self, stored: Any, users: Sequence[User]) -> set[str]:
        """The users whose given password is not to be stored: it is the stored one, or the stored one is to be kept.

        Touches nothing.
        """

    def plan(self, stored: Any, users: Sequence[User], remove_home: bool = False) -> Plan:
        """Make a plan; touches nothing. Plaintext passwords in ``users`` are hashed when the plan is run."""

    def after(self, plan: Plan) -> Any:
        """The state after ``plan`` is done, a Stored. Touches nothing."""

    def expect_ready(self, plan: Plan) -> None:
        """Raise SecureFtpError when this host, or this Python, cannot run the steps of ``plan``."""

    def apply(self, plan: Plan) -> Plan:
        """Run the steps except deletions; return the plan that was run, a new one if the state changed meanwhile."""

    def delete(self, plan: Plan) -> list[str]:
        """Run the deletions of a plan that was applied; return what was deleted."""

    def restore(self, before: Mapping[str, User]) -> None:
        """Restore the users to the state ``before``, as ``stored`` returned it."""

    def directory(self, name: str) -> str | None:
        """The directory of the files of ``name``, existing or not; None when it is unknown."""

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        """End the open sessions of ``names``; return warnings about those that stay."""

    def place(self) -> dict[str, Any]:
        """The place and the rules of this backend, as values for JSON.

        Without ``purge``: the journal names the users to remove, and what is finished later is only a part of the list.
        """
