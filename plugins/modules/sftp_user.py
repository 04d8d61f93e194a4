#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SFTP user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sftp_user
short_description: Manage one SFTP user
version_added: 0.1.0
description:
  - Manages a jailed system account without a shell, its home, its password and its public keys.
  - Changes only the SFTP part of a user. If FTPS has a user of the same name, its password, lock and files stay as they
    are. A warning says if the passwords then differ, or if the user can still log in by FTPS.
    M(secure_ftp.server.ftp_user) and the command C(ftp-users) change both protocols.
  - If the list of a playbook contains the user, the next run of that playbook overrides this change.
  - For a whole list use M(secure_ftp.server.sftp_users), which creates all accounts in one pass.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.user
  - secure_ftp.server.user.passwords
  - secure_ftp.server.sftp
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_sftp_users
options:
  authorized_keys:
    description:
      - The complete list of public keys. If omitted, the keys stay as they are.
    type: list
    elements: str
seealso:
  - module: secure_ftp.server.sftp_users
  - module: secure_ftp.server.ftp_user
"""

EXAMPLES = r"""
- name: Add batman; everything else is read from the live configuration
  secure_ftp.server.sftp_user:
    name: batman
    password: "{{ vault_batman }}"

- name: Add robin with a key only
  secure_ftp.server.sftp_user:
    name: robin
    authorized_keys:
      - "{{ lookup('ansible.builtin.file', 'robin.pub') }}"

- name: Remove robin and the files of robin
  secure_ftp.server.sftp_user:
    name: robin
    state: absent
    remove_home: true
"""

RETURN = r"""
name:
  description: The user name.
  returned: success
  type: str
  sample: batman
state:
  description: V(present) or V(absent).
  returned: success
  type: str
  sample: present
changes:
  description:
    - What was made, changed or removed. Any of V(added to sftp), V(password), V(authorized_keys), V(locked),
      V(unlocked), V(shell), V(home), V(no sftp any more) and V(files removed).
  returned: success
  type: list
  elements: str
home:
  description: The start directory of the user, as a path on the host.
  returned: success
  type: str
  sample: /home/sftp/batman
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import password_options, person_options
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change_one
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import of_one
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules, sftp_options
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import of_protocol
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import user_from_options

_PERSON = of_protocol("sftp")


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    options = {**{key: params[key] for key in _PERSON}, "protocols": ["sftp"]}
    user = user_from_options(options, valid_min_length(params["password_min_length"]), is_taken=is_stored)
    backend = Sftp(Rules.of(params))
    outcome = change_one("sftp_user", user, backend, module.check_mode, ["sftp"] if params["remove_home"] else [])
    warn(module, outcome.warnings)
    return {
        "changed": outcome.changed,
        "name": user.name,
        "state": params["state"],
        "changes": of_one(user, {"sftp": outcome}),
        "home": backend.directory(user.name),
        "diff": outcome.diff(),
    }


def main() -> None:
    """Run the module."""
    options = person_options()
    spec = {**{key: options[key] for key in _PERSON}, **password_options(), **sftp_options()}
    run({"argument_spec": spec, "mutually_exclusive": [("password", "password_hash")]}, _logic)


if __name__ == "__main__":
    main()
