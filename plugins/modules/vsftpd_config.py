#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write vsftpd.conf if vsftpd accepts it, or change nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vsftpd_config
short_description: Write vsftpd.conf if vsftpd accepts it
version_added: 0.1.0
author: secure_ftp.server contributors (@secure_ftp)
description:
  - Writes the complete configuration of one vsftpd instance.
  - The new configuration is checked before it replaces the old one. vsftpd itself must accept the file and load the
    certificates, and the module finds errors that vsftpd does not report - unknown users, missing directories, invalid
    numbers, ports that are swapped or conflict, addresses that clients cannot connect to.
  - If a check fails, nothing is changed and the server keeps running with the old configuration.
options:
  path:
    description: The configuration file.
    type: path
    default: /etc/vsftpd.conf
  options:
    description:
      - The settings, named as in vsftpd.conf(5). They become the complete content of the file, in this order.
      - A boolean is written as C(YES) or C(NO). A setting with the value V(null) is omitted.
      - A host name as C(pasv_address) is looked up on this host. The file gets its IPv4 address, since vsftpd forgets
        what a name resolved to, and the name in a comment.
      - Quote octal numbers, as in C(local_umask=077), because YAML reads a bare C(077) as the number 63.
    type: dict
    required: true
  mode:
    description: The permission bits of the file, in octal.
    type: str
    default: '0644'
  backup:
    description: Keep a copy of the old file beside the new one, with the time in its name.
    type: bool
    default: false
  validate:
    description:
      - Check the configuration on this host. V(false) checks the values only.
      - In either case vsftpd checks the file only if O(vsftpd) exists.
    type: bool
    default: true
  unit:
    description:
      - The systemd unit that uses this file. If the file, or a certificate that it names, is newer than the last start
        or reload of the unit, the module reports a change with RV(restart_required), so that a handler restarts it.
      - In this way a renewed certificate, or a change by an earlier interrupted run, takes effect.
    type: str
  vsftpd:
    description: The vsftpd program.
    type: path
    default: /usr/sbin/vsftpd
attributes:
  check_mode:
    description: Can run in check mode and predict what would change.
    support: full
    details:
      - In check mode the task does not fail if users, directories or certificates are missing that an earlier task of
        the same run may create. They are returned in RV(absent).
  diff_mode:
    description: Shows the difference between the old and the new file.
    support: full
notes:
  - The file must not contain secrets. vsftpd.conf has no setting for a secret.
"""

EXAMPLES = r"""
- name: Serve explicit FTPS to virtual users
  secure_ftp.server.vsftpd_config:
    options:
      listen: true
      anonymous_enable: false
      local_enable: true
      guest_enable: true
      local_root: /home/vftp/$USER
      user_sub_token: $USER
      local_umask: '077'
      pasv_min_port: 50000
      pasv_max_port: 50999
      ssl_enable: true
      rsa_cert_file: /etc/vsftpd/tls/server.crt
      rsa_private_key_file: /etc/vsftpd/tls/server.key
"""

RETURN = r"""
path:
  description: The configuration file.
  returned: success
  type: str
  sample: /etc/vsftpd.conf
changed_options:
  description: Names of the settings that were added, changed or removed.
  returned: success
  type: list
  elements: str
  sample: [max_per_ip]
restart_required:
  description:
    - Whether a restart is necessary, because one of RV(changed_options) belongs to the listening socket or to TLS, or
      because O(unit) has not read the present files. Other changes need only a reload.
  returned: success
  type: bool
  sample: false
absent:
  description: In check mode, items that the configuration names and that do not exist on this host yet.
  returned: check mode
  type: list
  elements: str
  sample: ["rsa_cert_file: /etc/vsftpd/tls/server.crt: No such file or directory"]
backup_file:
  description: The copy of the old file.
  returned: changed, with O(backup=true), if the file existed
  type: str
  sample: /etc/vsftpd.conf.12345.2026-01-31@12:00:00~
"""

import os
import re
import stat
from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.backup import keep_old
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.probe import serves_another_certificate
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import with_address
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_check import (
    ask_vsftpd,
    certificate_files,
    check_host,
    check_values,
    needs_restart,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse, render
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated, is_running

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

HEADER = "# Managed by Ansible (secure_ftp.server.vsftpd_config): changes made here are lost.\n"


def current_file(path: str) -> tuple[str | None, int]:
    """Return the text and the permission bits of ``path``, or None and 0 when there is no such file."""
    try:
        with open(path, "rb") as conf:
            return conf.read().decode("utf-8", "replace"), stat.S_IMODE(os.fstat(conf.fileno()).st_mode)
    except FileNotFoundError:
        return None, 0
    except OSError as error:
        raise file_error(path, "read", error) from error


def configure(module: AnsibleModule) -> dict[str, Any]:
    """Write the file as the parameters say, unless a check fails."""
    path, binary = module.params["path"], module.params["vsftpd"]
    if not re.match(r"0?[0-7]{3}\Z", module.params["mode"]):
        raise SecureFtpError("mode", "octal permission bits such as '0644'", found=repr(module.params["mode"]))
    mode = int(module.params["mode"], 8)
    old_text, old_mode = current_file(path)
    old = parse(old_text or "")
    options, comment = with_address(module.params["options"], old.get("pasv_address", ""))
    text = HEADER + comment + render(options)
    wanted = parse(text)
    check_values(wanted)
    absent: list[str] = []
    installed = os.access(binary, os.X_OK)
    if module.params["validate"] and (installed or not module.check_mode):
        absent = check_host(wanted, module.check_mode)
        if installed:
            ask_vsftpd(binary, wanted, text, module.check_mode)

    unit = module.params["unit"]
    outdated = bool(unit) and (
        is_outdated(unit, [path], certificate_files(wanted).values())
        or (is_running(unit) and serves_another_certificate(old))
    )
    changed_options = sorted(name for name in {*old, *wanted} if old.get(name) != wanted.get(name))
    differs = old_text != text or old_mode != mode
    result: dict[str, Any] = {
        "path": path,
        "changed": outdated or differs,
        "changed_options": changed_options,
        "restart_required": outdated or any(needs_restart(name) for name in changed_options),
        "diff": {
            "before_header": path if old_text is None else f"{path} (mode {old_mode:04o})",
            "before": old_text or "",
            "after_header": f"{path} (mode {mode:04o})",
            "after": text,
        },
    }
    if module.check_mode:
        result["absent"] = absent
    elif differs:
        if old_text is not None and not is_ours(old_text):
            keep_old(module, path, result)
        replace_file(path, text.encode("utf-8"), mode, 0, 0)
    return result


def main() -> None:
    """Entry point."""
    run(
        {
            "argument_spec": {
                "path": {"type": "path", "default": "/etc/vsftpd.conf"},
                "options": {"type": "dict", "required": True},
                "mode": {"type": "str", "default": "0644"},
                "backup": {"type": "bool", "default": False},
                "validate": {"type": "bool", "default": True},
                "unit": {"type": "str"},
                "vsftpd": {"type": "path", "default": "/usr/sbin/vsftpd"},
            }
        },
        configure,
    )


if __name__ == "__main__":
    main()
