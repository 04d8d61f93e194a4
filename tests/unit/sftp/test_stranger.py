# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an account that has the name of a wanted user."""

from __future__ import annotations

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts, Group
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import stranger

ACCOUNTS = Accounts(
    {
        "root": Account("root", 0, 0, "/root", "/bin/bash"),
        "lucius": Account("lucius", 1000, 1000, "/home/lucius", "/bin/bash"),
        "gordon": Account("gordon", 1001, 1001, "/home/gordon", "/bin/bash"),
        "vicki": Account("vicki", 1002, 1002, "/home/vicki", "/bin/bash"),
    },
    {"sudo": Group("sudo", 27, frozenset({"lucius"})), "root": Group("root", 0, frozenset())},
    {},
)


@pytest.mark.parametrize(("name", "may_become"), [("root", 0), ("lucius", 0), ("gordon", 0), ("vicki", 1)])
def test_nobody_is_told_to_jail_root_or_an_administrator_or_the_own_account(name: str, may_become: int) -> None:
    said = str(stranger(name, "sftponly", ACCOUNTS, 1000, operator={"gordon"}))
    assert "choose another name" in said and said.count(f"usermod -g sftponly {name}") == may_become
