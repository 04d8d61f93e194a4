# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of the homes, by ftp_users_home and by what the host has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.homes import NEW, Live, as_one, layout

BARE = Live()
EMPTY = Live(ftps=True, jail=True)
USED = Live(ftps=True, users=True, jail=True)
ONE = Live(one=True, ftps=True, users=True, jail=True)


def found(home: str, live: Live, roles: Any = None, **variables: Any) -> tuple[str, str]:
    which, problems = layout(Settings.parse({"ftp_users_home": home, **variables}), live, roles)
    return which, "; ".join(map(str, problems))


@pytest.mark.parametrize(
    ("home", "live", "which"),
    [
        ("auto", BARE, NEW),
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
    assert found("auto", BARE, sshd_chroot_directory="/srv/files") == (NEW, "")


def test_without_a_jail_there_is_no_home_in_it() -> None:
    alone = ["vsftpd", "pam_userdb"]
    assert found("auto", BARE, alone) == ("per_protocol", "")
    assert "the role sshd_chroot in the play" in found("one", BARE, alone)[1]
    assert found("one", Live(jail=True), alone) == ("one", "")
    assert found("auto", ONE, alone) == ("one", "")
    assert found("one", USED, ["firewall"]) == ("per_protocol", "") and found("one", BARE, ["firewall"])[1] == ""


def test_the_other_checks_look_at_the_home() -> None:
    settings = Settings.parse({"vsftpd_local_root": "/home/vftp/$USER", "sshd_chroot_directory": "/srv/files"})
    other, changed = as_one(settings, {"/etc/vsftpd.conf": {"local_root": "/home/vftp/$USER", "listen": True}})
    assert changed == {"/etc/vsftpd.conf": {"local_root": "/srv/files/$USER", "listen": True}}
    assert other.get("vsftpd_local_root") is None and other.ftp_users_home == "one"
