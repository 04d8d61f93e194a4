# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users one-home``: one home for each user instead of one for each protocol."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, expect_root

if TYPE_CHECKING:
    from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import Done


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("one-home", run, "move each user's files of FTPS into the home of SFTP, for both", user=False)
    found.add_argument("--dry-run", action="store_true", help="only show what would be moved")


def run(arguments: argparse.Namespace, _manager: Manager) -> int:
    """Do it; return the exit status."""
    # The other verbs do not need it, and it brings ssl.
    from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import preview
    from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import run as move

    expect_root()
    if arguments.dry_run:
        done = preview()
    else:
        with progress():
            done = move("command")
    if arguments.json:
        told = {"users": done.users(), "accounts": done.accounts, "configurations": done.configurations}
        print_json({"changed": done.changed, **told, "warnings": done.warnings, "dry_run": arguments.dry_run})
        return 0
    warn(done.warnings)
    sys.stdout.write("".join(f"{visible(one)}\n" for one in _lines(done, "would be " if arguments.dry_run else "")))
    return 0


def _lines(done: Done, mood: str) -> list[str]:
    from ansible_collections.secure_ftp.server.plugins.module_utils._manage.changeover import ASIDE

    lines = []
    for user in done.users():
        if user["from"] == user["to"]:
            lines.append(f"{user['name']}: the file of vsftpd {mood}corrected")
            continue
        counted = "1 file" if user["files"] == 1 else f"{user['files']} files"
        lines.append(f"{user['name']}: {counted} of {user['from']} {mood}moved to {user['to']}")
        if user["aside"]:
            what = f"{len(user['aside'])} with a name that was taken: {listed(user['aside'])}"
            lines.append(f"{user['name']}: {what}; see {ASIDE} in the home")
    lines += [f"{name}: account for FTPS {mood}added" for name in done.accounts]
    lines += [f"{path}: local_root {mood}changed" for path in done.configurations]
    return lines or ["every user has one home already; nothing was changed"]
