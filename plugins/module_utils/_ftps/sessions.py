# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Ending FTPS sessions: who was locked, removed or given another password goes now, not when the session ends.

Tried with vsftpd 3.0.3 and 3.0.5: a session is a few processes, of which one, in the user's directory as its root, does
the work. SIGTERM is ignored; SIGKILL of that one ends the others of the session, and neither the daemon nor another
session. ``user_config_dir`` and setproctitle are not needed to find it: /proc/PID/root is the directory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Collection, Iterable

PROC = "/proc"


def end_ftps_sessions(directories: Iterable[str], seconds: float = 5.0, proc: str = PROC) -> int:
    """Kill the vsftpd sessions whose root is one of ``directories`` and wait until they are gone; return how many.

    A directory that several users share is for the caller to leave out. The root of this host never counts: it is that
    of the daemon itself.
    """
    wanted = {identity for identity in map(_identity, directories) if identity and identity != _identity("/")}
    deadline = time.monotonic() + seconds
    ended: set[int] = set()
    while wanted:
        found = session_pids(wanted, proc)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended.update(found)
        if not found or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return len(ended)


def session_pids(roots: Collection[tuple[int, int]], proc: str = PROC) -> list[int]:
    """Processes of vsftpd whose root directory is one of ``roots`` (device, inode)."""
    found = []
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(f"{proc}/{pid}/comm", encoding="ascii", errors="replace") as file:
                if file.read().strip() != "vsftpd":
                    continue
            root = _identity(f"{proc}/{pid}/root/")
            with open(f"{proc}/{pid}/stat", encoding="ascii", errors="replace") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
        if root in roots and state != "Z":
            found.append(int(pid))
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
