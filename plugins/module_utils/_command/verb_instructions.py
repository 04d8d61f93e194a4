# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users instructions``: the text for a new user: where to connect, what to compare, what is allowed."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, state, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("instructions", run, "show the text to send to a user: how to connect, without the password")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.instructions import instructions_here

    user = manager.show(arguments.name)
    found = instructions_here(user)
    if arguments.json:
        print_json({"instructions": found})
        return 0
    if state(user) != "active":
        warn([f"{visible(arguments.name)} cannot log in now: {state(user)}"])
    if not found["ways"]:
        warn([f"{visible(arguments.name)} has no protocol that this server serves: ftp-users check says why"])
    sys.stdout.write("".join(f"{line}\n" for line in found["text"]))
    return 0
