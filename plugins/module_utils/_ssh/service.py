# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""sshd as a service: it runs by itself, or ssh.socket starts it, as in Ubuntu 22.10 and newer."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import states

SOCKET = "ssh.socket"


def apply_verb(run: Run) -> str:
    """``reload``, or ``restart`` if ssh.socket is active.

    A reloaded sshd executes itself again without the socket it was given, and its port is in use ("Cannot bind any
    address"). Sessions survive a restart: KillMode=process in ssh.service of Debian and Ubuntu.
    """
    return "restart" if states([SOCKET], run)[SOCKET].active else "reload"
