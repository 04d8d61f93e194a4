# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Everything the doctor can find, put together from the files of the checks."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import (
    accounts,
    certificates,
    examine,
    folders,
    ftps_users,
    host,
    leftbehind,
    outside,
    personal,
    quotas,
    rights,
    sftp,
    sftp_users,
    vsftpd,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import COMMON, Kind

FILES = (
    examine,
    vsftpd,
    certificates,
    ftps_users,
    leftbehind,
    personal,
    rights,
    accounts,
    sftp,
    sftp_users,
    outside,
    folders,
    quotas,
    host,
)

KINDS: dict[str, Kind] = {**COMMON, **{name: kind for file in FILES for name, kind in file.KINDS.items()}}
"""Every subject that a finding can have, once; docs/ftp-users-check.md shows the same table."""
