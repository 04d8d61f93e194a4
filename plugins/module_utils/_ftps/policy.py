# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How FTPS users are managed: the options of the modules."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import LOCK_TIMEOUT
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import DEFAULT_ROUNDS

ROOT_MODE = 0o555
HOME_MODE = 0o700


@dataclass(frozen=True)
class Rules:
    """How to manage users and their directories."""

    purge: bool = False
    update_password: str = "always"
    hash_plaintext: bool = False
    create_home: bool = True
    rounds: int = DEFAULT_ROUNDS
    lock_timeout: float = LOCK_TIMEOUT

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rules:
        """The rules in ``options``, which may contain other options too, also those of an older version."""
        return cls(**{one.name: options[one.name] for one in fields(cls) if one.name in options})
