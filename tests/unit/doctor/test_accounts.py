# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host where each user has one account and one home: files that vsftpd needs, and accounts that cannot log in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import ftps_users, sftp_users
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import served as _served
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.accounts import account_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Member
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.rights import (
    class_findings,
    limit_findings,
    rights_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Users, find_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server

from .test_rights import said, sftp

SHUT = "sftponly-ftps"
VSFTPD = [Instance("vsftpd", "/etc/vsftpd.conf")]


@pytest.fixture
def server(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    (tmp_path / "users.d").mkdir()
    load(db, {"ann": HASH, "bob": HASH})
    conf = {"write_enable": "YES", "user_config_dir": str(tmp_path / "users.d")}
    homes = Homes("/home/sftp/$USER", config_directory=conf["user_config_dir"])
    found = Server(str(db), None, homes, "ftp", conf, has_accounts=True)
    monkeypatch.setattr(_served, "discover", lambda config: found)
    for name in ("ann", "bob"):
        write(found, name, name)
    return found


def write(server: Server, name: str, account: str, more: str = "") -> None:
    text = f"guest_username={account}\nlocal_root=/home/sftp/{account}\n{more}"
    Path(server.user_files, name).write_text(text)


def test_everybody_has_an_account_and_a_file(server: Server) -> None:
    assert said(account_findings(find_served(VSFTPD), sftp((SHUT,), ftps=("ann",)))) == []


def test_a_file_that_is_missing_or_names_somebody_else(server: Server) -> None:
    Path(server.user_files, "ann").unlink()
    write(server, "bob", "ann")
    (finding,) = account_findings(find_served(VSFTPD), sftp((SHUT,), ftps=()))
    assert finding.subject == "user-file-wrong" and finding.what.startswith("ann, bob:")
    assert finding.fix == "ftp-users one-home"


def test_a_user_without_an_account(server: Server) -> None:
    found = sftp((SHUT,), ftps=())
    users = {name: one for name, one in found.accounts.users.items() if name != "bob"}
    (finding,) = account_findings(find_served(VSFTPD), replace(found, accounts=replace(found.accounts, users=users)))
    assert (finding.subject, finding.where) == ("user-account-missing", "bob")


def test_a_name_that_leads_elsewhere_is_left_to_the_check_of_names(server: Server) -> None:
    load(Path(server.database), {"ann": HASH, "bob": HASH, "../ann": HASH})
    assert said(account_findings(find_served(VSFTPD), sftp((SHUT,), ftps=()))) == []


def test_without_the_class_of_sshd_nobody_is_told_to_give_the_homes_to_the_guest(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor to give a password to an account that must not log in."""
    lost = replace(server, has_accounts=False)
    monkeypatch.setattr(ftps_users, "directory_findings", lambda _homes, _guest, names, _files: iter(names))
    assert "bob" not in list(ftps_users.server_findings(lost, Users(lost.database)))
    Path(server.user_files, "bob").unlink()
    assert "bob" in list(ftps_users.server_findings(lost, Users(lost.database)))
    assert sftp((), ftps=("ann",)).shut == {"ann"}


def test_an_account_that_cannot_log_in_is_no_half_of_a_user(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sftp((SHUT,), ftps=("ann",))
    write(server, "ann", "ann", "write_enable=NO\n")
    assert found.shut == {"ann"} and said(rights_findings(find_served(VSFTPD), found)) == []
    load(Path(server.database), {"ann": f"!{HASH}"})
    assert said(ftps_users.lock_findings(find_served(VSFTPD), found)) == []
    member = Member(found.accounts.users["bob"], ("sftponly",), False, False)
    assert "account-pending" in str(list(sftp_users.account_findings([member], found.accounts)))


def test_a_class_that_sshd_does_not_know_lets_them_in() -> None:
    (finding,) = class_findings(sftp(ftps=("ann",)))
    assert finding.subject == "right-missing" and finding.fix.endswith("secure_ftp.server.site --tags sshd_chroot")


def test_a_server_that_cannot_be_read_is_left_to_the_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    def discover(config: str) -> Server:
        raise SecureFtpError("db", found="no pam_userdb line")

    monkeypatch.setattr(_served, "discover", discover)
    assert said(account_findings(find_served(VSFTPD), sftp((SHUT,), ftps=("ann",)))) == []


def test_everything_is_read_once_for_all_checks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    for what in ("read", "read_files"):
        real = getattr(_served, what)
        monkeypatch.setattr(_served, what, lambda *of, what=what, real=real: read.append(what) or real(*of))
    served, found = find_served([*VSFTPD, Instance("vsftpd-implicit", "/etc/vsftpd-implicit.conf")]), sftp((SHUT,))
    list(ftps_users.user_findings([], served))
    for examine in (ftps_users.lock_findings, rights_findings, limit_findings, account_findings):
        list(examine(served, found))
    list(ftps_users.server_findings(server, served[0].users))
    assert sorted(read) == ["read", "read_files"]
