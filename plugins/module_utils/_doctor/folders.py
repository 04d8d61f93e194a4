# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks for shared folders: who should have one and has not, and who has one and should not."""

from __future__ import annotations

import os
from typing import Collection, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import layout_of
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import READ_WRITE, account_of
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.plan import SOURCE_MODE
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import (
    Found,
    Stored,
    known_folders,
    read_state,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import (
    UNITS,
    folder_unit,
    person_unit,
    unit_files,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command

_AGAIN = "ansible-playbook -i INVENTORY secure_ftp.server.site --tags shared_folders"

KINDS: dict[str, Kind] = {
    "folder-unmounted": Kind(
        ERROR,
        "a shared folder is not mounted in the home of one of its users",
        "The user does not see the shared files. What is uploaded to the directory in their place, nobody else sees.",
        "systemctl restart {unit}",
    ),
    "folder-units": Kind(
        ERROR,
        "a unit of a shared folder is missing, changed or not started at boot",
        "After the next boot the folder is gone, or its users have other rights.",
        _AGAIN,
    ),
    "folder-group": Kind(
        ERROR,
        "the group of a shared folder has other members than the users who may write there",
        "One of them writes what he should only read, or cannot write.",
        "gpasswd --members {members} {group}",
    ),
    "folder-files": Kind(
        ERROR,
        "the directory with the files of a shared folder has another owner or mode",
        "The folder cannot be used, or users of the host get to files that are not shared with them.",
        "chown {account}: {path} && chmod 0700 {path}",
    ),
    "folder-foreign-files": Kind(
        WARNING,
        "files in a shared folder belong to another account, such as files that root copied there",
        "Its users see them, and can neither read nor change them.",
        "chown -hR {account}: {path}",
    ),
    "folder-nobody": Kind(
        WARNING,
        "a shared folder is enabled for a user without an account",
        "The next user of that name would get the folder.",
        "systemctl disable --now {units}",
    ),
}
found = Reporter(KINDS)

_LOOKED_AT = 10_000
"""At most so many files of a folder are looked at."""


def folder_findings(run: Run = run_command, units: str = UNITS) -> Iterator[Finding]:
    """Examine every shared folder. On a host without one this lists two directories."""
    for name in known_folders(units):
        layout = layout_of(name, units)
        if layout is None:
            yield found(
                "folder-units", f"folder {name!r}: expected the file ftp-shared-{name}-ro@.service", folder_unit(name)
            )
            continue
        stored = read_state(layout, "", (), units, run)
        yield from examined_folder(stored, name)


def examined_folder(stored: Stored, name: str) -> Iterator[Finding]:
    """Examine the folder ``name``."""
    folder, unit = stored.found(name), folder_unit(name)
    if folder.files != unit_files(name, stored.layout) or not folder.at_boot:
        wrong = sorted(file for file, text in unit_files(name, stored.layout).items() if folder.files.get(file) != text)
        what = f"{listed(wrong)}: missing or changed" if wrong else "not enabled"
        yield found("folder-units", f"folder {name!r}: {what}", unit)
    users = stored.accounts.users
    yield from _unmounted(folder, name, users)
    nobody = sorted((right, who) for right, who in folder.links if who not in users)
    if nobody:
        gone = [person_unit(name, right, who) for right, who in nobody]
        who = listed([one for _right, one in nobody])
        yield found("folder-nobody", f"folder {name!r}: {who}: no such account", unit, units=gone)
    yield from _group(stored, folder, name)
    yield from _files(stored, folder, name)


def _unmounted(folder: Found, name: str, users: Collection[str]) -> Iterator[Finding]:
    unit = folder_unit(name)
    if not folder.running:
        yield found("folder-unmounted", f"folder {name!r}: {unit} is not running", unit, restarts=[unit])
        return
    missing = sorted((who, right) for right, who in folder.links - folder.mounted if who in users)
    if missing:
        who = listed([one for one, _right in missing])
        again = [person_unit(name, right, one) for one, right in missing]
        yield found("folder-unmounted", f"folder {name!r}: not mounted for {who}", unit, restarts=again)
    extra = sorted(who for right, who in folder.mounted - folder.links)
    if extra:
        what = f"folder {name!r}: mounted for {listed(extra)}, but not enabled"
        yield found("folder-units", what, unit)


def _group(stored: Stored, folder: Found, name: str) -> Iterator[Finding]:
    account = account_of(name)
    writers = sorted(who for right, who in folder.links if right == READ_WRITE and who in stored.accounts.users)
    group = stored.accounts.groups.get(account)
    members = sorted(group.members) if group else []
    if members != writers:
        what = f"group {account}: expected {', '.join(writers) or 'nobody'}, found {', '.join(members) or 'nobody'}"
        yield found("folder-group", what, account, members=",".join(writers), group=account)


def _files(stored: Stored, folder: Found, name: str) -> Iterator[Finding]:
    path, account = stored.layout.source(name), stored.accounts.users.get(account_of(name))
    if account is None:
        yield found(
            "folder-files", f"folder {name!r}: expected the account {account_of(name)}, found none", path, _AGAIN
        )
        return
    if folder.source != Entry("a directory", account.uid, account.gid, SOURCE_MODE):
        entry = folder.source
        what = f"{entry.kind}, uid {entry.uid}, gid {entry.gid}, mode {entry.mode:04o}" if entry else "nothing"
        expected = f"a directory of {account.name}, mode {SOURCE_MODE:04o}"
        fix = _AGAIN if entry is None else None
        yield found(
            "folder-files", f"{path}: expected {expected}, found {what}", path, fix, account=account.name, path=path
        )
        return
    foreign = _foreign(path, account.uid)
    if foreign:
        yield found(
            "folder-foreign-files", f"{listed(foreign)}: not of {account.name}", path, account=account.name, path=path
        )


def _foreign(path: str, uid: int) -> Sequence[str]:
    """Files below ``path`` that are not of ``uid``; links are not followed."""
    seen, todo, wrong = 0, [path], []
    while todo and seen < _LOOKED_AT:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.stat(follow_symlinks=False).st_uid != uid:
                        wrong.append(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except OSError:
            continue  # a user has removed it meanwhile
    return sorted(wrong)
