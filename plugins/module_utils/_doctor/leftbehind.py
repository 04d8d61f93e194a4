# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's check for passwords that were left in files beside the database of FTPS users."""

from __future__ import annotations

import os
import stat
from typing import Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import ERROR, Finding, Kind, Reporter
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords

_MAX_TEXT = 16 << 20

KINDS: dict[str, Kind] = {
    "plaintext-file": Kind(
        ERROR,
        "a text file beside the database holds names and passwords of its users",
        "Anybody who gets the file or a backup has the passwords; the database does not need the file.",
        "shred -u -- {paths}",
    ),
}
found = Reporter(KINDS)


def plaintext_findings(directory: str, records: Mapping[bytes, bytes]) -> Iterator[Finding]:
    """Look in ``directory`` for the input of ``db_load -T``: a name on one line, the password on the next.

    The names are those of ``records`` and of every other database there: after a takeover perhaps only the old database
    has them.
    """
    names = sorted(_names_in(directory))
    known = {*records, *_other_users(directory, names)}
    paths = [path for path in (os.path.join(directory, name) for name in names) if _holds_passwords(path, known)]
    if paths:
        what = f"{listed(paths)}: holds names and plaintext passwords"
        yield found("plaintext-file", what, paths[0], paths=paths)


def _other_users(directory: str, names: list[str]) -> set[bytes]:
    users: set[bytes] = set()
    for name in names:
        if name.endswith(".db"):
            try:
                users.update(read(os.path.join(directory, name)).all())
            except SecureFtpError:
                continue
    return users


def _holds_passwords(path: str, users: set[bytes]) -> bool:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_TEXT:
            return False
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    return any(
        key in users and value and passwords.scheme(value.decode("utf-8", "replace")) == passwords.PLAINTEXT
        for key, value in zip(lines[::2], lines[1::2])
    )


def _names_in(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
