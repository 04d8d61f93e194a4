# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Run the steps of a plan for SFTP users: with the distribution's own tools, by file descriptor, after asking sshd."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import Any, Callable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import access, quotas
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    accounts_lock,
    create_accounts,
    create_group,
    delete_accounts,
    delete_group,
    flush_accounts,
    login_names,
    made_accounts,
    set_expiry,
    set_gecos,
    set_homes,
    set_members,
    set_passwords,
    set_shells,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    close_homes,
    ensure_directory,
    ensure_homes,
    hand_over,
    remove_home,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import flush, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import steps
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import HOME_MODE, KEY_FILE_MODE
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import ask
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    effective,
    jail_problems,
    log_in_problems,
    prepare_host,
    read_config,
    replace_config,
    where_set,
    with_classes,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.reload import let_sshd_read
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    CloseHomes,
    Plan,
    run_deletions,
    run_steps,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_many


def apply(plan: Plan, again: Callable[[Plan], Plan]) -> Plan:
    """Run the steps of the plan that ``again`` returns for ``plan``; return what was run, with its warnings.

    Raises SecureFtpError before any credential is stored when sshd would not jail the accounts. A later error says
    what was done. At the end everything is flushed to disk.
    """
    with accounts_lock():
        plan = again(plan)
        plan.expect_ready()
        warnings = list(plan.outcome.warnings)
        run_steps(plan.steps, lambda step: warnings.extend(_ACTS[type(step)](step) or ()))
        # Before the journal is closed and FTPS follows. Needed without steps too: a killed run may have done them all.
        flush_accounts(plan.stored.etc)
        flush([plan.stored.jail.directory, plan.stored.jail.keys_directory])
        return replace(plan, outcome=replace(plan.outcome, warnings=warnings))


def delete(plan: Plan) -> list[str]:
    """Delete the homes that a plan deletes, after it was run; return their paths."""
    done = [step.said for step in plan.steps if isinstance(step, steps.RemoveAccounts)]
    with accounts_lock():
        return run_deletions(plan, remove_home, done)


def _drop_keys(step: steps.DropKeys) -> None:
    for name in step.names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(step.directory, name))


def _create(step: steps.CreateAccounts) -> None:
    """Create the accounts and check their ids: no other account may have the id that gives access to their files."""
    create_accounts(step.uids, step.group, step.shell, step.taken, step.home, step.gecos)
    made = made_accounts(list(step.uids))
    for name, uid in step.uids.items():
        wanted = f"the user id {uid} and the group id {step.group.gid}"
        found = made.get(name)
        if found is None or (found.uid, found.gid) != (uid, step.group.gid):
            what = f"{found.uid} and {found.gid}" if found else "no account"
            raise SecureFtpError(
                f"user {name!r}",
                f"the new account to have {wanted}",
                found=what,
                remedy="another program creates accounts at the same time; try again",
            )


def ready_classes(step: steps.ReadyClasses) -> None:
    """Create missing groups, add missing blocks if sshd accepts them, and let sshd read them if it has not."""
    for name in step.new:
        create_group(name)
    text = read_config(step.config) or ""
    try:
        wanted = with_classes(text, step.group, step.names, step.config)
        if wanted != text:
            prepare_host()
            replace_config(step.config, wanted, sorted({"root", *login_names()}))
    except SecureFtpError:
        for name in step.new:
            delete_group(name)
        raise
    let_sshd_read(step.config)


def _assert_jail(step: steps.AssertJail) -> list[str]:
    """Ask sshd; return warnings about problems that are not errors."""
    prepare_host()
    warnings = []
    for one in step.classes:
        where, values = f"sshd, for user {one.name!r}", effective(one.name, step.config)
        ways = (one.by_password, one.by_key, one.command)
        fatal, open_doors = jail_problems(one.name, list(one.groups), values, step.jail, *ways)
        if one.shut:
            fatal += log_in_problems(values)
        if step.full:
            fatal += open_doors
        if fatal:
            said = [f"{problem}{where_set(problem.subject, step.settings, step.jail.group)}" for problem in fatal]
            raise SecureFtpError(
                where,
                found="; ".join(said),
                remedy="correct that line (an earlier Match block or a global line wins over the block of the role"
                " sshd_chroot); no password or key was stored",
            )
        warnings += [str(problem.about(where).also("apply the role sshd_chroot")) for problem in open_doors]
    return warnings


def _set_access(step: steps.SetAccess) -> None:
    """The file comes first: without it PAM denies everybody it asks it for."""
    access.write(step.access, step.path)
    ask(step.service, step.group)


def _set_quotas(step: steps.SetQuotas) -> None:
    quotas.write(step.device, dict(step.limits.values()))


def _hand_over(step: steps.HandOver) -> None:
    hand_over(step.root, step.name, step.former, step.uid, step.gid)


def _make_homes(step: steps.MakeHomes) -> None:
    ensure_homes(step.root, list(step.owners), lambda name: step.owners[name], HOME_MODE)


def _write_keys(step: steps.WriteKeys) -> None:
    ensure_directory(step.directory, 0, 0, 0o755)
    replace_file(os.path.join(step.directory, step.name), step.data, KEY_FILE_MODE, 0, 0)


def _set_hashes(step: steps.SetHashes) -> None:
    hashed = dict(zip(step.to_hash, hash_many(list(step.to_hash.values()), rounds=step.rounds)))
    set_passwords({name: value + hashed.get(name, "") for name, value in step.hashes.items()})


_ACTS: dict[Any, Callable[[Any], Any]] = {
    CloseHomes: lambda step: close_homes(step.root, step.names),
    steps.TakePasswords: lambda step: set_passwords(dict.fromkeys(step.names, "!*")),
    steps.DropKeys: _drop_keys,
    steps.RemoveAccounts: lambda step: delete_accounts(step.accounts, shared=step.shared),
    steps.CreateAccounts: _create,
    steps.ReadyClasses: ready_classes,
    steps.SetClasses: lambda step: set_members(step.lists),
    steps.AssertJail: _assert_jail,
    steps.NoHome: lambda step: set_homes(step.accounts, step.home, step.shared),
    steps.SetShells: lambda step: set_shells(step.shells),
    steps.SetGecos: lambda step: set_gecos(step.texts),
    steps.SetAccess: _set_access,
    steps.SetQuotas: _set_quotas,
    steps.HandOver: _hand_over,
    steps.MakeHomes: _make_homes,
    steps.WriteKeys: _write_keys,
    steps.SetExpiry: lambda step: set_expiry(step.days),
    steps.SetHashes: _set_hashes,
    steps.EndSessions: lambda step: end_sessions(step.uids, step.shared),
}
