# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users edit``: change a user; omitted options stay as they are."""

from __future__ import annotations

import argparse

from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import answer
from ansible_collections.secure_ftp.server.plugins.module_utils._command.given import password, user_fields
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import (
    Verbs,
    password_options,
    user_options,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import (
    Manager,
    expect_root,
    nothing_to_change,
)


def register(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    found = verbs.add("edit", run, "change a user; omitted options stay as they are")
    password_options(found, asks=False)
    user_options(found, "edit")


def _options(arguments: argparse.Namespace) -> list[str]:
    """The options that change a user."""
    words = [name.replace("_", "-") for name in vars(arguments)]
    return [f"--{word}" for word in words if word not in ("verb", "run", "json", "name", "password")]


def run(arguments: argparse.Namespace, manager: Manager) -> int:
    """Do it; return the exit status."""
    expect_root()
    options = {**user_fields(arguments), **password(arguments)}
    if not options:
        manager.show(arguments.name)  # raises if there is no such user
        remedy = f"give {', '.join(_options(arguments))}; to be asked for a password: ftp-users passwd {arguments.name}"
        raise nothing_to_change(arguments.name, remedy)
    return answer(arguments, manager.edit(arguments.name, **options), "changed", options)
