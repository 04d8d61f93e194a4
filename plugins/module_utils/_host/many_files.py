# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Many small files of one directory, replaced together: their file system is flushed once, not once for each file.

Flushing one file takes a millisecond or more, whatever its size, and a directory as long again.
"""

from __future__ import annotations

import os
import shutil
from typing import Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import (
    expect_regular,
    file_error,
    fsync_directory,
    write_all,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_command

FEW = 20
"""So many files are flushed one by one: other programs may have written much to their file system."""

STAGE = ".new"
"""The directory, in that of the files, where they are written first. One that a killed run has left is emptied."""

_SECONDS = 900


def flush_file_system(path: str) -> None:
    """Make every change of the file system of ``path`` durable, as sync(1) does. Raises NotDurable."""
    done = run_command(["sync", "--file-system", "--", path], seconds=_SECONDS)
    if done.rc:
        found = f"cannot flush its file system to disk, so a change would not outlast a loss of power: {done.said}"
        raise NotDurable(path, found=found)


def replace_files(directory: str, files: Mapping[str, bytes], mode: int, uid: int, gid: int) -> None:
    """Make each of ``files``, by name, a file of ``directory`` with that mode and owner: each atomically, all durably.

    Raises SecureFtpError; until then a file is the old or the new one. As for replace_file, nothing but a regular file
    is replaced, and nothing at all if there is such a name.
    """
    stage = os.path.join(directory, STAGE)
    try:
        for name in files:
            expect_regular(os.path.join(directory, name))
        _remove(stage)
        os.mkdir(stage, 0o700)
        try:
            for name, data in told("files of users", files.items(), len(files)):
                _write(os.path.join(stage, name), data, mode, uid, gid)
            flush_file_system(directory)
            for name in files:
                os.rename(os.path.join(stage, name), os.path.join(directory, name))
        finally:
            _remove(stage)
        fsync_directory(directory)
    except OSError as error:
        raise file_error(str(error.filename or directory), "write", error) from error


def _write(path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data)
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _remove(stage: str) -> None:
    """rmtree(3) of Python follows no links; what is there is ours, or something that nobody else may have put there."""
    if os.path.islink(stage) or os.path.isfile(stage):
        os.unlink(stage)
    elif os.path.isdir(stage):
        shutil.rmtree(stage)
