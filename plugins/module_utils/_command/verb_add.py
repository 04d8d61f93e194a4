# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users add``: add a user; asks for the password."""

from __future__ import annotations

import argparse

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import answer
from ansible_collections.secure_ftp.server.plugins.module_utils._command.given import password, user_fields
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import (
    Verbs,
    password_options,
    user_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, expect_root


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("add", run, "add a user; asks for the password")
    password_options(found, asks=True)
    user_options(found, "add")


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    expect_root()
    options = user_fields(arguments)
    if arguments.no_password:
        options["no_password"] = True
    else:
        options.update(password(arguments, lambda: manager.expect_new(arguments.name, **options)))
    return answer(arguments, manager.add(arguments.name, **options), "added", options)
