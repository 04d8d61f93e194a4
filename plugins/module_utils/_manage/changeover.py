# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Decide how a host with two directories for each user changes over to one home for both protocols. Touches nothing.

Each user has changed over when the user's file of vsftpd names the account and its home. The last thing that changes is
local_root in vsftpd.conf: then every user has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import (
    Account,
    Personal,
    file_of,
    rights_in,
    with_rights,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import refusal
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import stranger
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored as Accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import no_place
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import validate_user_name
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

ASIDE = "from-ftps"
"""The directory in a home for files of FTPS whose names are taken."""

_RULE = "every user of FTPS to start in an own directory"


@dataclass(frozen=True)
class Facts:
    """What is there: the FTPS users ``names``, their ``files`` of vsftpd, the ``accounts``, the ``mounts``."""

    server: Server
    names: Sequence[str]
    files: Mapping[str, Personal]
    accounts: Accounts
    instances: Sequence[Instance] = ()
    mounts: Sequence[str] = ()
    guest: tuple[int, int] | None = (0, 0)


class Person(NamedTuple):
    """A user who is to move from ``old``; ``file`` is the new text of the user's file of vsftpd."""

    name: str
    old: str
    account: Account
    file: str
    has_file: bool
    has_account: bool
    has_sftp: bool

    @property
    def is_there(self) -> bool:
        """Whether ``old`` is another directory than the home."""
        return os.path.normpath(self.old) != os.path.normpath(self.account.home)


@dataclass(frozen=True)
class Changeover:
    """Who moves, and the configurations of vsftpd that are to name the new homes: by path, the new ``local_root``."""

    people: tuple[Person, ...] = ()
    configurations: Mapping[str, str] = field(default_factory=dict)

    @property
    def users(self) -> list[User]:
        """Everybody as the accounts are to be: those who have SFTP keep it, the others get one that cannot log in."""
        return [User(one.name, protocols=("ftps", "sftp") if one.has_sftp else ("ftps",)) for one in self.people]


def plan(facts: Facts) -> Changeover:
    """Decide who moves. Raises SecureFtpError with every problem of this host, before anything is changed."""
    found, homes = problems(facts), facts.server.homes
    if found or homes is None:
        raise SecureFtpError("one home for each user", found="; ".join(map(str, found)))
    people = tuple(_person(facts, homes, name) for name in sorted(facts.names))
    wanted = os.path.join(facts.accounts.jail.directory, homes.token)
    changing = {one.path: wanted for one in facts.instances if one.get("local_root") not in ("", wanted)}
    return Changeover(people, changing)


def _person(facts: Facts, homes: Homes, name: str) -> Person:
    accounts, file = facts.accounts, _file(facts, name)
    account, text = Account(name, os.path.join(accounts.jail.directory, name)), _new_text(facts, name)
    known = (text == file.text, accounts.has_account(name), accounts.has(name))
    return Person(name, homes.by_pattern(name), account, text, *known)


def _file(facts: Facts, name: str) -> Personal:
    return facts.files.get(name, Personal(file_of(facts.server.user_files, name), ""))


def _new_text(facts: Facts, name: str) -> str:
    """The file of ``name`` with the account. Raises SecureFtpError if a line of an operator says otherwise."""
    file, options = _file(facts, name), facts.server.options or {}
    home = os.path.join(facts.accounts.jail.directory, name)
    return with_rights(file, options, rights_in(options, file), Account(name, home))


def problems(facts: Facts) -> list[Problem]:
    """What keeps this host from changing over."""
    homes, jail = facts.server.homes, facts.accounts.jail
    if homes is None or homes.shared:
        where = "local_root in vsftpd.conf"
        return [Problem(where, _RULE, homes.pattern if homes else "none", "set it to a path that ends in $USER")]
    found = []
    if not facts.accounts.takes_classes:
        found.append(no_place("sshd_config", jail.group).problem)
    if homes.root == jail.directory and not facts.accounts.gives_accounts:
        said = f"{homes.pattern}, in the jail of SFTP, with directories of {facts.server.guest}"
        found.append(Problem("local_root in vsftpd.conf", "directories outside of the jail", said, "move them first"))
    if facts.guest is None and homes.root != jail.directory:
        found.append(Problem("guest_username in vsftpd.conf", found=f"no account {facts.server.guest!r}"))
    for one in facts.instances:
        found += _of_instance(one)
    if found:
        return found
    for name in sorted(facts.names):
        found += _of_user(facts, homes, name)
    return found


def _of_instance(one: Instance) -> list[Problem]:
    remedy = "apply the role vsftpd of this version first"
    found = []
    if not one.get("user_config_dir"):
        found.append(Problem(one.path, "user_config_dir, the directory for the files of single users", "none", remedy))
    for name in ("guest_enable", "virtual_use_local_privs"):
        if not one.is_yes(name):
            found.append(Problem(one.path, f"{name}=YES", one.get(name, "NO"), remedy))
    return found


def _of_user(facts: Facts, homes: Homes, name: str) -> list[Problem]:
    who, accounts = f"user {name!r}", facts.accounts
    try:
        validate_user_name(name)
    except SecureFtpError as error:
        return [error.problem.also("remove this user of FTPS, or add the user under another name first")]
    if name in (accounts.jail.group, facts.server.guest):
        return [Problem(who, found="is the name of an account of the server", remedy="add the user under another name")]
    if name in accounts.accounts.users and not accounts.has_account(name):
        return [stranger(name, accounts.jail.group, accounts.accounts, accounts.uids[0], accounts.operator)]
    try:
        _new_text(facts, name)
    except SecureFtpError as error:
        return [error.problem]
    paths = (homes.by_pattern(name), os.path.join(accounts.jail.directory, name))
    return [problem for problem in (refusal(path, facts.mounts) for path in paths) if problem]
