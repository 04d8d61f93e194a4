# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The addresses at which others can reach this host."""

from __future__ import annotations

import contextlib
import json
import socket

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program, run_command

_ROUTES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Documentation addresses (RFC 5737, RFC 3849): which address would be used to go there? Nothing is sent."""


def addresses(run: Run = run_command) -> list[str]:
    """The global addresses of this host, IPv4 first, those of the default routes before others of their kind.

    Temporary and deprecated IPv6 addresses are left out: they are not for servers. Without ip(8), only those of the
    default routes.
    """
    first = [address for address in (_source(*route) for route in _ROUTES) if address]
    found = _listed(run) if find_program("ip") else first
    return sorted(dict.fromkeys(found), key=lambda one: (":" in one, one not in first))


def _listed(run: Run) -> list[str]:
    """What ip(8) lists. Its JSON has empty objects among the addresses; a flag is a key that is true."""
    answer = run(["ip", "-json", "address", "show", "scope", "global"])
    with contextlib.suppress(ValueError):
        return [
            one["local"]
            for link in json.loads(answer.out or "[]")
            for one in link.get("addr_info", ())
            if one.get("local") and not one.get("temporary") and not one.get("deprecated")
        ]
    return []


def _source(family: int, destination: str) -> str:
    """The address of this host that a packet to ``destination`` would carry; "" without such a route."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((destination, 9))
        return str(probe.getsockname()[0])
    return ""
