# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The backends of this host, and those that a killed change used."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules as FtpsRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules as SftpRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    discovered_group,
    find_jail,
    read_settings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend

_KINDS: Mapping[str, Any] = {Sftp.protocol: Sftp, Ftps.protocol: Ftps}
"""In the order of a change: the one whose file is replaced as a whole comes last."""


def reopen(protocol: str, place: Mapping[str, Any]) -> Backend | None:
    """The backend of ``protocol`` at ``place``, as its ``place()`` said; if that is empty, as the host is configured.

    None if the host does not have it. Raises SecureFtpError.
    """
    try:
        found: Backend | None = _KINDS[protocol].at(place)
    except (KeyError, TypeError) as error:
        raise SecureFtpError("the journal", "a place of this version", found=f"another: {error}") from error
    return found


def chosen(
    where: Mapping[str, Any], ftps: FtpsRules, sftp: Mapping[str, Any], protocols: Sequence[str] | None
) -> list[Backend]:
    """The backends a module is about, in the order of a change.

    ``where`` are options of ``discover``, ``sftp`` those of its Rules; None means as in the live configuration.
    ``protocols`` None means only the database if one is named, else what this host serves. Raises SecureFtpError.
    """
    given = {name: value for name, value in sftp.items() if value is not None}
    config = given.get("config", CONFIG)
    if protocols is None:
        protocols = (Ftps.protocol,) if where.get("db") else _served(where, config, given.get("group"))
    if not protocols:
        discover(**where)  # raises, and says what is missing
    backends: list[Backend] = []
    if Sftp.protocol in protocols:
        given.setdefault("group", discovered_group(read_settings(config)))
        backends.append(Sftp(SftpRules.of(given)))
    if Ftps.protocol in protocols:
        backends.append(Ftps(discover(**where), ftps, where))
    return backends


def _served(where: Mapping[str, Any], config: str, group: str | None) -> list[str]:
    settings = read_settings(config)
    jail = find_jail(settings, group or discovered_group(settings))
    by_ftps = where.get("config") or any(map(os.path.exists, CONFIGS))
    return [one for one, is_there in (("ftps", by_ftps), ("sftp", "chrootdirectory" in jail)) if is_there]


def here(rounds: int) -> list[Backend]:
    """The backends the live configuration of this host has, in the order of a change."""
    found = [reopen(protocol, {"rules": {"rounds": rounds}}) for protocol in _KINDS]
    return [backend for backend in found if backend is not None]
