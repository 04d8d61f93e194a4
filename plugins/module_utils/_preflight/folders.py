# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The check of ``ftp_shared_folders`` against the list of users and the host, before any change."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import VARIABLE, parse
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import UPLOAD_ONLY


def folder_problems(
    settings: Settings, users: object, has_account: Callable[[str], bool], has_ftps: Callable[[str], bool]
) -> list[Problem]:
    """Every problem of ``ftp_shared_folders``; ``users`` is ``ftp_users``.

    ``has_account`` and ``has_ftps`` say what is already on the host.
    """
    folders, found = parse(settings.ftp_shared_folders)
    listed = {
        entry["name"]: entry
        for entry in (users if isinstance(users, (list, tuple)) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
    }
    for folder in folders:
        for name in sorted(folder.people):
            entry = listed.get(name)
            access = (entry or {}).get("access") or (settings.ftp_users_defaults.get("access") if entry else None)
            if access == UPLOAD_ONLY:
                said = "upload_only; files in a folder can be overwritten"
                who = f"{VARIABLE}: folder {folder.name!r}: user {name!r}"
                found.append(Problem(who, "a user with no upload_only", said, "give the user another access"))
            found += _user(
                f"{VARIABLE}: folder {folder.name!r}: user {name!r}", entry, has_account(name), has_ftps(name)
            )
    return found


def _user(who: str, entry: Mapping[str, Any] | None, has_account: bool, has_ftps: bool) -> Iterator[Problem]:
    if entry is None:
        if not has_account:
            yield Problem(
                who, "a user of this server, or of ftp_users", "none of that name", "list the user in ftp_users"
            )
        ftps = has_ftps
    elif entry.get("state") == "absent":
        yield Problem(who, found="state is absent in ftp_users", remedy="leave the name out of the folder")
        return
    else:
        protocols = entry.get("protocols")
        ftps = "ftps" in (PROTOCOLS if protocols is None else protocols)
    if ftps:
        yield Problem(
            who,
            "a user whose FTPS sessions are in the home of SFTP",
            "FTPS with a home of its own",
            "give the user protocols: [sftp] in ftp_users",
        )
