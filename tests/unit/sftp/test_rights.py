# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about the rights of SFTP users: classes that sshd must know, and who is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Group
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    ClassMembers,
    CreateAccounts,
    EndSessions,
    MakeHomes,
    ReadyClasses,
    SetClasses,
    SetHashes,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import command_of
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    Jail,
    classes_in,
    find_jail,
    parse,
    with_jail,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import GROUP, JAIL, OTHER, account, kinds, plan, step, stored

RO, UP, MASK = "sftponly-ro", "sftponly-up", "sftponly-rw-0027"
COMMAND = "internal-sftp -d /%u"


def group(name: str, *members: str) -> Group:
    return Group(name, 900, frozenset(members))


def there(*classes: Group, known: tuple[str, ...] | None = None, shadow: Any = None, **more: Any) -> Stored:
    """The users ann and bob; sshd knows ``classes``, unless ``known`` says otherwise."""
    names = tuple(one.name for one in classes) if known is None else known
    settings = parse(with_jail("", replace(JAIL, classes=names)))
    shadow = {"ann": HASH, "bob": HASH} if shadow is None else shadow
    found = classes_in(settings, "sftponly")
    block = find_jail(settings, "sftponly")
    return stored(shadow, groups=(GROUP, *classes), settings=settings, classes=found, block=block, **more)


def lists(found: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [one[:2] for each in found.steps if isinstance(each, SetClasses) for one in each.lists]


def test_the_usual_rights_need_nothing() -> None:
    users = (User("ann"), User("bob", access="read_write", umask="default", ftps_max_rate=5))
    found = plan(there(), *users)
    assert kinds(found) == [AssertJail] and not found.outcome.changed
    assert there().rights("ann") == ("read_write", "default", 0)


def test_a_class_that_sshd_does_not_know_is_made_before_its_first_member() -> None:
    found = plan(there(), User("ann", access="read_only"), User("bob", umask="0027"))
    assert kinds(found) == [ReadyClasses, SetClasses, AssertJail, EndSessions]
    assert step(found, ReadyClasses) == ReadyClasses((RO, MASK), (RO, MASK), "sftponly", "/etc/ssh/sshd_config")
    assert lists(found) == [(RO, ("ann",)), (MASK, ("bob",))]
    assert found.outcome.changed_users == {"ann": ["access"], "bob": ["umask"]}
    assert step(found, EndSessions).uids == {"ann": 1001, "bob": 1002}
    assert [(one.name, one.groups, one.command) for one in step(found, AssertJail).classes] == [
        ("ann", ("sftponly", RO), f"{COMMAND} -R"),
        ("bob", ("sftponly", MASK), f"{COMMAND} -u 0027"),
    ]


def test_who_has_the_right_already_is_no_change() -> None:
    found = plan(there(group(RO, "ann")), User("ann", access="read_only"), User("bob", access="read_write"))
    assert kinds(found) == [AssertJail] and not found.outcome.changed


@pytest.mark.parametrize("settings", ["", "Match Group sftponly-ro\n ForceCommand internal-sftp -d /%u\n"])
def test_a_group_without_its_block_gives_no_right(settings: str) -> None:
    lacking = parse(settings + with_jail("", JAIL))
    known = there(group(RO, "ann"), known=())
    known = replace(known, settings=lacking, classes=classes_in(lacking, "sftponly"))
    assert known.rights("ann") == ("read_write", "default", 0)
    assert known.user("ann").access == "read_write"
    found = plan(known, User("ann", access="read_only"))
    assert kinds(found) == [ReadyClasses, AssertJail, EndSessions]
    assert step(found, ReadyClasses).new == () and found.outcome.changed_users == {"ann": ["access"]}


def test_what_is_not_named_stays() -> None:
    known = there(group("sftponly-ro-0027", "ann"), group(RO))
    assert not plan(known, User("ann"), User("ann", access="read_only"), User("ann", umask="0027")).outcome.changed
    assert lists(plan(known, User("ann", umask="default"))) == [(RO, ("ann",)), ("sftponly-ro-0027", ())]


def test_from_one_class_to_another_there_is_no_moment_without_either() -> None:
    known = there(group(RO, "ann"), group(UP, "bob"))
    found = plan(known, User("ann", access="upload_only"), User("bob", access="read_only"))
    assert lists(found) == [(RO, ("ann", "bob")), (UP, ("ann", "bob")), (RO, ("bob",)), (UP, ("ann",))]
    assert step(found, SetClasses).lists[2] == ClassMembers(RO, ("bob",))


def test_more_rights_come_last_and_fewer_come_first() -> None:
    known = there(group(RO, "ann"))
    users = (
        User("ann", access="read_write", password_hash=OTHER),
        User("bob", access="read_only", password_hash=OTHER),
    )
    found = plan(known, *users)
    assert kinds(found) == [ReadyClasses, SetClasses, AssertJail, SetHashes, SetClasses, EndSessions]
    assert lists(found) == [(RO, ("ann", "bob")), (RO, ("bob",))]
    asserted = {one.name: one.command for one in step(found, AssertJail).classes}
    assert asserted == {"ann": f"{COMMAND} -R"}, "sshd is asked before the last step: both are read-only then"


def test_a_new_user_is_in_the_class_before_there_are_credentials() -> None:
    found = plan(there(group(RO), shadow={}), User("ann", access="read_only", password_hash=HASH))
    assert kinds(found) == [CreateAccounts, ReadyClasses, SetClasses, AssertJail, MakeHomes, SetHashes]
    assert lists(found) == [(RO, ("ann",))] and found.outcome.added == ["ann"]


def test_a_name_left_in_a_class_gives_the_next_of_that_name_nothing() -> None:
    found = plan(there(group(RO, "ann", "ghost"), shadow={}), User("ann", password_hash=HASH))
    assert lists(found) == [(RO, ())], "and of those without an account none is named: gpasswd would refuse the list"


def test_others_in_a_class_stay() -> None:
    found = plan(there(group(RO, "bob", "ghost")), User("ann", access="read_only"))
    assert lists(found) == [(RO, ("ann", "bob"))]


def test_after_a_plan_the_rights_are_there() -> None:
    users = (User("ann", access="upload_only"), User("bob", access="read_only", umask="0027"))
    done = after(plan(there(group(RO, "ann")), *users))
    assert [done.rights(name)[:2] for name in ("ann", "bob")] == [("upload_only", "default"), ("read_only", "0027")]
    described = done.described("bob")
    assert described is not None and (described["access"], described["umask"]) == ("read_only", "0027")
    assert not plan(done, *users).outcome.changed
    back = plan(done, there().user("ann"), there().user("bob"))
    assert [after(back).rights(name) for name in ("ann", "bob")] == [("read_write", "default", 0)] * 2


def test_a_jail_made_by_hand_has_no_place_for_classes() -> None:
    known = replace(there(), takes_classes=False)
    assert plan(known, User("ann", access="read_write", umask="default")).obstacle is None
    found = plan(known, User("ann", access="read_only"))
    assert found.steps == () and "expected the block of the role sshd_chroot" in str(found.obstacle)
    other = replace(there(group(RO)), takes_classes=False)
    assert plan(other, User("ann", access="read_only")).obstacle is None, "a class that is there is used"


def test_a_jail_that_is_read_only_for_all_says_so() -> None:
    settings = parse(with_jail("", Jail()).replace(COMMAND, f"{COMMAND} -R"))
    known = stored({"ann": HASH}, settings=settings, block=find_jail(settings, "sftponly"))
    assert known.rights("ann").access == "read_only"
    assert not plan(known, User("ann", access="read_only")).outcome.changed
    with pytest.raises(SecureFtpError, match="ForceCommand of the group 'sftponly': expected no -R"):
        plan(known, User("ann", access="read_write"))


def test_an_umask_for_who_uploads_only_is_refused() -> None:
    with pytest.raises(SecureFtpError, match="user 'ann': expected umask default"):
        plan(there(group(UP, "ann")), User("ann", umask="0027"))


def test_an_administrator_beside_the_jail_is_no_user() -> None:
    known = there(group(RO, "eve"), accounts=(account("eve", 1500, 1500),))
    with pytest.raises(SecureFtpError, match="another system account"):
        plan(known, User("eve", access="read_only"))
    assert lists(plan(known, User("ann", access="read_only"))) == [(RO, ("ann", "eve"))]


def test_the_command_of_a_class_is_that_of_the_jail_and_more() -> None:
    settings = parse(with_jail("", Jail(log_level="INFO")))
    known = stored({"ann": HASH}, settings=settings, block=find_jail(settings, "sftponly"))
    (one,) = step(plan(known, User("ann", access="read_only")), AssertJail).classes
    assert (
        one.command == command_of("sftponly", RO, "internal-sftp -l INFO -d /%u") == "internal-sftp -l INFO -d /%u -R"
    )
