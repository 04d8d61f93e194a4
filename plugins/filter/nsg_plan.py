# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: nsg_plan
short_description: Translate the port plan into rules of an Azure network security group
version_added: 0.1.0
description:
  - Returns the rules for M(azure.azcollection.azure_rm_securitygroup), and the names of rules of this collection that
    are no longer in the plan.
  - An existing rule keeps its priority. A new rule gets the first free number from C(firewall_azure_priority) on.
positional: found, ssh_ports
options:
  _input:
    description: The variables, by their names, as for P(secure_ftp.server.port_plan#filter).
    type: dict
    required: true
  found:
    description: The rules of the group as M(azure.azcollection.azure_rm_securitygroup) returns them.
    type: list
    elements: dict
    required: true
  ssh_ports:
    description: The ports SSH listens on.
    type: list
    elements: int
    default: [22]
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: Show the wanted and the stale rules of the group
  ansible.builtin.debug:
    msg: "{{ {'vsftpd_tls_modes': ['implicit']} | secure_ftp.server.nsg_plan(group.state.rules) }}"
"""

RETURN = r"""
_value:
  description: C(rules), options of M(azure.azcollection.azure_rm_securitygroup), and C(stale), names.
  type: dict
"""

from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.azure import nsg_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import port_plan


def filter_nsg_plan(
    variables: Mapping[str, Any], found: Sequence[Mapping[str, Any]], ssh_ports: Iterable[int] = (22,)
) -> dict[str, Any]:
    """The plan for a network security group; see ``nsg_plan`` of the library."""
    try:
        settings = Settings.parse(variables)
        plan = nsg_plan(port_plan(settings, ssh_ports), found, settings.firewall_azure_priority)
    except SecureFtpError as error:
        raise AnsibleFilterError(str(error)) from error
    return {"rules": list(plan.rules), "stale": list(plan.stale)}


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"nsg_plan": filter_nsg_plan}
