# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of users."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import (
    user_from_options,
    users_from_list,
    uses,
)


def test_a_person_uses_both_protocols_unless_told_otherwise() -> None:
    user = user_from_options({"name": "batman", "password": "secret-secret-x", "state": None, "protocols": None})
    assert user.present and uses(user, "ftps") and uses(user, "sftp")
    assert user.authorized_keys is None


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"protocols": ["ftps"]}, {"ftps"}),
        ({"protocols": ["sftp"]}, {"sftp"}),
        ({"protocols": []}, set()),
        ({"state": "absent"}, set()),
    ],
)
def test_who_uses_what(options: dict[str, Any], used: set[str]) -> None:
    user = user_from_options({"name": "robin", **options})
    assert {protocol for protocol in ("ftps", "sftp") if uses(user, protocol)} == used


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"password": "pppppppppppp", "password_hash": HASH}, "not both"),
        ({"password": ""}, "at least one character"),
        ({"password_hash": "p"}, "password_hash"),
        ({"protocols": ["ftp"]}, "found ftp"),
        ({"state": "gone"}, "present or absent"),
        ({"name": "../x"}, "only letters"),
    ],
)
def test_broken_entries_name_user_and_rule(options: dict[str, Any], rule: str) -> None:
    entry = {"name": "robin", **options}
    with pytest.raises(SecureFtpError, match=rule) as caught:
        user_from_options(entry)
    assert repr(entry["name"]) in str(caught.value)


def test_a_name_listed_twice_is_refused() -> None:
    with pytest.raises(SecureFtpError, match="'robin': listed twice"):
        users_from_list([{"name": "robin"}, {"name": "batman"}, {"name": "robin"}])


def test_secrets_are_not_shown() -> None:
    assert "secret-secret-x" not in repr(user_from_options({"name": "batman", "password": "secret-secret-x"}))
    assert HASH not in repr(user_from_options({"name": "batman", "password_hash": HASH}))
