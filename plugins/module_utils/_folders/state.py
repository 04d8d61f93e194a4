# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The shared folders that this host has: units and their links, mounts, accounts and directories, read once."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Collection, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import (
    READ_ONLY,
    READ_WRITE,
    SharedFolder,
    account_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import (
    UNITS,
    Layout,
    boot_link_of,
    folder_of,
    folder_unit,
    person_of,
    unit_files,
    wants_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Accounts, read_accounts, uid_range
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry, look
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import Mount, read_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Usage, count
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import states


class Found(NamedTuple):
    """One folder as it is on this host."""

    files: Mapping[str, str] = {}
    """The unit files, by name."""

    at_boot: bool = False
    running: bool = False
    links: frozenset[tuple[str, str]] = frozenset()
    """Right and user, of each unit that is enabled."""

    mounted: frozenset[tuple[str, str]] = frozenset()
    """Right and user, of each mount in a home."""

    source: Entry | None = None
    """The directory with the files."""

    @property
    def exists(self) -> bool:
        """Whether there is more of it than files."""
        return bool(self.files or self.at_boot or self.links or self.mounted)

    @property
    def people(self) -> frozenset[tuple[str, str]]:
        """Right and user, of everybody who has it or would have it after the next boot."""
        return self.links | self.mounted


class Place(NamedTuple):
    """What is in the home of a user where the folder is to be mounted; ``full``: a directory that is not empty."""

    entry: Entry | None = None
    full: bool = False


@dataclass(frozen=True)
class Stored:
    """What a plan has to know of this host."""

    layout: Layout
    accounts: Accounts
    group: str
    """The group of the jail."""

    folders: Mapping[str, Found] = field(default_factory=dict)
    homes: Mapping[str, Entry | None] = field(default_factory=dict)
    """The homes of the users of wanted folders."""

    places: Mapping[tuple[str, str], Place] = field(default_factory=dict)
    """By folder and user, where nothing is mounted yet."""

    counted: Counted = Counted()
    """What the kernel counts and limits where the files of folders are."""

    uid_min: int = 1000
    units: str = UNITS
    problem: Problem | None = None
    """Why homes cannot be looked at."""

    def usage(self, name: str) -> Usage:
        """What the account of the folder ``name`` has, and its limits."""
        account = self.accounts.users.get(account_of(name))
        return self.counted.of(account.uid) if account else Usage()

    def found(self, name: str) -> Found:
        """The folder ``name`` as it is."""
        return self.folders.get(name, Found())


def read_state(
    layout: Layout,
    group: str,
    wanted: Sequence[SharedFolder] = (),
    units: str = UNITS,
    run: Run = run_command,
    etc: str = "/etc",
    mounts: Sequence[Mount] | None = None,
) -> Stored:
    """Read every folder of this host, and what has to be known for those that are ``wanted``."""
    mounts = read_mounts() if mounts is None else mounts
    names = sorted({*known_folders(units), *(folder.name for folder in wanted)})
    running = states([folder_unit(name) for name in names], run)
    sources = _look(layout.sources, names)[0]
    folders = {
        name: Found(
            {file: text for file in unit_files(name, layout) for text in [_text(os.path.join(units, file))] if text},
            os.path.islink(boot_link_of(units, name)),
            running.get(folder_unit(name), (False,))[0],
            links(units, name),
            _mounted(layout, name, mounts),
            sources.get(name),
        )
        for name in names
    }
    people = sorted({person for folder in wanted for person in folder.people})
    homes, problem = _look(layout.homes, people)
    places = {
        (folder.name, person): _place(layout, folder.name, person)
        for folder in wanted
        for person in folder.people
        if homes.get(person) is not None and person not in {who for _right, who in folders[folder.name].mounted}
    }
    counted = count(layout.sources, mounts, run)
    accounts, least = read_accounts(etc, passwords_of=()), uid_range(etc)[0]
    return Stored(layout, accounts, group, folders, homes, places, counted, least, units, problem)


def known_folders(units: str = UNITS) -> list[str]:
    """The names of all folders with a unit or a link; it is enough to read two directories."""
    names: set[str] = set()
    for directory in (units, os.path.join(units, "multi-user.target.wants")):
        for entry in _entries(directory):
            folder = folder_of(entry[: -len(".wants")] if entry.endswith(".wants") else entry)
            person = person_of(entry.replace("@.service", "@x.service"))
            if folder is not None:
                names.add(folder)
            elif person is not None:
                names.add(person[0])
    return sorted(names)


def links(units: str, folder: str) -> frozenset[tuple[str, str]]:
    """Right and user, of each unit that is enabled for ``folder``."""
    found = (person_of(entry) for entry in _entries(wants_of(units, folder)))
    return frozenset((one[1], one[2]) for one in found if one and one[0] == folder)


def folders_of_all(units: str = UNITS) -> dict[str, list[str]]:
    """The folders that are enabled for each user who has one."""
    found: dict[str, set[str]] = {}
    for folder in known_folders(units):
        for _right, person in links(units, folder):
            found.setdefault(person, set()).add(folder)
    return {person: sorted(folders) for person, folders in found.items()}


def refuse_upload_only(names: Collection[str]) -> None:
    """Raise SecureFtpError if one of ``names``, who are to upload only, has a folder.

    Files that such a user uploads cannot be overwritten, because of their permissions; those of a folder are the same
    for everybody.
    """
    folders_of = folders_of_all() if names else {}
    for name in names:
        if name in folders_of:
            raise SecureFtpError(
                f"user {name!r}: access",
                "no upload_only for a user of a shared folder, in which files can be overwritten",
                found=f"the folder {', '.join(folders_of[name])}",
                remedy="take the user out of it first",
            )


def is_of(mount: Mount, layout: Layout, folder: str) -> bool:
    """Whether ``mount`` shows the files of ``folder``."""
    return mount.kind.startswith("fuse") and mount.source == layout.source(folder)


def _mounted(layout: Layout, folder: str, mounts: Iterable[Mount]) -> frozenset[tuple[str, str]]:
    found = set()
    for mount in mounts:
        above, name = os.path.split(mount.point)
        homes, person = os.path.split(above)
        if is_of(mount, layout, folder) and (homes, name) == (os.path.realpath(layout.homes), folder):
            found.add((READ_ONLY if mount.read_only else READ_WRITE, person))
    return frozenset(found)


def _look(root: str, names: Collection[str]) -> tuple[dict[str, Entry | None], Problem | None]:
    try:
        return look(root, names), None
    except SecureFtpError as error:
        return {}, error.problem


def _place(layout: Layout, folder: str, person: str) -> Place:
    entry = _look(os.path.join(layout.homes, person), [folder])[0].get(folder)
    full = entry is not None and entry.is_directory and bool(_entries(layout.place(folder, person)))
    return Place(entry, full)


def _entries(directory: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(directory))
    return []


def _text(path: str) -> str:
    """The text of a file; empty when it cannot be read."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


def account_problem(stored: Stored, folder: str) -> Problem | None:
    """Why the account of ``folder`` cannot be used; None when it can be, or does not exist."""
    name = account_of(folder)
    account, group = stored.accounts.users.get(name), stored.accounts.groups.get(name)
    if account is None and group is None:
        return None
    remedy = "choose another name for the folder, or remove that account and group if nothing uses them"
    if account is None or group is None or account.gid != group.gid:
        what = "a group without that account" if account is None else "an account without that group"
        return Problem(f"folder {folder!r}: {name!r}", "an account and its group, or neither", what, remedy)
    if account.uid >= stored.uid_min or account.uid == 0:
        said = f"user id {account.uid}"
        return Problem(f"folder {folder!r}: {name!r}", f"a system account (below {stored.uid_min})", said, remedy)
    return None
