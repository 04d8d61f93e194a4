#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify that the FTPS servers of this host answer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftps_probe
short_description: Verify that the FTPS servers of this host answer
version_added: 0.1.0
author: secure_ftp.server contributors (@secure_ftp)
description:
  - Connects to each server, reads its greeting and completes a TLS handshake. It does not log in.
  - Waits for a server that is still starting. If a server does not answer in time, the error contains its state in
    systemd and its last lines in the journal.
  - Changes nothing.
options:
  instances:
    description: The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      port:
        description: The port the server listens on.
        type: int
        required: true
      host:
        description: The address to connect to. If the host has no V(::1), V(127.0.0.1) is used instead.
        type: str
        default: 127.0.0.1
      implicit:
        description: Whether TLS starts with the first byte, instead of at the request of the client.
        type: bool
        default: false
      unit:
        description: The systemd unit of the server, for the error message.
        type: str
        default: vsftpd
  timeout:
    description: Each server must answer within this many seconds.
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
- name: Verify that explicit and implicit TLS work
  secure_ftp.server.ftps_probe:
    instances:
      - port: 21
      - port: 990
        implicit: true
        unit: vsftpd-implicit
"""

RETURN = r"""
servers:
  description: The servers, in the order of O(instances).
  returned: success
  type: list
  elements: dict
  contains:
    port:
      description: The port.
      type: int
      returned: success
    greeting:
      description: The first line that the server sent.
      type: str
      returned: success
    tls:
      description: The TLS version of the connection.
      type: str
      returned: success
  sample:
    - port: 21
      greeting: 220 (vsFTPd 3.0.5)
      tls: TLSv1.3
"""

from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.probe import probe
from ansible_collections.secure_ftp.server.plugins.module_utils._host.serving import wait_until_served

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def wait_for(module: AnsibleModule, instance: Mapping[str, Any]) -> dict[str, Any]:
    """Probe one server until it serves or the timeout is over."""
    host, port = instance["host"], instance["port"]
    served = wait_until_served(
        lambda: probe(host, port, instance["implicit"]), instance["unit"], port, module.params["timeout"]
    )
    return {"port": port, "greeting": served.greeting, "tls": served.tls}


def _logic(module: AnsibleModule) -> dict[str, Any]:
    return {"changed": False, "servers": [wait_for(module, instance) for instance in module.params["instances"]]}


def main() -> None:
    """Entry point."""
    run(
        {
            "argument_spec": {
                "instances": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": {
                        "port": {"type": "int", "required": True},
                        "host": {"type": "str", "default": "127.0.0.1"},
                        "implicit": {"type": "bool", "default": False},
                        "unit": {"type": "str", "default": "vsftpd"},
                    },
                },
                "timeout": {"type": "int", "default": 10},
            }
        },
        _logic,
    )


if __name__ == "__main__":
    main()
