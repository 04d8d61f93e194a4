# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The backends of this host, and those that a killed change used."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules as FtpsRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS, Server, discover
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
    where: Mapping[str, Any],
    ftps: FtpsRules,
    sftp: Mapping[str, Any],
    protocols: Sequence[str] | None,
    check_mode: bool = False,
) -> list[Backend]:
    """The backends a module is about, in the order of a change.

    ``where`` are options of ``discover``, ``sftp`` those of its Rules; None means as in the live configuration.
    ``protocols`` None means only the database if one is named, else what this host serves. In ``check_mode`` the roles
    before this module have written nothing: what the options say of the homes is what the host will have. Raises
    SecureFtpError.
    """
    given = {name: value for name, value in sftp.items() if value is not None}
    config = given.get("config", CONFIG)
    if protocols is None:
        protocols = (Ftps.protocol,) if where.get("db") else _served(where, config, given.get("group"))
    if not protocols:
        discover(**where)  # raises, and says what is missing
    backends: list[Backend] = []
    jail, root = given.get("directory"), os.path.dirname(where.get("local_root") or "")
    accounts_for_all = check_mode and jail is not None and os.path.normpath(jail) == os.path.normpath(root)
    if Sftp.protocol in protocols:
        given.setdefault("group", discovered_group(read_settings(config)))
        backends.append(Sftp(SftpRules.of(given), accounts_for_all=accounts_for_all))
    if Ftps.protocol in protocols:
        server = discover(**where)
        if check_mode and where.get("local_root"):
            server = _as_configured(server, accounts_for_all)
        backends.append(Ftps(server, ftps, where))
    return backends


def _as_configured(server: Server, accounts_for_all: bool) -> Server:
    """``server`` as the role vsftpd will configure it, where that matters for the files of single users."""
    found = server.options or {}
    place = found.get("user_config_dir") or Settings().vsftpd_user_config_dir
    options = {"write_enable": "YES", **found, "user_config_dir": place, "virtual_use_local_privs": "YES"}
    return replace(server, options=options, has_accounts=server.has_accounts or accounts_for_all)


def _served(where: Mapping[str, Any], config: str, group: str | None) -> list[str]:
    settings = read_settings(config)
    jail = find_jail(settings, group or discovered_group(settings))
    by_ftps = where.get("config") or any(map(os.path.exists, CONFIGS))
    return [one for one, is_there in (("ftps", by_ftps), ("sftp", "chrootdirectory" in jail)) if is_there]


def here(rounds: int) -> list[Backend]:
    """The backends the live configuration of this host has, in the order of a change."""
    found = [reopen(protocol, {"rules": {"rounds": rounds}}) for protocol in _KINDS]
    return [backend for backend in found if backend is not None]
