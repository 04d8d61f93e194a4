# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A change by a module: with the same transaction, lock and log as every other change."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Collection, ContextManager, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import salvage_database
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import beside, halves, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import (
    Report,
    audited,
    report_salvage,
    unheard,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import together
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import (
    Transaction,
    users_lock,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend, Outcome, Plan, Reading
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


def change(
    front: str,
    users: Sequence[User],
    backends: Sequence[Backend],
    check_mode: bool,
    remove_home: Collection[str] = (),
    keep_halves: bool = False,
) -> dict[str, Outcome]:
    """Change ``backends`` in one transaction so that ``users`` are as they should be; return the Outcome by protocol.

    ``front`` is the name of the module; ``remove_home`` are the protocols in which the directories of removed users are
    deleted. With ``keep_halves`` existing users keep their protocols. Check mode changes nothing, so it does not wait
    for the lock. If a module does not run as root, it changes a database of its own, without the lock of the host's
    users and without a journal.
    """
    is_root = os.geteuid() == 0
    protocol, partner = backends[0].protocol, beside.partner(backends, reopen) if is_root else None
    if partner is not None and protocol == Ftps.protocol:  # the account comes first, and the home goes with it
        backends, remove_home = [partner, *backends], PROTOCOLS if remove_home else ()
    purge = backends[-1].purge
    transaction = Transaction(backends, reopen, journal.PATH if is_root else None)

    def run(do: Callable[..., Mapping[str, Plan]]) -> tuple[list[User], dict[str, Outcome]]:
        given = users if partner is None else beside.whole(users, protocol, partner, reopen, purge)
        reading = transaction.read([user.name for user in given], remove_home)
        wanted = [_as_there(user, reading) for user in given] if keep_halves else list(given)
        warnings = halves.joined(wanted, reading, backends) if len(backends) > 1 else []
        outcomes = {one: plan.outcome for one, plan in do(wanted, remove_home, reading).items()}
        next(iter(outcomes.values())).warnings[:0] = warnings
        return wanted, outcomes

    if check_mode:
        return run(transaction.plan)[1]
    if not is_root:
        return run(transaction.run)[1]
    with audited(front, "apply", [user.name for user in users]) as report:
        with transaction.alone() as warnings:
            wanted, outcomes = run(transaction.run)
        next(iter(outcomes.values())).warnings[:0] = warnings
        whole = together(wanted, outcomes)
        whole.report(report)
        report("files-removed", sorted({os.path.basename(home) for home in whole.homes_removed}))
    return outcomes


def _as_there(user: User, reading: Reading) -> User:
    """``user`` with its present protocols; a new user gets all protocols that were read."""
    has = [protocol for protocol in PROTOCOLS if protocol in reading and reading[protocol].has(user.name)]
    return user._replace(protocols=tuple(has or (one for one in PROTOCOLS if one in reading)))


def salvage(front: str, database: str, check_mode: bool, lock_timeout: float) -> tuple[int, str | None]:
    """Keep the readable records of a damaged ``database`` and log that; return what ``salvage_database`` returns."""
    logged = not check_mode and os.geteuid() == 0
    log: ContextManager[Report] = audited(front, "salvage", []) if logged else contextlib.nullcontext(unheard)
    # With a damaged database a killed change cannot be finished; the change after this one finishes it.
    alone: ContextManager[None] = users_lock() if logged else contextlib.nullcontext()
    with log as report:
        with alone:
            records, kept = salvage_database(database, check_mode, lock_timeout)
        report_salvage(report, records, kept)
    return records, kept


def change_one(
    front: str, user: User, backend: Backend, check_mode: bool, remove_home: Collection[str] = ()
) -> Outcome:
    """``change`` in one protocol only; warns if the other one keeps another password or still allows the log-in.

    Modules of lists do not warn: a list is for both protocols, and the next task changes the other one.
    """
    outcome = change(front, [user], [backend], check_mode, remove_home)[backend.protocol]
    if outcome.changed and os.geteuid() == 0:
        outcome.warnings += halves.untouched(user, backend.protocol, reopen)
    return outcome
