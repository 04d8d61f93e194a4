# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account of a user says about the user: which values are accepted, and how they are read back."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import (
    comment_in,
    day_of,
    expires_on,
    is_wider,
    validate_comment,
    validate_expires,
    validate_sources,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import user_from_options, users_from_list


@pytest.mark.parametrize(
    ("given", "comment"),
    [
        ("Wayne Enterprises, bruce@example.net", "Wayne Enterprises, bruce@example.net"),
        ("J\u00fcrgen M\u00fcller \u2013 \u65e5\u672c", "J\u00fcrgen M\u00fcller \u2013 \u65e5\u672c"),
        ("  Bruce  Wayne ", "Bruce  Wayne"),
        ("Bruce Wayne,,,", "Bruce Wayne"),
        ("", ""),
        (" ,", ""),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_comment_is_one_line_of_text(given: str, comment: str) -> None:
    assert validate_comment(given, "ann") == comment


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a:b", "':'"),
        ("a\nb", r"'\\n'"),
        ("a\x1b[2J", r"'\\x1b'"),
        ("bat\u202eman", r"'\\u202e'"),
        ("half \ud800", r"'\\ud800'"),
        ("x" * 201, "201 characters"),
        ("\U0001f987" * 101, "404 bytes"),
        (42, "42"),
        (["a"], r"\['a'\]"),
    ],
)
def test_what_would_break_the_account_file_or_a_terminal_is_refused(given: object, found: str) -> None:
    with pytest.raises(InvalidInput, match=f"user 'ann': comment: expected one line of text.*found {found}"):
        validate_comment(given, "ann")


@pytest.mark.parametrize(
    ("gecos", "comment"),
    [
        ("Bruce Wayne,,,", "Bruce Wayne"),  # what adduser(8) and chfn(1) leave
        ("Bruce Wayne,12,555-1,", "Bruce Wayne,12,555-1"),
        (",,,", ""),
        ("", ""),
        ("a, b", "a, b"),
    ],
)
def test_the_empty_fields_of_chfn_are_no_part_of_it(gecos: str, comment: str) -> None:
    assert comment_in(gecos) == comment


def test_a_comment_reaches_the_user_and_all_users_may_have_one_by_default() -> None:
    assert user_from_options({"name": "ann"}).comment is None
    assert user_from_options({"name": "ann", "comment": " A "}).comment == "A"
    users = users_from_list([{"name": "ann"}, {"name": "bob", "comment": ""}], defaults={"comment": "Acme"})
    assert [user.comment for user in users] == ["Acme", ""]


@pytest.mark.parametrize(
    ("given", "expires", "day"),
    [
        ("2027-01-31", "2027-01-31", "20849"),
        (datetime.date(2027, 1, 31), "2027-01-31", "20849"),  # what YAML makes of it without quotes
        ("2020-02-29", "2020-02-29", "18321"),  # a list stays valid when the day has passed
        ("never", "never", ""),
    ],
)
def test_an_expiry_is_a_day_or_never(given: object, expires: str, day: str) -> None:
    assert validate_expires(given, "ann") == expires
    assert day_of(expires) == day and expires_on(day) == expires


@pytest.mark.parametrize(
    "given",
    [
        "2027-02-29",
        "2027-1-31",
        "31.01.2027",
        "2027-01-31 ",
        "1970-01-02",
        "3000-01-01",
        "",
        20849,
        True,
        datetime.datetime(2027, 1, 31, 12, 0),
    ],
)
def test_what_is_no_day_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match="user 'ann': expires: expected the first day without log-in as YYYY-MM-DD"):
        validate_expires(given, "ann")


def test_a_day_that_nobody_can_read_is_none() -> None:
    assert expires_on("99999999") == expires_on("-1") == expires_on("x") == "never"


@pytest.mark.parametrize(
    ("given", "sources"),
    [
        (["198.51.100.7", "192.0.2.0/24", "2001:db8::/32"], ("192.0.2.0/24", "198.51.100.7", "2001:db8::/32")),
        ([" 192.0.2.1/32", "192.0.2.1"], ("192.0.2.1",)),
        (["2001:DB8:0:0::1", "2001:db8::1/128"], ("2001:db8::1",)),
        (["::ffff:192.0.2.1", "::ffff:198.51.100.0/120"], ("192.0.2.1", "198.51.100.0/24")),
        (["192.0.2.0/255.255.255.0"], ("192.0.2.0/24",)),
        ([], ()),
    ],
)
def test_sources_are_addresses_and_networks(given: list[str], sources: tuple[str, ...]) -> None:
    assert validate_sources(given, "ann") == sources
    assert validate_sources(sources, "ann") == sources


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["192.0.2.1/24"], "found '192.0.2.1/24', an address in a network; write 192.0.2.0/24, or 192.0.2.1 for"),
        (["2001:db8::1/32"], "write 2001:db8::/32, or 2001:db8::1 for this address alone"),
        (["0.0.0.0/0"], "found '0.0.0.0/0'; leave it out for everywhere, or write 0.0.0.0/1 and 128.0.0.0/1"),
        (["::/0"], "leave it out for everywhere, or write ::/1 and 8000::/1"),
        (["example.net"], "expected an address or a network such as 198.51.100.7"),
        (["192.0.2.0/33"], "found '192.0.2.0/33'"),
        (["fe80::1%eth0"], "found 'fe80::1%eth0'"),
        (["ALL"], "found 'ALL'"),
        (["1 2"], "found '1 2'"),
        ([7], "found 7"),
        ("192.0.2.1", "expected a list of addresses and networks, found '192.0.2.1'"),
        ([f"192.0.2.{number}" for number in range(101)], "expected at most 100, found 101; name larger networks"),
    ],
)
def test_what_is_no_source_is_refused(given: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_sources(given, "ann")
    assert str(caught.value).startswith("user 'ann': allowed_sources: ") and said in str(caught.value)


@pytest.mark.parametrize(
    ("new", "old", "wider"),
    [
        ((), ("192.0.2.1",), True),
        ((), (), True),
        (("192.0.2.1",), (), False),
        (("192.0.2.0/24", "2001:db8::1"), ("192.0.2.1",), True),
        (("192.0.2.0/24",), ("192.0.2.1", "2001:db8::1"), False),
    ],
)
def test_more_sources_are_wider(new: tuple[str, ...], old: tuple[str, ...], wider: bool) -> None:
    assert is_wider(new, old) == wider
