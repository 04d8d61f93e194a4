# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about quotas: set before there are credentials, gone before the account is."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Limit, Usage
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    CreateAccounts,
    MakeHomes,
    RemoveAccounts,
    SetHashes,
    SetQuotas,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import OTHER, account, kinds, plan, step, stored

MIB = 1 << 20
OFF = Counted("/dev/vdb", "/home", problem=Problem("/home (ext4)", "user quotas that are enforced", "none", "quotaon"))


def there(size: int = 0, files: int = 0, used: int = 0, **more: Any) -> Any:
    """The user ann, with 1001 as user id, with limits."""
    counted = Counted("/dev/vdb", "/home", {1001: Usage(used, 3, Limit(size, files))})
    return stored({"ann": HASH}, counted=counted, **more)


def test_a_quota_is_set_by_user_id_and_ends_no_session() -> None:
    found = plan(there(), User("ann", quota=5 * MIB, quota_files=100))
    assert kinds(found) == [SetQuotas, AssertJail] and found.ending == ()
    assert step(found, SetQuotas) == SetQuotas("/dev/vdb", {"ann": (1001, Limit(5 * MIB, 100))})
    assert found.outcome.changed_users == {"ann": ["quota", "quota_files"]}
    assert step(found, SetQuotas).said == "quotas of ann"
    done = after(found)
    assert done.of_account("ann")["quota"] == 5 * MIB == done.user("ann").quota
    assert not plan(done, User("ann", quota=5 * MIB, quota_files=100)).outcome.changed
    assert not plan(done, User("ann")).outcome.changed, "what is not named stays"


def test_none_takes_it_away_and_the_other_one_stays() -> None:
    found = plan(there(5 * MIB, 100), User("ann", quota=0))
    assert step(found, SetQuotas).limits == {"ann": (1001, Limit(0, 100))}
    assert found.outcome.changed_users == {"ann": ["quota"]}


def test_less_comes_before_the_password_and_more_after_it() -> None:
    def order(size: int, files: int = 0) -> list[Any]:
        found = plan(there(5 * MIB), User("ann", quota=size, quota_files=files, password_hash=OTHER))
        return [kind for kind in kinds(found) if kind in (SetQuotas, SetHashes)]

    assert order(4 * MIB) == order(9 * MIB, 7) == [SetQuotas, SetHashes]
    assert order(9 * MIB) == order(0) == [SetHashes, SetQuotas]


def test_a_new_account_has_its_limit_before_credentials_and_never_that_of_an_earlier_one() -> None:
    found = plan(stored(), User("ann", password_hash=HASH, quota=5 * MIB))
    assert kinds(found) == [CreateAccounts, SetQuotas, AssertJail, MakeHomes, SetHashes]
    uid = step(found, CreateAccounts).uids["ann"]
    assert step(found, SetQuotas).limits == {"ann": (uid, Limit(5 * MIB))}
    left = Counted("/dev/vdb", "/home", {uid: Usage(0, 0, Limit(4096))})
    for user in (User("ann", password_hash=HASH), User("ann", password_hash=HASH, quota=0)):
        assert step(plan(stored(counted=left), user), SetQuotas).limits == {"ann": (uid, Limit())}
    assert SetQuotas not in kinds(plan(stored(), User("ann", password_hash=HASH)))


def test_who_is_removed_leaves_no_limit_to_the_next_one_with_the_user_id() -> None:
    found = plan(there(5 * MIB), User("ann", present=False))
    order = [kind for kind in kinds(found) if kind in (SetQuotas, RemoveAccounts)]
    assert order == [SetQuotas, RemoveAccounts] and step(found, SetQuotas).limits == {"ann": (1001, Limit())}
    twin = (account("twin", 1001), account("ann", 1001))
    shared = plan(there(5 * MIB, accounts=twin), User("ann", present=False))
    assert SetQuotas not in kinds(shared), "another account has this user id"
    assert SetQuotas not in kinds(plan(there(), User("ann", present=False)))


def test_a_file_system_that_does_not_enforce_it_is_refused_before_a_change() -> None:
    refused = plan(stored({"ann": HASH}, counted=OFF), User("ann", quota=5 * MIB, quota_files=9))
    said = (
        "user 'ann': quota and quota_files: /home (ext4): expected user quotas that are enforced, found none; quotaon"
    )
    assert refused.steps == () and refused.outcome.changed and str(refused.obstacle) == said
    with pytest.raises(SecureFtpError, match="expected user quotas"):
        refused.expect_ready()
    for user in (User("ann"), User("ann", quota=0, quota_files=0), User("ann", present=False)):
        assert plan(stored({"ann": HASH}, counted=OFF), user).obstacle is None, "no limit needs nothing"


def test_limits_that_are_not_enforced_do_not_count_as_there() -> None:
    off = Counted("/dev/vdb", "/home", {1001: Usage(0, 1, Limit(5 * MIB))}, OFF.problem)
    known = stored({"ann": HASH}, counted=off)
    assert known.user("ann").quota == 0 and plan(known, User("ann", quota=5 * MIB)).obstacle is not None
    assert known.of_account("ann")["used_bytes"] is None


def test_a_home_that_is_a_file_system_of_its_own_has_its_own_limits() -> None:
    own = {"ann": Counted("/dev/vdc", "/home/sftp/ann", {1001: Usage(7, 1)})}
    found = plan(there(counted_at=own), User("ann", quota=5 * MIB))
    assert step(found, SetQuotas) == SetQuotas("/dev/vdc", {"ann": (1001, Limit(5 * MIB))})
    assert after(found).of_account("ann")["quota"] == 5 * MIB
    refused = plan(there(counted_at={"ann": OFF}), User("ann", quota=5 * MIB))
    assert refused.obstacle is not None


def test_who_has_more_already_is_said() -> None:
    found = plan(there(used=6 * MIB), User("ann", quota=5 * MIB, quota_files=2))
    assert found.outcome.warnings == [
        "user 'ann': has 6291456 bytes, more than the quota of 5M, so nothing can be uploaded until some are deleted",
        "user 'ann': has 3 files, more than the quota_files of 2, so nothing can be uploaded until some are deleted",
    ]
    again = plan(there(5 * MIB, 2, used=6 * MIB), User("ann", quota=5 * MIB, quota_files=2))
    assert again.outcome.warnings == [], "only when it changes"
