# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about what accounts say of their users."""

from __future__ import annotations

from typing import Any

from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import AssertJail, CreateAccounts, SetGecos
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import account, kinds, plan, step, stored


def there(gecos: str, **more: Any) -> Stored:
    """The user ann with the field ``gecos`` in passwd."""
    ann = account("ann", 1001)._replace(gecos=gecos)
    return stored({"ann": HASH}, accounts=(ann,), **more)


def comment(known: Stored) -> Any:
    described = known.described("ann")
    return described and described["comment"]


def test_a_new_account_is_made_with_its_comment() -> None:
    users = (User("ann", password_hash=HASH, comment="Ann, 1"), User("bob", password_hash=HASH))
    found = plan(stored(), *users)
    assert step(found, CreateAccounts).gecos == {"ann": "Ann, 1"} and SetGecos not in kinds(found)
    assert comment(after(found)) == "Ann, 1"


def test_another_comment_is_a_change_that_ends_no_session() -> None:
    found = plan(there("Ann"), User("ann", comment="Ann, Acme"))
    assert kinds(found) == [AssertJail, SetGecos] and found.outcome.changed_users == {"ann": ["comment"]}
    assert comment(after(found)) == "Ann, Acme"
    assert not plan(after(found), User("ann", comment="Ann, Acme")).outcome.changed
    gone = plan(after(found), User("ann", comment=""))
    assert step(gone, SetGecos) == SetGecos("ann", "")


def test_what_is_not_named_stays_and_the_fields_of_chfn_are_the_same_comment() -> None:
    for given in (None, "Ann"):
        assert not plan(there("Ann,,,"), User("ann", comment=given)).outcome.changed
    assert not plan(there(",,,"), User("ann", comment="")).outcome.changed
    assert comment(there("Ann,2,3,")) == "Ann,2,3"


def test_what_was_there_is_restored_to_the_byte() -> None:
    known = there("Ann,,,")
    done = after(plan(known, User("ann", comment="B")))
    assert after(plan(done, known.user("ann"))).accounts.users["ann"].gecos == "Ann,,,"
