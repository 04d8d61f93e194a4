# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery of the live configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import server as discovery

CONF = """\
# a comment
local_root=/home/vftp/$USER
user_sub_token=$USER
guest_username=nobody
pam_service_name=vsftpd.virtual
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "pam.d").mkdir()
    (tmp_path / "pam.d" / "vsftpd.virtual").write_text("auth required pam_userdb.so db=/x/users crypt=crypt\n")
    path = tmp_path / "vsftpd.conf"
    path.write_text(CONF)
    return path


def discover(config: Path | None, **options: str) -> discovery.Server:
    directory = str(config.parent / "pam.d") if config else "/nonexistent"
    return discovery.discover(config=str(config) if config else None, pam_directory=directory, **options)


def test_everything_is_discovered(config: Path) -> None:
    server = discover(config)
    assert server.database == "/x/users.db" and server.guest == "nobody"
    assert server.service is not None and server.service.hashed
    assert server.homes is not None
    assert (server.homes.root, server.homes.of("robin")) == ("/home/vftp", "/home/vftp/robin")


def test_what_is_given_counts(config: Path) -> None:
    server = discover(config, db="/y/other.db", local_root="/srv/$USER", guest_username="ftp")
    assert (server.database, server.guest) == ("/y/other.db", "ftp")
    assert server.homes is not None and server.homes.of("robin") == "/srv/robin"
    assert server.service is None, "the service reads another database"


def test_the_same_database_with_or_without_suffix_keeps_the_service(config: Path) -> None:
    assert discover(config, db="/x/users").service is not None
    assert discover(config, db="/x/users.db").service is not None


@pytest.mark.parametrize(
    ("pattern", "token", "root", "home", "shared"),
    [
        ("/home/vftp/$USER", "$USER", "/home/vftp", "/home/vftp/robin", False),
        ("/home/vftp/$USER/", "$USER", "/home/vftp", "/home/vftp/robin/", False),
        ("/home/$USER/ftp", "$USER", None, "/home/robin/ftp", False),
        ("/home/$USER/$USER", "$USER", None, "/home/robin/robin", False),
        ("/srv/ftp", "$USER", None, "/srv/ftp", True),
        ("/srv/$USER", "", None, "/srv/$USER", True),
    ],
)
def test_homes(pattern: str, token: str, root: str | None, home: str, shared: bool) -> None:
    homes = discovery.Homes(pattern, token)
    assert (homes.root, homes.of("robin"), homes.shared) == (root, home, shared)


def test_defaults_are_those_of_vsftpd(config: Path) -> None:
    config.write_text("")
    (config.parent / "pam.d" / "ftp").write_text("auth required pam_userdb.so db=/z crypt=crypt\n")
    server = discover(config)
    assert (server.database, server.guest, server.homes) == ("/z.db", "ftp", None)


def test_a_bare_host_with_db_given_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "CONFIGS", ("/nonexistent/vsftpd.conf",))
    server = discover(None, db="/x/users")
    assert (server.database, server.service, server.homes) == ("/x/users.db", None, None)


def test_a_bare_host_without_db_says_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "CONFIGS", ("/nonexistent/vsftpd.conf",))
    with pytest.raises(SecureFtpError, match="no vsftpd configuration at /nonexistent/vsftpd.conf"):
        discover(None)


def test_a_service_without_database_is_named(config: Path) -> None:
    (config.parent / "pam.d" / "vsftpd.virtual").write_text("auth required pam_unix.so\n")
    with pytest.raises(SecureFtpError, match="pam.d/vsftpd.virtual .pam_service_name of"):
        discover(config)


def test_a_config_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SecureFtpError, match="correct the path"):
        discovery.discover(config=str(tmp_path / "none"))


def test_guest_ids() -> None:
    assert discovery.guest_ids("root") == (0, 0)
    assert discovery.guest_ids("no-such-user") is None


def test_the_file_of_a_user_gives_another_directory(config: Path, tmp_path: Path) -> None:
    own = tmp_path / "users.d"
    own.mkdir()
    config.write_text(CONF + f"user_config_dir={own}\n")
    (own / "reader").write_text("write_enable=NO\nlocal_root=/srv/ro\n")
    (own / "usual").write_text("local_root=/home/vftp/$USER/\n")
    (own / "token").write_text("user_sub_token=%%\nlocal_root=/srv/%%\n")
    os.mkfifo(own / "pipe")
    homes = discover(config).homes
    assert homes is not None
    assert [homes.of(name) for name in ("reader", "token", "usual", "pipe", "robin")] == [
        "/srv/ro",
        "/srv/token",
        "/home/vftp/usual",
        "/home/vftp/pipe",
        "/home/vftp/robin",
    ]
    assert [homes.own(name) for name in ("reader", "usual", "../users.d/reader", "", "..")] == ["/srv/ro"] + [None] * 4
