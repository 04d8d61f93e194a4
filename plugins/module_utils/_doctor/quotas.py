# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of quotas: whether the kernel enforces those that were set, and who has almost none left."""

from __future__ import annotations

import contextlib
import os
from typing import AbstractSet, Iterator, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted, share_said
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
    chained,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import account_of
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import known_folders
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import UNITS, Layout
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import read_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import (
    OLD_LIST,
    Counted,
    Limit,
    Usage,
    count,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    DEFAULT_DIRECTORY,
    discovered_directory,
    find_jail,
)

KINDS: dict[str, Kind] = {
    "quota-off": Kind(
        ERROR,
        "quotas were set on a file system that does not enforce them now",
        "Their users can fill the disk. After the fix nothing is lost: the limits are stored in the file system.",
        "{command}",
    ),
    "quota-nearly-used": Kind(
        WARNING,
        "more than 90 per cent of a quota of bytes or files are used",
        "At the limit every upload fails, over both protocols.",
        "ftp-users edit {user} --quota BYTES",
    ),
}
found = Reporter(KINDS)

_MOST = 0.9


class Owner(NamedTuple):
    """Somebody with a user id on a file system; ``fixes`` for bytes and for files: more of it, or what takes it."""

    name: str
    uid: int
    fixes: tuple[str, str]


def quota_findings(sftp: Sftp | None, run: Run, units: str = UNITS) -> Iterator[Finding]:
    """Examine every file system on which a user or a shared folder of this host can have a quota."""
    mounts = read_mounts()
    owners = _owners(sftp, units, {mount.point for mount in mounts})
    counted: dict[str, Counted] = {}
    whose: dict[str, list[Owner]] = {}
    for path, there in owners.items():
        one = count(path, mounts, run)
        counted[one.point or path] = one
        whose.setdefault(one.point or path, []).extend(there)
    for point, one in counted.items():
        yield from examined_quotas(one, whose[point])


def _owners(sftp: Sftp | None, units: str, points: AbstractSet[str]) -> dict[str, list[Owner]]:
    """Who stores files, by the path of a directory above them, or of a home that is one of the mount ``points``."""
    found_: dict[str, list[Owner]] = {}
    if sftp is None:
        return found_
    for group in sftp.groups:
        path = DEFAULT_DIRECTORY
        with contextlib.suppress(SecureFtpError):  # another check reports this
            path = os.path.realpath(discovered_directory(find_jail(sftp.settings, group), group) or path)
        for name in sftp.accounts.members(group):
            home = os.path.join(path, name)
            edit = f"ftp-users edit {quoted(name)}"
            fixes = (f"{edit} --quota BYTES", f"{edit} --quota-files NUMBER")
            owner = Owner(name, sftp.accounts.users[name].uid, fixes)
            found_.setdefault(home if home in points else path, []).append(owner)
    sources = Layout("").sources
    for name in known_folders(units):
        account = sftp.accounts.users.get(account_of(name))
        if account is not None:
            path = quoted(os.path.join(sources, name))
            fixes = (f"du -ah {path} | sort -h | tail", f"du -a --inodes {path} | sort -n | tail")
            found_.setdefault(sources, []).append(Owner(f"folder {name}", account.uid, fixes))
    return found_


def examined_quotas(counted: Counted, owners: Sequence[Owner]) -> Iterator[Finding]:
    """Examine one file system, on which ``owners`` store files."""
    if counted.works:
        near = [(owner, said) for owner in owners for said in [_near(counted.of(owner.uid))] if any(said)]
        if near:
            what = listed([f"{owner.name}: {' and '.join(filter(None, said))}" for owner, said in near])
            fix = chained(fix for owner, said in near for one, fix in zip(said, owner.fixes) if one)
            yield found("quota-nearly-used", what, near[0][0].name, fix)
        return
    limited = sorted(one.name for one in owners if counted.used.get(one.uid, Usage()).limit != Limit())
    kept = os.path.join(counted.point, OLD_LIST)
    if limited or (counted.switch_on and not counted.used and os.path.exists(kept)):
        whose = f"the quotas of {listed(limited)}" if limited else f"the limits in {kept}"
        fix = counted.switch_on or "apt-get install quota"
        yield found("quota-off", f"{counted.point}: {whose} are not enforced", counted.point, fix)


def _near(usage: Usage) -> tuple[str, str]:
    """What of a quota of bytes, and of files, is nearly used, in words."""
    size, files = usage.limit
    return (
        share_said(usage.size, size) if size and usage.size > size * _MOST else "",
        f"{usage.files} of {files} files" if files and usage.files > files * _MOST else "",
    )
