# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on PAM services, databases made by db_load, and directories."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import ftps_users as _doctor_users
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import served as _served
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.ftps_users import (
    directory_findings,
    lock_findings,
    server_findings,
    user_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Users, find_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server, discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import journal, transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.repair import repair
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import leads_out

ME = pwd.getpwuid(os.geteuid()).pw_name
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="sound files belong to root")


class Place:
    """A server below ``root``: PAM directory, database, configuration and directories, sound until broken."""

    def __init__(self, root):
        self.pam = root / "pam.d"
        self.database = root / "etc" / "users.db"
        self.homes = root / "vftp"
        self.config = root / "vsftpd.conf"
        for directory in (self.pam, self.database.parent, self.homes):
            directory.mkdir()
        options = f"guest_enable=YES\nguest_username={ME}\npam_service_name=ftps\nlocal_root={self.homes}/$USER\n"
        self.config.write_text(options + "user_sub_token=$USER\n")
        self.service("auth required pam_userdb.so db={} crypt=crypt\n")
        self.users({"batman": HASH})

    def service(self, text: str) -> None:
        (self.pam / "ftps").write_text(text.replace("{}", str(self.database.with_suffix(""))))

    def users(self, records) -> None:
        load(self.database, records)
        self.database.chmod(0o600)
        for name in records:
            if "/" not in name:
                (self.homes / name).mkdir(mode=0o700, exist_ok=True)

    @property
    def instance(self) -> Instance:
        return Instance("vsftpd", str(self.config), options=parse(self.config.read_text()))

    def findings(self) -> list:
        return list(user_findings([self.instance], pam_directory=str(self.pam)))

    def subjects(self) -> list[str]:
        return [finding.subject for finding in self.findings()]


@pytest.fixture
def place(tmp_path, monkeypatch):
    # What pytest puts above is not this server's.
    monkeypatch.setattr(_doctor_users, "unsafe_components", lambda path: iter(()))
    monkeypatch.setattr(_doctor_users, "PAM_MODULES", ("/",))
    monkeypatch.setattr(transaction, "LOCK_FILE", str(tmp_path / "lock"))
    monkeypatch.setattr(journal, "PATH", str(tmp_path / "var" / "unfinished.json"))
    return Place(tmp_path)


def test_a_sound_server(place):
    assert place.subjects() == []


def test_local_users_need_no_database(place):
    place.config.write_text("guest_enable=NO\npam_service_name=missing\n")
    assert place.subjects() == []


def test_a_server_without_users_needs_no_database_yet(place):
    place.database.unlink()
    assert place.subjects() == ["database-missing"], "a directory says there were users"
    (place.homes / "batman").rmdir()
    assert place.subjects() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "pam-missing"),
        ("", "pam-no-database"),
        ("auth required pam_unix.so\n", "pam-no-database"),
        ("account required pam_userdb.so db={}\n", "pam-no-database"),
        ("auth required pam_userdb.so db={}\n", "pam-plaintext"),
        ("auth required pam_userdb.so db={} crypt=none\n", "pam-plaintext"),
        ("auth required pam_userdb.so db={} crypt=crypt\nauth required pam_userdb.so db={}\n", "pam-plaintext"),
    ],
)
def test_the_pam_service(place, text, expected):
    place.service(text or "")
    if text is None:
        (place.pam / "ftps").unlink()
    assert place.subjects() == [expected]


def test_the_module_is_missing(place, monkeypatch, tmp_path):
    monkeypatch.setattr(_doctor_users, "PAM_MODULES", (f"{tmp_path}/*/nothing.so",))
    assert place.subjects() == ["pam-module-missing"]


def test_plaintext_is_said_once_where_pam_compares_plaintext_too(place):
    place.service("auth required pam_userdb.so db={}\n")
    place.users({"joker": "ha ha"})
    (finding,) = place.findings()
    assert finding.subject == "plaintext-records", "switching PAM alone would lock the user out"
    assert "joker" in finding.what and "ha ha" not in str(finding)


def test_a_password_behind_an_exclamation_mark_is_plaintext_and_a_locked_hash_is_not(place):
    place.users({"batman": f"!{HASH}"})
    assert place.subjects() == []
    place.users({"joker": "!secret"})
    assert place.subjects() == ["plaintext-records"]


def test_the_text_file_a_hand_made_database_was_loaded_from(place):
    text = place.database.with_name("users.txt")
    text.write_text("joker\nha ha\nbatman\nbat-Cave!1\n")
    (finding,) = place.findings()
    assert (finding.subject, finding.fix) == ("plaintext-file", f"shred -u -- {text}")
    assert "bat-Cave" not in str(finding)
    for harmless in (f"batman\n{HASH}\n", "nobody\nknown\n", "batman\n\n", "bat", "note\nbatman\n", ""):
        text.write_text(harmless)
        assert place.subjects() == []


@pytest.mark.parametrize("name", ["..", ".", "../batman", "a/b", "", "a\0b"])
def test_names_that_lead_out(name):
    assert leads_out(name) and not leads_out(f"bat.man{len(name)}")


def test_such_a_name_is_found_and_repaired_and_its_directory_not_looked_at(place):
    place.users({"../etc": HASH})
    assert place.subjects() == ["user-name"]
    done = repair(str(place.database))
    assert (done.users, done.damaged_file, done.removed) == (1, None, ["../etc"])
    assert place.subjects() == []


def test_a_damaged_database_is_found_and_repaired(place):
    place.users({f"user{number}": HASH for number in range(500)})
    content = place.database.read_bytes()
    place.database.write_bytes(content[: len(content) // 2])
    assert place.subjects() == ["database-damaged"]
    done = repair(str(place.database))
    assert 0 < done.users < 501 and os.path.exists(done.damaged_file) and str(done.users) in str(done)
    assert place.subjects() == [] and len(read(str(place.database)).all()) == done.users


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_an_open_database(place, mode):
    place.database.chmod(mode)
    (finding,) = place.findings()
    assert finding.subject == "database-exposed"
    subprocess.run(finding.fix, shell=True, check=True)
    assert place.subjects() == []


def test_directories(place):
    place.users({name: HASH for name in ("missing", "file", "link", "foreign", "open")})
    for name in ("missing", "file", "link"):
        (place.homes / name).rmdir()
    (place.homes / "file").write_text("")
    (place.homes / "link").symlink_to("/etc")
    os.chown(place.homes / "foreign", 12345, 12345)
    (place.homes / "open").chmod(0o750)
    place.homes.chmod(0o555)  # as this library makes it
    findings = {finding.subject: finding for finding in place.findings()}
    assert list(findings) == ["ftps-directory-missing", "ftps-directory-owner", "ftps-directory-open"]
    for name in ("missing", "file", "link"):
        assert f"{place.homes}/{name}" in findings["ftps-directory-missing"].what
    for subject in ("ftps-directory-owner", "ftps-directory-open"):
        subprocess.run(findings[subject].fix, shell=True, check=True)
    assert place.subjects() == ["ftps-directory-missing"]


def test_an_unsafe_directory_above(tmp_path):
    tmp_path.chmod(0o777)
    findings = list(directory_findings(Homes(f"{tmp_path}/$USER"), ME, [], {}))
    assert [(one.subject, one.where) for one in findings if str(tmp_path) == one.where] == [
        ("ftps-root-unsafe", str(tmp_path))
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="hands directories over")
def test_the_fix_never_changes_directories_that_somebody_else_lives_by(tmp_path):
    """The sites of a web server: a run keeps their owners, groups and modes, and so must what the check prints."""
    www, shop = tmp_path / "www", tmp_path / "www/shop"
    shop.mkdir(parents=True)
    guest = pwd.getpwnam("www-data")
    for above, home in (((guest.pw_uid, 50, 0o2775), (50, 0o2775)), ((0, 50, 0o2775), (guest.pw_gid, 0o755))):
        os.chown(www, *above[:2])
        www.chmod(above[2])
        os.chown(shop, guest.pw_uid, home[0])
        shop.chmod(home[1])
        before = [os.stat(path)[:6] for path in (www, shop)]
        findings = list(directory_findings(Homes(f"{www}/$USER"), "www-data", ["shop"], {}))
        findings = [one for one in findings if one.where in (str(www), str(shop))]
        assert [one.subject for one in findings] == ["ftps-root-unsafe", "ftps-directory-open"]
        for finding in findings:
            subprocess.run(finding.fix, shell=True, check=True)
        assert [os.stat(path)[:6] for path in (www, shop)] == before


def test_thousands_of_users_without_directories_are_one_finding(place):
    names = [f"user{number}" for number in range(3000)]
    server = Server(str(place.database), None, Homes(f"{place.homes}/$USER"), ME)
    load(place.database, {name: HASH for name in names})
    (finding,) = server_findings(server, Users(server.database))
    assert "and 2995 more" in finding.what and finding.fix.endswith("run ftp-users check again")
    assert len(finding.fix) < 5000


def test_a_lock_on_one_protocol_only(place):
    place.users({"batman": f"!{HASH}", "robin": HASH, "alfred": f"!{HASH}"})
    users = {name: Account(name, uid, 900, "/", "/bin/false") for uid, name in enumerate(("batman", "robin", "alfred"))}
    accounts = Accounts(
        users,
        {"sftponly": Group("sftponly", 900, frozenset())},
        dict.fromkeys(users, HASH),
        {"robin": "1", "alfred": "1"},
    )
    instance = place.instance
    text = (place.pam / "ftps").read_text()

    def here(**options):
        return discover(**options, pam_directory=str(place.pam))

    assert "crypt=crypt" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_served, "discover", here)
        (finding,) = lock_findings(find_served([instance]), Sftp("/etc/ssh/sshd_config", [], accounts))
    assert finding.subject == "half-locked"
    assert "batman: locked over FTPS only" in finding.what and "robin: locked over SFTP only" in finding.what
    assert finding.fix == "ftp-users lock batman && ftp-users lock robin"


def test_a_database_that_is_a_link_is_not_damaged(place, tmp_path):
    real = tmp_path / "state" / "users.db"
    real.parent.mkdir()
    place.database.rename(real)
    place.database.symlink_to(real)
    (finding,) = place.findings()
    assert finding.subject == "database-link" and str(real) in finding.what
    subprocess.run(finding.fix, shell=True, check=True)
    assert f"db={real.with_suffix('')} crypt=crypt" in (place.pam / "ftps").read_text()
    assert place.subjects() == []


def test_a_link_does_not_hide_what_is_wrong_with_the_real_file(place, tmp_path):
    real = tmp_path / "users.db"
    place.database.rename(real)
    place.database.symlink_to(real)
    real.chmod(0o644)
    assert place.subjects() == ["database-link", "database-exposed"]


def test_a_directory_of_a_users_own_file_is_looked_at(place, tmp_path):
    own, shop = tmp_path / "users.d", tmp_path / "shop"
    own.mkdir()
    (own / "batman").write_text(f"local_root={shop}\n")
    with place.config.open("a") as file:
        file.write(f"user_config_dir={own}\n")
    (place.homes / "batman").rmdir()
    (finding,) = place.findings()
    assert finding.subject == "ftps-directory-missing" and str(shop) in finding.what
    shop.mkdir(mode=0o755)
    assert place.subjects() == []
    (own / "batman").chmod(0o666)
    (finding,) = place.findings()
    assert finding.subject == "config-writable" and str(own / "batman") in finding.what


def test_passwords_of_users_of_another_database_are_found(place):
    load(place.database.with_name("old.db"), {"bob": "Bob-pass-1"})
    logins = place.database.with_name("logins.txt")
    logins.write_text("bob\nBob-pass-1\n")
    (finding,) = place.findings()
    assert finding.subject == "plaintext-file" and str(logins) in finding.what


def test_a_users_own_file_that_is_no_file(place, tmp_path):
    (tmp_path / "users.d" / "batman").mkdir(parents=True)
    with place.config.open("a") as file:
        file.write(f"user_config_dir={tmp_path}/users.d\n")
    assert place.subjects() == ["user-file-unusable"]
