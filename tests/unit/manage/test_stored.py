# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list may repeat the hash that is stored, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import server as _server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules as FtpsRules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules as SftpRules
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list

MD5 = "$1$abcdefgh$F.Kfn8/W.yLCwlYtUc80H/"
OTHER = "$1$abcdefgh$F.Kfn8/W.yLCwlYtUc80H."
BOTH = ("ftps", "sftp")


def backend(protocol: str, root: Path):
    """That of a host below ``root``."""
    if protocol == "ftps":
        return Ftps(_server.discover(config=str(root / "vsftpd.conf")), FtpsRules())
    return Sftp(SftpRules(config=str(root / "sshd_config"), directory=str(root / "jail")), str(root))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``is_stored`` on a host with these records and this shadow(5)."""

    def make(records: dict[str, str], shadow: dict[str, str]):
        database = load(tmp_path / "users.db", records)
        (tmp_path / "pam.d").mkdir(exist_ok=True)
        (tmp_path / "pam.d/ftps").write_text(f"auth required pam_userdb.so db={database.with_suffix('')} crypt=crypt\n")
        (tmp_path / "vsftpd.conf").write_text("pam_service_name=ftps\n")
        (tmp_path / "passwd").write_text("".join(f"{n}:x:1000:900::/nonexistent:/bin/false\n" for n in shadow))
        (tmp_path / "group").write_text("sftponly:x:900:\n")
        (tmp_path / "shadow").write_text("".join(f"{name}:{hash}:19000:::::1:\n" for name, hash in shadow.items()))
        monkeypatch.setattr(_server, "PAM_DIRECTORY", str(tmp_path / "pam.d"))
        monkeypatch.setattr(_server.discover, "__defaults__", (None,) * 5 + (str(tmp_path / "pam.d"),))
        return lambda *about: is_stored(*about, lambda protocol, _place: backend(protocol, tmp_path))

    return make


@pytest.mark.parametrize(
    ("records", "shadow", "protocols", "expected"),
    [
        ({"ann": MD5}, {"ann": MD5}, BOTH, True),
        ({"ann": "!" + MD5}, {"ann": "!" + MD5}, BOTH, True),
        ({"ann": MD5}, {}, BOTH, False),
        ({"ann": MD5}, {}, ("ftps",), True),
        ({"bob": MD5}, {"ann": MD5}, ("sftp",), True),
        ({"ann": OTHER}, {"ann": MD5}, BOTH, False),
        ({"ann": MD5}, {"ann": OTHER}, BOTH, False),
        ({"bob": MD5}, {"bob": MD5}, BOTH, False),
        ({"ann": MD5}, {"ann": MD5}, (), False),
    ],
)
def test_what_is_stored_by_each_protocol_is_new_to_none(host, records, shadow, protocols, expected):
    assert host(records, shadow)("ann", MD5, protocols) is expected


def test_a_list_may_repeat_the_hash_that_is_there_and_bring_no_other(host):
    known = host({"ann": MD5}, {"ann": MD5})
    entry = {"name": "ann", "password_hash": MD5}
    assert users_from_list([entry], is_taken=known)[0].password_hash == MD5
    for changed in ({"password_hash": OTHER}, {"name": "bob"}):
        with pytest.raises(InvalidInput, match="expected a strong crypt.3. hash, found MD5"):
            users_from_list([{**entry, **changed}], is_taken=known)


def test_without_a_server_nothing_is_stored(tmp_path):
    assert is_stored("ann", MD5, BOTH, lambda protocol, _place: backend(protocol, tmp_path)) is False
    assert is_stored("ann", MD5, BOTH, lambda _protocol, _place: None) is False
