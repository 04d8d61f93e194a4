# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list with ``purge`` that is killed anywhere is finished as it was meant: who was in the list stays."""
# ruff: noqa: F811

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
from conftest import dump

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, by_module, journal, transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules as SftpRules
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Plan
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User
from manage.test_manager import Host, Killed, host  # noqa: F401  # pylint: disable=unused-import

PASSWORD = "geheim geheim"


@pytest.mark.parametrize("behind", [True, False], ids=["behind the rename", "before it"])
def test_a_killed_purge_removes_whom_it_was_to_remove_and_nobody_else(
    host: Host, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    monkeypatch.setattr(audit, "write", lambda *_line: None)
    for name in ("alfred", "joker"):
        host.manager.add(name, password=PASSWORD, protocols=["ftps"])
    backend = Ftps(host.ftps.server, Rules(rounds=1000, purge=True), {"db": str(host.db)})
    real_apply, real_remove = Ftps.apply, journal.remove

    def apply(self: Ftps, plan: Plan) -> Plan:
        if not behind:
            raise Killed
        return real_apply(self, plan)

    def remove(path: str) -> None:
        if os.path.exists(path):
            raise Killed
        real_remove(path)

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(Ftps, "apply", apply)
        patch.setattr(journal, "remove", remove)
        patch.setattr(transaction.Transaction, "_undo", lambda *arguments: None)
        users = [User("alfred"), User("batman", password=PASSWORD)]
        by_module.change("ftp_users", users, [backend], check_mode=False)
    assert set(dump(host.db)) == ({"alfred", "batman"} if behind else {"alfred", "joker"})
    assert host.journal.exists()

    def reopen(protocol: str, place: Any) -> Ftps | None:
        if protocol == Sftp.protocol:
            return None
        return Ftps(host.ftps.server, Rules(**place["rules"]), place["options"])

    monkeypatch.setattr(by_module, "reopen", reopen)
    by_module.change("ftp_user", [User("robin", password=PASSWORD)], [host.ftps], check_mode=False)
    assert set(dump(host.db)) == {"alfred", "batman", "robin"} and not host.journal.exists()


def test_what_is_finished_later_purges_nobody(host: Host) -> None:
    """What is left of a list is not the list."""
    for backend in (Ftps(host.ftps.server, Rules(purge=True)), Sftp(SftpRules(purge=True))):
        assert backend.place()["rules"]["purge"] is False
