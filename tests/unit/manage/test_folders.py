# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared folders and FTPS: only a session that runs as the user himself, in the home that SFTP has, gets a folder."""
# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders import state
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import SharedFolder
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import by_module, journal, transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.folders import two_homes, upload_only
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Plan
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User
from manage.test_manager import Host, Killed, host  # noqa: F401  # pylint: disable=unused-import

FOLDERS = [SharedFolder("projects", ("batman",), ("alfred",))]


def server(root: str, users: Path, guest: str = "ftp") -> Server:
    return Server("/etc/vsftpd/users.db", None, Homes(root, "$USER", str(users)), guest)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    for name in ("batman", "alfred"):
        (tmp_path / name).write_text(f"guest_username={name}\n")
    return tmp_path


def test_one_home_is_fine(users: Path) -> None:
    assert two_homes(FOLDERS, {"batman", "alfred"}, server("/home/sftp/$USER", users), "/home/sftp") == []


def test_users_without_ftps_are_fine(users: Path) -> None:
    assert two_homes(FOLDERS, {"robin"}, server("/home/vftp/$USER", users), "/home/sftp") == []
    assert two_homes(FOLDERS, {"batman"}, None, "/home/sftp") == []


@pytest.mark.parametrize("root", ["/home/vftp/$USER", "/home/sftp", "/home/sftp/$USER/ftp"])
def test_another_home_is_a_problem_with_the_way_out(users: Path, root: str) -> None:
    found = two_homes(FOLDERS, {"batman"}, server(root, users), "/home/sftp")
    assert len(found) == 1 and "user 'batman'" in str(found[0])
    assert "/home/sftp/batman" in str(found[0]) and "protocols: [sftp]" in str(found[0])


def test_a_session_of_the_guest_account_is_a_problem(tmp_path: Path) -> None:
    """It would read what it may not write, and would not end when the user leaves."""
    (found,) = two_homes(FOLDERS, {"alfred"}, server("/home/sftp/$USER", tmp_path), "/home/sftp")
    assert "user 'alfred'" in str(found) and "account ftp" in str(found)


def test_an_absent_folder_asks_for_nothing(users: Path) -> None:
    gone = [SharedFolder("projects", present=False)]
    assert two_homes(gone, {"batman"}, server("/home/vftp/$USER", users), "/home/sftp") == []


def test_upload_only_and_a_folder_exclude_each_other() -> None:
    """Its umask keeps files from being overwritten, and has no effect in a folder."""
    rights = {"batman": "upload_only", "alfred": "read_only"}
    (found,) = upload_only(FOLDERS, lambda name: rights[name])
    assert "user 'batman'" in str(found) and "upload_only" in str(found)
    assert upload_only([SharedFolder("projects", present=False)], lambda name: rights[name]) == []


def test_nobody_in_a_folder_becomes_upload_only(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.manager.add("batman", password="geheim geheim")
    monkeypatch.setattr(state, "folders_of_all", lambda: {"batman": ["projects"]})
    with pytest.raises(SecureFtpError, match="'batman'.*projects"):
        host.manager.edit("batman", access="upload_only")
    host.manager.add("robin", password="geheim geheim", protocols=["sftp"], access="upload_only")


# --- a user who is deleted ------------------------------------------------------------------------------------------


@pytest.fixture
def left(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order."""
    seen: list[str] = []

    def delete(plan: Plan) -> list[str]:
        seen.append("delete")
        return []

    host.manager.add("batman", password="geheim geheim")
    monkeypatch.setattr(transaction, "leave", lambda names: seen.extend(f"leave {name}" for name in sorted(names)))
    for side in (host.sftp, host.ftps):
        monkeypatch.setattr(side, "delete", delete)
    return seen


def test_a_removal_takes_the_user_out_of_shared_folders_before_files_are_deleted(host: Host, left: list[str]) -> None:
    (host.homes / "batman").mkdir(parents=True, exist_ok=True)
    host.manager.delete("batman", remove_home=True)
    assert left[:2] == ["leave batman", "delete"]


def test_a_plan_of_a_removal_takes_nobody_out(host: Host, left: list[str]) -> None:
    by_module.change("ftp_users", [User("batman", present=False)], [host.sftp, host.ftps], check_mode=True)
    assert left == []


def test_a_removal_that_was_killed_before_is_finished(
    host: Host, left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(names: Sequence[str]) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(transaction, "leave", dies)
        patch.setattr(journal, "remove", lambda path: None)
        patch.setattr(transaction.Transaction, "_undo", lambda *arguments: None)
        host.manager.delete("batman")
    assert left == []
    host.manager.add("robin", password="geheim geheim")
    assert left[0] == "leave batman"
