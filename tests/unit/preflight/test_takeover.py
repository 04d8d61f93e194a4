# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says of a server that somebody else set up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import takeover

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="sound directories belong to root")
WANTED = {
    "listen": True,
    "local_root": "/home/vftp/$USER",
    "pasv_min_port": 50000,
    "local_umask": "077",
    "rsa_cert_file": "/etc/vsftpd/server.crt",
    "listen_port": 21,
    "vsftpd_log_file": "/var/log/vsftpd.log",
    "pasv_address": None,
}


class Server:
    """A server below ``root`` that somebody set up."""

    def __init__(self, root: Path) -> None:
        self.root, self.pam = root, root / "pam.d"
        self.pam.mkdir()
        (root / "etc").mkdir()
        self.text = ""
        self.variables = {
            "pam_userdb_db": str(root / "etc/users.db"),
            "vsftpd_pam_service": "vsftpd.virtual",
            "vsftpd_local_root": str(root / "vftp/$USER"),
            "vsftpd_guest_username": "nobody",
        }

    def database(self, name: str, users: list[str], service: str = "vsftpd.virtual", more: str = "") -> Path:
        path = load(self.root / "etc" / f"{name}.db", {user: HASH for user in users})
        line = f"required pam_userdb.so db={path.with_suffix('')} crypt=crypt\n"
        (self.pam / service).write_text(f"{more}auth {line}account {line}session required pam_loginuid.so\n")
        return path

    def problems(self, *names: str, **variables: object) -> list[str]:
        instance = Instance("vsftpd", str(self.root / "vsftpd.conf"), options=parse(self.text), text=self.text)
        found = takeover.takeover_problems(
            Settings.parse({**self.variables, **variables}),
            [{"name": name, "password": "x"} for name in names],
            {"/etc/vsftpd.conf": WANTED},
            [instance] if self.text else [],
            str(self.pam),
            str(self.root / "no.service"),
        )
        return list(map(str, found))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_bare_host_has_nothing_to_lose(server):
    assert server.problems("batman") == []


def test_what_this_collection_wrote_is_not_asked_about(server):
    server.text = "# Managed by Ansible (secure_ftp.server.vsftpd_config): changes made here are lost.\nlisten=NO\n"
    assert server.problems() == []


def test_settings_that_would_change_are_named_with_the_variables_that_keep_them(server):
    server.text = (
        "listen=yes\nlisten_port=2121\nlocal_umask=077\nlocal_root=/srv/$USER\nuser_config_dir=/etc/u\nbanner_file=/b\n"
        "rsa_cert_file=/etc/ssl/real.pem\nvsftpd_log_file=/l\nsecure_chroot_dir=/x\npasv_address=\n"
    )
    (problem,) = server.problems()
    assert "6 of its settings would change: listen_port=2121 (would be 21), local_root=/srv/$USER" in problem
    assert "user_config_dir=/etc/u (would be left out)" in problem
    keep = problem.partition("to keep them set ")[2].partition("; to continue anyway")[0]
    assert keep == (
        '{"vsftpd_port": "2121", "vsftpd_local_root": "/srv/$USER", "vsftpd_certificate_source": "files",'
        ' "vsftpd_rsa_cert_file": "/etc/ssl/real.pem", "vsftpd_log_file": "/l",'
        ' "vsftpd_options": {"user_config_dir": "/etc/u", "banner_file": "/b"}}'
    )
    assert server.problems(vsftpd_replace_existing=True) == []


def test_users_of_another_database_are_counted_and_named(server):
    old = server.database("old", ["bob", "sue", "batman"])
    (problem,) = server.problems("batman")
    assert "2 users in it could no longer log in" in problem and "bob, sue" in problem and str(old) in problem
    assert server.problems("batman", "bob", "sue") == [], "all of them come along"
    assert server.problems(pam_userdb_db=str(old)) == []
    assert server.problems(vsftpd_replace_existing="true") == []


def test_the_service_in_use_counts_whatever_its_name(server):
    server.database("old", ["bob"], service="ftps")
    server.text = "pam_service_name=ftps\n"
    (problem,) = server.problems()
    assert "the PAM service of" in problem and "bob" in problem


def test_other_lines_of_the_pam_file_would_be_lost(server):
    old = server.database("old", ["bob"], more="auth required pam_access.so\n")
    (problem,) = server.problems(pam_userdb_db=str(old))
    assert "auth required pam_access.so" in problem and "pam_loginuid" not in problem


def test_a_database_that_cannot_be_read_is_not_passed_over(server):
    server.database("old", ["bob"]).write_bytes(b"x" * 9000)
    (problem,) = server.problems()
    assert "which cannot be read" in problem


def test_a_name_from_their_database_cannot_write_on_the_terminal(server):
    server.database("old", ["b\x1b[31m"])
    (problem,) = server.problems()
    assert "\x1b" not in problem and "\\x1b[31m" in problem


def test_a_directory_that_would_change_hands_is_named(server):
    home = server.root / "vftp" / "bob"
    home.mkdir(parents=True)
    assert server.problems("bob") == [], "root's is handed over"
    os.chown(home, 1, 1)
    (problem,) = server.problems("bob")
    assert str(home) in problem and "vsftpd_guest_username: daemon" in problem
    assert server.problems("bob", vsftpd_guest_username="daemon") == []


def test_a_directory_in_which_others_could_replace_the_database(server):
    (server.root / "etc").chmod(0o775)
    (problem,) = server.problems()
    assert "users other than root could replace the database" in problem


def test_a_mask_of_somebody_else_is_not_taken_off(tmp_path):
    mask, mark = tmp_path / "vsftpd.service", tmp_path / "mark"
    assert list(takeover._mask_problems(str(mask), str(mark))) == []
    mask.symlink_to("/dev/null")
    assert len(list(takeover._mask_problems(str(mask), str(mark)))) == 1
    mark.touch()
    assert list(takeover._mask_problems(str(mask), str(mark))) == []


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_unit_of_somebody_else_is_not_masked(tmp_path, kind, marked):
    """Ansible makes no link of a file, so the run would stop half-way; a link to somewhere else would be lost."""
    mask, mark = tmp_path / "vsftpd.service", tmp_path / "mark"
    if kind == "file":
        mask.write_text("[Service]\nExecStart=/usr/local/sbin/vsftpd /usr/local/etc/vsftpd.conf\n")
    else:
        mask.symlink_to("/usr/local/lib/vsftpd.service")
    if marked:  # by a run of an earlier version, which broke off here
        mark.touch()
    (problem,) = takeover._mask_problems(str(mask), str(mark), lambda: False)
    assert problem.subject == str(mask)
    assert "rename it" in problem.remedy and "vsftpd_replace_existing: true" in problem.remedy
    assert list(takeover._mask_problems(str(mask), str(mark), lambda: True)) == [], "nothing is masked then"


def test_the_package_is_there_when_dpkg_says_so(monkeypatch):
    said = {"installed": True, "config-files": False, "not-installed": False, "": False}
    for status, there in said.items():
        monkeypatch.setattr(takeover, "run_command", lambda _command, status=status: Output(0, status, ""))
        assert takeover._is_installed() == there


def test_a_unit_of_somebody_else_is_neither_replaced_nor_removed(server):
    unit = server.root / "no.service"
    unit.write_text("[Service]\nExecStart=/usr/sbin/vsftpd /etc/theirs.conf\n")
    (problem,) = server.problems()
    assert str(unit) in problem and "replaced or removed" in problem
    unit.write_text("# Managed by Ansible (role secure_ftp.server.vsftpd): changes made here are lost.\n[Unit]\n")
    assert server.problems() == []
