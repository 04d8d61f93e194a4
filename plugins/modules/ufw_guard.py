#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_guard
short_description: Undo a change of UFW unless it is confirmed in time
version_added: 0.1.0
description:
  - A change of the firewall can cut the connection of Ansible. Arm this guard before the change, and disarm it over a
    B(new) connection after the change. If it is not disarmed, the host undoes the change by itself.
  - The armed guard keeps a copy of UFW's settings and rules and runs a transient systemd timer
    (C(systemd-run --on-active)). When the timer elapses, UFW is disabled if it was inactive before, or gets its old
    rules back if it was active.
  - A reboot within that time undoes the change too. The copies are on the disk before any change, and a systemd unit
    restores them before C(ufw.service) starts. When the change is confirmed or undone, copies and unit are removed.
author: secure_ftp.server contributors (@secure_ftp)
options:
  state:
    description:
      - V(armed) copies the files and starts the timer. If an earlier run died and left the guard armed, its older
        copies are kept and the timer starts again. It is an error if an earlier change had to be undone first.
      - V(renewed) starts the timer again. It is an error if the guard has already undone the change.
      - V(disarmed) confirms the present firewall. It is an error if the guard has already undone the change.
    type: str
    choices: [armed, renewed, disarmed]
    required: true
  timeout:
    description: Seconds until the change is undone. Not used with O(state=disarmed).
    type: int
    default: 60
attributes:
  diff_mode:
    support: none
extends_documentation_fragment:
  - secure_ftp.server.attributes
"""

EXAMPLES = r"""
- name: Undo the next change after a minute unless it is confirmed
  secure_ftp.server.ufw_guard:
    state: armed

- name: Change the firewall
  ansible.builtin.command: ufw --force enable
  changed_when: true

- name: Open a new connection
  ansible.builtin.meta: reset_connection

- name: Confirm the change
  secure_ftp.server.ufw_guard:
    state: disarmed
"""

RETURN = r"""
active:
  description: Whether UFW is active.
  returned: always
  type: bool
"""

from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw, ufw_guard

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def guard(module: AnsibleModule) -> dict[str, Any]:
    state, timeout = module.params["state"], module.params["timeout"]
    if timeout < 1:
        raise InvalidInput("timeout", "seconds from 1 on", found=timeout)
    active = ufw.is_active(ufw.program())
    if module.check_mode:
        return {"changed": True, "active": active}
    if state == "armed":
        ufw_guard.arm(active, timeout)
    elif state == "renewed":
        ufw_guard.renew(timeout)
    else:
        ufw_guard.disarm()
    return {"changed": True, "active": active}


def main() -> None:
    run(
        {
            "argument_spec": {
                "state": {"type": "str", "choices": ["armed", "renewed", "disarmed"], "required": True},
                "timeout": {"type": "int", "default": 60},
            },
        },
        guard,
    )


if __name__ == "__main__":
    main()
