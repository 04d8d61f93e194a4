# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Where the command ``ftp-users`` gets a password from: the terminal, standard input or a generator.

Never from anything another user of the host can read, except when the operator insists.
"""

from __future__ import annotations

import getpass
import secrets
import sys
from typing import Callable, TextIO

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import MAX_BYTES, validate_password
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import DEFAULT_MIN_LENGTH

GENERATED_LENGTH = 20
"""Characters of a generated password; each is one of 56, so it has 116 bits."""

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"  # no two that look alike
_ATTEMPTS = 3
LONGEST = max(MAX_BYTES.values())  # Manager knows the protocols and may accept less


def generate(min_length: int = DEFAULT_MIN_LENGTH) -> str:
    """Make a password that is easy to read out and to type."""
    return "".join(secrets.choice(_ALPHABET) for _turn in range(max(GENERATED_LENGTH, min_length)))


def from_stream(stream: TextIO, name: str, min_length: int = DEFAULT_MIN_LENGTH) -> str:
    """Read the password of ``name``: the one line of ``stream``.

    Raises InvalidInput when there is none, or more.
    """
    text = stream.read(4 * LONGEST)
    if not text:
        raise InvalidInput(f"user {name!r}: password", "one line on standard input", found="none")
    line, _end, rest = text.partition("\n")
    if rest:
        raise InvalidInput(f"user {name!r}: password", "one line on standard input", found="more")
    password = line[:-1] if line.endswith("\r") else line
    validate_password(password, name, ("sftp",), min_length)
    return password


def from_terminal(name: str, ask: Callable[[str], str] = getpass.getpass, min_length: int = DEFAULT_MIN_LENGTH) -> str:
    """Ask for the new password of ``name`` twice, without echo.

    Raises InvalidInput when there is no terminal, or when the two still differ after three attempts.
    """
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"user {name!r}: password",
            "a terminal to ask on",
            found="none",
            remedy="use --password-stdin or --generate",
        )
    for attempt in range(_ATTEMPTS):
        password = ask(f"New password for {name}: ")
        validate_password(password, name, ("sftp",), min_length)
        if ask("Repeat the password: ") == password:
            return password
        if attempt + 1 < _ATTEMPTS:
            sys.stderr.write("The passwords differ; try again.\n")
    raise InvalidInput(f"user {name!r}: password", "the same twice", found="two different ones")
