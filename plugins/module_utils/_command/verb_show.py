# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users show``: show one user."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, state
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("show", run, "show one user")


def _quotas(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How much the user may store and stores, as far as the kernel counts it."""
    rows = []
    for what, limit, used, unit in (
        ("quota", user["quota"], user["used_bytes"], " bytes"),
        ("quota files", user["quota_files"], user["used_files"], ""),
    ):
        if used is not None:
            rows.append((what, f"{limit or 'none'}{unit if limit else ''}, used {used}{unit}"))
    return rows


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    user = manager.show(arguments.name)
    if arguments.json:
        print_json({"user": user})
        return 0
    rows = [("name", user["name"]), ("protocols", ", ".join(user["protocols"])), ("state", state(user))]
    rows += [(what, str(user[what])) for what in ("access", "umask")]
    if user["ftps_max_rate"] is not None:
        rows.append(
            ("ftps max rate", f"{user['ftps_max_rate']} bytes a second" if user["ftps_max_rate"] else "no limit")
        )
    rows += [(what, user[what]) for what in ("comment", "expires") if user[what]]
    if user["allowed_sources"] is not None:
        rows.append(("log-ins from", ", ".join(user["allowed_sources"]) or "everywhere"))
    rows += _quotas(user)
    for protocol in user["protocols"]:
        side = user[protocol]
        rows.append((f"{protocol} password", side["scheme"] or "none"))
        rows.append((f"{protocol} directory", side["directory"] or "unknown"))
        rows += [(f"{protocol} {what}", side[what]) for what in ("access", "umask") if side[what] != user[what]]
        if "keys" in side:
            rows.append((f"{protocol} keys", str(side["keys"])))
    sys.stdout.write("".join(f"{what + ':':<16}{visible(value)}\n" for what, value in rows))
    return 0
