# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What is mounted where: a device number does not show a bind mount of the same file system.

Source: proc(5), mountinfo (field 5 is the mount point, with blank, tab, newline and backslash as octal escapes) and
fdinfo (mnt_id).
"""

from __future__ import annotations

import os
import re
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError

MOUNTINFO = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """One line of mountinfo: where, what kind of file system, of what, and whether nothing can be written there.

    ``options`` are those of the file system, ``device`` its number, ``root`` the directory of it that is mounted.
    """

    point: str
    kind: str
    source: str
    read_only: bool
    options: frozenset[str] = frozenset()
    device: str = ""
    root: str = "/"


def read_mounts(mountinfo: str = MOUNTINFO) -> list[Mount]:
    """Everything that is mounted on this host, in the order of the kernel: a later one may hide an earlier one."""
    found = []
    with open(mountinfo, "rb") as lines:
        for line in lines:
            words = line.split()
            # Between field 6 and "-" is any number of optional fields.
            rest = words[words.index(b"-", 6) :] if b"-" in words[6:] else []
            if len(words) > 4:
                kind, source, options = (_plain(word) for word in (rest + [b"", b"", b"", b""])[1:4])
                read_only = len(words) > 5 and b"ro" in words[5].split(b",")
                where, root = _plain(words[2]), _plain(words[3])
                mount = Mount(_plain(words[4]), kind, source, read_only, frozenset(options.split(",")), where, root)
                found.append(mount)
    return found


def _plain(word: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), word))


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """The mount that shows ``path``, or the nearest directory above it that exists; links are followed."""
    real = os.path.realpath(path)
    above = [one for one in mounts if one.point == "/" or f"{real}/".startswith(f"{one.point}/")]
    longest = max((len(one.point) for one in above), default=0)
    # Of two at one place the later one hides the earlier one.
    return next((one for one in reversed(above) if len(one.point) == longest), None)


def mount_points(mountinfo: str = MOUNTINFO) -> list[str]:
    """Every mount point of this host, as the kernel lists them."""
    return [one.point for one in read_mounts(mountinfo)]


def mounts_at(path: str, points: Iterable[str]) -> list[str]:
    """Those of the mount ``points`` that are ``path`` or below it; links in its parent directories are followed."""
    parent, name = os.path.split(os.path.normpath(path))
    real = os.path.join(os.path.realpath(parent), name)
    return sorted({point for point in points if point == real or point.startswith(real + "/")})


def refuse_mounts(paths: Iterable[str], mountinfo: str = MOUNTINFO) -> None:
    """Raise SecureFtpError when a file system is mounted at or below one of ``paths``, which are to be deleted."""
    points = mount_points(mountinfo)
    for path in paths:
        problem = refusal(path, points)
        if problem:
            raise SecureFtpError.of(problem)


def refusal(path: str, points: Iterable[str]) -> Problem | None:
    """Why ``path`` must not be deleted while ``points`` are mounted; None when it may be."""
    found = mounts_at(path, points)
    if not found:
        return None
    expected = "no file system mounted at or below what is to be deleted"
    return Problem(path, expected, ", ".join(found[:3]), f"unmount it first: umount {found[-1]}")


def mount_id(descriptor: int) -> int:
    """The id of the mount of an open file or directory; two mounts of one file system have different ids."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise SecureFtpError(f"/proc/self/fdinfo/{descriptor}", "a line mnt_id", found="none", remedy="is /proc mounted?")
