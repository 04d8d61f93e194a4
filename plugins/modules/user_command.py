#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ftp-users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user_command
short_description: Install the command ftp-users
version_added: 0.1.0
description:
  - Installs the command C(ftp-users), which manages the users of both protocols on the host, and the part of this
    collection's library that it needs.
  - The command switches to a new version only after that is installed completely.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  path:
    description:
      - The path of the command.
    type: path
    default: /usr/local/sbin/ftp-users
  library:
    description:
      - The directory of its library.
    type: path
    default: /usr/local/lib/secure_ftp.server
  link:
    description:
      - A symbolic link to the command, as its second name. A dated copy of an existing file is kept beside it.
    type: path
seealso:
  - module: secure_ftp.server.ftp_users
  - module: secure_ftp.server.sftp_users
"""

EXAMPLES = r"""
- name: Install the command
  secure_ftp.server.user_command:
    link: /etc/vsftpd/users
"""

RETURN = r"""
paths:
  description: The created or replaced paths.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/sbin/ftp-users]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import (
    COMMAND,
    LIBRARY,
    Installation,
    install,
)


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    where = Installation(params["path"], params["library"], params["link"])
    paths = install(where, command.__name__.rpartition("module_utils.")[2], module.check_mode)
    return {
        "changed": bool(paths),
        "paths": paths,
        "diff": {"before": "", "after": "".join(f"{_said(path, where)}\n" for path in paths)},
    }


def _said(path: str, where: Installation) -> str:
    """What is to be at ``path``."""
    if path == where.link:
        return f"{path} (link to {where.command})"
    return f"{path} ({'the command' if path == where.command else 'directory with its library'})"


def main() -> None:
    """Run the module."""
    spec = {
        "path": {"type": "path", "default": COMMAND},
        "library": {"type": "path", "default": LIBRARY},
        "link": {"type": "path"},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
