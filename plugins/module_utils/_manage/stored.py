# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether a hash is the one that is stored already: a list that repeats it makes nothing new."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.reconcile import without_locks
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import read_accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import lock_state


def is_stored(name: str, hash: str, protocols: Sequence[str], config: str | None = None, etc: str = "/etc") -> bool:
    """Whether ``hash`` is exactly what each of ``protocols`` has for user ``name`` on this host, locked or not.

    ``config`` is vsftpd's, found when None. What cannot be read is not stored.
    """
    return bool(protocols) and all(_stored(name, protocol, config, etc) == hash for protocol in protocols)


def _stored(name: str, protocol: str, config: str | None, etc: str) -> str | None:
    try:
        if protocol == "sftp":
            accounts = read_accounts(etc, passwords_of={name})
            return lock_state(accounts, name).stored if name in accounts.users else None
        key = name.encode("utf-8")
        records, _locked = without_locks(read(discover(config=config).database).select([key]))
        return records[key].decode("utf-8", "replace") if key in records else None
    except (SecureFtpError, OSError):
        return None
