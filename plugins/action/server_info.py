# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the module ``server_info`` what this run has done on the host, and print its text.

If this run has installed the command ``ftp-users`` or found it as it should be, the command is asked instead of the
module: it has the same library on the host already, compiled. A module would bring it along, which takes longer than
everything that it reads.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from typing import Any, Iterable, Mapping

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import ROLES
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import summary
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import About
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import COMMAND as PATH

COMMAND = "user_command_path"
HERE = "__user_command_installed"
"""The result of the task that installs the command."""
INSTALLED = "__packages_installed"
"""The packages that the roles have installed: they share a task file, so a later result hides an earlier one."""
REGISTERED = re.compile(rf"__(?:{'|'.join(sorted(ROLES))})_")
"""How the variables begin that the tasks of our roles register; tests/unit/test_roles.py expects one of every task."""
ADDED = ("__pam_userdb_users", "__sshd_chroot_sftp_users")
"""The results of the tasks that add users."""
FOR_PROGRAMS = ("json", "jsonl", "null")
"""Callback plugins whose output is for programs: nothing else may be printed."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Options of the task override what is found here."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once; its ``lines`` are printed if ``show`` is true."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        given = {name: value for name, value in self._task.args.items() if value is not None}
        arguments = {
            "name": variables.get("inventory_hostname", ""),
            "added": added(variables),
            "brief": not has_changed(variables),
            **({"command": self._templar.template(variables[COMMAND])} if COMMAND in variables else {}),
            **given,
        }
        found = None if self._task.check_mode else self._ask(variables.get(HERE), arguments.get("command"))
        if found is None:
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        else:
            about = About.of({**found, "name": arguments["name"] or found["name"]})
            short = boolean(arguments["brief"], strict=False)
            result.update(summary.answer(about, short, arguments["added"] or ()))
        if (
            boolean(arguments.get("show"), strict=False)
            and result.get("lines")
            and is_for_people(constants.DEFAULT_STDOUT_CALLBACK)
        ):
            # In one piece: hosts run at the same time.
            Display().display("\n".join(result["lines"]))
        return result

    def _ask(self, installed: object, path: object) -> dict[str, Any] | None:
        """What ``ftp-users about --json`` says; None if it is not the one of this run, or does not answer."""
        if not isinstance(installed, Mapping) or "paths" not in installed or installed.get("failed"):
            return None
        said = self._low_level_execute_command(f"{shlex.quote(str(path or PATH))} about --json")
        found: dict[str, Any] | None = None
        if said["rc"] == 0:
            # With a terminal, as sudo may want it, there may be more around the JSON.
            with contextlib.suppress(ValueError):
                found, _end = json.JSONDecoder().raw_decode(said["stdout"], said["stdout"].index("{"))
        return found


def results(variables: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What the tasks of our roles have registered in this run, for this host."""
    for name, value in variables.items():
        if REGISTERED.match(name) and isinstance(value, Mapping):
            yield value


def has_changed(variables: Mapping[str, Any]) -> bool:
    """Whether a task of our roles has changed anything, or in check mode would.

    A plan of the firewall that is ``pending`` is carried out by other tasks.
    """
    changes = (one.get("changed") is True or one.get("pending") is True for one in results(variables))
    return bool(variables.get(INSTALLED)) or any(changes)


def added(variables: Mapping[str, Any]) -> list[str]:
    """The names of the users who were added, or in check mode would be, sorted."""
    found = (variables[name] for name in ADDED if isinstance(variables.get(name), Mapping))
    return sorted({str(user) for one in found for user in one.get("added") or ()})


def is_for_people(callback: str) -> bool:
    """Whether the output of this callback plugin is read by people."""
    return callback.rpartition(".")[2] not in FOR_PROGRAMS
