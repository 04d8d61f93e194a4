# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What systemd knows about units: whether they run, start at boot, and have read the files as they are now."""

from __future__ import annotations

import os
import time
from typing import Iterable, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import MissingProgram, Run, run_command


class State(NamedTuple):
    """Whether a unit runs now, and whether it is started at boot."""

    active: bool = False
    enabled: bool = False


def states(units: Iterable[str], run: Run = run_command) -> dict[str, State]:
    """The State of each of ``units``; one that systemd does not know is neither active nor enabled.

    Source: systemctl(1), ``show``: one paragraph for each unit, in the order asked for.
    """
    names = list(dict.fromkeys(units))
    if not names:
        return {}
    try:
        answer = run(["systemctl", "show", *names, "--property=ActiveState,UnitFileState"]).out
    except SecureFtpError:  # no systemd, or no answer from it
        answer = ""
    shown = [dict(line.partition("=")[::2] for line in part.splitlines()) for part in answer.strip().split("\n\n")]
    known = dict(zip(names, shown))
    return {
        name: State(
            known.get(name, {}).get("ActiveState") in ("active", "reloading"),
            known.get(name, {}).get("UnitFileState") == "enabled",
        )
        for name in names
    }


_PROPERTIES = "ActiveState,NeedDaemonReload,StateChangeTimestampMonotonic"


def is_outdated(unit: str, paths: Iterable[str], stamped: Iterable[str] = ()) -> bool:
    """Whether ``unit`` runs and one of the files ``paths`` was changed after its last start or reload.

    This lets the next run complete the work of a run that died after writing a file and before telling the daemon.

    For ``paths`` the change time (ctime) counts, which only the kernel sets, also for a new owner or mode: a file that
    was restored (cp -p, tar, rsync -a) has an older modification time. For ``stamped`` files the modification time
    counts. Also True when the unit's own files are newer than what systemd has read. False if systemd does not run the
    unit (it reads everything when it starts) or does not know. Missing files do not count.

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
    # A time in the future means that the clock was set back, not that the file is new.
    return shown.get("NeedDaemonReload") == "yes" or any(
        now - age < moment <= now for moment in (*map(_changed, paths), *map(_written, stamped))
    )


def tell(unit: str, verb: str, remedy: str, state: str = "", run: Run = run_command) -> None:
    """``systemctl VERB UNIT``. Raises SecureFtpError with this ``remedy`` and ``state`` if that fails."""
    result = run(["systemctl", verb, unit])
    if result.rc:
        found = result.said or f"exit status {result.rc}"
        raise SecureFtpError(f"systemctl {verb} {unit}", "success", found=found, remedy=remedy, state=state)


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
