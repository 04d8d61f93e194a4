# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A change by a module: of one backend, in the same transaction, under the same lock, in the same log."""

from __future__ import annotations

import contextlib
import os
from typing import ContextManager, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import salvage_database
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import halves, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import (
    Report,
    audited,
    report_salvage,
    unheard,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import Transaction, users_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend, Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person


def change(
    front: str, users: Sequence[Person], backend: Backend, check_mode: bool, remove_home: bool = False
) -> Outcome:
    """Make ``users`` of ``backend`` what they should be; return the Outcome. ``front`` is the name of the module.

    Check mode changes nothing, so it waits for nobody. Who is not root has neither the lock, which is of the host's
    users, nor a place for a journal: such a module writes a database of its own.
    """
    is_root = os.geteuid() == 0
    transaction = Transaction([backend], reopen, journal.PATH if is_root else None)
    if check_mode:
        return transaction.plan(users, remove_home)[backend.protocol].outcome
    if not is_root:
        return transaction.run(users, remove_home)[backend.protocol].outcome
    with audited(front, "apply", [user.name for user in users]) as report, transaction.alone() as warnings:
        outcome = transaction.run(users, remove_home)[backend.protocol].outcome
        outcome.warnings[:0] = warnings
        outcome.report(report)
        report("files-removed", [os.path.basename(home) for home in outcome.homes_removed])
    return outcome


def salvage(front: str, database: str, check_mode: bool, lock_timeout: float) -> tuple[int, str | None]:
    """Keep what is readable of a damaged ``database``, and log that; return what ``salvage_database`` does."""
    logged = not check_mode and os.geteuid() == 0
    log: ContextManager[Report] = audited(front, "salvage", []) if logged else contextlib.nullcontext(unheard)
    # A killed change is finished by the change that follows: by a damaged database nothing can be.
    alone: ContextManager[None] = users_lock() if logged else contextlib.nullcontext()
    with log as report, alone:
        records, kept = salvage_database(database, check_mode, lock_timeout)
        report_salvage(report, records, kept)
    return records, kept


def change_one(front: str, user: Person, backend: Backend, check_mode: bool, remove_home: bool = False) -> Outcome:
    """``change`` for a module of one user; warns when the other protocol is left with another password or way in.

    A module of a list does not: the list is for both, so that the next task is about the other protocol.
    """
    outcome = change(front, [user], backend, check_mode, remove_home)
    if outcome.changed and os.geteuid() == 0:
        outcome.warnings += halves.untouched(user, backend.protocol, reopen)
    return outcome
