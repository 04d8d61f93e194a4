# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A change of the shared folders, with the lock and the log of every other change."""

from __future__ import annotations

import os
from typing import Any, Callable, Collection, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import apply, layout_of
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import (
    READ_ONLY,
    READ_WRITE,
    SharedFolder,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.plan import Plan, make_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import known_folders, read_state
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import BINDFS, UNITS, Layout
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import read_files
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import audited
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import users_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import UPLOAD_ONLY


def change_folders(front: str, folders: Sequence[SharedFolder], check_mode: bool) -> tuple[Plan, list[str]]:
    """Make ``folders`` as they should be; return the plan and warnings. ``front`` is the name of the module.

    Check mode changes nothing, so it does not wait for the lock, and what is not there yet is a warning.
    """
    if check_mode:
        plan = _plan(folders)
        return plan, [f"{problem}" for problem in plan.obstacles]
    people = sorted({name for folder in folders for name in folder.people})
    with audited(front, "apply", people) as report, users_lock():
        plan = _plan(folders)
        if any(folder.present for folder in folders) and not os.path.exists(BINDFS):
            plan.obstacles.append(Problem(BINDFS, "this program", "none", "install the package bindfs"))
        warnings = apply(plan)
        for name in plan.changes:
            report(f"changed folder={name!r}", [one for one in people if _has(folders, name, one)] or None)
    return plan, warnings


def _has(folders: Sequence[SharedFolder], name: str, person: str) -> bool:
    return any(folder.name == name and person in folder.people for folder in folders)


def _plan(folders: Sequence[SharedFolder]) -> Plan:
    sftp = reopen(Sftp.protocol, {})
    if not isinstance(sftp, Sftp):
        raise SecureFtpError("shared folders", "a jail in sshd's configuration", found="none")
    jail = sftp.jail()
    plan = make_plan(read_state(Layout(os.path.realpath(jail.directory)), jail.group, folders), folders)
    people = sorted({name for folder in folders for name in folder.people})
    by_sftp = sftp.stored(people)
    plan.obstacles += upload_only(folders, lambda name: by_sftp.user(name).access)
    ftps = reopen(Ftps.protocol, {})
    if isinstance(ftps, Ftps):
        stored = ftps.stored(people)
        plan.obstacles += two_homes(
            folders, {name for name in people if stored.user(name).present}, ftps.server, jail.directory
        )
    return plan


def folders_here(units: str = UNITS) -> list[dict[str, Any]]:
    """Every shared folder of this host: who has it, its quota, what is used of it, and where it is not mounted.

    ``used_bytes`` and ``used_files`` are None where the kernel does not count them.
    """
    found = []
    layouts = {name: layout_of(name, units) or Layout("") for name in known_folders(units)}
    states = {layout: read_state(layout, "", (), units) for layout in set(layouts.values())}
    for name, layout in layouts.items():
        stored = states[layout]
        folder, usage = stored.found(name), stored.usage(name)
        counts = stored.counted.works
        missing = sorted(who for right, who in folder.links - folder.mounted)
        found.append(
            {
                "name": name,
                "members": sorted(who for right, who in folder.links if right == READ_WRITE),
                "readers": sorted(who for right, who in folder.links if right == READ_ONLY),
                "quota": usage.limit.size,
                "used_bytes": usage.size if counts else None,
                "used_files": usage.files if counts else None,
                "mounted": folder.running and not missing,
                "not_mounted_for": missing if folder.running else sorted(who for _right, who in folder.links),
            }
        )
    return found


def upload_only(folders: Sequence[SharedFolder], access_of: Callable[[str], str | None]) -> list[Problem]:
    """A problem for each user of ``folders`` who is to upload only: in a folder, files can be overwritten."""
    return [
        Problem(
            f"user {name!r} of a shared folder",
            "no upload_only, as files in a folder can be overwritten",
            UPLOAD_ONLY,
            "give the user another access, or leave the name out",
        )
        for name in sorted({name for folder in folders for name in folder.people})
        if access_of(name) == UPLOAD_ONLY
    ]


def two_homes(
    folders: Sequence[SharedFolder], ftps: Collection[str], server: Server | None, directory: str
) -> list[Problem]:
    """A problem for each user of ``folders`` whose FTPS sessions are not like those of SFTP in the jail ``directory``.

    ``ftps`` are the users who have FTPS. A session of the guest account would have the rights of another user.
    """
    found = []
    for name in sorted({name for folder in folders for name in folder.people} & set(ftps)):
        homes = server.homes if server else None
        if server is None or homes is None:
            continue
        home, wanted = homes.of(name), os.path.join(directory, name)
        own = read_files(homes.config_directory, [name])
        account = (parse(own[name].text).get("guest_username") if name in own else None) or server.guest
        if os.path.normpath(home) != wanted or account != name:
            found.append(
                Problem(
                    f"user {name!r} of a shared folder",
                    f"FTPS sessions of the account {name} in {wanted}, as those of SFTP",
                    f"sessions of the account {account} in {home}",
                    "give the server one home for each user: ftp-users one-home; or this user protocols: [sftp]",
                )
            )
    return found
