# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The check of ``ftp_shared_folders`` against the list of users and the host, before any change."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import VARIABLE, parse
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import Layout
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.homes import ONE
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import UPLOAD_ONLY


def folder_problems(
    settings: Settings,
    users: object,
    has_account: Callable[[str], bool],
    has_ftps: Callable[[str], bool],
    quota_problem: Callable[[str], Problem | None] = lambda path: None,
) -> list[Problem]:
    """Every problem of ``ftp_shared_folders``; ``users`` is ``ftp_users``.

    ``has_account`` and ``has_ftps`` say what is already on the host; ``quota_problem`` is as in Host.
    """
    folders, found = parse(settings.ftp_shared_folders)
    limited = [folder.name for folder in folders if folder.quota]
    problem = quota_problem(Layout("").sources) if limited else None
    if problem is not None:
        found.append(problem.about(f"{VARIABLE}: quota of {listed(limited)}").also("or leave quota out"))
    one_home = settings.ftp_users_home == ONE
    by_name = {
        entry["name"]: entry
        for entry in (users if isinstance(users, (list, tuple)) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
    }
    for folder in folders:
        for name in sorted(folder.people):
            who, entry = f"{VARIABLE}: folder {folder.name!r}: user {name!r}", by_name.get(name)
            if entry is None:
                found += [] if has_account(name) else [_unknown(who)]
                found += [_two_homes(who)] if has_ftps(name) and not one_home else []
            elif entry.get("state") == "absent":
                found.append(Problem(who, found="state is absent in ftp_users", remedy="leave the name out"))
            else:
                found += _listed(who, {**settings.ftp_users_defaults, **entry}, one_home)
    return found


def _listed(who: str, entry: Mapping[str, Any], one_home: bool) -> Iterator[Problem]:
    if entry.get("access") == UPLOAD_ONLY:
        said = "upload_only; files in a folder can be overwritten"
        yield Problem(who, "a user with no upload_only", said, "give the user another access")
    protocols = entry.get("protocols")
    if "ftps" in (PROTOCOLS if protocols is None else protocols) and not one_home:
        yield _two_homes(who)


def _unknown(who: str) -> Problem:
    return Problem(who, "a user of this server, or of ftp_users", "none of that name", "list the user in ftp_users")


def _two_homes(who: str) -> Problem:
    return Problem(
        who,
        "a user whose FTPS sessions are in the home of SFTP",
        "FTPS with a home of its own",
        "give the server one home for each user, with ftp-users one-home on it, or this user protocols: [sftp]",
    )
