# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The other collections that some settings need, and which of them the control machine lacks.

Ansible looks for a module when it reads the file of its task: for an included file, in the middle of a run.
"""

from __future__ import annotations

import importlib
from typing import Collection, Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings

NEEDED = {
    "azure.azcollection": ("firewall_backend", "azure_nsg"),
}
"""Each collection, and the variable that asks for it with that value."""


def missing(names: Iterable[str] = tuple(NEEDED)) -> list[str]:
    """Those of ``names`` (NAMESPACE.NAME) that Ansible's loader does not find; for the control machine."""
    found = []
    for name in names:
        try:
            importlib.import_module(f"ansible_collections.{name}")
        except ImportError:
            found.append(name)
    return found


def problems(settings: Settings, lacking: Collection[str]) -> list[Problem]:
    """A problem for each collection of ``lacking`` that ``settings`` need."""
    found = []
    for collection, (name, value) in NEEDED.items():
        if getattr(settings, name) == value and settings.firewall_enabled and collection in lacking:
            said = f"{value} needs the collection {collection}, which this control machine lacks"
            found.append(Problem(name, found=said, remedy=f"ansible-galaxy collection install {collection}"))
    return found
