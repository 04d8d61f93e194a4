# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How much a user, or a shared folder, may store: the values, and what they need. Touches nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import shortened, size_of

NO_LIMIT = frozenset(("none", "", "0"))
"""The words for no limit, which is stored as 0."""

QUOTAS = ("quota", "quota_files")
"""The fields of a user that the kernel enforces on a file system, by the user id of the account."""

BLOCK = 1024
"""Limits are stored in units of so many bytes, see setquota(8)."""

MIN_QUOTA = 4096
"""Least bytes: the directory of the user alone takes a block of ext4."""

MAX_QUOTA = 1 << 52
"""Most bytes, 4 PiB: what every program that reads JSON takes for a whole number."""

MIN_FILES, MAX_FILES = 2, (1 << 32) - 1
"""Least and most files; the directory of the user is one. The oldest format that the tools know has 32 bits."""


def validate_quota(value: object, where: str) -> int:
    """Return ``value`` as a number of bytes, a multiple of BLOCK, rounded up; 0 is no limit. Raises InvalidInput.

    ``where`` is the subject of the error.
    """
    if isinstance(value, str) and value in NO_LIMIT:
        return 0
    size = size_of(value)
    if size is None or not (size == 0 or MIN_QUOTA <= size <= MAX_QUOTA):
        expected = "bytes such as 10G, 500M or 1000000, from 4K to 4096T, or none"
        raise InvalidInput(where, expected, found=shortened(repr(value)))
    return -(-size // BLOCK) * BLOCK


def validate_files(value: object, where: str) -> int:
    """Return ``value`` as a number of files and directories; 0 is no limit. Raises InvalidInput."""
    if isinstance(value, str) and value in NO_LIMIT:
        return 0
    number = size_of(value) if str(value).isdigit() else None
    if number is None or not (number == 0 or MIN_FILES <= number <= MAX_FILES):
        expected = f"a number of files and directories such as 10000, from {MIN_FILES} to {MAX_FILES}, or none"
        raise InvalidInput(where, expected, found=shortened(repr(value)))
    return number


def given_quotas(user: Any) -> list[str]:
    """The fields of QUOTAS that give ``user``, a User, a limit."""
    return [name for name in QUOTAS if getattr(user, name)]


def not_counted(who: str, fields: list[str]) -> Problem:
    """What is wrong with ``fields`` of a user whose FTPS sessions do not run as the user's account."""
    what = " and ".join(fields)
    return Problem(
        f"{who}: {what}",
        "FTPS sessions that run as an account of the user's own, whose files the kernel counts",
        "sessions as the account of all users of FTPS",
        "give every user one account and one home, with ftp-users one-home on the server or playbooks/one_home.yml; or"
        f" this user SFTP only (protocols: [sftp]); or leave {what} out",
    )
