# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass all variables of the roles to the module ``preflight``, without a list of them in a playbook."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.plugins.action import ActionBase

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import (
    FTPS_ROLES,
    HIDDEN,
    ROLES,
    Settings,
    names_for,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.collections import missing
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.variables import resembles
from ansible_collections.secure_ftp.server.plugins.plugin_utils.play import values

USERS = "ftp_users"
LOGIN = "ansible_user"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Options of the task override the values found here."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the module with the options of the task and, if it gives no ``variables``, with those of the play."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if "variables" not in arguments:
            arguments = {**self._found(arguments, task_vars or {}), **arguments}
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result

    def _found(self, arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The options of the module, from the variables of the play.

        If the task names no roles, they are all roles; a server without FTPS does without some, and what the task says
        of them is left out.
        """
        roles = list(arguments.get("roles", ROLES))
        variables, unresolved = values(self._templar, task_vars, {USERS, LOGIN} | names_for(roles))
        if "roles" not in arguments and not Settings.parse(variables).serves_ftps:
            roles = [role for role in roles if role not in FTPS_ROLES]
            looked_at = {USERS, LOGIN} | names_for(roles)
            variables = {name: value for name, value in variables.items() if name in looked_at}
            unresolved = {name: why for name, why in unresolved.items() if name in looked_at}
            arguments["configurations"] = {}
            arguments["run_roles"] = [role for role in arguments.get("run_roles") or () if role in roles]
        users = {"users": variables.pop(USERS)} if USERS in variables else {}
        login_user = variables.pop(LOGIN, None) or ""
        for name in HIDDEN.intersection(variables):  # whether it is set is enough
            variables[name] = "given" if variables[name] else ""
        return {
            **users,
            "roles": roles,
            "variables": variables,
            "unresolved": unresolved,
            "login_user": login_user,
            "defined": sorted(name for name in task_vars if resembles(name)),
            "missing_collections": missing(),
            "play_roles": [str(name).rpartition(".")[2] for name in task_vars.get("ansible_play_role_names") or ()],
        }
