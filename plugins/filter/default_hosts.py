# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: default_hosts
short_description: The default hosts of the playbooks of this collection
version_added: 0.2.0
description:
  - The group C(ftp) if the inventory has one, V(all) if it has no groups.
  - An inventory with only other groups is an error, because its hosts may serve another purpose, or the group may be
    misspelled.
options:
  _input:
    description: The groups of the inventory, the variable C(groups).
    type: dict
    required: true
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: Secure FTPS and SFTP server
  hosts: "{{ ftp_hosts if ftp_hosts is defined else groups | secure_ftp.server.default_hosts }}"
"""

RETURN = r"""
_value:
  description: A pattern of hosts.
  type: str
"""

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError

GROUP = "ftp"


def filter_default_hosts(groups: Mapping[str, Any]) -> str:
    """The pattern; AnsibleFilterError if it is not certain which hosts are meant."""
    others = sorted(set(groups) - {"all", "ungrouped"})
    if GROUP in others:
        return GROUP
    if others:
        raise AnsibleFilterError(
            f"hosts: expected the group {GROUP} in the inventory, found only {', '.join(others)}; name the group"
            f" {GROUP}, or choose hosts with -e ftp_hosts=PATTERN (-e ftp_hosts=all for every host)"
        )
    return "all"


class FilterModule:
    """Ansible's way to offer a filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"default_hosts": filter_default_hosts}
