# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A host name as ``pasv_address``.

vsftpd can look one up (``pasv_addr_resolve``, vsftpd.conf(5)), but does it once, when it starts: a reload reads the
name again and not its address (main.c and standalone.c of vsftpd 3.0.5, and a trial). So the file has the address,
and in a comment the name, by which it is looked up again.
"""

from __future__ import annotations

import functools
import re
import socket
from typing import Callable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?=.*[A-Za-z]){_LABEL}\.?\Z")
_COMMENT = re.compile(r"^# pasv_address is the address of (\S+):", re.MULTILINE)

LookUp = Callable[[str], Sequence[str]]


def is_name(text: str) -> bool:
    """Whether ``text`` is a host name and no address (RFC 1123, 2.1: the last label of a name has a letter)."""
    return bool(_NAME.match(text))


@functools.lru_cache(maxsize=None)
def addresses_of(name: str) -> list[str]:
    """The IPv4 addresses of ``name`` as this host sees them, sorted; empty if there are none. Looked up once."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(address[0]) for *_kind, address in found})


def problem(setting: str, name: str) -> Problem:
    """``setting`` is a name without an address."""
    said = f"{name}, which has none on this host"
    return Problem(setting, "a name with an IPv4 address", said, "correct the name, or give the address")


def with_address(
    options: Mapping[str, object], present: str, look_up: LookUp = addresses_of
) -> tuple[dict[str, object], str]:
    """``options`` with an address as ``pasv_address``, and the comment for the file, empty if it was no name.

    Of several addresses ``present``, the one that the file has, is kept: their order may change from time to time.
    Raises SecureFtpError if the name has no address.
    """
    name = options.get("pasv_address")
    if not isinstance(name, str) or not is_name(name):
        return dict(options), ""
    found = look_up(name)
    if not found:
        raise SecureFtpError.of(problem("pasv_address", name))
    address = present if present in found else found[0]
    comment = f"# pasv_address is the address of {name}: ftp-users check says when that is another one.\n"
    return {**options, "pasv_address": address}, comment


def name_in(text: str) -> str:
    """The name that the ``pasv_address`` of this vsftpd.conf belongs to; empty if there is none."""
    found = _COMMENT.search(text)
    return found.group(1) if found else ""
