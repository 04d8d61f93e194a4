# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about SFTP users: what is stored and wished goes in, steps come out; nothing is patched."""

from __future__ import annotations

from typing import Any, Mapping

import pytest
from conftest import HASH
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import NO_HOME, Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after, make_plan, settled
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import KEY_FILE_HEADER, Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Home, KeyFile, Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    CreateAccounts,
    DropKeys,
    EndSessions,
    HandOver,
    JailClass,
    MakeHomes,
    NoHome,
    RemoveAccounts,
    SetExpiry,
    SetHashes,
    SetShells,
    TakePasswords,
    WriteKeys,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, find_jail, parse, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import CloseHomes, Plan, RemoveHome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

KEY = "ssh-ed25519 AAAA"
OTHER = HASH[:-1] + "i"
JAIL = Jail()
SETTINGS = parse("UsePAM yes\n" + with_jail("", JAIL))
GROUP = Group("sftponly", 997, frozenset())
CLOSED = Entry("a directory", 0, 0, 0o700)


def key_file(*keys: str) -> KeyFile:
    return KeyFile((KEY_FILE_HEADER + "".join(f"{key}\n" for key in keys)).encode())


def account(name: str, uid: int, gid: int = 997, home: str = NO_HOME, shell: str = "/usr/sbin/nologin") -> Account:
    return Account(name, uid, gid, home, shell)


def stored(
    shadow: Mapping[str, str] | None = None,
    expires: Mapping[str, str] | None = None,
    accounts: tuple[Account, ...] = (),
    groups: tuple[Group, ...] = (GROUP,),
    **more: Any,
) -> Stored:
    """What is stored: the users of ``shadow``, from user id 1001 on, each with a home; root and olivia beside them."""
    passwords = {"root": "*", "olivia": HASH, **(shadow or {})}
    others = (account("root", 0, 0), account("olivia", 500, 500), *accounts)
    named = {one.name for one in others}
    ours = [account(name, 1001 + at) for at, name in enumerate(name for name in (shadow or {}) if name not in named)]
    users = {one.name: one for one in (*others, *ours)}
    homes = {one.name: Home(Entry("a directory", one.uid, one.gid, 0o700)) for one in users.values()}
    more = {
        "block": find_jail(SETTINGS, "sftponly"),
        "settings": SETTINGS,
        "operator": frozenset(("olivia",)),
        "counted": Counted("/dev/vdb", "/home"),
        **more,
        "homes": {**homes, **more.get("homes", {})},
    }
    known = Accounts(users, {group.name: group for group in groups}, passwords, expires or {})
    return Stored(known, JAIL, **more)


def plan(there: Stored, *users: User, remove_home: bool = False, **rules: Any) -> Plan:
    return make_plan(there, users, Rules(**{"rounds": 1000, **rules}), remove_home)


def kinds(found: Plan) -> list[type]:
    return [type(step) for step in found.steps]


def step(found: Plan, kind: type) -> Any:
    (one,) = [one for one in found.steps if isinstance(one, kind)]
    return one


def test_new_users_get_credentials_last() -> None:
    users = (
        User("ann", password="secret-1"),
        User("bob", authorized_keys=(KEY,)),
        User("cy", password_hash=HASH, authorized_keys=(KEY, KEY + " 2")),
        User("ftp", protocols=("ftps",), password="secret-2"),
    )
    found = plan(stored(), *users)
    assert kinds(found) == [CreateAccounts, AssertJail, MakeHomes, WriteKeys, WriteKeys, SetHashes]
    assert found.outcome.added == ["ann", "bob", "cy"] and found.outcome.unchanged == ["ftp"]
    assert step(found, CreateAccounts).uids == {"ann": 1000, "bob": 1001, "cy": 1002}
    assert step(found, MakeHomes).owners == {"ann": (1000, 997), "bob": (1001, 997), "cy": (1002, 997)}
    assert step(found, SetHashes) == SetHashes({"bob": "*", "cy": HASH, "ann": ""}, {"ann": "secret-1"}, 1000)
    assert [one.keys for one in map(KeyFile, (one.data for one in found.steps if isinstance(one, WriteKeys)))] == [
        (KEY,),
        (KEY, KEY + " 2"),
    ]
    assert found.new_directories == tuple(f"/home/sftp/{name}" for name in ("ann", "bob", "cy"))
    text = repr(found.outcome)
    assert "secret-1" not in text and "AAAA" not in text and "$6$" not in text


def test_who_is_right_already_is_no_step_but_the_question_to_sshd() -> None:
    hashed = passwords.hash_password("secret-1", 1000)
    there = stored({"ann": hashed, "bob": "*"}, keys={"bob": key_file(KEY)})
    users = (User("ann", password="secret-1"), User("bob", authorized_keys=(KEY,)))
    found = plan(there, *users)
    assert not found.outcome.changed and found.outcome.unchanged == ["ann", "bob"]
    assert kinds(found) == [AssertJail]
    assert step(found, AssertJail).classes == (
        JailClass("ann", ("sftponly",), True, False),
        JailClass("bob", ("sftponly",), False, True),
    )
    assert plan(there, *users, jail_check="none").steps == ()


def test_passwords_change_or_stay() -> None:
    hashed = passwords.hash_password("secret-1", 1000)
    there = stored({"ann": hashed, "cy": HASH})
    users = (User("ann", password="new-pass"), User("cy", password_hash=OTHER))
    assert settled(there, [User("ann", password="secret-1"), users[0]], Rules()) == {"ann"}
    assert settled(there, users, Rules(update_password="on_create")) == {"ann"}
    assert not plan(there, *users, update_password="on_create").outcome.changed
    found = plan(there, *users)
    assert found.outcome.changed_users == {"ann": ["password"], "cy": ["password"]}
    assert step(found, SetHashes).hashes == {"cy": OTHER, "ann": ""}
    assert step(found, EndSessions).uids == {"ann": 1001, "cy": 1002}
    assert not plan(there, User("ann"), User("cy")).outcome.changed


def test_an_account_that_never_got_its_password_gets_it_whatever_the_rule() -> None:
    for pending in ("!*", "!", "!!"):
        found = plan(stored({"ann": pending}), User("ann", password_hash=HASH), update_password="on_create")
        assert step(found, SetHashes).hashes == {"ann": HASH}, pending


def test_a_list_of_keys_is_complete_and_none_leaves_them() -> None:
    there = stored({"cy": HASH}, keys={"cy": key_file(KEY, KEY + " 2")})
    assert not plan(there, User("cy")).outcome.changed
    fewer = plan(there, User("cy", authorized_keys=(KEY,)))
    assert fewer.outcome.changed_users == {"cy": ["authorized_keys"]}
    assert step(fewer, WriteKeys).data == key_file(KEY).data and step(fewer, EndSessions).uids == {"cy": 1001}
    more = plan(there, User("cy", authorized_keys=(KEY, KEY + " 2", KEY + " 3")))
    assert EndSessions not in kinds(more)
    none = plan(there, User("cy", authorized_keys=()))
    assert step(none, DropKeys).names == ("cy",) and step(none, EndSessions).uids == {"cy": 1001}


@pytest.mark.parametrize(
    "file",
    [
        key_file(KEY)._replace(mode=0o666),
        key_file(KEY)._replace(uid=1001),
        KeyFile(None, problem=Problem("keys", found="a link")),
    ],
)
def test_a_key_file_that_is_not_ours_alone_is_written_anew(file: KeyFile) -> None:
    found = plan(stored({"bob": "*"}, keys={"bob": file}), User("bob", authorized_keys=(KEY,)))
    assert found.outcome.changed_users == {"bob": ["authorized_keys"]} and step(found, WriteKeys).name == "bob"


def test_a_new_account_does_not_inherit_an_old_key_file() -> None:
    found = plan(stored(keys={"ann": key_file(KEY)}), User("ann", password_hash=HASH))
    assert kinds(found)[:2] == [DropKeys, CreateAccounts]
    assert step(found, AssertJail).classes == (JailClass("ann", ("sftponly",), True, False),)


def test_removal_takes_credentials_first_and_closes_the_home_before_the_id_is_free() -> None:
    there = stored({"bob": HASH, "cy": HASH}, keys={"bob": key_file(KEY)})
    found = plan(there, User("bob", present=False), User("cy", protocols=("ftps",)))
    assert kinds(found) == [TakePasswords, DropKeys, CloseHomes, RemoveAccounts] and found.deletions == ()
    assert found.outcome.removed == ["bob", "cy"]
    assert [one.name for one in step(found, RemoveAccounts).accounts] == ["bob", "cy"]
    assert step(found, RemoveAccounts).shared == {0, 500}


def test_a_key_file_without_an_account_goes_with_who_is_absent() -> None:
    found = plan(stored(keys={"bob": key_file(KEY)}), User("bob", present=False))
    assert kinds(found) == [DropKeys] and found.outcome.removed == ["bob"]
    assert "bob: key file without an account\n" in found.outcome.diff()["before"]
    other = plan(stored(keys={"olivia": key_file(KEY)}), User("olivia", present=False))
    assert other.steps == () and not other.outcome.changed


@pytest.mark.parametrize(
    ("home", "goes"),
    [
        (Home(CLOSED, None), True),
        (Home(Entry("a directory", 1500, 997, 0o700), 1500), True),
        (Home(Entry("a directory", 500, 500, 0o700), 500), False),
        (Home(Entry("a directory", 0, 0, 0o755), None), False),
        (Home(None), False),
    ],
    ids=["closed", "of a free id", "of somebody else", "of root", "none"],
)
def test_remove_home_takes_what_an_earlier_removal_left_and_nothing_else(home: Home, goes: bool) -> None:
    found = plan(stored(homes={"bob": home}), User("bob", present=False), remove_home=True)
    assert found.outcome.homes_removed == (["/home/sftp/bob"] if goes else [])
    assert found.deletions == ((RemoveHome("/home/sftp", "bob"),) if goes else ())


def test_a_mount_in_a_home_refuses_its_deletion_before_anything_else() -> None:
    there = stored({"bob": HASH}, mounts=["/", "/home/sftp/bob/data"])
    with pytest.raises(SecureFtpError, match="expected no file system mounted"):
        plan(there, User("bob", present=False), remove_home=True)


def test_purge_removes_members_only() -> None:
    there = stored({"ann": HASH, "hand": HASH})
    assert not plan(there, User("ann")).outcome.changed
    assert plan(there, User("ann"), purge=True).outcome.removed == ["hand"]


def test_who_comes_back_gets_the_files_whatever_the_id() -> None:
    left = {"ann": Home(CLOSED, 1400)}
    same = plan(stored(homes=left, strays={"ann": 1400}), User("ann", password_hash=HASH))
    assert step(same, CreateAccounts).uids == {"ann": 1400} and HandOver not in kinds(same)
    taken = stored({"zed": HASH}, homes=left, strays={"ann": 1001})
    found = plan(taken, User("ann", password_hash=HASH))
    assert step(found, CreateAccounts).uids == {"ann": 1002}
    assert step(found, HandOver) == HandOver("/home/sftp", "ann", 1400, 1002, 997)
    assert kinds(found).index(HandOver) < kinds(found).index(MakeHomes) < kinds(found).index(SetHashes)


def test_a_name_that_shadow_or_group_has_already_is_told() -> None:
    there = stored(groups=(GROUP, Group("sudo", 27, frozenset())))
    there.accounts.passwords["left"] = "!*"  # type: ignore[index]
    found = plan(there, *(User(name, password_hash=HASH) for name in ("sudo", "left", "ann")))
    assert step(found, CreateAccounts).taken == ("sudo", "left")


# --- refusals ------------------------------------------------------------------------------------------------------


def test_another_account_is_refused_when_present_and_untouched_when_absent() -> None:
    with pytest.raises(SecureFtpError, match="user 'olivia': expected a new name or a member of the group sftponly"):
        plan(stored(), User("olivia", password="x"))
    found = plan(stored(), User("olivia", present=False), remove_home=True, purge=True)
    assert not found.outcome.changed and found.steps == ()


@pytest.mark.parametrize("name", ["root", "olivia"])
def test_the_operator_is_never_a_member(name: str) -> None:
    there = stored(groups=(Group("sftponly", 997, frozenset((name,))),))
    with pytest.raises(SecureFtpError, match=f"take it out first: gpasswd -d {name} sftponly"):
        plan(there, purge=True)


def test_a_user_cannot_have_the_groups_name_or_that_of_a_directory_service() -> None:
    with pytest.raises(SecureFtpError, match="name of the SFTP group"):
        plan(stored(), User("sftponly"))
    with pytest.raises(SecureFtpError, match="'ann'.*directory service"):
        plan(stored(elsewhere=frozenset(("ann",))), User("ann", password_hash=HASH))


@pytest.mark.parametrize("user", [User("ann", password="x"), User("ann", locked=True), User("ann", present=False)])
def test_an_administrator_in_the_group_is_left_alone(user: User) -> None:
    there = stored({"ann": HASH}, groups=(GROUP, Group("sudo", 27, frozenset({"ann"}))))
    with pytest.raises(
        SecureFtpError, match="'ann': expected an account without rights on the host, found a member of"
    ):
        plan(there, user)
    with pytest.raises(SecureFtpError, match="member of sudo"):
        plan(there, purge=True)
    assert plan(there, User("bob", password="y")).outcome.added == ["bob"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UsePAM yes\n", "expected a block 'Match Group sftponly' with ChrootDirectory, found none"),
        ("Match Group sftponly\n ChrootDirectory /home/sftp\n", "expected AuthorizedKeysFile with one directory"),
    ],
)
def test_a_server_that_is_not_ready_is_an_obstacle(text: str, words: str) -> None:
    there = stored(settings=parse(text), block=find_jail(parse(text), "sftponly"))
    found = plan(there, User("ann", password_hash=HASH, authorized_keys=(KEY,)))
    assert found.outcome.added == ["ann"], "check mode says what would be done all the same"
    with pytest.raises(SecureFtpError, match=words):
        found.expect_ready()
    plan(there, User("ann", present=False)).expect_ready()


def test_a_bare_host_is_an_obstacle() -> None:
    for there, words in (
        (stored(jail_is_there=False), "/home/sftp: expected the directory of the jail"),
        (stored(groups=()), "group 'sftponly': expected it to exist"),
    ):
        found = plan(there, User("ann", password_hash=HASH))
        assert found.outcome.added == ["ann"] and found.steps == ()
        with pytest.raises(SecureFtpError, match=words):
            found.expect_ready()


def test_homes_that_nobody_can_look_at_stop_who_needs_them() -> None:
    there = stored(homes_problem=Problem("/home/sftp", found="planted"))
    with pytest.raises(SecureFtpError, match="planted"):
        plan(there, User("ann", password_hash=HASH))
    assert not plan(there, User("ann", protocols=("ftps",))).outcome.changed


# --- what else of an account ---------------------------------------------------------------------------------------


def test_a_shell_is_taken_away_and_bin_false_is_fine() -> None:
    accounts = (account("ann", 1001, shell="/bin/bash"), account("bob", 1002, shell="/bin/false"))
    found = plan(stored({"ann": "*", "bob": "*"}, accounts=accounts), User("ann"), User("bob"))
    assert found.outcome.changed_users == {"ann": ["shell"]}
    assert step(found, SetShells) == SetShells({"ann": "/usr/sbin/nologin"})


def test_a_passwd_home_that_its_user_can_write_is_taken_away() -> None:
    ann = account("ann", 1001, home="/home/sftp/ann")
    found = plan(stored({"ann": HASH}, accounts=(ann,), obeying=frozenset(("ann",))), User("ann"))
    assert found.outcome.changed_users == {"ann": ["home in passwd"]}
    assert step(found, NoHome) == NoHome((ann,), frozenset())
    assert kinds(found) == [AssertJail, NoHome]


def test_a_home_that_is_missing_or_another_ones_is_made_right() -> None:
    for home in (Home(None), Home(CLOSED), Home(Entry("a directory", 1001, 997, 0o755))):
        found = plan(stored({"ann": HASH}, homes={"ann": home}), User("ann"))
        assert found.outcome.changed_users == {"ann": ["home"]}
        assert step(found, MakeHomes).owners == {"ann": (1001, 997)}
        assert found.new_directories == (("/home/sftp/ann",) if home.found is None else ())
    for there in ({"ann": HASH}, {}):
        with pytest.raises(SecureFtpError, match="/home/sftp/ann: expected a directory, found a symbolic link"):
            plan(stored(there, homes={"ann": Home(Entry("a symbolic link", 0, 0, 0o777))}), User("ann"))


def test_whose_user_id_another_account_has_too_is_handed_on() -> None:
    there = stored({"ann": HASH, "bob": HASH}, accounts=(account("twin", 1001, 1),))
    ending = step(plan(there, User("ann", locked=True), User("bob", locked=True)), EndSessions)
    assert ending.uids == {"ann": 1001, "bob": 1002} and 1001 in ending.shared and 1002 not in ending.shared


def test_someone_without_any_credential_is_pointed_out() -> None:
    (warning,) = plan(stored(), User("ann")).outcome.warnings
    assert "neither a password nor authorized_keys" in warning


# --- locks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(HASH, ""), (HASH, "20900"), ("*", ""), ("*", "20900")])
def test_a_lock_shuts_password_and_key_and_unlocking_restores_exactly_what_was(before: tuple[str, str]) -> None:
    hash_, day = before
    there = stored({"ann": hash_}, expires={"ann": day})
    locking = plan(there, User("ann", locked=True))
    assert locking.outcome.changed_users == {"ann": ["locked"]}
    assert "ann: present, changed: locked\n" in locking.outcome.diff()["after"]
    assert kinds(locking) == [AssertJail, SetExpiry, SetHashes, EndSessions], "the day first, the mark before the hash"
    locked = after(locking)
    assert locked.accounts.passwords["ann"].startswith("!") and locked.accounts.expires["ann"] == "1"
    for user in (User("ann", locked=True), User("ann")):
        assert not plan(locked, user).outcome.changed
    opening = plan(locked, User("ann", locked=False))
    assert opening.outcome.changed_users == {"ann": ["unlocked"]}
    back = after(opening)
    assert (back.accounts.passwords["ann"], back.accounts.expires["ann"]) == before
    assert not plan(back, User("ann", locked=False)).outcome.changed


def test_a_new_password_does_not_unlock() -> None:
    there = stored({"ann": "!" + HASH}, expires={"ann": "1"})
    assert not plan(there, User("ann", password_hash=HASH)).outcome.changed
    found = plan(there, User("ann", password_hash=OTHER))
    assert step(found, SetHashes).hashes == {"ann": "!" + OTHER} and SetExpiry not in kinds(found)
    both = plan(there, User("ann", password_hash=OTHER, locked=False))
    assert both.outcome.changed_users == {"ann": ["password", "unlocked"]}
    assert step(both, SetHashes).hashes == {"ann": OTHER} and step(both, SetExpiry) == SetExpiry(
        {"ann": ""}, (), ("ann",)
    )


def test_a_new_account_can_be_locked_from_the_start() -> None:
    found = plan(stored(), User("ann", password="secret-1", locked=True), User("bob", locked=True))
    assert step(found, SetHashes).hashes == {"bob": "!*", "ann": "!"}
    assert step(found, SetExpiry).days == {"ann": "1", "bob": "1"}
    assert "ann: present, password, keys: 0, locked\n" in found.outcome.diff()["after"]
    assert not plan(after(found), User("bob")).outcome.changed, "!* is no half-made account here"
    assert after(plan(after(found), User("bob", locked=False))).accounts.passwords["bob"] == "*"


def test_unlocking_who_never_got_a_password_leaves_nothing_to_the_next_run() -> None:
    for pending in ("!", "!*", "!!"):
        there = stored({"ann": pending}, expires={"ann": "1"})
        unlocked = after(plan(there, User("ann", locked=False)))
        assert (unlocked.accounts.passwords["ann"], unlocked.accounts.expires["ann"]) == ("*", ""), pending
        assert not plan(unlocked, User("ann", locked=False)).outcome.changed, pending


def test_the_lock_of_passwd_is_kept_completed_and_undone() -> None:
    there = stored({"ann": "!" + HASH})
    assert not plan(there, User("ann", password_hash=HASH)).outcome.changed
    locking = plan(there, User("ann", locked=True))
    assert locking.outcome.changed_users == {"ann": ["locked"]} and step(locking, SetExpiry).days == {"ann": "1"}
    opening = plan(there, User("ann", locked=False))
    assert opening.outcome.changed_users == {"ann": ["unlocked"]}
    assert step(opening, SetHashes).hashes == {"ann": HASH} and SetExpiry not in kinds(opening)


# --- what it comes to ----------------------------------------------------------------------------------------------

USERS = st.builds(
    User,
    st.sampled_from(["ann", "bob", "cy"]),
    st.booleans(),
    st.just(None),
    st.sampled_from([None, HASH, OTHER]),
    st.sampled_from([("ftps",), ("sftp",), ("ftps", "sftp")]),
    st.sampled_from([None, (), (KEY,), (KEY, KEY + " 2")]),
    st.sampled_from([None, True, False]),
    access=st.sampled_from([None, "read_write", "read_only", "upload_only"]),
    umask=st.just(None),
    ftps_max_rate=st.sampled_from([None, 0, 1000]),
    comment=st.sampled_from([None, "", "Ann, 1"]),
    expires=st.sampled_from([None, "never", "2027-01-31", "2020-01-01"]),
    allowed_sources=st.sampled_from([None, (), ("192.0.2.0/24",), ("192.0.2.1", "2001:db8::/32")]),
    quota=st.sampled_from([None, 0, 1 << 20, 1 << 30]),
    quota_files=st.sampled_from([None, 0, 100]),
)


@given(
    st.dictionaries(st.sampled_from(["ann", "bob", "dan"]), st.sampled_from(["*", "!*", "!", HASH, OTHER, "!" + HASH])),
    st.sampled_from(["", "1", "20900"]),
    st.lists(USERS, unique_by=lambda user: user.name),
    st.booleans(),
)
def test_what_a_plan_leads_to_needs_no_other_plan(
    shadow: dict[str, str], day: str, users: list[User], purge: bool
) -> None:
    there = stored(shadow, expires=dict.fromkeys(shadow, day), keys={name: key_file(KEY) for name in shadow})
    first = plan(there, *users, purge=purge)
    reached = after(first)
    again = plan(reached, *users, purge=purge)
    assert not again.outcome.changed and set(kinds(again)) <= {AssertJail}
    for user in users:
        found = reached.user(user.name)
        assert found.present == (user.present and "sftp" in user.protocols)
        if found.present:
            assert user.password_hash in (None, found.password_hash)
            assert user.authorized_keys in (None, found.authorized_keys)
            assert user.locked in (None, found.locked)
