# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The rules in sshd's PAM service that ask from where a user of the jail may log in, by password or by key.

They are there only while a user is limited, and only members of the jail's group reach them: for everybody else the
service is what it was, also if our file is broken or missing.
"""

from __future__ import annotations

from typing import Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._host import access, pam
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CONFIG, Setting


def asked_group(text: str) -> str:
    """The group whose members the PAM service with the content ``text`` asks; empty without our rules."""
    group = pam.group_in(text)
    return group if group and text == with_rules(text, group) else ""


def with_rules(text: str, group: str) -> str:
    """``text``, the content of a PAM service, with the rules for members of ``group``; without, if that is empty."""
    return pam.with_rules(text, pam.for_group(group, (access.RULE,)) if group else ())


def ask(path: str, group: str) -> None:
    """Let the PAM service ``path`` ask for members of ``group``, for nobody if that is empty."""
    pam.change_service(path, lambda text: with_rules(text, group))


def pam_problem(settings: Iterable[Setting], path: str = CONFIG) -> Problem | None:
    """Why sshd does not ask PAM; None if it does. The first value counts, and without one it does not."""
    found = next((one for one in settings if one.keyword == "usepam"), None)
    if found is not None and found.value.strip('"').lower() == "yes":
        return None
    where, said = (found.where, f"UsePAM {found.value}") if found else (path, "no UsePAM, which means no")
    return Problem(where, "UsePAM yes, so that sshd asks PAM about log-ins by key too", said, "set it, and reload sshd")
