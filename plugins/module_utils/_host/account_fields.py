# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Fields of many lines of an account file, changed in one pass by vipw(8).

usermod(8) replaces a whole file for each account; gpasswd(1) and chpasswd(8) search all accounts for each name. That is
minutes for 10,000 accounts. vipw locks the files as they do, gives a copy to an editor, and replaces the file by the
copy with owner, mode and the usual backup, or leaves it as it was if the editor fails. We are the editor.

Source: vipw.c of shadow 4.8.1 to 4.17: a copy with the time of modification of the file counts as unchanged, in
seconds, and it has that time before it is edited.
"""

from __future__ import annotations

import os
from typing import Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import write_all
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_with_editor

PROGRAMS = {
    "passwd": ("vipw",),
    "shadow": ("vipw", "--shadow"),
    "group": ("vigr",),
    "gshadow": ("vigr", "--shadow"),
}
"""The command that edits each file."""

GECOS, HOME, SHELL = 4, 5, 6
"""Columns of passwd(5)."""

PASSWORD, CHANGED, EXPIRES = 1, 2, 7
"""Columns of shadow(5)."""

MEMBERS = 3
"""Column of both group(5) and gshadow(5)."""


_SECONDS = 900

Fields = Mapping[str, Mapping[int, str]]
"""Values of one line, by name and column."""


def set_fields(file: str, values: Fields, inherit: Sequence[int] = ()) -> None:
    """Set fields of ``file``, a key of PROGRAMS.

    ``inherit`` is as for run_command. Raises SecureFtpError, with the file as it was, if a line is not there; gshadow
    need not have one for each group.
    """
    unfit = sorted(name for name, fields in values.items() if set("".join(fields.values())).intersection(":\n\r\0"))
    if unfit:
        raise SecureFtpError(f"{unfit[0]!r} in {file}", "a value without ':' and in one line", found="another")

    def edit(path: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "r+b", buffering=0) as copy:
            found = os.fstat(fd)
            data = with_fields(file, copy.read(), values)
            copy.seek(0)
            write_all(fd, data)
            copy.truncate(len(data))
            os.fsync(fd)
            os.utime(fd, (found.st_atime, int(found.st_mtime) + 2))

    command = PROGRAMS[file]
    result = run_with_editor(command, edit, _SECONDS, inherit)
    if result.rc:
        raise SecureFtpError(" ".join(command), "success", found=f"exit status {result.rc}: {result.said}")


def with_fields(file: str, data: bytes, values: Fields) -> bytes:
    """``data``, the content of ``file``, with these values; every other byte stays. Raises SecureFtpError."""
    left = {name.encode(): fields for name, fields in values.items()}
    lines = data.split(b"\n")
    for at, line in enumerate(lines):
        name = line.partition(b":")[0]
        if name in left:
            row = line.split(b":")
            if len(row) > max(left[name]):
                for column, value in left.pop(name).items():
                    row[column] = value.encode("utf-8", "surrogateescape")
                lines[at] = b":".join(row)
    if left and file != "gshadow":
        missing = min(left).decode("utf-8", "replace")
        raise SecureFtpError(
            f"{missing!r}", f"a complete line in {file}", found="none", remedy="run: pwck -r; grpck -r"
        )
    return b"\n".join(lines)
