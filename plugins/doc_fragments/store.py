# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where FTPS users are stored, and how they are changed."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the FTPS user modules."""

    DOCUMENTATION = r"""
options:
  db:
    description:
      - The Berkeley DB hash file, with or without C(.db). With this option the module manages only that database.
      - If omitted, the C(db=) in the C(pam_userdb) line of the PAM service.
    type: path
  config:
    description:
      - The vsftpd configuration from which the other options are read.
      - If omitted, C(/etc/vsftpd.conf) or C(/etc/vsftpd/vsftpd.conf), whichever exists.
    type: path
  pam_service:
    description:
      - The PAM service of vsftpd. If omitted, C(pam_service_name) of O(config).
    type: str
  local_root:
    description:
      - The start directory of users, as in C(local_root) of vsftpd.conf. C($USER) stands for the user name; without
        C($USER) all users share one directory.
      - If omitted, C(local_root) and C(user_sub_token) of O(config).
    type: str
  guest_username:
    description:
      - The system user that all FTPS sessions run as. It owns the directories of the users.
      - If omitted, C(guest_username) of O(config), or C(ftp).
    type: str
"""

    WRITE = r"""
options:
  create_home:
    description:
      - Create the directory of each present FTPS user, owned by O(guest_username), mode 0700. The content of an
        existing directory does not change.
      - Set it to V(false) on hosts without vsftpd.
    type: bool
    default: true
  remove_home:
    description:
      - Delete the directory of each removed user with everything in it. Links in it are removed, not followed.
    type: bool
    default: false
  lock_timeout:
    description:
      - How many seconds to wait for another writer of the same database.
    type: float
    default: 30.0
requirements:
  - >-
    bsddb3 or its successor berkeleydb, the Python binding of Berkeley DB, to write (package C(python3-bsddb3)). Reading
    and check mode do not need it.
notes:
  - The database is never changed in place. A copy is changed, flushed to disk and renamed over it, with the same owner
    and mode, so that every login reads the complete old or the complete new database. Writers wait for each other with
    the file C(<db>.lock).
"""
