# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: missing_collections
short_description: Which collections the control machine lacks
version_added: 0.2.0
description:
  - The collections of a list that Ansible does not find on the control machine.
options:
  _input:
    description: Names of collections.
    type: list
    elements: str
    required: true
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: What has to be installed
  ansible.builtin.debug:
    msg: "{{ ['community.general'] | secure_ftp.server.missing_collections }}"
"""

RETURN = r"""
_value:
  description: Those that are missing.
  type: list
  elements: str
"""

from typing import Any, Callable

from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.collections import missing


class FilterModule:
    """Ansible's way to offer a filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"missing_collections": missing}
