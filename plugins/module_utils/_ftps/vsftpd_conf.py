# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The text of vsftpd.conf: read it as vsftpd does, and write it so that vsftpd reads the same values.

Source of facts: vsftpd.conf(5), parseconf.c of vsftpd 3.0.3 and 3.0.5, and trials against both.
"""

from __future__ import annotations

import re
from typing import Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import kind_said

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse(text: str) -> dict[str, str]:
    """Return the settings of a vsftpd.conf, in the file's order; if one is repeated, the last counts.

    Comments, blank lines and lines without ``=`` are skipped; values are taken literally, as vsftpd does.
    """
    options: dict[str, str] = {}
    for line in text.split("\n"):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if equals:
            options[name] = value
    return options


def with_option(text: str, name: str, value: str) -> str:
    """``text``, a vsftpd.conf, with ``name`` set to ``value``; every other line stays as it is."""
    lines = text.splitlines(keepends=True)
    of_it = [number for number, line in enumerate(lines) if line.lstrip().startswith(f"{name}=")]
    for number in of_it:
        lines[number] = f"{name}={value}\n"
    if of_it:
        return "".join(lines)
    return text + ("" if text.endswith("\n") or not text else "\n") + f"{name}={value}\n"


def render(options: Mapping[str, object]) -> str:
    """Return the vsftpd.conf for ``options``, in their order, a bool as YES or NO.

    Options set to None are left out: vsftpd's built-in value stays.
    Raises SecureFtpError for a name or a value that a line of the file cannot contain.
    """
    return "".join(
        f"{_valid_name(name)}={_value_text(name, value)}\n" for name, value in options.items() if value is not None
    )


def _valid_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise SecureFtpError(
            "vsftpd option", "a name of lower-case letters, digits and '_', as in vsftpd.conf(5)", found=repr(name)
        )
    return name


def _value_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if not isinstance(value, (int, str)):
        raise SecureFtpError(f"vsftpd option {name}", "a string, a whole number or a boolean", found=kind_said(value))
    text = str(value)
    if _CONTROL.search(text):
        raise SecureFtpError(f"vsftpd option {name}", "one line of text", found=f"a control character in {text!r}")
    if text != text.strip():
        raise SecureFtpError(
            f"vsftpd option {name}",
            "no blanks around the value",
            found=repr(text),
            remedy="vsftpd reads them as part of the value: remove them",
        )
    return text
