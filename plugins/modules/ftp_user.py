#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One FTPS virtual user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_user
short_description: Manage one FTPS virtual user
version_added: 0.1.0
description:
  - Manages the record of a virtual user in the Berkeley DB database that C(pam_userdb) reads, and the user's directory.
  - A new user needs O(password) or O(password_hash).
  - Changes the FTPS half of a user alone. Where SFTP has the same name, its password, lock and files stay as they are;
    a warning says so when this change leaves the two with different passwords, or a way in by SFTP. The other half
    is changed by M(secure_ftp.server.sftp_user), both by the command C(ftp-users).
  - Where a playbook has the user in its list, that list wins at its next run.
  - For a whole list use M(secure_ftp.server.ftp_users), which writes once.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.person
  - secure_ftp.server.person.passwords
  - secure_ftp.server.store
  - secure_ftp.server.store.write
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_users
seealso:
  - module: secure_ftp.server.ftp_users
  - module: secure_ftp.server.ftp_user_info
  - module: secure_ftp.server.sftp_user
"""

EXAMPLES = r"""
- name: Let batman in; everything else is discovered
  secure_ftp.server.ftp_user:
    name: batman
    password: "{{ vault_batman }}"

- name: Remove robin together with his files
  secure_ftp.server.ftp_user:
    name: robin
    state: absent
    remove_home: true

- name: Write a database on a host without vsftpd
  secure_ftp.server.ftp_user:
    name: batman
    password_hash: "{{ vault_batman_hash }}"
    db: /srv/build/users
    create_home: false
"""

RETURN = r"""
name:
  description: The user.
  returned: success
  type: str
  sample: batman
state:
  description: V(present) or V(absent).
  returned: success
  type: str
  sample: present
db:
  description: The database file.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
home:
  description: The directory the user starts in, when it is known.
  returned: success
  type: str
  sample: /home/vftp/batman
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import (
    password_options,
    person_options,
    store_options,
    write_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change_one
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import of_protocol
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import person_from_options

_PERSON = of_protocol("ftps")


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    options = {**{key: params[key] for key in _PERSON}, "protocols": ["ftps"]}
    person = person_from_options(options, valid_min_length(params["password_min_length"]), is_taken=is_stored)
    where = {key: params[key] for key in store_options()}
    server = discover(**where)
    rules = Rules.of(params)
    outcome = change_one("ftp_user", person, Ftps(server, rules, where), module.check_mode, params["remove_home"])
    warn(module, outcome.warnings)
    return {
        "changed": outcome.changed,
        "name": person.name,
        "state": params["state"],
        "db": server.database,
        "home": server.homes.of(person.name) if server.homes else None,
        "diff": outcome.diff(),
    }


def main() -> None:
    """Run the module."""
    options = person_options()
    spec = {**{key: options[key] for key in _PERSON}, **password_options(), **store_options(), **write_options()}
    run({"argument_spec": spec, "mutually_exclusive": [("password", "password_hash")]}, _logic)


if __name__ == "__main__":
    main()
