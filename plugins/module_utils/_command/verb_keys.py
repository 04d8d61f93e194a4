# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users keys``: manage the public keys of an SFTP user."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import answer, print_json
from ansible_collections.secure_ftp.server.plugins.module_utils._command.given import public_key
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("keys", run, "manage the public keys of an SFTP user")
    found.add_argument("action", choices=("list", "add", "del"), nargs="?", default="list", help="default: list")
    found.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="add: the key or a .pub file; del: the key, its comment or its SHA256 fingerprint",
    )


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    if arguments.action == "list":
        keys = manager.keys(arguments.name)
        if arguments.json:
            print_json({"keys": keys})
        else:
            sys.stdout.write("".join(f"{visible(key)}\n" for key in keys))
            if not keys:  # not among the keys, which a program may read
                sys.stderr.write(f"{visible(arguments.name)} has no keys\n")
        return 0
    if not arguments.key:
        raise InvalidInput(f"keys {arguments.name} {arguments.action}", "a key", found="none")
    if arguments.action == "add":
        return answer(arguments, manager.add_key(arguments.name, public_key(arguments.key)), "key added")
    return answer(arguments, manager.delete_key(arguments.name, arguments.key), "key removed")
