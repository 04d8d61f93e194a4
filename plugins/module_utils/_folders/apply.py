# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Run the steps of a plan for shared folders; take a deleted user out of all of them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import Any, Callable, Iterable, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders import plan as steps
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import READ_ONLY
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import is_of, known_folders, links
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import (
    UNITS,
    Layout,
    boot_link_of,
    folder_unit,
    link_of,
    person_template,
    person_unit,
    unit_files,
    wants_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_HOME,
    accounts_lock,
    add_account,
    flush_accounts,
    read_accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import (
    ensure_directory,
    hand_over,
    open_directory,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import flush, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import Mount, read_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import write
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions

NO_SHELL = "/usr/sbin/nologin"
COMMENT = "shared folder of secure_ftp.server"
_MANY = 500
"""Most units on one command line."""

_WHERE = re.compile(r"^ExecStart=.* sh (\S+)/%i/\S+ \S+$", re.MULTILINE)


class Host(NamedTuple):
    """Where the steps are done; a test has its own."""

    layout: Layout
    units: str = UNITS
    run: Run = run_command
    etc: str = "/etc"


def apply(plan: steps.Plan) -> list[str]:
    """Run the steps of ``plan``; return warnings. An error says what was done before."""
    plan.expect_ready()
    host = Host(plan.stored.layout, plan.stored.units)
    warnings: list[str] = []
    done = 0
    with accounts_lock():
        try:
            for step in plan.steps:
                warnings += run(step, host) or []
                done += 1
        except SecureFtpError as error:
            error.state = "the rest is done by the next run" if done else ""
            raise
        flush_accounts(host.etc)
    return warnings


def run(step: Any, host: Host) -> list[str] | None:
    """Do one step; return warnings, if it can have any."""
    warnings: list[str] | None = _ACTS[type(step)](step, host)
    return warnings


# --- accounts and directories ---------------------------------------------------------------------------------------


def _make_account(step: steps.MakeAccount, _host: Host) -> None:
    add_account(step.name, NO_HOME, NO_SHELL, COMMENT)


def _make_source(step: steps.MakeSource, host: Host) -> None:
    account = read_accounts(host.etc, only={step.account}).users[step.account]
    above, name = os.path.split(step.path)
    ensure_directory(above, 0, 0, 0o711)
    if step.former is not None and step.former != account.uid:
        hand_over(above, name, step.former, account.uid, account.gid)
    ensure_directory(step.path, account.uid, account.gid, steps.SOURCE_MODE)


def _set_quota(step: steps.SetQuota, host: Host) -> None:
    account = read_accounts(host.etc, only={step.account}).users[step.account]
    write(step.device, {account.uid: step.limit}, host.run)


def _set_members(step: steps.SetMembers, host: Host) -> None:
    _succeed(host, ["gpasswd", "--members", ",".join(step.members), step.group])


def _make_places(step: steps.MakePlaces, _host: Host) -> None:
    for home, name in step.paths:
        _put_aside(home, name)
        ensure_directory(os.path.join(home, name), 0, 0, 0o755)


def _put_aside(home: str, name: str) -> None:
    """Rename what is no directory: the plan refuses it for new users of the folder, so this one put it there since."""
    with open_directory(home) as fd:
        if fd is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                os.rename(name, f"{name}.{os.urandom(4).hex()}", src_dir_fd=fd, dst_dir_fd=fd)


def _remove_places(step: steps.RemovePlaces, _host: Host) -> None:
    for home, name in step.paths:
        with open_directory(home) as fd:
            if fd is not None:
                with contextlib.suppress(OSError):  # not empty, or not a directory: then it is the user's
                    os.rmdir(name, dir_fd=fd)


# --- units ----------------------------------------------------------------------------------------------------------


def _write_units(step: steps.WriteUnits, host: Host) -> None:
    for name, text in step.files.items():
        replace_file(os.path.join(host.units, name), text.encode(), 0o644, 0, 0)


def _remove_units(step: steps.RemoveUnits, host: Host) -> None:
    for folder in step.folders:
        for path in (
            boot_link_of(host.units, folder),
            *(os.path.join(host.units, name) for name in unit_files(folder, host.layout)),
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        with contextlib.suppress(OSError):
            os.rmdir(wants_of(host.units, folder))
    flush([host.units])


def _enable(step: steps.Enable, host: Host) -> None:
    for folder in step.folders:
        _link(boot_link_of(host.units, folder), f"../{folder_unit(folder)}")
    for folder, right, person in step.people:
        _link(link_of(host.units, folder, right, person), f"../{person_template(folder, right)}")
    flush({os.path.join(host.units, "multi-user.target.wants"), *(wants_of(host.units, one[0]) for one in step.people)})


def _link(path: str, target: str) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.symlink(target, path)


def _disable(step: steps.Disable, host: Host) -> None:
    for folder, right, person in step.people:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link_of(host.units, folder, right, person))
    flush({wants_of(host.units, folder) for folder, _right, _person in step.people})


def _stop(step: steps.Stop, host: Host) -> None:
    _systemctl(host, "stop", step.units)
    _systemctl(host, "reset-failed", step.units, needed=False)
    left = _mounted(step.places)
    for point in left:  # a unit that has failed unmounts nothing; while it is mounted, this name is that of the mount
        host.run(["umount", "--no-canonicalize", "--lazy", point])
    left = _mounted(step.places) if left else []
    if left:
        raise SecureFtpError(
            left[0],
            "nothing mounted there after its unit was stopped",
            found="still mounted",
            remedy=f"unmount it: umount --lazy {left[0]}",
        )


def _mounted(places: Iterable[str]) -> list[str]:
    return sorted({mount.point for mount in read_mounts()}.intersection(places))


def _start(step: steps.Start, host: Host) -> None:
    _systemctl(host, "reset-failed", step.restart, needed=False)  # or it is refused after too many failures
    _systemctl(host, "restart", step.restart)
    _systemctl(host, "reload", step.reload)
    # Not "start": a unit whose mount somebody has removed is still active.
    _systemctl(host, "restart", step.people)


def _expect(step: steps.Expect, host: Host) -> None:
    mounts = read_mounts()
    for folder in step.folders:
        there = {mount.point: mount.read_only for mount in mounts if is_of(mount, host.layout, folder.name)}
        for person, right in folder.people.items():
            point = os.path.join(os.path.realpath(host.layout.homes), person, folder.name)
            if there.get(point) is not (right == READ_ONLY):
                whose = "to read" if right == READ_ONLY else "to read and write"
                unit = person_unit(folder.name, right, person)
                found = "it mounted otherwise" if point in there else "nothing mounted"
                raise SecureFtpError(
                    point, f"the folder mounted there {whose}", found=found, remedy=f"see why: journalctl -u {unit}"
                )


def _reload(_step: steps.Reload, host: Host) -> None:
    _succeed(host, ["systemctl", "daemon-reload"])


def _systemctl(host: Host, verb: str, units: Sequence[str], needed: bool = True) -> None:
    for start in range(0, len(units), _MANY):
        some = units[start : start + _MANY]
        result = host.run(["systemctl", verb, *some])
        if result.rc and needed:
            raise SecureFtpError(
                f"systemctl {verb}", "success", found=result.said, remedy=f"see why: journalctl -u {some[0]}"
            )


def _succeed(host: Host, command: Sequence[str]) -> None:
    result = host.run(command)
    if result.rc:
        raise SecureFtpError(" ".join(command), "success", found=result.said)


_ACTS: dict[Any, Callable[[Any, Host], Any]] = {
    steps.MakeAccount: _make_account,
    steps.MakeSource: _make_source,
    steps.SetQuota: _set_quota,
    steps.SetMembers: _set_members,
    steps.MakePlaces: _make_places,
    steps.RemovePlaces: _remove_places,
    steps.WriteUnits: _write_units,
    steps.RemoveUnits: _remove_units,
    steps.Enable: _enable,
    steps.Disable: _disable,
    steps.Stop: _stop,
    steps.EndSessions: lambda step, _host: end_sessions(step.uids, step.shared),
    steps.Start: _start,
    steps.Expect: _expect,
    steps.Reload: _reload,
}


# --- users who are deleted ------------------------------------------------------------------------------------------


def leave(names: Iterable[str], host: Host | None = None) -> None:
    """Take those of ``names`` who have no account any more out of every folder; their sessions have ended already.

    Without the mounts their homes can be deleted. userdel(8) has removed them from the groups.
    """
    host = Host(Layout("")) if host is None else host
    folders = known_folders(host.units)
    if not folders:
        return
    accounts = read_accounts(host.etc, only=set(names)).users
    gone = set(names).difference(accounts)
    people = [
        (folder, right, who) for folder in folders for right, who in sorted(links(host.units, folder)) if who in gone
    ]
    if not people:
        return
    places = {folder: layout_of(folder, host.units) for folder in {one[0] for one in people}}
    known = [(layout.homes, folder, who) for folder, _right, who in people for layout in [places[folder]] if layout]
    stop = steps.Stop(
        tuple(person_unit(*one) for one in people), tuple(f"{homes}/{who}/{folder}" for homes, folder, who in known)
    )
    run(stop, host)
    run(steps.RemovePlaces(tuple((f"{homes}/{who}", folder) for homes, folder, who in known)), host)
    run(steps.Disable(tuple(people)), host)
    run(steps.Reload(), host)


def layout_of(folder: str, units: str = UNITS) -> Layout | None:
    """Where the units of ``folder`` mount it; None if that is unknown."""
    with contextlib.suppress(OSError):
        with open(os.path.join(units, person_template(folder, READ_ONLY)), encoding="utf-8") as file:
            found = _WHERE.search(file.read())
        if found:
            return Layout(found[1])
    return None


def other_mounts(mounts: Sequence[Mount] | None = None, units: str = UNITS) -> list[str]:
    """The mount points of this host, without those of shared folders: who deletes a user unmounts these first."""
    mounts = read_mounts() if mounts is None else mounts
    ours: set[str] = set()
    for folder in known_folders(units):
        layout = layout_of(folder, units)
        if layout is not None:
            homes = os.path.realpath(layout.homes)
            ours.update(os.path.join(homes, who, folder) for _right, who in links(units, folder))
    return [mount.point for mount in mounts if mount.point not in ours]
