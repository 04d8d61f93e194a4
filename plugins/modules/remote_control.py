#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote control: access for programs that manage users from other machines."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_control
short_description: Let other machines manage the users over SSH
version_added: 0.1.0
description:
  - Creates an account that can run only C(ftp-users remote), and stores the public keys of the clients.
  - Each key has C(restrict) and a forced command. A marked C(Match User) block in the main configuration file of sshd
    allows no passwords, no terminals and no forwarding. A sudoers file allows one complete command line per client.
  - The new files replace the old ones only after C(sshd -t) and C(visudo --check) have accepted them. Keys are stored
    only after C(sshd -T -C user=...) and C(sudo -l -U) have confirmed the restrictions.
  - Without clients it creates nothing, and removes what it created before.
  - Does not reload sshd. It reports a change as long as the running daemon has not read the file, so that a handler is
    notified again if an earlier run was interrupted.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  user:
    description:
      - The account. An existing account of this name is refused unless this module created it.
    type: str
    default: ftpcontrol
  clients:
    description:
      - The clients with access.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the client in the log. At most 32 letters, digits, C(.), C(_) and C(-).
        type: str
        required: true
      key:
        description:
          - The public key of the client, without options. Each client needs its own key.
        type: str
        required: true
      from:
        description:
          - Addresses and networks from which the client may connect; any address if omitted or empty.
        type: list
        elements: str
  command:
    description:
      - The path of C(ftp-users), as installed by the role C(user_command).
    type: path
    default: /usr/local/sbin/ftp-users
  keys_directory:
    description:
      - The directory of the key file, owned by root with mode 0755.
    type: path
    default: /etc/ssh/remote_control_keys
  config:
    description:
      - Main configuration file of sshd. OpenSSH 8.2 ignores a C(Match) block in C(sshd_config.d).
    type: path
    default: /etc/ssh/sshd_config
  backup:
    description:
      - Keep a copy of the old C(sshd_config) beside the new one.
    type: bool
    default: true
seealso:
  - module: secure_ftp.server.sshd_jail
"""

EXAMPLES = r"""
- name: Allow the client shop to manage the users
  secure_ftp.server.remote_control:
    clients:
      - name: shop
        key: ssh-ed25519 AAAA... shop
        from: [192.0.2.10]
  notify: Reload sshd

- name: Remove the access of all clients
  secure_ftp.server.remote_control:
    clients: []
  notify: Reload sshd
"""

RETURN = r"""
changes:
  description: What changed. Any of account, keys_directory, config, sudoers, keys, and reload if only that is needed.
  returned: success
  type: list
  elements: str
  sample: [keys]
removed:
  description: The names of the clients who had access and have none any more. A warning names them, too.
  returned: success
  type: list
  elements: str
  sample: [shop]
backup_file:
  description: The old configuration file of sshd.
  returned: when it changed and O(backup=true)
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.backup import keep_old
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import login_names
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import COMMAND
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.access import (
    DEFAULT_KEYS_DIRECTORY,
    DEFAULT_USER,
    clients_from_options,
    removed_clients,
    validate_user,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.grant import ControlHost
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CONFIG, UNIT


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params, check = module.params, module.check_mode
    entries = [{key: value for key, value in entry.items() if value is not None} for entry in params["clients"]]
    control = ControlHost(validate_user(params["user"]), params["keys_directory"], params["config"], check)
    result: dict[str, Any] = {}
    clients = clients_from_options(entries, params["command"])
    removed = removed_clients(clients)
    changes = control.apply(
        clients,
        sorted({"root", *login_names()}),
        lambda: keep_old(module, params["config"], result),
    )
    if "config" not in changes and control.configured() and is_outdated(UNIT, [params["config"]]):
        changes.append("reload")
    if removed:
        what = f"{'would be' if check else 'was'} removed: remote_control_clients lists no such client"
        warn(module, [f"remote control: the access of {', '.join(removed)} {what}"])
    return {"changed": bool(changes), "changes": changes, "removed": removed, "diff": control.diff, **result}


def main() -> None:
    """Run the module."""
    client = {
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "from": {"type": "list", "elements": "str"},
    }
    spec = {
        "user": {"type": "str", "default": DEFAULT_USER},
        "clients": {"type": "list", "elements": "dict", "required": True, "options": client},
        "command": {"type": "path", "default": COMMAND},
        "keys_directory": {"type": "path", "default": DEFAULT_KEYS_DIRECTORY, "no_log": False},
        "config": {"type": "path", "default": CONFIG},
        "backup": {"type": "bool", "default": True},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
