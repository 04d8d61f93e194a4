# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether a user has one home for both protocols or one for each, by ``ftp_users_home`` and by what the host has.

A run never moves files of users: only a host without any gets another layout.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Collection, Mapping, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    discovered_group,
    find_jail,
    read_settings,
)

NAME = "ftp_users_home"
AUTO, ONE, PER_PROTOCOL = "auto", "one", "per_protocol"

_OURS = frozenset(("vsftpd", "sshd_chroot", "pam_userdb"))
"""The roles that make homes."""

NEW = PER_PROTOCOL
"""The layout of a host that has no users of FTPS yet."""


class Live(NamedTuple):
    """What the host has: ``one`` home for each user, a server for ``ftps``, ``users`` of it, a ``jail`` of SFTP."""

    one: bool = False
    ftps: bool = False
    users: bool = False
    jail: bool = False


def read_live(settings: Settings) -> Live:
    """Read this host; what cannot be read is not there."""
    jail = False
    try:
        found = read_settings()
        jail = "chrootdirectory" in find_jail(found, discovered_group(found))
    except SecureFtpError:
        pass  # another check says so
    try:
        server = discover()
    except SecureFtpError:
        return Live(ftps=_has_entries(_above(settings)), jail=jail)
    users = False
    if settings.ftp_users_home == ONE:  # otherwise nobody asks
        try:
            users = bool(read(server.database).all())
        except SecureFtpError:
            users = True
    return Live(server.has_accounts, True, users, jail)


def _above(settings: Settings) -> str:
    token = settings.vsftpd_user_sub_token
    root = settings.vsftpd_local_root
    return Homes(root, token).above if token else root


def _has_entries(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except OSError:
        return False


def layout(settings: Settings, live: Live, roles: Collection[str] | None) -> tuple[str, list[Problem]]:
    """ONE or PER_PROTOCOL for this run of ``roles`` (None: all), and why that cannot be."""
    wanted = settings.ftp_users_home
    if roles and not _OURS.intersection(roles):
        return ONE if live.one else PER_PROTOCOL, []
    if live.one:
        if wanted != PER_PROTOCOL:
            return ONE, []
        said = "the users of this host have one home for both protocols, and nothing separates their files again"
        return ONE, [Problem(NAME, "auto or one", wanted, f"leave it out: {said}")]
    own = settings.vsftpd_local_root not in (_default(settings), one_root(settings))
    jailed = roles is None or "sshd_chroot" in roles or live.jail
    if wanted == AUTO:
        return (PER_PROTOCOL if live.ftps or own or not jailed else NEW), []
    if wanted == PER_PROTOCOL:
        return PER_PROTOCOL, []
    if live.users:
        said = f"{PER_PROTOCOL}: this host has users with a directory of their own for FTPS"
        remedy = "move their files first, with ftp-users one-home on the server or playbooks/one_home.yml; until then"
        return PER_PROTOCOL, [Problem(NAME, ONE, said, f"{remedy} leave {NAME} out")]
    if own:
        said = f"{NAME}: one, and vsftpd_local_root: {settings.vsftpd_local_root}"
        return ONE, [Problem("vsftpd_local_root", one_root(settings), said, "leave vsftpd_local_root out")]
    if not jailed:
        said = "no jail: the homes are in the jail of SFTP, also for users who only use FTPS"
        return PER_PROTOCOL, [Problem(NAME, "the role sshd_chroot in the play", said, "add it, or leave this out")]
    return ONE, []


def one_root(settings: Settings) -> str:
    """The ``local_root`` of vsftpd with one home for each user."""
    return os.path.join(settings.sshd_chroot_directory, settings.vsftpd_user_sub_token or "$USER")


def _default(settings: Settings) -> str:
    return type(settings)().vsftpd_local_root


def as_one(
    settings: Settings, configurations: Mapping[str, Mapping[str, Any]]
) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """What the other checks look at with one home for each user: the directories are not those of the variable."""
    changed = {path: {**options, "local_root": one_root(settings)} for path, options in configurations.items()}
    return replace(settings, ftp_users_home=ONE, given=settings.given - {"vsftpd_local_root"}), changed
