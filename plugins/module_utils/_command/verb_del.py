# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users del``: remove a user; the files stay."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import answer
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("del", run, "remove a user; the files stay")
    found.add_argument("--remove-home", action="store_true", help="delete the user's files too")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    told = manager.delete(arguments.name, arguments.remove_home)
    status = answer(arguments, told, "removed")
    if told["files"] and not arguments.json:
        places, name = visible(", ".join(told["files"])), visible(quoted(arguments.name))
        sys.stdout.write(f"the files stay in {places}; to delete them: ftp-users del {name} --remove-home\n")
    return status
