# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds in a server's sshd before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import sshd as _preflight_sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.sshd import sshd_problems

VARIABLES = {"sshd_chroot_group": "sftponly", "sshd_chroot_directory": "/home/sftp"}
USERS = [{"name": "grace", "password": "secret"}, {"name": "tapes", "protocols": ["ftps"]}]


@pytest.fixture
def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The problems of a host with that sshd_config, whose sshd says ``values`` of everybody, and those accounts."""
    (tmp_path / "group").write_text("sftponly:x:900:\nsudo:x:27:root2\n")
    (tmp_path / "shadow").write_text("")
    monkeypatch.setattr(_preflight_sshd, "prepare_host", lambda: None)
    monkeypatch.setattr(_preflight_sshd, "find_program", lambda name: "/usr/sbin/sshd")

    def examine(text="", users=None, values=None, passwd="", variables=None) -> list[str]:
        (tmp_path / "sshd_config").write_text(text)
        (tmp_path / "passwd").write_text(passwd)
        monkeypatch.setattr(_preflight_sshd, "effective", lambda user, path: values or {})
        users, variables = users or USERS, variables or VARIABLES
        return sshd_problems(variables, users, str(tmp_path / "sshd_config"), str(tmp_path))

    return examine


def test_a_host_that_is_ready(problems):
    assert problems("Port 22\n") == []
    assert problems(passwd="grace:x:1000:900::/nonexistent:/usr/sbin/nologin\n") == []


def test_a_list_of_allowed_groups_is_found_and_the_file_that_holds_it(problems, tmp_path):
    """AllowGroups in a drop-in: the run stopped after thirteen changes, and named the wrong file."""
    (tmp_path / "10-hardening.conf").write_text("AllowGroups ssh-users\n")
    (found,) = problems(f"Include {tmp_path}/10-*.conf\n", values={"allowgroups": ["ssh-users"]})
    assert found == (
        "sshd, for user 'grace': allowgroups: expected one of sftponly, found ssh-users (set at"
        f" {tmp_path}/10-hardening.conf:1); correct that line"
    )
    assert problems(values={"allowgroups": ["ssh-users"]}, users=USERS[1:]) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"denyusers": ["gr*"]}, "denyusers: expected grace not to match"),
        ({"allowusers": ["olivia"]}, "allowusers"),
        ({"denygroups": ["sftponly"]}, "denygroups"),
        ({"authenticationmethods": ["publickey,password"]}, "authenticationmethods: expected password alone"),
    ],
)
def test_whatever_else_keeps_users_out(problems, values, words):
    (found,) = problems(values=values)
    assert words in found


def test_a_jail_with_other_values_is_found(problems, tmp_path):
    (found,) = problems("Match Group sftponly\n  ChrootDirectory /srv/sftp/%u\n  PasswordAuthentication yes\n")
    assert f"{tmp_path}/sshd_config:2: ChrootDirectory" in found and "sshd_chroot_directory" in found


def test_an_administrator_is_found(problems):
    (found,) = problems(
        users=[{"name": "root2", "password": "x"}], passwd="root2:x:1001:900::/root2:/usr/sbin/nologin\n"
    )
    assert "user 'root2': expected an account without rights on the host, found a member of sudo" in found


def test_a_host_without_sshd_or_a_play_without_sftp(problems, monkeypatch):
    assert problems("AllowGroups x\n", values={"allowgroups": ["x"]}, variables={"vsftpd_port": 21}) == []
    monkeypatch.setattr(_preflight_sshd, "find_program", lambda name: None)
    assert problems("AllowGroups x\n", values={"allowgroups": ["x"]}) == []
