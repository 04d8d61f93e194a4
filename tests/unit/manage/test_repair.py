# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairing a database is a change as any other: one at a time, and behind the one that was killed."""
# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import HASH, dump, load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Busy, DamagedStore
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import accounts_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, by_module, transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.repair import repair
from manage.test_manager import Host, host, killed  # noqa: F401  # pylint: disable=unused-import


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "write", lambda *_line: None)
    monkeypatch.setattr(transaction, "LOCK_SECONDS", 0.0)


def damage(db: Path) -> bytes:
    """Make a header that says nothing of the database; return the whole."""
    with db.open("r+b") as file:
        file.write(bytes(600))
    return db.read_bytes()


def test_while_somebody_changes_users_nothing_is_repaired(host: Host) -> None:
    load(host.db, {f"user{number}": HASH for number in range(500)})
    damaged = damage(host.db)
    with accounts_lock(transaction.LOCK_FILE):
        with pytest.raises(Busy):
            repair(str(host.db))
        with pytest.raises(Busy):
            by_module.salvage("ftp_users", str(host.db), False, 0.0)
        assert host.db.read_bytes() == damaged
        assert by_module.salvage("ftp_users", str(host.db), True, 0.0)[0] == 500, "check mode waits for nobody"
    done = repair(str(host.db))
    assert (done.users, done.removed, done.warnings) == (500, [], []) and done.damaged_file
    assert len(dump(host.db)) == 500


def test_a_killed_change_is_finished_by_what_repairs_the_database(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    load(host.db, {f"user{number}": HASH for number in range(500)})
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim geheim")
    damage(host.db)
    with pytest.raises(
        DamagedStore, match="'batman' that was interrupted has to be finished first; nothing was changed"
    ):
        host.manager.lock("user1")
    assert host.journal.exists(), "what cannot be finished yet is not forgotten"
    done = repair(str(host.db))
    assert done.warnings == ["user 'batman': an interrupted change was finished first"] and done.users == 501
    stored = dump(host.db)
    assert stored["batman"] == host.sftp.users["batman"].password_hash and len(stored) == 501
    assert not host.journal.exists()


def test_a_name_that_leads_out_is_removed_behind_a_killed_change(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    load(host.db, {"../etc": HASH, "robin": HASH})
    with killed(monkeypatch):
        host.manager.add("batman", password="geheim geheim")
    done = repair(str(host.db))
    assert (done.users, done.damaged_file, done.removed) == (2, None, ["../etc"])
    assert set(dump(host.db)) == {"batman", "robin"} and not host.journal.exists()
