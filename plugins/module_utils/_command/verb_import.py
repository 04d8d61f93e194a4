# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users import``: add or change all users in a file."""

from __future__ import annotations

import argparse
import sys
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_result
from ansible_collections.secure_ftp.server.plugins.module_utils._command.given import read
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, Result
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.stored import is_stored
from ansible_collections.secure_ftp.server.plugins.module_utils._users.formats import ALLOW, entries
from ansible_collections.secure_ftp.server.plugins.module_utils._users.hash_strength import TOLERABLE
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import scheme
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, users_from_list


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("import", run, "add or change all users in a file", user=False)
    found.add_argument("file", metavar="FILE", help="CSV with a header, or lines NAME:HASH; - for standard input")
    found.add_argument("--format", choices=("csv", "colon", "pairs"), help="default: detected from the content")
    found.add_argument(ALLOW, action="store_true", help="accept also weak hashes: MD5 ($1$) and NT ($3$)")
    found.add_argument("--dry-run", action="store_true", help="only show what would change")
    found.add_argument("--yes", action="store_true", help="make the changes without asking")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    source = "standard input" if arguments.file == "-" else arguments.file
    weak: list[str] = []

    def is_taken(name: str, stored: str, protocols: Sequence[str]) -> bool:
        if is_stored(name, stored, protocols):
            return True
        if not arguments.allow_weak_hashes or scheme(stored) not in TOLERABLE:
            return False
        weak.append(name)
        return True

    text = read(arguments.file)
    with progress():
        found, skipped = entries(text, arguments.format, source, is_taken)
        users = users_from_list(map(manager.with_protocols, found), min_length(), is_taken)
    weak = sorted(set(weak))
    if arguments.yes and not arguments.dry_run:  # one change, so that the log shows a refusal too
        print_result(arguments, _apply(manager, users, weak), skipped, "")
        return 0
    with progress():
        plan = manager.apply_list(users, dry_run=True)
    if arguments.dry_run or not plan.changes_anything:
        print_result(arguments, plan, skipped, "would be " if arguments.dry_run else "")
        return 0
    if arguments.json or arguments.file == "-" or not sys.stdin.isatty():
        raise InvalidInput("import", "--dry-run or --yes when it cannot ask", found="neither")
    print_result(arguments, plan, skipped, "would be ")
    if input("Do it? [y/N] ").strip().lower() not in ("y", "yes"):
        sys.stdout.write("nothing was changed\n")
        return 0
    print_result(arguments, _apply(manager, users, weak), {}, "")
    return 0


def _apply(manager: Manager, users: Sequence[User], weak: Sequence[str]) -> Result:
    with progress():
        return manager.apply_list(users, weak=weak)
