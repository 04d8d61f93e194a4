#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users need to know about this server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_info
short_description: Show what users need to know about this server
version_added: 0.2.0
description:
  - Returns the addresses, ports, TLS modes, number of users, certificate and SSH host keys of this server, commands
    for C(curl) and C(sftp) on a client, settings of FileZilla, and what C(ftp-users check) finds. It reads all of it
    from the live configuration, as C(ftp-users about) does.
  - Never returns anything secret. Findings do not make the task fail.
  - The last task of C(site.yml) uses this module. If the same run has installed the command C(ftp-users) or found it
    up to date, that is asked instead of a copy of this module, which is faster and gives the same.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
  - secure_ftp.server.attributes.read_only
options:
  name:
    description:
      - How to call the server in the text.
      - If omitted, its name in the inventory.
    type: str
  added:
    description:
      - Names of users who are new, to be shown as such.
      - If omitted, the users whom the roles of this collection have added in this run.
    type: list
    elements: str
  brief:
    description:
      - Whether RV(lines) is one or two lines instead of the whole text.
      - If omitted, V(true) unless a role of this collection has changed anything on the host in this run.
    type: bool
  show:
    description:
      - Whether to print RV(lines), too. Nothing is printed if a callback plugin prints JSON.
    type: bool
    default: false
  command:
    description:
      - Where the command C(ftp-users) is, if it is installed.
    type: path
    default: /usr/local/sbin/ftp-users
seealso:
  - module: secure_ftp.server.ftp_user_info
"""

EXAMPLES = r"""
- name: Show what users need to know about the server
  secure_ftp.server.server_info:
    show: true

- name: Read the fingerprint of the certificate
  secure_ftp.server.server_info:
  register: server

- name: Show it
  ansible.builtin.debug:
    msg: "{{ server.about.certificates[0].sha256 }}"
"""

RETURN = r"""
lines:
  description: The text.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      web1: port 21 (explicit TLS) for FTPS and port 22 for SFTP at 192.0.2.10; 2 users (2 for FTPS, 2 for SFTP);
      certificate until 2029-03-04; check: no problem found.
    - "web1: addresses, fingerprints and commands for clients: sudo ftp-users about"
about:
  description: The same as data, as C(ftp-users about --json) prints it.
  returned: success
  type: dict
  contains:
    name:
      description: How the server is called.
      type: str
    host:
      description: The address or name that clients use.
      type: str
    addresses:
      description: The global addresses of the host.
      type: list
      elements: str
    outside:
      description: C(pasv_address) of vsftpd if the host does not have this address itself, else an empty string.
      type: str
    serves:
      description: The protocols that are set up.
      type: list
      elements: str
    ftps:
      description:
        - Each vsftpd with C(unit), C(mode) (V(explicit), V(implicit) or V(none)), C(port), C(passive) (the range of
          passive ports) and C(certificate) (its path).
      type: list
      elements: dict
    sftp:
      description: C(ports) of sshd, and whether users may log in with C(passwords); null if there is no SFTP jail.
      type: dict
    users:
      description:
        - The number of users, C(total), by protocol and C(locked), and for each protocol the user in the commands.
      type: dict
    certificates:
      description:
        - Each certificate with C(path), C(subject), C(issuer), C(names), C(not_after), C(sha256), C(self_signed),
          C(trusted) (by the authorities of this host) and C(names_host).
      type: list
      elements: dict
    host_keys:
      description: Each SSH host key with C(path), C(kind), C(bits) and C(fingerprint).
      type: list
      elements: dict
    findings:
      description: What C(ftp-users check) finds, as C(ftp-users check --json) prints it.
      type: list
      elements: dict
    command:
      description: How root calls the command C(ftp-users); an empty string if it is not installed.
      type: str
    remote:
      description:
        - C(user), the account of remote control, C(clients), the names of the clients, and C(ports) of sshd; null if
          there is no remote control.
      type: dict
    two_homes:
      description: Whether a user of both protocols has a directory for each.
      type: bool
    commands:
      description: What to type on a client; C(purpose) is V(certificate), V(ftps) or V(sftp), C(line) the command.
      type: list
      elements: dict
    filezilla:
      description: The entries of FileZilla's Site Manager.
      type: list
      elements: dict
    next_step:
      description: What to do next; an empty string if nothing has to be done.
      type: str
  sample:
    name: web1
    host: 192.0.2.10
    serves: [FTPS, SFTP]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.about import about, command_here
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import answer
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import COMMAND
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.access import access_here


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    command = command_here(params["command"])
    found = about(lambda: Manager().users(), params["name"] or "", command, remote=access_here)
    return answer(found, bool(params["brief"]), params["added"] or (), module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "name": {"type": "str"},
        "added": {"type": "list", "elements": "str"},
        "brief": {"type": "bool"},
        "show": {"type": "bool", "default": False},
        "command": {"type": "path", "default": COMMAND},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
