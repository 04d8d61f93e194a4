# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users repair``: fix what the doctor found wrong in the database, under the lock of every change."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import (
    Changes,
    View,
    name_of,
    salvage_database,
    update,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import audited, report_salvage
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import Transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import leads_out


class Repair(NamedTuple):
    """What was done: ``users`` is how many are left, ``damaged_file`` the old file if it was damaged.

    ``removed`` are names. ``warnings`` are about a killed change that was finished first.
    """

    database: str
    users: int
    damaged_file: str | None
    removed: list[str]
    warnings: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [f"{self.database}: {self.users} users"]
        if self.damaged_file:
            lines.append(f"the damaged file is {self.damaged_file}; add missing users with ftp-users add")
        lines += [f"removed {name}" for name in self.removed]
        return "\n".join(lines)


def repair(database: str | None = None) -> Repair:
    """Keep the readable records of ``database`` (None: the live one) and remove users whose names lead out.

    Raises SecureFtpError if it cannot be read or written at all, Busy while another change runs; nothing has been
    changed then.
    """
    path = database or discover().database
    records, left = 0, 0
    kept: str | None = None

    def mend() -> None:
        nonlocal records, kept
        records, kept = salvage_database(path)

    def without_lost(view: View) -> Changes:
        nonlocal left
        names = view.all()
        lost = {key: None for key in names if leads_out(name_of(key))}
        left = len(names) - len(lost)
        return lost

    with audited("command", "repair", []) as report:
        with Transaction([], reopen, journal.PATH).alone(mend) as warnings:
            removed = sorted(visible(name_of(key)) for key in update(path, without_lost))
        report_salvage(report, records, kept)
        report("removed", removed)
    return Repair(path, left, kept, removed, warnings)
