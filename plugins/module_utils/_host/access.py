# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The file of pam_access(8) that says from where accounts may log in: one line for each account that is limited.

Facts (pam_access.c of Linux-PAM, and tried): the first line that matches decides, and without one the log-in is
allowed; names are compared without regard to case; a word that is no address denies; if the file is missing,
everybody who is asked is denied. A daemon that listens on IPv6 may name an IPv4 address ``::ffff:192.0.2.1``, which
matches no IPv4 network, so each of those is there twice.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import ACCESS_FILE
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, replace_file

RULE = f"account  required  pam_access.so  accessfile={ACCESS_FILE} nodefgroup"
"""The rule of a PAM service that asks it; ``nodefgroup``: names are those of accounts, never of groups."""

HEADER = """\
# Managed by Ansible (secure_ftp.server.ftp_users): change the users, not these lines.
# From where they may log in, see pam_access(8). Do not remove this file: without it they are all denied.
"""

_MODE = 0o600
_LINE = re.compile(r"-:([^:\s]+):ALL EXCEPT (\S.*)")
_USABLE = re.compile(r"(?!(?:all|except)\Z)[A-Za-z0-9_][A-Za-z0-9._-]*\Z", re.I)
_MAPPED = "::ffff:"


class Access(NamedTuple):
    """The file: the sources of each limited account, and the lines that are not ours, which stay before ours."""

    sources: Mapping[str, tuple[str, ...]] = {}
    others: str = ""


def is_usable(name: str) -> bool:
    """Whether pam_access takes ``name`` for the account of that name and nothing else."""
    return bool(_USABLE.match(name))


def parse(text: str) -> Access:
    """Read the file with the content ``text``."""
    sources: dict[str, tuple[str, ...]] = {}
    others = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found:
            words = found.group(2).split()
            sources.setdefault(found.group(1), tuple(word for word in words if not word.startswith(_MAPPED)))
        elif line and f"{line}\n" not in HEADER:
            others.append(f"{line}\n")
    return Access(sources, "".join(others))


def render(access: Access) -> str:
    """The content of the file."""
    lines = [f"-:{name}:ALL EXCEPT {' '.join(_both(sources))}\n" for name, sources in sorted(access.sources.items())]
    return "".join((HEADER, access.others, *lines))


@functools.lru_cache(maxsize=1024)
def _both(sources: tuple[str, ...]) -> Sequence[str]:
    words = list(sources)
    for source in sources:
        network = ipaddress.ip_network(source)
        if network.version == 4:
            prefix = "" if network.prefixlen == 32 else f"/{network.prefixlen + 96}"
            words.append(f"{_MAPPED}{network.network_address}{prefix}")
    return words


def read(path: str = ACCESS_FILE) -> Access:
    """Read the file; without one nobody is limited. Raises SecureFtpError."""
    try:
        with open(path, "rb") as file:
            return parse(file.read().decode("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return Access()
    except OSError as error:
        raise file_error(path, "read", error) from error


def write(access: Access, path: str = ACCESS_FILE) -> None:
    """Replace the file, for root alone."""
    replace_file(path, render(access).encode("utf-8", "surrogateescape"), _MODE, 0, 0)


def ensure(path: str = ACCESS_FILE) -> None:
    """Make the file if it is missing."""
    if not os.path.lexists(path):
        write(Access(), path)
