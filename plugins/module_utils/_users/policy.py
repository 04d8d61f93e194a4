# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The operator's rule for passwords, on the host: a file that the role user_command writes for the command.

Modules and playbooks get the rule as an option; the command and remote control have no such option.
"""

from __future__ import annotations

import os
import re
import stat

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

PATH = "/etc/secure_ftp.server.conf"
"""One setting per line, ``name = value``; '#' begins a comment."""

MIN_LENGTH = "password_min_length"
DEFAULT_MIN_LENGTH = 12
"""Fewest characters of a password; hashes are exempt."""

GREATEST_MIN_LENGTH = 64


def min_length(path: str = PATH) -> int:
    """The fewest characters a new password may have; the default if there is no file.

    Raises SecureFtpError when others than root can change the file, or its value is not valid.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found, text = os.fstat(file.fileno()), file.read(65536)
    except FileNotFoundError:
        return DEFAULT_MIN_LENGTH
    except OSError as error:
        raise SecureFtpError(path, found=f"cannot read it: {error.strerror}") from None
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise SecureFtpError(
            path,
            "a file that only root can change",
            found="one that others can change",
            remedy="chown root, chmod 644",
        )
    settings = dict(re.findall(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    value = settings.get(MIN_LENGTH, str(DEFAULT_MIN_LENGTH))
    return valid_min_length(int(value) if re.fullmatch("[0-9]{1,3}", value) else value, f"{path}: {MIN_LENGTH}")


def valid_min_length(value: object, where: str = MIN_LENGTH) -> int:
    """Return ``value`` when it is valid; else raise SecureFtpError about ``where``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= GREATEST_MIN_LENGTH:
        raise SecureFtpError(where, f"a number from 1 to {GREATEST_MIN_LENGTH}", found=repr(value))
    return value
