# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What sshd's configuration and the account files say about SFTP users."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import SSH
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import Access, read
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, read_accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.pam import read_service
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import ACCESS_IN_ETC, PAM_IN_ETC
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import asked_group
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import shut_class
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_DIRECTORY,
    DEFAULT_GROUP,
    DEFAULT_KEYS_DIRECTORY,
    Setting,
    discovered_directory,
    discovered_keys_directory,
    find_jail,
    group_patterns,
    read_settings,
)


class Member(NamedTuple):
    """An SFTP user, with the facts that decide which of sshd's settings apply."""

    account: Account
    groups: tuple[str, ...]
    by_password: bool
    by_key: bool


@dataclass(frozen=True)
class Sftp:
    """What sshd's configuration and the account files say about SFTP users; ``verb`` makes sshd read them."""

    config: str
    settings: Sequence[Setting]
    accounts: Accounts
    verb: str = "reload"
    access: Access = Access()
    asks_access: str = ""
    """As in the state of SFTP users: the sources of log-ins, and the group whose members sshd asks for them."""

    @property
    def reload(self) -> str:
        """The command that tests sshd's configuration and makes sshd read it."""
        return f"sshd -t && systemctl {self.verb} {SSH}"

    @cached_property
    def groups(self) -> list[str]:
        """The groups that a Match block jails, and the role's own group when it has members."""
        groups = {
            pattern
            for setting in self.settings
            if setting.keyword == "chrootdirectory" and setting.value.lower() != "none"
            for pattern in group_patterns(setting.match)
            if not set(pattern) & set("*?!")
        }
        if self.accounts.members(DEFAULT_GROUP):
            groups.add(DEFAULT_GROUP)
        return sorted(groups)

    @cached_property
    def shut(self) -> set[str]:
        """The accounts that let nobody in: their users only use FTPS. Whether sshd knows that class: another check."""
        found: set[str] = set()
        for group in self.groups:
            its = self.accounts.groups.get(shut_class(group))
            found |= its.members if its else set()
        return found

    @property
    def paths(self) -> list[str]:
        """The files of sshd's configuration."""
        return list(dict.fromkeys([self.config, *(setting.path for setting in self.settings)]))

    def directories(self) -> Iterator[str]:
        """The jails, and the directories of public keys."""
        for group in self.groups:
            block = find_jail(self.settings, group)
            with contextlib.suppress(SecureFtpError):
                yield discovered_directory(block, group) or DEFAULT_DIRECTORY
            yield discovered_keys_directory(block) or DEFAULT_KEYS_DIRECTORY

    def keys_directories(self) -> Iterator[str]:
        """The directories of public keys."""
        for group in self.groups:
            yield discovered_keys_directory(find_jail(self.settings, group)) or DEFAULT_KEYS_DIRECTORY


def find_sftp(config: str = CONFIG, etc: str = "/etc", verb: str = "reload") -> Sftp:
    """Read sshd's configuration, which may not be there, and the account files."""
    access, service = read(os.path.join(etc, ACCESS_IN_ETC)), read_service(os.path.join(etc, PAM_IN_ETC))
    return Sftp(config, read_settings(config), read_accounts(etc), verb, access, asked_group(service))
