# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users about``: show addresses, ports, fingerprints, and what to type on a client."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("about", run, "show addresses, ports, fingerprints, and what to type on a client", user=False)


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.about import about, command_here
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import as_json, lines
    from ansible_collections.secure_ftp.server.plugins.module_utils._remote.access import access_here

    with progress():
        found = about(manager.users, command=command_here(sys.argv[0]) or "ftp-users", remote=access_here)
    if arguments.json:
        print_json(as_json(found))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    return 0
