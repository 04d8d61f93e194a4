# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection supports."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes shared by all modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: Debian, Ubuntu
"""

    ACTIONGROUP_USERS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/secure_ftp.server.users) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - secure_ftp.server.users
"""

    ACTIONGROUP_SFTP_USERS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/secure_ftp.server.sftp_users) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - secure_ftp.server.sftp_users
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    description: Runs in check mode without change.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""
