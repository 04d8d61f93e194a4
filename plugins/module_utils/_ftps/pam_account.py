# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The rules in vsftpd's PAM service that let FTPS obey what an account in the jail says, such as when it expires.

Only members of the jail's group reach them, so neither a user without an account nor an administrator with the name of
a user is affected. pam_unix(8) reads shadow(5); that a password is old is of no interest, since FTPS has passwords of
its own.
"""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._host import access, pam

_EXPIRY = (
    "account  [success=ok new_authtok_reqd=ignore authtok_expired=ignore user_unknown=ignore default=bad]  pam_unix.so"
)


def rules(group: str) -> list[str]:
    """The rules for the accounts in the jail of ``group``."""
    return pam.for_group(group, (_EXPIRY, access.RULE))


def group_in(text: str) -> str:
    """The group whose accounts a PAM service with the content ``text`` obeys; empty without our rules."""
    group = pam.group_in(text)
    return group if group and text == with_rules(text, group) else ""


def with_rules(text: str, group: str) -> str:
    """``text``, the content of a PAM service, with the rules for the jail of ``group``; other lines stay."""
    return pam.with_rules(text, rules(group))


def obey(path: str, group: str) -> None:
    """Let the PAM service ``path`` obey the accounts in the jail of ``group``; a file of others is copied first."""
    access.ensure()
    pam.change_service(path, lambda text: with_rules(text, group))
