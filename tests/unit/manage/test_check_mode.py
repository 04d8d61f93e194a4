# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a bare host: what the roles before the task about users would have written is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import backends, by_module
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

USERS = [
    User("both-2718", password_hash=HASH),
    User("onlyftps-2718", password_hash=HASH, protocols=("ftps",), access="read_only"),
]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The outcomes by protocol of check mode with that ``local_root``."""
    monkeypatch.setattr(server, "CONFIGS", ())
    (tmp_path / "sshd_config").write_text("UsePAM yes\n")
    sftp = {"group": "sftponly-2718", "directory": str(tmp_path / "jail"), "config": str(tmp_path / "sshd_config")}

    def plan(local_root: str, users: list[User], check_mode: bool = True) -> dict[str, Outcome]:
        where = {"db": str(tmp_path / "users.db"), "local_root": local_root, "guest_username": "root"}
        found = backends.chosen(where, Rules(), sftp, ["ftps", "sftp"], check_mode)
        return by_module.change("ftp_users", users, found, check_mode=True)

    return plan


def test_with_one_home_accounts_are_planned_and_no_directory_of_the_guest(planned: Any, tmp_path: Path) -> None:
    said = planned(f"{tmp_path}/jail/$USER", USERS)
    assert said["ftps"].added == [user.name for user in USERS] and said["ftps"].homes == []
    assert said["sftp"].homes == [str(tmp_path / "jail" / user.name) for user in USERS]
    assert "onlyftps-2718: account without log-in by SFTP: new account, group without log-in" in said["sftp"].after
    assert said["sftp"].added == ["both-2718"]


def test_with_two_homes_there_is_a_directory_of_the_guest_and_no_more(planned: Any, tmp_path: Path) -> None:
    said = planned(f"{tmp_path}/ftps/$USER", USERS)
    assert said["ftps"].homes == [str(tmp_path / "ftps" / user.name) for user in USERS]
    assert said["sftp"].homes == [str(tmp_path / "jail/both-2718")]


def test_only_check_mode_takes_the_configuration_for_granted(planned: Any, tmp_path: Path) -> None:
    with pytest.raises(SecureFtpError, match="user_config_dir in vsftpd.conf"):
        planned(f"{tmp_path}/ftps/$USER", USERS, check_mode=False)
