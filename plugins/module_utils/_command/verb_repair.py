# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users repair``: keep the readable records of a damaged database; remove names that are not allowed."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json, warn
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, expect_root
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.repair import repair


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add(
        "repair", run, "keep the readable records of a damaged database; remove names that are not allowed", user=False
    )


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    expect_root()
    done = repair()
    if arguments.json:
        print_json(done._asdict())
    else:
        warn(done.warnings)
        sys.stdout.write(visible_lines(f"{done}\n"))
    return 0
