# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether a running daemon has read what is on the disk now."""

from __future__ import annotations

import os
import time
from typing import Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import MissingProgram, run_command

_PROPERTIES = "ActiveState,NeedDaemonReload,StateChangeTimestampMonotonic"


def is_outdated(unit: str, paths: Iterable[str], stamped: Iterable[str] = ()) -> bool:
    """Whether systemd's ``unit`` runs and last started or reloaded before one of the files ``paths`` was changed.

    So the work of a run that died between writing a file and telling the daemon is made up for by the next run. What a
    file was restored from (cp -p, tar, rsync -a) gives it an older time of writing; the time of its last change, which
    also a new owner or mode moves, is the kernel's alone. ``stamped`` are files of which the time of writing counts.
    Also True when the unit's own files are newer than what systemd has read of them. False where systemd does not
    run the unit (then it reads everything when it starts), or cannot tell. Files that are missing do not count.

    Source: org.freedesktop.systemd1(5); a reload is a change of state too.
    """
    try:
        answer = run_command(["systemctl", "show", unit, f"--property={_PROPERTIES}"])
        shown = dict(line.partition("=")[::2] for line in answer.out.splitlines())
        if shown.get("ActiveState") != "active":
            return False
        age = time.clock_gettime(time.CLOCK_MONOTONIC) - int(shown["StateChangeTimestampMonotonic"]) / 1e6
    except (MissingProgram, KeyError, ValueError):
        return False
    now = time.time()
    # A file from the future says that the clock was put back, not that the file is new.
    return shown.get("NeedDaemonReload") == "yes" or any(
        now - age < moment <= now for moment in (*map(_changed, paths), *map(_written, stamped))
    )


def is_running(unit: str) -> bool:
    """Whether systemd says that ``unit`` is active."""
    try:
        return run_command(["systemctl", "is-active", unit]).out.strip() == "active"
    except MissingProgram:
        return False


def _changed(path: str) -> float:
    """When the file was last changed in any way, or the link that leads to it was made; see inode(7)."""
    try:
        return max(os.stat(path).st_ctime, os.lstat(path).st_ctime)
    except OSError:
        return 0.0


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
