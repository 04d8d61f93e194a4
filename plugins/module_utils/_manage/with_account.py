# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Fields of a user that are stored in the user's account: refused where they would have no place, or half of one."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    NOTHING,
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import given, no_account
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend, Reading
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

Reopen = Callable[[str, Mapping[str, Any]], "Backend | None"]


def expect_accounts(users: Sequence[User], reading: Reading, reopen: Reopen) -> None:
    """Refuse users with fields that are stored in an account, if they have none after this change.

    ``reading`` is what the protocols of this change have; ``reopen`` gives those that it is not about. Raises
    InvalidInput.
    """
    for user in users:
        if not user.present or not given(user):
            continue
        if "sftp" not in reading:
            _expect_same(user, reopen)
        elif not uses(user, "sftp"):
            raise InvalidInput.of(no_account(f"user {user.name!r}", given(user)))


def _expect_same(user: User, reopen: Reopen) -> None:
    """Accept what the account says already: the account is not a part of this change."""
    other: dict[str, Any] = {}
    try:
        backend = reopen("sftp", {})
        if backend is not None:
            other = backend.stored([user.name]).described(user.name) or {}
    except SecureFtpError:
        pass  # then there is none that could be changed
    different = [name for name in given(user) if getattr(user, name) != other.get(name)]
    if different:
        raise InvalidInput(
            f"user {user.name!r}",
            f"a change of both protocols, since {' and '.join(different)} is stored in the account of SFTP",
            found="a change of FTPS only",
            remedy="leave db and protocols of the module out, or leave this out",
            state=NOTHING,
        )
