# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether a user has one home for both protocols or one for each, by ``ftp_users_home`` and by what the host has.

A run never moves files of users: only a host without any gets another layout.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import Any, Collection, Mapping, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import name_of, read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import account_in, read_files
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import read_settings, shared_homes

NAME = "ftp_users_home"
AUTO, ONE, PER_PROTOCOL = "auto", "one", "per_protocol"

_OURS = frozenset(("vsftpd", "sshd_chroot", "pam_userdb"))
"""The roles that make homes."""


class Live(NamedTuple):
    """What the host has: ``one`` home for each user, a server for ``ftps``, ``users`` of it.

    With ``accounts``, sshd has a jail and knows the class of those who have an account for FTPS only.
    """

    one: bool = False
    ftps: bool = False
    users: bool = False
    accounts: bool = False


def read_live(settings: Settings) -> Live:
    """Read this host; what cannot be read is not there."""
    accounts = False
    with contextlib.suppress(SecureFtpError):  # another check says so
        accounts = shared_homes(read_settings()) is not None
    try:
        server = discover()
    except SecureFtpError:
        return Live(ftps=_has_entries(_above(settings)), accounts=accounts)
    if not server.has_accounts and _are_own(server):
        return Live(True, True, True, accounts)
    users = False
    if settings.ftp_users_home == ONE:  # otherwise nobody asks
        try:
            users = bool(read(server.database).all())
        except SecureFtpError:
            users = True
    return Live(server.has_accounts, True, users, accounts)


def _are_own(server: Server) -> bool:
    """Whether the users of FTPS work in their homes as their own accounts, although sshd has lost the class for them.

    Another layout would hide their files from them, so the run mends sshd's configuration.
    """
    if server.homes is None or server.homes.root is None:
        return False
    try:
        names = [name_of(key) for key in read(server.database).all()]
    except SecureFtpError:
        return False
    accounts = (account_in(file, name) for name, file in read_files(server.user_files, names).items())
    root = os.path.normpath(server.homes.root)
    return any(one is not None and os.path.dirname(os.path.normpath(one.home)) == root for one in accounts)


def _above(settings: Settings) -> str:
    token = settings.vsftpd_user_sub_token
    root = settings.vsftpd_local_root
    return Homes(root, token).above if token else root


def _has_entries(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except OSError:
        return False


def layout(
    settings: Settings, live: Live, roles: Collection[str] | None, tagged: Collection[str] = ()
) -> tuple[str, list[Problem]]:
    """ONE or PER_PROTOCOL for this run of ``roles`` (None: all), and why that cannot be.

    A new host gets ONE from a run that sets up both daemons. One role after the other, each run alone, would have to
    guess what the next ones will do. ``tagged`` are those of the roles that tags leave, empty for all.
    """
    wanted = settings.ftp_users_home
    if roles and not _OURS.intersection(roles):
        return ONE if live.one else PER_PROTOCOL, []
    if live.one:
        if wanted != PER_PROTOCOL:
            return ONE, []
        said = "the users of this host have one home for both protocols, and nothing separates their files again"
        return ONE, [Problem(NAME, "auto or one", wanted, f"leave it out: {said}")]
    own = settings.vsftpd_local_root not in (_default(settings), one_root(settings))
    here = _OURS if roles is None else (tagged or roles)
    jailed = "sshd_chroot" in here or live.accounts
    if wanted == AUTO:
        both = jailed and "vsftpd" in here
        return (ONE if both and not live.ftps and not own else PER_PROTOCOL), []
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
