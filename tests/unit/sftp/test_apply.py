# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SFTP accounts: plans that are run, their order, and what a run that was killed leaves to the next."""

from __future__ import annotations

import contextlib
import os

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotDurable, Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import NO_HOME, Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import look as found_below
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import apply as _apply
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import plan as _plan
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import state as _state
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

KEY = "ssh-ed25519 AAAA"
HASH = "$6$rounds=5000$abcdefghijklmnop$" + "h" * 86


class Killed(BaseException):
    """Stands for SIGKILL."""


class Host:
    """A host in memory: account files as dictionaries, directories in a temporary place, tools that note their use."""

    def __init__(self, root, monkeypatch):
        self.root, self.users, self.shadow, self.log = root, {}, {}, []
        self.expires = {}
        self.group_members, self.kill_at, self.problems = set(), None, []
        self.classes = {}
        self.jail, self.keys = root / "jail", root / "keys"
        self.jail.mkdir()
        self.etc = root / "etc"
        self.etc.mkdir()
        for name in ("passwd", "shadow", "group", "gshadow"):
            (self.etc / name).touch()
        self.config = root / "sshd_config"
        self.config.write_text(with_jail("", Jail("sftponly", str(self.jail), str(self.keys))))
        self.add("root", 0, 0, "*", "/bin/bash")
        self.add("olivia", 1002, 1002, HASH, "/bin/bash")
        for name, replacement in {
            "accounts_lock": contextlib.nullcontext,
            "made_accounts": lambda names: {one: self.users[one] for one in names},
            "create_accounts": self.create,
            "set_passwords": self.set_passwords,
            "set_expiry": self.set_expiry,
            "end_sessions": self.end_sessions,
            "set_shells": lambda shells: self.step("shell", *shells),
            "set_homes": self.set_homes,
            "delete_accounts": self.delete,
            "prepare_host": lambda: None,
            "create_group": self.create_group,
            "delete_group": self.delete_group,
            "set_members": self.set_members,
            "replace_config": self.replace_config,
            "let_sshd_read": lambda path: self.step("reload"),
            "login_names": lambda: {"olivia"},
            "effective": lambda user, path: {},
            "jail_problems": self.judge,
            "hash_many": lambda passwords, rounds: [f"hash-of-{word}" for word in passwords],
            "ensure_homes": self.ensure_homes,
        }.items():
            monkeypatch.setattr(_apply, name, replacement)
        for name, replacement in {
            "read_accounts": self.accounts,
            "known_elsewhere": lambda names, etc: [],
            "login_names": lambda: {"olivia"},
            "look": lambda root, names: {one: self.look(one) for one in names},
        }.items():
            monkeypatch.setattr(_state, name, replacement)
        monkeypatch.setattr(_plan, "verify_many", lambda pairs: [stored == f"hash-of-{word}" for word, stored in pairs])

    def step(self, what, *details):
        self.log.append((what, *details))
        if self.kill_at is not None and len(self.log) > self.kill_at:
            raise Killed

    def add(self, name, uid, gid=997, stored="!*", shell="/usr/sbin/nologin", home=NO_HOME):
        self.users[name] = Account(name, uid, gid, home, shell)
        self.shadow[name] = stored

    def accounts(self, etc="/etc", only=None, passwords_of=None):
        groups = {"sftponly": Group("sftponly", 997, frozenset(self.group_members)), **self.other_groups}
        groups.update((name, Group(name, 900, frozenset(members))) for name, members in self.classes.items())
        shadow = {name: stored for name, stored in self.shadow.items() if passwords_of is None or name in passwords_of}
        return Accounts(dict(self.users), groups, shadow, dict(self.expires))

    def create(self, uids, group, shell, taken=(), home=NO_HOME, gecos=None):
        """As systemd-sysusers, which keeps what shadow and group have of a name, and useradd for who is ``taken``."""
        self.step("create", *uids)
        for name, uid in uids.items():
            if name in taken:
                self.shadow.pop(name, None)
                self.expires.pop(name, None)
            own = None if name in taken else self.other_groups.get(name)
            self.add(name, uid, gid=own.gid if own else group.gid, stored=self.shadow.get(name, "!*"))

    def set_passwords(self, hashes):
        if hashes:
            self.step("passwords", *hashes)
            self.shadow.update(hashes)

    def set_expiry(self, days):
        for name, day in days.items():
            self.step("expiry", name, day)
            self.expires[name] = day

    def end_sessions(self, ending, shared):
        self.shared = shared
        if ending:
            self.step("end", *ending.values())
        return [f"{name} is still there" for name in ending if name in self.immortal]

    immortal: tuple[str, ...] = ()

    def set_homes(self, accounts, home, shared):
        for account in accounts:
            self.step("home", account.name)
            self.users[account.name] = account._replace(home=home)

    def delete(self, accounts, shared):
        for account in accounts:
            self.step("delete", account.name)
            del self.users[account.name], self.shadow[account.name]
        return [f"{account.name} is still there" for account in accounts if account.name in self.immortal]

    def judge(self, user, groups, values, jail, by_password, by_key, command=""):
        self.step("judge", user, by_password, by_key, *filter(None, [command]))
        return list(self.problems), [Problem("x11forwarding", "no", "yes")] if self.doors else []

    def create_group(self, name):
        self.step("group", name)
        self.classes[name] = set()

    def delete_group(self, name):
        self.step("no group", name)
        del self.classes[name]

    def set_members(self, lists):
        for group, names in lists:
            self.step("members", group, *names)
            assert set(names) <= set(self.users)
            self.classes[group] = set(names)

    def replace_config(self, path, text, unaffected=()):
        self.step("config", *unaffected)
        self.config.write_text(text)

    def of_class(self, name):
        return sorted(group for group, members in self.classes.items() if name in members)

    doors = False
    other_groups: dict[str, Group] = {}

    def look(self, name):
        """A directory that is there is its user's."""
        found = found_below(str(self.jail), [name])[name]
        owner = self.users.get(name)
        return found._replace(uid=owner.uid, gid=owner.gid, mode=0o700) if found and owner else found

    def ensure_homes(self, root, names, owner_of, mode):
        self.step("homes", *names)
        for name in names:
            (self.jail / name).mkdir(exist_ok=True)

    def run(self, users, check_mode=False, remove_home=False, **rules):
        self.log.clear()
        backend = Sftp(Rules(config=str(self.config), **rules), str(self.etc))
        plan = backend.plan(backend.stored([one.name for one in users], remove_home), users, remove_home)
        if not check_mode:
            plan = backend.apply(plan)
            plan.outcome.homes_removed = backend.delete(plan)
        return plan.outcome

    def key_file(self, name):
        path = self.keys / name
        return path.read_text() if path.exists() else None


@pytest.fixture
def host(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("key files belong to root")
    return Host(tmp_path, monkeypatch)


USERS = [
    User("ann", password="secret-1"),
    User("bob", authorized_keys=(KEY,)),
    User("cy", password_hash=HASH, authorized_keys=(KEY, KEY + " 2")),
    User("ftp", protocols=("ftps",), password="secret-2"),
]


def test_new_people_get_credentials_last_and_a_second_run_does_nothing(host):
    outcome = host.run(USERS)
    assert outcome.added == ["ann", "bob", "cy"] and outcome.unchanged == ["ftp"] and outcome.changed
    assert [entry[0] for entry in host.log] == ["create", "judge", "judge", "judge", "homes", "passwords"]
    assert host.shadow["ann"] == "hash-of-secret-1" and host.shadow["bob"] == "*" and host.shadow["cy"] == HASH
    assert host.key_file("cy").splitlines()[1:] == [KEY, KEY + " 2"] and host.key_file("ann") is None
    again = host.run(USERS)
    assert not again.changed and again.unchanged == ["ann", "bob", "cy", "ftp"]
    assert {entry[0] for entry in host.log} == {"judge"}


def test_check_mode_says_the_same_and_does_nothing(host):
    said = host.run(USERS, check_mode=True)
    assert host.log == [] and not host.keys.exists()
    done = host.run(USERS)
    assert (said.added, said.homes, said.diff()) == (done.added, done.homes, done.diff())


def test_check_mode_works_on_a_bare_host(host):
    host.config.unlink()
    host.jail.rmdir()
    assert host.run(USERS, check_mode=True).added == ["ann", "bob", "cy"]


def test_no_secret_is_in_the_outcome(host):
    text = repr(host.run(USERS)) + repr(host.run([User("ann", password="other-3")]))
    assert "secret-1" not in text and "other-3" not in text and "AAAA" not in text and "$6$" not in text


@pytest.mark.parametrize("kill_at", range(8))
def test_a_run_killed_at_any_step_is_finished_by_the_next(host, kill_at):
    host.add("old", 1500, stored="hash-of-x")
    host.kill_at = kill_at
    with contextlib.suppress(Killed):
        host.run(USERS, purge=True)
    host.kill_at = None
    host.run(USERS, purge=True, update_password="on_create")
    assert host.shadow["ann"] == "hash-of-secret-1" and host.shadow["bob"] == "*" and host.shadow["cy"] == HASH
    assert "old" not in host.users and (host.jail / "bob").is_dir() and host.key_file("bob")
    assert not host.run(USERS, purge=True).changed


def test_passwords_change_or_stay(host):
    host.run(USERS)
    changed = [User("ann", password="new-pass"), User("cy", password_hash=HASH[:-1] + "x")]
    assert not host.run(changed, update_password="on_create").changed
    assert host.run(changed).changed_users == {"ann": ["password"], "cy": ["password"]}
    assert [entry for entry in host.log if entry[0] == "passwords"] == [("passwords", "cy", "ann")]
    assert not host.run([User("ann"), User("cy")]).changed


def test_a_list_of_keys_is_complete_and_none_leaves_them(host):
    host.run(USERS)
    assert not host.run([User("cy")]).changed and host.key_file("cy")
    assert host.run([User("cy", authorized_keys=(KEY,))]).changed_users == {"cy": ["authorized_keys"]}
    assert host.key_file("cy").splitlines()[1:] == [KEY]
    assert host.run([User("cy", authorized_keys=())]).changed and host.key_file("cy") is None


def test_sessions_end_with_the_password_the_lock_or_a_key_that_may_have_opened_them(host):
    host.run(USERS)

    def ended(*users):
        return [entry[1:] for entry in (host.run(users), host.log)[1] if entry[0] == "end"]

    uid = host.users["cy"].uid
    assert ended(User("cy", password="another-1")) == [(uid,)]
    assert ended(User("cy", authorized_keys=(KEY, KEY + " 2", KEY + " 3"))) == []  # one more
    assert ended(User("cy", authorized_keys=(KEY,))) == [(uid,)]
    assert ended(User("cy", locked=True)) == [(uid,)]
    assert ended(User("cy", locked=False)) == []
    assert ended(User("cy", authorized_keys=())) == [(uid,)]


def test_whose_user_id_another_account_has_too_is_handed_on(host):
    host.run(USERS)
    host.add("twin", host.users["ann"].uid, gid=1)
    host.run([User("ann", locked=True), User("bob", locked=True)])
    assert host.users["ann"].uid in host.shared and host.users["bob"].uid not in host.shared


def test_sessions_that_outlive_their_end_are_warned_about(host):
    host.run(USERS)
    host.immortal = ("ann", "bob")
    assert host.run([User("ann", locked=True)]).warnings == ["ann is still there"]
    assert host.run([User("bob", present=False)]).warnings == ["bob is still there"]


def test_what_was_done_before_something_went_wrong_is_said(host, monkeypatch):
    host.run(USERS)

    def fail(*_arguments, **_rules):
        raise SecureFtpError("chpasswd", "success", found="exit status 1")

    changes = [User("dora", password="secret-1"), User("ann", authorized_keys=(KEY,)), User("bob", present=False)]
    monkeypatch.setattr(_apply, "hash_many", fail)
    with pytest.raises(SecureFtpError) as caught:
        host.run(changes)
    assert caught.value.state and str(caught.value) == (
        "chpasswd: expected success, found exit status 1; done already: removed bob; added dora without password and"
        " keys; homes of dora; keys of ann"
    )
    monkeypatch.setattr(_apply, "set_passwords", fail)
    with pytest.raises(SecureFtpError) as caught:
        host.run([User("ann", password="another-2", locked=False)])
    assert not caught.value.state


def test_a_home_that_cannot_be_deleted_does_not_hide_that_its_user_is_gone(host, monkeypatch):
    host.run(USERS)

    def remove(root, name, check_mode=False):
        if not check_mode:
            raise SecureFtpError("bob", found="cannot remove it: Input/output error")
        return True

    monkeypatch.setattr(_apply, "remove_home", remove)
    with pytest.raises(SecureFtpError, match="error; done already: removed bob$") as caught:
        host.run([User("bob", present=False)], remove_home=True)
    assert caught.value.state


def test_a_key_file_others_can_write_is_corrected(host):
    host.run(USERS)
    (host.keys / "bob").chmod(0o666)
    assert host.run(USERS).changed_users == {"bob": ["authorized_keys"]}
    assert (host.keys / "bob").stat().st_mode & 0o777 == 0o644


def test_a_new_account_does_not_inherit_an_old_key_file(host):
    host.keys.mkdir()
    (host.keys / "ann").write_text("someone else's key\n")
    host.run(USERS)
    assert host.key_file("ann") is None


def test_removal_takes_credentials_first_and_keeps_the_home(host):
    host.run(USERS)
    outcome = host.run([User("bob", present=False), User("cy", protocols=("ftps",))])
    assert outcome.removed == ["bob", "cy"]
    assert host.log == [("passwords", "bob", "cy"), ("delete", "bob"), ("delete", "cy")]
    assert host.key_file("bob") is None and "ann" in host.users
    assert [(host.jail / name).stat().st_mode & 0o7777 for name in ("ann", "bob", "cy")] == [0o755, 0o700, 0o700]
    assert not host.run([User("bob", present=False)]).changed


def test_remove_home_takes_what_an_earlier_removal_left(host):
    host.run(USERS)
    host.run([User("bob", present=False)])
    outcome = host.run([User("bob", present=False)], remove_home=True)
    assert outcome.homes_removed == [str(host.jail / "bob")] and outcome.changed
    assert not (host.jail / "bob").exists()


def test_purge_removes_members_only(host):
    host.run(USERS)
    host.add("hand", 1100, stored=HASH)
    assert not host.run(USERS).changed
    assert host.run(USERS[:1], purge=True).removed == ["bob", "cy", "hand"]
    assert {"root", "olivia", "ann"} == set(host.users)


def test_another_account_is_refused_when_present_and_untouched_when_absent(host):
    with pytest.raises(SecureFtpError, match="user 'olivia': expected a new name or a member of the group sftponly"):
        host.run([User("olivia", password="x")])
    outcome = host.run([User("olivia", present=False)], remove_home=True, purge=True)
    assert not outcome.changed and host.log == []


@pytest.mark.parametrize("name", ["root", "olivia"])
def test_the_operator_is_never_a_member(host, name):
    host.group_members.add(name)
    with pytest.raises(SecureFtpError, match=f"take it out first: gpasswd -d {name} sftponly"):
        host.run([], purge=True)
    assert host.log == []


def test_a_user_cannot_have_the_groups_name(host):
    with pytest.raises(SecureFtpError, match="name of the SFTP group"):
        host.run([User("sftponly")])


def test_no_credentials_where_sshd_would_not_jail(host):
    host.problems = [Problem("chrootdirectory", "/home/sftp", "none")]
    with pytest.raises(SecureFtpError, match="; no password or key was stored"):
        host.run(USERS)
    assert host.shadow["ann"] == "!*" and not host.keys.exists()
    assert host.run(USERS, jail_check="none").changed_users["ann"] == ["password", "home"]


def test_an_open_door_is_a_warning_or_with_full_an_error(host):
    host.doors = True
    assert any("x11forwarding" in warning for warning in host.run(USERS).warnings)
    with pytest.raises(SecureFtpError, match="x11forwarding: expected no"):
        host.run(USERS, jail_check="full")


@pytest.mark.parametrize(
    ("text", "users", "words"),
    [
        ("UsePAM yes\n", USERS, "expected a block 'Match Group sftponly' with ChrootDirectory, found none"),
        ("Match Group sftponly\n ChrootDirectory JAIL\n", USERS, "expected AuthorizedKeysFile with one directory"),
    ],
)
def test_a_server_that_is_not_ready_is_refused_before_anything_is_made(host, text, users, words):
    host.config.write_text(text.replace("JAIL", str(host.jail)))
    with pytest.raises(SecureFtpError) as caught:
        host.run(users, directory=str(host.jail))
    assert words in str(caught.value) and host.log == []


def test_the_articles_server_takes_password_users(host):
    host.config.write_text(f"Match Group sftponly\n ChrootDirectory {host.jail}\n ForceCommand internal-sftp\n")
    assert host.run([User("ann", password="x")]).homes == [str(host.jail / "ann")]


def test_a_shell_is_taken_away_and_bin_false_is_fine(host):
    host.add("ann", 1000, stored="*", shell="/bin/bash")
    host.add("bob", 1001, stored="*", shell="/bin/false")
    outcome = host.run([User("ann"), User("bob")])
    assert outcome.changed_users == {"ann": ["shell", "home"], "bob": ["home"]}
    assert ("shell", "ann") in host.log


def test_someone_without_any_credential_is_pointed_out(host):
    assert any("neither a password nor authorized_keys" in warning for warning in host.run([User("ann")]).warnings)


# --- locks ---------------------------------------------------------------------------------------------------------


def shadow_of(host, name):
    return host.shadow[name], host.expires.get(name, "")


@pytest.mark.parametrize("before", [("hash-of-secret-1", ""), ("hash-of-secret-1", "20900"), ("*", ""), ("*", "20900")])
def test_a_lock_shuts_password_and_key_and_unlocking_restores_exactly_what_was(host, before):
    host.run(USERS)
    host.shadow["ann"], host.expires["ann"] = before
    outcome = host.run([User("ann", locked=True)])
    assert outcome.changed_users == {"ann": ["locked"]} and "ann: present, changed: locked\n" in outcome.diff()["after"]
    stored, expires = shadow_of(host, "ann")
    assert stored.startswith("!") and expires == "1", "the expiry shuts out keys, the mark says so to every tool"
    assert ("end", host.users["ann"].uid) in host.log
    assert not host.run([User("ann", locked=True)]).changed
    assert not host.run([User("ann")]).changed, "who does not speak of the lock does not change it"
    assert host.run([User("ann", locked=False)]).changed_users == {"ann": ["unlocked"]}
    assert shadow_of(host, "ann") == before
    assert not host.run([User("ann", locked=False)]).changed


def test_a_new_password_does_not_unlock(host):
    host.run(USERS)
    host.run([User("ann", locked=True)])
    assert not host.run(USERS).changed, "the password behind the mark is the right one"
    assert host.run([User("ann", password="other")]).changed_users == {"ann": ["password"]}
    assert shadow_of(host, "ann") == ("!hash-of-other", "1")
    assert host.run([User("ann", password="third", locked=False)]).changed_users == {"ann": ["password", "unlocked"]}
    assert shadow_of(host, "ann") == ("hash-of-third", "")


def test_a_new_account_can_be_locked_from_the_start(host):
    outcome = host.run([User("ann", password="secret-1", locked=True), User("bob", locked=True)])
    assert outcome.added == ["ann", "bob"] and "ann: present, password, keys: 0, locked\n" in outcome.diff()["after"]
    assert shadow_of(host, "ann") == ("!hash-of-secret-1", "1") and shadow_of(host, "bob") == ("!*", "1")
    assert host.log.index(("expiry", "ann", "1")) < host.log.index(("passwords", "bob", "ann"))
    assert not host.run([User("ann", password="secret-1"), User("bob")]).changed, "!* is no half-made account here"
    host.run([User("bob", locked=False)])
    assert shadow_of(host, "bob") == ("*", "")


def test_a_user_with_the_name_of_a_group_is_no_member_of_it(host):
    host.other_groups = {"sudo": Group("sudo", 27, frozenset())}
    host.run([User("sudo", password="secret-1")])
    assert host.users["sudo"].gid == 997


@pytest.mark.parametrize("stored", ["!*", HASH, f"!{HASH}", f"!expires=20000!{HASH}"])
@pytest.mark.parametrize("day", ["", "1", "20000"])
def test_a_line_left_in_shadow_gives_nothing_to_the_next_of_that_name(host, stored, day):
    """A cut userdel leaves one, since it replaces passwd before shadow."""
    host.shadow["ann"] = stored
    if day:
        host.expires["ann"] = day
    host.kill_at = 1
    with pytest.raises(Killed):
        host.run([User("ann", password="secret-1")])
    assert (host.shadow["ann"], host.expires.get("ann")) == ("!*", None)
    host.kill_at = None
    host.run([User("ann", password="secret-1")])
    assert (host.shadow["ann"], host.expires.get("ann")) == ("hash-of-secret-1", None)


def test_the_lock_of_passwd_is_kept_completed_and_undone(host):
    host.run(USERS)
    host.shadow["ann"] = "!hash-of-secret-1"
    assert not host.run(USERS).changed, "what an administrator has locked stays locked"
    assert host.run([User("ann", locked=True)]).changed_users == {"ann": ["locked"]}
    assert shadow_of(host, "ann") == ("!hash-of-secret-1", "1")
    host.expires["ann"] = ""
    assert host.run([User("ann", locked=False)]).changed_users == {"ann": ["unlocked"]}
    assert shadow_of(host, "ann") == ("hash-of-secret-1", "")


def test_a_home_that_its_user_can_write_is_taken_away(host):
    """With it systemd --user, .forward and the like outside the jail obey what the user uploads."""
    inside = str(host.jail / "ann")
    host.add("ann", 1003, stored=HASH, home=inside)
    (host.jail / "ann").mkdir()
    said = host.run([User("ann")], check_mode=True)
    assert said.changed_users == {"ann": ["home in passwd"]} and host.log == []
    done = host.run([User("ann", password_hash=HASH)])
    assert done.changed_users == {"ann": ["home in passwd"]} and ("home", "ann") in host.log
    assert not host.run([User("ann")]).changed


def test_which_homes_obey_their_user(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to have directories of another user")
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:-2]:  # a slice of parents is new in Python 3.10
        parent.chmod(0o755)
    own, shared, closed = tmp_path / "own", tmp_path / "shared", tmp_path / "closed"
    for path, uid, gid, mode in ((own, 1000, 1000, 0o700), (shared, 0, 997, 0o775), (closed, 0, 997, 0o755)):
        path.mkdir()
        path.chmod(mode)
        os.chown(path, uid, gid)
    (tmp_path / "link").symlink_to(own)
    for home, obeys in (
        (NO_HOME, False),
        (closed, False),
        (closed / "missing", False),
        (own, True),
        (own / "missing" / "deep", True),
        (tmp_path / "link", True),
        (shared, True),
        (tmp_path / "jail" / "ann", True),
    ):
        account = Account("ann", 1000, 997, str(home), "/usr/sbin/nologin")
        assert _state.obeys_its_user(account, str(tmp_path / "jail")) is obeys, home


@pytest.mark.parametrize("user", [User("ann", password="x"), User("ann", locked=True), User("ann", present=False)])
def test_an_administrator_in_the_group_is_left_alone(host, user):
    host.add("ann", 1003, stored=HASH)
    host.other_groups = {"sudo": Group("sudo", 27, frozenset({"ann"}))}
    with pytest.raises(
        SecureFtpError, match="'ann': expected an account without rights on the host, found a member of sudo"
    ):
        host.run([user])
    with pytest.raises(SecureFtpError, match="member of sudo"):
        host.run([], purge=True)
    assert host.log == [] and host.shadow["ann"] == HASH
    assert host.run([User("bob", password="y")]).added == ["bob"]


FLUSHED = ["etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc", "jail", "keys"]


@pytest.fixture
def flushed(host, monkeypatch):
    """What is flushed, below the directory of the host, and how many steps were done by then."""
    seen, fsync = [], os.fsync

    def note(fd):
        seen.append((os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), host.root), len(host.log)))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    return seen


@pytest.mark.parametrize(
    "change", [User("ann", password="secret-2"), User("ann", present=False), User("ann", locked=True)]
)
def test_what_is_done_is_flushed_behind_the_last_step(host, flushed, change):
    host.run(USERS)
    flushed.clear()
    host.run([change])
    assert flushed[-len(FLUSHED) :] == [(path, len(host.log)) for path in FLUSHED] and host.log


def test_a_run_that_finds_all_of_it_done_by_a_killed_one_flushes_too(host, flushed):
    host.run(USERS)
    flushed.clear()
    assert not host.run(USERS).changed
    assert [path for path, _steps in flushed] == FLUSHED


def test_check_mode_flushes_nothing(host, flushed):
    host.run(USERS, check_mode=True)
    assert not flushed


@pytest.mark.parametrize("path", FLUSHED)
def test_what_cannot_be_flushed_is_no_success(host, monkeypatch, path):
    host.run(USERS)
    fsync = os.fsync

    def refuse(fd):
        if os.readlink(f"/proc/self/fd/{fd}") == str(host.root / path):
            raise OSError(5, "Input/output error")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(NotDurable, match=f"{host.root / path}: cannot flush it to disk, .*input/output error"):
        host.run([User("ann", password="secret-2")])


READ_ONLY = User("ann", password="a", authorized_keys=(KEY,), access="read_only")


def test_a_class_is_made_and_joined_before_there_are_credentials(host):
    host.run([READ_ONLY])
    done = [entry[0] for entry in host.log]
    assert done == ["create", "group", "config", "reload", "members", "judge", "homes", "passwords"]
    assert host.key_file("ann")
    assert ("config", "olivia", "root") in host.log
    assert ("judge", "ann", True, True, "internal-sftp -d /%u -R") in host.log
    assert "Match Group sftponly-ro\n    ForceCommand internal-sftp -d /%u -R\n" in host.config.read_text()
    host.log.clear()
    assert not host.run([READ_ONLY]).changed and [entry[0] for entry in host.log] == ["judge"]


def test_another_member_needs_no_other_block(host):
    host.run([READ_ONLY])
    host.log.clear()
    host.run([User("bob", password="b", access="read_only")])
    assert [entry[0] for entry in host.log][:4] == ["create", "reload", "members", "judge"]
    assert host.classes == {"sftponly-ro": {"ann", "bob"}}


def test_fewer_rights_end_the_sessions_of_that_user(host):
    host.run([User("ann", password="a"), User("bob", password="b")])
    host.log.clear()
    assert host.run([User("ann", access="upload_only"), User("bob")]).changed_users == {"ann": ["access"]}
    assert [entry for entry in host.log if entry[0] == "end"] == [("end", host.users["ann"].uid)]


@pytest.mark.parametrize("kill_at", range(1, 12))
def test_a_killed_change_never_leaves_more_rights_than_before_or_after(host, kill_at):
    host.run([User("ann", password="a"), User("bob", password="b", access="read_only")])
    users = [
        User("ann", password="c", access="read_only"),
        User("bob", password="c", access="read_write"),
        User("cy", password="c", access="upload_only"),
    ]
    host.log.clear()
    host.kill_at = kill_at
    with contextlib.suppress(Killed):
        host.run(users)
    if host.shadow["ann"] == "hash-of-c" or "cy" in host.shadow and host.shadow["cy"] != "!*":
        assert host.of_class("ann") == ["sftponly-ro"] and host.of_class("cy") == ["sftponly-up"]
    if not host.of_class("bob"):
        assert host.shadow["bob"] == "hash-of-c"
    host.kill_at = None
    host.run(users)
    assert [host.of_class(name) for name in ("ann", "bob", "cy")] == [["sftponly-ro"], [], ["sftponly-up"]]


def test_a_configuration_that_sshd_refuses_leaves_no_new_group(host, monkeypatch):
    def refuse(*_arguments):
        raise SecureFtpError("sshd_config", "sshd -t to accept it", found="not")

    monkeypatch.setattr(_apply, "replace_config", refuse)
    with pytest.raises(SecureFtpError, match="sshd -t to accept it"):
        host.run([READ_ONLY])
    assert host.classes == {} and host.shadow["ann"] == "!*"


def test_what_was_there_is_restored(host):
    host.run([READ_ONLY, User("bob", password="b")])
    backend = Sftp(Rules(config=str(host.config)), str(host.etc))
    before = {name: backend.stored([name]).user(name) for name in ("ann", "bob")}
    host.run([User("ann", access="read_write"), User("bob", access="upload_only")])
    backend.restore(before)
    assert host.classes == {"sftponly-ro": {"ann"}, "sftponly-up": set()}
    assert {name: backend.stored([name]).user(name) for name in ("ann", "bob")} == before
