# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether a hash is the one that is stored already: a list that repeats it makes nothing new."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen

Open = Callable[[str, Mapping[str, Any]], Any]
"""Gives the backend of a protocol, None if the host does not have it."""


def is_stored(name: str, hash: str, protocols: Sequence[str], open_: Open = reopen) -> bool:
    """Whether ``hash`` is exactly what each of ``protocols`` has for user ``name`` on this host, locked or not.

    ``open_`` gives the backend of a protocol. If that cannot be read, the hash counts as not stored.
    """
    return bool(protocols) and all(_stored(name, protocol, open_) == hash for protocol in protocols)


def _stored(name: str, protocol: str, open_: Open) -> str | None:
    with contextlib.suppress(SecureFtpError, OSError):
        backend = open_(protocol, {})
        if backend is not None:
            user = backend.stored([name]).user(name)
            return user.password_hash if user.present else None
    return None
