# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users list``: list the users."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, summary, table
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("list", run, "list the users", user=False)
    found.add_argument("--protocol", choices=PROTOCOLS, help="only the users of this protocol")
    found.add_argument("--names", action="store_true", help="only the names, one on each line")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    with progress():
        users = manager.users()
    if arguments.protocol:
        users = [user for user in users if arguments.protocol in user["protocols"]]
    if arguments.json:
        print_json({"users": users})
    elif arguments.names:
        sys.stdout.write("".join(f"{visible(user['name'])}\n" for user in users))
    elif not users:
        sys.stdout.write("there are no users; add one: ftp-users add NAME\n")
    else:
        sys.stdout.write(
            table(("NAME", "PROTOCOLS", "STATE", "ACCESS", "LOGS IN BY", "QUOTA", "DIRECTORIES"), map(summary, users))
        )
    return 0
