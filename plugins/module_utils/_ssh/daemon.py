# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The program sshd, asked about its configuration."""

from __future__ import annotations

import contextlib
import os
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import (
    Output,
    Run,
    find_program,
    run_command,
)

RUN_DIRECTORY = "/run/sshd"
"""RuntimeDirectory of ssh.service: it is removed with the last sshd, so it may be missing if only ssh.socket runs."""


def ask_sshd(arguments: Sequence[str], run: Run = run_command, directory: str = RUN_DIRECTORY) -> Output:
    """Run sshd with ``arguments``, ``-t`` or ``-T`` among them; raises what ``run`` raises.

    sshd of Debian and Ubuntu does not answer without its ``directory``, so that is created first.
    """
    with contextlib.suppress(OSError):  # sshd itself reports what is missing
        os.makedirs(directory, mode=0o755, exist_ok=True)
    return run([find_program("sshd") or "sshd", *arguments])  # sshd requires its absolute path
