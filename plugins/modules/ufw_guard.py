#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_guard
short_description: Put UFW back as it was unless a change is confirmed in time
version_added: 0.1.0
description:
  - A change of the firewall can cut the connection it came by. Armed before the change and disarmed over a B(new)
    connection after it, this guard makes the host undo by itself what nobody can confirm.
  - Armed, it keeps a copy of UFW's settings and rules and runs a transient systemd timer (C(systemd-run --on-active)).
    When that elapses, a UFW that was inactive is disabled, one that was active gets its old rules back.
  - A reboot in that time undoes the change too. The copies are on the disk before anything is changed, and a unit of
    systemd puts them back before C(ufw.service). Confirmed or undone, copies and unit are gone.
author: secure_ftp.server contributors (@secure_ftp)
options:
  state:
    description:
      - V(armed) copies the files and starts the time. A guard that a run left armed when it died is kept, with the
        older copies; its time starts again. An error when an earlier change had to be undone first.
      - V(renewed) lets the time start again; an error when the guard has gone off.
      - V(disarmed) keeps the firewall as it is now; an error when the guard has gone off.
    type: str
    choices: [armed, renewed, disarmed]
    required: true
  timeout:
    description: Seconds until the firewall is put back. Not used with O(state=disarmed).
    type: int
    default: 60
attributes:
  diff_mode:
    support: none
extends_documentation_fragment:
  - secure_ftp.server.attributes
"""

EXAMPLES = r"""
- name: Undo the change in a minute
  secure_ftp.server.ufw_guard:
    state: armed

- name: Change the firewall
  community.general.ufw:
    state: enabled

- name: Come back over a new connection
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
