# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A change of one protocol on a host where every user has one account and one home for both.

The account stays as long as the user has any protocol, and a user of the first protocol gets one. So a change of one
protocol has to say what the users have in the other one.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses

Reopen = Callable[[str, Mapping[str, Any]], "Backend | None"]


def partner(backends: Sequence[Backend], reopen: Reopen) -> Backend | None:
    """The backend of the other protocol, if ``backends`` is only one of two that share the accounts; else None.

    None too if the other one is not set up, so that it has no users.
    """
    if len(backends) != 1 or not backends[0].has_accounts:
        return None
    (other,) = (protocol for protocol in PROTOCOLS if protocol != backends[0].protocol)
    try:
        return reopen(other, {})
    except SecureFtpError:
        return None


def whole(users: Sequence[User], protocol: str, partner: Backend, reopen: Reopen, purge: bool) -> list[User]:
    """``users``, who are changed in ``protocol`` only, with the other protocol as ``partner`` has it.

    With ``purge`` also everybody who is not in ``users`` and loses ``protocol``.
    """
    users = list(users)
    if purge:
        listed = {user.name for user in users}
        ftps = partner if partner.protocol == "ftps" else reopen("ftps", {})
        names = [user["name"] for user in ftps.describe()] if ftps is not None else []
        users += [User(name, present=False) for name in names if name not in listed]
    stored = partner.stored([user.name for user in users])
    return [_whole(user, protocol, partner.protocol, stored.has(user.name)) for user in users]


def _whole(user: User, protocol: str, other: str, has_other: bool) -> User:
    uses_it = {protocol: uses(user, protocol), other: has_other}
    protocols = tuple(one for one in PROTOCOLS if uses_it[one])
    return user._replace(present=bool(protocols), protocols=protocols or user.protocols)
