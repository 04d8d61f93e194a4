# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a user may do with the files in the user's own directory: access, umask and rate. Touches nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import size_of

READ_WRITE, READ_ONLY, UPLOAD_ONLY = "read_write", "read_only", "upload_only"
ACCESS = (READ_WRITE, READ_ONLY, UPLOAD_ONLY)

NO_UMASK = "default"
"""The umask of the server, not one of the user's own."""

UPLOAD_UMASK = "0277"
"""The umask of UPLOAD_ONLY: a file gets mode 0400, so that even its owner cannot open it for writing again."""

MAX_RATE = 2**31 - 1
"""The highest rate in bytes a second. vsftpd does not notice an overflow of its ``int`` (parseconf.c of 3.0.3)."""


class Rights(NamedTuple):
    """The rights of a user; ``umask`` is NO_UMASK or four octal digits, ``ftps_max_rate`` in bytes a second."""

    access: str = READ_WRITE
    umask: str = NO_UMASK
    ftps_max_rate: int = 0


def validate_access(value: object, name: str) -> str:
    """Return ``value``, a word of ACCESS. Raises InvalidInput."""
    if not isinstance(value, str) or value not in ACCESS:
        raise InvalidInput(f"user {name!r}: access", f"{', '.join(ACCESS[:-1])} or {ACCESS[-1]}", found=repr(value))
    return value


def validate_umask(value: object, name: str) -> str:
    """Return ``value`` as NO_UMASK or four octal digits. Raises InvalidInput.

    The owner keeps all rights: the owner of both protocols' files is the user, who could not read or replace an own
    upload otherwise. A bare 0077 is 63 in YAML 1.1, so numbers are refused.
    """
    if value == NO_UMASK:
        return NO_UMASK
    if not isinstance(value, str) or not re.match(r"0{0,2}[0-7]{2}\Z", value):
        raise InvalidInput(
            f"user {name!r}: umask",
            'a quoted octal number from "0000" to "0077", or default',
            found=repr(value),
            remedy="put it in quotes: YAML reads 0077 as 63" if isinstance(value, int) else "",
        )
    return value.zfill(4)


def validate_rate(value: object, name: str) -> int:
    """Return ``value``, a number of bytes a second with K, M or G (of 1024) or without, as a number.

    0 is no limit. Raises InvalidInput.
    """
    rate = size_of(value)
    if rate is None or rate > MAX_RATE:
        raise InvalidInput(
            f"user {name!r}: ftps_max_rate",
            "bytes a second, such as 500000, 500K or 2M, at most 2 GB a second; 0 is no limit",
            found=repr(value),
        )
    return rate


def merged(there: Rights, name: str, access: str | None, umask: str | None, ftps_max_rate: int | None) -> Rights:
    """Return the rights of user ``name`` who has those of ``there``, if those that are not None are given.

    A user who becomes UPLOAD_ONLY loses an own umask. Raises InvalidInput if both are given.
    """
    wanted = there.access if access is None else access
    if wanted == UPLOAD_ONLY and umask not in (None, NO_UMASK):
        raise InvalidInput(
            f"user {name!r}",
            f"umask default, since upload_only works by the umask {UPLOAD_UMASK}",
            found=f"umask {umask}",
            remedy="leave umask out, or choose another access",
        )
    own = there.umask if umask is None else umask
    rate = there.ftps_max_rate if ftps_max_rate is None else ftps_max_rate
    return Rights(wanted, NO_UMASK if wanted == UPLOAD_ONLY else own, rate)
