# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: port_plan
short_description: Work out which ports the server needs
version_added: 0.1.0
description:
  - Returns the rules that every firewall in front of the server needs, from the public variables of the roles
    P(secure_ftp.server.vsftpd#role) and P(secure_ftp.server.firewall#role).
  - The rules never contradict each other, so their order does not matter.
positional: ssh_ports
options:
  _input:
    description: The variables, by name. Omitted variables have their defaults.
    type: dict
    required: true
  ssh_ports:
    description: The ports SSH listens on.
    type: list
    elements: int
    default: [22]
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: Show which ports another firewall must open
  ansible.builtin.debug:
    msg: "{{ {'vsftpd_tls_modes': ['explicit', 'implicit']} | secure_ftp.server.port_plan }}"
"""

RETURN = r"""
_value:
  description:
    - The rules. C(action) is V(allow), V(limit), V(deny) or V(reject). C(ports) is a port or a range C(LOW:HIGH), empty
      for any port. C(sources) is V(any) or addresses and networks. C(families) says what V(any) includes, V(ipv4) and
      V(ipv6).
  type: list
  elements: dict
  sample:
    - name: SSH
      direction: in
      protocol: tcp
      ports: "22"
      source_ports: ""
      sources: [any]
      families: [ipv4, ipv6]
      action: allow
"""

from typing import Any, Callable, Iterable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import port_plan


def filter_port_plan(variables: Mapping[str, Any], ssh_ports: Iterable[int] = (22,)) -> list[dict[str, Any]]:
    """The plan as dictionaries; see ``port_plan`` of the library."""
    try:
        return [rule.as_dict() for rule in port_plan(Settings.parse(variables), ssh_ports)]
    except SecureFtpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_plan": filter_port_plan}
