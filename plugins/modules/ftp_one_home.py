#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One home for each user, instead of one for each protocol."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_one_home
short_description: Give each user one home for both protocols
version_added: 0.2.0
description:
  - Moves the files of each FTPS user into the home in the jail of SFTP, which then is the user's home for both
    protocols. FTPS sessions of a user run with the user id of that account from then on. A user who only uses FTPS gets
    an account that cannot log in.
  - Nothing is overwritten. A file whose name exists in the home already is moved to C(from-ftps) in it.
  - The open sessions of a user end before the files of this user are moved. Users who have moved, and users who have
    not, can log in while others are moved.
  - If it is interrupted, doing it again moves the rest. A host that has one home for each user does not change.
  - The command C(ftp-users one-home) on the server does the same.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
attributes:
  check_mode:
    description: In check mode nothing changes, and the module returns what would be moved.
    support: full
  diff_mode:
    description: Shows which directories are moved, not each file.
    support: full
options: {}
seealso:
  - module: secure_ftp.server.ftp_users
"""

EXAMPLES = r"""
- name: Give each user one home for both protocols
  secure_ftp.server.ftp_one_home:
"""

RETURN = r"""
users:
  description: Each user who moves.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the user.
      type: str
    from:
      description: The directory of FTPS, which is removed.
      type: str
    to:
      description: The home.
      type: str
    files:
      description: The number of files.
      type: int
    bytes:
      description: The size of the files; V(0) when they have been moved.
      type: int
    aside:
      description: The paths, in the home, of files and directories whose names existed already.
      type: list
      elements: str
  sample: [{"name": "batman", "from": "/home/vftp/batman", "to": "/home/sftp/batman", "files": 3, "aside": []}]
accounts:
  description: Names of users who only use FTPS and get an account.
  returned: success
  type: list
  elements: str
configurations:
  description: Files of vsftpd in which C(local_root) changes.
  returned: success
  type: list
  elements: str
  sample: [/etc/vsftpd.conf]
"""

from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import preview
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import run as move

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def _logic(module: AnsibleModule) -> dict[str, Any]:
    done = preview() if module.check_mode else move("ftp_one_home")
    warn(module, done.warnings)
    before = "".join(f"{user['name']}: {user['from']} and {user['to']}\n" for user in done.users())
    after = "".join(f"{user['name']}: {user['to']}\n" for user in done.users())
    return {
        "changed": done.changed,
        "users": done.users(),
        "accounts": done.accounts,
        "configurations": done.configurations,
        "diff": {"before_header": "homes", "after_header": "homes", "before": before, "after": after},
    }


def main() -> None:
    """Run the module."""
    run({"argument_spec": {}}, _logic)


if __name__ == "__main__":
    main()
