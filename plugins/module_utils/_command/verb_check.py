# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users check``: check the whole server; show each problem, why it matters and what fixes it."""

from __future__ import annotations

import argparse
import sys

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verbs.add("check", run, "check the whole server; show each problem, why it matters and what fixes it", user=False)


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import examine as doctor

    with progress():
        findings = doctor.examine()
    if arguments.json:
        print_json({"findings": doctor.to_json(findings)})
    else:
        sys.stdout.write(visible_lines(doctor.render(findings)))
    return doctor.exit_status(findings)
