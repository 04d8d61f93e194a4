#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole list of FTPS virtual users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_users
short_description: Manage all FTPS virtual users in one transaction
version_added: 0.1.0
description:
  - Makes the Berkeley DB database that C(pam_userdb) reads hold the given people, all in one write or none.
  - Makes their directories.
  - Changes the FTPS half of each user alone. The SFTP half, its password too, stays as it is until the same list
    goes to M(secure_ftp.server.sftp_users), as the playbook C(users.yml) does; the two together set both.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.person.users
  - secure_ftp.server.person.passwords
  - secure_ftp.server.store
  - secure_ftp.server.store.write
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_users
options:
  purge:
    description:
      - Remove every user of the database who is not in O(users).
    type: bool
    default: false
  hash_plaintext:
    description:
      - Hash every password stored as plaintext, in the same transaction, and give the PAM service C(crypt=crypt).
      - Log-ins work throughout. First the PAM file accepts hashes beside plaintext, then the database is replaced, then
        the PAM file accepts hashes only.
    type: bool
    default: false
  salvage:
    description:
      - When the database is damaged, keep it as C(<db>.damaged-<time>) and continue with the records that can still
        be read. A sound database is left alone.
      - What cannot be read is lost from the database unless it is in O(users). In check mode a damaged database is
        reported and O(users) is not compared with it.
    type: bool
    default: false
seealso:
  - module: secure_ftp.server.ftp_user
  - module: secure_ftp.server.ftp_user_info
  - module: secure_ftp.server.sftp_users
"""

EXAMPLES = r"""
- name: Exactly these people
  secure_ftp.server.ftp_users:
    users:
      - name: batman
        password: "{{ vault_batman }}"
      - name: robin
        password_hash: "{{ vault_robin_hash }}"
        protocols: [ftps]
    purge: true

- name: Hash a database that was made with plaintext passwords
  secure_ftp.server.ftp_users:
    users: []
    hash_plaintext: true

- name: Save what is left of a damaged database
  secure_ftp.server.ftp_users:
    users: "{{ ftp_users }}"
    salvage: true
"""

RETURN = r"""
added:
  description: Names of new users.
  returned: success
  type: list
  elements: str
  sample: [batman]
changed_users:
  description: Names of users whose password changed.
  returned: success
  type: list
  elements: str
removed:
  description: Names of removed users.
  returned: success
  type: list
  elements: str
unchanged:
  description: Names of the given users who were right already.
  returned: success
  type: list
  elements: str
hashed:
  description: Names of users whose stored plaintext password was hashed.
  returned: success
  type: list
  elements: str
locked:
  description: Names of users who were locked.
  returned: success
  type: list
  elements: str
unlocked:
  description: Names of users who were unlocked.
  returned: success
  type: list
  elements: str
homes:
  description: Directories that were made or corrected.
  returned: success
  type: list
  elements: str
homes_removed:
  description: Directories that were removed.
  returned: success
  type: list
  elements: str
pam_changed:
  description: Whether the PAM service was switched to hashed passwords.
  returned: success
  type: bool
salvaged:
  description: Number of records read from a damaged database and the file it was kept as.
  returned: when the database was damaged and O(salvage=true)
  type: dict
  sample: {"records": 41, "kept": "/etc/vsftpd/users.db.damaged-20250101T000000Z"}
db:
  description: The database file.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import (
    password_options,
    store_options,
    users_option,
    write_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change, salvage
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    HASHED,
    LOCKED,
    PASSWORD,
    UNLOCKED,
    Outcome,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import people_from_list


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    people = people_from_list(params["users"], valid_min_length(params["password_min_length"]), is_stored)
    where = {key: params[key] for key in store_options()}
    server = discover(**where)
    salvaged = None
    if params["salvage"]:
        records, kept = salvage("ftp_users", server.database, module.check_mode, params["lock_timeout"])
        salvaged = {"records": records, "kept": kept} if kept else None
    if salvaged and module.check_mode:
        outcome = Outcome(
            server.database, warnings=[f"{server.database}: damaged, so users were not compared with it in check mode"]
        )
    else:
        outcome = change(
            "ftp_users", people, Ftps(server, Rules.of(params), where), module.check_mode, params["remove_home"]
        )
    warn(module, outcome.warnings)
    return {
        "changed": outcome.changed or salvaged is not None,
        "added": outcome.added,
        "changed_users": outcome.whose(PASSWORD),
        "removed": outcome.removed,
        "unchanged": outcome.unchanged,
        "hashed": outcome.whose(HASHED),
        "locked": outcome.whose(LOCKED),
        "unlocked": outcome.whose(UNLOCKED),
        "homes": outcome.homes,
        "homes_removed": outcome.homes_removed,
        "pam_changed": outcome.pam_changed,
        "db": server.database,
        "diff": outcome.diff(),
        **({"salvaged": salvaged} if salvaged else {}),
    }


def main() -> None:
    """Run the module."""
    spec = {
        "users": users_option(),
        **password_options(),
        "purge": {"type": "bool", "default": False},
        "hash_plaintext": {"type": "bool", "default": False},
        "salvage": {"type": "bool", "default": False},
        **store_options(),
        **write_options(),
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
