# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The rules in vsftpd's PAM service that let FTPS obey what an account in the jail says, such as when it expires.

They stand before the other rules of the account phase: a ``sufficient`` one would end it. Only members of the jail's
group reach them, so neither a user without an account nor an administrator with the name of a user is affected.

pam_unix(8) reads shadow(5); that a password is old is of no interest, since FTPS has passwords of its own.
"""

from __future__ import annotations

import os
import re
import stat

from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, keep_copy, replace_file

BEGIN = "# BEGIN secure_ftp.server (what the accounts of users say; only members of the jail's group get here)"
END = "# END secure_ftp.server"

_BLOCK = re.compile(
    r"^# BEGIN secure_ftp\.server[^\n]*\n(?:(?!# (?:BEGIN|END) )[^\n]*\n)*# END secure_ftp[^\n]*\n?", re.M
)
_FIRST = re.compile(r"^\s*(?:-?account\s|@include\s)", re.M)
_GROUP = re.compile(r"pam_succeed_if\.so\s+quiet\s+user\s+ingroup\s+(\S+)")


def rules(group: str) -> str:
    """The rules for the accounts in the jail of ``group``."""
    return "\n".join(
        (
            BEGIN,
            f"account  [success=ignore default=1]  pam_succeed_if.so  quiet user ingroup {group}",
            "account  [success=ok new_authtok_reqd=ignore authtok_expired=ignore user_unknown=ignore default=bad]"
            "  pam_unix.so",
            END,
            "",
        )
    )


def group_in(text: str) -> str:
    """The group whose accounts a PAM service with the content ``text`` obeys; empty without our rules."""
    blocks = _BLOCK.findall(text)
    found = _GROUP.search(blocks[0]) if blocks else None
    group = found.group(1) if found else ""
    return group if group and text == with_rules(text, group) else ""


def with_rules(text: str, group: str) -> str:
    """``text``, the content of a PAM service, with the rules for the jail of ``group``; other lines stay."""
    rest = _BLOCK.sub("", text)
    first = _FIRST.search(rest)
    if first is None:
        rest += "" if rest.endswith("\n") or not rest else "\n"
        return rest + rules(group)
    return rest[: first.start()] + rules(group) + rest[first.start() :]


def obey(path: str, group: str) -> None:
    """Let the PAM service ``path`` obey the accounts in the jail of ``group``; a file of others is copied first."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
        found = os.lstat(path)
    except OSError as error:
        raise file_error(path, "read", error) from error
    wanted = with_rules(text, group)
    if wanted == text:
        return
    if not is_ours(text):
        keep_copy(path)
    data = wanted.encode("utf-8", "surrogateescape")
    replace_file(path, data, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
