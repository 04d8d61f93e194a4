# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The result of a change in all protocols: the outcomes of several backends as one."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import HOME, LOCKED, PASSWORD, Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


def together(users: Sequence[User], outcomes: Mapping[str, Outcome]) -> Outcome:
    """One Outcome from those of each protocol. A user who has one of them before and after is changed."""
    if len(outcomes) == 1:
        return next(iter(outcomes.values()))
    every = list(outcomes.values())
    added = {name for one in every for name in one.added if name not in one.joined}
    left = {user.name for user in users if user.present}
    removed = {name for one in every for name in one.removed} - left
    changed: dict[str, list[str]] = {}
    for name, what in _parts(outcomes):
        if name not in added and name not in removed and what not in changed.setdefault(name, []):
            changed[name].append(what)
    touched = {*added, *removed, *changed}
    return Outcome(
        ", ".join(one.place for one in every),
        sorted(added),
        changed,
        sorted(removed),
        [user.name for user in users if user.name not in touched],
        [home for one in every for home in one.homes],
        [home for one in every for home in one.homes_removed],
        any(one.pam_changed for one in every),
        [warning for one in every for warning in one.warnings],
    )


def of_one(user: User, outcomes: Mapping[str, Outcome]) -> list[str]:
    """What was made, changed or removed of ``user``, in words; never a value."""
    new = [protocol for protocol in sorted(outcomes) if user.name in outcomes[protocol].added]
    found = [f"added to {protocol}" for protocol in new]
    found += [what for name, what in _parts(outcomes) if name == user.name]
    if new:
        given = user.password is not None or user.password_hash is not None
        keys = "sftp" in new and bool(user.authorized_keys)
        home = any(outcomes[protocol].homes for protocol in new)
        made = {PASSWORD: given, "authorized_keys": keys, LOCKED: bool(user.locked), HOME: home}
        found += [what for what, is_made in made.items() if is_made]
    if any(outcome.homes_removed for outcome in outcomes.values()):
        found.append("files removed")
    return list(dict.fromkeys(found))


def diff(outcomes: Mapping[str, Outcome]) -> list[dict[str, str]] | dict[str, str]:
    """What Ansible's --diff shows of ``outcomes``: one of each protocol."""
    found = [outcome.diff() for outcome in outcomes.values()]
    return found if len(found) > 1 else found[0]


def _parts(outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, str]]:
    for protocol, outcome in outcomes.items():
        for name, parts in outcome.changed_users.items():
            yield from ((name, what) for what in parts)
        yield from ((name, f"added to {protocol}") for name in outcome.joined)
        yield from ((name, f"no {protocol} any more") for name in outcome.removed)
