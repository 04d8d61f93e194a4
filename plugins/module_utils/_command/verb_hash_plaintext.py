# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users hash-plaintext``: hash the plaintext passwords of a database made by hand."""

from __future__ import annotations

import argparse

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_result
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("hash-plaintext", run, "hash the plaintext passwords of a database made by hand", user=False)


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    with progress():
        result = manager.hash_plaintext()
    print_result(arguments, result, {}, "")
    return 0
