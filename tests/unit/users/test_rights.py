# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of a user: which values are accepted, and what becomes of rights that are not named."""

from __future__ import annotations

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import (
    Rights,
    merged,
    validate_access,
    validate_rate,
    validate_umask,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import user_from_options, users_from_list


@pytest.mark.parametrize(
    ("given", "umask"), [("0077", "0077"), ("077", "0077"), ("22", "0022"), ("default", "default")]
)
def test_a_umask_has_four_digits(given: str, umask: str) -> None:
    assert validate_umask(given, "ann") == umask


@pytest.mark.parametrize("given", ["0277", "0100", "0078", "7", "", "00077", "0077\n", "Default", None, True, 0o77])
def test_a_umask_that_takes_from_the_owner_or_is_no_octal_text_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match="user 'ann': umask: expected a quoted octal number"):
        validate_umask(given, "ann")


def test_a_number_gets_the_remedy_of_yaml() -> None:
    with pytest.raises(InvalidInput, match="found 63; put it in quotes"):
        validate_umask(0o77, "ann")


@pytest.mark.parametrize(
    ("given", "rate"), [(0, 0), ("0", 0), (500000, 500000), ("500K", 512000), ("2M", 2097152), ("1G", 1073741824)]
)
def test_a_rate_is_bytes_a_second(given: object, rate: int) -> None:
    assert validate_rate(given, "ann") == rate


@pytest.mark.parametrize("given", [-1, "-1", "2m", "2 M", "2MB", "M", "", "1.5M", "2G", True, None, 1.5, "1K\n"])
def test_other_rates_are_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match="user 'ann': ftps_max_rate: expected bytes a second"):
        validate_rate(given, "ann")


@pytest.mark.parametrize("given", ["rw", "READ_ONLY", "", None, 1])
def test_other_words_of_access_are_refused(given: object) -> None:
    assert validate_access("read_only", "ann") == "read_only"
    with pytest.raises(InvalidInput, match="access: expected read_write, read_only or upload_only"):
        validate_access(given, "ann")


def test_what_is_not_named_stays() -> None:
    there = Rights("read_only", "0027", 100)
    assert merged(there, "ann", None, None, None) == there
    assert merged(there, "ann", "read_write", None, None) == Rights("read_write", "0027", 100)
    assert merged(there, "ann", None, "default", 0) == Rights("read_only", "default", 0)


def test_upload_only_has_the_umask_of_its_own() -> None:
    assert merged(Rights("read_write", "0027", 7), "ann", "upload_only", None, None) == Rights(
        "upload_only", "default", 7
    )
    assert merged(Rights("upload_only"), "ann", None, "default", None) == Rights("upload_only")
    for there, access in ((Rights(), "upload_only"), (Rights("upload_only"), None)):
        with pytest.raises(InvalidInput, match="user 'ann': expected umask default.*found umask 0027"):
            merged(there, "ann", access, "0027", None)


def test_a_user_without_rights_of_its_own_has_those_of_all() -> None:
    defaults = {"access": "read_only", "umask": "0027", "ftps_max_rate": "1K"}
    entries = [
        {"name": "ann", "access": None},
        {"name": "bob", "access": "read_write", "umask": "default", "ftps_max_rate": 0},
        {"name": "cy", "access": "upload_only"},
    ]
    found = [(user.access, user.umask, user.ftps_max_rate) for user in users_from_list(entries, defaults=defaults)]
    assert found == [("read_only", "0027", 1024), ("read_write", "default", 0), ("upload_only", None, 1024)]
    assert users_from_list([{"name": "ann"}], defaults={}) == users_from_list([{"name": "ann"}])
    with pytest.raises(InvalidInput, match="user 'ann': expected umask default"):
        users_from_list([{"name": "ann", "umask": "0027"}], defaults={"access": "upload_only"})


def test_a_user_with_rights_that_exclude_each_other_is_refused() -> None:
    with pytest.raises(InvalidInput, match="user 'ann': expected umask default"):
        user_from_options({"name": "ann", "access": "upload_only", "umask": "0027"})
