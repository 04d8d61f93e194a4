# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS users who are accounts of the host, each with the home of both protocols."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import apply
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import BEGIN, END
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.plan import (
    DropFiles,
    EndSessions,
    WriteFiles,
    WriteRecords,
    after,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import kinds, plan
from .test_rights import DIRECTORY, SERVER, files, there

ONE = replace(SERVER, homes=Homes("/home/sftp/$USER", config_directory=DIRECTORY), has_accounts=True)


def own(name: str, *more: str) -> str:
    return "\n".join([BEGIN, f"guest_username={name}", f"local_root=/home/sftp/{name}", *more, END]) + "\n"


def test_every_user_has_a_file_with_the_account_and_the_home() -> None:
    found = plan(there(at=ONE), User("ann", password_hash=HASH), User("bob", password_hash=HASH, access="read_only"))
    assert kinds(found) == [WriteFiles, WriteRecords], "no directory: it belongs to the account"
    assert files(found) == {"ann": own("ann"), "bob": own("bob", "write_enable=NO")}
    assert found.outcome.added == ["ann", "bob"] and found.outcome.homes == [] and found.new_directories == ()
    assert not plan(after(found), User("ann"), User("bob")).outcome.changed


def test_a_file_that_is_missing_or_wrong_is_made_right_and_the_session_ends() -> None:
    known = there("ann", "bob", "cy", at=ONE, bob=own("cy"), cy=own("cy"))
    found = plan(known, User("ann"), User("bob"), User("cy"))
    assert kinds(found) == [WriteFiles, EndSessions]
    assert files(found) == {"ann": own("ann"), "bob": own("bob")}
    assert found.outcome.changed_users == {"ann": ["home"], "bob": ["home"]}


def test_a_right_is_added_to_the_account() -> None:
    known = there("ann", at=ONE, ann=own("ann"))
    found = plan(known, User("ann", umask="0027"))
    assert files(found) == {"ann": own("ann", "local_umask=0027")}
    assert found.outcome.changed_users == {"ann": ["umask"]}


def test_a_removed_user_loses_the_file_after_the_record_and_no_directory() -> None:
    known = there("ann", at=ONE, ann=own("ann"))
    found = plan(known, User("ann", present=False), remove_home=True)
    assert kinds(found) == [WriteRecords, DropFiles, EndSessions] and found.deletions == ()
    assert files(found, DropFiles) == {"ann": ""}


def test_a_directory_of_the_administrators_choice_is_refused() -> None:
    with pytest.raises(SecureFtpError, match="ann:1: expected local_root=/home/sftp/ann, found local_root=/srv/ann"):
        plan(there("ann", at=ONE, ann="local_root=/srv/ann\n"), User("ann"))


def test_a_host_that_changes_over_leaves_the_users_who_have_moved_where_they_are() -> None:
    known = there("ann", "bob", ann=own("ann"))
    assert plan(known, User("ann"), User("bob")).steps == ()
    found = plan(known, User("ann", access="read_only"), User("bob", access="read_only"))
    assert files(found) == {"ann": own("ann", "write_enable=NO"), "bob": f"{BEGIN}\nwrite_enable=NO\n{END}\n"}
    assert known.described("ann")["home"] == "/home/sftp/ann"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "pam.d").mkdir()
    (tmp_path / "pam.d" / "ftp").write_text("auth required pam_userdb.so db=/x/users crypt=crypt\n")
    (tmp_path / "sshd_config").write_text(with_jail("", Jail(classes=("sftponly-ftps",))))
    configure(tmp_path, "/home/sftp/$USER")
    return tmp_path


def configure(host: Path, root: str) -> None:
    (host / "vsftpd.conf").write_text(f"local_root={root}\nuser_sub_token=$USER\nuser_config_dir={DIRECTORY}\n")


def found(host: Path, **options: str) -> Server:
    places = {"config": str(host / "vsftpd.conf"), "pam_directory": str(host / "pam.d")}
    return discover(**places, sshd_config=str(host / "sshd_config"), **options)


def test_a_server_has_accounts_if_both_daemons_say_so(host: Path) -> None:
    assert found(host).has_accounts
    assert not found(host, local_root="/home/vftp/$USER").has_accounts
    configure(host, "/home/vftp/$USER")
    assert not found(host).has_accounts and found(host, local_root="/home/sftp/$USER").has_accounts
    configure(host, "/home/sftp/$USER")
    (host / "sshd_config").write_text(with_jail("", Jail()))
    assert not found(host).has_accounts, "somebody else has put directories of FTPS there"
    (host / "sshd_config").unlink()
    assert not found(host).has_accounts


def test_another_database_is_not_of_this_server(host: Path) -> None:
    assert found(host, db="/x/users.db").has_accounts and not found(host, db="/y/users").has_accounts
    (host / "pam.d" / "ftp").write_text("auth required pam_deny.so\n")
    assert found(host, db="/x/users.db").has_accounts, "before the service is written"


def test_sessions_are_those_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(apply, "end_ftps_sessions", lambda homes: ended.extend(homes) or [])
    assert apply.end_sessions(["ann", "../x"], ONE) == [] and ended == ["/home/sftp/ann"]
