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
  - An inventory without a host is an error, if one was named with C(-i); Ansible itself would do nothing and call it
    success.
positional: sources
options:
  _input:
    description: The groups of the inventory, the variable C(groups).
    type: dict
    required: true
  sources:
    description: Where the inventory comes from, the variable C(ansible_inventory_sources).
    type: list
    elements: str
    default: []
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: Secure FTPS and SFTP server
  hosts: "{{ groups | secure_ftp.server.default_hosts(ansible_inventory_sources) }}"
"""

RETURN = r"""
_value:
  description: A pattern of hosts.
  type: str
"""

import difflib
from typing import Any, Callable, Mapping, Sequence

from ansible import constants
from ansible.errors import AnsibleFilterError

GROUP = "ftp"


def filter_default_hosts(groups: Mapping[str, Any], sources: Sequence[str] = ()) -> str:
    """The pattern; AnsibleFilterError if it is not certain which hosts are meant, or if ``sources`` have no host."""
    # Without -i they are the configured ones, which a check of the syntax does not need.
    if not groups.get("all", True) and list(sources) not in ([], list(constants.DEFAULT_HOST_LIST)):
        raise AnsibleFilterError(
            "hosts: expected at least one host in the inventory, found none; name an inventory with -i, and correct"
            " what the warnings above say about it"
        )
    others = sorted(set(groups) - {"all", "ungrouped"})
    if GROUP in others:
        return GROUP
    if others:
        near = _nearest(others)
        meant = f"did you mean {near}? rename it to {GROUP}" if near else f"name the group {GROUP}"
        raise AnsibleFilterError(
            f"hosts: expected the group {GROUP} in the inventory, found only {', '.join(others)}; {meant}, or choose"
            f" hosts with -e ftp_hosts={near or 'PATTERN'} (-e ftp_hosts=all for every host)"
        )
    return "all"


def _nearest(groups: Sequence[str]) -> str:
    """The group that is most likely meant; empty if none looks like it."""
    alike = [name for name in groups if GROUP in name.lower()]
    return next(iter(difflib.get_close_matches(GROUP, alike or groups, 1, 0.0 if alike else 0.6)), "")


class FilterModule:
    """Ansible's way to offer a filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"default_hosts": filter_default_hosts}
