#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole list of SFTP users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sftp_users
short_description: Manage all SFTP users at once
version_added: 0.1.0
description:
  - Adds, changes and removes SFTP users as the list says. Each is a system account without a shell in one group, jailed
    by sshd.
  - Each user has a home directory in the jail, owned by the user with mode 0700, and a password, public keys or both.
  - All accounts are created in one pass.
  - Changes only the SFTP part of each user. FTPS, including its password, stays as it is.
    M(secure_ftp.server.ftp_users) changes both protocols in one transaction, and the playbook C(users.yml) uses it.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.user.users
  - secure_ftp.server.user.passwords
  - secure_ftp.server.sftp
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_sftp_users
options:
  purge:
    description:
      - Remove every member of O(group) who is not in O(users).
    type: bool
    default: false
seealso:
  - module: secure_ftp.server.sftp_user
  - module: secure_ftp.server.sshd_jail
  - module: secure_ftp.server.ftp_users
"""

EXAMPLES = r"""
- name: Add these users and remove all others
  secure_ftp.server.sftp_users:
    users:
      - name: batman
        password: "{{ vault_batman }}"
      - name: robin
        protocols: [sftp]
        authorized_keys:
          - "{{ lookup('ansible.builtin.file', 'robin.pub') }}"
    purge: true

- name: Remove these users and their files
  secure_ftp.server.sftp_users:
    users:
      - name: joker
        state: absent
    remove_home: true
"""

RETURN = r"""
added:
  description: Names of new users.
  returned: success
  type: list
  elements: str
  sample: [batman]
changed_users:
  description: Names of changed users.
  returned: success
  type: list
  elements: str
changes:
  description: What changed for each user. Any of password, authorized_keys, locked, unlocked, shell and home.
  returned: success
  type: dict
  sample: {"robin": ["authorized_keys"]}
removed:
  description: Names of removed users.
  returned: success
  type: list
  elements: str
unchanged:
  description: Names of the given users without any change.
  returned: success
  type: list
  elements: str
homes:
  description: Directories that were created or corrected.
  returned: success
  type: list
  elements: str
homes_removed:
  description: Directories that were removed.
  returned: success
  type: list
  elements: str
directory:
  description: The jail.
  returned: success
  type: str
  sample: /home/sftp
keys_directory:
  description: The directory of the public keys.
  returned: success
  type: str
  sample: /etc/ssh/sftponly_keys
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import (
    defaults_option,
    password_options,
    users_option,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules, sftp_options
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    users = users_from_list(
        params["users"], valid_min_length(params["password_min_length"]), is_stored, params["defaults"]
    )
    backend = Sftp(Rules.of(params))
    remove_home = ["sftp"] if params["remove_home"] else []
    outcome = change("sftp_users", users, [backend], module.check_mode, remove_home)["sftp"]
    jail = backend.jail()
    warn(module, outcome.warnings)
    return {
        "changed": outcome.changed,
        "added": outcome.added,
        "changed_users": list(outcome.changed_users),
        "changes": outcome.changed_users,
        "removed": outcome.removed,
        "unchanged": outcome.unchanged,
        "homes": outcome.homes,
        "homes_removed": outcome.homes_removed,
        "directory": jail.directory,
        "keys_directory": jail.keys_directory,
        "diff": outcome.diff(),
    }


def main() -> None:
    """Run the module."""
    spec = {
        "users": users_option(),
        "defaults": defaults_option(),
        **password_options(),
        "purge": {"type": "bool", "default": False},
        **sftp_options(),
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
