#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that several users share."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ftp_shared_folders
short_description: Share folders between users
version_added: 0.2.0
description:
  - Makes each folder of the list appear in the homes of its members, who read and write it, and of its readers, who
    only read it. All see the same files over both protocols, and each member can change what another one uploaded.
  - Who is no longer in the list of a folder loses it at once. It is unmounted, and the user's sessions end. The same is
    done for a member who becomes a reader.
  - A folder that is not in the list stays as it is.
  - The files are in C(/srv/ftp-shared/NAME). They belong to the account C(ftpshare-NAME), which nobody can log in to.
  - Needs the package C(bindfs) and, for users of FTPS, a server on which both protocols use one home.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  folders:
    description:
      - The folders.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the folder, and of the directory in which its users find it. Small letters, digits, C(_) and
            C(-), at most 23 characters.
        type: str
        required: true
      members:
        description:
          - The users who read and write.
        type: list
        elements: str
        default: []
      readers:
        description:
          - The users who only read.
        type: list
        elements: str
        default: []
      quota:
        description:
          - The most bytes of the files in the folder, such as V(50G); V(none) is no limit. If omitted, it stays as it
            is.
          - The kernel enforces it by the user id of the account of the folder. The file system of C(/srv/ftp-shared)
            has to be ext4 or XFS with user quotas.
        type: raw
      state:
        description:
          - V(absent) takes the folder away from all users. The files stay.
        type: str
        choices: [present, absent]
        default: present
seealso:
  - module: secure_ftp.server.ftp_users
"""

EXAMPLES = r"""
- name: Share the folder projects
  secure_ftp.server.ftp_shared_folders:
    folders:
      - name: projects
        members: [batman, robin]
        readers: [alfred]

- name: Take a folder away from everybody, and keep its files
  secure_ftp.server.ftp_shared_folders:
    folders:
      - name: projects
        state: absent
"""

RETURN = r"""
changes:
  description: What changed, for each changed folder.
  returned: success
  type: dict
  sample: {"projects": ["joined: robin", "left: joker"]}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import folders_from_list
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.folders import change_folders


def _logic(module: AnsibleModule) -> dict[str, Any]:
    folders = folders_from_list(module.params["folders"])
    plan, warnings = change_folders("ftp_shared_folders", folders, module.check_mode)
    warn(module, warnings)
    return {"changed": plan.changed, "changes": plan.changes, "diff": plan.diff()}


def main() -> None:
    """Run the module."""
    folder = {
        "name": {"type": "str", "required": True},
        "members": {"type": "list", "elements": "str", "default": []},
        "readers": {"type": "list", "elements": "str", "default": []},
        "quota": {"type": "raw"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    run(
        {"argument_spec": {"folders": {"type": "list", "elements": "dict", "required": True, "options": folder}}},
        _logic,
    )


if __name__ == "__main__":
    main()
