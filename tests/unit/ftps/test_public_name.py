# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host name as ``pasv_address``."""

from __future__ import annotations

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import (
    addresses_of,
    is_name,
    name_in,
    with_address,
)

ADDRESSES = {
    "ftp.example.org": ["198.51.100.7"],
    "many.example.org": ["192.0.2.1", "192.0.2.9"],
    "gone.example.org": [],
}


@pytest.mark.parametrize(
    "text", ["ftp.example.org", "localhost", "a-b.c_d.example", "1.2.3.com", "ftp.example.org.", "3com"]
)
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8.8.8.8",
        "8.8.8",
        "1234",
        "2001:db8::1",
        "-a.example",
        "a-.example",
        "a..example",
        "a b",
        "a\nb",
        ".a",
        "a/b",
    ]
    + ["ftp.example.org\n", f"{'x' * 64}.example", ".".join(["x" * 60] * 5), "ftp.example.123"],
)
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)


def test_the_file_gets_the_address_and_says_the_name() -> None:
    options = {"listen": True, "pasv_address": "ftp.example.org", "max_per_ip": 2}
    found, comment = with_address(options, "", ADDRESSES.__getitem__)
    assert found == {**options, "pasv_address": "198.51.100.7"} and list(found) == list(options)
    assert comment.count("\n") == 1 and comment.endswith("\n")
    assert name_in(f"# Managed\n{comment}listen=YES\n") == "ftp.example.org"


@pytest.mark.parametrize("address", ["203.0.113.9", None, "0.0.0.0"])
def test_an_address_is_left_as_it_is(address: str | None) -> None:
    assert with_address({"pasv_address": address}, "", ADDRESSES.__getitem__) == ({"pasv_address": address}, "")
    assert with_address({}, "", ADDRESSES.__getitem__) == ({}, "")


def test_of_several_addresses_the_present_one_is_kept() -> None:
    for present, expected in (("192.0.2.9", "192.0.2.9"), ("192.0.2.1", "192.0.2.1"), ("192.0.2.5", "192.0.2.1")):
        found, _comment = with_address({"pasv_address": "many.example.org"}, present, ADDRESSES.__getitem__)
        assert found["pasv_address"] == expected


def test_a_name_without_an_address_is_an_error_that_says_it() -> None:
    with pytest.raises(SecureFtpError, match=r"pasv_address.*gone\.example\.org.*none on this host.*give the address"):
        with_address({"pasv_address": "gone.example.org"}, "192.0.2.9", ADDRESSES.__getitem__)


@pytest.mark.parametrize("text", ["", "pasv_address=8.8.8.8\n", "x=# pasv_address is the address of a.b: c\n"])
def test_a_file_without_the_comment(text: str) -> None:
    assert name_in(text) == ""


def test_names_are_looked_up_on_this_host() -> None:
    assert addresses_of("localhost") == ["127.0.0.1"]
    assert addresses_of("no-such-name.invalid") == []
