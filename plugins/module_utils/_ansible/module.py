# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The adapter: the only part of the library that knows Ansible."""

from __future__ import annotations

import contextlib
import gc
from typing import Any, Callable, Iterable, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import MissingDriver, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible_lines


def run(module_arguments: dict[str, Any], logic: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Build an AnsibleModule of ``module_arguments``, run ``logic`` and report what it returns.

    Check mode is always supported. A SecureFtpError becomes ``fail_json`` with its message, and with whether anything
    was changed before it.
    """
    module = AnsibleModule(**{"supports_check_mode": True, **module_arguments})
    try:
        with uncollected():
            result = logic(module)
    except MissingDriver as error:
        _respawn(error)
        module.fail_json(msg=str(error), lacks=list(error.bindings))
    except OSError as error:  # a system that refuses is no bug of ours: no traceback
        refused = f"{error.filename or 'the system'}: the system refused: {error.strerror or error}"
        module.fail_json(msg=visible_lines(refused))
    except SecureFtpError as error:
        module.fail_json(msg=visible_lines(str(error)), changed=error.changed)
    else:
        module.exit_json(**result)


def warn(module: AnsibleModule, warnings: Iterable[str]) -> None:
    """Show ``warnings``, which may quote what others wrote."""
    for warning in warnings:
        module.warn(visible_lines(warning))


def _respawn(error: MissingDriver) -> None:
    """Run the module again with the system's Python if that has the database's binding; no other one gets it.

    Returns if it does not have it, or if this is already that run. ansible.builtin.apt does the same for python3-apt.
    """
    if has_respawned():
        return
    for driver in error.bindings:
        interpreter = probe_interpreters_for_module([error.interpreter], driver)
        if interpreter:
            respawn_module(interpreter)  # ends this process


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Do without Python's garbage collector: a module ends soon, and with long lists it takes 40 % of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
