# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Names of variables that look like ours but are not.

Ansible accepts any name of a variable: a misspelled one silently has no effect. With ``ftp_users_purge`` a misspelled
``ftp_users`` would remove all users.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import Collection, Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import PUBLIC, Settings

PREFIXES = ("ftp_", "vsftpd_", "pam_userdb_", "sshd_chroot_", "firewall_", "remote_control_", "user_command_")
"""The prefixes of our variables, which no others should have."""

_BEGINS = re.compile(r"(ftp|sftp|v[sft]+p|pam_|sshd_|ssh_chroot|firewall|fire_|remote|user)", re.IGNORECASE)
_LONGEST = max(map(len, PREFIXES))

OTHERS = "ftp_other_variables"
"""The variable that lists similar names that belong to something else."""

SIMILAR = 0.85
"""From this ratio of difflib on, a name with another prefix counts as a misspelling of ours: one letter of seven."""

OUR_OWN = tuple(prefix for prefix in PREFIXES if prefix not in ("ftp_", "firewall_"))
"""Prefixes that nobody else uses; other roles have variables such as firewall_allowed_tcp_ports."""

_NOT_OURS = frozenset(("ftp_proxy",))  # curl(1), wget(1), and many inventories


def resembles(name: str) -> bool:
    """Whether a variable is checked: its name begins almost like one of ours. Others stay on the control machine.

    So do names with an underscore in front: that marks private variables, those of our own roles among them.
    """
    if name.startswith("_"):
        return False
    return _BEGINS.match(name) is not None or _begins_alike(name.lower()[:_LONGEST])


@functools.lru_cache(maxsize=None)
def _begins_alike(start: str) -> bool:
    pairs = (difflib.SequenceMatcher(None, prefix, start[: len(prefix)]) for prefix in PREFIXES)
    return any(pair.quick_ratio() >= 0.7 and pair.ratio() >= 0.7 for pair in pairs)


def problems(settings: Settings, defined: Iterable[str]) -> list[Problem]:
    """A problem for each of the ``defined`` names that looks like ours but is not; OTHERS are skipped."""
    found = []
    others = map(str, settings.ftp_other_variables)
    for name in sorted(set(defined) - PUBLIC - _NOT_OURS - set(others)):
        if name.startswith("firewalld_"):  # another program
            continue
        near = difflib.get_close_matches(name.lower(), PUBLIC, 1, SIMILAR)
        if not near and name.startswith(PREFIXES):
            near = difflib.get_close_matches(name, PUBLIC, 1, 0.75)
        if not near and not name.startswith(OUR_OWN):
            continue
        meant = f"did you mean {near[0]}? " if near else ""
        remedy = f"{meant}if it belongs to something else, rename it or list it in {OTHERS}"
        found.append(Problem(name, "a variable of this collection", "none of that name", remedy))
    return found


def purge_problems(purge: bool, users: object, defined: Collection[str]) -> list[Problem]:
    """A missing list must not remove all users; ``ftp_users: []`` does that on purpose.

    ``defined`` are the names of variables that are set; empty if that is not known.
    """
    if purge and (users is None or (defined and "ftp_users" not in defined)):
        said = "is true, but ftp_users is not defined, which would remove all users"
        remedy = "define ftp_users, or set it to [] to remove all users"
        return [Problem("ftp_users_purge", found=said, remedy=remedy)]
    return []
