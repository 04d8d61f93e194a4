# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an account's lock and expiry: one answer wherever it is asked."""

from __future__ import annotations

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import answers
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import describe
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail

HASH = "$6$rounds=50000$abcdefghijklmnop$" + "h" * 86


class Host:
    """Account files and an sshd_config below ``root``, with one SFTP user."""

    def __init__(self, root):
        self.etc, self.keys, self.config = root, root / "keys", root / "sshd_config"
        self.keys.mkdir()
        jail = Jail(directory=str(root / "jail"), keys_directory=str(self.keys))
        self.config.write_text(with_jail("Port 22\n", jail, str(self.config)))
        (root / "passwd").write_text("batman:x:1001:900::/nonexistent:/usr/sbin/nologin\n")
        (root / "group").write_text("sftponly:x:900:\n")

    def shadow(self, password, expires=""):
        (self.etc / "shadow").write_text(f"batman:{password}:20000:0:99999:7::{expires}:\n")

    def user(self):
        (user,) = describe("sftponly", None, str(self.config), str(self.etc))
        return user


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("stored", "expires", "shown"),
    [
        (HASH, "", None),
        (HASH, "21000", "2027-07-01"),
        (HASH, "0", "1970-01-01"),
        ("!" + HASH, "1", None),  # our lock
        ("!expires=21000!" + HASH, "1", "2027-07-01"),  # our lock keeps the day behind it
        (HASH, "99999999999", None),
        (HASH, "-1", None),
        (HASH, "soon", None),
    ],
)
def test_an_expiry_set_by_hand_is_shown_and_a_lock_is_none(host, stored, expires, shown):
    host.shadow(stored, expires)
    assert host.user()["expires"] == shown


def test_list_says_which_protocol_has_expired():
    """A service of vsftpd made by hand does not look at shadow: who has FTPS as well still gets in."""
    user = {"name": "batman", "protocols": ["sftp"], "locked": False, "expires": "1971-01-01"}
    user = {**user, "ftps": None, "sftp": {"scheme": "sha512_crypt"}}
    assert answers.state(user) == "expired"
    assert answers.state({**user, "ftps": {"scheme": None, "obeys_account": True}}) == "expired"
    assert answers.state({**user, "ftps": {"scheme": None, "obeys_account": False}}) == "active, SFTP expired"
    for expires in ("9999-12-31", "never", None):
        assert answers.state({**user, "expires": expires}) == "active"


@pytest.mark.parametrize("key", [False, True])
def test_the_lock_of_passwd_is_one_for_who_has_no_key(host, key):
    host.shadow("!" + HASH)
    if key:
        (host.keys / "batman").write_text("ssh-ed25519 AAAA\n")
    assert host.user()["locked"] is not key
