# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about the accounts of users who only use another protocol: inside the jail, without any log-in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotPermitted
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after, settled
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Home, KeyFile, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    CreateAccounts,
    DropKeys,
    EndSessions,
    MakeHomes,
    NoHome,
    ReadyClasses,
    RemoveAccounts,
    SetClasses,
    SetHashes,
    TakePasswords,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import CloseHomes
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import account, kinds, plan, step
from .test_rights import RO, group, lists, there

SHUT = "sftponly-ftps"


def one_home(*members: str, home: str = "/", **more: Any) -> Stored:
    """The accounts ann and bob; those of ``members`` cannot log in."""
    shadow = {name: "!*" if name in members else HASH for name in ("ann", "bob")}
    stored = there(group(SHUT, *members), **{"shadow": shadow, **more})
    users = {name: one._replace(home=home) for name, one in stored.accounts.users.items()}
    return replace(stored, accounts=replace(stored.accounts, users=users))


def only_ftps(name: str) -> User:
    return User(name, protocols=("ftps",))


def silent(user: User) -> User:
    """``user`` with an account that says nothing."""
    return user._replace(comment="", expires="never", allowed_sources=(), quota=0, quota_files=0)


def test_an_account_that_cannot_log_in_is_no_sftp_user() -> None:
    stored = one_home("ann")
    assert (stored.has("ann"), stored.has_account("ann"), stored.described("ann")) == (False, True, None)
    assert stored.user("ann") == silent(only_ftps("ann")) and stored.user("bob").protocols == ("sftp",)
    found = plan(stored, stored.user("ann"))
    assert not found.outcome.changed, "what is stored is what a plan does not change"


def test_a_user_of_ftps_gets_an_account_without_credentials() -> None:
    found = plan(one_home(), only_ftps("cat"))
    assert kinds(found) == [CreateAccounts, ReadyClasses, SetClasses, AssertJail, MakeHomes]
    assert list(step(found, CreateAccounts).uids) == ["cat"] and lists(found) == [(SHUT, ("cat",))]
    (asked,) = step(found, AssertJail).classes
    assert (asked.name, asked.shut, asked.by_password, asked.by_key) == ("cat", True, False, False)
    assert asked.groups == ("sftponly", SHUT)
    assert (found.outcome.added, found.outcome.removed) == ([], []), "the user is new to FTPS, not to SFTP"
    assert found.outcome.changed_users == {"cat": ["new account", "group without log-in"]} and found.new_directories
    later = after(found)
    assert later.user("cat") == silent(only_ftps("cat")) and not plan(later, only_ftps("cat")).outcome.changed


def test_the_passwd_home_is_one_that_vsftpd_can_enter() -> None:
    assert step(plan(one_home(), only_ftps("cat")), CreateAccounts).home == "/"
    for user in (User("bob"), only_ftps("bob")):
        found = plan(one_home(home="/nonexistent"), user)
        assert step(found, NoHome).home == "/" and after(found).accounts.users["bob"].home == "/"
        assert NoHome not in kinds(plan(one_home(home="/srv/of-root"), user)), "somebody has chosen it"
    assert NoHome not in kinds(plan(there(), User("bob")))
    alone = User("bob", protocols=("sftp",))
    assert not plan(one_home(home="/nonexistent"), alone).outcome.changed, "sshd needs none"


def test_a_password_for_ftps_is_none_for_the_account() -> None:
    found = plan(one_home("ann"), User("ann", password="other-password-1", protocols=("ftps",)))
    assert not found.outcome.changed
    assert settled(one_home("ann"), [User("ann", password="x", protocols=("ftps",))], Rules()) == set()


def test_without_the_class_nothing_is_different() -> None:
    assert kinds(plan(there(), only_ftps("cat"))) == []
    assert RemoveAccounts in kinds(plan(there(), only_ftps("ann")))


def test_who_no_longer_uses_sftp_keeps_the_account_and_loses_what_opens_it() -> None:
    keys = {"ann": KeyFile(b"ssh-ed25519 AAAA\n")}
    found = plan(one_home(keys=keys), only_ftps("ann"))
    assert kinds(found) == [TakePasswords, DropKeys, ReadyClasses, SetClasses, AssertJail, EndSessions]
    assert step(found, TakePasswords).names == ("ann",) and lists(found) == [(SHUT, ("ann",))]
    assert step(found, EndSessions).uids == {"ann": 1001}
    assert 1001 in step(found, EndSessions).shared, "only the sessions of sshd end"
    assert found.outcome.removed == ["ann"]
    later = after(found)
    assert later.user("ann") == silent(only_ftps("ann")) and not plan(later, only_ftps("ann")).outcome.changed


def test_a_class_of_rights_goes_with_sftp() -> None:
    stored = there(group(SHUT), group(RO, "ann"))
    assert lists(plan(stored, only_ftps("ann"))) == [(SHUT, ("ann",)), (RO, ())]


def test_a_password_that_somebody_has_set_is_taken_away() -> None:
    found = plan(one_home("ann", shadow={"ann": HASH, "bob": HASH}), only_ftps("ann"))
    assert kinds(found) == [TakePasswords, AssertJail, EndSessions]
    assert found.outcome.changed_users == {"ann": ["password removed"]}


def test_sftp_comes_last_for_an_account_that_has_none() -> None:
    found = plan(one_home("ann"), User("ann", password_hash=HASH, access="read_only"))
    assert kinds(found) == [ReadyClasses, AssertJail, SetHashes, SetClasses, EndSessions]
    assert lists(found) == [(RO, ("ann",)), (SHUT, ())]
    (asked,) = step(found, AssertJail).classes
    assert not asked.by_password and not asked.by_key, "no log-in is possible when sshd is asked"
    assert found.outcome.added == ["ann"] and found.new_directories == ()
    assert after(found).user("ann").protocols == ("sftp",)


def test_the_account_goes_with_the_last_protocol() -> None:
    found = plan(one_home("ann"), User("ann", present=False))
    assert kinds(found) == [TakePasswords, CloseHomes, RemoveAccounts]
    assert found.outcome.removed == ["ann"]


def test_a_list_removes_the_accounts_of_others() -> None:
    found = plan(one_home("ann"), only_ftps("bob"), purge=True)
    assert step(found, RemoveAccounts).accounts[0].name == "ann" and step(found, TakePasswords).names == ("ann", "bob")


def test_an_account_of_another_purpose_is_refused() -> None:
    stored = one_home()
    stored = replace(
        stored, accounts=replace(stored.accounts, users={**stored.accounts.users, "www": account("www", 33, 33)})
    )
    with pytest.raises(NotPermitted, match="another system account"):
        plan(stored, only_ftps("www"))


def test_the_home_is_made_right() -> None:
    homes = {"ann": Home(Entry("a directory", 0, 0, 0o755))}
    found = plan(one_home("ann", homes=homes), only_ftps("ann"))
    assert step(found, MakeHomes).owners == {"ann": (1001, 997)}
