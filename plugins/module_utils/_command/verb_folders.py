# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users folders``: list the shared folders."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, quota, table
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.folders import folders_here
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, expect_root


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("folders", run, "list the shared folders", user=False)


def run(arguments: argparse.Namespace, _manager: Manager) -> int:
    """Do it; return the exit status."""
    expect_root("reading shared folders")
    folders = folders_here()
    if arguments.json:
        print_json({"folders": folders})
    elif not folders:
        sys.stdout.write("there are no shared folders; ftp_shared_folders lists them in the inventory\n")
    else:
        sys.stdout.write(table(("NAME", "STATE", "QUOTA", "MEMBERS", "READERS"), map(_row, folders)))
    return 0


def _row(folder: dict[str, Any]) -> tuple[str, ...]:
    missing = ", ".join(folder["not_mounted_for"])
    return (
        folder["name"],
        "mounted" if folder["mounted"] else f"not mounted for {missing}" if missing else "not running",
        quota(folder["quota"], folder["used_bytes"]),
        ", ".join(folder["members"]) or "-",
        ", ".join(folder["readers"]) or "-",
    )
