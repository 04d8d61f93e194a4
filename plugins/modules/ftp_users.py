#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole list of users, for FTPS and SFTP."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_users
short_description: Manage all users of FTPS and SFTP in one transaction
version_added: 0.1.0
description:
  - Adds, changes and removes users of this host as the list says, in both protocols in one transaction. It is done
    completely, undone if it fails, or finished by the next change of users.
  - FTPS users are records of the Berkeley DB database that C(pam_userdb) reads, all written at once. SFTP users are
    system accounts in the group that C(sshd) jails. The module reads from the live configuration where they are stored.
  - With O(db) it changes only the records in that database and their directories, and nothing of SFTP.
  - On a host that serves only one protocol it manages the users of that protocol.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.user.users
  - secure_ftp.server.user.passwords
  - secure_ftp.server.store
  - secure_ftp.server.store.write
  - secure_ftp.server.sftp.place
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_users
options:
  protocols:
    description:
      - The protocols that this task changes; users of the other protocol stay as they are.
      - If omitted, only FTPS with O(db), otherwise the protocols that this host serves - FTPS if vsftpd has a
        configuration, SFTP if C(sshd) jails the group.
    type: list
    elements: str
    choices: [ftps, sftp]
    version_added: 0.2.0
  purge:
    description:
      - Remove every user who is not in O(users), from the database and from the group.
    type: bool
    default: false
  hash_plaintext:
    description:
      - Hash every password stored as plaintext, in the same transaction, and give the PAM service C(crypt=crypt).
      - Logins work throughout. First the PAM file accepts hashes and plaintext, then the database is replaced, then the
        PAM file accepts only hashes.
    type: bool
    default: false
  salvage:
    description:
      - If the database is damaged, keep it as C(<db>.damaged-<time>) and continue with the records that can still be
        read. A sound database does not change.
      - Records that cannot be read are lost unless they are in O(users). In check mode a damaged database is reported,
        and O(users) is not compared with it.
    type: bool
    default: false
seealso:
  - module: secure_ftp.server.ftp_user
  - module: secure_ftp.server.ftp_user_info
  - module: secure_ftp.server.sftp_users
"""

EXAMPLES = r"""
- name: Add these users and remove all others
  secure_ftp.server.ftp_users:
    users:
      - name: batman
        password: "{{ vault_batman }}"
      - name: robin
        password_hash: "{{ vault_robin_hash }}"
        protocols: [ftps]
    purge: true

- name: Manage the users in a database on a host without vsftpd
  secure_ftp.server.ftp_users:
    users: "{{ ftp_users }}"
    db: /srv/build/users
    create_home: false

- name: Hash a database that was made with plaintext passwords
  secure_ftp.server.ftp_users:
    users: []
    protocols: [ftps]
    hash_plaintext: true

- name: Keep the readable records of a damaged database
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
  description: Names of users with a changed password or, for SFTP, changed keys, shell or home in passwd.
  returned: success
  type: list
  elements: str
changes:
  description: What changed for each existing user, such as V(password), V(authorized_keys), V(locked) or V(home).
  returned: success
  type: dict
  sample: {"batman": ["password"]}
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
  description: Directories that were created or corrected.
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
  description: The number of records read from a damaged database, and the file that keeps the old database.
  returned: when the database was damaged and O(salvage=true)
  type: dict
  sample: {"records": 41, "kept": "/etc/vsftpd/users.db.damaged-20250101T000000Z"}
protocols:
  description: The protocols of the task.
  returned: success
  type: list
  elements: str
  sample: [sftp, ftps]
db:
  description: The database file of FTPS; null if the task changed only SFTP.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
pam_crypt:
  description:
    - Whether the PAM service that reads the database expected hashes before the task; null if no such service was
      known, or if the task changed only SFTP.
  returned: success
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import (
    defaults_option,
    password_options,
    removing,
    sftp_place_options,
    sftp_rules,
    store_options,
    users_option,
    write_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import chosen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change, salvage
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import diff, together
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import (
    HASHED,
    HOME,
    LOCKED,
    UNLOCKED,
    Outcome,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list

_BY_NAME = {HASHED, LOCKED, UNLOCKED, HOME}
"""The changes of a user that are reported in separate lists."""


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    users = users_from_list(
        params["users"], valid_min_length(params["password_min_length"]), is_stored, params["defaults"]
    )
    where = {key: params[key] for key in store_options()}
    backends = chosen(where, Rules.of(params), sftp_rules(params), params["protocols"], module.check_mode)
    server = next((one.server for one in backends if isinstance(one, Ftps)), None)
    database = server.database if server else None
    salvaged = None
    if params["salvage"] and database:
        records, kept = salvage("ftp_users", database, module.check_mode, params["lock_timeout"])
        salvaged = {"records": records, "kept": kept} if kept else None
    if salvaged and module.check_mode:
        said = f"{database}: damaged, so users were not compared with it in check mode"
        outcomes = {"ftps": Outcome(database or "", warnings=[said])}
    else:
        outcomes = change("ftp_users", users, backends, module.check_mode, removing(params))
    whole = together(users, outcomes)
    warn(module, whole.warnings)
    return {
        "changed": whole.changed or salvaged is not None,
        "added": whole.added,
        "changed_users": sorted(name for name, parts in whole.changed_users.items() if set(parts) - _BY_NAME),
        "changes": whole.changed_users,
        "removed": whole.removed,
        "unchanged": whole.unchanged,
        "hashed": whole.whose(HASHED),
        "locked": whole.whose(LOCKED),
        "unlocked": whole.whose(UNLOCKED),
        "homes": whole.homes,
        "homes_removed": whole.homes_removed,
        "pam_changed": whole.pam_changed,
        "protocols": list(outcomes),
        "db": database,
        "pam_crypt": server.pam_crypt if server else None,
        "diff": diff(outcomes),
        **({"salvaged": salvaged} if salvaged else {}),
    }


def main() -> None:
    """Run the module."""
    spec = {
        "users": users_option(),
        "defaults": defaults_option(),
        **password_options(),
        "protocols": {"type": "list", "elements": "str", "choices": list(PROTOCOLS)},
        "purge": {"type": "bool", "default": False},
        "hash_plaintext": {"type": "bool", "default": False},
        "salvage": {"type": "bool", "default": False},
        **store_options(),
        **write_options(),
        "sftp": sftp_place_options(),
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
