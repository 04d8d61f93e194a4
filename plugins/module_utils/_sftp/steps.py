# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The steps of changes to SFTP users: values, each one thing to do. ``said`` is what was done, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import Access
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import NO_HOME, Account, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Limit
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, Setting
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Step


@dataclass(frozen=True)
class TakePasswords(Step):
    """Deny log-ins by password."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class DropKeys(Step):
    """Remove key files."""

    directory: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class RemoveAccounts(Step):
    """End the processes of accounts and delete them; ``shared`` are the user ids of other accounts."""

    accounts: tuple[Account, ...]
    shared: frozenset[int]

    @property
    def said(self) -> str:
        return f"removed {listed([account.name for account in self.accounts])}"


@dataclass(frozen=True)
class CreateAccounts(Step):
    """Create accounts without credentials; names in ``taken`` have a line in shadow or group already.

    ``gecos`` is that field of passwd(5), by name, of accounts that have a comment.
    """

    uids: Mapping[str, int]
    group: Group
    shell: str
    taken: tuple[str, ...]
    home: str = NO_HOME
    gecos: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        return f"added {listed(list(self.uids))} without password and keys"


@dataclass(frozen=True)
class ReadyClasses(Step):
    """Make sshd know the classes ``names`` of the jail of ``group``; ``new`` are those without a group of accounts."""

    names: tuple[str, ...]
    new: tuple[str, ...]
    group: str
    config: str

    @property
    def said(self) -> str:
        return f"sshd knows {listed(list(self.names))}"


class ClassMembers(NamedTuple):
    """The accounts ``names`` are to be the supplementary members of ``group``."""

    group: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class SetClasses(Step):
    """Put users into classes, and then take them out of others, in this order."""

    lists: tuple[ClassMembers, ...]

    @property
    def said(self) -> str:
        return f"members of {listed(list(dict.fromkeys(one.group for one in self.lists)))}"


@dataclass(frozen=True)
class JailClass(Step):
    """One user as an example of all who log in in the same way; ``command`` is the ForceCommand of the class.

    ``shut``: no log-in must be possible.
    """

    name: str
    groups: tuple[str, ...]
    by_password: bool
    by_key: bool
    command: str = ""
    shut: bool = False


@dataclass(frozen=True)
class AssertJail(Step):
    """Ask sshd whether it would jail one user of each class; with ``full``, other open features are errors too."""

    classes: tuple[JailClass, ...]
    jail: Jail
    settings: tuple[Setting, ...]
    config: str
    full: bool


@dataclass(frozen=True)
class NoHome(Step):
    """Replace passwd homes that their users can write, or that do not exist; ``shared`` as for RemoveAccounts."""

    accounts: tuple[Account, ...]
    shared: frozenset[int]
    home: str = NO_HOME

    @property
    def said(self) -> str:
        return f"passwd home of {listed([account.name for account in self.accounts])}"


@dataclass(frozen=True)
class SetShells(Step):
    """Change login shells, by user name."""

    shells: Mapping[str, str]

    @property
    def said(self) -> str:
        return f"shell of {listed(list(self.shells))}"


@dataclass(frozen=True)
class SetGecos(Step):
    """Change the field of passwd(5) with the comment, by user name."""

    texts: Mapping[str, str]

    @property
    def said(self) -> str:
        return f"comment of {listed(list(self.texts))}"


@dataclass(frozen=True)
class SetAccess(Step):
    """Say from where users may log in, in the file ``path``, and let sshd's PAM service ``service`` ask for ``group``.

    An empty group: nobody is limited.
    """

    path: str
    access: Access
    service: str
    group: str

    @property
    def said(self) -> str:
        return f"sources of log-ins in {self.path}"


@dataclass(frozen=True)
class SetQuotas(Step):
    """Limit user ids on the file system of ``device``, by user name."""

    device: str
    limits: Mapping[str, tuple[int, Limit]]

    @property
    def said(self) -> str:
        return f"quotas of {listed(sorted(self.limits))}"


@dataclass(frozen=True)
class HandOver(Step):
    """Give the files of the user id ``former`` in a kept home to another user id."""

    root: str
    name: str
    former: int
    uid: int
    gid: int


@dataclass(frozen=True)
class MakeHomes(Step):
    """Create or correct directories in the jail; each name with its user and group id."""

    root: str
    owners: Mapping[str, tuple[int, int]]

    @property
    def said(self) -> str:
        return f"homes of {listed(list(self.owners))}"


@dataclass(frozen=True)
class WriteKeys(Step):
    """Replace the key file."""

    directory: str
    name: str
    data: bytes

    @property
    def said(self) -> str:
        return f"keys of {self.name}"


@dataclass(frozen=True)
class SetExpiry(Step):
    """Let accounts expire on ``days``, by user name; if a day is empty, never.

    For those in ``locked`` and ``unlocked`` this is a lock, or its end.
    """

    days: Mapping[str, str]
    locked: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        rest = tuple(name for name in self.days if name not in self.locked and name not in self.unlocked)
        parts = (("locked", self.locked), ("unlocked", self.unlocked), ("expiry of", rest))
        return "; ".join(f"{what} {listed(list(names))}" for what, names in parts if names)


@dataclass(frozen=True)
class SetHashes(Step):
    """Store ``hashes``; a name in ``to_hash`` gets its value there (a mark, or nothing) and the password's hash."""

    hashes: Mapping[str, str]
    to_hash: Mapping[str, str]
    rounds: int

    @property
    def said(self) -> str:
        return f"passwords of {listed(sorted(self.hashes))}"


@dataclass(frozen=True)
class EndSessions(Step):
    """End the open sessions of these users, by name and id; ``shared`` as for RemoveAccounts."""

    uids: Mapping[str, int]
    shared: frozenset[int]
