# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Processes of this host, and how to end one without hitting another process that gets its number later.

Sources: proc(5), pidfd_open(2). A number alone does not identify a process; number and start time do.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NamedTuple

PROC = "/proc"

_GONE = (FileNotFoundError, ProcessLookupError)


class Process(NamedTuple):
    """One process: ``start`` in clock ticks since boot, ``name`` as in /proc/PID/comm, ``parent`` its number."""

    pid: int
    start: int
    name: str
    parent: int


def find(pid: int) -> Process | None:
    """Return the process that has the number now; None if there is none, or a zombie, which cannot do anything."""
    try:
        with open(f"{PROC}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            head, _sep, tail = file.read().rpartition(")")
    except _GONE:
        return None
    words = tail.split()
    if len(words) < 20 or words[0] in "ZX":
        return None
    return Process(pid, int(words[19]), head.partition("(")[2], int(words[1]))


def processes() -> list[Process]:
    """Return every process of the host."""
    return [one for one in map(find, map(int, filter(str.isdigit, os.listdir(PROC)))) if one]


def is_running(process: Process) -> bool:
    """Whether that process still runs; another one with its number does not count."""
    now = find(process.pid)
    return now is not None and now.start == process.start


def kill(process: Process) -> None:
    """Send SIGKILL to it, never to another process that has got its number meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        held = _held(process.pid)
        try:
            if not is_running(process):
                return
            if held is None:
                os.kill(process.pid, signal.SIGKILL)  # Python 3.8, or a kernel before 5.3
            else:
                getattr(signal, "pidfd_send_signal")(held, signal.SIGKILL)  # noqa: B009
        finally:
            if held is not None:
                os.close(held)


def _held(pid: int) -> int | None:
    """A descriptor that always means this process, even if another gets its number; None if unsupported."""
    with contextlib.suppress(AttributeError):
        try:
            return int(getattr(os, "pidfd_open")(pid))  # noqa: B009
        except ProcessLookupError:
            raise
        except OSError:
            pass
    return None


def real_uid(process: Process) -> int:
    """Its real user id; -1 when it has ended."""
    with contextlib.suppress(*_GONE), open(f"{PROC}/{process.pid}/status", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("Uid:"):
                return int(line.split()[1])
    return -1


def title(process: Process) -> str:
    """Its title (setproctitle(3)), or its first argument."""
    with contextlib.suppress(*_GONE), open(f"{PROC}/{process.pid}/cmdline", "rb") as file:
        return os.fsdecode(file.read().partition(b"\0")[0])
    return ""


def waits_in(process: Process) -> str:
    """The kernel function in which it sleeps; '' when it runs or the kernel does not say."""
    with contextlib.suppress(OSError), open(f"{PROC}/{process.pid}/wchan", encoding="ascii", errors="replace") as file:
        return file.read().strip("0\n")
    return ""


def root_of(process: Process) -> tuple[int, int] | None:
    """Device and inode of its root directory."""
    return identity(f"{PROC}/{process.pid}/root/")


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of ``path``; None when it cannot be looked at."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def is_contained(process: Process) -> bool:
    """Whether it belongs to a container, where the same user id means another user than on this host.

    A user can create process namespaces too, but only in a new user namespace.
    """
    return _namespace(process.pid, "pid") != _namespace("self", "pid") and _namespace(
        process.pid, "user"
    ) == _namespace("self", "user")


def _namespace(pid: int | str, kind: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"{PROC}/{pid}/ns/{kind}")
    return ""
