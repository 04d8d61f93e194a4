#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_plan
short_description: Work out which ports the server needs, and which UFW rules to add and delete
version_added: 0.1.0
description:
  - Works out the port plan from the variables. With C(firewall_backend=ufw) it compares the plan with the rules of the
    host, and returns the commands of C(ufw) that add and delete rules. Changes nothing.
  - The SSH ports are found on the host. They are the ports of C(sshd -T) and C(ssh.socket), and the port of the
    present connection from Ansible. Their rules are first.
  - Rules of this collection have a comment that starts with C(secure_ftp.server). Other rules do not change. If another
    rule already allows the traffic, it is not repeated. If another rule closes a required port, that is an error.
author: secure_ftp.server contributors (@secure_ftp)
options:
  variables:
    description:
      - The public variables that determine the ports, by name. They are the variables of the role
        P(secure_ftp.server.vsftpd#role) for TLS modes, ports, active and passive mode, and those of the role
        P(secure_ftp.server.firewall#role).
      - If this option is omitted, they are the variables of the play. Omitted variables have their defaults.
    type: dict
extends_documentation_fragment:
  - secure_ftp.server.attributes.read_only
"""

EXAMPLES = r"""
- name: Find missing and stale rules
  secure_ftp.server.firewall_plan:
    variables:
      vsftpd_tls_modes: [explicit]
      firewall_allowed_sources: [192.0.2.0/24]
  register: plan

- name: Add the missing rules
  ansible.builtin.command:
    argv: "{{ [plan.program] + item }}"
  loop: "{{ plan.add }}"
  changed_when: true
"""

RETURN = r"""
ssh_ports:
  description: The ports that SSH uses on the host, including the port of the present connection.
  returned: always
  type: list
  elements: int
variables:
  description: The variables that determined the plan, as they were given.
  returned: always
  type: dict
port_plan:
  description: The rules of the plan, as the filter P(secure_ftp.server.port_plan#filter) returns them.
  returned: always
  type: list
  elements: dict
in_words:
  description: The same rules, one line for each.
  returned: always
  type: list
  elements: str
  sample: ["allow in tcp 22 from any (SSH)"]
installed:
  description: Whether UFW is installed. If not, all rules must be added.
  returned: when C(firewall_backend) is V(ufw), like everything below
  type: bool
program:
  description: The path of UFW; V(ufw) if it is not installed.
  returned: ufw
  type: str
  sample: /usr/sbin/ufw
active:
  description: Whether the firewall is active.
  returned: ufw
  type: bool
pending:
  description: Whether any change is necessary.
  returned: ufw
  type: bool
add:
  description: For each missing rule the arguments of RV(program) that add it, SSH first.
  returned: ufw
  type: list
  elements: list
  sample: [[allow, from, any, to, any, port, "22", proto, tcp, comment, secure_ftp.server SSH]]
delete:
  description: For each rule of this collection that is no longer wanted the arguments that delete it.
  returned: ufw
  type: list
  elements: list
  sample: [[delete, allow, from, any, to, any, port, "990", proto, tcp]]
policies:
  description: For each default policy to change the arguments that change it.
  returned: ufw
  type: list
  elements: list
  sample: [[default, deny, incoming]]
todo:
  description: The same changes, in the order in which they are made, as commands for a shell.
  returned: ufw
  type: list
  elements: str
  sample: ["ufw allow from any to any port 22 proto tcp comment 'secure_ftp.server SSH'", "ufw --force enable"]
ipv6_found:
  description: Whether UFW has rules for IPv6 (C(IPV6) of C(/etc/default/ufw)).
  returned: ufw
  type: bool
wanted:
  description: The commands that would add every wanted rule to a firewall without rules.
  returned: ufw
  type: list
  elements: str
  sample: [ufw allow 22/tcp]
"""

from typing import TYPE_CHECKING, Any, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw, ufw_guard
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import (
    PortRule,
    parse_sources,
    port_plan,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.ufw_rules import (
    filters_ipv6,
    halves_missing,
    parse_added,
    plan,
    policies_to_change,
    refuse_lockout,
    wanted_rules,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.ports import ports_in_use

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def work_out(module: AnsibleModule) -> dict[str, Any]:
    variables = module.params["variables"] or {}
    settings = Settings.parse(variables)
    ssh_ports, connection = ports_in_use(settings.firewall_ssh_port)
    rules = port_plan(settings, ssh_ports)
    backend = settings.firewall_backend
    if connection is not None and backend != "none":
        sources = parse_sources(settings.firewall_ssh_allowed_sources, "firewall_ssh_allowed_sources")
        refuse_lockout(connection.client, sources)
    return {
        "changed": False,
        "ssh_ports": ssh_ports,
        "variables": variables,
        "port_plan": [rule.as_dict() for rule in rules],
        "in_words": [str(rule) for rule in rules],
        **(ufw_plan(rules, settings.firewall_ipv6) if backend == "ufw" else {}),
    }


def ufw_plan(rules: Sequence[PortRule], wants_ipv6: bool) -> dict[str, Any]:
    wanted = wanted_rules(rules)
    program = ufw.find()
    active, ipv6, added, halves = False, True, "", set()
    policies: list[list[str]] = []
    if program:
        active = ufw.is_active(program)
        added = ufw.ask(program, "show", "added")
        settings = ufw.settings()
        policies, ipv6 = policies_to_change(settings), filters_ipv6(settings)
        halves = halves_missing(wanted, ufw.rule_files(ipv6))
    todo = plan(wanted, parse_added(added), halves)
    add, delete = [rule.added() for rule in todo.add], [rule.deleted() for rule in todo.delete]
    commands = [*add, *delete, *policies, *([] if active else [["--force", "enable"]])]
    return {
        "installed": program is not None,
        "program": program or "ufw",
        "active": active,
        "pending": bool(
            not active
            or todo.add
            or todo.delete
            or policies
            or ipv6 != wants_ipv6
            # A killed run has left its change unconfirmed, and the host is about to undo it.
            or ufw_guard.is_unsettled()
        ),
        "add": add,
        "delete": delete,
        "policies": policies,
        "todo": [f"ufw {quoted(words)}" for words in commands],
        "ipv6_found": ipv6,
        "wanted": [str(rule) for rule in wanted],
    }


def main() -> None:
    run({"argument_spec": {"variables": {"type": "dict"}}}, work_out)


if __name__ == "__main__":
    main()
