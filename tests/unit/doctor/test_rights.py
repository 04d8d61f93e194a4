# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights that the daemons do not have, and users who may do more by one protocol than by the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import rights as _rights
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import served as _served
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import Finding
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.rights import (
    class_findings,
    limit_findings,
    rights_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import find_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import UserdbService
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import Access
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, parse, with_jail

RO = "sftponly-ro"


def sftp(known: tuple[str, ...] = (), **groups: tuple[str, ...]) -> Sftp:
    """Users ann, bob and cy; ``groups`` are classes with their members, of which sshd knows those of ``known``."""
    names = [Group("sftponly", 997, frozenset())]
    names += [Group(f"sftponly-{name.replace('_', '-')}", 900, frozenset(members)) for name, members in groups.items()]
    users = {
        name: Account(name, 1000 + at, 997, "/nonexistent", "/bin/false")
        for at, name in enumerate(("ann", "bob", "cy"))
    }
    settings = parse(with_jail("", Jail(classes=known)))
    return Sftp("/etc/ssh/sshd_config", settings, Accounts(users, {one.name: one for one in names}, {}))


def said(findings: Any) -> list[tuple[str, str, str]]:
    return [(one.subject, one.what, one.fix) for one in findings]


def test_a_class_is_a_group_and_a_block() -> None:
    assert said(class_findings(sftp((RO,), ro=("ann",)))) == []
    assert said(class_findings(sftp(ro=()))) == [], "a group without members gives nobody anything"


def test_a_class_that_sshd_does_not_know_is_an_error() -> None:
    (finding,) = class_findings(sftp(ro=("ann", "bob"), rw_0027=()))
    assert finding.subject == "right-missing" and finding.severity == "error"
    assert "group sftponly-ro: no Match block before that of sftponly; members ann, bob" in finding.what
    assert finding.fix == "ftp-users edit ann --access read_only && ftp-users edit bob --access read_only"
    (finding,) = class_findings(sftp(rw_0027=("ann",)))
    assert finding.fix == "ftp-users edit ann --access read_write --umask 0027"


def test_a_block_without_its_group_is_a_warning() -> None:
    (finding,) = class_findings(sftp((RO,)))
    assert finding.subject == "right-without-group" and finding.severity == "warning"
    assert finding.fix == "groupadd --system sftponly-ro"


@pytest.fixture
def server(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "users.d").mkdir()
    load(db, {"ann": HASH, "bob": HASH, "alfred": HASH})
    conf = {"write_enable": "YES", "user_config_dir": str(tmp_path / "users.d")}
    found = Server(str(db), None, Homes("/h/$USER", config_directory=conf["user_config_dir"]), "ftp", conf)
    monkeypatch.setattr(_served, "discover", lambda config: found)
    return tmp_path / "users.d"


def examined(host: Sftp) -> list[Finding]:
    instances = [Instance("vsftpd", "/etc/vsftpd.conf", {}), Instance("vsftpd-implicit", "/etc/x.conf", {})]
    return list(rights_findings(find_served(instances), host))


def test_the_same_rights_by_both_protocols_are_right(server: Path) -> None:
    (server / "ann").write_text("write_enable=NO\nlocal_max_rate=5\n")
    (server / "alfred").write_text("write_enable=NO\n")
    assert examined(sftp((RO,), ro=("ann", "cy"))) == []


def test_a_user_with_more_rights_by_one_protocol_is_an_error(server: Path) -> None:
    (server / "ann").write_text("write_enable=NO\n")
    (finding,) = examined(sftp((RO,), ro=("bob",)))
    assert finding.subject == "rights-differ" and finding.severity == "error"
    assert (
        "ann: FTPS read_only, SFTP read_write" in finding.what
        and "bob: FTPS read_write, SFTP read_only" in finding.what
    )
    assert finding.fix == "ftp-users edit ann --access read_only && ftp-users edit bob --access read_only"


def test_another_umask_is_a_difference_too(server: Path) -> None:
    (server / "ann").write_text("local_umask=0027\n")
    (finding,) = examined(sftp())
    assert "ann: FTPS read_write (umask 0027), SFTP read_write" in finding.what
    assert finding.fix == "ftp-users edit ann --access read_write --umask 0027"


@pytest.mark.parametrize(
    ("day", "obeys", "is_found"), [("20849", False, True), ("20849", True, False), ("", False, False)]
)
def test_an_expiry_that_ftps_ignores_is_found(
    server: Path, monkeypatch: pytest.MonkeyPatch, day: str, obeys: bool, is_found: bool
) -> None:
    known = _served.discover("")
    service = UserdbService("/p", "/x", True, False, "/etc/pam.d/ftp", "sftponly" if obeys else "")
    found_server = replace(known, service=service, jail_group="sftponly")
    monkeypatch.setattr(_served, "discover", lambda config: found_server)
    monkeypatch.setattr(_rights, "ACCESS_FILE", str(server))
    jails = sftp()
    jails = replace(jails, accounts=replace(jails.accounts, expires={"ann": day} if day else {}))
    found = list(limit_findings(find_served([Instance("vsftpd", "/etc/vsftpd.conf")]), jails))
    assert [one.subject for one in found] == (["account-ignored"] if is_found else [])
    if is_found:
        assert found[0].fix == "ftp-users edit ann --expires 2027-01-31"


def test_sources_that_nobody_asks_for_are_found(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jails = replace(sftp(), access=Access({"ann": ("192.0.2.1", "2001:db8::/32")}), asks_access="")
    (finding,) = limit_findings([], jails)
    assert (
        finding.subject == "account-ignored" and "/etc/pam.d/sshd: allowed_sources of ann are ignored" in finding.what
    )
    assert finding.fix == "ftp-users edit ann --allowed-sources 192.0.2.1,2001:db8::/32"
    asking = replace(jails, asks_access="sftponly")
    monkeypatch.setattr(_rights, "ACCESS_FILE", str(server))
    assert list(limit_findings([], asking)) == []
    monkeypatch.setattr(_rights, "ACCESS_FILE", str(server / "none"))
    (finding,) = limit_findings([], asking)
    assert finding.subject == "sources-missing"
