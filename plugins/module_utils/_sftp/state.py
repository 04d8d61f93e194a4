# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The current state of SFTP users: accounts, jail, keys and directories, read once into a value."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Collection, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import ACCESS_FILE
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import other_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import Access
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import read as read_access
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_HOME,
    OUTER_HOME,
    Account,
    Accounts,
    known_elsewhere,
    login_names,
    read_accounts,
    uid_range,
    versions,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import former_owner, remembered_owner
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry, look
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import read_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.pam import read_service
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Limit, count
from ansible_collections.secure_ftp.server.plugins.module_utils._host.unchanged import identity_of
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import expiry, is_shut, lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import asked_group
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import (
    command_of,
    is_class,
    rights_by,
    shut_class,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_DIRECTORY,
    DEFAULT_KEYS_DIRECTORY,
    Jail,
    Setting,
    allows_passwords,
    classes_in,
    discovered_directory,
    discovered_keys_directory,
    find_jail,
    is_our_jail,
    read_config,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import (
    comment_in,
    expires_on,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import scheme
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import Rights
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

OTHERS = tuple(protocol for protocol in PROTOCOLS if protocol != "sftp")
"""The protocols of a user whose account cannot log in."""


ACCESS_IN_ETC = os.path.relpath(ACCESS_FILE, "/etc")
PAM_IN_ETC = "pam.d/sshd"


class KeyFile(NamedTuple):
    """What exists at the path of a user's key file; ``data`` is None when it is not a readable file."""

    data: bytes | None
    uid: int = 0
    gid: int = 0
    mode: int = 0o644
    problem: Problem | None = None

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The lines with a key; None when they are unknown."""
        if self.data is None:
            return None
        lines = self.data.decode("utf-8", "surrogateescape").splitlines()
        return tuple(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


class Home(NamedTuple):
    """A directory in the jail. ``former``: the user id that owns the files of a removed user."""

    found: Entry | None = None
    former: int | None = None


@dataclass(frozen=True)
class Stored:
    """The members of the jail's group; everything is read at least for those that were asked for.

    ``homes_problem`` is why homes cannot be looked at. ``operator`` are the names this run was logged in as,
    ``elsewhere`` the names in a directory service; ``obeying`` the users who can write their passwd home; ``strays``
    the owners of homes without an account. ``versions`` show whether this state is still current.
    """

    accounts: Accounts
    jail: Jail = Jail()
    jail_is_there: bool = True
    block: Mapping[str, Setting] = field(default_factory=dict)
    settings: Sequence[Setting] = ()
    keys: Mapping[str, KeyFile] = field(default_factory=dict, repr=False)
    homes: Mapping[str, Home] = field(default_factory=dict)
    homes_problem: Problem | None = None
    strays: Mapping[str, int] = field(default_factory=dict)
    obeying: frozenset[str] = frozenset()
    operator: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    uids: tuple[int, int] = (1000, 60000)
    mounts: Sequence[str] = ()
    versions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    etc: str = "/etc"
    classes: Mapping[str, str] = field(default_factory=dict)
    """The classes that sshd knows (see _ssh/classes.py), in its order, each with its ForceCommand."""

    access: Access = Access()
    """From where users may log in."""

    asks_access: str = ""
    """The group whose members sshd's PAM service asks that for; empty for none."""

    today: int = 0
    """The day in UTC, as in shadow(5)."""

    counted: Counted = Counted()
    """What the kernel counts and limits where the homes are."""

    counted_at: Mapping[str, Counted] = field(default_factory=dict)
    """The same for each home that is a file system of its own."""

    takes_classes: bool = True
    """Whether sshd's configuration has the block of the role, to which classes can be added."""

    @cached_property
    def _in_classes(self) -> Mapping[str, Sequence[str]]:
        """The groups of classes that each member of one is in, whether sshd knows the class or not."""
        found: dict[str, list[str]] = {}
        for group in self.accounts.groups.values():
            if is_class(self.jail.group, group.name):
                for name in group.members:
                    found.setdefault(name, []).append(group.name)
        return found

    @cached_property
    def in_lower_case(self) -> Mapping[str, Sequence[str]]:
        """The accounts of this host by their names in lower case."""
        found: dict[str, list[str]] = {}
        for name in self.accounts.users:
            found.setdefault(name.lower(), []).append(name)
        return found

    def classes_of(self, name: str) -> Sequence[str]:
        """The groups of classes that ``name`` is in."""
        return self._in_classes.get(name, ())

    @property
    def command(self) -> str:
        """The ForceCommand of the jail; empty if it has none."""
        return self.block["forcecommand"].value.strip('"') if "forcecommand" in self.block else ""

    def knows_class(self, name: str) -> bool:
        """Whether sshd gives the class ``name`` the rights of that name."""
        return self.classes.get(name) == command_of(self.jail.group, name, self.command)

    def rights(self, name: str) -> Rights:
        """The rights of ``name`` in SFTP: what sshd runs for the first class that the user is in, else for the jail."""
        mine = self.classes_of(name)
        command = next((command for group, command in self.classes.items() if group in mine), None)
        if command is not None:
            return Rights(*rights_by(command))
        return Rights(rights_by(self.command)[0])

    @property
    def members(self) -> list[str]:
        """Names of the SFTP users, sorted."""
        return self.accounts.members(self.jail.group)

    @property
    def gives_accounts(self) -> bool:
        """Whether users of other protocols have an account in the jail too, in the class that cannot log in."""
        return shut_class(self.jail.group) in self.classes

    @property
    def passwd_home(self) -> str:
        """The passwd home of a new account: vsftpd enters that of its user before it starts a session."""
        return OUTER_HOME if self.gives_accounts else NO_HOME

    def counted_of(self, name: str) -> Counted:
        """What the kernel counts and limits where the home of ``name`` is."""
        return self.counted_at.get(name, self.counted)

    def with_limits(self, limits: Mapping[str, tuple[int, Limit]]) -> Stored:
        """The same with these limits, by user; each with the user id."""
        counted, counted_at = self.counted, dict(self.counted_at)
        for name, (uid, limit) in limits.items():
            there = self.counted_of(name) if name in self.counted_at else counted
            there = replace(there, used={**there.used, uid: there.of(uid)._replace(limit=limit)})
            if name in self.counted_at:
                counted_at[name] = there
            else:
                counted = there
        return replace(self, counted=counted, counted_at=counted_at)

    def has(self, name: str) -> bool:
        """Whether ``name`` is an SFTP user."""
        return self.has_account(name) and not self.is_shut(name)

    def is_shut(self, name: str) -> bool:
        """Whether ``name`` is in the class of those who cannot log in."""
        return self.gives_accounts and shut_class(self.jail.group) in self.classes_of(name)

    def has_account(self, name: str) -> bool:
        """Whether ``name`` has an account in the jail."""
        account, group = self.accounts.users.get(name), self.accounts.groups.get(self.jail.group)
        return bool(account and group and (account.gid == group.gid or name in group.members))

    def user(self, name: str) -> User:
        """``name`` as a User of SFTP that a plan would not change. Raises SecureFtpError for unreadable keys."""
        if not self.has_account(name):
            return User(name, present=False)
        if self.is_shut(name):
            return User(name, protocols=OTHERS)._replace(**self._said(name))
        state, file = lock_state(self.accounts, name), self.keys.get(name)
        if file is not None and file.problem:
            raise SecureFtpError.of(file.problem)
        locked = None if state.mark and not state.full else state.full
        rights = self.rights(name)
        keys = (file.keys or ()) if file else ()
        user = User(name, True, None, state.stored, ("sftp",), keys, locked, rights.access, rights.umask)
        return user._replace(**self._said(name))

    def described(self, name: str) -> dict[str, Any] | None:
        """Name, scheme of the password (None without one), lock, expiry, rights, comment, home, number of keys.

        None if there is no such user.
        """
        if not self.has(name):
            return None
        user, state = self.user(name), lock_state(self.accounts, name)
        keys, end = len(user.authorized_keys or ()), expiry(state)
        return {
            "name": name,
            "scheme": scheme(state.stored) if state.has_password else None,
            "locked": is_shut(state, bool(keys)),
            "home": os.path.join(self.jail.directory, name),
            "access": user.access,
            "umask": user.umask,
            **self.of_account(name),
            "expires": end.isoformat() if end else None,
            "keys": keys,
        }

    def of_account(self, name: str) -> dict[str, Any]:
        """What the account of ``name`` says about the user in every protocol; empty without an account in the jail."""
        if not self.has_account(name):
            return {}
        said, counted = self._said(name), self.counted_of(name)
        usage = counted.of(self.accounts.users[name].uid) if counted.works else None
        return {
            **said,
            "comment": comment_in(said["comment"]),
            "used_bytes": usage.size if usage else None,
            "used_files": usage.files if usage else None,
        }

    def _said(self, name: str) -> dict[str, Any]:
        """The fields of the user ``name`` that are stored in the account."""
        day = lock_state(self.accounts, name).day
        sources = self.access.sources.get(name, ())
        account = self.accounts.users[name]
        quota, files = self.counted_of(name).of(account.uid).limit
        return {
            "comment": account.gecos,
            "expires": expires_on(day),
            "allowed_sources": sources,
            "quota": quota,
            "quota_files": files,
        }

    def counts(self, _name: str) -> bool:
        """Always: every session is one of the user's account."""
        return True

    def gives_account(self, user: User) -> bool:
        """Whether ``user`` has an account after a change to what ``user`` describes."""
        return user.present and ("sftp" in user.protocols or self.gives_accounts)


class Place(NamedTuple):
    """Where SFTP users are: values from ``Rules``; the others are discovered. ``etc`` contains the account files."""

    group: str
    config: str = CONFIG
    directory: str | None = None
    keys_directory: str | None = None
    etc: str = "/etc"


def read_state(place: Place, names: Collection[str], mounts: bool = False, purge: bool = False) -> Stored:
    """Read the host for a plan about ``names``; with ``mounts`` also mounts, with ``purge`` also every member."""
    etc = place.etc
    accounts = read_accounts(etc, passwords_of=None if purge else names)
    settings = read_settings(place.config)
    jail, block = locate(settings, place.group, place.directory, place.keys_directory)
    inside = set(accounts.members(jail.group))
    whose = sorted(filter(is_component, {*names, *(inside if purge else ())}))
    new = [name for name in whose if name not in accounts.users]
    homes, problem = _homes(jail.directory, whose, accounts.users)
    return Stored(
        accounts,
        jail,
        os.path.isdir(jail.directory),
        block,
        settings,
        {name: file for name in whose for file in [read_key_file(jail.keys_directory, name)] if file},
        homes,
        problem,
        _strays(jail.directory, accounts.users) if new else {},
        frozenset(name for name in whose if name in inside and obeys_its_user(accounts.users[name], jail.directory)),
        frozenset(login_names()),
        frozenset(known_elsewhere(new, etc)),
        uid_range(etc),
        other_mounts() if mounts else (),
        _versions(place, jail.keys_directory, whose),
        etc,
        classes_in(settings, jail.group),
        read_access(os.path.join(etc, ACCESS_IN_ETC)),
        asked_group(read_service(os.path.join(etc, PAM_IN_ETC))),
        int(time.time() // 86400),
        *_counts(jail.directory, whose),
        is_our_jail(read_config(place.config) or "", jail.directory),
    )


def _counts(directory: str, names: Iterable[str]) -> tuple[Counted, dict[str, Counted]]:
    """What the kernel counts in the jail ``directory``, and in the homes of ``names`` that are mounted there."""
    mounts, real = read_mounts(), os.path.realpath(directory)
    points = {mount.point for mount in mounts}
    at = {name: path for name in names for path in [os.path.join(real, name)] if path in points}
    return count(real, mounts), {name: count(path, mounts) for name, path in at.items()}


def with_accounts_for_all(stored: Stored) -> Stored:
    """The same on a host whose sshd knows the class of accounts that cannot log in."""
    shut = shut_class(stored.jail.group)
    return replace(stored, classes={shut: command_of(stored.jail.group, shut, stored.command), **stored.classes})


def _versions(place: Place, keys_directory: str, names: Iterable[str]) -> dict[str, Any]:
    """The current version of everything that a plan reads; opens nothing."""
    here = (os.path.join(place.etc, ACCESS_IN_ETC), os.path.join(place.etc, PAM_IN_ETC))
    files = [place.config, *here, *(os.path.join(keys_directory, name) for name in names)]
    return {**versions(place.etc), **{path: identity_of(path) for path in files}}


def is_current(stored: Stored) -> bool:
    """Whether account files, configuration and keys are still those that were read."""
    return bool(stored.versions) and all(identity_of(path) == known for path, known in stored.versions.items())


def _homes(directory: str, names: Sequence[str], users: Collection[str]) -> tuple[dict[str, Home], Problem | None]:
    """The homes of ``names``, and why they cannot be looked at; ``users`` have an account."""
    try:
        found = look(directory, names)
    except SecureFtpError as error:
        return {}, error.problem
    return {name: Home(entry, _former(directory, name, entry, name in users)) for name, entry in found.items()}, None


def _former(directory: str, name: str, entry: Entry | None, has_account: bool) -> int | None:
    """The former owner of the files, if it is not the account ``name``; an interrupted run leaves such homes."""
    if entry is None or not entry.is_directory:
        return None
    if has_account:
        return remembered_owner(directory, name) if entry.is_closed else None
    return entry.uid or former_owner(directory, name)


def _strays(directory: str, users: Collection[str]) -> dict[str, int]:
    """The owners of homes without an account in ``users``: a new account's id must not give access to their files."""
    try:
        names = set(os.listdir(directory)).difference(users)
    except FileNotFoundError:
        return {}
    owners = {name: former_owner(directory, name) for name in names}
    return {name: uid for name, uid in owners.items() if uid is not None}


def obeys_its_user(account: Account, directory: str) -> bool:
    """Whether ``account`` could write or create its own passwd home, so that programs outside the jail obey its files.

    ``directory`` is the jail: directories below it may become the user's at any time.
    """
    if account.home == NO_HOME:
        return False
    home, jail = os.path.realpath(account.home), os.path.realpath(directory)
    if home == jail or home.startswith(jail.rstrip("/") + "/"):
        return True
    path, below = home, None
    while True:
        with contextlib.suppress(OSError):
            found = os.stat(path)
            open_ = found.st_mode & 0o002 or (found.st_gid == account.gid and found.st_mode & 0o020)
            # In a sticky directory a user cannot replace an entry of another owner.
            held = below is not None and found.st_mode & stat.S_ISVTX and below.st_uid != account.uid
            if found.st_uid == account.uid or (open_ and not held):
                return True
            below = found
        if path == "/":
            break
        path = os.path.dirname(path)
    return False


def read_key_file(keys_directory: str, name: str) -> KeyFile | None:
    """The key file of ``name``; None when there is none."""
    path = os.path.join(keys_directory, name)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return KeyFile(None, problem=file_error(path, "read", error).problem)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return KeyFile(None, problem=Problem(path, "a file of keys", "something else", "remove it"))
        return KeyFile(file.read(), found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def describe(group: str, name: str | None = None, config: str = CONFIG, etc: str = "/etc") -> list[dict[str, Any]]:
    """Return the members of ``group``, each as ``Stored.described`` returns it."""
    stored, names = _members(group, name, config, etc)
    directory = stored.jail.keys_directory
    try:
        with_keys = {entry.name for entry in os.scandir(directory)} if names else set()
    except OSError:
        with_keys = set()
    keys = {
        user: read_key_file(directory, user)
        for user in told("keys of SFTP users", names, len(names))
        if user in with_keys
    }
    stored = replace(stored, keys={user: file for user, file in keys.items() if file})
    return [found for found in map(stored.described, told("SFTP users", names, len(names))) if found]


def of_accounts(
    group: str, name: str | None = None, config: str = CONFIG, etc: str = "/etc"
) -> dict[str, dict[str, Any]]:
    """What ``Stored.of_account`` says of the members of ``group``, by name, also of those who cannot log in."""
    stored, names = _members(group, name, config, etc)
    return {user: stored.of_account(user) for user in told("accounts", names, len(names))}


def _members(group: str, name: str | None, config: str, etc: str) -> tuple[Stored, list[str]]:
    """The members of ``group``, or only ``name``, without keys and directories."""
    accounts = read_accounts(etc, only=None if name is None else {name})
    settings = read_settings(config)
    jail, block = locate(settings, group)
    access = read_access(os.path.join(etc, ACCESS_IN_ETC))
    names = [user for user in accounts.members(group) if name in (None, user)]
    counted, counted_at = _counts(jail.directory, names)
    stored = Stored(accounts, jail, block=block, classes=classes_in(settings, group), access=access)
    return replace(stored, counted=counted, counted_at=counted_at), names


def locate(
    settings: Sequence[Setting], group: str, directory: str | None = None, keys_directory: str | None = None
) -> tuple[Jail, Mapping[str, Setting]]:
    """Return the jail of ``group`` and what ``settings`` say about it; ``directory`` and ``keys_directory`` win."""
    found = find_jail(settings, group)
    directory = os.path.normpath(directory or discovered_directory(found, group) or DEFAULT_DIRECTORY)
    keys_directory = os.path.normpath(keys_directory or discovered_keys_directory(found) or DEFAULT_KEYS_DIRECTORY)
    return Jail(group, directory, keys_directory, allows_passwords(found)), found
