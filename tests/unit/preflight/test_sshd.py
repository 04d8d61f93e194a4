# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds in a server's sshd before anything is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import sshd as _preflight_sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.sshd import sshd_problems
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail

root = pytest.mark.skipif(os.geteuid() != 0, reason="hands directories over")
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
        settings = Settings.parse(variables)
        return list(map(str, sshd_problems(settings, users, str(tmp_path / "sshd_config"), str(tmp_path))))

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


PASSWD = "grace:x:1000:900::/nonexistent:/usr/sbin/nologin\nwww:x:33:33::/var/www:/usr/sbin/nologin\n"


@pytest.fixture
def jailed(problems, tmp_path):
    """The problems of a host with a jail, made as by the role, in which grace's home is as given."""
    (tmp_path / "jail").mkdir(mode=0o711)
    (tmp_path / "jail/grace").mkdir()
    directories = {"sshd_chroot_directory": str(tmp_path / "jail"), "sshd_chroot_keys_directory": str(tmp_path / "k")}

    def examine(owner=(0, 0), mode=0o700, passwd=PASSWD, ours=False) -> list[str]:
        os.chown(tmp_path / "jail/grace", *owner)
        os.chmod(tmp_path / "jail/grace", mode)
        jail = Jail(directory=directories["sshd_chroot_directory"])
        return problems(with_jail("", jail) if ours else "", variables=directories, passwd=passwd)

    return examine


@root
@pytest.mark.parametrize(
    ("owner", "mode", "by_hand", "ours"),
    [
        ((1000, 900), 0o700, "", ""),
        ((1000, 33), 0o2770, "chown 1000:900", ""),
        ((33, 33), 0o755, "chown root:root", "chown root:root"),
        ((0, 0), 0o755, "chown root:root", ""),
        ((0, 0), 0o700, "", ""),
        ((4242, 4242), 0o755, "", ""),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_directory_that_would_become_a_home_is_found(jailed, owner, mode, by_hand, ours, exists, tmp_path):
    passwd = PASSWD if exists else PASSWD.partition("\n")[2]
    if not exists and owner[0] == 1000:
        by_hand = ""  # of a user id that is free: a home left, which comes back to its user
    for expected, is_ours in ((by_hand, False), (ours, True)):
        found = jailed(owner, mode, passwd, is_ours)
        assert len(found) == bool(expected), found
        if expected:
            assert f"{tmp_path}/jail/grace exists already, owner {owner[0]}" in found[0] and expected in found[0]


@root
def test_a_directory_that_would_become_the_jail_is_found(problems, tmp_path):
    (tmp_path / "jail").mkdir(mode=0o755)
    directory = str(tmp_path / "jail")
    given = {"sshd_chroot_directory": directory, "sshd_chroot_keys_directory": str(tmp_path / "k")}
    (found,) = problems(variables=given)
    assert f"sshd_chroot_directory: {directory} exists already, owner 0, group 0, mode 0755" in found
    assert f"chown root:root {directory} && chmod 0711 {directory}" in found
    assert problems(with_jail("", Jail(directory=directory)), variables=given) == [], "ours is mended"
    os.chmod(directory, 0o711)
    assert problems(variables=given) == []


@pytest.fixture
def by_hand(problems, tmp_path):
    """A jail made by hand, whose user grace logs in with a key in her home directory."""
    keys = tmp_path / "home/.ssh/authorized_keys"
    keys.parent.mkdir(parents=True)
    keys.write_text("ssh-ed25519 AAAA grace\n")
    passwd = f"grace:x:1000:900::{tmp_path}/home:/usr/sbin/nologin\nheidi:x:1001:900::/home/heidi:/usr/sbin/nologin\n"
    variables = {"sshd_chroot_directory": "/home/sftp", "sshd_chroot_keys_directory": str(tmp_path / "k")}

    def examine(users=None, text="", said=".ssh/authorized_keys .ssh/authorized_keys2") -> list[str]:
        everybody = users or [{"name": "ivan", "password": "x"}]
        return problems(text, everybody, {"authorizedkeysfile": [said]}, passwd, variables)

    return examine


@pytest.mark.parametrize(
    "said", [".ssh/authorized_keys .ssh/authorized_keys2", "%h/.ssh/authorized_keys", "%h/.ssh/%%", ""]
)
def test_keys_that_sshd_would_no_longer_read_are_found(by_hand, tmp_path, said):
    keys, new = tmp_path / "home/.ssh/authorized_keys", tmp_path / "k/grace"
    if "%%" in said:
        keys = keys.rename(keys.with_name("%"))
    found = by_hand(said=said)
    assert len(found) == bool(said), found
    if said:
        assert f"sshd_chroot_keys_directory: sshd reads keys of grace in {keys}" in found[0]
        assert f"install -D -m 0644 {keys} {new}" in found[0]
        new.parent.mkdir()
        new.write_text("")
        assert by_hand(said=said) == [], "copied, or on purpose none"


def test_keys_that_are_given_anyway_are_not_missed(by_hand, tmp_path):
    assert by_hand([{"name": "grace", "authorized_keys": ["ssh-ed25519 AAAA"]}]) == []
    assert by_hand([{"name": "grace", "state": "absent"}]) == []
    assert len(by_hand([{"name": "grace", "password": "x"}])) == 1
    ours = Jail(directory="/home/sftp", keys_directory=str(tmp_path / "k"))
    assert by_hand(text=with_jail("", ours)) == []
    moved = Jail(directory="/home/sftp", keys_directory="/etc/ssh/old")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/grace").write_text("ssh-ed25519 AAAA\n")
    assert len(by_hand(text=with_jail("", moved), said=f"{tmp_path}/old/%u")) == 1, "another directory is no better"
    (tmp_path / "home/.ssh/authorized_keys").write_text("")
    assert by_hand() == []


def test_an_administrator_is_found(problems):
    (found,) = problems(
        users=[{"name": "root2", "password": "x"}], passwd="root2:x:1001:900::/root2:/usr/sbin/nologin\n"
    )
    assert "user 'root2': expected an account without rights on the host, found a member of sudo" in found


ADMINISTRATOR = "root2:x:1001:900::/root2:/usr/sbin/nologin\n"


def test_an_administrator_who_is_to_go_is_found(problems):
    (found,) = problems(users=[{"name": "root2", "state": "absent"}], passwd=ADMINISTRATOR)
    assert "user 'root2': expected an account without rights on the host" in found
    assert problems(users=[], passwd=ADMINISTRATOR) == []
    purging = {"sshd_chroot_directory": "/home/sftp", "ftp_users_purge": True}
    (found,) = problems(users=[], passwd=ADMINISTRATOR, variables=purging)
    assert "root2" in found


def test_an_account_of_the_host_that_has_a_wanted_name_is_found(problems):
    (found,) = problems(users=[{"name": "olga", "password": "x"}], passwd="olga:x:1001:1001::/home/olga:/bin/bash\n")
    assert "user 'olga': expected a new name or a member of the group sftponly" in found
    assert (
        problems(users=[{"name": "olga", "password": "x", "protocols": ["ftps"]}], passwd="olga:x:1001:1001::/:/x\n")
        == []
    )


def test_a_host_without_sshd_or_a_play_without_sftp(problems, monkeypatch):
    assert problems("AllowGroups x\n", values={"allowgroups": ["x"]}, variables={"vsftpd_port": 21}) == []
    monkeypatch.setattr(_preflight_sshd, "find_program", lambda name: None)
    assert problems("AllowGroups x\n", values={"allowgroups": ["x"]}) == []


@pytest.mark.parametrize("limit", [{"allowed_sources": ["192.0.2.1"]}, {"expires": "2027-01-31"}])
def test_a_limit_needs_an_sshd_that_asks_pam(problems, limit):
    users = [{"name": "ann", "password": "Sommer2026!!", **limit}]
    assert problems("UsePAM yes\n", users) == []
    (found,) = problems("UsePAM no\n", users)
    assert "sshd_config:1: expected UsePAM yes" in found and f"or leave {next(iter(limit))} out" in found
    assert problems("UsePAM no\n", [{**users[0], **dict.fromkeys(limit)}]) == []


@pytest.mark.parametrize(
    "given",
    [{"quota": "10G"}, {"quota_files": 1000}, {"comment": "Ann"}, {"expires": "never"}, {"allowed_sources": []}],
)
def test_what_limits_no_log_in_needs_no_pam(problems, given):
    users = [{"name": "ann", "password": "Sommer2026!!", **given}]
    assert problems("UsePAM no\n", users) == []


def test_a_user_who_is_removed_is_not_limited(problems):
    assert problems("UsePAM no\n", [{"name": "ann", "state": "absent", "expires": "2027-01-31"}]) == []
