# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a change makes vsftpd's PAM service obey the accounts of users."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import UserdbService
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.plan import ObeyAccounts, WriteRecords, after
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Server
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import kinds, plan, stored

SERVICE = UserdbService("/etc/pam.d/virtual", "/x", True, False, "/etc/pam.d/ftp", "")
DEAF = Server("/x.db", SERVICE, None, "ftp", jail_group="sftponly")
ENDS = User("ann", expires="2027-01-31")


def test_the_first_limit_of_a_user_makes_the_service_obey_before_the_record_is_there() -> None:
    found = plan(stored({}, server=DEAF), ENDS._replace(password_hash=HASH), create_home=False)
    assert kinds(found) == [ObeyAccounts, WriteRecords]
    assert found.steps[0] == ObeyAccounts("/etc/pam.d/ftp", "sftponly") and found.outcome.pam_changed
    assert plan(stored({"ann": HASH}, server=DEAF), ENDS).outcome.changed
    assert after(found).server.obeys_accounts
    described = after(found).described("ann")
    assert described is not None and described["obeys_account"]


@pytest.mark.parametrize(
    ("server", "user"),
    [
        (DEAF, User("ann", expires="never", comment="Ann")),
        (DEAF, ENDS._replace(protocols=("sftp",))),
        (DEAF, ENDS._replace(present=False)),
        (replace(DEAF, service=replace(SERVICE, accounts_of="sftponly")), ENDS),
        (replace(DEAF, service=None), ENDS),
        (replace(DEAF, jail_group=""), ENDS),
    ],
)
def test_else_it_stays_as_it_is(server: Server, user: User) -> None:
    assert ObeyAccounts not in kinds(plan(stored({"ann": HASH}, server=server), user))
