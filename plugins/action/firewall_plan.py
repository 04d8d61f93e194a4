# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass the variables that determine the ports to the module ``firewall_plan``, without a list of them in the role."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import names_for
from ansible_collections.secure_ftp.server.plugins.plugin_utils.play import values


class ActionModule(ActionBase):  # type: ignore[misc]
    """The option ``variables`` of the task overrides the variables of the play."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the module with the options of the task and, if it gives no ``variables``, with those of the play.

        Raises AnsibleActionFail that names every variable without a value.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if "variables" not in arguments:
            arguments["variables"], unresolved = values(self._templar, task_vars or {}, names_for(["firewall"]))
            if unresolved:
                raise AnsibleActionFail("; ".join(f"{name}: {reason}" for name, reason in unresolved.items()))
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
