# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User names: one rule, and every refusal says which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import (
    MAX_LENGTH,
    RESERVED,
    validate_user_name,
)


@pytest.mark.parametrize("name", ["batman", "a", "Robin-2", "_x", "9lives", "first.last", "a" * MAX_LENGTH])
def test_good_names_pass_unchanged(name: str) -> None:
    assert validate_user_name(name) == name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "at least one character"),
        ("a" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH}"),
        ("-rf", "starting with"),
        (".", "starting with"),
        ("..", "starting with"),
        ("a/b", "only letters"),
        ("a b", "only letters"),
        ("a\n", "only letters"),
        ("a\0", "only letters"),
        ("ünder", "only letters"),
        ("a:b", "only letters"),
        ("12345", "digits only"),
        ("root", "reserved"),
        ("ROOT", "reserved"),
        (12, "expected a string"),
        (None, "expected a string"),
        (b"batman", "expected a string"),
        (["a"] * 1000, "expected a string, found a list"),
    ],
)
def test_bad_names_are_refused_by_rule(name: object, rule: str) -> None:
    with pytest.raises(SecureFtpError, match=rule) as refused:
        validate_user_name(name)
    assert len(str(refused.value)) < 300, "a name of any length is shown in part"


def test_every_reserved_name_is_refused() -> None:
    for name in RESERVED:
        with pytest.raises(SecureFtpError, match="reserved"):
            validate_user_name(name)


@given(
    st.one_of(st.text(max_size=40), st.binary(max_size=40), st.binary(max_size=40).map(lambda b: b.decode("latin1")))
)
def test_whatever_passes_is_one_safe_path_component(name: object) -> None:
    try:
        validate_user_name(name)
    except SecureFtpError:
        return
    assert isinstance(name, str)
    assert name.isascii() and name.isprintable() and 0 < len(name) <= MAX_LENGTH
    assert not set(name) & set("/ :\\\n\0") and name[0] not in "-."
