#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of FTPS and SFTP."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_user_info
short_description: List the users of FTPS and SFTP
version_added: 0.1.0
description:
  - Lists the users who may log in by FTPS and by SFTP. The live configuration says where they are stored. Never returns
    a password or a hash.
  - With O(db) it reads only that database.
  - It does not need the Python binding of Berkeley DB.
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
  sftp_group:
    description:
      - The group whose members are the SFTP users.
      - If omitted, the group of the C(Match Group) block with C(ChrootDirectory) in C(sshd_config).
    type: str
    version_added: 0.2.0
seealso:
  - module: secure_ftp.server.ftp_user
  - module: secure_ftp.server.ftp_users
"""

EXAMPLES = r"""
- name: List all users
  secure_ftp.server.ftp_user_info:
  register: ftp

- name: Fail if a password is stored as plaintext
  ansible.builtin.assert:
    that: ftp.plaintext | length == 0
"""

RETURN = r"""
users:
  description: The users, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Login name.
      type: str
    protocols:
      description: The protocols that the user may use.
      type: list
      elements: str
    locked:
      description: Whether the user is locked in every protocol that the user has.
      type: bool
    access:
      description: What the user may do with files; that of FTPS if the user has FTPS.
      type: str
    umask:
      description: The umask of uploads, or V(default); that of FTPS if the user has FTPS.
      type: str
    ftps_max_rate:
      description: The highest rate over FTPS in bytes a second, 0 for no limit; null for users without FTPS.
      type: int
    comment:
      description: The line about the user in the account; null for users without an account.
      type: str
    expires:
      description: The first day without log-in, or V(never); null for users without an account.
      type: str
    allowed_sources:
      description: From where alone the user can log in, empty for everywhere; null for users without an account.
      type: list
      elements: str
    quota:
      description: The most bytes of the user's files, 0 for no limit; null for users without an account.
      type: int
    quota_files:
      description: The most files and directories of the user, 0 for no limit; null for users without an account.
      type: int
    used_bytes:
      description: The bytes that the kernel counts for the account; null where it does not count.
      type: int
    used_files:
      description: The files and directories that the kernel counts for the account; null where it does not count.
      type: int
    scheme:
      description: The method the stored password is hashed with, or V(plaintext); that of FTPS if the user has FTPS.
      type: str
    home:
      description: The start directory of the user, if it is known; that of FTPS if the user has FTPS.
      type: str
    ftps:
      description:
        - RV(users[].scheme), RV(users[].locked), RV(users[].home) and the rights for FTPS, and
          C(obeys_account), whether vsftpd obeys what the account says; null for users without FTPS.
      type: dict
    sftp:
      description:
        - The same for SFTP, with C(keys), the number of public keys, and C(expires), the day from which the account
          has expired; null for users without SFTP. The scheme is null without a password.
      type: dict
  sample:
    - name: batman
      protocols: [ftps, sftp]
      locked: false
      access: read_write
      umask: default
      ftps_max_rate: 0
      comment: Wayne Enterprises
      expires: "2027-01-31"
      allowed_sources: [192.0.2.0/24]
      quota: 10737418240
      quota_files: 0
      used_bytes: 1048576
      used_files: 12
      scheme: sha512_crypt
      home: /home/sftp/batman
      ftps:
        scheme: sha512_crypt
        locked: false
        home: /home/sftp/batman
        access: read_write
        umask: default
        ftps_max_rate: 0
        obeys_account: true
      sftp:
        scheme: sha512_crypt
        locked: false
        home: /home/sftp/batman
        access: read_write
        umask: default
        comment: Wayne Enterprises
        allowed_sources: [192.0.2.0/24]
        keys: 1
        expires: "2027-01-31"
plaintext:
  description: Names of the FTPS users whose password is stored as plaintext.
  returned: success
  type: list
  elements: str
db:
  description: The database file of FTPS; null on a host without FTPS.
  returned: success
  type: str
  sample: /etc/vsftpd/users.db
exists:
  description: Whether the database exists.
  returned: success
  type: bool
pam_crypt:
  description: Whether the PAM service that reads the database expects hashes; null if no such service is known.
  returned: success
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import store_options
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import describe
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import chosen
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS, RIGHTS

_NO_FTPS: dict[str, Any] = {"plaintext": [], "db": None, "exists": False, "pam_crypt": None}


def _logic(module: AnsibleModule) -> dict[str, Any]:
    where = {key: module.params[key] for key in store_options()}
    sides: dict[str, dict[str, Any]] = {}
    result = dict(_NO_FTPS)
    said: dict[str, dict[str, Any]] = {}
    for backend in chosen(where, Rules(), {"group": module.params["sftp_group"]}, None):
        if isinstance(backend, Ftps):
            found = describe(backend.server, module.params["name"])
            users = found.pop("users")
            result.update(found)
        else:
            users = backend.describe(module.params["name"])
        said.update(backend.of_accounts(module.params["name"]))
        sides[backend.protocol] = {user["name"]: user for user in users}
    names = sorted({name for side in sides.values() for name in side})
    return {"changed": False, "users": [_user(name, sides, said.get(name, {})) for name in names], **result}


def _user(name: str, sides: dict[str, dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    by = {one: sides[one][name] for one in PROTOCOLS if name in sides.get(one, {})}
    first = next(iter(by.values()))
    own = {one: {key: value for key, value in side.items() if key != "name"} for one, side in by.items()}
    return {
        "name": name,
        "protocols": list(by),
        "locked": all(side["locked"] for side in by.values()),
        **{right: next((side[right] for side in (said, *by.values()) if right in side), None) for right in RIGHTS},
        "scheme": first["scheme"],
        "home": first["home"],
        **{one: own.get(one) for one in PROTOCOLS},
    }


def main() -> None:
    """Run the module."""
    run({"argument_spec": {"name": {"type": "str"}, **store_options(), "sftp_group": {"type": "str"}}}, _logic)


if __name__ == "__main__":
    main()
