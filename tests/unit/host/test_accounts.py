# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System accounts: what is read, which ids are given, and what the tools are told."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import accounts as _accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    Account,
    Group,
    accounts_lock,
    choose_uids,
    create_accounts,
    delete_accounts,
    known_elsewhere,
    note,
    read_accounts,
    set_gecos,
    set_members,
    set_passwords,
    uid_range,
    unsuitable,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\n"
        "batman:x:1000:997::/home/sftp/batman:/usr/sbin/nologin\n"
        "art:x:1001:1001:,,,:/home/art:/bin/false\n"
        "olivia:x:1002:1002::/home/olivia:/bin/bash\n"
        "damaged:x:ten:1\n+@nis::::::\n\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nsftponly:x:997:art,ghost\nart:x:1001:\nolivia:x:1002:\n")
    (tmp_path / "shadow").write_text("root:*:1::::::\nbatman:$6$a$b:1:0:99999:7:::\nart:!*:1::::::\n")
    return str(tmp_path)


def test_members_are_those_by_primary_and_by_supplementary_group(etc):
    accounts = read_accounts(etc)
    assert accounts.members("sftponly") == ["art", "batman"]
    assert accounts.members("nosuch") == []
    assert accounts.groups_of("art") == ["art", "sftponly"]
    assert accounts.passwords["batman"] == "$6$a$b"
    assert "damaged" not in accounts.users
    assert "$6$" not in repr(accounts)


def test_a_bare_host_has_no_accounts(tmp_path):
    assert read_accounts(str(tmp_path)).users == {}


def test_unreadable_shadow_is_an_error_with_the_remedy(etc, monkeypatch):
    def refuse(path, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SecureFtpError, match="become: true"):
        read_accounts(etc)


def test_ids_follow_the_highest_in_use_and_skip_owners_of_homes_left_behind():
    assert choose_uids(["a", "b"], {0, 999, 1000, 65534}, {"gone": 1001}, (1000, 60000)) == {"a": 1002, "b": 1003}


def test_a_user_who_comes_back_gets_the_id_of_the_home():
    former = {"robin": 1001, "zed": 1005, "roots": 0, "taken": 1000}
    chosen = choose_uids(["new", "robin", "roots", "taken"], {0, 1000}, former, (1000, 60000))
    assert chosen == {"robin": 1001, "new": 1006, "roots": 1007, "taken": 1008}


def test_gaps_are_used_at_the_end_of_the_range_and_then_it_is_full():
    assert choose_uids(["a"], {1000, 1002, 1003}, {}, (1000, 1003)) == {"a": 1001}
    with pytest.raises(SecureFtpError, match="no free user id between 1000 and 1003"):
        choose_uids(["a", "b"], {1000, 1002, 1003}, {}, (1000, 1003))


@given(
    st.lists(st.text("abcdef", min_size=1), unique=True, max_size=20),
    st.sets(st.integers(990, 1030)),
    st.dictionaries(st.text("abcdef", min_size=1), st.integers(990, 1030)),
)
def test_ids_are_free_distinct_and_nobody_elses(names, used, former):
    chosen = choose_uids(names, used, former, (1000, 1100))
    assert list(sorted(chosen)) == sorted(names)
    assert len(set(chosen.values())) == len(names)
    for name, uid in chosen.items():
        assert 1000 <= uid <= 1100 and uid not in used
        assert uid not in former.values() or former.get(name) == uid


def test_uid_range_is_that_of_login_defs(tmp_path):
    assert uid_range(str(tmp_path)) == (1000, 60000)
    (tmp_path / "login.defs").write_text("# UID_MIN 5\nUID_MIN\t\t 2000\nUID_MAX 0x10\n")
    assert uid_range(str(tmp_path)) == (2000, 60000)


def test_local_only_name_service_is_not_asked(tmp_path):
    (tmp_path / "nsswitch.conf").write_text("passwd: files systemd [NOTFOUND=return]\n")
    assert known_elsewhere(["root"], str(tmp_path)) == []
    (tmp_path / "nsswitch.conf").write_text("passwd: files sss # and more\n")
    assert known_elsewhere(["root", "no-such-user-here"], str(tmp_path)) == ["root"]


class Tools:
    """Stands for the distribution's tools; remembers commands and their standard input."""

    def __init__(self, monkeypatch, results=()):
        self.calls, self.results = [], list(results)
        monkeypatch.setattr(_accounts, "_execute", self)
        monkeypatch.setattr(_accounts, "find_program", lambda name: f"/usr/bin/{name}")

    def __call__(self, command, data=""):
        self.calls.append((list(command), data))
        status = self.results.pop(0) if self.results else 0
        return Output(status, "", "boom: reason\n" if status else "")


def test_accounts_are_created_in_one_pass_except_names_sysusers_refuses(monkeypatch):
    tools = Tools(monkeypatch)
    uids = {"ann": 1000, "b.dot": 1001, "cy": 1002, "3d": 1003, "x" * 32: 1004}
    create_accounts(uids, Group("sftponly", 997, frozenset()), "/usr/sbin/nologin")
    (first, data), *others = tools.calls
    assert first == ["systemd-sysusers", "-"]
    assert data == ("u ann 1000:997 - /nonexistent /usr/sbin/nologin\nu cy 1002:997 - /nonexistent /usr/sbin/nologin\n")
    assert [command[0] for command, _data in others] == ["useradd"] * 3
    assert [command[-1] for command, _data in others] == ["b.dot", "3d", "x" * 32]
    assert "--no-create-home" in others[0][0] and "1001" in others[0][0]
    assert others[0][0][others[0][0].index("--home-dir") + 1] == "/nonexistent"


def test_a_name_that_shadow_or_group_has_goes_to_useradd_which_obeys(monkeypatch):
    tools = Tools(monkeypatch)
    create_accounts({"ann": 1000, "bob": 1001}, Group("sftponly", 997, frozenset()), "/usr/sbin/nologin", ["ann"])
    assert [(command[0], command[-1]) for command, _data in tools.calls] == [
        ("systemd-sysusers", "-"),
        ("useradd", "ann"),
    ]
    assert "ann" not in tools.calls[0][1]


def test_a_shell_that_sysusers_would_misread_goes_to_useradd(monkeypatch):
    tools = Tools(monkeypatch)
    create_accounts({"ann": 1000}, Group("sftponly", 997, frozenset()), "/usr/sbin/no%login")
    assert [command[0] for command, _data in tools.calls] == ["useradd"]


def test_hashes_go_through_standard_input_only(monkeypatch):
    tools = Tools(monkeypatch)
    set_passwords({})
    set_passwords({"ann": "$6$secret", "bob": "*"})
    assert tools.calls == [(["chpasswd", "--encrypted"], "ann:$6$secret\nbob:*\n")]


def test_a_failing_tool_is_quoted_without_its_input(monkeypatch):
    Tools(monkeypatch, [1])
    with pytest.raises(SecureFtpError, match="chpasswd --encrypted: expected success, found exit status 1: boom") as e:
        set_passwords({"ann": "$6$secret"})
    assert "secret" not in str(e.value)


def test_sessions_end_before_and_after_the_account_is_deleted(monkeypatch):
    tools = Tools(monkeypatch, [8, 0, 6])
    ended = []
    monkeypatch.setattr(_accounts, "end_sessions", lambda *who: ended.append((*who, len(tools.calls))))
    users = [Account("ann", 1000, 9, "/h", "/s"), Account("bob", 1001, 9, "/h", "/s")]
    delete_accounts(users, shared={1001})
    assert [command for command, _data in tools.calls] == [
        ["userdel", "--", "ann"],
        ["userdel", "--", "ann"],
        ["userdel", "--force", "--", "bob"],
    ]
    both = {"ann": 1000, "bob": 1001}
    assert ended == [(both, {1001}, 0), ({"ann": 1000}, {1001}, 1), (both, {1001}, 3)]


def test_a_tool_finds_its_input_complete():
    result = _accounts._execute(["sh", "-c", "stat -L -c %s /dev/stdin; cat"], "ann:x\nbob:\udcff\n")
    assert result.out.split("\n")[:2] == ["12", "ann:x"]


def test_the_lock_is_waited_for_with_a_bound(tmp_path):
    path = str(tmp_path / "lock")
    with accounts_lock(path), pytest.raises(SecureFtpError, match="another run"), accounts_lock(path, seconds=0.2):
        pass
    with accounts_lock(path, seconds=0):
        pass


def test_who_waits_in_vain_is_told_what_takes_long(tmp_path):
    path = str(tmp_path / "lock")
    with accounts_lock(path):
        note("the files of Jörg are moved", path)
        with pytest.raises(SecureFtpError, match="found the files of Jörg are moved; wait"), accounts_lock(path, 0):
            pass
    with accounts_lock(path), pytest.raises(SecureFtpError, match="found another run"), accounts_lock(path, 0):
        pass


def test_a_tool_that_outlives_us_holds_the_lock(tmp_path):
    path = str(tmp_path / "lock")
    child = os.fork()
    if child == 0:
        with accounts_lock(path):
            _accounts._execute(["sh", "-c", f"echo > {tmp_path}/started; sleep 2"])
        os._exit(0)
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    with pytest.raises(SecureFtpError, match="another run"), accounts_lock(path, seconds=0.2):
        pass
    with accounts_lock(path, seconds=10):
        pass


def test_reading_some_users_gives_what_reading_all_gives(etc):
    everybody = read_accounts(etc)
    for name in (*everybody.users, "nobody-of-that-name"):
        found = read_accounts(etc, only={name})
        assert found.users.get(name) == everybody.users.get(name)
        assert found.passwords.get(name) == everybody.passwords.get(name)
        assert found.groups == everybody.groups


def test_reading_some_passwords_reads_every_user(etc):
    everybody = read_accounts(etc)
    name = next(iter(everybody.passwords))
    found = read_accounts(etc, passwords_of={name})
    assert found.users == everybody.users
    assert found.passwords == {name: everybody.passwords[name]}


def test_a_file_that_was_replaced_is_read_again(etc):
    before = read_accounts(etc)
    path = os.path.join(etc, "shadow")
    with open(path, encoding="utf-8") as old, open(f"{path}.new", "w", encoding="utf-8") as new:
        new.write(old.read() + "added:$6$x:1:0:99999:7::20000:\n")
    os.rename(f"{path}.new", path)
    assert read_accounts(etc, only={"added"}).passwords == {"added": "$6$x"}
    assert read_accounts(etc).passwords == {**before.passwords, "added": "$6$x"}
    assert read_accounts(etc).expires["added"] == "20000"


@pytest.mark.parametrize(
    ("account", "groups", "words"),
    [
        (Account("ann", 1000, 997, "/", "/s"), {"sftponly"}, None),
        (Account("ann", 1000, 997, "/", "/s"), {"sftponly", "customers"}, None),
        (Account("ann", 999, 997, "/", "/s"), {"sftponly"}, "user id of at least 1000"),
        (Account("ann", 1000, 1000, "/", "/s"), {"ann", "sftponly"}, "run: usermod -g sftponly ann"),
        *(
            (Account("ann", 1000, 997, "/", "/s"), {"sftponly", group}, f"found a member of {group}")
            for group in ("sudo", "adm", "docker", "shadow", "disk", "lxd", "wheel")
        ),
    ],
)
def test_an_account_with_rights_is_nobodys_sftp_user(account, groups, words):
    found = unsuitable(account, groups, Group("sftponly", 997, frozenset()), 1000)
    assert (found is None) == (words is None) and (words is None or words in str(found))


def test_the_members_of_a_group_are_set_at_once(monkeypatch):
    tools = Tools(monkeypatch)
    set_members([("sftponly-ro", ["bob", "ann"]), ("sftponly-up", [])])
    assert [command for command, _data in tools.calls] == [
        ["gpasswd", "--members", "bob,ann", "sftponly-ro"],
        ["gpasswd", "--members", "", "sftponly-up"],
    ]


def test_no_id_is_one_that_systemd_has_reserved() -> None:
    chosen = choose_uids(["ann", "bob", "cy"], {0, 59_999, 65_534}, {}, (1000, 200_000))
    assert chosen == {"ann": 60_000, "bob": 65_536, "cy": 65_537}
    rest = {*range(1000, 60_001), 65_536, 65_537}
    assert choose_uids(["ann"], rest, {}, (1000, 65_538)) == {"ann": 65_538}
    with pytest.raises(SecureFtpError, match="no free user id"):
        choose_uids(["ann"], set(range(1000, 60_001)), {}, (1000, 65_535))


def test_a_comment_is_given_to_both_tools_as_it_is(monkeypatch):
    tools = Tools(monkeypatch)
    group, said = Group("sftponly", 997, frozenset()), 'Jörg "100 %" \\ Müller, 1'
    create_accounts({"ann": 1000, "b.dot": 1001}, group, "/s", gecos={"ann": said, "b.dot": said})
    (_sysusers, data), (useradd, _data) = tools.calls
    assert data == 'u ann 1000:997 "Jörg \\"100 %%\\" \\\\ Müller, 1" /nonexistent /s\n'
    assert useradd[useradd.index("--comment") + 1] == said
    set_gecos({"ann": said})
    assert tools.calls[-1][0] == ["usermod", "--comment", said, "--", "ann"]
    assert read_passwd("ann:x:1000:997:J\udcfcrg,,,:/h:/s").gecos == "J\udcfcrg,,,"


def read_passwd(line):
    return _accounts._parse_passwd([line])["ann"]
