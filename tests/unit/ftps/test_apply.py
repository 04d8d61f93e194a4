# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS users as they should be: plans that are run on a real database, real directories and a real PAM file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import HASH, dump, load, written

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import apply as steps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import UserdbService, allow_both, find_userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import describe
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list

ROUNDS = 1000


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SETTLE", 0)


@pytest.fixture
def server(db: Path, tmp_path: Path) -> Server:
    tmp_path.chmod(0o755)
    return Server(str(db), None, Homes(str(tmp_path / "homes" / "$USER")), "nobody")


def reconcile(
    server: Server, *entries: dict[str, Any], check_mode: bool = False, remove_home: bool = False, **rules: Any
) -> Outcome:
    backend = Ftps(server, Rules(**{"rounds": ROUNDS, **rules}))
    users = users_from_list(entries)
    plan = backend.plan(backend.stored([one.name for one in users], remove_home), users, remove_home)
    if not check_mode:
        plan = backend.apply(plan)
        plan.outcome.homes_removed = backend.delete(plan)
    return plan.outcome


def with_service(server: Server, text: str) -> Server:
    directory = Path(server.database).parent
    (directory / "ftp-pam").write_text(text.replace("DB", server.database[:-3]))
    service = find_userdb("ftp-pam", str(directory))
    assert isinstance(service, UserdbService)
    return Server(server.database, service, server.homes, server.guest)


PLAIN = "auth required pam_userdb.so db=DB\naccount required pam_userdb.so db=DB\n"


def test_a_new_user_gets_record_and_directory(server: Server, tmp_path: Path) -> None:
    outcome = reconcile(server, {"name": "batman", "password": "geheim geheim"})
    assert outcome.added == ["batman"] and outcome.homes == [str(tmp_path / "homes" / "batman")]
    assert passwords.verify("geheim geheim", dump(Path(server.database))["batman"])
    found = (tmp_path / "homes" / "batman").stat()
    assert found.st_mode & 0o7777 == 0o700 and found.st_uid == 65534
    assert (tmp_path / "homes").stat().st_mode & 0o7777 == 0o555


def test_again_changes_nothing(server: Server) -> None:
    users = [{"name": "batman", "password": "geheim geheim"}, {"name": "robin", "password_hash": HASH}]
    reconcile(server, *users)
    before = written(server.database)
    outcome = reconcile(server, *users)
    assert not outcome.changed and outcome.unchanged == ["batman", "robin"]
    assert written(server.database) == before


def test_a_stored_hash_of_another_scheme_is_kept_when_it_verifies(server: Server) -> None:
    stored = passwords.hash_password("geheim geheim", 2000)
    load(Path(server.database), {"batman": stored})
    assert not reconcile(server, {"name": "batman", "password": "geheim geheim"}, create_home=False).changed
    assert dump(Path(server.database)) == {"batman": stored}


def test_a_changed_password_or_hash_is_written(server: Server) -> None:
    reconcile(server, {"name": "batman", "password": "old old old old"}, {"name": "robin", "password_hash": HASH})
    outcome = reconcile(
        server, {"name": "batman", "password": "new new new new"}, {"name": "robin", "password_hash": HASH[:-1] + "i"}
    )
    assert outcome.whose("password") == ["batman", "robin"] and not outcome.added
    stored = dump(Path(server.database))
    assert passwords.verify("new new new new", stored["batman"]) and stored["robin"] == HASH[:-1] + "i"


def test_on_create_leaves_existing_passwords(server: Server) -> None:
    reconcile(server, {"name": "batman", "password": "old old old old"})
    users = [{"name": "batman", "password": "new new new new"}, {"name": "robin", "password": "new new new new"}]
    outcome = reconcile(server, *users, update_password="on_create")
    assert (outcome.added, outcome.whose("password"), outcome.unchanged) == (["robin"], [], ["batman"])
    assert passwords.verify("old old old old", dump(Path(server.database))["batman"])


def test_no_password_leaves_an_existing_user_and_refuses_a_new_one(server: Server) -> None:
    reconcile(server, {"name": "batman", "password": "old old old old"})
    assert not reconcile(server, {"name": "batman"}).changed
    with pytest.raises(SecureFtpError, match="'robin'.*expected password or password_hash"):
        reconcile(server, {"name": "joker", "password": "xxxxxxxxxxxx"}, {"name": "robin"})
    assert list(dump(Path(server.database))) == ["batman"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_absent_sftp_only_and_purged_users_go(server: Server, check_mode: bool, tmp_path: Path) -> None:
    names = ("batman", "robin", "joker", "alfred")
    reconcile(server, *({"name": name, "password_hash": HASH} for name in names))
    outcome = reconcile(
        server,
        {"name": "batman"},
        {"name": "robin", "state": "absent"},
        {"name": "joker", "protocols": ["sftp"]},
        {"name": "nobody1", "state": "absent"},
        purge=True,
        check_mode=check_mode,
    )
    assert outcome.removed == ["alfred", "joker", "robin"] and outcome.unchanged == ["batman"]
    assert sorted(dump(Path(server.database))) == (sorted(names) if check_mode else ["batman"])
    assert (tmp_path / "homes" / "robin").is_dir(), "directories are kept unless asked"


def test_without_purge_strangers_stay(server: Server) -> None:
    reconcile(server, {"name": "batman", "password_hash": HASH})
    reconcile(server, {"name": "robin", "password_hash": HASH})
    assert sorted(dump(Path(server.database))) == ["batman", "robin"]


def test_directories_of_removed_users_go_when_asked(server: Server, tmp_path: Path) -> None:
    reconcile(server, {"name": "batman", "password_hash": HASH}, {"name": "robin", "password_hash": HASH})
    (tmp_path / "homes" / "robin" / "file").write_text("x")
    outcome = reconcile(server, {"name": "robin", "state": "absent"}, remove_home=True)
    assert outcome.homes_removed == [str(tmp_path / "homes" / "robin")]
    assert os.listdir(tmp_path / "homes") == ["batman"]


def test_whoever_is_locked_removed_or_given_another_password_is_ended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[list[str]] = []
    monkeypatch.setattr(steps, "end_ftps_sessions", lambda homes: ended.append(homes) or ["one is still there"])
    users = [{"name": name, "password_hash": HASH} for name in ("ann", "bob", "cid", "dan")]
    assert reconcile(server, *users).warnings == [] == ended
    changes = [
        {"name": "ann", "password": "another one 2"},
        {"name": "bob", "locked": True},
        {"name": "cid", "state": "absent"},
        {"name": "dan", "locked": False},
    ]
    assert reconcile(server, *changes, check_mode=True).changed and ended == []
    assert reconcile(server, *changes).warnings == ["one is still there"]
    assert ended == [[str(tmp_path / "homes" / name) for name in ("ann", "bob", "cid")]]


def test_the_directory_of_who_goes_is_closed(server: Server, tmp_path: Path) -> None:
    reconcile(server, *({"name": name, "password_hash": HASH} for name in ("ann", "bob")))
    reconcile(server, {"name": "ann", "state": "absent"})
    assert [(tmp_path / "homes" / name).stat().st_uid for name in ("ann", "bob")] == [0, 65534]


def test_a_directory_that_stays_does_not_hide_that_its_user_is_gone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile(server, *({"name": name, "password_hash": HASH} for name in ("ann", "bob")))

    def remove(root: str, name: str, check_mode: bool = False) -> bool:
        if name == "bob" and not check_mode:
            raise SecureFtpError("bob", found="cannot remove it: Input/output error")
        return True

    monkeypatch.setattr(steps, "remove_home", remove)
    gone = [{"name": name, "state": "absent"} for name in ("ann", "bob")]
    with pytest.raises(SecureFtpError, match="output error; done already: removed ann, bob; deleted .*/ann$") as caught:
        reconcile(server, *gone, remove_home=True)
    assert caught.value.state and dump(Path(server.database)) == {}
    with pytest.raises(SecureFtpError) as caught:
        reconcile(server, gone[1], remove_home=True)  # nothing was done this time
    assert not caught.value.state and "done already" not in str(caught.value)


def test_check_mode_on_a_bare_host_predicts_additions(tmp_path: Path) -> None:
    homes = Homes(str(tmp_path / "none" / "homes" / "$USER"))
    bare = Server(str(tmp_path / "none" / "users.db"), None, homes, "no-such-user")
    outcome = reconcile(bare, {"name": "batman", "password": "xxxxxxxxxxxx"}, check_mode=True)
    assert outcome.added == ["batman"] and outcome.homes == [str(tmp_path / "none" / "homes" / "batman")]
    assert os.listdir(tmp_path) == []


def test_a_missing_guest_user_is_an_error_before_anything_is_written(server: Server) -> None:
    bare = Server(server.database, None, server.homes, "no-such-user")
    with pytest.raises(SecureFtpError, match="guest_username.*'no-such-user'"):
        reconcile(bare, {"name": "batman", "password": "xxxxxxxxxxxx"})
    assert not os.path.exists(server.database)


def test_homes_inside_a_directory_of_the_user(server: Server, tmp_path: Path) -> None:
    inside = Server(server.database, None, Homes(str(tmp_path / "$USER" / "ftp")), "nobody")
    assert reconcile(inside, {"name": "batman", "password_hash": HASH}).homes == [str(tmp_path / "batman" / "ftp")]
    with pytest.raises(SecureFtpError, match="by hand"):
        reconcile(inside, {"name": "batman", "state": "absent"}, remove_home=True)


def test_the_diff_names_people_but_no_secret(server: Server) -> None:
    reconcile(server, {"name": "batman", "password": "old-secret-1"}, {"name": "robin", "password_hash": HASH})
    outcome = reconcile(
        server, {"name": "batman", "password": "new-secret-1"}, {"name": "robin", "state": "absent"}, check_mode=True
    )
    diff = outcome.diff()
    assert (diff["before"], diff["after"]) == ("batman\nrobin\n", "batman (password changed)\n")


@pytest.mark.parametrize(
    ("release", "warned"), [(("ubuntu", "22.04"), True), (("ubuntu", "20.04"), False), (("debian", "12"), False)]
)
def test_hashes_are_not_warned_about_where_they_log_in(
    server: Server, monkeypatch: pytest.MonkeyPatch, release: tuple[str, str], warned: bool
) -> None:
    monkeypatch.setattr(releases, "here", lambda: releases.find(*release))
    outcome = reconcile(server, {"name": "batman", "password_hash": HASH.replace("50000", "656000")})
    assert len(outcome.warnings) == warned


def test_given_hashes_that_old_pam_cannot_verify_are_warned_about(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "here", lambda: None)  # an unknown release may
    outcome = reconcile(server, {"name": "batman", "password_hash": HASH.replace("50000", "656000")})
    assert "batman" in outcome.warnings[0] and "1.5.2" in outcome.warnings[0] and HASH[-20:] not in outcome.warnings[0]


def test_unsafe_rounds_are_refused(server: Server) -> None:
    with pytest.raises(SecureFtpError, match="rounds"):
        reconcile(server, {"name": "batman", "password": "xxxxxxxxxxxx"}, rounds=656000)


# Plaintext databases


def test_hashes_are_not_written_where_plaintext_is_compared(server: Server) -> None:
    load(Path(server.database), {"batman": "old old old old", "robin": "bird"})
    plain = with_service(server, PLAIN)
    for entry in ({"name": "joker", "password": "xxxxxxxxxxxx"}, {"name": "batman", "password_hash": HASH}):
        with pytest.raises(SecureFtpError, match="hash_plaintext: true"):
            reconcile(plain, entry)
    assert dump(Path(server.database)) == {"batman": "old old old old", "robin": "bird"}
    assert not reconcile(plain, {"name": "batman", "password": "old old old old"}).whose("password")
    assert reconcile(plain, {"name": "robin", "state": "absent"}).removed == ["robin"]


def test_a_plaintext_database_is_hashed_in_one_run(server: Server) -> None:
    load(
        Path(server.database),
        {"batman": "bat pass bat pass", "robin": "thirteenchars", "joker": "ha", "ok": HASH, "gone": "x"},
    )
    plain = with_service(server, PLAIN)
    users = [
        {"name": "batman", "password": "bat pass bat pass"},
        {"name": "joker", "password": "haha haha haha haha"},
        {"name": "new", "password": "nnnnnnnnnnnn"},
        {"name": "gone", "state": "absent"},
    ]
    predicted = reconcile(plain, *users, hash_plaintext=True, check_mode=True)
    assert dump(Path(server.database))["joker"] == "ha" and predicted.pam_changed
    outcome = reconcile(plain, *users, hash_plaintext=True)
    assert outcome.whose("hashed") == predicted.whose("hashed") == ["batman", "robin"]
    assert (outcome.added, outcome.whose("password"), outcome.removed) == (["new"], ["joker"], ["gone"])
    stored = dump(Path(server.database))
    expected = {
        "batman": "bat pass bat pass",
        "robin": "thirteenchars",
        "joker": "haha haha haha haha",
        "new": "nnnnnnnnnnnn",
    }
    assert all(passwords.verify(password, stored[name]) for name, password in expected.items())
    assert stored["ok"] == HASH and len(stored) == 5
    after = find_userdb("ftp-pam", os.path.dirname(server.database))
    assert after is not None and after.hashed and not after.plaintext
    again = reconcile(with_service(server, Path(after.path).read_text()), *users, hash_plaintext=True)
    assert not again.changed


def test_log_ins_work_at_every_step_of_the_switch(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each password must be accepted by the PAM file and the database as they are after every write."""
    users = {"batman": "one", "robin": "two"}
    load(Path(server.database), users)
    plain = with_service(server, PLAIN)
    rename, steps = os.rename, []

    def check() -> None:
        service = find_userdb("ftp-pam", os.path.dirname(server.database))
        assert service is not None
        stored = dump(Path(server.database))
        for name, password in users.items():
            hashed = service.hashed and passwords.verify(password, stored[name])
            assert hashed or (service.plaintext and stored[name] == password), f"{name} is locked out"
        steps.append((service.hashed, service.plaintext))

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        if not new.endswith("~"):  # the copy of the PAM file
            check()

    monkeypatch.setattr(os, "rename", renamed)
    reconcile(plain, hash_plaintext=True, create_home=False)
    assert steps == [(True, True), (True, True), (True, False)]


def test_a_failed_write_puts_the_pam_file_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    load(Path(server.database), {"batman": "one"})
    plain = with_service(server, PLAIN)
    assert plain.service is not None
    before = Path(plain.service.path).read_text()
    real = steps.update

    def fail(*arguments: Any, check_mode: bool = False, **options: Any) -> Any:
        if check_mode:
            return real(*arguments, check_mode=True, **options)
        raise SecureFtpError("", found="disk full")

    monkeypatch.setattr(steps, "update", fail)
    with pytest.raises(SecureFtpError, match="disk full"):
        reconcile(plain, hash_plaintext=True)
    assert Path(plain.service.path).read_text() == before
    assert dump(Path(server.database)) == {"batman": "one"}


def test_a_run_that_was_killed_between_is_finished(server: Server) -> None:
    load(Path(server.database), {"batman": HASH})
    marked = with_service(server, PLAIN)
    assert marked.service is not None
    allow_both(marked.service)
    between = find_userdb("ftp-pam", os.path.dirname(server.database))
    outcome = reconcile(Server(server.database, between, None, "nobody"), hash_plaintext=True)
    assert outcome.pam_changed
    after = find_userdb("ftp-pam", os.path.dirname(server.database))
    assert after is not None and not after.plaintext


def test_plaintext_beside_hashes_is_warned_about(server: Server) -> None:
    load(Path(server.database), {"batman": "one"})
    outcome = reconcile(server, {"name": "batman"}, create_home=False)
    assert "batman" in outcome.warnings[0] and "hash_plaintext" in outcome.warnings[0]


# Who exists


def test_who_exists_is_described_without_secrets(server: Server, tmp_path: Path) -> None:
    load(Path(server.database), {"robin": "secret-word", "batman": HASH, "des": "abcdefghijklm"})
    found = describe(server)
    assert [(user["name"], user["scheme"]) for user in found["users"]] == [
        ("batman", "sha512_crypt"),
        ("des", "plaintext"),
        ("robin", "plaintext"),
    ]
    assert found["plaintext"] == ["des", "robin"] and found["exists"]
    assert found["users"][0]["home"] == str(tmp_path / "homes" / "batman")
    assert "secret-word" not in repr(found) and HASH not in repr(found)
    assert [user["name"] for user in describe(server, "batman")["users"]] == ["batman"]


def test_a_missing_database_has_nobody(server: Server) -> None:
    found = describe(server)
    assert (found["users"], found["exists"], found["pam_crypt"]) == ([], False, None)


def test_a_des_hash_among_hashes_is_one(server: Server) -> None:
    load(Path(server.database), {"old": "abRy4/6THFs9U", "batman": HASH})
    assert describe(server)["plaintext"] == []


# --- locks ---------------------------------------------------------------------------------------------------------


def test_a_locked_user_keeps_the_hash_behind_a_mark(server: Server) -> None:
    reconcile(server, {"name": "batman", "password": "geheim geheim"}, {"name": "robin", "password_hash": HASH})
    before = dump(Path(server.database))
    outcome = reconcile(server, {"name": "batman", "locked": True})
    assert outcome.whose("locked") == ["batman"] and not outcome.whose("password") and outcome.changed
    assert "batman (locked)" in outcome.diff()["after"]
    assert dump(Path(server.database)) == {**before, "batman": "!" + before["batman"]}
    assert not passwords.verify("geheim geheim", dump(Path(server.database))["batman"])
    found = describe(server)["users"][0]
    assert (found["name"], found["scheme"], found["locked"]) == ("batman", "sha512_crypt", True)
    assert describe(server)["plaintext"] == []
    for entry in ({"locked": True}, {}, {"password": "geheim geheim"}):
        assert not reconcile(server, {"name": "batman", **entry}).changed
    assert reconcile(server, {"name": "batman", "locked": False}).whose("unlocked") == ["batman"]
    assert dump(Path(server.database)) == before
    assert not reconcile(server, {"name": "batman", "locked": False}).changed


def test_a_new_password_or_hash_does_not_unlock(server: Server) -> None:
    reconcile(
        server,
        {"name": "batman", "password": "old old old old", "locked": True},
        {"name": "robin", "password_hash": HASH},
    )
    reconcile(server, {"name": "robin", "locked": True})
    outcome = reconcile(
        server, {"name": "batman", "password": "new new new new"}, {"name": "robin", "password_hash": HASH[:-1] + "i"}
    )
    assert outcome.whose("password") == ["batman", "robin"]
    stored = dump(Path(server.database))
    assert passwords.verify("new new new new", stored["batman"][1:]) and stored["batman"][0] == "!"
    assert stored["robin"] == "!" + HASH[:-1] + "i"
    reconcile(server, {"name": "batman", "password": "third third third third", "locked": False})
    assert passwords.verify("third third third third", dump(Path(server.database))["batman"])


def test_a_plaintext_password_is_hashed_when_it_is_locked(server: Server) -> None:
    load(Path(server.database), {"batman": "bat!", "robin": "cave!"})
    with pytest.raises(SecureFtpError, match="compares plaintext"):
        reconcile(with_service(server, PLAIN), {"name": "batman", "locked": True})
    reconcile(with_service(server, PLAIN), {"name": "batman", "locked": True}, hash_plaintext=True)
    stored = dump(Path(server.database))
    assert passwords.verify("bat!", stored["batman"][1:]) and passwords.verify("cave!", stored["robin"])
    reconcile(with_service(server, PLAIN), hash_plaintext=True)
    assert dump(Path(server.database)) == stored, "a locked hash is no plaintext password"


def test_locked_is_true_or_false(server: Server) -> None:
    with pytest.raises(SecureFtpError, match="'batman': locked: expected true or false, found 'maybe'"):
        reconcile(server, {"name": "batman", "password": "xxxxxxxxxxxx", "locked": "maybe"})
