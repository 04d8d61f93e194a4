# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that are stored in an account are refused where there is none, and never stored half."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.with_account import expect_accounts, with_kept
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

SAID = User("ann", comment="Ann")
ENDS = User("ann", expires="2027-01-31")
FROM = User("ann", allowed_sources=("192.0.2.1",))
NOTHING: dict[str, Any] = {"comment": "", "expires": "never", "allowed_sources": (), "quota": 0, "quota_files": 0}


class Half:
    """The users of one protocol, as stored and as a backend: what their accounts say."""

    def __init__(self, gives: bool = False, obeys: bool = True, own: bool = False, **said: dict[str, Any]) -> None:
        self._gives, self._obeys, self._own, self._said = gives, obeys, own, said

    def stored(self, _names: Any) -> Half:
        return self

    def has(self, name: str) -> bool:
        return name in self._said

    def of_account(self, name: str) -> dict[str, Any]:
        return {**NOTHING, **self._said[name]} if self._gives and name in self._said else {}

    def counts(self, _name: str) -> bool:
        return self._gives or self._own

    def gives_account(self, user: User) -> bool:
        return self._gives and uses(user, "sftp")

    def described(self, name: str) -> dict[str, Any] | None:
        return {"obeys_account": self._obeys} if name in self._said else None


def sftp(**said: dict[str, Any]) -> Half:
    return Half(gives=True, **said)


def expect(user: User, other: Any = None, **reading: Any) -> None:
    def reopen(_protocol: str, _place: Any) -> Any:
        if isinstance(other, Exception):
            raise other
        return other

    expect_accounts([user], reading, reopen)


@pytest.mark.parametrize("user", [SAID, ENDS, FROM])
def test_a_user_of_sftp_has_an_account(user: User) -> None:
    for protocols in (("ftps", "sftp"), ("sftp",)):
        expect(user._replace(protocols=protocols), ftps=Half(), sftp=sftp())
    expect(user, sftp=sftp())


@pytest.mark.parametrize(
    "user", [User("ann"), User("ann", comment="", expires="never", allowed_sources=()), SAID._replace(present=False)]
)
def test_nothing_to_store_needs_none(user: User) -> None:
    expect(user._replace(protocols=("ftps",)), ftps=Half(), sftp=sftp())
    expect(user, ftps=Half())


@pytest.mark.parametrize(("user", "what"), [(SAID, "comment"), (ENDS, "expires"), (FROM, "allowed_sources")])
def test_a_user_of_ftps_only_is_refused_with_the_way_out(user: User, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        expect(user._replace(protocols=("ftps",)), ftps=Half(), sftp=sftp())
    said = str(caught.value)
    assert said.startswith(f"user 'ann': expected an account, which {what} is stored in, found a user of FTPS only")
    assert "protocols: [ftps, sftp]" in said and "ftp-users one-home" in said


@pytest.mark.parametrize(
    "other", [None, sftp(), sftp(ann={"comment": "Bob"}), SecureFtpError("shadow", found="not readable")]
)
def test_a_change_of_ftps_alone_does_not_take_what_it_cannot_store(other: Any) -> None:
    with pytest.raises(InvalidInput, match="user 'ann': expected a change of both protocols, since comment is stored"):
        expect(SAID, other, ftps=Half())


def test_a_change_of_ftps_alone_takes_what_is_stored_already() -> None:
    expect(SAID, sftp(ann={"comment": "Ann"}), ftps=Half())


def test_a_change_of_sftp_alone_does_not_take_what_ftps_would_ignore() -> None:
    deaf = Half(obeys=False, ann={})
    with pytest.raises(InvalidInput, match="user 'ann': expected vsftpd's PAM service to obey accounts, for expires"):
        expect(ENDS, deaf, sftp=sftp())
    expect(SAID, deaf, sftp=sftp())
    for other in (None, Half(ann={}), Half(obeys=False), SecureFtpError("vsftpd.conf", found="none")):
        expect(ENDS, other, sftp=sftp())


def kept(user: User, **reading: Any) -> str | None:
    (found,) = with_kept([user], reading)
    return found.expires


def test_who_gets_or_loses_a_protocol_keeps_the_limits() -> None:
    known = sftp(ann={"expires": "2027-01-31", "comment": "Ann"})
    assert kept(User("ann"), ftps=Half(), sftp=known) == "2027-01-31"
    assert kept(User("ann", protocols=("ftps",)), ftps=Half(ann={}), sftp=known) == "2027-01-31"
    assert kept(User("ann", expires="never"), ftps=Half(), sftp=known) == "never"
    assert with_kept([User("ann")], {"ftps": Half(), "sftp": known})[0].comment is None
    for same in (User("ann", protocols=("sftp",)), User("ann", present=False)):
        assert kept(same, ftps=Half(), sftp=known) is None
    assert kept(User("ann"), ftps=Half(), sftp=sftp(ann={})) is None


# --- quotas ---------------------------------------------------------------------------------------------------------

QUOTA = User("ann", quota=4096)
UNCOUNTED = "FTPS sessions that run as an account of the user's own.*ftp-users one-home"


def test_a_quota_is_refused_if_ftps_stores_files_of_another_account() -> None:
    for user in (QUOTA, QUOTA._replace(protocols=("ftps",)), QUOTA._replace(quota=0, quota_files=9)):
        with pytest.raises(InvalidInput, match=UNCOUNTED):
            expect(user, ftps=Half(), sftp=sftp())
    expect(QUOTA, ftps=Half(own=True), sftp=sftp())
    expect(QUOTA._replace(protocols=("sftp",)), ftps=Half(), sftp=sftp())
    expect(QUOTA._replace(quota=0), ftps=Half(), sftp=sftp())


def test_a_change_of_sftp_alone_takes_none_for_a_user_of_ftps_who_is_not_counted() -> None:
    with pytest.raises(InvalidInput, match=UNCOUNTED):
        expect(QUOTA, Half(ann={}), sftp=sftp())
    for other in (None, Half(own=True, ann={}), Half(), SecureFtpError("vsftpd.conf", found="none")):
        expect(QUOTA, other, sftp=sftp())


def test_who_has_one_by_sftp_does_not_get_ftps_without_it() -> None:
    has = sftp(ann={"quota": 4096})
    new = User("ann", protocols=("ftps",))
    with pytest.raises(InvalidInput, match=UNCOUNTED):
        expect(new, has, ftps=Half())
    with pytest.raises(InvalidInput, match=UNCOUNTED):
        expect(with_kept([User("ann")], {"ftps": Half(), "sftp": has})[0], ftps=Half(), sftp=has)
    expect(new, sftp(ann={}), ftps=Half())
    expect(new, has, ftps=Half(own=True))
    expect(new, has, ftps=Half(ann={}))  # has both already: somebody else has set it
