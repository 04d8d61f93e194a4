# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about FTPS users: what is stored and wished goes in, steps come out; nothing is patched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

import pytest
from conftest import HASH
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import UserdbService
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.plan import (
    AllowBoth,
    AllowHashesOnly,
    EndSessions,
    MakeHomes,
    WriteRecords,
    after,
    make_plan,
    settled,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import Home, Stored, plaintext_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import CloseHomes, Plan, RemoveHome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

OTHER = HASH[:-1] + "i"
GUEST = (107, 115)
ITS_OWN = Entry("a directory", *GUEST, 0o700)
PLAIN_SERVICE = UserdbService("/etc/pam.d/ftp", "/etc/vsftpd/users", hashed=False, plaintext=True)


def at(homes: Homes | None = Homes("/home/vftp/$USER"), service: UserdbService | None = None) -> Server:  # noqa: B008
    return Server("/etc/vsftpd/users.db", service, homes, "ftp")


def stored(
    records: Mapping[str, str] | None = None,
    locked: tuple[str, ...] = (),
    server: Server | None = None,
    homes: Mapping[str, Entry | None] | None = None,
    **more: Any,
) -> Stored:
    """What is stored: ``records`` by name; whoever has one has a directory, unless ``homes`` says otherwise."""
    records = records or {}
    found = {**dict.fromkeys(records, ITS_OWN), **(homes or {})}
    server = server or at()
    raw = {name.encode(): value.encode() for name, value in records.items()}
    more = {"guest": GUEST, **more}
    return Stored(
        server,
        raw,
        {name.encode() for name in locked},
        plaintext_keys(raw, server),
        homes={name: Home(f"/home/vftp/{name}", entry) for name, entry in found.items()},
        **more,
    )


def plan(there: Stored, *users: User, remove_home: bool = False, **rules: Any) -> Plan:
    return make_plan(there, users, Rules(**{"rounds": 1000, **rules}), remove_home)


def written(found: Plan) -> dict[bytes, bytes | None]:
    (step,) = [step for step in found.steps if isinstance(step, WriteRecords)] or [WriteRecords({}, {})]
    return dict(step.changes)


def kinds(found: Plan) -> list[type]:
    return [type(step) for step in found.steps]


def test_a_new_user_gets_a_directory_before_a_record() -> None:
    found = plan(stored(homes={"batman": None}), User("batman", password_hash=HASH))
    assert found.steps == (
        MakeHomes(("/home/vftp/batman",), *GUEST),
        WriteRecords({b"batman": HASH.encode()}, {}),
    )
    outcome = found.outcome
    assert (outcome.added, outcome.homes, outcome.changed_users) == (["batman"], ["/home/vftp/batman"], {})
    assert found.new_directories == ("/home/vftp/batman",) and outcome.changed


def test_what_is_there_already_is_no_step() -> None:
    there = stored({"batman": HASH, "robin": HASH})
    found = plan(there, User("batman", password_hash=HASH), User("robin"))
    assert found.steps == () and not found.outcome.changed and found.outcome.unchanged == ["batman", "robin"]


def test_a_password_is_hashed_only_when_it_is_not_the_stored_one() -> None:
    hashed = passwords.hash_password("geheim geheim", 2000)
    there = stored({"batman": hashed, "robin": hashed})
    users = [User("batman", password="geheim geheim"), User("robin", password="another one")]
    assert settled(there, users, Rules()) == {"batman"}
    found = plan(there, *users)
    assert found.steps[0] == WriteRecords({b"robin": b""}, {b"robin": "another one"})
    assert found.outcome.changed_users == {"robin": ["password"]} and found.outcome.unchanged == ["batman"]
    assert settled(there, users, Rules(update_password="on_create")) == {"batman", "robin"}
    assert not plan(there, *users, update_password="on_create").outcome.changed


def test_a_changed_hash_is_written_and_its_sessions_end() -> None:
    found = plan(stored({"batman": HASH}), User("batman", password_hash=OTHER))
    assert found.steps == (WriteRecords({b"batman": OTHER.encode()}, {}), EndSessions(("batman",)))
    assert found.outcome.whose("password") == ["batman"] and not found.outcome.added
    assert not plan(stored({"batman": HASH}), User("batman", password_hash=OTHER), update_password="on_create").steps


def test_no_password_refuses_a_new_user() -> None:
    with pytest.raises(SecureFtpError, match="'robin'.*expected password or password_hash"):
        plan(stored(), User("joker", password="xxxxxxxxxxxx"), User("robin"))


def test_absent_sftp_only_and_purged_users_go() -> None:
    there = stored(dict.fromkeys(("batman", "robin", "joker", "alfred"), HASH))
    users = (
        User("batman"),
        User("robin", present=False),
        User("joker", protocols=("sftp",)),
        User("nobody1", present=False),
    )
    found = plan(there, *users, purge=True)
    assert found.outcome.removed == ["alfred", "joker", "robin"] and found.outcome.unchanged == ["batman"]
    assert written(found) == {b"alfred": None, b"joker": None, b"robin": None}
    assert kinds(found) == [WriteRecords, EndSessions, CloseHomes] and found.deletions == ()
    assert found.steps[2] == CloseHomes("/home/vftp", ("alfred", "joker", "nobody1", "robin"))
    assert plan(there, *users).outcome.removed == ["joker", "robin"]


def test_directories_are_deleted_last_and_only_when_asked() -> None:
    there = stored({"batman": HASH, "robin": HASH})
    found = plan(there, User("robin", present=False), remove_home=True)
    assert found.deletions == (RemoveHome("/home/vftp", "robin"),)
    assert found.outcome.homes_removed == ["/home/vftp/robin"]
    assert "directory /home/vftp/robin\n" in found.outcome.diff()["before"]
    gone = plan(stored(homes={"robin": ITS_OWN}), User("robin", present=False), remove_home=True)
    assert gone.outcome.changed and gone.deletions, "what an earlier removal left"
    assert not plan(stored(homes={"robin": None}), User("robin", present=False), remove_home=True).outcome.changed


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (stored({"robin": HASH}, mounts=["/", "/home/vftp/robin/data"]), "no file system mounted .*robin/data"),
        (stored({"robin": HASH}, homes={"robin": Entry("a symbolic link", 0, 0, 0o777)}), "found a symbolic link"),
    ],
)
def test_what_must_not_be_deleted_refuses_everything(there: Stored, words: str) -> None:
    with pytest.raises(SecureFtpError, match=words):
        plan(there, User("robin", present=False), remove_home=True)
    assert plan(there, User("robin", present=False)).outcome.removed == ["robin"]


def test_a_link_in_the_place_of_a_directory_is_refused() -> None:
    there = stored(homes={"batman": Entry("a symbolic link", *GUEST, 0o700)})
    with pytest.raises(SecureFtpError, match="/home/vftp/batman: expected a directory, found a symbolic link"):
        plan(there, User("batman", password_hash=HASH))
    assert plan(there, User("batman", password_hash=HASH), create_home=False).outcome.homes == []


def test_a_directory_of_the_owner_is_kept_with_its_mode() -> None:
    odd = {"batman": Entry("a directory", GUEST[0], 33, 0o775)}
    assert not plan(stored({"batman": HASH}, homes=odd), User("batman")).outcome.changed
    others = {"batman": Entry("a directory", 0, 0, 0o700)}
    found = plan(stored({"batman": HASH}, homes=others), User("batman"))
    assert found.outcome.changed_users == {"batman": ["home"]} and kinds(found) == [MakeHomes]
    assert set(found.outcome.changed_users) == {"batman"} and found.new_directories == ()
    given_by_hand = Home("/srv/batman", None, own=True)
    there = Stored(at(), {b"batman": HASH.encode()}, guest=GUEST, homes={"batman": given_by_hand})
    assert not plan(there, User("batman")).outcome.changed
    assert plan(there, User("batman", present=False), remove_home=True).deletions == ()


def test_a_missing_guest_user_is_an_obstacle_and_check_mode_says_what_would_be_done() -> None:
    found = plan(stored(homes={"batman": None}, guest=None), User("batman", password_hash=HASH))
    assert found.outcome.added == ["batman"] and found.outcome.homes == ["/home/vftp/batman"]
    with pytest.raises(SecureFtpError, match="guest_username.*'ftp'"):
        found.expect_ready()


def test_homes_inside_a_directory_of_the_user_are_not_deleted() -> None:
    inside = at(Homes("/home/$USER/ftp"))
    with pytest.raises(SecureFtpError, match="by hand"):
        plan(stored({"batman": HASH}, server=inside), User("batman", present=False), remove_home=True)


def test_the_diff_names_users_but_no_secret() -> None:
    there = stored({"batman": HASH, "robin": HASH})
    found = plan(there, User("batman", password="new-secret-1"), User("robin", present=False))
    diff = found.outcome.diff()
    assert (diff["before"], diff["after"]) == ("batman\nrobin\n", "batman (password changed)\n")
    assert "secret" not in repr(found.outcome) and HASH not in repr(found.outcome)


@pytest.mark.parametrize("misread", [True, False])
def test_given_hashes_that_old_pam_cannot_verify_are_warned_about(misread: bool) -> None:
    there = stored(homes={"batman": ITS_OWN}, misreads_hashes=misread)
    warnings = plan(there, User("batman", password_hash=HASH.replace("50000", "656000"))).outcome.warnings
    assert len(warnings) == misread
    assert all("batman" in one and "1.5.2" in one and HASH[-20:] not in one for one in warnings)


def test_unsafe_rounds_are_refused() -> None:
    with pytest.raises(SecureFtpError, match="rounds"):
        plan(stored(), User("batman", password="xxxxxxxxxxxx"), rounds=656000)


# --- plaintext -----------------------------------------------------------------------------------------------------


def test_hashes_are_not_written_where_plaintext_is_compared() -> None:
    there = stored({"batman": "old old old old", "robin": "bird"}, server=at(service=PLAIN_SERVICE))
    for user in (
        User("joker", password="xxxxxxxxxxxx"),
        User("batman", password_hash=HASH),
        User("batman", locked=True),
    ):
        with pytest.raises(SecureFtpError, match="hash_plaintext: true"):
            plan(there, user)
    assert not plan(there, User("batman", password="old old old old")).outcome.changed
    assert plan(there, User("robin", present=False)).outcome.removed == ["robin"]


def test_a_plaintext_database_is_hashed_between_the_two_steps_of_pam() -> None:
    records = {"batman": "bat pass bat pass", "robin": "thirteenchars", "joker": "ha", "ok": HASH, "gone": "x"}
    there = stored(records, server=at(None, PLAIN_SERVICE))
    users = (
        User("batman", password="bat pass bat pass"),
        User("joker", password="haha haha haha haha"),
        User("new", password="nnnnnnnnnnnn"),
        User("gone", present=False),
    )
    found = plan(there, *users, hash_plaintext=True)
    assert kinds(found) == [AllowBoth, WriteRecords, AllowHashesOnly, EndSessions] and found.outcome.pam_changed
    assert found.outcome.whose("hashed") == ["batman", "robin"] and found.outcome.whose("password") == ["joker"]
    assert (found.outcome.added, found.outcome.removed) == (["new"], ["gone"])
    (write,) = [step for step in found.steps if isinstance(step, WriteRecords)]
    assert write.to_hash == {
        b"batman": "bat pass bat pass",
        b"robin": "thirteenchars",
        b"joker": "haha haha haha haha",
        b"new": "nnnnnnnnnnnn",
    }
    assert found.outcome.diff()["after"].startswith("batman (hashed)\njoker (password changed)\nnew\nrobin (hashed)\n")


def test_the_service_is_switched_even_when_no_record_changes() -> None:
    found = plan(stored({"batman": HASH}, server=at(None, PLAIN_SERVICE)), hash_plaintext=True)
    assert found.steps == (AllowBoth(False), AllowHashesOnly()) and found.outcome.changed


def test_plaintext_beside_hashes_is_warned_about() -> None:
    (warning,) = plan(stored({"batman": "one"}), User("batman")).outcome.warnings
    assert "batman" in warning and "hash_plaintext" in warning


# --- locks ---------------------------------------------------------------------------------------------------------


def test_a_locked_user_keeps_the_hash_behind_a_mark() -> None:
    found = plan(stored({"batman": HASH, "robin": HASH}), User("batman", locked=True))
    assert written(found) == {b"batman": b"!" + HASH.encode()} and EndSessions(("batman",)) in found.steps
    assert found.outcome.changed_users == {"batman": ["locked"]}
    assert "batman (locked)" in found.outcome.diff()["after"]
    there = stored({"batman": HASH}, locked=("batman",))
    for user in (User("batman", locked=True), User("batman")):
        assert not plan(there, user).outcome.changed
    back = plan(there, User("batman", locked=False))
    assert written(back) == {b"batman": HASH.encode()} and back.outcome.changed_users == {"batman": ["unlocked"]}
    assert kinds(back) == [WriteRecords], "nobody is logged in who could be ended"
    assert not plan(stored({"batman": HASH}), User("batman", locked=False)).outcome.changed


def test_a_new_password_or_hash_does_not_unlock() -> None:
    there = stored({"batman": HASH, "robin": HASH}, locked=("batman", "robin"))
    found = plan(there, User("batman", password="new new new new"), User("robin", password_hash=OTHER))
    assert written(found) == {b"batman": b"!", b"robin": b"!" + OTHER.encode()}
    assert found.outcome.whose("password") == ["batman", "robin"]
    assert written(plan(there, User("robin", password_hash=OTHER, locked=False))) == {b"robin": OTHER.encode()}


def test_a_plaintext_password_is_hashed_when_it_is_locked() -> None:
    found = plan(stored({"batman": "bat!", "robin": "cave!"}), User("batman", locked=True))
    assert written(found) == {b"batman": b"!"} and found.steps[0].to_hash == {b"batman": "bat!"}  # type: ignore[attr-defined]


# --- what it comes to ----------------------------------------------------------------------------------------------

USERS = st.builds(
    User,
    st.sampled_from(["batman", "robin", "joker"]),
    st.booleans(),
    st.just(None),
    st.sampled_from([HASH, OTHER]),
    st.sampled_from([("ftps",), ("sftp",), ("ftps", "sftp")]),
    st.just(None),
    st.sampled_from([None, True, False]),
    access=st.sampled_from([None, "read_write", "read_only", "upload_only"]),
    umask=st.just(None),
    ftps_max_rate=st.sampled_from([None, 0, 1000]),
    comment=st.sampled_from([None, "", "Ann, 1"]),
    expires=st.sampled_from([None, "never", "2027-01-31", "2020-01-01"]),
)


@given(
    st.dictionaries(st.sampled_from(["batman", "robin", "alfred"]), st.sampled_from([HASH, OTHER])),
    st.lists(USERS, unique_by=lambda user: user.name),
    st.booleans(),
    st.booleans(),
)
def test_what_a_plan_leads_to_needs_no_other_plan(
    records: dict[str, str], users: list[User], purge: bool, locked: bool
) -> None:
    homes = {user.name: None for user in users}
    conf = {"write_enable": "YES", "virtual_use_local_privs": "YES", "user_config_dir": "/etc/vsftpd/users.d"}
    there = stored(records, tuple(records) if locked else (), replace(at(), options=conf), homes)
    first = plan(there, *users, purge=purge)
    reached = after(first)
    again = plan(reached, *users, purge=purge)
    assert not again.outcome.changed and written(again) == {}
    for user in users:
        found = reached.user(user.name)
        assert found.present == (user.present and "ftps" in user.protocols)
        if found.present:
            kept = locked and user.name in records
            assert found.password_hash == user.password_hash
            assert found.locked == (kept if user.locked is None else user.locked)
    assert first.outcome.changed == (reached != there)
