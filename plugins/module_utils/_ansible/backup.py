# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The option ``backup`` of modules."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import keep_copy


def keep_old(module: AnsibleModule, path: str, result: dict[str, Any]) -> None:
    """With the option ``backup``, copy ``path`` beside itself (keep_copy) and say so in ``result``."""
    if module.params["backup"]:
        result["backup_file"] = keep_copy(path)
