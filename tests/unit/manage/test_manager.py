# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of both protocols: a change is whole, undone or finished later. FTPS is a real database, SFTP is in memory."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Sequence

import pytest
from conftest import HASH, dump, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    Busy,
    InvalidInput,
    NoSuchUser,
    NotDurable,
    NotPermitted,
    SecureFtpError,
    UserExists,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import heard_by
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._host import files
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import accounts_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import (
    audit,
    by_module,
    journal,
    repair,
    transaction,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import manager as manage
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.schema import VERBS
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome, Plan, Step
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu83 one"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu8 two"


class Killed(BaseException):
    """Stands for SIGKILL."""


@dataclass(frozen=True)
class Put(Step):
    """The whole of a user."""

    user: User


@dataclass(frozen=True)
class Drop(Step):
    name: str


@dataclass(frozen=True)
class SftpStored:
    users: Mapping[str, User]
    jail: Path

    def has(self, name: str) -> bool:
        return name in self.users

    def user(self, name: str) -> User:
        return self.users.get(name, User(name, present=False))

    def described(self, name: str) -> dict[str, Any] | None:
        user = self.users.get(name)
        return user and {
            "name": user.name,
            "scheme": None if user.password_hash == "*" else "sha512_crypt",
            "locked": user.locked,
            "home": str(self.jail / user.name),
            "access": user.access or "read_write",
            "umask": user.umask or "default",
            "keys": len(user.authorized_keys or ()),
            "expires": None,
        }

    def of_account(self, name: str) -> dict[str, Any]:
        user = self.users.get(name)
        said = {"comment": "", "expires": "never", "allowed_sources": ()}
        return {key: getattr(user, key) or nothing for key, nothing in said.items()} if user else {}

    def gives_account(self, user: User) -> bool:
        return uses(user, "sftp")


class Sftp:
    """The SFTP half in memory, as the real one would leave it."""

    protocol, whole, rounds = "sftp", False, 1000
    has_accounts = purge = False

    def __init__(self, jail: Path) -> None:
        self.users: dict[str, User] = {}
        self.jail = jail
        self.ended: list[str] = []

    def stored(self, names: Sequence[str], remove_home: bool = False) -> SftpStored:
        return SftpStored(dict(self.users), self.jail)

    def is_current(self, stored: SftpStored) -> bool:
        return stored.users == self.users

    def settled(self, stored: SftpStored, users: Sequence[User]) -> set[str]:
        there = [user for user in users if user.name in stored.users]
        pairs = [(user.password or "", stored.users[user.name].password_hash or "") for user in there]
        return {user.name for user, fits in zip(there, passwords.verify_many(pairs)) if fits}

    def plan(self, stored: SftpStored, users: Sequence[User], remove_home: bool = False) -> Plan:
        outcome, new = Outcome(), []
        steps: list[Step] = []
        for user in users:
            found = stored.users.get(user.name)
            if not uses(user, "sftp"):
                if found:
                    outcome.removed.append(user.name)
                    steps.append(Drop(user.name))
                continue
            wanted = found or User(user.name, password_hash="*", authorized_keys=(), locked=False)
            for what in ("password_hash", "authorized_keys", "locked", "comment", "expires", "allowed_sources"):
                if getattr(user, what) is not None:
                    wanted = wanted._replace(**{what: getattr(user, what)})
            if wanted != found:
                if found:
                    outcome.changed_users[user.name] = ["something"]
                else:
                    outcome.added.append(user.name)
                    new.append(str(self.jail / user.name))
                steps.append(Put(wanted))
        return Plan(users, stored, tuple(steps), (), outcome, tuple(new))

    def after(self, plan: Plan) -> SftpStored:
        users = dict(plan.stored.users)
        for step in plan.steps:
            if isinstance(step, Put):
                users[step.user.name] = step.user
            elif isinstance(step, Drop):
                del users[step.name]
        return SftpStored(users, self.jail)

    def expect_ready(self, plan: Plan) -> None:
        plan.expect_ready()

    def apply(self, plan: Plan) -> Plan:
        for name in plan.outcome.added:
            (self.jail / name).mkdir(exist_ok=True)
        self.users = dict(self.after(plan).users)
        return plan

    def delete(self, plan: Plan) -> list[str]:
        return []

    def restore(self, before: Mapping[str, User]) -> None:
        self.apply(self.plan(self.stored([]), list(before.values())))

    def directory(self, name: str) -> str | None:
        return str(self.jail / name)

    def end_sessions(self, names: Sequence[str]) -> list[str]:
        self.ended += names
        return []

    def place(self) -> dict[str, Any]:
        return {"rules": {"group": "sftponly"}}

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        stored = self.stored([])
        return [found for found in map(stored.described, self.users) if found and name in (None, found["name"])]

    def of_accounts(self, name: str | None = None) -> dict[str, dict[str, Any]]:
        return {user: self.stored([]).of_account(user) for user in self.users if name in (None, user)}


class Host:
    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tmp_path.chmod(0o755)
        self.db, self.journal, self.jail = (
            tmp_path / "users.db",
            tmp_path / "var" / "unfinished.json",
            tmp_path / "jail",
        )
        self.homes = tmp_path / "homes"
        self.jail.mkdir()
        self.sftp = Sftp(self.jail)
        server = Server(str(self.db), None, Homes(str(self.homes / "$USER")), "nobody")
        self.ftps = Ftps(server, Rules(rounds=1000), {"db": str(self.db)})
        self.backends: dict[str, Any] = {"sftp": self.sftp, "ftps": self.ftps}
        monkeypatch.setattr(transaction, "LOCK_FILE", str(tmp_path / "lock"))
        monkeypatch.setattr(journal, "PATH", str(self.journal))
        for module in (manage, by_module, repair):
            monkeypatch.setattr(module, "reopen", lambda protocol, place: self.backends.get(protocol))

    @property
    def manager(self) -> manage.Manager:
        return manage.Manager(1000, str(self.journal), backends=list(self.backends.values()))

    def state(self) -> tuple[Any, ...]:
        return dump(self.db) if self.db.exists() else {}, dict(self.sftp.users)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    if os.geteuid() != 0:
        pytest.skip("changes need root")
    return Host(tmp_path, monkeypatch)


@contextlib.contextmanager
def ftps_breaks(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Any:
    """Let the FTPS half fail once it is really begun."""

    def broken(self: Ftps, plan: Plan) -> Plan:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Ftps, "apply", broken)
        yield


@contextlib.contextmanager
def killed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """End a change between its halves as SIGKILL does: nothing is undone and the journal stays."""
    with monkeypatch.context() as patch, ftps_breaks(monkeypatch, Killed()), contextlib.suppress(Killed):
        patch.setattr(journal, "remove", lambda path: None)
        patch.setattr(transaction.Transaction, "_undo", lambda *arguments: None)
        yield


def test_a_user_has_one_hash_for_both_protocols(host: Host) -> None:
    answer = host.manager.add("batman", password="geheim geheim", authorized_keys=[KEY])
    assert answer["changed"] and answer["user"] == host.manager.show("batman")
    stored = dump(host.db)["batman"]
    assert passwords.verify("geheim geheim", stored) and host.sftp.users["batman"].password_hash == stored
    assert answer["user"]["protocols"] == ["ftps", "sftp"] and answer["user"]["sftp"]["keys"] == 1
    assert not host.manager.edit("batman", password="geheim geheim")["changed"]
    assert dump(host.db)["batman"] == stored


def test_who_is_there_is_not_added_and_who_is_not_is_not_changed(host: Host) -> None:
    host.manager.add("batman", password="xxxxxxxxxxxx", protocols=["ftps"])
    with pytest.raises(UserExists, match=r"'batman': exists already \(ftps\)"):
        host.manager.add("batman", password="xxxxxxxxxxxx")
    before = host.state()
    with pytest.raises(UserExists, match="has ftps already, and the new password would replace the present one"):
        host.manager.add("batman", protocols=["sftp"], password="another-long-one")
    with pytest.raises(UserExists, match="edit batman --protocol both"):
        host.manager.edit("batman", protocols=["sftp"], password="another-long-one")
    assert host.state() == before
    host.manager.add("batman", protocols=["sftp"])
    assert host.manager.show("batman")["protocols"] == ["ftps", "sftp"]
    assert host.sftp.users["batman"].password_hash == dump(host.db)["batman"]
    for call in (host.manager.edit, host.manager.delete, host.manager.lock, host.manager.unlock, host.manager.keys):
        with pytest.raises(NoSuchUser, match="'joker': no such user"):
            call("joker")


def test_an_edit_of_nothing_is_refused_in_the_same_words_for_everybody(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim")
    for options in ({}, {"password": None, "protocols": None}):
        with pytest.raises(InvalidInput) as caught:
            host.manager.edit("batman", **options)
        assert str(caught.value) == (
            "user 'batman': expected something to change, found nothing; name what to change, such as a password,"
            " protocols or keys; to be asked for a new password: ftp-users passwd batman"
        )


def test_a_caller_with_another_program_is_told_no_command_of_this_one(host: Host) -> None:
    """Remote control's clients have the same verbs under names of their own."""
    host.manager.add("batman", password="geheim geheim", protocols=["ftps"])
    backends = list(host.backends.values())
    for program, start in (("ftp-users", "ftp-users "), ("", "")):
        manager = manage.Manager(1000, str(host.journal), backends=backends, program=program)
        wanted = {
            f": {start}list": lambda one: one.show("joker"),
            f": {start}edit batman": lambda one: one.add("batman", protocols=["ftps"]),
            f": {start}edit batman --protocol both": lambda one: one.keys("batman"),
            f": {start}passwd batman": lambda one: one.edit("batman"),
            f": {start}passwd batman, or name both protocols": lambda one: one.add(
                "batman", protocols=["sftp"], password="another-long-one"
            ),
        }
        for said, call in wanted.items():
            with pytest.raises(SecureFtpError) as caught:
                call(manager)
            assert str(caught.value).endswith(said), caught.value


def test_a_removal_says_where_files_stay_and_nothing_about_those_it_deletes(host: Host) -> None:
    for name in ("batman", "robin"):
        host.manager.add(name, password="geheim geheim", protocols=["ftps"])
    assert host.manager.delete("robin", remove_home=True)["files"] == []
    assert host.manager.delete("batman")["files"] == [str(host.homes / "batman")]
    assert (host.homes / "batman").is_dir()
    assert host.manager.delete("batman", remove_home=True)["files"] == []
    assert not (host.homes / "batman").exists(), "the way that the command names"


def test_a_removal_names_a_directory_that_only_a_person_may_delete(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim", protocols=["ftps"])
    (host.homes / "batman").rmdir()
    (host.homes / "batman").symlink_to("/srv")
    assert host.manager.delete("batman")["files"] == [str(host.homes / "batman")]
    with pytest.raises(SecureFtpError, match="by hand"):
        host.manager.delete("batman", remove_home=True)


def test_a_new_protocol_gets_the_known_hash(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim", protocols=["sftp"])
    host.manager.edit("batman", protocols=["ftps", "sftp"])
    assert passwords.verify("geheim geheim", dump(host.db)["batman"])
    host.manager.add("alfred", protocols=["sftp"], authorized_keys=[KEY])
    with pytest.raises(SecureFtpError, match="'alfred'.*expected password or password_hash"):
        host.manager.edit("alfred", protocols=["ftps", "sftp"])


def test_a_password_that_is_not_wanted_is_not_taken_from_the_other_protocol(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim", protocols=["ftps"])
    before = dump(host.db)
    host.manager.add("batman", no_password=True, protocols=["sftp"], authorized_keys=[KEY])
    assert host.sftp.users["batman"].password_hash == "*" and host.sftp.users["batman"].authorized_keys == (KEY,)
    assert dump(host.db) == before
    host.manager.add("robin", password="geheim geheim", protocols=["sftp"])
    with pytest.raises(SecureFtpError, match="'robin'.*expected password or password_hash"):
        host.manager.add("robin", no_password=True, protocols=["ftps"])
    assert "robin" not in dump(host.db)


def test_nobody_is_given_a_password_and_none(host: Host) -> None:
    for secret in ({"password": "geheim geheim"}, {"password_hash": "$6$" + "a" * 16 + "$" + "b" * 86}):
        with pytest.raises(InvalidInput, match="'batman': expected a password or no_password, found both"):
            host.manager.add("batman", no_password=True, protocols=["sftp"], **secret)
    assert host.manager.users() == []


def test_remote_control_adds_a_protocol_without_the_password_when_asked_to(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim", protocols=["ftps"])
    add = VERBS["add"].call
    asked = {"name": "batman", "protocols": ["sftp"], "authorized_keys": [KEY]}
    assert add(host.manager, {**asked, "no_password": True})["user"]["sftp"]["scheme"] is None
    host.manager.edit("batman", protocols=["ftps"])
    assert add(host.manager, asked)["user"]["sftp"]["scheme"] == "sha512_crypt"


def test_locks_are_kept_by_other_changes(host: Host) -> None:
    host.manager.add("batman", password="old old old old")
    before = host.state()
    assert host.manager.lock("batman")["user"]["locked"]
    assert dump(host.db)["batman"].startswith("!") and host.sftp.users["batman"].locked
    host.manager.edit("batman", authorized_keys=[KEY])
    assert host.manager.show("batman")["locked"]
    host.manager.edit("batman", authorized_keys=[])
    host.manager.unlock("batman")
    assert host.state() == before


def test_keys_are_added_and_removed_by_any_of_their_names(host: Host) -> None:
    host.manager.add("alfred", protocols=["sftp"], authorized_keys=[KEY])
    host.manager.add_key("alfred", OTHER)
    with pytest.raises(UserExists):
        host.manager.add_key("alfred", KEY.replace(" one", " another comment"))
    with pytest.raises(InvalidInput, match="found none that matches"):
        host.manager.delete_key("alfred", "three")
    host.manager.delete_key("alfred", "two")
    assert host.manager.keys("alfred") == [KEY]
    host.manager.delete_key("alfred", KEY.split()[1])
    assert host.manager.keys("alfred") == []
    host.manager.add("oracle", protocols=["ftps"], password="xxxxxxxxxxxx")
    with pytest.raises(InvalidInput, match="'oracle': keys are for SFTP"):
        host.manager.add_key("oracle", KEY)
    with pytest.raises(InvalidInput, match="'oracle': keys are for SFTP"):
        host.manager.edit("oracle", authorized_keys=[KEY])


@pytest.mark.parametrize("error", [SecureFtpError("", found="no space"), KeyboardInterrupt(), OSError("unforeseen")])
@pytest.mark.parametrize("change", ["add", "edit", "lock", "delete"])
def test_a_half_that_fails_takes_the_other_one_back(
    host: Host, monkeypatch: pytest.MonkeyPatch, change: str, error: BaseException
) -> None:
    host.manager.add("batman", password="geheim geheim", authorized_keys=[KEY])
    before = host.state()
    kind = SecureFtpError if isinstance(error, OSError) else type(error)
    with ftps_breaks(monkeypatch, error), pytest.raises(kind) as raised:
        if change == "add":
            host.manager.add("robin", password="xxxxxxxxxxxx")
        elif change == "edit":
            host.manager.edit("batman", password="new new new new", authorized_keys=[])
        else:
            getattr(host.manager, change)("batman")
    assert host.state() == before and not host.journal.exists()
    assert str(raised.value).endswith("nothing was changed")
    assert not (host.jail / "robin").exists() and not (host.homes / "robin").exists()


@pytest.mark.parametrize("change", ["add", "edit", "lock", "delete"])
@pytest.mark.parametrize("moment", ["the directory cannot be flushed", "Ctrl-C behind the rename"])
def test_a_failure_behind_the_rename_leaves_no_half_user(
    host: Host, monkeypatch: pytest.MonkeyPatch, change: str, moment: str
) -> None:
    """The new database is in place by then: taking SFTP back alone made half a user."""
    host.manager.add("batman", password="geheim-geheim", authorized_keys=[KEY])

    def refuse(_directory: str) -> None:
        raise OSError(5, "Input/output error") if moment.startswith("the") else KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(database, "fsync_directory", refuse)
        with pytest.raises((SecureFtpError, KeyboardInterrupt)) as raised:
            if change == "add":
                host.manager.add("robin", password="xxxxxxxxxxxx")
            elif change == "edit":
                host.manager.edit("batman", password="new-new-new-new")
            else:
                getattr(host.manager, change)("batman")
    assert "the change is made" in str(raised.value) and "nothing was changed" not in str(raised.value)
    by_ftps, by_sftp = host.state()
    assert (
        set(by_ftps)
        == set(by_sftp)
        == ({"batman"} if change in ("edit", "lock") else set()) | ({"batman", "robin"} if change == "add" else set())
    )
    for name, stored in by_ftps.items():
        assert passwords.unlocked(stored) or stored == by_sftp[name].password_hash
        assert stored.startswith("!") == bool(by_sftp[name].locked)
    assert host.journal.exists(), "what a loss of power would take back is remembered"
    host.manager.add("joker", password="xxxxxxxxxxxx")
    assert not host.journal.exists()


@pytest.mark.parametrize("change", ["add", "edit", "lock", "delete"])
def test_a_change_that_was_killed_is_finished_by_the_next_one(
    host: Host, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def do() -> None:
        if change == "add":
            host.manager.add("robin", password="geheim geheim-2")
        elif change == "edit":
            host.manager.edit("batman", password="geheim geheim-2")
        else:
            getattr(host.manager, change)("batman")

    host.manager.add("batman", password="geheim geheim")
    host.manager.add("joker", password="xxxxxxxxxxxx")
    with killed(monkeypatch):
        do()
    assert host.journal.stat().st_mode & 0o777 == 0o600 and "geheim geheim" not in host.journal.read_text()
    by_ftps, by_sftp = host.state()
    assert set(by_ftps) != set(by_sftp) or change in ("edit", "lock")
    answer = host.manager.lock("joker")
    name = "robin" if change == "add" else "batman"
    assert answer["warnings"] == [f"user '{name}': an interrupted change was finished first"]
    by_ftps, by_sftp = host.state()
    if change == "delete":
        assert name not in by_ftps and name not in by_sftp
    elif change == "lock":
        assert by_ftps[name].startswith("!") and by_sftp[name].locked
    else:
        assert passwords.verify("geheim geheim-2", by_ftps[name]) and by_ftps[name] == by_sftp[name].password_hash
    assert not host.journal.exists() and host.manager.unlock("joker")["warnings"] == []


def test_a_change_that_cannot_be_finished_yet_is_not_forgotten(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim geheim")
    with ftps_breaks(monkeypatch, Busy("", found="another writer")), pytest.raises(Busy):
        host.manager.add("robin", password="xxxxxxxxxxxx")
    assert host.journal.exists()
    host.manager.add("robin", password="xxxxxxxxxxxx")
    assert host.manager.show("batman")["protocols"] == ["ftps", "sftp"]


def test_a_module_waits_for_the_change_before_it_and_finishes_a_killed_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "LOCK_SECONDS", 0.0)
    monkeypatch.setattr(audit, "write", lambda *_line: None)
    robin = [User("robin", password="robins-password", protocols=("ftps",))]
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim geheim")
    with accounts_lock(transaction.LOCK_FILE):
        assert by_module.change("ftp_user", robin, [host.ftps], check_mode=True)["ftps"].added == ["robin"]
        assert host.journal.exists(), "check mode changed something"
        with pytest.raises(Busy):
            by_module.change("ftp_user", robin, [host.ftps], check_mode=False)
    outcome = by_module.change("ftp_user", robin, [host.ftps], check_mode=False)["ftps"]
    assert outcome.added == ["robin"] and "interrupted change was finished" in outcome.warnings[0]
    assert host.manager.show("batman")["protocols"] == ["ftps", "sftp"] and not host.journal.exists()


@pytest.mark.parametrize("front", ["ftp_users", "sftp_users"])
def test_a_module_that_was_killed_is_finished_by_the_command(
    host: Host, monkeypatch: pytest.MonkeyPatch, front: str
) -> None:
    monkeypatch.setattr(audit, "write", lambda *_line: None)
    protocol = front.partition("_")[0].replace("ftp", "ftps").replace("sftps", "sftp")
    backend = host.backends[protocol]
    calls = []

    def broken(self: Any, plan: Plan) -> Plan:
        calls.append(plan.outcome.added)
        raise Killed

    users = [User("robin", password="robins-password", protocols=(protocol,))]
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(type(backend), "apply", broken)
        patch.setattr(journal, "remove", lambda path: None)
        patch.setattr(transaction.Transaction, "_undo", lambda *arguments: None)
        by_module.change(front, users, [backend], check_mode=False)
    assert calls == [["robin"]] and "robins-password" not in host.journal.read_text()
    assert list(json.loads(host.journal.read_text())["places"]) == [protocol]
    answer = host.manager.add("joker", password="xxxxxxxxxxxx")
    assert answer["warnings"] == ["user 'robin': an interrupted change was finished first"]
    assert host.manager.show("robin")["protocols"] == [protocol] and not host.journal.exists()


def test_a_module_that_fails_takes_back_what_it_did(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "write", lambda *_line: None)
    host.manager.add("batman", password="geheim geheim", authorized_keys=[KEY])
    before, real = host.state(), Sftp.apply

    def broken(self: Sftp, plan: Plan) -> Plan:
        real(self, plan)
        monkeypatch.setattr(Sftp, "apply", real)
        raise SecureFtpError("", found="no space")

    monkeypatch.setattr(Sftp, "apply", broken)
    users = [User("batman", present=False), User("robin", password="robins-password", protocols=("sftp",))]
    with pytest.raises(SecureFtpError, match="no space"):
        by_module.change("sftp_users", users, [host.sftp], check_mode=False)
    assert host.state() == before and not host.journal.exists() and not (host.jail / "robin").exists()


def test_nothing_to_do_writes_no_journal(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.manager.add("batman", password="geheim geheim")
    monkeypatch.setattr(journal, "write", lambda *_arguments: pytest.fail("a journal for nothing"))
    users = [User("batman", password="geheim geheim", protocols=("ftps",))]
    assert not by_module.change("ftp_users", users, [host.ftps], check_mode=False)["ftps"].changed
    assert not host.manager.edit("batman", password="geheim geheim")["changed"]


def test_what_somebody_else_has_changed_since_is_left_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.manager.add("batman", password="geheim geheim")
    with killed(monkeypatch):
        host.manager.edit("batman", password="never never never never")
    load(host.db, {"batman": HASH})
    assert host.manager.edit("batman", authorized_keys=[KEY])["warnings"] == []
    assert dump(host.db)["batman"] == HASH


@pytest.mark.parametrize("content", ["", "{", '{"users": [{"nome": 1}], "records": {}}', json.dumps([])])
def test_a_journal_nobody_can_read_does_not_stop_the_next_change(host: Host, content: str) -> None:
    host.journal.parent.mkdir()
    host.journal.write_text(content)
    assert host.manager.add("batman", password="xxxxxxxxxxxx")["changed"] and not host.journal.exists()


def test_a_list_goes_in_whole_or_not_at_all(host: Host) -> None:
    host.manager.add("batman", password="geheim geheim")
    users = [User("batman", password="geheim geheim"), User("robin", password="xxxxxxxxxxxx"), User("oracle")]
    before = host.state()
    with pytest.raises(SecureFtpError, match="'oracle'"):
        host.manager.apply_list(users)
    assert host.state() == before
    plan = host.manager.apply_list(users[:2], dry_run=True)
    assert (plan.added, plan.unchanged) == (["robin"], ["batman"]) and host.state() == before
    assert replace(host.manager.apply_list(users[:2])) == plan
    assert host.manager.apply_list(users[:2]).unchanged == ["batman", "robin"]


def test_a_host_without_vsftpd_has_users_of_sftp(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del host.backends["ftps"]
    monkeypatch.setattr(manage, "CONFIGS", (str(tmp_path / "vsftpd.conf"),))
    host.manager.add("alfred", protocols=["sftp"], password="xxxxxxxxxxxx")
    for call in (host.manager.lock, host.manager.unlock):
        assert call("alfred")["changed"]
    assert host.manager.edit("alfred", password="yyyyyyyyyyyy")["user"]["protocols"] == ["sftp"]
    assert host.manager.add("batman", password="xxxxxxxxxxxx")["user"]["protocols"] == ["sftp"]
    assert host.manager.with_protocols({"name": "x", "protocols": ["ftps"]})["protocols"] == ["ftps"]
    with pytest.raises(SecureFtpError, match="FTPS: expected vsftpd's configuration at .*; this server has SFTP only"):
        host.manager.add("robin", password="xxxxxxxxxxxx", protocols=["ftps"])
    assert host.manager.delete("alfred")["changed"]


def test_only_root_changes_somebody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="expected to run as root"):
        host.manager.add("batman", password="xxxxxxxxxxxx")


def test_a_user_of_no_protocol_is_refused(host: Host) -> None:
    with pytest.raises(InvalidInput, match="protocols: expected ftps, sftp or both, found none"):
        host.manager.add("batman", password="xxxxxxxxxxxx", protocols=[])


@pytest.mark.parametrize("call", ["open", "unlink"])
def test_a_journal_that_the_disk_refuses_is_named(host: Host, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim-geheim")

    def refuse(path: Any, *_rest: Any, **_more: Any) -> Any:
        if str(path) == str(host.journal):
            raise OSError(5, "Input/output error")
        return real(path, *_rest, **_more)

    module = journal.os if call == "unlink" else builtins
    real = getattr(module, call)
    with monkeypatch.context() as broken:
        broken.setattr(module, call, refuse)
        with pytest.raises(SecureFtpError, match=f"^{host.journal}: cannot .*input/output error"):
            host.manager.add("robin", password="robins-password")
    assert host.journal.exists()
    host.manager.add("robin", password="robins-password")
    assert {"batman", "robin"} <= set(dump(host.db)) and not host.journal.exists()


def test_what_was_refused_is_not_done_by_the_next_change(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal was in place, and only its directory could not be flushed."""

    def refuse(_directory: str) -> None:
        raise OSError(5, "Input/output error")

    host.manager.add("joker", password="xxxxxxxxxxxx")
    before = host.state()
    with monkeypatch.context() as broken:
        broken.setattr(files, "fsync_directory", refuse)
        with pytest.raises(SecureFtpError, match="input/output error"):
            host.manager.add("batman", password="geheim-geheim")
    assert host.state() == before and not host.journal.exists()
    assert host.manager.lock("joker")["warnings"] == []
    assert set(dump(host.db)) == {"joker"}


def test_a_killed_change_of_somebody_who_is_shut_out_ends_the_sessions(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.manager.add("batman", password="geheim geheim")
    with killed(monkeypatch):
        host.manager.edit("batman", password="geheim geheim-2")
    host.manager.add("robin", password="xxxxxxxxxxxx")
    assert host.sftp.ended == ["batman"]


def test_a_disk_that_fails_while_a_killed_change_is_finished_loses_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim geheim")
    full = OSError(28, "No space left on device", "/etc/vsftpd/users.db")
    said = "'batman' that was interrupted has to be finished first"
    with ftps_breaks(monkeypatch, full), pytest.raises(SecureFtpError, match=said):
        host.manager.add("robin", password="xxxxxxxxxxxx")
    assert host.journal.exists() and "robin" not in host.sftp.users
    host.manager.add("robin", password="xxxxxxxxxxxx")
    assert host.manager.show("batman")["protocols"] == ["ftps", "sftp"]


UNDURABLE = NotDurable("/etc/shadow", found="cannot flush it to disk")


def sftp_not_durable(host: Host, patch: pytest.MonkeyPatch, times: int) -> None:
    """Let the SFTP half make its change, and fail to flush it: the first ``times`` times."""
    apply, left = host.sftp.apply, [times]

    def undurable(plan: Plan) -> Plan:
        done = apply(plan)
        if left[0]:
            left[0] -= 1
            raise UNDURABLE
        return done

    patch.setattr(host.sftp, "apply", undurable)


@pytest.mark.parametrize("change", ["add", "edit", "lock", "delete"])
@pytest.mark.parametrize("protocols", [["ftps", "sftp"], ["sftp"]])
def test_accounts_that_cannot_be_flushed_are_taken_back(
    host: Host, monkeypatch: pytest.MonkeyPatch, change: str, protocols: list[str]
) -> None:
    """FTPS must not be ahead of what a loss of power takes from SFTP: nobody could tell afterwards."""
    if protocols == ["sftp"]:
        del host.backends["ftps"]
    host.manager.add("batman", password="geheim geheim", protocols=protocols)
    before = host.state()
    with monkeypatch.context() as broken, pytest.raises(NotDurable, match="flush it to disk; nothing was changed$"):
        sftp_not_durable(host, broken, 1)
        do(host, change, protocols)
    assert host.state() == before and not host.journal.exists()


@pytest.mark.parametrize("change", ["add", "edit", "lock", "delete"])
def test_accounts_that_can_neither_be_flushed_nor_taken_back_are_remembered(
    host: Host, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    host.manager.add("batman", password="geheim geheim")
    host.manager.add("joker", password="geheim geheim")
    with monkeypatch.context() as broken:
        sftp_not_durable(host, broken, 2)
        with pytest.raises(NotDurable, match="half made, and the next change of users finishes it$"):
            do(host, change, ["ftps", "sftp"])
        sftp_not_durable(host, broken, 1)
        with pytest.raises(NotDurable, match="has to be finished first; nothing was changed$"):
            host.manager.lock("joker")
    assert host.journal.exists()
    (warning,) = host.manager.lock("joker")["warnings"]
    assert warning.endswith("an interrupted change was finished first") and not host.journal.exists()
    by_ftps, by_sftp = host.state()
    there = {"batman", "joker"} | ({"robin"} if change == "add" else set())
    assert set(by_ftps) == set(by_sftp) == there - ({"batman"} if change == "delete" else set())
    for name, stored in by_ftps.items():
        assert passwords.unlocked(stored) or stored == by_sftp[name].password_hash
        assert stored.startswith("!") == bool(by_sftp[name].locked)


def do(host: Host, change: str, protocols: list[str]) -> None:
    if change == "add":
        host.manager.add("robin", password="xxxxxxxxxxxx", protocols=protocols)
    elif change == "edit":
        host.manager.edit("batman", password="new-new-new-new")
    else:
        getattr(host.manager, change)("batman")


def test_reading_all_users_tells_how_far_it_is(host: Host) -> None:
    for name in ("batman", "robin"):
        host.manager.add(name, password="geheim geheim", protocols=["ftps"])
    heard: list[Any] = []
    with heard_by(lambda *what: heard.append(what)):
        host.manager.users()
    assert ("FTPS users", 0, 2) in heard and ("FTPS users", 1, 2) in heard
