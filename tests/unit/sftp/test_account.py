# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about what accounts say of their users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import Access
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.plan import after
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import (
    AssertJail,
    CreateAccounts,
    EndSessions,
    MakeHomes,
    SetAccess,
    SetExpiry,
    SetGecos,
    SetHashes,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, parse, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

from .test_plan import OTHER, account, kinds, plan, step, stored


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
    assert step(gone, SetGecos) == SetGecos({"ann": ""})


def test_what_is_not_named_stays_and_the_fields_of_chfn_are_the_same_comment() -> None:
    for given in (None, "Ann"):
        assert not plan(there("Ann,,,"), User("ann", comment=given)).outcome.changed
    assert not plan(there(",,,"), User("ann", comment="")).outcome.changed
    assert comment(there("Ann,2,3,")) == "Ann,2,3"


def test_what_was_there_is_restored_to_the_byte() -> None:
    known = there("Ann,,,")
    done = after(plan(known, User("ann", comment="B")))
    assert after(plan(done, known.user("ann"))).accounts.users["ann"].gecos == "Ann,,,"


# --- expiry --------------------------------------------------------------------------------------------------------

DAY, LATER, SOONER = "20849", "20900", "20800"
EXPIRES = "2027-01-31"


def expiring(stored_hash: str = HASH, day: str = "", **more: Any) -> Stored:
    return stored({"ann": stored_hash}, {"ann": day} if day else {}, **more)


def steps_of(found: Any) -> list[tuple[str, bool | None]]:
    """The day of the only user, and whether it is a lock, or the end of one."""
    steps = [one for one in found.steps if isinstance(one, SetExpiry)]
    return [(min(one.days.values()), True if one.locked else False if one.unlocked else None) for one in steps]


def test_an_expiry_is_that_of_shadow() -> None:
    found = plan(expiring(), User("ann", expires=EXPIRES))
    assert steps_of(found) == [(DAY, None)] and found.outcome.changed_users == {"ann": ["expires"]}
    assert step(found, SetExpiry).said == "expiry of ann" and found.ending == ()
    done = after(found)
    assert done.of_account("ann")["expires"] == EXPIRES == done.user("ann").expires
    assert not plan(done, User("ann", expires=EXPIRES)).outcome.changed
    assert not plan(done, User("ann")).outcome.changed
    assert steps_of(plan(done, User("ann", expires="never"))) == [("", None)]


def test_a_new_account_expires_before_it_has_credentials() -> None:
    found = plan(stored(), User("ann", password_hash=HASH, expires=EXPIRES))
    assert kinds(found) == [CreateAccounts, AssertJail, MakeHomes, SetExpiry, SetHashes]
    assert after(found).of_account("ann")["expires"] == EXPIRES


def test_a_later_day_comes_last_and_a_sooner_one_first() -> None:
    later = plan(expiring(day=SOONER), User("ann", expires=EXPIRES, password_hash=OTHER))
    assert [kind for kind in kinds(later) if kind in (SetExpiry, SetHashes)] == [SetHashes, SetExpiry]
    sooner = plan(expiring(day=LATER), User("ann", expires=EXPIRES, password_hash=OTHER))
    assert [kind for kind in kinds(sooner) if kind in (SetExpiry, SetHashes)] == [SetExpiry, SetHashes]


def test_a_day_that_has_come_ends_the_sessions_of_every_protocol() -> None:
    found = plan(expiring(today=int(DAY)), User("ann", expires=EXPIRES))
    assert found.ending == ("ann",) and set(step(found, EndSessions).uids) == {"ann"}
    assert plan(expiring(today=int(DAY) - 1), User("ann", expires=EXPIRES)).ending == ()
    assert plan(expiring(day=DAY, today=int(LATER)), User("ann", expires=EXPIRES)).ending == ()


def test_a_lock_keeps_the_day_and_the_day_keeps_the_lock() -> None:
    locked = after(plan(expiring(day=DAY), User("ann", locked=True)))
    assert locked.accounts.expires["ann"] == "1" and locked.of_account("ann")["expires"] == EXPIRES
    moved = plan(locked, User("ann", expires="2027-03-23"))
    assert steps_of(moved) == [] and step(moved, SetHashes).hashes == {"ann": f"!expires={LATER}!{HASH}"}
    assert moved.outcome.changed_users == {"ann": ["expires"]}
    still = after(moved)
    assert still.user("ann").locked and still.of_account("ann")["expires"] == "2027-03-23"
    back = after(plan(still, User("ann", locked=False)))
    assert back.accounts.expires["ann"] == LATER and back.accounts.passwords["ann"] == HASH
    never = after(plan(still, User("ann", expires="never")))
    assert never.user("ann").locked and never.accounts.passwords["ann"] == f"!{HASH}"
    assert after(plan(never, User("ann", locked=False))).of_account("ann")["expires"] == "never"


def test_both_at_once() -> None:
    found = after(plan(expiring(), User("ann", locked=True, expires=EXPIRES)))
    assert found.user("ann").locked and found.of_account("ann")["expires"] == EXPIRES
    back = plan(found, User("ann", locked=False, expires="never"))
    assert steps_of(back) == [("", False)]
    assert back.outcome.changed_users == {"ann": ["unlocked", "expires"]}


def test_an_account_for_ftps_only_expires_too_and_is_never_locked_by_it() -> None:
    known = replace(there(""), classes={"sftponly-ftps": "x"})
    assert known.gives_account(User("ann", protocols=("ftps",)))
    new = plan(replace(stored(), classes=known.classes), User("cy", protocols=("ftps",), expires=EXPIRES, comment="Cy"))
    assert steps_of(new) == [(DAY, None)] and step(new, CreateAccounts).gecos == {"cy": "Cy"}
    locked = replace(known, accounts=expiring(f"!expires={DAY}!{HASH}", "1").accounts)
    gone = plan(locked, User("ann", protocols=("ftps",)))
    assert steps_of(gone) == [(DAY, None)]
    assert after(gone).of_account("ann")["expires"] == EXPIRES


def test_what_was_there_before_is_restored() -> None:
    known = expiring(f"!expires={DAY}!{HASH}", "1")
    done = after(plan(known, User("ann", locked=False, expires="never")))
    back = after(plan(done, known.user("ann")))
    assert (back.accounts.passwords["ann"], back.accounts.expires["ann"]) == (f"!expires={DAY}!{HASH}", "1")


# --- sources -------------------------------------------------------------------------------------------------------

NEAR, NET = ("192.0.2.1",), ("192.0.2.0/24", "2001:db8::/32")
ACCESS = "/etc/security/secure-ftp-access.conf"


def limited(asks: str = "sftponly", **sources: tuple[str, ...]) -> Stored:
    return stored({"ann": HASH, "bob": HASH}, access=Access(sources), asks_access=asks)


def accesses(found: Any) -> list[tuple[dict[str, tuple[str, ...]], str]]:
    return [(dict(one.access.sources), one.group) for one in found.steps if isinstance(one, SetAccess)]


def test_the_first_source_makes_sshd_ask_and_the_last_one_takes_the_question_back() -> None:
    found = plan(limited(asks=""), User("ann", allowed_sources=NEAR))
    assert kinds(found) == [SetAccess, AssertJail, EndSessions] and found.ending == ("ann",)
    assert step(found, SetAccess) == SetAccess(ACCESS, Access({"ann": NEAR}), "/etc/pam.d/sshd", "sftponly")
    assert found.outcome.changed_users == {"ann": ["allowed_sources"]}
    done = after(found)
    assert done.of_account("ann")["allowed_sources"] == NEAR and not plan(done, done.user("ann")).outcome.changed
    assert not plan(done, User("ann")).outcome.changed
    back = plan(done, User("ann", allowed_sources=()))
    assert accesses(back) == [({}, "")] and back.ending == ()


def test_fewer_sources_come_first_and_more_come_last() -> None:
    known = limited(ann=NEAR, bob=NET)
    users = (User("ann", allowed_sources=NET, password_hash=OTHER), User("bob", allowed_sources=NEAR))
    found = plan(known, *users)
    assert kinds(found) == [SetAccess, AssertJail, SetHashes, SetAccess, EndSessions]
    assert accesses(found) == [({"ann": NEAR, "bob": NEAR}, "sftponly"), ({"ann": NET, "bob": NEAR}, "sftponly")]
    assert found.ending == ("bob",)


def test_a_name_left_in_the_file_gives_the_next_of_that_name_nothing() -> None:
    found = plan(limited(cy=NEAR), User("cy", password_hash=HASH), User("dan", password_hash=HASH, allowed_sources=NET))
    assert accesses(found) == [({"dan": NET}, "sftponly")]
    assert kinds(found).index(SetAccess) < kinds(found).index(SetHashes)
    gone = plan(limited(ann=NEAR), User("ann", present=False))
    assert accesses(gone) == [({}, "")] and kinds(gone)[-1] is SetAccess
    assert accesses(plan(limited(ann=NEAR, bob=NET), purge=True)) == [({}, "")]


def test_a_service_that_was_restored_asks_again() -> None:
    found = plan(limited(asks="", ann=NEAR), User("ann", allowed_sources=NEAR))
    assert accesses(found) == [({"ann": NEAR}, "sftponly")] and found.outcome.changed


@pytest.mark.parametrize("config", ["", "UsePAM no\n"])
@pytest.mark.parametrize("given", [{"allowed_sources": NEAR}, {"expires": EXPIRES}])
def test_without_pam_there_are_no_limits(config: str, given: dict[str, Any]) -> None:
    known = replace(limited(), settings=parse(config + with_jail("", Jail())))
    with pytest.raises(SecureFtpError, match="UsePAM yes.*or leave"):
        plan(known, User("ann", **given))
    assert not plan(known, User("ann", allowed_sources=(), expires="never")).outcome.changed


def test_a_name_that_pam_access_would_confuse_is_refused() -> None:
    twin = stored({"ann": HASH, "Ann": HASH})
    with pytest.raises(SecureFtpError, match="the account 'Ann' beside it"):
        plan(twin, User("ann", allowed_sources=NEAR))
    with pytest.raises(SecureFtpError, match="not ALL or EXCEPT"):
        plan(stored({"all": HASH}), User("all", allowed_sources=NEAR))


def test_sources_are_restored() -> None:
    known = limited(ann=NET)
    done = after(plan(known, User("ann", allowed_sources=())))
    assert after(plan(done, known.user("ann"))).access == known.access
