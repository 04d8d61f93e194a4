# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PAM service of FTPS logins."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import pam

PLAIN = """\
#%PAM-1.0
auth    required pam_userdb.so db=/etc/vsftpd/users
account required pam_userdb.so db=/etc/vsftpd/users
session required pam_permit.so
"""
HASHED = PLAIN.replace("db=/etc/vsftpd/users\naccount", "db=/etc/vsftpd/users crypt=crypt\naccount")


def service(directory: Path, text: str, name: str = "vsftpd.virtual") -> pam.UserdbService | None:
    (directory / name).write_text(text)
    return pam.find_userdb(name, str(directory))


@pytest.mark.parametrize(
    ("line", "hashed", "plaintext"),
    [
        ("auth required pam_userdb.so db=/x/users crypt=crypt", True, False),
        ("auth required pam_userdb.so crypt=crypt db=/x/users # crypt=none", True, False),
        ("-auth [success=1 default=ignore] /lib/security/pam_userdb.so [db=/x/users] crypt=crypt", True, False),
        ("auth required pam_userdb.so db=/x/users", False, True),
        ("auth required pam_userdb.so db=/x/users # crypt=crypt", False, True),
        ("auth required pam_userdb.so db=/x/users crypt=hash", False, True),
        ("auth required pam_userdb.so db=/x/users crypt=none", False, True),
        (
            "auth sufficient pam_userdb.so db=/x/users crypt=crypt\nauth required pam_userdb.so db=/x/users",
            True,
            True,
        ),
    ],
)
def test_what_lets_somebody_in(tmp_path: Path, line: str, hashed: bool, plaintext: bool) -> None:
    found = service(tmp_path, line + "\n")
    path = str(tmp_path / "vsftpd.virtual")
    assert found == pam.UserdbService(path, "/x/users", hashed, plaintext, path)


@pytest.mark.parametrize(
    "text",
    ["", "auth required pam_unix.so\n", "# auth required pam_userdb.so db=/x\n", "auth required pam_userdb.so\n"],
)
def test_a_service_without_a_database(tmp_path: Path, text: str) -> None:
    assert service(tmp_path, text) is None


def test_the_account_line_alone_compares_no_passwords(tmp_path: Path) -> None:
    assert service(tmp_path, "account required pam_userdb.so db=/x\n") is None


@pytest.mark.parametrize("include", ["@include users", "auth include users", "auth substack users"])
def test_includes_are_followed(tmp_path: Path, include: str) -> None:
    (tmp_path / "users").write_text(PLAIN)
    found = service(tmp_path, f"{include}\n")
    assert found is not None and found.path == str(tmp_path / "users")


def test_includes_in_a_circle_end(tmp_path: Path) -> None:
    assert service(tmp_path, "@include vsftpd.virtual\n") is None


def test_a_missing_service_is_none(tmp_path: Path) -> None:
    assert pam.find_userdb("none", str(tmp_path)) is None


@pytest.mark.parametrize("name", ["", "../passwd", ".hidden", "/etc/passwd"])
def test_a_service_is_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SecureFtpError, match="PAM service"):
        pam.find_userdb(name, str(tmp_path))


def test_the_switch_goes_over_both_to_hashes_only(tmp_path: Path) -> None:
    found = service(tmp_path, PLAIN)
    assert found is not None
    path = Path(found.path)
    path.chmod(0o640)
    os.chown(path, 0, 34)
    assert pam.allow_both(found) == PLAIN.encode()
    lines = path.read_text().splitlines()
    assert lines[2:4] == [
        "auth    sufficient pam_userdb.so db=/etc/vsftpd/users",
        "auth    required pam_userdb.so db=/etc/vsftpd/users crypt=crypt",
    ]
    both = pam.find_userdb("vsftpd.virtual", str(tmp_path))
    assert both is not None and both.hashed and both.plaintext
    pam.allow_both(both)
    assert path.read_text().splitlines() == lines
    pam.allow_hashes_only(both)
    assert path.read_text() == HASHED
    facts = path.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_gid) == (0o640, 34)
    pam.allow_hashes_only(both)
    assert path.read_text() == HASHED


def test_the_old_file_can_be_restored(tmp_path: Path) -> None:
    found = service(tmp_path, PLAIN)
    assert found is not None
    pam.restore(found, pam.allow_both(found))
    assert Path(found.path).read_text() == PLAIN


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("auth required pam_userdb.so db=/x crypt=none", "auth required pam_userdb.so db=/x crypt=crypt"),
        ("auth required pam_userdb.so crypt=hash db=/x", "auth required pam_userdb.so db=/x crypt=crypt"),
        ("auth required pam_userdb.so db=/x  # mine", "auth required pam_userdb.so db=/x crypt=crypt # mine"),
    ],
)
def test_a_wrong_crypt_is_put_right(tmp_path: Path, before: str, after: str) -> None:
    found = service(tmp_path, before)
    assert found is not None
    pam.allow_hashes_only(found)
    assert Path(found.path).read_text() == after


def test_a_file_of_somebody_else_is_copied_before_it_is_changed_and_ours_is_not(tmp_path: Path) -> None:
    theirs = service(tmp_path, PLAIN)
    assert theirs
    pam.allow_both(theirs)
    pam.allow_hashes_only(theirs)
    assert [copy.read_text() for copy in tmp_path.glob("vsftpd.virtual.*~")] == [PLAIN]
    mark = "# Managed by Ansible (role secure_ftp.server.pam_userdb): changes made here are lost.\n"
    ours = service(tmp_path, PLAIN.replace("auth ", f"{mark}auth ", 1), "ours")
    assert ours
    pam.allow_both(ours)
    assert list(tmp_path.glob("ours.*")) == []
