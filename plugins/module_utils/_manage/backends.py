# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The backends of this host, and those a killed change had."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Backend

_KINDS: Mapping[str, Any] = {Sftp.protocol: Sftp, Ftps.protocol: Ftps}
"""In the order of a change: the one that is replaced whole comes last."""


def reopen(protocol: str, place: Mapping[str, Any]) -> Backend | None:
    """The backend of ``protocol`` that said ``place`` of itself, an empty one: what the host's configuration says.

    None where the host does not have it. Raises SecureFtpError.
    """
    try:
        found: Backend | None = _KINDS[protocol].at(place)
    except (KeyError, TypeError) as error:
        raise SecureFtpError(f"the journal: expected a place of this version, found another: {error}") from error
    return found


def here(rounds: int) -> list[Backend]:
    """The backends the live configuration of this host has, in the order of a change."""
    found = [reopen(protocol, {"rules": {"rounds": rounds}}) for protocol in _KINDS]
    return [backend for backend in found if backend is not None]
