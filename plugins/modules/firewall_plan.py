#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_plan
short_description: Work out which UFW rules to add and to delete for the FTPS and SFTP server
version_added: 0.1.0
description:
  - Compares the rules that the variables of the role P(secure_ftp.server.firewall#role) imply with the rules of the
    host, and returns what M(community.general.ufw) has to add and to delete. Changes nothing.
  - The SSH ports are found on the host. They are what C(sshd -T) and C(ssh.socket) listen on, and the port of the
    connection the module came by. Their rules come first.
  - Rules of this collection are known by their comment, which starts with C(secure_ftp.server). Other rules are left
    alone. One that already lets the traffic in is not repeated, one that shuts a port that has to be open is an error.
author: secure_ftp.server contributors (@secure_ftp)
options:
  tls_modes:
    description: The TLS modes the FTPS server offers.
    type: list
    elements: str
    choices: [explicit, implicit]
    default: [explicit]
  port:
    description: Port of explicit TLS.
    type: int
    default: 21
  implicit_port:
    description: Port of implicit TLS.
    type: int
    default: 990
  pasv_enable:
    description: Whether clients may use passive mode.
    type: bool
    default: true
  pasv_min_port:
    description: First port of the passive range.
    type: int
    default: 50000
  pasv_max_port:
    description: Last port of the passive range.
    type: int
    default: 50999
  ssh_port:
    description: The SSH port, V(0) to find it out. The port of the current connection is kept open in either case.
    type: int
    default: 0
  allowed_sources:
    description: Addresses and networks that may use FTPS, everybody when empty.
    type: list
    elements: str
    default: []
  ssh_allowed_sources:
    description: Addresses and networks that may use SSH and SFTP, everybody when empty.
    type: list
    elements: str
    default: []
  extra_rules:
    description:
      - More rules, each a mapping of C(port) (a port or a range C(LOW:HIGH)), C(proto) (C(tcp) or C(udp)), C(source),
        C(rule) (C(allow), C(deny), C(limit) or C(reject)) and C(comment).
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - secure_ftp.server.attributes.read_only
"""

EXAMPLES = r"""
- name: What is to be done
  secure_ftp.server.firewall_plan:
    tls_modes: [explicit]
    allowed_sources: [192.0.2.0/24]
  register: plan

- name: Do it
  community.general.ufw:
    rule: "{{ item.rule }}"
    to_port: "{{ item.to_port }}"
    proto: "{{ item.proto }}"
    from_ip: "{{ item.from_ip }}"
    comment: "{{ item.comment }}"
  loop: "{{ plan.add }}"
"""

RETURN = r"""
installed:
  description: Whether UFW is installed. When not, everything is to be added.
  returned: always
  type: bool
active:
  description: Whether the firewall is active.
  returned: always
  type: bool
add:
  description: Options of M(community.general.ufw) for each rule that is missing, SSH first.
  returned: always
  type: list
  elements: dict
  sample: [{rule: allow, to_port: "22", proto: tcp, from_ip: any, comment: secure_ftp.server SSH}]
delete:
  description: Options of M(community.general.ufw) for each rule of this collection that is no longer wanted.
  returned: always
  type: list
  elements: dict
policies:
  description: Options of M(community.general.ufw) for each default policy to be changed.
  returned: always
  type: list
  elements: dict
  sample: [{direction: incoming, default: deny}]
wanted:
  description: The commands that would add every wanted rule to a firewall without rules.
  returned: always
  type: list
  elements: str
  sample: [ufw allow 22/tcp]
ssh_ports:
  description: The SSH ports that stay open.
  returned: always
  type: list
  elements: int
  sample: [22]
"""

import shutil
from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import (
    from_options,
    parse_added,
    parse_sources,
    plan,
    policies_to_change,
    refuse_lockout,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh_ports import ports_in_use, run_command

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

DEFAULTS = "/etc/default/ufw"


def _ufw(program: str, *arguments: str) -> str:
    done = run_command([program, *arguments])
    if done.rc != 0:
        reason = (done.err or done.out).strip()
        raise SecureFtpError(
            f"'ufw {' '.join(arguments)}' fails with: {reason}; UFW needs root and the capability NET_ADMIN"
        )
    return done.out


def _defaults() -> str:
    try:
        with open(DEFAULTS, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise SecureFtpError(f"{DEFAULTS}: {error.strerror}; reinstall the package ufw") from error


def work_out(module: AnsibleModule) -> dict[str, Any]:
    ssh_ports, connection = ports_in_use(module.params["ssh_port"])
    if connection is not None:
        sources = parse_sources(module.params["ssh_allowed_sources"], "firewall_ssh_allowed_sources")
        refuse_lockout(connection.client, sources)
    wanted = from_options(module.params, ssh_ports)
    program = shutil.which("ufw") or shutil.which("ufw", path="/usr/sbin:/sbin")
    active, found, policies = False, [], []
    if program:
        active = "Status: active" in _ufw(program, "status").splitlines()
        found = parse_added(_ufw(program, "show", "added"))
        policies = policies_to_change(_defaults())
    todo = plan(wanted, found)
    return {
        "changed": False,
        "installed": program is not None,
        "active": active,
        "add": [rule.options() for rule in todo.add],
        "delete": [rule.options() for rule in todo.delete],
        "policies": policies,
        "wanted": [str(rule) for rule in wanted],
        "ssh_ports": ssh_ports,
    }


def main() -> None:
    run(
        {
            "argument_spec": {
                "tls_modes": {
                    "type": "list",
                    "elements": "str",
                    "choices": ["explicit", "implicit"],
                    "default": ["explicit"],
                },
                "port": {"type": "int", "default": 21},
                "implicit_port": {"type": "int", "default": 990},
                "pasv_enable": {"type": "bool", "default": True},
                "pasv_min_port": {"type": "int", "default": 50000},
                "pasv_max_port": {"type": "int", "default": 50999},
                "ssh_port": {"type": "int", "default": 0},
                "allowed_sources": {"type": "list", "elements": "str", "default": []},
                "ssh_allowed_sources": {"type": "list", "elements": "str", "default": []},
                "extra_rules": {"type": "list", "elements": "dict", "default": []},
            },
        },
        work_out,
    )


if __name__ == "__main__":
    main()
