# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The errors the library raises for anything an operator can correct."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Sequence, TypeVar

NOTHING = "nothing was changed"

_Kind = TypeVar("_Kind", bound="SecureFtpError")


@dataclass(frozen=True)
class Problem:
    """Something that is not as expected, as data; ``str`` makes the sentence, and no code parses that sentence.

    ``subject`` is the thing: a variable, a file, a user. Without ``expected``, ``found`` is the whole statement.
    ``remedy`` says how to correct it, if the rest does not make that clear. Never contains a password or a hash.
    """

    subject: str
    expected: str = ""
    found: str = ""
    remedy: str = ""

    def about(self, whole: str) -> Problem:
        """The same problem, with the subject as a part of ``whole``."""
        return replace(self, subject=f"{whole}: {self.subject}" if self.subject else whole)

    def also(self, remedy: str) -> Problem:
        """The same problem with one more remedy."""
        return replace(self, remedy=f"{self.remedy}; {remedy}" if self.remedy else remedy)

    def __str__(self) -> str:
        words = f"expected {self.expected}, found {self.found}" if self.expected else self.found
        start = f"{self.subject}: " if self.subject else ""
        return f"{start}{words}" + (f"; {self.remedy}" if self.remedy else "")


class SecureFtpError(Exception):
    """Bad input or an unusable host: a Problem that is raised.

    Nothing has been changed when it is raised, unless ``state`` says so.

    ``code`` is the kind of error, one of EXIT_CODES, for programs. ``state`` says what has been changed before the
    error; a caller that knows more sets it and raises the error again.
    """

    code = "failed"

    def __init__(self, subject: str, expected: str = "", *, found: str, remedy: str = "", state: str = "") -> None:
        # The parts are keyword arguments, so that nobody raises a sentence written by hand.
        self.problem = Problem(subject, expected, found, remedy)
        super().__init__(str(self.problem))
        self.state = state

    @classmethod
    def of(cls: type[_Kind], problem: Problem) -> _Kind:
        """The error that says ``problem``."""
        return cls(problem.subject, problem.expected, found=problem.found, remedy=problem.remedy)

    @property
    def changed(self) -> bool:
        """Whether something was changed before the error."""
        return bool(self.state) and not self.state.endswith(NOTHING)

    def __str__(self) -> str:
        return f"{self.problem}; {self.state}" if self.state else str(self.problem)


class InvalidInput(SecureFtpError):
    """The input is not valid."""

    code = "invalid"


class NoSuchUser(SecureFtpError):
    """The user does not exist."""

    code = "no_such_user"


class UserExists(SecureFtpError):
    """The user exists already."""

    code = "exists"


class Busy(SecureFtpError):
    """Another program held the lock for longer than we waited."""

    code = "locked"


class NotPermitted(SecureFtpError):
    """The caller may not do that."""

    code = "not_permitted"


class DamagedStore(SecureFtpError):
    """The database is damaged, or is not a database of users."""

    code = "damaged"


class NotDurable(SecureFtpError):
    """The change was made, but the disk did not confirm it: a loss of power may undo it."""


class TooManyRequests(SecureFtpError):
    """Remote control is already answering as many requests as it may at a time."""

    code = "busy"


class MissingDriver(SecureFtpError):
    """This Python has none of the ``bindings`` of Berkeley DB; the host's Python ``interpreter`` may have one."""

    bindings: Sequence[str] = ()
    interpreter = ""


EXIT_CODES = {
    kind.code: status
    for status, kind in enumerate(
        (SecureFtpError, InvalidInput, NoSuchUser, UserExists, Busy, NotPermitted, DamagedStore, TooManyRequests), 1
    )
}
"""Exit status of the command ``ftp-users`` for each ``code``; 0 is success."""
