#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check the variables and the host before any change
version_added: 0.1.0
description:
  - Checks the operating system, the list of users and the variables of the roles against each other and against the
    host, and fails with B(all) problems in one message.
  - Changes nothing, and needs only Python on the host.
  - If a task omits O(variables), the module gets the variables of the play, the users (C(ftp_users)), the login user
    (C(ansible_user)), the names of all defined variables and the missing collections. A variable that refers to an
    undefined variable is a problem too.
author: secure_ftp.server contributors (@secure_ftp)
options:
  users:
    description:
      - The list of users, as in the variable C(ftp_users).
      - It is declared secret because it contains passwords. Messages still show names, protocols, keys and states.
    type: raw
    default: []
  roles:
    description:
      - The roles whose variables are checked; all roles if omitted. With V([]) only the variables that belong to no
        role.
    type: list
    elements: str
  run_roles:
    description:
      - Those of O(roles) that the tags of the run leave. They decide which homes a new host gets (C(ftp_users_home)).
        V([]) means all.
    type: list
    elements: str
    default: []
  variables:
    description:
      - The variables of the roles that depend on each other, by their public names.
      - Omitted variables are not checked.
    type: dict
    default: {}
  unresolved:
    description:
      - The variables that could not be evaluated, and why.
    type: dict
    default: {}
  configurations:
    description:
      - The wanted settings of each configuration file of vsftpd, by path. They are compared with the existing files,
        and so are the PAM service, the database and the directories of users in use. If a server that somebody else
        set up would lose or change settings, that is a problem.
    type: dict
    default: {}
  packages:
    description:
      - Packages to look for. RV(installed) returns those that are installed.
    type: list
    elements: str
    default: []
  units:
    description:
      - Systemd units to look for. RV(units) returns whether they are active and enabled.
    type: list
    elements: str
    default: []
  login_user:
    description:
      - The user that Ansible logs in as. No entry of O(users) may have this name.
    type: str
    default: ''
  defined:
    description:
      - The names of the variables that are set. A name that looks like a variable of this collection but is none is a
        problem, and so is V(ftp_users_purge) without C(ftp_users).
    type: list
    elements: str
    default: []
  missing_collections:
    description:
      - Collections that the roles need and that are missing on the control machine.
    type: list
    elements: str
    default: []
  play_roles:
    description:
      - The names of the roles of the play. If none of them sets up FTPS, and the host has none, users who only use FTPS
        get a warning.
    type: list
    elements: str
    default: []
  as_data:
    description:
      - Also return the problems as data, in RV(problems). Ansible prints them with the message, so each is read twice.
    type: bool
    default: false
extends_documentation_fragment:
  - secure_ftp.server.attributes.read_only
"""

EXAMPLES = r"""
- name: Check everything before any change
  secure_ftp.server.preflight:

- name: Check the variables of two roles
  secure_ftp.server.preflight:
    roles: [pam_userdb, sshd_chroot]

- name: Check some values
  secure_ftp.server.preflight:
    users: "{{ ftp_users }}"
    login_user: "{{ ansible_user | default('') }}"
    variables:
      vsftpd_tls_modes: [explicit, implicit]
      vsftpd_port: 21
      vsftpd_implicit_port: 990
"""

RETURN = r"""
problems:
  description: The problems as data. The module fails if there are any, and its message lists them.
  returned: if O(as_data) is true
  type: list
  elements: dict
  contains:
    subject:
      description: The variable, file or user.
      type: str
    expected:
      description: The expected value; empty if RV(problems[].found) says everything.
      type: str
    found:
      description: The present value.
      type: str
    remedy:
      description: How to fix it.
      type: str
ssh_ports:
  description: The ports that SSH uses on the host.
  returned: success
  type: list
  elements: int
  sample: [22]
one_home:
  description: Whether each user has one home for both protocols after this run.
  returned: success
  type: bool
quotas:
  description: Whether any user (C(users)) or shared folder (C(folders)) is to have a quota.
  returned: success
  type: dict
  sample: {"users": true, "folders": false}
installed:
  description: The packages of O(packages) that are installed.
  returned: success
  type: list
  elements: str
  sample: [logrotate, vsftpd]
units:
  description: For each unit of O(units), whether it is active and whether it is enabled.
  returned: success
  type: dict
  sample: {"vsftpd": {"active": true, "enabled": true}}
"""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._host.packages import installed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import states
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.checks import (
    Control,
    message,
    problems,
    quotas_in,
    secrets_of,
    this_host,
    warnings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.homes import ONE, as_one, layout, read_live
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.sshd import sshd_problems
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.takeover import takeover_problems
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.ports import ports_in_use

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def check(module: AnsibleModule) -> dict[str, Any]:
    users = module.params["users"]
    # no_log treats every string of the list as a secret, and would hide the names in the messages.
    module.no_log_values = secrets_of(users)
    try:
        ssh_ports, _connection = ports_in_use()
    except SecureFtpError:
        ssh_ports = []  # the code that needs an unreadable sshd_config reports it, with sshd's words
    host = this_host(module.params["login_user"], ssh_ports, module.check_mode)
    control = Control(
        tuple(module.params["defined"]), tuple(module.params["missing_collections"]), tuple(module.params["play_roles"])
    )
    settings = Settings.parse(module.params["variables"], module.params["roles"] or ())
    home, found = layout(settings, read_live(settings), module.params["roles"], module.params["run_roles"])
    configurations = module.params["configurations"]
    host = replace(host, gives_accounts=home == ONE)
    if home == ONE:
        settings, configurations = as_one(settings, configurations)
    found += problems(settings, users, host, control)
    found += sshd_problems(settings, users)
    found += takeover_problems(settings, users, configurations)
    found += [
        Problem(
            name,
            found=f"cannot be evaluated: {why}",
            remedy="define what it refers to, in the inventory or in group_vars/ftp.yml beside it",
        )
        for name, why in module.params["unresolved"].items()
    ]
    warn(module, warnings(settings, users, host, control))
    data = {"problems": [asdict(problem) for problem in found]} if module.params["as_data"] else {}
    if found:
        module.fail_json(msg=message(found), **data)
    return {
        "changed": False,
        **data,
        "ssh_ports": ssh_ports,
        "one_home": home == ONE,
        "quotas": quotas_in(settings, users)._asdict(),
        "installed": installed(module.params["packages"]),
        "units": {name: state._asdict() for name, state in states(module.params["units"]).items()},
    }


def main() -> None:
    run(
        {
            "argument_spec": {
                "users": {"type": "raw", "default": [], "no_log": True},
                "roles": {"type": "list", "elements": "str"},
                "run_roles": {"type": "list", "elements": "str", "default": []},
                "variables": {"type": "dict", "default": {}},
                "unresolved": {"type": "dict", "default": {}},
                "configurations": {"type": "dict", "default": {}},
                "packages": {"type": "list", "elements": "str", "default": []},
                "units": {"type": "list", "elements": "str", "default": []},
                "login_user": {"type": "str", "default": ""},
                "defined": {"type": "list", "elements": "str", "default": []},
                "missing_collections": {"type": "list", "elements": "str", "default": []},
                "play_roles": {"type": "list", "elements": "str", "default": []},
                "as_data": {"type": "bool", "default": False},
            },
        },
        check,
    )


if __name__ == "__main__":
    main()
