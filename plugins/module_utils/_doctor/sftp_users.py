# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of SFTP users: their accounts, homes and key files."""

from __future__ import annotations

import datetime
import os
import stat
from typing import Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
    chained,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Member
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_PASSWORD,
    PENDING,
    Accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import expiry, lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import NO_SHELLS
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    unsafe_components,
)

SOON = 14
"""An account is reported this many days before it expires."""

KINDS: dict[str, Kind] = {
    "sftp-home-missing": Kind(
        ERROR,
        "SFTP users have no home",
        "Their sessions start at the top of the jail, where they cannot store files.",
        "install -d -o {user} -g {group} -m 0700 {path}",
    ),
    "sftp-home-owner": Kind(
        ERROR,
        "homes of SFTP users have another owner",
        "These users cannot upload, and the owner can read their files.",
        "chown {user}:{group} {path}",
    ),
    "sftp-home-open": Kind(
        WARNING,
        "homes of SFTP users are open to others",
        "SFTP users share one jail: only the mode of their homes keeps them out of each other's files.",
        "chmod 0700 {paths}",
    ),
    "sftp-home-left": Kind(
        ERROR,
        "the home of a removed user still belongs to a user id",
        "The next account with this user id, made by useradd or a package, can read the files.",
        "chown root:root {paths} && chmod 0700 {paths}",
    ),
    "account-pending": Kind(
        ERROR,
        "accounts were made but never got a password",
        "These users cannot log in: the run that made the accounts was interrupted.",
        "ftp-users passwd {user}",
    ),
    "no-way-in": Kind(
        WARNING,
        "SFTP users have neither a password nor a key",
        "Nobody can log in as these users over SFTP.",
        "ftp-users passwd {user}",
    ),
    "account-expires": Kind(
        WARNING,
        "the account of a user has expired, or expires within 14 days",
        "From that day on the user cannot log in, by password or key.",
        "ftp-users edit {user} --expires never",
    ),
    "account-shell": Kind(
        WARNING,
        "SFTP users have a log-in shell",
        "On the console, with su, and in services that use system passwords they are ordinary users.",
        "usermod --shell /usr/sbin/nologin {user}",
    ),
    "key-file-unsafe": Kind(
        ERROR,
        "files of public keys have a wrong owner or mode",
        "sshd ignores a file that it cannot read or that others can write; the owner of the file can add keys.",
        "chown root:root {paths} && chmod 0644 {paths}",
    ),
    "key-file-orphan": Kind(
        WARNING,
        "there are files of public keys without an account",
        "The holder of such a key can log in as soon as an account of that name is made without ftp-users.",
        "rm -f -- {paths}",
    ),
}
found = Reporter(KINDS)


def entries_of(directory: str) -> dict[str, os.stat_result]:
    """The entries of ``directory`` except hidden ones."""
    try:
        with os.scandir(directory) as entries:
            return {
                entry.name: entry.stat(follow_symlinks=False) for entry in entries if not entry.name.startswith(".")
            }
    except FileNotFoundError:
        return {}


def account_findings(members: Sequence[Member], accounts: Accounts) -> Iterator[Finding]:
    states = {member.account.name: lock_state(accounts, member.account.name) for member in members}
    with_key = {member.account.name for member in members if member.by_key}
    # Other tools leave "!" in accounts that log in by key; "!*" is the mark of create_accounts.
    pending = [
        name
        for name, state in states.items()
        if not state.full and (state.stored == "!*" or (state.stored in PENDING and name not in with_key))
    ]
    if pending:
        what = f"{listed(pending)}: no password yet; the fix gives one, ftp-users del removes the account"
        yield found("account-pending", what, pending[0], chained(f"ftp-users passwd {quoted(n)}" for n in pending))
    closed = [
        name
        for name, state in states.items()
        if not state.full and state.stored == NO_PASSWORD and name not in with_key
    ]
    if closed:
        what = f"{listed(closed)}: no password and no key; the fix gives a password, ftp-users keys NAME add KEY a key"
        yield found("no-way-in", what, closed[0], chained(f"ftp-users passwd {quoted(name)}" for name in closed))
    ends = {name: end for name, state in states.items() for end in [expiry(state)] if end and not state.full}
    soon = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=SOON)
    ending = [name for name, end in sorted(ends.items()) if end <= soon]
    if ending:
        dates = listed([f"{name} on {ends[name].isoformat()}" for name in ending])
        yield found("account-expires", f"{dates}: the account expires", ending[0], user=ending[0])
    shells = [member.account.name for member in members if member.account.shell not in NO_SHELLS]
    if shells:
        fix = chained(f"usermod --shell {NO_SHELLS[0]} {quoted(name)}" for name in shells)
        yield found("account-shell", f"{listed(shells)}: expected the shell {NO_SHELLS[0]}", shells[0], fix)


def home_findings(members: Sequence[Member], directory: str) -> Iterator[Finding]:
    missing, foreign, open_ = [], [], []
    for member in members:
        account = member.account
        path = os.path.join(directory, account.name)
        try:
            status = os.lstat(path)
        except OSError:
            missing.append((path, account))
            continue
        if not stat.S_ISDIR(status.st_mode):
            missing.append((path, account))
        elif status.st_uid != account.uid:
            foreign.append((path, account))
        elif status.st_mode & 0o077:
            open_.append(path)
    if missing:
        paths = [path for path, _account in missing]
        fix = chained(
            f"install -d -o {quoted(account.name)} -g {account.gid} -m 0700 {quoted(path)}" for path, account in missing
        )
        yield found("sftp-home-missing", f"{listed(paths)}: missing, or not a directory", paths[0], fix)
    if foreign:
        paths = [path for path, _account in foreign]
        fix = chained(f"chown {quoted(account.name)}:{account.gid} {quoted(path)}" for path, account in foreign)
        yield found("sftp-home-owner", f"{listed(paths)}: expected to belong to the user", paths[0], fix)
    if open_:
        yield found("sftp-home-open", f"{listed(open_)}: expected mode 0700", open_[0], paths=open_)


def left_findings(directory: str, accounts: Accounts) -> Iterator[Finding]:
    """Look for homes that other tools, or an older version of this library, have left."""
    left = [
        os.path.join(directory, name)
        for name, status in sorted(entries_of(directory).items())
        if name not in accounts.users and status.st_uid != 0
    ]
    if left:
        what = f"{listed(left)}: no account of that name; expected owner root, mode 0700, until the user is added again"
        yield found("sftp-home-left", what, left[0], paths=left)


def key_findings(directory: str, files: Mapping[str, os.stat_result], accounts: Accounts) -> Iterator[Finding]:
    for path, status in unsafe_components(directory):
        what = f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}; expected root and 0755"
        yield found("config-writable", what, path, path=path)
    unsafe, orphans = [], []
    for name, status in sorted(files.items()):
        path = os.path.join(directory, name)
        mode = status.st_mode
        if name not in accounts.users:
            orphans.append(path)
        elif not stat.S_ISREG(mode) or status.st_uid != 0 or mode & 0o022 or not mode & 0o004:
            unsafe.append(path)
    for subject, paths, what in (
        ("key-file-unsafe", unsafe, "expected a file owned by root, mode 0644"),
        ("key-file-orphan", orphans, "no account of that name"),
    ):
        if paths:
            yield found(subject, f"{listed(paths)}: {what}", paths[0], paths=paths)
