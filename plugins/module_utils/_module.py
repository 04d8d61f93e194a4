# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The adapter: the only part of the library that knows Ansible."""

from __future__ import annotations

import contextlib
import gc
from typing import Any, Callable, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.secure_ftp.server.plugins.module_utils._errors import MissingDriver, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._fields import FIELDS, LIST, SWITCH, TEXT, WORD, Field
from ansible_collections.secure_ftp.server.plugins.module_utils._passwords import DEFAULT_ROUNDS
from ansible_collections.secure_ftp.server.plugins.module_utils._policy import DEFAULT_MIN_LENGTH
from ansible_collections.secure_ftp.server.plugins.module_utils._userdb import DRIVERS, LOCK_TIMEOUT, SYSTEM_PYTHON


def run(module_arguments: dict[str, Any], logic: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Build an AnsibleModule of ``module_arguments``, run ``logic`` and report what it returns.

    Check mode is always supported. A SecureFtpError becomes ``fail_json`` with its message.
    """
    module = AnsibleModule(**{"supports_check_mode": True, **module_arguments})
    try:
        with uncollected():
            result = logic(module)
    except MissingDriver as error:
        _respawn()
        module.fail_json(msg=str(error))
    except SecureFtpError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


def _respawn() -> None:
    """Run the module again under the system's Python when that has the database's binding, which no other one gets.

    Returns when it does not, or when this is that run already. ansible.builtin.apt does the same for python3-apt.
    """
    if has_respawned():
        return
    for driver in DRIVERS:
        interpreter = probe_interpreters_for_module([SYSTEM_PYTHON], driver)
        if interpreter:
            respawn_module(interpreter)  # ends this process


def keep_old(module: AnsibleModule, path: str, result: dict[str, Any]) -> None:
    """With the option ``backup``, copy ``path`` beside itself and say so in ``result``."""
    if module.params["backup"]:
        result["backup_file"] = module.backup_local(path)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Do without Python's garbage collector: a module ends soon, and looking for cycles takes 40 % of long lists."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def person_options() -> dict[str, dict[str, Any]]:
    """Argument spec of one user; name and passwords are raw so that a bare YAML number is refused, not rewritten."""
    return {field.name: _option(field) for field in FIELDS}


def _option(field: Field) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        TEXT: {"type": "raw"},
        WORD: {"type": "str"},
        LIST: {"type": "list", "elements": "str"},
        SWITCH: {"type": "bool"},
    }
    option = {**kinds[field.kind], **({"choices": list(field.choices)} if field.choices else {})}
    if field.name == "name":
        option["required"] = True
    if field.kind == WORD:
        option["default"] = field.choices[0]
    if field.secret or "key" in field.name:  # Ansible suspects a secret in every name with "key"
        option["no_log"] = field.secret
    return option


def password_options() -> dict[str, dict[str, Any]]:
    """Argument spec of what is demanded of passwords."""
    return {"password_min_length": {"type": "int", "default": DEFAULT_MIN_LENGTH, "no_log": False}}


def users_option() -> dict[str, Any]:
    """Argument spec of ``users``, the list both ftp_users and sftp_users take."""
    return {"type": "list", "elements": "dict", "required": True, "options": person_options()}


def store_options() -> dict[str, dict[str, Any]]:
    """Argument spec of where FTPS users are kept; what is left out is discovered."""
    return {
        "db": {"type": "path"},
        "config": {"type": "path"},
        "pam_service": {"type": "str"},
        "local_root": {"type": "str"},  # a path would have its $USER expanded
        "guest_username": {"type": "str"},
    }


def write_options() -> dict[str, dict[str, Any]]:
    """Argument spec of how FTPS users are written."""
    return {
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "create_home": {"type": "bool", "default": True},
        "remove_home": {"type": "bool", "default": False},
        "rounds": {"type": "int", "default": DEFAULT_ROUNDS},
        "lock_timeout": {"type": "float", "default": LOCK_TIMEOUT},
    }
