#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See whether OpenSSH's server of this host really serves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_probe
short_description: See whether OpenSSH's server of this host really serves
version_added: 0.2.0
author: secure_ftp.server contributors (@secure_ftp)
description:
  - Connects to every port that sshd, or the socket of systemd that starts it, is to listen on, and reads its greeting.
    Nobody is logged in.
  - Waits for a server that is still starting. When one does not serve in time, the error holds what systemd and the
    journal know of it.
  - Changes nothing.
options:
  timeout:
    description: How many seconds each port has to answer.
    type: int
    default: 10
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows differences.
    support: none
"""

EXAMPLES = r"""
- name: See that sshd answers
  secure_ftp.server.sshd_probe:
"""

RETURN = r"""
servers:
  description: What was found, one entry for each place.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The address that was asked.
      type: str
      returned: success
    port:
      description: The port.
      type: int
      returned: success
    banner:
      description: What the server says first.
      type: str
      returned: success
  sample:
    - host: ::1
      port: 22
      banner: SSH-2.0-OpenSSH_9.2p1 Debian-2
"""

from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._host.serving import wait_until_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.probe import banner, endpoints

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def wait_for(host: str, port: int, timeout: float) -> dict[str, Any]:
    """Probe one place until sshd serves there or its time is over."""
    said = wait_until_served(lambda: banner(host, port), "ssh", port, timeout)
    return {"host": host, "port": port, "banner": said}


def _logic(module: AnsibleModule) -> dict[str, Any]:
    timeout = module.params["timeout"]
    return {"changed": False, "servers": [wait_for(host, port, timeout) for host, port in endpoints()]}


def main() -> None:
    """Entry point."""
    run({"argument_spec": {"timeout": {"type": "int", "default": 10}}}, _logic)


if __name__ == "__main__":
    main()
