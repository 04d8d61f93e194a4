# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a protocol is to a change of users: who is there, what would be done, doing it, taking it back."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Protocol, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person


class Outcome(Protocol):
    """Who was, or would be, affected; names only."""

    added: list[str]
    removed: list[str]
    homes_removed: list[str]
    warnings: list[str]

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""

    @property
    def touched(self) -> set[str]:
        """Who was there before and is there still, and differs."""

    def report(self, report: Callable[[str, Sequence[str]], None]) -> None:
        """Hand what was done to whom to the log."""


class Backend(Protocol):
    """The users of one protocol in one place. Every method raises SecureFtpError, of the kind that fits."""

    protocol: str
    whole: bool
    """Whether what ``apply`` changes is replaced whole: it is before or after, never between."""

    rounds: int
    """Of a new hash."""

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        """Who is there, or only ``name``: name, scheme, locked, home, and what only this protocol has."""

    def stored(self, names: Sequence[str]) -> dict[str, Person]:
        """Each of ``names`` as a Person that ``apply`` would leave as it is."""

    def settled(self, users: Sequence[Person]) -> set[str]:
        """Whose given password need not be stored: it is the stored one, or stored ones are to be kept."""

    def apply(self, users: Sequence[Person], check_mode: bool = False, remove_home: bool = False) -> Outcome:
        """Make ``users`` what they should be, or only say what would be done."""

    def restore(self, before: Mapping[str, Person]) -> None:
        """Put what ``stored`` said back."""

    def directories(self, names: Sequence[str]) -> list[str]:
        """Where the files of ``names`` are, or would be."""

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        """End what ``names`` have open; return warnings about what stays."""

    def place(self) -> dict[str, Any]:
        """Where this is and by what rules, as JSON takes it.

        Without ``purge``: whom that takes is named in the journal, and what is finished later is a part of the list.
        """
