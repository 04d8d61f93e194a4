# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Each vsftpd with what it serves: its users and their files, read once for everything that examines them."""

from __future__ import annotations

import contextlib
import os
from functools import cached_property
from typing import Iterable, Mapping, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import View, name_of, read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal, read_files
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import without_locks


class Users:
    """The users in one database. What cannot be read raises SecureFtpError each time."""

    def __init__(self, database: str) -> None:
        self.database = database
        self._files: dict[str, Mapping[str, Personal]] = {}

    @cached_property
    def view(self) -> View:
        """The database as it was when it was read."""
        return read(os.path.realpath(self.database))

    @cached_property
    def records(self) -> Mapping[bytes, bytes]:
        """What it holds."""
        return self.view.all()

    @cached_property
    def names(self) -> frozenset[str]:
        """All users."""
        return frozenset(map(name_of, self.records))

    @cached_property
    def locked(self) -> frozenset[str]:
        """Those who are locked."""
        return frozenset(map(name_of, without_locks(self.records)[1]))

    def files(self, directory: str) -> Mapping[str, Personal]:
        """The files in ``directory``, of those who have one."""
        if directory not in self._files:
            self._files[directory] = read_files(directory, self.names)
        return self._files[directory]


class Served(NamedTuple):
    """What one vsftpd serves; those with the same database have the same ``users``."""

    server: Server
    users: Users


def find_served(instances: Iterable[Instance]) -> list[Served]:
    """What ``instances`` serve, without those whose configuration cannot be read: another check reports them."""
    databases: dict[str, Users] = {}
    found = []
    for instance in instances:
        with contextlib.suppress(SecureFtpError):
            server = discover(config=instance.path)
            found.append(Served(server, databases.setdefault(server.database, Users(server.database))))
    return found
