# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What the kernel counts and limits on a file system, by user id: with the programs of the package ``quota``.

Only hard limits are set, which nobody but root passes. Nothing here mounts, or switches anything on: a file system
without quotas is a problem that says the commands.

Whether limits are enforced, the kernel is asked with quotactl(2): "quotaon -p" 4.06 calls a file system "on" that only
counts, such as ext4 with the feature quota that is mounted without usrquota, or XFS with uqnoenforce (tried).

Sources: repquota(8) and setquota(8) of 4.06, ext4(5), xfs(5), quotactl(2), linux/dqblk_xfs.h.
"""

from __future__ import annotations

import csv
import ctypes
import io
import os
import struct
from dataclasses import dataclass, field
from typing import Callable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import Mount, mount_of
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import (
    Output,
    Run,
    find_program,
    run_command,
)

_BLOCK = 1024
"""The unit of limits and of used space, in bytes."""

_TOOLS = ("setquota", "repquota")
_EXT, _XFS = ("ext2", "ext3", "ext4"), ("xfs",)

OLD_LIST = "aquota.user"
"""Where ext4 without the feature quota keeps what everybody has, and the limits; see quotacheck(8)."""

_Q_XGETQSTAT = 0x5805 << 8
"""For user quotas; any file system answers it since Linux 4.1, and anybody may ask."""

_COUNTS, _ENFORCES = 1, 2


class Limit(NamedTuple):
    """The most bytes and files of a user id; 0 is no limit."""

    size: int = 0
    files: int = 0


class Usage(NamedTuple):
    """What one user id has on a file system, in bytes and files, and its limits."""

    size: int = 0
    files: int = 0
    limit: Limit = Limit()


@dataclass(frozen=True)
class Counted:
    """One file system: its device, where it is mounted, and what each user id has on it.

    ``problem`` is why it enforces no limits; None if it does. ``used`` may have something even then: limits that were
    set before. ``switch_on`` are the commands that let it enforce them, if that is possible.
    """

    device: str = ""
    point: str = ""
    used: Mapping[int, Usage] = field(default_factory=dict)
    problem: Problem | None = None
    switch_on: str = ""

    @property
    def works(self) -> bool:
        """Whether limits can be set, and are enforced."""
        return bool(self.device) and self.problem is None

    def of(self, uid: int) -> Usage:
        """What ``uid`` has, with the limits that are enforced."""
        return self.used.get(uid, Usage()) if self.works else Usage()


def state_of(device: str) -> int:
    """What the kernel does by user id on the file system of ``device``: _COUNTS and _ENFORCES, or 0."""
    answer = ctypes.create_string_buffer(512)  # struct fs_quota_stat
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "quotactl") or library.quotactl(_Q_XGETQSTAT, os.fsencode(device), 0, answer):
        return 0
    flags: int = struct.unpack_from("=H", answer.raw, 2)[0]
    return flags & (_COUNTS | _ENFORCES)


def device_of(mount: Mount) -> str:
    """The device of ``mount``: the tools take that of a bind mount too, and of two mounts of one file system."""
    for path in (f"/dev/block/{mount.device}", mount.source):
        if os.path.isabs(path) and os.path.exists(path):
            return os.path.realpath(path)
    return ""


def count(
    path: str, mounts: Sequence[Mount], run: Run = run_command, state: Callable[[str], int] = state_of
) -> Counted:
    """What the file system of ``path``, existing or not, counts."""
    mount = mount_of(path, mounts)
    device = device_of(mount) if mount and mount.kind in (*_EXT, *_XFS) else ""
    if mount is None or not device:
        return Counted(problem=_unable(mount, path))
    flags = state(device)
    problem, commands = (None, "") if flags & _ENFORCES else (_off(mount, flags), _commands(mount, flags))
    if any(find_program(name) is None for name in _TOOLS):
        return Counted(device, mount.point, {}, problem or no_tools(), commands)
    used: dict[int, Usage] = {}
    if flags or _has_option(mount):  # otherwise there is nothing that the tools could read
        try:
            used = read(device, run)
        except SecureFtpError as error:  # who wants no limit needs no answer
            problem = problem or error.problem
    return Counted(device, mount.point, used, problem, commands)


def no_tools() -> Problem:
    """What is wrong on a host without the programs."""
    return Problem("quotas", "the programs setquota and repquota", "none", "install the package quota")


def read(device: str, run: Run = run_command) -> dict[int, Usage]:
    """What each user id has on the file system of ``device``. Raises SecureFtpError."""
    command = ["repquota", "--user", "--no-names", "--verbose", "--output=csv", device]
    rows = csv.DictReader(io.StringIO(_succeed(command, run(command)).out))
    found: dict[int, Usage] = {}
    try:
        for row in rows:
            limit = Limit(_limit(row, "Block") * _BLOCK, _limit(row, "File"))
            found[int(row["User"].lstrip("#"))] = Usage(int(row["BlockUsed"]) * _BLOCK, int(row["FileUsed"]), limit)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise SecureFtpError("repquota", "a table of numbers", found=f"something else: {error}") from None
    return found


def _limit(row: Mapping[str, str], what: str) -> int:
    return int(row[f"{what}HardLimit"]) or int(row[f"{what}SoftLimit"])


def write(
    device: str,
    limits: Mapping[int, Limit],
    run: Run = run_command,
    execute: Callable[[Sequence[str], str], Output] = run_command,
) -> None:
    """Set the limits of user ids on the file system of ``device``, and read them back. Raises SecureFtpError."""
    lines = "".join(f"{uid} 0 {limit.size // _BLOCK} 0 {limit.files}\n" for uid, limit in limits.items())
    command = ["setquota", "--user", "--batch", device]
    _succeed(command, execute(command, lines))
    now = read(device, run)
    for uid, limit in limits.items():
        found = now.get(uid, Usage()).limit
        if found != limit:
            what = f"{found.size} bytes and {found.files} files"
            expected = f"limits of {limit.size} bytes and {limit.files} files after setting them"
            raise SecureFtpError(f"{device}: user id {uid}", expected, found=what, remedy="try again")


def _succeed(command: Sequence[str], output: Output) -> Output:
    if output.rc:
        raise SecureFtpError(" ".join(command), "success", found=output.said)
    return output


def _unable(mount: Mount | None, path: str) -> Problem:
    """Why this file system has no limits by user id, and cannot get any."""
    where = f"{mount.point} ({mount.kind})" if mount else path
    expected = "a file system that limits by user id: ext4 or XFS"
    found = "a file system that does not"
    if mount and mount.kind == "btrfs":
        found = "Btrfs, which limits by subvolume alone"
    elif mount and mount.kind in (*_EXT, *_XFS):
        found = "one whose device is not there, as in a container"
    return Problem(where, expected, found, "put the directories of users on one that does")


def _has_option(mount: Mount) -> bool:
    return any(option.startswith(("usrquota", "usrjquota")) for option in mount.options)


def _commands(mount: Mount, flags: int) -> str:
    """The commands that switch limits on, once the option is in /etc/fstab."""
    point = quoted(mount.point)
    if mount.kind in _XFS:
        return f"umount {point} && mount {point}" if mount.point != "/" else "systemctl reboot"
    steps = [] if _has_option(mount) else [f"mount -o remount,usrquota {point}"]
    # What everybody has must be counted again; -c makes the list anew, and would forget the limits in it.
    there = os.path.exists(os.path.join(mount.point, OLD_LIST))
    steps += [] if flags else [f"quotacheck {'-um' if there else '-cum'} {point}"]
    return " && ".join([*steps, f"quotaon -u {point}"])


def _off(mount: Mount, flags: int) -> Problem:
    """What is wrong with a file system that does not enforce limits, and how they are switched on."""
    found = "that it counts, but lets everybody pass the limits" if flags else "none"
    where = "the option uquota in /etc/fstab" if mount.kind in _XFS else "the option usrquota in /etc/fstab"
    if mount.kind in _XFS and mount.point == "/":
        where = "the option uquota, with rootflags=uquota on the kernel's command line"
    remedy = f"give it {where}, install the package quota, then: {_commands(mount, flags)}"
    return Problem(f"{mount.point} ({mount.kind})", "user quotas that are enforced", found, remedy)
