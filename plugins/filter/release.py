# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release
short_description: The versions in a release of Debian or Ubuntu
version_added: 0.2.0
description:
  - Returns the versions of programs that this collection uses, for the release in the facts of a host.
options:
  _input:
    description: The facts of a host; the subset C(distribution) is enough.
    type: dict
    required: true
author: secure_ftp.server contributors (@secure_ftp)
"""

EXAMPLES = r"""
- name: Stop if the release is not supported
  ansible.builtin.assert:
    that: not (ansible_facts | secure_ftp.server.release).problem
    fail_msg: "{{ (ansible_facts | secure_ftp.server.release).problem }}"
"""

RETURN = r"""
_value:
  description:
    - The release by C(name), the versions by C(openssh), C(pam), C(libxcrypt), C(systemd), C(vsftpd), C(python3) and
      C(cryptography); all of them are empty if the release is not supported, and C(problem) says so.
  type: dict
"""

from typing import Any, Callable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.releases import of_facts


class FilterModule:
    """Ansible's way to offer a filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"release": of_facts}
