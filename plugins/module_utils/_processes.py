# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Running the host's programs, to read what they print."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Callable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._errors import SecureFtpError

SECONDS = 60


@dataclass(frozen=True)
class Output:
    """Exit status and text of a program that has ended."""

    rc: int
    out: str
    err: str = ""


Run = Callable[[Sequence[str]], Output]


def run_command(command: Sequence[str], seconds: float = SECONDS) -> Output:
    """Run ``command`` in the C locale with an empty standard input; bytes that are not UTF-8 become U+FFFD.

    Raises SecureFtpError when it has not ended after ``seconds``, and OSError when it cannot be started.
    """
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C", "LANG": "C"},
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SecureFtpError(
            f"{' '.join(command)}: expected it to end within {seconds:g} s, found it still running; run it by hand"
        ) from None
    return Output(done.returncode, done.stdout, done.stderr)
