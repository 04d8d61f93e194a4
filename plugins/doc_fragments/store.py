# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where FTPS users are kept, and how they are written."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the FTPS user modules."""

    DOCUMENTATION = r"""
options:
  db:
    description:
      - The Berkeley DB hash file, with or without C(.db). Naming it makes the module one of that database alone.
      - Without it, the C(db=) of the PAM service's C(pam_userdb) line.
    type: path
  config:
    description:
      - The vsftpd configuration the other options are discovered from.
      - Without it, C(/etc/vsftpd.conf) or C(/etc/vsftpd/vsftpd.conf), whichever is there.
    type: path
  pam_service:
    description:
      - The PAM service vsftpd uses. Without it, C(pam_service_name) of O(config).
    type: str
  local_root:
    description:
      - Where users start, as in C(local_root) of vsftpd.conf. C($USER) stands for the name of the user; without it
        all users share one directory.
      - Without this option, C(local_root) and C(user_sub_token) of O(config).
    type: str
  guest_username:
    description:
      - The system user all FTPS users act as and who owns their directories.
      - Without it, C(guest_username) of O(config), or C(ftp).
    type: str
"""

    WRITE = r"""
options:
  create_home:
    description:
      - Make the directory of each present FTPS user, owned by O(guest_username), mode 0700. Nothing inside an existing
        one is touched.
      - Set to V(false) where no vsftpd is installed.
    type: bool
    default: true
  remove_home:
    description:
      - Delete the directory of each removed user with everything in it. Links in it are removed, not followed.
    type: bool
    default: false
  lock_timeout:
    description:
      - Seconds to wait for another writer of the same database.
    type: float
    default: 30.0
requirements:
  - >-
    bsddb3 or its successor berkeleydb, the Python binding of Berkeley DB, to write (package C(python3-bsddb3)). Reading
    and check mode need neither.
notes:
  - The database is never changed in place. A copy is changed, flushed to disk and renamed over it, keeping owner and
    mode, so that a log-in at any moment sees the old or the new database whole. Writers wait for each other on
    the file C(<db>.lock).
"""
