# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users remote``: answer one request of the remote control on standard input."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("remote", run, "answer one request of the remote control on standard input", user=False)
    found.add_argument("--client", required=True, metavar="LABEL", help="the client that the key belongs to")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._remote import protocol as remote
    from ansible_collections.secure_ftp.server.plugins.module_utils._remote.slots import FILES

    return remote.serve(arguments.client, sys.stdin.buffer, sys.stdout.buffer, slots=FILES)
