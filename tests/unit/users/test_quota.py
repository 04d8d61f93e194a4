# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a user may store: what is accepted, and as what it is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import size_of, size_said
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import validate_files, validate_quota


@pytest.mark.parametrize(
    ("given_", "stored"),
    [("10G", 10 << 30), ("500M", 500 << 20), ("4K", 4096), (1000000, 1000448), ("1T", 1 << 40)]
    + [("none", 0), ("", 0), (0, 0), ("0", 0)],
)
def test_a_quota_is_stored_in_whole_blocks(given_: object, stored: int) -> None:
    assert validate_quota(given_, "quota") == stored


@pytest.mark.parametrize(
    "given_",
    ["10", 10, "10g", "10 G", "10GB", "-1", -1, "1.5G", True, 1.5, None, [], "9999999T", "4097T", "\n", "None"],
)
def test_anything_else_is_refused_with_an_example(given_: object) -> None:
    with pytest.raises(InvalidInput, match="quota: expected bytes such as 10G, 500M or 1000000, from 4K to 4096T"):
        validate_quota(given_, "user 'ann': quota")


@pytest.mark.parametrize(("given_", "stored"), [("10000", 10000), (2, 2), ("none", 0), ("", 0), (0, 0)])
def test_files_are_a_number(given_: object, stored: int) -> None:
    assert validate_files(given_, "quota_files") == stored


@pytest.mark.parametrize("given_", ["1", 1, "10K", True, -3, 1.0, "9" * 11, "9" * 5000, "²", [5]])
def test_other_numbers_of_files_are_refused(given_: object) -> None:
    with pytest.raises(InvalidInput, match="quota_files: expected a number of files and directories"):
        validate_files(given_, "quota_files")


@given(st.integers(0, 1 << 52))
def test_a_size_that_is_said_is_read_back(size: int) -> None:
    assert size_of(size_said(size)) == size_of(size) == size
