# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The variables of a play, for action plugins: no role or playbook has to list them."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible.errors import AnsibleError


def values(templar: Any, task_vars: Mapping[str, Any], names: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of those of ``names`` that the play defines, and for each that has none the reason.

    One by one: if one refers to something undefined, the others are still there.
    """
    found: dict[str, Any] = {}
    unresolved: dict[str, str] = {}
    for name in sorted(set(names).intersection(task_vars)):
        try:
            found[name] = templar.template(task_vars[name])
        except AnsibleError as error:
            unresolved[name] = getattr(error, "message", "") or str(error)
    return found, unresolved
