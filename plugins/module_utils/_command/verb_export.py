# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users export``: write all users as CSV, for import."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("export", run, "write all users as CSV, for import", user=False)
    found.add_argument("--hashes", action="store_true", help="with the stored hashes (that of FTPS if there are two)")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._users.formats import to_csv

    with progress():
        users, warnings = manager.export(arguments.hashes)
    if arguments.json:
        print_json({"users": users, "warnings": warnings})
    else:
        warn(warnings)
        sys.stdout.write(to_csv(users))
        if users and not arguments.hashes:
            sys.stderr.write("passwords are left out; with the stored hashes: ftp-users export --hashes\n")
    return 0
