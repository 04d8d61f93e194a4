# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about the rights of FTPS users, and what becomes of their files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import HASH, dump, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import personal, server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import BEGIN, END, Personal
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.plan import (
    DropFiles,
    EndSessions,
    WriteFiles,
    WriteRecords,
    after,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import Stored, describe
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import OTHER, kinds, plan, stored

DIRECTORY = "/etc/vsftpd/users.d"
CONF = {"write_enable": "YES", "virtual_use_local_privs": "YES", "local_umask": "077", "user_config_dir": DIRECTORY}
SERVER = Server("/etc/vsftpd/users.db", None, Homes("/home/vftp/$USER", config_directory=DIRECTORY), "ftp", CONF)
READ_ONLY = f"{BEGIN}\nwrite_enable=NO\n{END}\n"


def there(*names: str, at: Server = SERVER, **files: str) -> Stored:
    """The users ``names``, and ``files`` of user_config_dir by name."""
    found = {name: Personal(f"{DIRECTORY}/{name}", text) for name, text in files.items()}
    return stored(dict.fromkeys(names, HASH), server=at, files=found)


def files(found: Any, kind: type = WriteFiles) -> dict[str, str]:
    return {
        Path(path).name: text for step in found.steps if isinstance(step, kind) for path, text in step.files.items()
    }


def test_the_usual_rights_need_no_file() -> None:
    users = (User("ann"), User("bob", access="read_write", umask="default", ftps_max_rate=0))
    assert plan(there("ann", "bob"), *users).steps == ()
    assert plan(stored({"ann": HASH}), User("ann", access="read_write")).steps == (), "nor a directory for files"


def test_a_right_is_a_file_and_ends_the_sessions_of_that_user() -> None:
    users = (User("ann", access="read_only"), User("bob", umask="0027", ftps_max_rate=10), User("cy"))
    found = plan(there("ann", "bob", "cy"), *users)
    assert kinds(found) == [WriteFiles, EndSessions]
    assert files(found)["ann"] == READ_ONLY and "local_umask=0027\nlocal_max_rate=10\n" in files(found)["bob"]
    assert found.outcome.changed_users == {"ann": ["access"], "bob": ["umask", "ftps_max_rate"]}
    assert found.outcome.unchanged == ["cy"] and found.steps[-1] == EndSessions(("ann", "bob"))
    assert not plan(after(found), *users).outcome.changed
    assert plan(after(found), User("ann", access="read_write")).outcome.changed_users == {"ann": ["access"]}


def test_the_file_is_there_before_the_record_and_goes_after_it() -> None:
    new = plan(there(), User("ann", access="read_only", password_hash=HASH), create_home=False)
    assert kinds(new) == [WriteFiles, WriteRecords] and new.outcome.added == ["ann"]
    gone = plan(there("ann", ann=READ_ONLY), User("ann", present=False))
    assert kinds(gone)[:2] == [WriteRecords, DropFiles] and files(gone, DropFiles) == {"ann": ""}
    assert after(gone).files == {}


def test_lines_of_an_operator_outlive_the_user() -> None:
    known = there("ann", "bob", ann=f"local_root=/srv/ann\n{READ_ONLY}", bob=READ_ONLY)
    purged = plan(known, purge=True)
    assert files(purged, DropFiles) == {"ann": "local_root=/srv/ann\n", "bob": ""}
    assert files(plan(known, User("ann", protocols=("sftp",))), DropFiles) == {"ann": "local_root=/srv/ann\n"}


def test_what_is_not_named_stays() -> None:
    known = there("ann", ann=f"{BEGIN}\nwrite_enable=NO\nlocal_max_rate=7\n{END}\n")
    assert plan(known, User("ann")).steps == ()
    assert files(plan(known, User("ann", umask="0077")))["ann"] == (
        f"{BEGIN}\nwrite_enable=NO\nlocal_umask=0077\nlocal_max_rate=7\n{END}\n"
    )
    assert files(plan(known, User("ann", access="read_write", ftps_max_rate=0))) == {"ann": ""}


def test_a_new_user_gets_nothing_that_an_earlier_one_of_that_name_had() -> None:
    known = there(ann=f"local_root=/srv/ann\n{READ_ONLY}")
    assert files(plan(known, User("ann", password_hash=HASH))) == {"ann": "local_root=/srv/ann\n"}
    by_hand = there(ann="write_enable=NO\n")
    assert files(plan(by_hand, User("ann", password_hash=HASH))) == {}
    given = files(plan(by_hand, User("ann", password_hash=HASH, umask="0027")))
    assert given == {"ann": f"write_enable=NO\n{BEGIN}\nlocal_umask=0027\n{END}\n"}


def test_a_line_of_an_operator_that_contradicts_is_an_error_before_any_change() -> None:
    with pytest.raises(SecureFtpError, match=r"/etc/vsftpd/users\.d/ann:1: expected write_enable=YES"):
        plan(there("ann", ann="write_enable=NO\n"), User("ann", access="read_write"))


@pytest.mark.parametrize(
    "at",
    [
        Server("/x.db", None, Homes("/h/$USER"), "ftp", {**CONF, "user_config_dir": ""}),
        Server("/x.db", None, None, "ftp"),
    ],
)
def test_without_a_directory_for_files_there_are_no_other_rights(at: Server) -> None:
    with pytest.raises(
        SecureFtpError, match="user 'ann': expected user_config_dir in vsftpd.conf.*apply the role vsftpd"
    ):
        plan(there("ann", at=at), User("ann", access="read_only"))
    assert plan(there("ann", at=at), User("ann", access="read_write", umask="default", ftps_max_rate=0)).steps == ()


def test_the_rights_are_part_of_the_user() -> None:
    known = there("ann", ann=READ_ONLY)
    user = known.user("ann")
    assert (user.access, user.umask, user.ftps_max_rate) == ("read_only", "default", 0)
    described = known.described("ann")
    assert described is not None and described["access"] == "read_only" and described["ftps_max_rate"] == 0


# --- on a real host ------------------------------------------------------------------------------------------------


@pytest.fixture
def host(db: Path, tmp_path: Path) -> Server:
    tmp_path.chmod(0o755)
    conf = {**CONF, "user_config_dir": str(tmp_path / "users.d")}
    homes = Homes(str(tmp_path / "homes" / "$USER"), config_directory=conf["user_config_dir"])
    return Server(str(db), None, homes, "nobody", conf)


def change(backend: Ftps, *users: User) -> Any:
    return backend.apply(backend.plan(backend.stored([one.name for one in users]), users)).outcome


def test_a_file_is_written_for_root_and_removed_when_it_is_not_needed(host: Server, tmp_path: Path) -> None:
    backend = Ftps(host, Rules(rounds=1000))
    change(backend, User("ann", password_hash=HASH, access="read_only"), User("bob", password_hash=HASH))
    path = tmp_path / "users.d" / "ann"
    assert path.read_text() == READ_ONLY and [one.name for one in path.parent.iterdir()] == ["ann"]
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o644)
    assert path.parent.stat().st_mode & 0o7777 == 0o755
    assert [one["access"] for one in describe(host)["users"]] == ["read_only", "read_write"]
    assert change(backend, User("ann", access="read_write")).changed_users == {"ann": ["access"]}
    assert not path.exists()


def test_what_was_there_is_restored_to_the_byte(host: Server, tmp_path: Path) -> None:
    load(Path(host.database), {"ann": HASH, "bob": HASH, "cy": HASH})
    directory = tmp_path / "users.d"
    directory.mkdir()
    old = {"ann": f"# mine \udcff\n\n{READ_ONLY}".encode("utf-8", "surrogateescape"), "bob": b"local_root=/srv/b"}
    for name, data in old.items():
        (directory / name).write_bytes(data)
    backend = Ftps(host, Rules(rounds=1000))
    before = {name: backend.stored([name]).user(name) for name in ("ann", "bob", "cy")}
    change(backend, *(User(name, access="upload_only") for name in before))
    assert all(b"download_enable=NO" in one.read_bytes() for one in directory.iterdir())
    backend.restore(before)
    assert {one.name: one.read_bytes() for one in directory.iterdir()} == old


def test_a_file_changed_by_hand_is_read_again(host: Server, tmp_path: Path) -> None:
    backend = Ftps(host, Rules(rounds=1000))
    change(backend, User("ann", password_hash=HASH, access="read_only"))
    known = backend.stored(["ann"])
    assert backend.is_current(known)
    (tmp_path / "users.d" / "ann").write_text("write_enable=YES\n# much longer\n")
    assert not backend.is_current(known)
    known = backend.stored(["ann", "bob"])
    (tmp_path / "users.d" / "bob").write_text("")
    assert not backend.is_current(known)


def test_a_removed_user_leaves_no_file(host: Server, tmp_path: Path) -> None:
    backend = Ftps(host, Rules(rounds=1000))
    change(backend, User("ann", password_hash=HASH, access="read_only"))
    change(backend, User("ann", present=False))
    assert dump(Path(host.database)) == {} and os.listdir(tmp_path / "users.d") == []


def test_many_users_of_the_usual_rights_are_not_looked_up_one_by_one(
    host: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"user{number}" for number in range(500)]
    load(Path(host.database), dict.fromkeys(names, HASH))
    (tmp_path / "users.d").mkdir()
    (tmp_path / "users.d" / "user7").write_text(READ_ONLY)
    read: list[str] = []
    real = personal._read
    monkeypatch.setattr(personal, "_read", lambda path: read.append(path) or real(path))
    assert sum(one["access"] == "read_only" for one in describe(host)["users"]) == 1
    backend = Ftps(host, Rules(rounds=1000, create_home=False))
    users = [User(name, password_hash=HASH, access="read_write") for name in names if name != "user7"]
    assert not backend.plan(backend.stored(names), users).outcome.changed
    assert set(read) == {str(tmp_path / "users.d" / "user7")} and len(read) <= 3


def test_the_server_knows_its_configuration(tmp_path: Path) -> None:
    conf = tmp_path / "vsftpd.conf"
    conf.write_text(f"write_enable=YES\nuser_config_dir={tmp_path}\n")
    found = server.discover(db="/x", config=str(conf))
    assert found.options is not None and found.options["write_enable"] == "YES" and found.user_files == str(tmp_path)
    assert replace(found, options=None).user_files == ""
    assert OTHER
