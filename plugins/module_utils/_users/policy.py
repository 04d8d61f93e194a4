# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What the operator demands of passwords, on the host: a file the role user_command writes for the command.

Modules and playbooks are told by an option; the command and remote control have nobody to tell them.
"""

from __future__ import annotations

import os
import re
import stat

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

PATH = "/etc/secure_ftp.server.conf"
"""One setting a line, ``name = value``; '#' begins a comment."""

MIN_LENGTH = "password_min_length"
DEFAULT_MIN_LENGTH = 12
"""Fewest characters of a password, hashes exempt."""

GREATEST_MIN_LENGTH = 64


def min_length(path: str = PATH) -> int:
    """The fewest characters a new password may have; the default without the file.

    Raises SecureFtpError when the file is not root's alone to change, or says something else.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found, text = os.fstat(file.fileno()), file.read(65536)
    except FileNotFoundError:
        return DEFAULT_MIN_LENGTH
    except OSError as error:
        raise SecureFtpError(path, found=f"cannot read it: {error.strerror}") from None
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise SecureFtpError(path, "that only root can change it", found="otherwise", remedy="chown root, chmod 644")
    settings = dict(re.findall(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    value = settings.get(MIN_LENGTH, str(DEFAULT_MIN_LENGTH))
    return valid_min_length(int(value) if re.fullmatch("[0-9]{1,3}", value) else value, f"{path}: {MIN_LENGTH}")


def valid_min_length(value: object, where: str = MIN_LENGTH) -> int:
    """Return ``value`` when it is one; SecureFtpError, saying ``where``, otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= GREATEST_MIN_LENGTH:
        raise SecureFtpError(where, f"a number from 1 to {GREATEST_MIN_LENGTH}", found=repr(value))
    return value
