# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a protocol is to a change of users: what is stored, what would be done, doing it, taking it back.

``stored`` reads the host once, ``plan`` decides and touches nothing, ``apply`` runs the steps of a plan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Protocol, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

PASSWORD, HASHED, LOCKED, UNLOCKED, HOME = "password", "hashed", "locked", "unlocked", "home"
"""Words for what changes of a user who was there before; a protocol may have more."""

_ALONE = (HASHED, LOCKED, UNLOCKED)
"""What the log calls by its own name when nothing else changes."""


@dataclass
class Outcome:
    """Who was, or in check mode would be, affected by one protocol; names only, never a password, a hash or a key."""

    place: str = ""
    """Where the users are, for the head of a diff."""

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

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        users = self.added or self.changed_users or self.removed
        return bool(users or self.homes or self.homes_removed or self.pam_changed)

    def whose(self, what: str) -> list[str]:
        """Names of those of whom ``what`` changed, sorted."""
        return sorted(name for name, parts in self.changed_users.items() if what in parts)

    def report(self, report: Callable[[str, Sequence[str]], None]) -> None:
        """Hand what was done to whom to the log."""
        report("added", self.added)
        report("removed", self.removed)
        rest = dict(self.changed_users)
        for word in _ALONE:
            names = sorted(name for name, parts in rest.items() if parts == [word])
            report(word, names)
            rest = {name: parts for name, parts in rest.items() if name not in names}
        report("changed", sorted(rest))

    def diff(self) -> dict[str, str]:
        """Describe the change for Ansible's --diff: who, and what of them changed, never what it is."""
        return {
            "before_header": self.place,
            "after_header": self.place,
            "before": "".join(f"{line}\n" for line in sorted(self.before)),
            "after": "".join(f"{line}\n" for line in sorted(self.after)),
        }


class Step:
    """One thing to do: a value that says what."""

    @property
    def said(self) -> str:
        """What was done once it is, for an error about what was not; empty when it is not worth a word."""
        return ""


@dataclass(frozen=True)
class CloseHomes(Step):
    """Make the directories of users who are gone root's."""

    root: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class RemoveHome(Step):
    """Delete a directory with everything in it."""

    root: str
    name: str

    @property
    def path(self) -> str:
        """Of the directory."""
        return os.path.join(self.root, self.name)

    @property
    def said(self) -> str:
        return f"deleted {self.path}"


class Stored(Protocol):
    """What is there, a value: of everybody who was asked for, and what else a decision needs."""

    def user(self, name: str) -> User:
        """``name`` as a User that a plan would leave as it is. Raises SecureFtpError for what cannot be told."""

    def described(self, name: str) -> dict[str, Any] | None:
        """Name, scheme of the password, locked, home and what only this protocol has; None for nobody."""


Reading = Mapping[str, Stored]
"""By protocol, what is stored: read once, for all that one change has to decide."""

Users = Mapping[str, Mapping[str, User]]
"""By protocol, each of some names as they are."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order, to bring what is ``stored`` to what ``users`` are wished to be.

    ``deletions`` come when all else is safe: nothing brings files back. ``new_directories`` are not there yet.
    ``obstacle`` is why this host is not ready for it, None when it is: check mode says what would be done anyway.
    """

    users: Sequence[User]
    stored: Any = field(repr=False)
    steps: tuple[Step, ...] = field(default=(), repr=False)
    deletions: tuple[RemoveHome, ...] = ()
    outcome: Outcome = field(default_factory=Outcome)
    new_directories: tuple[str, ...] = ()
    obstacle: Problem | None = None
    remove_home: bool = False

    def expect_ready(self) -> None:
        """Raise SecureFtpError when the host is not ready for it."""
        if self.obstacle:
            raise SecureFtpError.of(self.obstacle)


def run_steps(steps: Iterable[Step], do: Callable[[Any], None], done: list[str] | None = None) -> None:
    """``do`` each step; an error says which were ``done`` before it."""
    done = [] if done is None else done
    for step in steps:
        try:
            do(step)
        except SecureFtpError as error:
            error.state = f"done already: {'; '.join(done)}" if done else ""
            raise
        if step.said:
            done.append(step.said)


def run_deletions(plan: Plan, remove: Callable[[str, str], bool], done: list[str]) -> list[str]:
    """``remove`` the directories that go with ``plan``, whose steps are ``done``; return which were there."""
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
    """Whether what ``apply`` changes is replaced whole: it is before or after, never between."""

    rounds: int
    """Of a new hash."""

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        """Who is there, or only ``name``: what ``Stored.described`` says of each."""

    def stored(self, names: Sequence[str], remove_home: bool = False) -> Any:
        """Read what a plan about ``names`` needs, a Stored; with ``remove_home`` what is mounted, too."""

    def is_current(self, stored: Any) -> bool:
        """Whether the host still says what it said; opens nothing."""

    def settled(self, stored: Any, users: Sequence[User]) -> set[str]:
        """Whose given password need not be stored: it is the stored one, or is to be kept. Touches nothing."""

    def plan(self, stored: Any, users: Sequence[User], remove_home: bool = False) -> Plan:
        """Decide; touches nothing. Passwords that are given as such are hashed by whoever runs the plan."""

    def after(self, plan: Plan) -> Any:
        """What is stored once ``plan`` is done, a Stored. Touches nothing."""

    def expect_ready(self, plan: Plan) -> None:
        """Raise SecureFtpError when this host, or this Python, cannot run the steps of ``plan``."""

    def apply(self, plan: Plan) -> Plan:
        """Run the steps, deletions excepted; return what was run: made anew where somebody else was faster."""

    def delete(self, plan: Plan) -> list[str]:
        """Run the deletions of a plan that was applied; return what was deleted."""

    def restore(self, before: Mapping[str, User]) -> None:
        """Put what ``stored`` said back."""

    def directory(self, name: str) -> str | None:
        """Where the files of ``name`` are, or would be; None when that is unknown."""

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        """End what ``names`` have open; return warnings about what stays."""

    def place(self) -> dict[str, Any]:
        """Where this is and by what rules, as JSON takes it.

        Without ``purge``: whom that takes is named in the journal, and what is finished later is a part of the list.
        """
