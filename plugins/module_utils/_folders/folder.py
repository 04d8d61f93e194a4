# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A shared folder as it should be: its name, who reads and writes it, and who only reads it."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    Problem,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import did_you_mean, shortened, value_said
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import MAX_LENGTH, validate_user_name
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import validate_quota

VARIABLE = "ftp_shared_folders"
KEYS = ("name", "members", "readers", "quota", "state")

PREFIX = "ftpshare-"
"""How the name of a folder's account and group begins; no other account should have such a name."""

MAX_NAME = MAX_LENGTH - len(PREFIX)

READ_WRITE, READ_ONLY = "rw", "ro"

# Part of the names of an account, a directory and units, so without anything that one of them gives a meaning.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


class SharedFolder(NamedTuple):
    """One folder; ``members`` read and write, ``readers`` only read; both are sorted.

    ``quota`` is the most bytes of its files, 0 for no limit; None leaves it as it is.
    """

    name: str
    members: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    present: bool = True
    quota: int | None = None

    @property
    def account(self) -> str:
        """The name of the account that owns the files, and of its group, in which the members are."""
        return account_of(self.name)

    @property
    def people(self) -> dict[str, str]:
        """READ_WRITE or READ_ONLY, by the name of the user."""
        return {**dict.fromkeys(self.members, READ_WRITE), **dict.fromkeys(self.readers, READ_ONLY)}


def account_of(name: str) -> str:
    """The name of the account of the folder ``name``."""
    return PREFIX + name


def is_name(name: str) -> bool:
    """Whether a folder may have this name."""
    return len(name) <= MAX_NAME and _NAME.match(name) is not None


def folders_from_list(entries: object) -> list[SharedFolder]:
    """The folders of a list as in ``ftp_shared_folders``. Raises SecureFtpError that says every problem."""
    folders, problems = parse(entries)
    if problems:
        first = problems[0]
        said = "; ".join(str(problem) for problem in problems[1:])
        raise InvalidInput.of(first.also(said) if said else first)
    return folders


def parse(entries: object) -> tuple[list[SharedFolder], list[Problem]]:
    """The valid folders of a list as in ``ftp_shared_folders``, and all problems."""
    if entries is None:
        return [], []
    if not isinstance(entries, (list, tuple)):
        return [], [Problem(VARIABLE, "a list of mappings", value_said(entries))]
    folders: list[SharedFolder] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        where = f"{VARIABLE}[{index}]"
        found = list(_problems(entry)) if isinstance(entry, Mapping) else [_no_mapping(entry)]
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and entry["name"]:
            where = f"{where} ({shortened(entry['name'])!r})"
        problems += [problem.about(where) for problem in found]
        if not found:
            folders.append(_folder(entry))
    names = [folder.name for folder in folders]
    problems += [
        Problem(f"{VARIABLE}: folder {name!r}", found=f"listed {names.count(name)} times", remedy="merge the entries")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    return folders, problems


def _folder(entry: Mapping[str, Any]) -> SharedFolder:
    if (entry.get("state") or "present") == "absent":
        return SharedFolder(entry["name"], present=False)
    members, readers = (tuple(sorted(entry.get(key) or ())) for key in ("members", "readers"))
    quota = None if entry.get("quota") is None else validate_quota(entry["quota"], "quota")
    return SharedFolder(entry["name"], members, readers, quota=quota)


def _no_mapping(entry: object) -> Problem:
    return Problem("", "a mapping such as {name: projects}", value_said(entry), "write '- name: ...'")


def _problems(entry: Mapping[str, Any]) -> Iterator[Problem]:
    unknown = sorted(str(key) for key in entry if key not in KEYS)
    if unknown:
        yield Problem("", f"only {', '.join(KEYS)}", f"unknown key {', '.join(unknown)}", did_you_mean(unknown, KEYS))
    yield from _name_problems(entry)
    if entry.get("quota") is not None:
        try:
            validate_quota(entry["quota"], "quota")
        except SecureFtpError as error:
            yield error.problem
    if (entry.get("state") or "present") not in ("present", "absent"):
        yield Problem("state", "present or absent", repr(entry["state"]))
    named: dict[str, list[str]] = {"members": [], "readers": []}
    for key in named:
        people = entry.get(key)
        if people is None:
            continue
        if not isinstance(people, (list, tuple)):
            yield Problem(key, "a list of names of users", value_said(people), "write it as [...]")
        elif not all(isinstance(one, str) for one in people):
            yield Problem(key, "a list of names of users", "something else in it", "quote a name of digits")
        else:
            named[key] += people
            yield from _people_problems(key, named[key])
    for name in sorted({*named["members"]}.intersection(named["readers"])):
        yield Problem(f"user {name!r}", "one right", "a member and a reader", "leave one of the two out")


def _name_problems(entry: Mapping[str, Any]) -> Iterator[Problem]:
    name = entry.get("name")
    if "name" not in entry:
        yield Problem("", found="the name is missing", remedy="give the folder a name")
    elif not isinstance(name, str):
        yield Problem("name", "a string", value_said(name), "quote it in YAML")
    elif len(name) > MAX_NAME:
        yield Problem("name", f"at most {MAX_NAME} characters", str(len(name)), "choose a shorter name")
    elif not is_name(name):
        expected = "only small letters a-z, digits, '_' and '-', beginning with a letter or a digit"
        yield Problem("name", expected, repr(name), "choose another name")


def _people_problems(key: str, people: Sequence[str]) -> Iterator[Problem]:
    for name in sorted(set(people)):
        try:
            validate_user_name(name)
        except SecureFtpError as error:
            yield error.problem.about(key)
        if list(people).count(name) > 1:
            yield Problem(
                f"{key}: user {name!r}", found=f"listed {list(people).count(name)} times", remedy="list it once"
            )
