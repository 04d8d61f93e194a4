# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What preflight finds in sshd's configuration: a jail made by hand, and lines that would deny SFTP users the log-in.

The same is checked again when accounts are made; at this point nothing has been changed yet.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from typing import Collection, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    Account,
    Accounts,
    read_accounts,
    uid_range,
    unsuitable,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import is_closed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import find_program
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import HOME_MODE, stranger
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import pam_problem
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_DIRECTORY,
    DEFAULT_GROUP,
    DEFAULT_KEYS_DIRECTORY,
    DIRECTORY_MODE,
    KEYS_DIRECTORY_MODE,
    Jail,
    access_problems,
    discovered_keys_directory,
    effective,
    find_jail,
    is_our_jail,
    method_problems,
    parse,
    prepare_host,
    read_config,
    takeover_problems,
    unmarked,
    where_set,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import EMPTY, LOG_IN
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component


def sshd_problems(settings: Settings, users: object, config: str = CONFIG, etc: str = "/etc") -> list[Problem]:
    """Every problem of the existing sshd and accounts with those ``users`` (as ``ftp_users``) who have SFTP.

    None if OpenSSH's server is not installed, or if the variables of the role sshd_chroot are not given.
    """
    names, by_password, by_key = _sftp_users(users)
    if "sshd_chroot_directory" not in settings.given or not find_program("sshd"):
        return []
    text = read_config(config)
    if text is None:
        return []
    jail = jail_of(settings)
    accounts = read_accounts(etc)
    return [
        *takeover_problems(unmarked(text, config), jail),
        *_account_problems(names, _touched(users, settings), jail, accounts, etc),
        *([] if is_our_jail(text, jail.directory) else _directory_problems(jail)),
        *_home_problems(names, jail, accounts, is_our_jail(text, jail.directory)),
        *_key_problems(_without_given_keys(users, accounts.members(jail.group)), jail, accounts, text, config),
        *_pam_problems(settings, users, text, config),
        *_login_problems(names, by_password and jail.password_authentication, by_key, jail, accounts, config),
    ]


def _pam_problems(settings: Settings, users: object, text: str, config: str) -> Iterator[Problem]:
    """Whether sshd asks PAM, if the log-ins of a user are to be limited by it."""
    entries = [one for one in users if isinstance(one, Mapping)] if isinstance(users, (list, tuple)) else []
    wished = [one for one in (*entries, settings.ftp_users_defaults) if one.get("state") != "absent"]
    given = {name for one in wished for name in LOG_IN if one.get(name) and one[name] != EMPTY[name]}
    problem = pam_problem(parse(text, config), config)
    if given and problem:
        yield problem.also(f"or leave {' and '.join(sorted(given))} out")


def jail_of(settings: Settings) -> Jail:
    """The jail that the settings of the role sshd_chroot describe."""
    return Jail(
        group=settings.sshd_chroot_group or DEFAULT_GROUP,
        directory=os.path.normpath(settings.sshd_chroot_directory or DEFAULT_DIRECTORY),
        keys_directory=os.path.normpath(settings.sshd_chroot_keys_directory or DEFAULT_KEYS_DIRECTORY),
        password_authentication=settings.sshd_chroot_password_authentication,
        log_level=settings.sshd_chroot_log_level or None,
        log_facility=settings.sshd_chroot_log_facility or None,
        start_directory=settings.sshd_chroot_start_directory or Jail.start_directory,
    )


def _sftp_users(users: object) -> tuple[list[str], bool, bool]:
    """Those of ``users`` who get SFTP; whether one of them has a password, and whether one has a key."""
    names, by_password, by_key = [], False, False
    for entry in users if isinstance(users, (list, tuple)) else ():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or entry.get("state") == "absent":
            continue
        protocols = entry.get("protocols")
        if protocols is None or (isinstance(protocols, (list, tuple)) and "sftp" in protocols):
            names.append(entry["name"])
            by_password |= bool(entry.get("password") or entry.get("password_hash"))
            by_key |= bool(entry.get("authorized_keys"))
    return names, by_password, by_key


def _touched(users: object, settings: Settings) -> set[str] | None:
    """All names in ``users``, those to remove too; None for every user, since a purge removes all others."""
    if settings.ftp_users_purge:
        return None
    entries = users if isinstance(users, (list, tuple)) else ()
    return {str(entry.get("name")) for entry in entries if isinstance(entry, Mapping)}


def _account_problems(
    names: Sequence[str], touched: Collection[str] | None, jail: Jail, accounts: Accounts, etc: str
) -> list[Problem]:
    """The accounts that the run would refuse to change half-way; ``names`` are the users who get SFTP."""
    group, low = accounts.groups.get(jail.group), uid_range(etc)[0]
    members = accounts.members(jail.group)
    found = [
        stranger(name, jail.group, accounts, low).about("ftp_users")
        for name in names
        if name in accounts.users and name not in members
    ]
    for name in members if group is not None else ():
        why = unsuitable(accounts.users[name], accounts.groups_of(name), accounts.groups[jail.group], low)
        if why and (touched is None or name in touched):
            out = f"remove the account from the group {jail.group}: gpasswd -d {name} {jail.group}"
            found.append(why.also(f"choose another name, or {out}").about("ftp_users"))
    return found


def _directory_problems(jail: Jail) -> Iterator[Problem]:
    """The existing directories that would get another owner or mode."""
    for name, path, mode in (
        ("sshd_chroot_directory", jail.directory, DIRECTORY_MODE),
        ("sshd_chroot_keys_directory", jail.keys_directory, KEYS_DIRECTORY_MODE),
    ):
        found = _directory(path)
        if found is not None and (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, 0, mode):
            said = f"{path} exists already, {_said(found)}, and would get owner root, mode {mode:04o}"
            agree = f"chown root:root {quoted(path)} && chmod {mode:04o} {quoted(path)}"
            remedy = f"choose another directory, or agree and run: {agree}"
            yield Problem(name, found=visible(said), remedy=visible(remedy))


def _home_problems(names: Sequence[str], jail: Jail, accounts: Accounts, ours: bool) -> Iterator[Problem]:
    """The existing directories that would become users' homes, with another owner or mode.

    Homes of removed users are no problem: such a user gets the home back. In a jail of ours (``ours``) only a directory
    of another account is one.
    """
    holders = {account.uid for account in accounts.users.values() if account.uid != 0}
    for name in names:
        found = _directory(os.path.join(jail.directory, name)) if is_component(name) else None
        account = accounts.users.get(name)
        if found is None or is_closed(jail.directory, name) or not _would_change(found, account, holders, ours):
            continue
        path = quoted(os.path.join(jail.directory, name))
        owner = f"{found.st_uid}:{account.gid}" if account and account.uid == found.st_uid else "root:root"
        said = (
            f"{path} exists already, {_said(found)}, and would become the home of user {name!r}, mode {HOME_MODE:04o}"
        )
        agree = f"chown {owner} {path} && chmod {HOME_MODE:04o} {path}"
        remedy = f"choose another sshd_chroot_directory or user, or agree and run: {agree}"
        yield Problem("sshd_chroot_directory", found=visible(said), remedy=visible(remedy))


def _would_change(found: os.stat_result, account: Account | None, holders: Collection[int], ours: bool) -> bool:
    """Whether a directory that is ``found`` would change when it becomes the home of ``account`` (None: to be made).

    A directory of no account in ``holders`` is the home of a removed user.
    """
    if account is not None and found.st_uid == account.uid:
        return not ours and (found.st_gid, stat.S_IMODE(found.st_mode)) != (account.gid, HOME_MODE)
    return found.st_uid in holders or (found.st_uid == 0 and not ours)


def _without_given_keys(users: object, members: Sequence[str]) -> list[str]:
    """Those ``members`` of the jailed group whose keys ``users`` neither lists nor removes."""
    entries = users if isinstance(users, (list, tuple)) else ()
    given = {
        str(entry.get("name"))
        for entry in entries
        if isinstance(entry, Mapping) and (entry.get("authorized_keys") is not None or entry.get("state") == "absent")
    }
    return [name for name in members if name not in given]


def _key_problems(members: Sequence[str], jail: Jail, accounts: Accounts, text: str, config: str) -> Iterator[Problem]:
    """The keys that sshd reads for ``members`` now, and would not read in the jail: these users would be locked out.

    All members are taken to have the AuthorizedKeysFile of the first one.
    """
    if not members or discovered_keys_directory(find_jail(parse(text, config), jail.group)) == jail.keys_directory:
        return
    prepare_host()
    try:
        patterns = " ".join(effective(members[0], config).get("authorizedkeysfile", [])).split()
    except SecureFtpError:
        return  # sshd refuses its configuration; the code that needs it says so
    lost = {}
    for name in members:
        new = os.path.join(jail.keys_directory, name)
        paths = [_keys_file(pattern, accounts.users[name]) for pattern in patterns if pattern != "none"]
        found = [path for path in paths if path != new and _has_content(path)]
        if found and not os.path.lexists(new):
            lost[name] = (found[0], new)
    if lost:
        where = f"sshd reads keys of {listed(list(lost))} in {listed([old for old, _new in lost.values()])}"
        said = f"{where}, and would read only {jail.keys_directory}/USER, which users cannot change"
        copies = [f"install -D -m 0644 {quoted(old)} {quoted(new)}" for old, new in list(lost.values())[:_SHOWN]]
        remedy = f"copy them: {' && '.join(copies)}; an empty file there means that the keys are not to be kept"
        yield Problem("sshd_chroot_keys_directory", found=visible(said), remedy=visible(remedy))


def _keys_file(pattern: str, account: Account) -> str:
    """The file that ``pattern`` of AuthorizedKeysFile means for ``account`` (sshd_config(5), TOKENS)."""
    tokens = {"%h": account.home, "%u": account.name, "%U": str(account.uid), "%%": "%"}
    path = re.sub("%.", lambda found: tokens.get(found[0], found[0]), pattern)
    return os.path.join(account.home, path)


def _has_content(path: str) -> bool:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _directory(path: str) -> os.stat_result | None:
    """The status of the directory ``path``; None if there is none, or only a link to one."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISDIR(found.st_mode) else None


def _said(found: os.stat_result) -> str:
    return f"owner {found.st_uid}, group {found.st_gid}, mode {stat.S_IMODE(found.st_mode):04o}"


def _login_problems(
    names: Sequence[str], by_password: bool, by_key: bool, jail: Jail, accounts: Accounts, config: str
) -> list[Problem]:
    """What in the global part of sshd's configuration would deny one of ``names`` the log-in."""
    if not names:
        return []
    lines = unmarked(read_config(config) or "", config)
    found: list[Problem] = []
    prepare_host()
    try:
        # There is no such user: these are the settings without any Match block, as for an account to be made.
        values = effective("nobody-yet", config)
    except SecureFtpError:
        return []  # sshd refuses its configuration; the code that needs it says so

    def add(who: str, problem: Problem) -> None:
        where = where_set(problem.subject, lines, jail.group)
        said = replace(problem, subject=f"{who}: {problem.subject}", found=f"{problem.found}{where}")
        found.append(replace(said, remedy="correct that line"))

    for name in names:
        groups = accounts.groups_of(name) if name in accounts.users else [jail.group]
        for problem in access_problems(name, groups, values):
            add(f"sshd, for user {name!r}", problem)
    for problem in method_problems(" ".join(values.get("authenticationmethods", ["any"])), by_password, by_key):
        add("sshd", problem)
    return found[:_SHOWN]


_SHOWN = 10
