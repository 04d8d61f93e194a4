# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan for shared folders does, and in which order: nobody keeps an access that the list no longer gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders import plan as planning
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import SharedFolder
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.plan import make_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import Found, Place, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import Layout, unit_files
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Limit, Usage

LAYOUT = Layout("/home/sftp")
PEOPLE = {"batman": 1001, "robin": 1002, "alfred": 1003}
PROJECTS = SharedFolder("projects", ("batman", "robin"), ("alfred",))
RIGHTS = frozenset({("rw", "batman"), ("rw", "robin"), ("ro", "alfred")})


def accounts(members: tuple[str, ...] = (), folder: str = "projects") -> Accounts:
    users = {name: Account(name, uid, 900, "/nonexistent", "/usr/sbin/nologin") for name, uid in PEOPLE.items()}
    groups = {"sftponly": Group("sftponly", 900, frozenset())}
    if folder:
        name = f"ftpshare-{folder}"
        users[name] = Account(name, 980, 980, "/nonexistent", "/usr/sbin/nologin")
        groups[name] = Group(name, 980, frozenset(members))
    return Accounts(users, groups, {})


def bare() -> Stored:
    homes = {name: Entry("a directory", uid, 900, 0o700) for name, uid in PEOPLE.items()}
    return Stored(LAYOUT, accounts(folder=""), "sftponly", {}, homes, {("projects", one): Place() for one in PEOPLE})


def ready(**changes: Any) -> Stored:
    """A host on which PROJECTS is as listed."""
    source = Entry("a directory", 980, 980, 0o700)
    found = Found(unit_files("projects", LAYOUT), True, True, RIGHTS, RIGHTS, source)
    return replace(bare(), accounts=accounts(("batman", "robin")), folders={"projects": found._replace(**changes)})


def steps(stored: Stored, *folders: SharedFolder) -> list[str]:
    return [type(step).__name__ for step in make_plan(stored, folders).steps]


def step(kind: str, stored: Stored, *folders: SharedFolder) -> Any:
    (found,) = [one for one in make_plan(stored, folders).steps if type(one).__name__ == kind]
    return found


def test_nothing_to_do_is_nothing() -> None:
    plan = make_plan(ready(), [PROJECTS])
    assert plan.steps == () and not plan.changed and plan.changes == {}
    assert make_plan(bare(), []).steps == ()
    assert make_plan(bare(), [SharedFolder("projects", present=False)]).steps == ()


def limited(size: int, files: int = 0, stored: Stored | None = None) -> Stored:
    """Where the kernel limits the account of the folder."""
    return replace(stored or ready(), counted=Counted("/dev/vdb", "/srv", {980: Usage(0, 1, Limit(size, files))}))


def test_a_quota_is_that_of_the_account_of_the_folder() -> None:
    wanted = PROJECTS._replace(quota=50 << 30)
    assert steps(limited(0, 9), wanted) == ["SetQuota"]
    assert step("SetQuota", limited(0, 9), wanted) == ("ftpshare-projects", "/dev/vdb", (50 << 30, 9))
    assert make_plan(limited(0), [wanted]).changes == {"projects": ["quota: 50G"]}
    assert steps(limited(50 << 30), wanted) == steps(limited(50 << 30), PROJECTS) == [], "what is not named stays"
    assert make_plan(limited(50 << 30), [PROJECTS._replace(quota=0)]).changes == {"projects": ["quota: none"]}


def test_a_new_folder_has_its_quota_before_anybody_has_it_and_never_that_of_another_account() -> None:
    new = limited(0, stored=bare())
    assert steps(new, PROJECTS._replace(quota=4096))[:4] == ["MakeAccount", "MakeSource", "SetQuota", "SetMembers"]
    assert step("SetQuota", new, PROJECTS).limit == (0, 0)


def test_a_folder_that_goes_loses_its_quota() -> None:
    assert step("SetQuota", limited(4096), SharedFolder("projects", present=False)).limit == (0, 0)


def test_a_quota_that_is_not_enforced_is_refused() -> None:
    off = replace(ready(), counted=Counted("/dev/vdb", "/srv", {}, Problem("/srv (ext4)", "user quotas", "none")))
    plan = make_plan(off, [PROJECTS._replace(quota=4096)])
    assert [str(one) for one in plan.obstacles] == [
        "folder 'projects': quota: /srv (ext4): expected user quotas, found none"
    ]
    assert make_plan(off, [PROJECTS._replace(quota=0)]).steps == ()


def test_a_new_folder_is_made_from_the_inside_out() -> None:
    """Nobody is let in before the group is right, and nothing is enabled that has not been mounted once."""
    assert steps(bare(), PROJECTS) == [
        "MakeAccount",
        "MakeSource",
        "SetMembers",
        "WriteUnits",
        "MakePlaces",
        "Reload",
        "Start",
        "Expect",
        "Enable",
        "Reload",
    ]
    assert make_plan(bare(), [PROJECTS]).changes == {"projects": ["new", "joined: alfred, batman, robin"]}
    assert step("SetMembers", bare(), PROJECTS).members == ("batman", "robin"), "a reader is not in the group"
    start = step("Start", bare(), PROJECTS)
    assert start.restart == ("ftp-shared-projects.service",) and len(start.people) == 3


def test_who_leaves_has_no_mount_no_group_and_no_session() -> None:
    """The link is removed last: as long as it is there, the next run does all of it once more."""
    only = PROJECTS._replace(members=("batman",), readers=())
    names = steps(ready(), only)
    assert names == ["SetMembers", "Stop", "EndSessions", "RemovePlaces", "Disable", "Reload", "Start", "Expect"]
    assert step("Stop", ready(), only).units == (
        "ftp-shared-projects-ro@alfred.service",
        "ftp-shared-projects-rw@robin.service",
    )
    assert step("EndSessions", ready(), only).uids == {"alfred": 1003, "robin": 1002}
    assert step("RemovePlaces", ready(), only).paths == (
        ("/home/sftp/alfred", "projects"),
        ("/home/sftp/robin", "projects"),
    )
    assert step("SetMembers", ready(), only).members == ("batman",)
    assert make_plan(ready(), [only]).changes == {"projects": ["left: alfred, robin"]}


def test_a_narrowed_right_ends_the_session_and_a_widened_one_does_not() -> None:
    narrowed = SharedFolder("projects", ("batman",), ("alfred", "robin"))
    assert step("EndSessions", ready(), narrowed).uids == {"robin": 1002}
    assert make_plan(ready(), [narrowed]).changes == {"projects": ["only reads now: robin"]}
    widened = SharedFolder("projects", ("alfred", "batman", "robin"))
    assert "EndSessions" not in steps(ready(), widened)
    assert make_plan(ready(), [widened]).changes == {"projects": ["writes now: alfred"]}
    assert "RemovePlaces" not in steps(ready(), widened)


def test_sessions_of_another_account_with_the_same_id_stay() -> None:
    stored = ready()
    users = {**stored.accounts.users, "twin": Account("twin", 1002, 900, "/", "/bin/sh")}
    stored = replace(stored, accounts=replace(stored.accounts, users=users))
    ending = step("EndSessions", stored, PROJECTS._replace(members=("batman",)))
    assert 1002 in ending.shared and 1001 in ending.shared


def test_a_run_that_was_killed_is_finished() -> None:
    """What is left of somebody who leaves: a mount without a link, a link without a mount, or only the group."""
    only = PROJECTS._replace(members=("batman",))
    gone = RIGHTS - {("rw", "robin")}
    for stored in (ready(links=gone), ready(mounted=gone)):
        assert step("EndSessions", stored, only).uids == {"robin": 1002}
    stored = ready(links=gone, mounted=gone)
    assert steps(stored, only) == ["SetMembers", "Start", "Expect"]


@pytest.mark.parametrize(
    ("changes", "said", "restarted"),
    [
        ({"running": False}, "started", True),
        ({"at_boot": False}, "enabled", False),
        ({"mounted": RIGHTS - {("rw", "batman")}}, "mounted: batman", False),
        ({"links": RIGHTS - {("rw", "batman")}}, "enabled: batman", False),
        ({"files": {}}, "units", True),
        ({"source": Entry("a directory", 0, 0, 0o755)}, "files: root's, mode 0755", True),
        ({"source": None}, "files: none", True),
    ],
)
def test_what_somebody_broke_is_mended(changes: dict[str, Any], said: str, restarted: bool) -> None:
    plan = make_plan(ready(**changes), [PROJECTS])
    assert plan.changes == {"projects": [said]}
    restart = [one for one in plan.steps if isinstance(one, planning.Start) and one.restart]
    assert bool(restart) == restarted
    assert "EndSessions" not in steps(ready(**changes), PROJECTS)


def test_places_that_are_mounted_are_not_touched() -> None:
    """Behind a bindfs that is dead nothing can be looked at; its units unmount it when they are restarted."""
    stored = ready(running=False, mounted=frozenset({("rw", "batman")}))
    assert step("MakePlaces", stored, PROJECTS).paths == (
        ("/home/sftp/alfred", "projects"),
        ("/home/sftp/robin", "projects"),
    )


def test_an_extra_member_of_the_group_is_removed_from_it() -> None:
    stored = replace(ready(), accounts=accounts(("batman", "robin", "joker")))
    assert step("SetMembers", stored, PROJECTS).members == ("batman", "robin")
    assert make_plan(stored, [PROJECTS]).changes == {"projects": ["group"]}


def test_an_absent_folder_keeps_its_files_and_its_account() -> None:
    """The account owns the files: its id must not go to somebody else."""
    absent = SharedFolder("projects", present=False)
    plan = make_plan(ready(), [absent])
    assert [type(one).__name__ for one in plan.steps] == [
        "SetMembers",
        "Stop",
        "EndSessions",
        "RemovePlaces",
        "Disable",
        "RemoveUnits",
        "Reload",
    ]
    assert plan.changes == {"projects": ["removed; its files stay in /srv/ftp-shared/projects"]}
    assert step("Stop", ready(), absent).units[-1] == "ftp-shared-projects.service"


def test_the_diff_says_who_has_what() -> None:
    diff = make_plan(ready(), [SharedFolder("projects", ("batman",), ("robin",))]).diff()
    assert diff["before"] == "projects: members batman, robin; readers alfred\n"
    assert diff["after"] == "projects: members batman; readers robin\n"
    assert make_plan(bare(), [PROJECTS]).diff()["before"] == ""
    assert make_plan(ready(), [SharedFolder("projects", present=False)]).diff()["after"] == ""


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(stored: Stored, *folders: SharedFolder) -> str:
    plan = make_plan(stored, folders)
    with pytest.raises(SecureFtpError) as caught:
        plan.expect_ready()
    return str(caught.value)


def test_a_member_without_an_account_is_an_obstacle_that_check_mode_reports() -> None:
    stranger = SharedFolder("projects", ("joker",))
    assert "user 'joker'" in refused(bare(), stranger) and "no such account" in refused(bare(), stranger)
    assert make_plan(bare(), [stranger]).obstacles


def test_a_member_must_be_in_the_jail() -> None:
    stored = bare()
    users = {**stored.accounts.users, "gordon": Account("gordon", 1004, 100, "/home/gordon", "/bin/bash")}
    stored = replace(stored, accounts=replace(stored.accounts, users=users))
    assert "sftponly" in refused(stored, SharedFolder("projects", ("gordon",)))


def test_the_files_of_a_user_are_never_hidden() -> None:
    for entry, full, said in (
        (Entry("a directory", 1001, 900, 0o700), True, "a directory with files"),
        (Entry("a file", 1001, 900, 0o600), False, "a file"),
        (Entry("a symbolic link", 1001, 900, 0o777), False, "a symbolic link"),
    ):
        stored = replace(bare(), places={("projects", "batman"): Place(entry, full)})
        message = refused(stored, SharedFolder("projects", ("batman",)))
        assert "/home/sftp/batman/projects" in message and said in message
    stored = replace(bare(), places={("projects", "batman"): Place(Entry("a directory", 1001, 900, 0o700), False)})
    make_plan(stored, [SharedFolder("projects", ("batman",))]).expect_ready()


def test_a_user_cannot_stop_the_run_by_filling_the_place_while_it_is_not_mounted() -> None:
    """The link says that the folder was there first."""
    stored = replace(
        ready(mounted=RIGHTS - {("rw", "batman")}),
        places={("projects", "batman"): Place(Entry("a directory", 1001, 900, 0o700), True)},
    )
    make_plan(stored, [PROJECTS]).expect_ready()


def test_an_account_that_is_somebody_elses_is_refused() -> None:
    name = "ftpshare-projects"
    stored = bare()
    for account, group in (
        (Account(name, 1500, 980, "/home/x", "/bin/bash"), Group(name, 980, frozenset())),
        (None, Group(name, 980, frozenset())),
        (Account(name, 980, 980, "/", ""), None),
    ):
        users = {**stored.accounts.users, **({name: account} if account else {})}
        groups = {**stored.accounts.groups, **({name: group} if group else {})}
        taken = replace(stored, accounts=Accounts(users, groups, {}))
        with pytest.raises(SecureFtpError, match=f"{name!r}.*choose another name"):
            make_plan(taken, [PROJECTS])


def test_a_home_must_be_there() -> None:
    stored = replace(bare(), homes={"batman": None})
    assert "no directory /home/sftp/batman" in refused(stored, SharedFolder("projects", ("batman",)))


def test_a_jail_with_an_odd_path_is_refused() -> None:
    with pytest.raises(SecureFtpError, match="a path of letters"):
        make_plan(replace(bare(), layout=Layout("/home/a b")), [PROJECTS])
