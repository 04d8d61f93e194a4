# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of one protocol on a host where both share the accounts."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import beside
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


class Side:
    """The users of one protocol; it can only be read."""

    def __init__(self, protocol: str, *names: str, has_accounts: bool = True) -> None:
        self.protocol, self.names, self.has_accounts = protocol, names, has_accounts

    def describe(self, name: str | None = None) -> list[dict[str, Any]]:
        return [{"name": one} for one in self.names if name in (None, one)]

    def stored(self, names: Sequence[str], remove_home: bool = False) -> Side:
        return self

    def has(self, name: str) -> bool:
        return name in self.names


FTPS, SFTP = Side("ftps", "ann", "bob"), Side("sftp", "bob", "cy")
HOST = {"ftps": FTPS, "sftp": SFTP}


def reopen(protocol: str, _place: Mapping[str, Any]) -> Any:
    return HOST[protocol]


def whole(protocol: str, *users: User, purge: bool = False) -> dict[str, tuple[str, ...]]:
    partner: Any = HOST["sftp" if protocol == "ftps" else "ftps"]
    found = beside.whole(users, protocol, partner, reopen, purge)
    return {user.name: user.protocols if user.present else () for user in found}


def test_who_needs_a_partner() -> None:
    sides: list[Any] = [FTPS, SFTP]
    assert beside.partner(sides[:1], reopen) is SFTP and beside.partner(sides[1:], reopen) is FTPS
    assert beside.partner(sides, reopen) is None, "both are changed"
    alone: Any = Side("sftp", has_accounts=False)
    assert beside.partner([alone], reopen) is None

    def not_set_up(_protocol: str, _place: Mapping[str, Any]) -> Any:
        raise SecureFtpError("db", found="not given")

    assert beside.partner(sides[1:], not_set_up) is None


@pytest.mark.parametrize(
    ("protocol", "user", "has"),
    [
        ("sftp", User("ann", protocols=("sftp",)), ("ftps", "sftp")),
        ("sftp", User("ann", present=False), ("ftps",)),
        ("sftp", User("bob", protocols=("ftps",)), ("ftps",)),
        ("sftp", User("cy", present=False), ()),
        ("sftp", User("dan", protocols=("ftps", "sftp")), ("sftp",)),
        ("ftps", User("cy", protocols=("ftps",)), ("ftps", "sftp")),
        ("ftps", User("bob", present=False), ("sftp",)),
        ("ftps", User("ann", present=False), ()),
        ("ftps", User("dan", protocols=("ftps", "sftp")), ("ftps",)),
    ],
)
def test_the_other_protocol_stays_as_it_is(protocol: str, user: User, has: tuple[str, ...]) -> None:
    assert whole(protocol, user) == {user.name: has}


def test_a_whole_list_removes_one_protocol_of_the_others() -> None:
    dan = User("dan", protocols=("sftp",))
    assert whole("sftp", dan, purge=True) == {"dan": ("sftp",), "ann": ("ftps",), "bob": ("ftps",)}
    dan = User("dan", protocols=("ftps",))
    assert whole("ftps", dan, purge=True) == {"dan": ("ftps",), "ann": (), "bob": ("sftp",)}
