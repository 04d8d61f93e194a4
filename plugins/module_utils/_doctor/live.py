# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The live configuration of this host, each part of it read once, when it is first needed."""

from __future__ import annotations

from functools import cached_property

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.host import ssh_ports
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp, find_sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Served, find_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance, find_instances
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.service import apply_verb


class Live:
    """What ``ftp-users check`` and ``about`` both look at. A part that cannot be read raises each time."""

    def __init__(self, run: Run = run_command) -> None:
        self.run = run

    @cached_property
    def verb(self) -> str:
        """What makes sshd read its configuration."""
        return apply_verb(self.run)

    @cached_property
    def instances(self) -> list[Instance]:
        """Every vsftpd."""
        return find_instances(self.run)

    @cached_property
    def served(self) -> list[Served]:
        """What each of them serves."""
        return find_served(self.instances)

    @cached_property
    def sftp(self) -> Sftp:
        """sshd's configuration and the accounts."""
        return find_sftp(verb=self.verb)

    @cached_property
    def ssh_ports(self) -> set[int]:
        """The ports of sshd."""
        return ssh_ports(self.run)
