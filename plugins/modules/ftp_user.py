#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One user, for FTPS and SFTP."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_user
short_description: Manage one user of FTPS and SFTP
version_added: 0.1.0
description:
  - Manages one user of this host in both protocols, in one transaction. It is done completely, undone if it fails, or
    finished by the next change of users. The options are those of an entry of the list C(ftp_users).
  - An FTPS user is a record of the Berkeley DB database that C(pam_userdb) reads. An SFTP user is a system account in
    the group that C(sshd) jails. The module reads from the live configuration where the users are stored.
  - With O(db) it changes only the record in that database and its directory, and nothing of SFTP. A warning says if the
    user then has another password for SFTP, or can still log in by SFTP.
  - A new FTPS user needs O(password) or O(password_hash).
  - If the list of a playbook contains the user, the next run of that playbook overrides this change.
  - For a whole list use M(secure_ftp.server.ftp_users), which writes once.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.user
  - secure_ftp.server.user.passwords
  - secure_ftp.server.store
  - secure_ftp.server.store.write
  - secure_ftp.server.sftp.place
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.actiongroup_users
options:
  protocols:
    description:
      - The protocols that the user may use. The user is removed from protocols that are not listed.
      - If omitted, an existing user keeps the present protocols, and a new user gets those that this host serves - FTPS
        if vsftpd has a configuration, SFTP if C(sshd) jails the group. Not used with O(db).
    type: list
    elements: str
    choices: [ftps, sftp]
    version_added: 0.2.0
  authorized_keys:
    description:
      - The complete list of public keys for SFTP. If omitted, the keys stay as they are.
    type: list
    elements: str
    version_added: 0.2.0
  ftps_max_rate:
    description:
      - The highest rate of one FTPS session in bytes a second, such as V(500000), V(500K) or V(2M) (of 1024); V(0) is
        no limit. If omitted, it stays as it is. OpenSSH has no such limit.
    type: raw
    version_added: 0.2.0
seealso:
  - module: secure_ftp.server.ftp_users
  - module: secure_ftp.server.ftp_user_info
  - module: secure_ftp.server.sftp_user
"""

EXAMPLES = r"""
- name: Add batman to both protocols; everything else is read from the live configuration
  secure_ftp.server.ftp_user:
    name: batman
    password: "{{ vault_batman }}"

- name: Add alfred to SFTP, with a key only
  secure_ftp.server.ftp_user:
    name: alfred
    protocols: [sftp]
    authorized_keys:
      - "{{ lookup('ansible.builtin.file', 'alfred.pub') }}"

- name: Remove robin and the files of robin
  secure_ftp.server.ftp_user:
    name: robin
    state: absent
    remove_home: true

- name: Add a user to a database on a host without vsftpd
  secure_ftp.server.ftp_user:
    name: batman
    password_hash: "{{ vault_batman_hash }}"
    db: /srv/build/users
    create_home: false
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
    - What was made, changed or removed, such as V(added to ftps), V(password), V(access), V(locked), V(home),
      V(no sftp any more) or V(files removed).
  returned: success
  type: list
  elements: str
  sample: [password]
db:
  description: The database file of FTPS; null on a host without FTPS.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
home:
  description: The start directory of the user in FTPS, if it is known, otherwise in SFTP.
  returned: success
  type: str
  sample: /home/sftp/batman
homes:
  description: The directory of the user in each protocol of the task.
  returned: success
  type: dict
  sample: {"ftps": "/home/sftp/batman", "sftp": "/home/sftp/batman"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import (
    password_options,
    person_options,
    removing,
    sftp_place_options,
    sftp_rules,
    store_options,
    write_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import chosen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.by_module import change, change_one
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import diff, of_one, together
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import valid_min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import user_from_options


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    where = {key: params[key] for key in store_options()}
    # Fail if the user should get a protocol that this host does not serve.
    asked = None if params["db"] else params["protocols"]
    served = chosen(where, Rules.of(params), sftp_rules(params), None)
    missing = [one for one in asked or () if one not in [backend.protocol for backend in served]]
    backends = chosen(where, Rules.of(params), sftp_rules(params), asked) if missing else served
    options = {key: params[key] for key in person_options()}
    if params["db"]:
        options["protocols"] = ["ftps"]
    elif options["protocols"] is None:
        options["protocols"] = [backend.protocol for backend in backends]
    user = user_from_options(options, valid_min_length(params["password_min_length"]), is_taken=is_stored)
    if len(backends) == 1 and backends[0].protocol == "ftps":
        outcomes = {"ftps": change_one("ftp_user", user, backends[0], module.check_mode, removing(params))}
    else:
        keeps = params["protocols"] is None
        outcomes = change("ftp_user", [user], backends, module.check_mode, removing(params), keep_halves=keeps)
    whole = together([user], outcomes)
    warn(module, whole.warnings)
    places = {backend.protocol: backend.directory(user.name) for backend in backends}
    return {
        "changed": whole.changed,
        "name": user.name,
        "state": params["state"],
        "changes": of_one(user, outcomes),
        "db": next((one.server.database for one in backends if isinstance(one, Ftps)), None),
        "home": places.get("ftps") or places.get("sftp"),
        "homes": places,
        "diff": diff(outcomes),
    }


def main() -> None:
    """Run the module."""
    spec = {
        **person_options(),
        **password_options(),
        **store_options(),
        **write_options(),
        "sftp": sftp_place_options(),
    }
    run({"argument_spec": spec, "mutually_exclusive": [("password", "password_hash")]}, _logic)


if __name__ == "__main__":
    main()
