# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The host keys of sshd, as clients ask their users to compare them."""

from __future__ import annotations

import contextlib
import glob
import re
from dataclasses import dataclass
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.daemon import ask_sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import bits, fingerprint, validate_key

USUAL = "/etc/ssh/ssh_host_*_key"


@dataclass(frozen=True)
class HostKey:
    """A public host key: its file, its type as ssh-keygen(1) -l names it, its length, and SHA256:... of it."""

    path: str
    kind: str
    bits: int
    fingerprint: str


def host_keys(run: Run = run_command, usual: str = USUAL) -> list[HostKey]:
    """The keys that sshd uses according to ``sshd -T``, else the ``usual`` ones; those that can be read."""
    answer = ask_sshd(["-T"], run) if find_program("sshd") else None
    configured = re.findall(r"^hostkey (.+)$", answer.out, re.MULTILINE) if answer and answer.rc == 0 else []
    return read_keys(configured or sorted(glob.glob(usual)))


def read_keys(paths: Sequence[str]) -> list[HostKey]:
    """The public halves, ``PATH.pub``, of the private keys at ``paths``, which are not opened."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError, UnicodeDecodeError, SecureFtpError):
            with open(f"{path}.pub", encoding="utf-8") as file:
                line = validate_key(file.read(), f"{path}.pub")
            kind = re.sub(r"^ssh-|-sha2-.*", "", line.split()[0]).upper()
            found.append(HostKey(f"{path}.pub", kind, bits(line), fingerprint(line)))
    return found
