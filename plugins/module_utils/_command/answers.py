# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How the command answers: lines for a reader, JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import share_said, visible, visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Result
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import is_over


def answer(
    arguments: argparse.Namespace, told: dict[str, Any], done: str, options: dict[str, Any] | None = None
) -> int:
    """Print what Manager ``told``; return the exit status."""
    generated = (options or {}).get("password") if getattr(arguments, "generate", False) else None
    if arguments.json:
        print_json({**told, **({"generated_password": generated} if generated else {})})
        return 0
    warn(told["warnings"])
    user = told["user"]
    protocols = f" ({', '.join(user['protocols'])})" if user else ""
    still = ", still locked" if user and user["locked"] and done not in ("locked", "added") else ""
    sys.stdout.write(f"{visible(arguments.name)}: {done if told['changed'] else 'unchanged'}{protocols}{still}\n")
    if generated:
        sys.stdout.write(f"password: {generated}\n")
    return 0


def print_result(arguments: argparse.Namespace, result: Result, skipped: Mapping[str, str], mood: str) -> None:
    """Print what happened to each user of a list; ``mood`` is "would be " when nothing was done."""
    groups = {
        "added": result.added,
        "changed": result.changed,
        "removed": result.removed,
        "unchanged": result.unchanged,
        "skipped": sorted(skipped),
    }
    if arguments.json:
        print_json({**groups, "skipped_because": skipped, "warnings": result.warnings, "dry_run": bool(mood)})
        return
    warn(result.warnings)
    for what, names in groups.items():
        if what == "skipped":
            sys.stdout.write("".join(f"{visible(name)}: skipped: {visible(skipped[name])}\n" for name in names))
        elif names and what == "unchanged":
            sys.stdout.write(f"{what}: {len(names)}\n")
        else:
            sys.stdout.write("".join(f"{visible(name)}: {mood}{what}\n" for name in names))


def warn(warnings: Sequence[str]) -> None:
    """Print each warning to standard error."""
    sys.stderr.write("".join(f"warning: {visible_lines(warning)}\n" for warning in warnings))


def print_json(content: object) -> None:
    """Print ``content`` as JSON, in ASCII."""
    json.dump(content, sys.stdout, indent=2, ensure_ascii=True)
    sys.stdout.write("\n")


def state(user: dict[str, Any]) -> str:
    """The state of a user in words: whether log-ins are allowed."""
    if user["locked"]:
        return "locked"
    if not any(side["scheme"] or side.get("keys") for side in (user["ftps"], user["sftp"]) if side):
        return "no password or key"
    if not is_over(user["expires"]):
        return "active"
    # By hand an account can be made to expire although vsftpd does not ask it.
    return "expired" if (user["ftps"] or {}).get("obeys_account", True) else "active, SFTP expired"


def summary(user: dict[str, Any]) -> tuple[str, ...]:
    """The row of a user in ``list``."""
    sides = [user[protocol] for protocol in user["protocols"]]
    ways = ["password"] if any(side["scheme"] for side in sides) else []
    ways += ["key"] if any(side.get("keys") for side in sides) else []
    directories = dict.fromkeys(side["directory"] or "?" for side in sides)
    return (
        user["name"],
        ", ".join(user["protocols"]),
        state(user),
        user["access"],
        ", ".join(ways) or "nothing",
        quota(user["quota"], user["used_bytes"]),
        ", ".join(directories),
    )


def quota(limit: int | None, used: int | None) -> str:
    """How much of a quota is used, in words; empty where nothing is counted."""
    if used is None:
        return "-"
    return share_said(used, limit) if limit else "none"


def table(head: Sequence[str], rows: Any) -> str:
    """Text in columns as wide as their longest cell."""
    lines = [tuple(head), *(tuple(map(visible, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    widths[-1] = 0
    shape = "  ".join(f"{{:<{width}}}" for width in widths) + "\n"
    return "".join([shape.format(*line) for line in lines])
