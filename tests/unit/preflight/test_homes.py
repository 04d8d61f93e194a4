# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of the homes, by ftp_users_home and by what the host has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import homes
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.homes import Live, as_one, layout, read_live

BARE = Live()
EMPTY = Live(ftps=True, accounts=True)
USED = Live(ftps=True, users=True, accounts=True)
ONE = Live(one=True, ftps=True, users=True, accounts=True)


def found(home: str, live: Live, roles: Any = None, tagged: Any = (), **variables: Any) -> tuple[str, str]:
    which, problems = layout(Settings.parse({"ftp_users_home": home, **variables}), live, roles, tagged)
    return which, "; ".join(map(str, problems))


@pytest.mark.parametrize(
    ("home", "live", "which"),
    [
        ("auto", BARE, "one"),
        ("auto", EMPTY, "per_protocol"),
        ("auto", USED, "per_protocol"),
        ("auto", ONE, "one"),
        ("one", BARE, "one"),
        ("one", EMPTY, "one"),
        ("one", ONE, "one"),
        ("per_protocol", BARE, "per_protocol"),
        ("per_protocol", USED, "per_protocol"),
    ],
)
def test_which_layout_a_host_gets(home: str, live: Live, which: str) -> None:
    assert found(home, live) == (which, "")


def test_no_run_moves_files() -> None:
    which, said = found("one", USED)
    assert which == "per_protocol" and "ftp-users one-home" in said and "playbooks/one_home.yml" in said
    assert "nothing separates their files again" in found("per_protocol", ONE)[1]


def test_directories_of_the_administrators_choice() -> None:
    own = {"vsftpd_local_root": "/srv/ftp/$USER"}
    assert found("auto", BARE, **own) == ("per_protocol", "")
    assert "vsftpd_local_root: expected /home/sftp/$USER" in found("one", BARE, **own)[1]
    assert found("one", BARE, vsftpd_local_root="/home/sftp/$USER") == ("one", "")
    assert found("auto", BARE, sshd_chroot_directory="/srv/files") == ("one", "")


def test_without_a_jail_there_is_no_home_in_it() -> None:
    alone = ["vsftpd", "pam_userdb"]
    assert found("auto", BARE, alone) == ("per_protocol", "")
    assert "the role sshd_chroot in the play" in found("one", BARE, alone)[1]
    assert found("one", Live(accounts=True), alone) == found("auto", Live(accounts=True), alone) == ("one", "")
    assert found("auto", ONE, alone) == ("one", "")
    assert found("one", USED, ["firewall"]) == ("per_protocol", "") and found("one", BARE, ["firewall"])[1] == ""


@pytest.mark.parametrize("roles", [["vsftpd"], ["sshd_chroot"], ["pam_userdb"], ["sshd_chroot", "pam_userdb"]])
def test_a_part_of_a_new_server_is_as_before(roles: list[str]) -> None:
    """Otherwise vsftpd would start users in a jail that no later run makes, or the later run another layout."""
    assert found("auto", BARE, roles) == ("per_protocol", "")
    assert found("auto", BARE, ["vsftpd", "sshd_chroot"]) == ("one", "")


def test_tags_leave_a_part_of_the_roles_and_every_contradiction() -> None:
    everything = ["vsftpd", "sshd_chroot", "pam_userdb", "firewall"]
    for tagged, which in ((["vsftpd", "pam_userdb"], "per_protocol"), (["vsftpd", "sshd_chroot"], "one"), ([], "one")):
        assert found("auto", BARE, everything, tagged=tagged) == (which, "")
    assert "the role sshd_chroot in the play" in found("one", BARE, everything, tagged=["vsftpd"])[1]
    for tagged in ([], ["vsftpd"], ["sshd_chroot"]):
        assert "nothing separates their files again" in found("per_protocol", ONE, everything, tagged=tagged)[1]


def test_the_other_checks_look_at_the_home() -> None:
    settings = Settings.parse({"vsftpd_local_root": "/home/vftp/$USER", "sshd_chroot_directory": "/srv/files"})
    other, changed = as_one(settings, {"/etc/vsftpd.conf": {"local_root": "/home/vftp/$USER", "listen": True}})
    assert changed == {"/etc/vsftpd.conf": {"local_root": "/srv/files/$USER", "listen": True}}
    assert other.get("vsftpd_local_root") is None and other.ftp_users_home == "one"


@pytest.fixture
def lost(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose users work as their own accounts, and whose sshd has lost the class of those of FTPS only."""
    (tmp_path / "users.d").mkdir()
    (tmp_path / "users.d/ann").write_text("guest_username=ann\nlocal_root=/home/sftp/ann\n")
    load(db, {"ann": HASH})
    options = {"user_config_dir": str(tmp_path / "users.d")}
    at = Homes("/home/sftp/$USER", config_directory=options["user_config_dir"])
    found = Server(str(db), None, at, "ftp", options)
    monkeypatch.setattr(homes, "discover", lambda: found)
    monkeypatch.setattr(homes, "read_settings", lambda: ())
    return found


def test_a_configuration_of_sshd_that_was_lost_hides_nobodys_files(lost: Server) -> None:
    """The run mends it; with another layout vsftpd would start users in empty directories."""
    assert read_live(Settings()) == Live(True, True, True, False)
    Path(lost.user_files, "ann").write_text("write_enable=NO\n")
    assert read_live(Settings()) == Live(ftps=True), "a server made by hand, whose guest has directories there"
