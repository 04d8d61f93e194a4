# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Classes of SFTP users with the same rights: groups beside the group of the jail, each with its own ForceCommand.

Another class is of those who only use FTPS, on a host where they have an account in the jail all the same: they cannot
log in by any method, even if somebody gives the account a password.

So sshd_config stays the same however many users there are. A user of the usual rights is in no class.

Facts: sshd_config(5) (the first value wins, so a class stands before its jail and sets nothing but the command);
sftp-server(8) and sftp-server.c of 8.4, 9.2 and 10.0. There ``-p`` allows requests by name and ``-R`` refuses writes;
a name that a release does not know is ignored, and a request that a later release adds is not allowed by ``-p``.
"""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import (
    NO_UMASK,
    READ_ONLY,
    READ_WRITE,
    UPLOAD_ONLY,
    UPLOAD_UMASK,
)

UPLOAD_REQUESTS = (
    "open",
    "close",
    "write",
    "lstat",
    "fstat",
    "stat",
    "opendir",
    "readdir",
    "realpath",
    "statvfs",
    "fstatvfs",
    "fsync",
    "limits",
)
"""The requests of upload_only: to look, to create a file and to write it.

Not mkdir: the umask that protects files would make a directory that nobody can upload to.
"""

METHODS = (
    "PasswordAuthentication",
    "KbdInteractiveAuthentication",
    "PubkeyAuthentication",
    "HostbasedAuthentication",
)
"""The methods of log-in that are switched off for accounts that must not log in."""

SHUT = "".join(f"    {method} no\n" for method in METHODS)

MAX_GROUP = 32
"""The longest name of a group: GROUP_NAME_MAX_LENGTH of shadow-utils."""

_SHORT = {READ_WRITE: "rw", READ_ONLY: "ro", UPLOAD_ONLY: "up"}
_LONG = {short: access for access, short in _SHORT.items()}


def class_of(group: str, access: str, umask: str) -> str | None:
    """The class of users with these rights in the jail of ``group``; None for the usual rights. Raises InvalidInput."""
    if (access, umask) == (READ_WRITE, NO_UMASK):
        return None
    name = f"{group}-{_SHORT[access]}" + ("" if umask == NO_UMASK else f"-{umask}")
    if len(name) > MAX_GROUP:
        raise InvalidInput(
            f"group {name!r}, for users with access {access} and umask {umask}",
            f"a group name of at most {MAX_GROUP} characters",
            found=str(len(name)),
            remedy="choose a shorter sshd_chroot_group",
        )
    return name


def shut_class(group: str) -> str:
    """The class of the accounts in the jail of ``group`` that must not log in: their users only use FTPS."""
    return f"{group}-ftps"


def is_class(group: str, name: str) -> bool:
    """Whether ``name`` is the name of a class of the jail of ``group``."""
    return name == shut_class(group) or _parts(group, name) is not None


def _parts(group: str, name: str) -> tuple[str, str] | None:
    found = re.match(rf"{re.escape(group)}-({'|'.join(_LONG)})(?:-([0-7]{{4}}))?\Z", name)
    return (_LONG[found.group(1)], found.group(2) or NO_UMASK) if found else None


def rights_named(group: str, name: str) -> tuple[str, str]:
    """Access and umask that the name of a class stands for."""
    return _parts(group, name) or (READ_WRITE, NO_UMASK)


def command_of(group: str, name: str, jail: str) -> str:
    """The ForceCommand of class ``name``; ``jail`` is that of its jail."""
    access, umask = rights_named(group, name)
    words = [jail]
    if access == READ_ONLY:
        words.append("-R")
    elif access == UPLOAD_ONLY:
        words.append(f"-u {UPLOAD_UMASK} -p {','.join(UPLOAD_REQUESTS)}")
    if umask != NO_UMASK:
        words.append(f"-u {umask}")
    return " ".join(words)


def rights_by(command: str) -> tuple[str, str]:
    """Access and umask of those whose sessions run ``command``, whoever wrote it."""
    words = command.strip('"').split()
    after = dict(zip(words, words[1:]))
    refused, allowed = after.get("-P", "").split(","), after.get("-p", "")
    umask = after.get("-u", "")
    reads = "read" not in refused and (not allowed or "read" in allowed.split(","))
    writes = "-R" not in words and "write" not in refused and (not allowed or "write" in allowed.split(","))
    if writes and not reads:
        return UPLOAD_ONLY, NO_UMASK
    return READ_WRITE if writes else READ_ONLY, umask.zfill(4) if re.match(r"[0-7]{1,4}\Z", umask) else NO_UMASK


def match_blocks(group: str, names: Iterable[str], jail: str) -> str:
    """The Match blocks of the classes ``names``, as text; ``jail`` is the ForceCommand of their jail.

    That of accounts that must not log in is the first, so that no other class opens anything.
    """
    shut = shut_class(group)
    return "".join(
        f"Match Group {name}\n    ForceCommand {command_of(group, name, jail)}\n" + (SHUT if name == shut else "")
        for name in sorted(names, key=lambda name: (name != shut, name))
    )


def no_place(path: str, group: str) -> InvalidInput:
    """The error for a jail that this collection did not write: its block is an administrator's."""
    return InvalidInput(
        path,
        f"the block of the role sshd_chroot for the group {group}: rights of SFTP users other than the usual ones are"
        " a part of it",
        found="none, or one for another group",
        remedy="apply that role first, or leave access and umask out",
        state=NOTHING,
    )
