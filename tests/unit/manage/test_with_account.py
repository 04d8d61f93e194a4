# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that are stored in an account are refused where there is none, and never stored half."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.with_account import expect_accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

SAID = User("ann", comment="Ann")


class Half:
    """The users of one protocol, as stored and as a backend."""

    def __init__(self, **comments: str) -> None:
        self._comments = comments

    def stored(self, _names: Any) -> Half:
        return self

    def described(self, name: str) -> dict[str, Any] | None:
        return {"comment": self._comments[name]} if name in self._comments else None


def expect(user: User, other: Any = None, **reading: Any) -> None:
    def reopen(_protocol: str, _place: Any) -> Any:
        if isinstance(other, Exception):
            raise other
        return other

    expect_accounts([user], reading, reopen)


def test_a_user_of_sftp_has_an_account() -> None:
    for protocols in (("ftps", "sftp"), ("sftp",)):
        expect(SAID._replace(protocols=protocols), ftps=Half(), sftp=Half())
    expect(SAID, sftp=Half())


@pytest.mark.parametrize("comment", [None, ""])
def test_nothing_to_store_needs_none(comment: str | None) -> None:
    expect(User("ann", protocols=("ftps",), comment=comment), ftps=Half(), sftp=Half())
    expect(User("ann", comment=comment), ftps=Half())
    expect(SAID._replace(present=False), ftps=Half())


def test_a_user_of_ftps_only_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInput) as caught:
        expect(SAID._replace(protocols=("ftps",)), ftps=Half(), sftp=Half())
    said = str(caught.value)
    assert said.startswith("user 'ann': expected an account, which comment is stored in, found a user of FTPS only")
    assert "protocols: [ftps, sftp]" in said


@pytest.mark.parametrize("other", [None, Half(), Half(ann="Bob"), SecureFtpError("shadow", found="not readable")])
def test_a_change_of_ftps_alone_does_not_take_what_it_cannot_store(other: Any) -> None:
    with pytest.raises(InvalidInput, match="user 'ann': expected a change of both protocols, since comment is stored"):
        expect(SAID, other, ftps=Half())


def test_a_change_of_ftps_alone_takes_what_is_stored_already() -> None:
    expect(SAID, Half(ann="Ann"), ftps=Half())
