# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The adapter: the only part of the library that knows Ansible."""

from __future__ import annotations

import contextlib
import gc
from typing import AbstractSet, Any, Callable, Iterable, Iterator, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module
from ansible.module_utils.common.warnings import get_warning_messages

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import MissingDriver, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible_lines

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""What AnsibleModule writes instead of a secret."""

LONG = 500
"""More elements of a parameter than this are no part of an answer: nobody reads them, see _answer()."""


def run(module_arguments: dict[str, Any], logic: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Build an AnsibleModule of ``module_arguments``, run ``logic`` and report what it returns.

    Check mode is always supported. A SecureFtpError becomes ``fail_json`` with its message, and with whether anything
    was changed before it.
    """
    with uncollected():
        _run(AnsibleModule(**{"supports_check_mode": True, **module_arguments}), logic)


def _run(module: AnsibleModule, logic: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    try:
        result = logic(module)
    except MissingDriver as error:
        _respawn(error)
        _answer(module, module.fail_json, msg=str(error), lacks=list(error.bindings))
    except OSError as error:  # a system that refuses is no bug of ours: no traceback
        refused = f"{error.filename or 'the system'}: the system refused: {error.strerror or error}"
        _answer(module, module.fail_json, msg=visible_lines(refused))
    except SecureFtpError as error:
        _answer(module, module.fail_json, msg=visible_lines(str(error)), changed=error.changed)
    else:
        _answer(module, module.exit_json, **result)


def _answer(module: AnsibleModule, end: Callable[..., object], **result: Any) -> None:
    """End with ``result``, without secrets.

    AnsibleModule replaces every ``no_log`` value in every string, one after the other: with 2,000 users who have a
    hash each, that is 0.8 s, and the time grows with the square of their number. So it is left with those that really
    occur, and with parameters that have none.

    AnsibleModule also answers with its parameters, and Ansible reads, copies and cleans that answer four times: with
    10,000 users that takes longer than all that was done here. So long lists are only counted in it.
    """
    secrets = frozenset(module.no_log_values)
    module.params = hidden(counted(module.params), secrets)
    module.no_log_values = occurring(secrets, strings_in([module.params, result, get_warning_messages()]))
    end(**result)


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


def occurring(secrets: AbstractSet[str], strings: Iterable[str]) -> set[str]:
    """Those of ``secrets`` that are a part of one of ``strings``."""
    lengths = sorted({len(secret) for secret in secrets if secret})
    found: set[str] = set()
    for string in set(strings):
        for length in lengths:
            if length > len(string):
                break
            ends = range(length, len(string) + 1)
            found.update(part for part in (string[end - length : end] for end in ends) if part in secrets)
    return found


def strings_in(value: Any) -> Iterator[str]:
    """Every string in ``value``, of lists, dicts and what they hold; keys and numbers as text too."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from strings_in(key)
            yield from strings_in(one)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from strings_in(one)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "surrogateescape")
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def counted(params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` with the number of elements instead of each list that is LONG."""
    return {
        name: f"({len(value)} elements)" if isinstance(value, list) and len(value) > LONG else value
        for name, value in params.items()
    }


def hidden(value: Any, secrets: AbstractSet[str]) -> Any:
    """``value`` with HIDDEN instead of each string that is a secret as a whole."""
    if isinstance(value, dict):
        return {key: hidden(one, secrets) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden(one, secrets) for one in value]
    return HIDDEN if isinstance(value, str) and value in secrets else value
