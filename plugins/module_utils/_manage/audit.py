# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""One line in the log of the host for each change of users: operator, program, change, users and result.

Facility authpriv, as sudo(8) and sshd(8) use it; ident ftp-users. Names are written as Python literals, so that
their content cannot look like another line or field. Passwords, hashes and keys are never logged.
"""

from __future__ import annotations

import contextlib
import syslog
from typing import Callable, Iterator, Optional, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import login_names

IDENT = "ftp-users"
SHOWN = 20
"""How many users one line names."""

Log = Callable[[int, str], None]
Report = Callable[[str, Optional[Sequence[str]]], None]
"""Takes a result and the users it is about: an empty list writes no line, None is for a result without users."""


def unheard(_result: str, _users: Sequence[str] | None) -> None:
    """The Report of a change that its caller logs: do nothing."""


def report_salvage(report: Report, records: int, kept: str | None) -> None:
    """Report what was read of a damaged database, ``kept`` beside the new one; ``kept`` is None if it was sound."""
    if kept:
        report(f"salvaged records={records} kept={literal(kept, 300)}", None)


def write(priority: int, message: str) -> None:
    """Hand ``message``, one line, to the log with a priority of syslog(3)."""
    syslog.openlog(IDENT, syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(priority, message)


def operator() -> str:
    """Who this process works for: the user of sudo, or of the log-in session, else ``root``."""
    return ",".join(sorted(login_names() - {"root"})) or "root"


def literal(text: str, limit: int = 64) -> str:
    """``text`` as a quoted literal in ASCII, shortened."""
    return ascii(text[:limit]) + ("..." if len(text) > limit else "")


def named(users: Sequence[str]) -> str:
    """The first of ``users`` for a line of the log, and how many more there are."""
    rest = len(users) - SHOWN
    return ",".join(map(literal, users[:SHOWN])) + (f" and {rest} more" if rest > 0 else "")


@contextlib.contextmanager
def audited(front: str, verb: str, users: Sequence[str], log: Log | None = None) -> Iterator[Report]:
    """Log what the block does to ``users``.

    The block passes each result ("added", ...) and its users to the Report that it gets.
    A block that fails is logged too: the line says who tried what. ``front`` is "command" or the name of a module.
    """
    done: list[tuple[str, Sequence[str] | None]] = []
    failure: BaseException | None = None
    try:
        yield lambda result, about: done.append((result, about))
    except BaseException as error:
        failure = error
        raise
    finally:
        who = f"by={literal(operator())} with={front} {verb}"
        for priority, text in _lines(users, done, failure):
            (log or write)(priority, f"{who} {text}")


def _lines(
    users: Sequence[str], done: Sequence[tuple[str, Sequence[str] | None]], failure: BaseException | None
) -> Iterator[tuple[int, str]]:
    if failure is None:
        for result, about in done:
            if about is None or about:
                yield syslog.LOG_INFO, f"{whom(about)}result={result}"
        return
    result = failure.code if isinstance(failure, SecureFtpError) else type(failure).__name__
    # Invalid input may hold anything, even a password in the wrong place.
    hidden = isinstance(failure, InvalidInput) or not isinstance(failure, SecureFtpError)
    said = "" if hidden else f" message={literal(str(failure), 300)}"
    yield syslog.LOG_WARNING, f"{whom(users)}result={result}{said}"


def whom(users: Sequence[str] | None) -> str:
    """``users`` as a field of a line with a blank after it, nothing if there are none."""
    return f"users={named(users)} " if users else ""
