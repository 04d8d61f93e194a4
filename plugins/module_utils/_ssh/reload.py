# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Make a running sshd read its configuration again."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated, tell
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import UNIT
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.service import apply_verb


def let_sshd_read(config: str, run: Run = run_command) -> None:
    """Make a running sshd use the file ``config`` if it has not read it since its last change.

    Raises SecureFtpError if systemd cannot do that.
    """
    if not is_outdated(UNIT, [config]):
        return
    tell(UNIT, apply_verb(run), "sshd accepted the new configuration but still uses the old one", run=run)
