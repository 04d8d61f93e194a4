# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of a user in both protocols: what is given to one half, and what a half that is new gets."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._manage import halves
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import _is_shut_out
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

READ_ONLY = User("ann", True, None, "*", ("sftp",), (), False, "read_only", "0027")


class Half:
    """The users of one protocol."""

    protocol = "sftp"

    def __init__(self, *users: User) -> None:
        self._users = {user.name: user for user in users}

    def has(self, name: str) -> bool:
        return name in self._users

    def user(self, name: str) -> User:
        return self._users.get(name, User(name, present=False))

    def of_account(self, _name: str) -> dict[str, Any]:
        return {}

    def described(self, _name: str) -> None:
        return None

    def stored(self, _names: Any) -> Half:
        return self


def completed(user: User, **reading: Half) -> tuple[Any, ...]:
    (found,) = halves.with_present_rights([user], reading)
    return found.access, found.umask, found.ftps_max_rate


def test_another_protocol_comes_with_the_rights_of_the_present_one() -> None:
    assert completed(User("ann"), ftps=Half(), sftp=Half(READ_ONLY)) == ("read_only", "0027", None)
    assert completed(User("ann", umask="0077"), ftps=Half(), sftp=Half(READ_ONLY)) == ("read_only", "0077", None)
    assert completed(User("ann", access="upload_only"), ftps=Half(), sftp=Half(READ_ONLY)) == (
        "upload_only",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("user", "reading"),
    [
        (User("ann"), {"ftps": Half(), "sftp": Half()}),
        (User("ann"), {"ftps": Half(User("ann")), "sftp": Half(READ_ONLY)}),
        (User("ann", protocols=("sftp",)), {"ftps": Half(), "sftp": Half(READ_ONLY)}),
        (User("ann"), {"sftp": Half(READ_ONLY)}),
        (User("ann", present=False), {"ftps": Half(), "sftp": Half(READ_ONLY)}),
    ],
)
def test_nothing_is_named_for_who_is_there_or_new_in_all(user: User, reading: dict[str, Half]) -> None:
    assert completed(user, **reading) == (None, None, None)


def test_a_module_of_one_protocol_says_that_the_other_has_other_rights() -> None:
    user = User("ann", access="read_write", umask="0027")
    (warning,) = halves.untouched(user, "ftps", lambda _protocol, _place: Half(READ_ONLY))  # type: ignore[arg-type,return-value]
    assert warning == (
        "user 'ann': keeps access read_only for SFTP: this module changes only FTPS; for both: ftp-users edit ann"
        " --access read_write"
    )
    same = user._replace(access="read_only")
    assert halves.untouched(same, "ftps", lambda _protocol, _place: Half(READ_ONLY)) == []  # type: ignore[arg-type,return-value]


def test_a_killed_change_of_rights_ends_the_sessions() -> None:
    for right in ({"access": "read_only"}, {"umask": "0027"}, {"ftps_max_rate": 0}):
        assert _is_shut_out(User("ann", **right), "sftp")  # type: ignore[arg-type]
    assert not _is_shut_out(User("ann"), "sftp")
