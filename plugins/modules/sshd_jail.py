#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jail of the SFTP users in sshd's configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_jail
short_description: Jail the members of a group to SFTP
version_added: 0.1.0
description:
  - Creates the group, the jail and the directory of the public keys.
  - Writes a marked C(Match Group) block at the end of the main configuration file of sshd. If there is no
    C(Subsystem sftp) line, it adds that of the distribution; an existing line stays as it is. Both are written at once,
    after C(sshd -t) has accepted the whole file and C(sshd -T -C user=...) has shown that nothing changes for C(root)
    and for the user who runs this module.
  - A C(Match Group) block made by hand for the same group is replaced if the marked block sets all of its options to
    the same values. If a value differs, the module fails before any change, and names the line, the difference and the
    variable of the role that keeps the present value.
  - Keeps the classes in its marked block, which give some members other rights (options C(access) and C(umask) of a
    user). They are written again with the command of the jail.
  - Does not reload sshd. It reports a change as long as the running daemon has not read the file, so that a handler is
    notified again if an earlier run was interrupted.
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  group:
    description:
      - The group whose members are jailed. It is created as a system group if it is missing.
    type: str
    default: sftponly
  directory:
    description:
      - The jail, owned by root with mode 0711. Only root may write to the directories above it.
    type: path
    default: /home/sftp
  keys_directory:
    description:
      - The directory with one file of public keys per user, owned by root with mode 0755.
    type: path
    default: /etc/ssh/sftponly_keys
  password_authentication:
    description:
      - Whether members may log in with a password. With V(false) they need a key.
    type: bool
    default: true
  log_level:
    description:
      - The log level of C(internal-sftp); if omitted, its default C(ERROR). Members are logged only if there is a
        C(/dev/log) in the jail.
    type: str
    choices: [QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2, DEBUG3]
  log_facility:
    description:
      - The syslog facility of C(internal-sftp); if omitted, its default C(AUTH).
    type: str
    choices: [DAEMON, USER, AUTH, LOCAL0, LOCAL1, LOCAL2, LOCAL3, LOCAL4, LOCAL5, LOCAL6, LOCAL7]
  start_directory:
    description:
      - The directory in which a session starts, as a path in the jail; C(%u) is the user name.
    type: str
    default: /%u
    version_added: 0.2.0
  accounts_for_all:
    description:
      - Add the class C(GROUP-ftps) for accounts that cannot log in. With it, users who only use FTPS have an account
        too, and one home for both protocols if vsftpd starts them in O(directory).
      - If V(false), the class stays if it is there.
    type: bool
    default: false
    version_added: 0.2.0
  config:
    description:
      - Main configuration file of sshd. OpenSSH 8.2 ignores a C(Match) block in C(sshd_config.d).
    type: path
    default: /etc/ssh/sshd_config
  backup:
    description:
      - Keep a copy of the old configuration file beside the new one.
    type: bool
    default: true
seealso:
  - module: secure_ftp.server.sftp_users
"""

EXAMPLES = r"""
- name: Jail the group sftponly to /home/sftp
  secure_ftp.server.sshd_jail:
  notify: Reload sshd

- name: Allow login by key only
  secure_ftp.server.sshd_jail:
    password_authentication: false
  notify: Reload sshd
"""

RETURN = r"""
changes:
  description: What changed. Any of group, directory, keys_directory, config, and reload if only that is needed.
  returned: success
  type: list
  elements: str
  sample: [config]
backup_file:
  description: The old configuration file.
  returned: when the file changed and O(backup=true)
  type: str
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.backup import keep_old
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    create_group,
    login_names,
    read_accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import ensure_directory
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import shut_class
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    DEFAULT_DIRECTORY,
    DEFAULT_GROUP,
    DEFAULT_KEYS_DIRECTORY,
    DIRECTORY_MODE,
    KEYS_DIRECTORY_MODE,
    LOG_FACILITIES,
    LOG_LEVELS,
    UNIT,
    Jail,
    classes_kept,
    prepare_host,
    read_config,
    replace_config,
    takeover_problems,
    unmarked,
    validate_jail,
    with_jail,
)


def _logic(module: AnsibleModule) -> dict[str, Any]:
    params, check = module.params, module.check_mode
    config = params["config"]
    fields = (
        "group",
        "directory",
        "keys_directory",
        "password_authentication",
        "log_level",
        "log_facility",
        "start_directory",
    )
    jail = validate_jail(Jail(**{key: params[key] for key in fields}))
    accounts = read_accounts()
    text = read_config(config)
    shut = {shut_class(jail.group)} if params["accounts_for_all"] else set()
    jail = replace(jail, classes=tuple({*classes_kept(text or "", jail.group), *shut}))
    if text is None and not check:
        raise SecureFtpError(config, "the file of the Debian package openssh-server", found="none", remedy="install it")
    problems = takeover_problems(unmarked(text or "", config), jail)
    if problems:
        raise SecureFtpError(f"group {jail.group!r}", found="; ".join(map(str, problems)), state=NOTHING)
    wanted = with_jail(text or "", jail, config)
    result: dict[str, Any] = {"changes": [], "diff": {}}
    if jail.group not in accounts.groups:
        result["changes"].append("group")
        if not check:
            create_group(jail.group)
    for name in sorted(shut.difference(accounts.groups)):
        result["changes"].append("group")
        if not check:
            create_group(name)
    for key, mode in (("directory", DIRECTORY_MODE), ("keys_directory", KEYS_DIRECTORY_MODE)):
        if ensure_directory(params[key], 0, 0, mode, check_mode=check):
            result["changes"].append(key)
    if not check:
        prepare_host()
    if wanted != text:
        result["changes"].append("config")
        result["diff"] = {"before_header": config, "after_header": config, "before": text or "", "after": wanted}
        if not check:
            replace_config(config, wanted, sorted({"root", *login_names()}), lambda: keep_old(module, config, result))
    elif is_outdated(UNIT, [config]):
        result["changes"].append("reload")
    return {"changed": bool(result["changes"]), **result}


def main() -> None:
    """Run the module."""
    spec = {
        "group": {"type": "str", "default": DEFAULT_GROUP},
        "directory": {"type": "path", "default": DEFAULT_DIRECTORY},
        "keys_directory": {"type": "path", "default": DEFAULT_KEYS_DIRECTORY, "no_log": False},
        "password_authentication": {"type": "bool", "default": True, "no_log": False},
        "log_level": {"type": "str", "choices": list(LOG_LEVELS)},
        "log_facility": {"type": "str", "choices": list(LOG_FACILITIES)},
        "start_directory": {"type": "str", "default": Jail.start_directory},
        "accounts_for_all": {"type": "bool", "default": False},
        "config": {"type": "path", "default": CONFIG},
        "backup": {"type": "bool", "default": True},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
