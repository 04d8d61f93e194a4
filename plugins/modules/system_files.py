#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several small files owned by root in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_files
short_description: Write several small system files in one task
version_added: 0.2.0
description:
  - Creates missing directories, keeps copies of files that somebody else wrote, and writes files owned by root, in this
    order.
  - One task needs one connection and one start of Python on the host. A loop over M(ansible.builtin.template) needs two
    of each for every file.
  - A file is replaced completely or not at all. A symbolic link in its place is refused.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  directories:
    description:
      - Directories to create, in this order. Existing directories keep their owner and mode.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory. Missing directories above it are created too.
        type: path
        required: true
      mode:
        description: Its mode, an octal number in quotes.
        type: str
        default: '0755'
  keep:
    description:
      - Files to keep a dated copy of, unless this collection wrote them.
    type: list
    elements: path
    default: []
  files:
    description:
      - The files to write.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file. Its directory must exist.
        type: path
        required: true
      content:
        description: The exact content of the file.
        type: str
        required: true
      mode:
        description: Its mode, an octal number in quotes.
        type: str
        default: '0644'
      replace:
        description: Whether to replace an existing file. With V(false) it stays as it is.
        type: bool
        default: true
      diff:
        description: Whether a diff shows the content. With V(false) it shows only the number of lines.
        type: bool
        default: true
  look_for:
    description:
      - Paths to look for, after all other steps.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Write a service and its timer
  secure_ftp.server.system_files:
    files:
      - path: /etc/systemd/system/report.service
        content: "{{ lookup('ansible.builtin.template', 'report.service.j2') }}"
      - path: /etc/systemd/system/report.timer
        content: "{{ lookup('ansible.builtin.template', 'report.timer.j2') }}"
"""

RETURN = r"""
paths:
  description: The created or replaced paths.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/report.timer]
there:
  description: The paths of O(look_for) that exist.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/report.service]
links:
  description: The paths of O(look_for) that are symbolic links.
  returned: success
  type: list
  elements: str
  sample: []
copies:
  description: The copies of files that somebody else wrote.
  returned: success
  type: list
  elements: str
  sample: ["/etc/pam.d/vsftpd.virtual.20260101T000000Z~"]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._host.system_files import (
    Directory,
    Text,
    keep,
    make,
    octal,
    write,
)

_DIFF = ("before_header", "after_header", "before", "after")


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params, check_mode = module.params, module.check_mode
    directories = [Directory(one["path"], octal(one["mode"], one["path"])) for one in params["directories"]]
    files = [Text(**{**one, "mode": octal(one["mode"], one["path"])}) for one in params["files"]]
    changes = make(directories, check_mode)
    copies = keep(params["keep"], check_mode)
    changes += write(files, check_mode)
    return {
        "changed": bool(changes or copies),
        "paths": [change.path for change in changes],
        "copies": copies,
        "there": [path for path in params["look_for"] if os.path.lexists(path)],
        "links": [path for path in params["look_for"] if os.path.islink(path)],
        "diff": [dict(zip(_DIFF, (change.path, change.path, *change.shown))) for change in changes],
    }


def main() -> None:
    """Run the module."""
    path, content = {"type": "path", "required": True}, {"type": "str", "required": True}
    directory = {"path": path, "mode": {"type": "str", "default": "0755"}}
    file = {
        "path": path,
        "content": content,
        "mode": {"type": "str", "default": "0644"},
        "replace": {"type": "bool", "default": True},
        "diff": {"type": "bool", "default": True},
    }
    spec = {
        "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
        "keep": {"type": "list", "elements": "path", "default": []},
        "files": {"type": "list", "elements": "dict", "default": [], "options": file},
        "look_for": {"type": "list", "elements": "path", "default": []},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
