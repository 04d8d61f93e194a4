# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users repair``: what the doctor found wrong inside the database."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.ftps_users import leads_out, name_of
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import salvage_database, update
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover


class Repair(NamedTuple):
    """What was done: ``users`` are left, ``damaged_file`` is the old file if it was damaged, ``removed`` are names."""

    database: str
    users: int
    damaged_file: str | None
    removed: list[str]

    def __str__(self) -> str:
        lines = [f"{self.database}: {self.users} users"]
        if self.damaged_file:
            lines.append(f"the damaged file is {self.damaged_file}; add who is missing with ftp-users add")
        lines += [f"removed {name}" for name in self.removed]
        return "\n".join(lines)


def repair(database: str | None = None) -> Repair:
    """Keep what is readable of ``database``, None for the live one, and drop users whose names lead out.

    Raises SecureFtpError when it cannot be read or written at all; nothing has been changed then.
    """
    path = database or discover().database
    number, damaged = salvage_database(path)
    removed = update(path, lambda view: {key: None for key in view.all() if leads_out(name_of(key))})
    return Repair(path, number - len(removed), damaged, sorted(visible(name_of(key)) for key in removed))
