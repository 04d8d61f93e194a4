# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""User names: one rule for FTPS virtual users and SFTP accounts."""

from __future__ import annotations

import os
import re

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import kind_said, shortened

MAX_LENGTH = 32
"""Longest login name in characters: UT_NAMESIZE of utmp(5), the limit useradd(8) enforces."""

MAX_EXISTING = 1024
"""Longest name, in characters, of a user that is looked for."""

# The portable file-name characters of POSIX.1-2017 3.282; the first one must not be "-", which
# begins an option, nor ".", which begins a hidden file.
_PORTABLE = re.compile(r"[A-Za-z_0-9][A-Za-z0-9._-]*\Z")
# The same, with a valid length, and not a number.
_USABLE = re.compile(rf"(?![0-9]+\Z)(?=.{{1,{MAX_LENGTH}}}\Z)" + _PORTABLE.pattern)

# Every name of base-passwd(8) on Debian and Ubuntu, and the names that the daemons of this collection add.
RESERVED = frozenset(
    "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats _apt"
    " nobody ftp sshd vsftpd messagebus syslog systemd-network systemd-resolve systemd-timesync"
    " systemd-coredump tcpdump uuidd tss landscape pollinate halt shutdown operator ubuntu debian"
    " anonymous".split()
)


def validate_user_name(name: object) -> str:
    """Return ``name`` unchanged when it is a login name that every part of the server can use.

    Raises InvalidInput naming the user and the broken rule.
    """
    if not isinstance(name, str):
        shown = shortened(repr(name))
        raise InvalidInput(f"user name {shown}", "a string", found=kind_said(name), remedy="quote it in YAML")
    if _USABLE.match(name) and name.lower() not in RESERVED:
        return name
    shown = repr(shortened(name))
    if not name:
        raise InvalidInput("user name ''", "at least one character", found="none", remedy="give the user a name")
    if len(name) > MAX_LENGTH:
        raise InvalidInput(
            f"user name {shown}",
            f"at most {MAX_LENGTH} characters",
            found=str(len(name)),
            remedy="choose a shorter name",
        )
    if not _PORTABLE.match(name):
        raise InvalidInput(
            "user name",
            "only letters A-Z a-z, digits, '.', '_' and '-', starting with a letter, a digit or '_'",
            found=shown,
            remedy="choose another name",
        )
    if name.isdigit():
        raise InvalidInput(
            f"user name {shown}", found="a name of digits only is read as a user id", remedy="add a letter"
        )
    raise InvalidInput(f"user name {shown}", found="reserved for the system", remedy="choose another name")


def is_component(name: str) -> bool:
    """Whether ``name`` can be the name of an entry of a directory; others are too long or lead out of it."""
    return not leads_out(name) and len(os.fsencode(name)) <= 255


def leads_out(name: str) -> bool:
    """Whether the start directory of a user of that name would not be the user's own."""
    return "/" in name or "\0" in name or name in ("", ".", "..")


def validate_existing_name(name: object) -> str:
    """Return ``name`` when another program could have created a user with it, even if we would not.

    Raises InvalidInput if it cannot be a name. The caller checks whether the user exists; ``is_component`` says
    whether files with that name may be looked for.
    """
    if isinstance(name, str) and name and "\0" not in name and len(name) <= MAX_EXISTING:
        return name
    return validate_user_name(name)
