#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the FTPS virtual users are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_user_info
short_description: List the FTPS virtual users
version_added: 0.1.0
description:
  - Reads the Berkeley DB database that C(pam_userdb) reads. Never returns a password or a hash.
  - Needs no Python binding of Berkeley DB.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.store
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_users
attributes:
  diff_mode:
    support: none
options:
  name:
    description:
      - Return only this user.
    type: str
seealso:
  - module: secure_ftp.server.ftp_user
  - module: secure_ftp.server.ftp_users
"""

EXAMPLES = r"""
- name: Who may log in
  secure_ftp.server.ftp_user_info:
  register: ftp

- name: Nobody has a plaintext password
  ansible.builtin.assert:
    that: ftp.plaintext | length == 0
"""

RETURN = r"""
users:
  description: The users, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Login name.
      type: str
    scheme:
      description: The method the stored password is hashed with, or V(plaintext).
      type: str
    locked:
      description: Whether the user is kept from logging in.
      type: bool
    home:
      description: The directory the user starts in, when it is known.
      type: str
  sample:
    - name: batman
      scheme: sha512_crypt
      locked: false
      home: /home/vftp/batman
plaintext:
  description: Names of the users whose password is stored as plaintext.
  returned: success
  type: list
  elements: str
db:
  description: The database file.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
exists:
  description: Whether the database is there.
  returned: success
  type: bool
pam_crypt:
  description: Whether the PAM service that reads the database expects hashes; null when no service is known to read it.
  returned: success
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import store_options
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import describe


def _logic(module: AnsibleModule) -> dict[str, Any]:
    server = discover(**{key: module.params[key] for key in store_options()})
    return {"changed": False, **describe(server, module.params["name"])}


def main() -> None:
    """Run the module."""
    run({"argument_spec": {"name": {"type": "str"}, **store_options()}}, _logic)


if __name__ == "__main__":
    main()
