# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users passwd``: change a user's password; asks for it."""

from __future__ import annotations

import argparse

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import answer
from ansible_collections.secure_ftp.server.plugins.module_utils._command.given import password
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Verbs, password_sources
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, expect_root


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("passwd", run, "change a user's password; asks for it")
    password_sources(found)


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    expect_root()
    options = password(arguments, before_asking=lambda: manager.show(arguments.name))
    return answer(arguments, manager.edit(arguments.name, **options), "password changed", options)
