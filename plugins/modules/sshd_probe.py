#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify that the OpenSSH server of this host answers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_probe
short_description: Verify that the OpenSSH server of this host answers
version_added: 0.2.0
author: secure_ftp.server contributors (@secure_ftp)
description:
  - Connects to every port that sshd, or the systemd socket that starts it, is configured for, and reads its greeting.
    It does not log in.
  - Waits for a server that is still starting. If the server does not answer in time, the error contains its state in
    systemd and its last lines in the journal.
  - Changes nothing.
options:
  timeout:
    description: Each port must answer within this many seconds.
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
- name: Verify that sshd answers
  secure_ftp.server.sshd_probe:
"""

RETURN = r"""
servers:
  description: The servers, one entry for each address and port.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The address of the connection.
      type: str
      returned: success
    port:
      description: The port.
      type: int
      returned: success
    banner:
      description: The first line that the server sent.
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
    """Probe one address and port until sshd answers there or the timeout is over."""
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
