# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What the operator gave: options of a user, passwords, keys, files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Callable

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS, RIGHTS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import min_length


def user_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a user except the password, as options of Manager; omitted options are left out."""
    options: dict[str, Any] = {}
    if arguments.protocol:
        options["protocols"] = list(PROTOCOLS) if arguments.protocol == "both" else [arguments.protocol]
    if arguments.key is not None:
        options["authorized_keys"] = [public_key(key) for key in arguments.key]
    if getattr(arguments, "locked", None):
        options["locked"] = True
    options.update((name, getattr(arguments, name)) for name in RIGHTS if getattr(arguments, name) is not None)
    return options


def password(arguments: argparse.Namespace, before_asking: Callable[[], object] | None = None) -> dict[str, str]:
    """The password or hash as an option of Manager. Asks only if there is ``before_asking``, and calls that first."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt as source

    name = arguments.name
    if getattr(arguments, "password", None) is not None:
        sys.stderr.write(
            "warning: a password on the command line can be read by every user of this host (ps) and stays in the"
            " shell's history and in the log of sudo; leave it out to be asked, or use --password-stdin\n"
        )
        return {"password": arguments.password}
    if arguments.password_stdin:
        return {"password": source.from_stream(sys.stdin, name, min_length())}
    if arguments.hash_stdin:
        return {"password_hash": sys.stdin.read(4096).rstrip("\r\n")}
    if arguments.generate:
        return {"password": source.generate(min_length())}
    if before_asking is None:
        return {}
    before_asking()
    return {"password": source.from_terminal(name, min_length=min_length())}


def public_key(given: str) -> str:
    """Return a key that is given directly or as the name of a file."""
    is_word = not any(map(str.isspace, given.strip()))
    if is_word and (os.path.exists(given) or given.startswith(("/", "./", "../", "~")) or given.endswith(".pub")):
        return read(given).strip()
    return given


def read(path: str) -> str:
    """Return the text of a file, ``-`` for standard input. Raises InvalidInput."""
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise InvalidInput(path, "text in UTF-8", found="something else") from None
    except OSError as error:
        raise InvalidInput(path, found=f"cannot read it: {error.strerror}") from None
