# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Run the steps of a plan for FTPS users: one transaction on the database, and the steps around it."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import Changes, View, update
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import allow_both, allow_hashes_only, restore
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam_account import obey
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import (
    DIRECTORY_MODE,
    FILE_MODE,
    Personal,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.plan import (
    AllowBoth,
    AllowHashesOnly,
    DropFiles,
    EndSessions,
    MakeHomes,
    ObeyAccounts,
    WriteFiles,
    WriteRecords,
    make_plan,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import HOME_MODE, ROOT_MODE, Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.sessions import end_ftps_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    close_homes,
    ensure_directory,
    ensure_homes,
    remove_home,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import (
    file_error,
    fsync_directory,
    replace_file,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.many_files import FEW, replace_files
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    CloseHomes,
    Plan,
    run_deletions,
    run_steps,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_many

SETTLE = 1.0
"""Seconds that a log-in may take from reading the PAM file to reading the database."""


def apply(plan: Plan, rules: Rules, replaced: list[Personal] | None = None) -> Plan:
    """Run the steps of ``plan``; return the plan that was run, with warnings about what stays.

    Every file of a user that was replaced is added to ``replaced`` as it was before, with an empty text if it is new.

    If another program has replaced the database meanwhile, a new plan is made, under the lock of writers. Raises
    SecureFtpError, with the database untouched, if it cannot be written; an error after that says what was done.
    """
    plan.expect_ready()
    change = _Change(plan, rules, [] if replaced is None else replaced)
    done: list[str] = []
    run_steps([step for step in plan.steps if not isinstance(step, _BEHIND)], change.do, done)
    run_steps(_behind(change.plan.steps), change.do, done)
    if change.undurable is not None:
        raise change.undurable
    warnings = [*change.plan.outcome.warnings, *change.warnings]
    return replace(change.plan, outcome=replace(change.plan.outcome, warnings=warnings, homes=plan.outcome.homes))


def delete(plan: Plan) -> list[str]:
    """Delete the directories that a plan deletes, after it was run; return their paths."""
    return run_deletions(plan, remove_home, [step.said for step in plan.steps if isinstance(step, WriteRecords)])


def put_files(files: Sequence[Personal]) -> None:
    """Make the files of users, all in one directory, what ``files`` say; remove those with an empty text.

    Only root can write them.
    """
    texts = {file.path: file.text.encode("utf-8", "surrogateescape") for file in files if file.text}
    for directory in {os.path.dirname(path) for path in texts}:
        ensure_directory(directory, 0, 0, DIRECTORY_MODE)
        if len(texts) > FEW:
            replace_files(directory, {os.path.basename(path): data for path, data in texts.items()}, FILE_MODE, 0, 0)
            continue
        for path, data in texts.items():
            replace_file(path, data, FILE_MODE, 0, 0)
    _remove_files([file.path for file in files if not file.text])


def _remove_files(paths: Sequence[str]) -> None:
    gone = []
    for path in paths:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                gone.append(path)
        except OSError as error:
            raise file_error(path, "remove", error) from error
    for directory in {os.path.dirname(path) for path in gone}:
        try:
            fsync_directory(directory)
        except OSError as error:
            raise file_error(directory, "flush", error) from error


_BEHIND = (AllowHashesOnly, DropFiles, EndSessions, CloseHomes)


def _behind(steps: Sequence[Any]) -> list[Any]:
    """The steps that come after the database was written; a new plan has its own."""
    return [step for step in steps if isinstance(step, _BEHIND)]


class _Change:
    """One run of a plan: its new hashes, its change of the PAM file, and its warnings."""

    def __init__(self, plan: Plan, rules: Rules, replaced: list[Personal]) -> None:
        self.plan, self._replaced = plan, replaced
        self.warnings: list[str] = []
        self.undurable: NotDurable | None = None
        self._rules = rules
        self._server: Server = plan.stored.server
        self._hashes: dict[str, str] = {}
        self._before_switch: bytes | None = None

    def do(self, step: Any) -> None:
        """Do one step."""
        service = self._server.service
        if isinstance(step, MakeHomes):
            _make_homes(step, self._server.homes)
        elif isinstance(step, WriteFiles):
            self._write_files(step)
        elif isinstance(step, ObeyAccounts):
            obey(step.path, step.group)
        elif isinstance(step, AllowBoth) and service:
            self._hashed(self.plan.steps)  # so that the switch is short
            self._before_switch = allow_both(service)
            if step.settle:
                time.sleep(SETTLE)
        elif isinstance(step, WriteRecords):
            self._write()
        elif isinstance(step, AllowHashesOnly) and service:
            allow_hashes_only(service)
        elif isinstance(step, EndSessions):
            self.warnings += end_sessions(step.names, self._server)
        elif isinstance(step, CloseHomes):
            self.warnings += close_homes(step.root, step.names)

    def _write_files(self, step: WriteFiles) -> None:
        stored: Stored = self.plan.stored
        self._replaced += [stored.files.get(os.path.basename(path), Personal(path, "")) for path in step.files]
        put_files([Personal(path, content) for path, content in step.files.items()])

    def _write(self) -> None:
        stored: Stored = self.plan.stored
        try:
            update(self._server.database, self._decide, lock_timeout=self._rules.lock_timeout, view=stored.view)
        except NotDurable as error:
            self.undurable = error  # the database is written, so the following steps must be done too
        except SecureFtpError:
            if self._before_switch is not None and self._server.service:
                restore(self._server.service, self._before_switch)
            raise

    def _decide(self, view: View) -> Changes:
        """What to write into the database ``view``: the planned changes, or those of a new plan if it has changed."""
        stored: Stored = self.plan.stored
        if view is not stored.view:
            everybody = self._rules.purge or self._rules.hash_plaintext
            names = None if everybody else [user.name for user in self.plan.users]
            again = stored.with_records(view, names)
            self.plan = make_plan(again, self.plan.users, self._rules, self.plan.remove_home)
        return self._hashed(self.plan.steps)

    def _hashed(self, steps: Iterable[Any]) -> Changes:
        """The changes of ``steps`` with their passwords hashed, on every core, each password once."""
        changes: dict[bytes, bytes | None] = {}
        for step in steps:
            if isinstance(step, WriteRecords):
                missing = [password for password in step.to_hash.values() if password not in self._hashes]
                self._hashes.update(zip(missing, hash_many(missing, self._rules.rounds)))
                changes.update(step.changes)
                for key, password in step.to_hash.items():
                    changes[key] = (step.changes[key] or b"") + self._hashes[password].encode("ascii")
        return changes


def _make_homes(step: MakeHomes, homes: Homes | None) -> None:
    root = homes.root if homes else None
    if root is None:
        for path in step.paths:
            ensure_directory(path, step.uid, step.gid, HOME_MODE)
        return
    if not os.path.lexists(root):
        ensure_directory(root, 0, 0, ROOT_MODE)
    ensure_homes(root, map(os.path.basename, step.paths), lambda _name: (step.uid, step.gid), HOME_MODE)


def end_sessions(names: Sequence[str], server: Server, chosen: Mapping[str, str] | None = None) -> list[str]:
    """End the sessions of users who were removed, locked, or given another password; return warnings.

    Sessions in a directory that several users share stay open, because it is unknown whose they are. ``chosen`` is what
    ``chosen_directories`` said before, for those who call this for each of many users.
    """
    homes = server.homes
    if not names or homes is None:
        return []
    if server.has_accounts:
        mine = [homes.by_pattern(name) for name in names if is_component(name)]
    elif homes.shared:
        mine = []
    else:
        mine = sole_directories(names, homes, chosen_directories(homes) if chosen is None else chosen)
    warnings = end_ftps_sessions(mine)
    ended = set(mine)
    others = sorted(name for name in names if is_component(name) and homes.of(name) not in ended)
    if others:
        warnings.append(
            f"{listed(others)}: open FTPS sessions stay open, because they start in a directory that several users"
            " share, so it is unknown whose they are; to end all of them: systemctl restart vsftpd"
        )
    return warnings


def chosen_directories(homes: Homes) -> dict[str, str]:
    """The real paths of directories that files of user_config_dir (vsftpd.conf(5)) name, by user."""
    try:
        names = os.listdir(homes.config_directory) if homes.config_directory else []
    except OSError:
        names = []
    own = ((name, homes.own(name)) for name in names)
    return {name: os.path.realpath(path) for name, path in own if path is not None}


def sole_directories(names: Iterable[str], homes: Homes, chosen: Mapping[str, str]) -> list[str]:
    """Return the directories of ``names`` that no other user has among the ``chosen_directories``."""
    ours = set(filter(is_component, names))
    taken = {path for name, path in chosen.items() if name not in ours}
    return sorted(path for path in map(homes.of, ours) if os.path.realpath(path) not in taken)
