# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Plan the steps that make the shared folders of this host those of a list. Touches nothing.

Who leaves goes first: out of the group, the mount gone, the sessions ended, and only then the link that enables the
mount is removed. A run that is killed before that finds the link again, and the next one does all of it once more. Who
joins comes last, and the link last of all: the group, the place in the home, the mount, the link.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, size_said
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import (
    READ_ONLY,
    READ_WRITE,
    SharedFolder,
    account_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import Found, Stored, account_problem
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import (
    folder_unit,
    person_unit,
    unit_files,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Limit

SOURCE_MODE = 0o700
"""Only the account of the folder, so only bindfs, gets to the files."""


class MakeAccount(NamedTuple):
    """Create the account and the group of a folder."""

    name: str


class MakeSource(NamedTuple):
    """Create the directory with the files, or give it and what its ``former`` owner has in it to the account."""

    path: str
    account: str
    former: int | None


class SetQuota(NamedTuple):
    """Limit what ``account`` has on the file system of ``device``."""

    account: str
    device: str
    limit: Limit


class SetMembers(NamedTuple):
    """Make ``members`` the members of ``group``, and nobody else."""

    group: str
    members: tuple[str, ...]


class WriteUnits(NamedTuple):
    """Write unit files."""

    files: Mapping[str, str]


class RemoveUnits(NamedTuple):
    """Remove unit files, and what enables them."""

    folders: tuple[str, ...]


class MakePlaces(NamedTuple):
    """Create the directories on which folders are mounted, given as home and name."""

    paths: tuple[tuple[str, str], ...]


class RemovePlaces(NamedTuple):
    """Remove them, unless there is something in them."""

    paths: tuple[tuple[str, str], ...]


class Enable(NamedTuple):
    """Enable ``folders`` at boot, and for each folder right and user of ``people``."""

    folders: tuple[str, ...]
    people: tuple[tuple[str, str, str], ...]


class Disable(NamedTuple):
    """The reverse, for people."""

    people: tuple[tuple[str, str, str], ...]


class Stop(NamedTuple):
    """Stop units; ``places`` must not be mounted any more then."""

    units: tuple[str, ...]
    places: tuple[str, ...]


class EndSessions(NamedTuple):
    """End the sessions of users, by name and id; ``shared`` are ids of other accounts."""

    uids: Mapping[str, int]
    shared: frozenset[int]


class Start(NamedTuple):
    """Restart ``restart``, let ``reload`` read the groups again, and start ``people``."""

    restart: tuple[str, ...]
    reload: tuple[str, ...]
    people: tuple[str, ...]


class Expect(NamedTuple):
    """Fail unless each folder is mounted for all its people."""

    folders: tuple[SharedFolder, ...]


class Reload(NamedTuple):
    """Let systemd read the unit files again."""


@dataclass
class Plan:
    """The steps, in order. ``obstacles`` are why they cannot be done now; check mode reports the plan anyway."""

    stored: Stored = field(repr=False)
    steps: tuple[Any, ...] = ()
    changes: dict[str, list[str]] = field(default_factory=dict)
    obstacles: list[Problem] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.steps)

    def expect_ready(self) -> None:
        """Raise SecureFtpError if the steps cannot be done on this host as it is now."""
        if self.obstacles:
            first, rest = self.obstacles[0], self.obstacles[1:]
            raise SecureFtpError.of(first.also("; ".join(map(str, rest))) if rest else first)

    def diff(self) -> dict[str, str]:
        """Who has which folder, before and after, for --diff."""
        header = "shared folders"
        before, after = ("".join(f"{line}\n" for line in sorted(lines)) for lines in (self.before, self.after))
        return {"before_header": header, "after_header": header, "before": before, "after": after}


@dataclass(frozen=True)
class _Change:
    """What differs between one folder as it is, and as it should be."""

    folder: SharedFolder
    found: Found
    leave: tuple[tuple[str, str], ...] = ()
    """Right and user, sorted by user."""

    start: tuple[tuple[str, str], ...] = ()
    enable: tuple[tuple[str, str], ...] = ()
    new_account: bool = False
    members: tuple[str, ...] | None = None
    """The members of the group, if they change."""

    source: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    at_boot: bool = False
    restart: bool = False
    limit: Limit | None = None
    """The limit of the account, if it changes; of a new one always, as another program may have left one."""

    @property
    def any(self) -> bool:
        """Whether anything does."""
        differs = bool(self.leave or self.start or self.enable or self.files)
        differs = differs or self.members is not None or self.limit is not None
        if self.folder.present:
            return bool(differs or self.new_account or self.source or self.at_boot or self.restart)
        return bool(differs or self.found.exists)


def make_plan(stored: Stored, folders: Sequence[SharedFolder]) -> Plan:
    """Plan how ``folders`` become as they should be; other folders stay. Raises SecureFtpError for what is refused."""
    changes = [_change(stored, folder) for folder in folders]
    if any(folder.present for folder in folders):
        refused = [stored.layout.problem, *(account_problem(stored, one.name) for one in folders if one.present)]
        for problem in filter(None, refused):
            raise SecureFtpError.of(problem)
    plan = Plan(stored)
    for change in changes:
        plan.before += _described(change.folder.name, change.found.people) if change.found.exists else []
        if change.folder.present:
            people = {(right, name) for name, right in change.folder.people.items()}
            plan.after += _described(change.folder.name, people)
            plan.obstacles += _obstacles(stored, change)
        if change.any:
            plan.changes[change.folder.name] = list(_words(stored, change))
    plan.steps = tuple(_steps(stored, [change for change in changes if change.any]))
    return plan


def _change(stored: Stored, folder: SharedFolder) -> _Change:
    found = stored.found(folder.name)
    wanted = {(right, name) for name, right in folder.people.items()}
    group = stored.accounts.groups.get(folder.account)
    wrong_members = group is not None and group.members != frozenset(folder.members)
    wrong_members |= group is None and bool(folder.members)
    text = unit_files(folder.name, stored.layout) if folder.present else {}
    files = {name: one for name, one in text.items() if found.files.get(name) != one}
    account = stored.accounts.users.get(folder.account)
    is_right = Entry("a directory", account.uid, account.gid, SOURCE_MODE) if account else None
    source = folder.present and (found.source is None or found.source != is_right)
    restart = folder.present and (not found.running or bool(files) or source)
    return _Change(
        folder,
        found,
        tuple(sorted(found.people - wanted, key=lambda one: (one[1], one[0]))),
        tuple(sorted(wanted if restart else wanted - found.mounted, key=lambda one: one[1])),
        tuple(sorted(wanted - found.links, key=lambda one: one[1])),
        folder.present and account is None,
        folder.members if wrong_members else None,
        source,
        files,
        folder.present and not found.at_boot,
        restart,
        _limit(stored, folder),
    )


def _limit(stored: Stored, folder: SharedFolder) -> Limit | None:
    """The new limit of ``folder``; None if it stays. A folder that goes loses it."""
    there = stored.usage(folder.name).limit
    if folder.account not in stored.accounts.users:
        is_new = folder.present and (folder.quota or stored.counted.works)
        return Limit(folder.quota or 0) if is_new else None
    wanted = there if folder.quota is None else there._replace(size=folder.quota)
    wanted = wanted if folder.present else Limit()
    return None if wanted == there else wanted


# --- in words -------------------------------------------------------------------------------------------------------


def _described(name: str, people: Any) -> list[str]:
    by_right = {right: sorted(who for one, who in people if one == right) for right in (READ_WRITE, READ_ONLY)}
    named = [
        f"{word} {', '.join(by_right[right])}"
        for word, right in (("members", READ_WRITE), ("readers", READ_ONLY))
        if by_right[right]
    ]
    return [f"{name}: {'; '.join(named) or 'nobody'}"]


def _words(stored: Stored, change: _Change) -> Iterator[str]:
    folder, found = change.folder, change.found
    if not folder.present:
        yield f"removed; its files stay in {stored.layout.source(folder.name)}"
        return
    had = {who: right for right, who in found.people}
    if not found.exists:
        yield "new"
    elif change.source:
        entry = found.source
        yield "files: none" if entry is None else f"files: {_owner(stored, entry.uid)}, mode {entry.mode:04o}"
    elif change.files:
        yield "units"
    elif change.restart:
        yield "started"
    elif change.at_boot:
        yield "enabled"
    for word, names in (
        ("joined", [who for who in folder.people if who not in had]),
        ("left", [who for who in had if who not in folder.people]),
        ("writes now", [who for who in had if folder.people.get(who, had[who]) != had[who] == READ_ONLY]),
        ("only reads now", [who for who in had if folder.people.get(who, had[who]) != had[who] == READ_WRITE]),
        ("mounted", [] if change.restart else _again(change, change.start, found.links)),
        ("enabled", _again(change, change.enable, found.mounted)),
    ):
        if names:
            yield f"{word}: {listed(sorted(names))}"
    if change.limit is not None and not change.new_account:
        yield f"quota: {size_said(change.limit.size) if change.limit.size else 'none'}"
    if change.members is not None and set(had.items()) == set(folder.people.items()):
        yield "group"


def _again(change: _Change, people: Sequence[tuple[str, str]], other: frozenset[tuple[str, str]]) -> list[str]:
    """Who of ``people`` had this right before: one half of it is missing, and ``other`` has the other half."""
    return [who for right, who in people if (right, who) in other]


def _owner(stored: Stored, uid: int) -> str:
    names = [one.name for one in stored.accounts.users.values() if one.uid == uid]
    return "root's" if uid == 0 else f"of {names[0] if names else f'user id {uid}'}"


# --- what is refused ------------------------------------------------------------------------------------------------


def _obstacles(stored: Stored, change: _Change) -> Iterator[Problem]:
    folder = change.folder
    if folder.quota and stored.counted.problem:
        yield stored.counted.problem.about(f"folder {folder.name!r}: quota")
    if stored.problem and folder.people:
        yield stored.problem
    for person, right in sorted(folder.people.items()):
        who = f"folder {folder.name!r}: user {person!r}"
        account, group = stored.accounts.users.get(person), stored.accounts.groups.get(stored.group)
        if account is None:
            yield Problem(who, found="there is no such account", remedy="add the user first, or leave the name out")
        elif group is None or (account.gid != group.gid and person not in group.members):
            expected = f"a user in the group {stored.group}, which is jailed"
            yield Problem(who, expected, "an account that is not", "leave the name out")
        elif not stored.problem and stored.homes.get(person) is None:
            path = f"{stored.layout.homes}/{person}"
            yield Problem(who, found=f"there is no directory {path}", remedy="apply the list of users first")
        elif (right, person) not in change.found.links:
            yield from _in_the_way(stored, folder.name, person)


def _in_the_way(stored: Stored, folder: str, person: str) -> Iterator[Problem]:
    place = stored.places.get((folder, person))
    if place is None or place.entry is None or (place.entry.is_directory and not place.full):
        return
    what = "a directory with files" if place.entry.is_directory else place.entry.kind
    remedy = "rename it, or give the folder another name"
    yield Problem(stored.layout.place(folder, person), "nothing, or an empty directory", what, remedy)


# --- the steps ------------------------------------------------------------------------------------------------------


def _steps(stored: Stored, changes: Sequence[_Change]) -> Iterator[Any]:
    for change in changes:
        if change.new_account:
            yield MakeAccount(change.folder.account)
        if change.source:
            entry = change.found.source
            former = entry.uid if entry is not None and entry.is_directory else None
            yield MakeSource(stored.layout.source(change.folder.name), change.folder.account, former)
        if change.limit is not None:
            yield SetQuota(change.folder.account, stored.counted.device, change.limit)
        if change.members is not None:
            yield SetMembers(account_of(change.folder.name), change.members)
    yield from _leaving(stored, changes)
    yield from _joining(stored, changes)


def _leaving(stored: Stored, changes: Sequence[_Change]) -> Iterator[Any]:
    leave = [(change.folder.name, *one) for change in changes for one in change.leave]
    gone = [change.folder.name for change in changes if not change.folder.present]
    units = [person_unit(*one) for one in leave] + [folder_unit(name) for name in gone]
    if units:
        yield Stop(tuple(units), tuple(stored.layout.place(name, who) for name, _right, who in leave))
    widened = {(one.folder.name, READ_ONLY, who) for one in changes for who in one.folder.members}
    users = stored.accounts.users
    ending = {who: users[who].uid for name, right, who in leave if (name, right, who) not in widened and who in users}
    if ending:
        yield EndSessions(ending, frozenset(one.uid for one in users.values() if one.name not in ending))
    stays = {(change.folder.name, who) for change in changes for who in change.folder.people}
    empty = [(f"{stored.layout.homes}/{who}", name) for name, _right, who in leave if (name, who) not in stays]
    if empty:
        yield RemovePlaces(tuple(empty))
    if leave:
        yield Disable(tuple(leave))
    if gone:
        yield RemoveUnits(tuple(gone))
    if leave or gone:
        yield Reload()


def _joining(stored: Stored, changes: Sequence[_Change]) -> Iterator[Any]:
    changes = [change for change in changes if change.folder.present]
    files = {name: text for change in changes for name, text in change.files.items()}
    if files:
        yield WriteUnits(files)
    starting = [(change.folder.name, *one) for change in changes for one in change.start]
    places = [
        (one.folder.name, who) for one in changes for right, who in one.start if (right, who) not in one.found.mounted
    ]
    if places:
        yield MakePlaces(tuple((f"{stored.layout.homes}/{who}", name) for name, who in places))
    if files:
        yield Reload()
    restart = [folder_unit(change.folder.name) for change in changes if change.restart]
    again = [folder_unit(change.folder.name) for change in changes if not change.restart and _moved(change)]
    if restart or again or starting:
        yield Start(tuple(restart), tuple(again), tuple(person_unit(*one) for one in starting))
        yield Expect(tuple(change.folder for change in changes))
    at_boot = [change.folder.name for change in changes if change.at_boot]
    enable = [(change.folder.name, *one) for change in changes for one in change.enable]
    if at_boot or enable:
        yield Enable(tuple(at_boot), tuple(enable))
        yield Reload()


def _moved(change: _Change) -> bool:
    """Whether bindfs has to read the groups again."""
    return bool(change.members is not None or change.leave or change.enable)
