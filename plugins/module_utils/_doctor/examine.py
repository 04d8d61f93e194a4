# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""``ftp-users check``: find what is wrong with this server, why it matters, and the command that fixes it.

It reads the live configuration and changes nothing. If a check cannot read something, that is a finding too.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotPermitted, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.accounts import account_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.folders import folder_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.ftps_users import lock_findings, user_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.host import (
    clock_findings,
    disk_findings,
    firewall_findings,
    leftover_findings,
    library_findings,
    ssh_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.live import Live
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.quotas import quota_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.rights import (
    class_findings,
    limit_findings,
    rights_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Served
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.sftp import sftp_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import vsftpd_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import PAM_DIRECTORY
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS

EXIT_STATUS = {WARNING: 10, ERROR: 11}
"""Exit status of ``ftp-users check`` by the worst severity found; 0 if there are no findings."""

KINDS: dict[str, Kind] = {
    "server-missing": Kind(
        ERROR,
        "the host has neither a configuration of vsftpd nor an SFTP jail",
        "Nobody can transfer files to this host.",
        "ansible-playbook -i INVENTORY secure_ftp.server.site",
    ),
    "not-examined": Kind(
        WARNING,
        "a check could not read something",
        "The part that was not checked may be broken.",
        "{command}",
    ),
}
found = Reporter(KINDS)


def examine(live: Live | None = None) -> list[Finding]:
    """Examine this host; return what is wrong, errors first. Raises NotPermitted unless run by root."""
    live = Live() if live is None else live
    if os.geteuid() != 0:
        expected = "to run as root, since only root can read the configuration"
        raise NotPermitted("check", expected, found="another user", remedy="run: sudo ftp-users check")
    run, findings = live.run, []
    instances: list[Instance] = []
    sftp: Sftp | None = None
    try:
        instances = live.instances
        sftp = live.sftp
    except (SecureFtpError, OSError) as error:
        findings.append(found("not-examined", str(error), command="ls -l /etc/vsftpd* /etc/ssh/sshd_config"))
    ports: set[int] = set()
    if sftp is not None and sftp.groups:
        ports = live.ssh_ports
        findings += examined(lambda: sftp_findings(sftp), "sshd -T")
        findings += examined(lambda: class_findings(sftp), "getent group")
        findings += examined(lambda: ssh_findings(ports, run, sftp.paths, live.verb), "systemctl status ssh")
    elif sftp is not None and not instances:
        return [found("server-missing", f"neither {' nor '.join(CONFIGS)} nor a jail in {sftp.config}")]
    if instances:
        findings += examined(lambda: vsftpd_findings(instances, time.time()), "systemctl status vsftpd")
        findings += examined(lambda: user_findings(instances, live.served), f"ls -l {PAM_DIRECTORY}")
        if sftp is not None and sftp.groups:
            findings += examined(lambda: lock_findings(live.served, sftp), "ftp-users list")
            findings += examined(lambda: rights_findings(live.served, sftp), "ftp-users list")
            findings += examined(lambda: limit_findings(live.served, sftp), f"ls -l {PAM_DIRECTORY}")
            findings += examined(lambda: account_findings(live.served, sftp), "ftp-users list")
        findings += examined(library_findings, "python3 -c 'import bsddb3.db'")
    findings += examined(lambda: folder_findings(run), "systemctl status 'ftp-shared-*'")
    findings += examined(lambda: quota_findings(sftp, run), "repquota -u -a")
    findings += examined(lambda: firewall_findings(instances, ports, run), "ufw status verbose")
    findings += examined(lambda: clock_findings(run), "timedatectl")
    trees, written = places(instances, live.served if instances else [], sftp)
    findings += examined(lambda: disk_findings(["/etc", *trees]), "df -h; df -i")
    findings += examined(lambda: leftover_findings(written), "ls -la /etc/vsftpd")
    return in_order(findings)


def examined(examination: Callable[[], Iterable[Finding]], look: str) -> list[Finding]:
    """The findings of ``examination``, and one more if it had to give up; ``look`` is a command that shows why."""
    findings: list[Finding] = []
    try:
        findings.extend(examination())
    except (SecureFtpError, OSError) as error:
        findings.append(found("not-examined", f"{error}", fix=look))
    return findings


def places(instances: Sequence[Instance], served: Sequence[Served], sftp: Sftp | None) -> tuple[list[str], list[str]]:
    """Where users' files are, and the directories this library writes files to."""
    trees: list[str] = []
    written = ["/etc", PAM_DIRECTORY, "/etc/ssh"]
    written += [os.path.dirname(instance.path) for instance in instances]
    for server, _users in served:
        written.append(os.path.dirname(server.database))
        if server.homes:
            trees.append(server.homes.above)
    for path in sftp.directories() if sftp else ():
        trees.append(path)
        written.append(path)
    return trees, written


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; without the advice to restart a service if another fix restarts it."""
    findings = list(dict.fromkeys(findings))
    restarted = {unit for finding in findings if finding.subject != "service-outdated" for unit in finding.restarts}
    kept = [one for one in findings if one.subject != "service-outdated" or one.where not in restarted]
    return sorted(kept, key=lambda finding: finding.severity != ERROR)


def exit_status(findings: Iterable[Finding]) -> int:
    """The exit status for the worst severity, see EXIT_STATUS."""
    return max((EXIT_STATUS[finding.severity] for finding in findings), default=0)


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as json.dumps takes them."""
    return [{name: value for name, value in one._asdict().items() if name != "restarts"} for one in findings]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def render(findings: Sequence[Finding]) -> str:
    """The findings for a reader: what, why and the command, in that order."""
    if not findings:
        return "No problem found.\n"
    blocks = [
        f"{one.severity.upper()} {one.subject}\n  {one.what}\n  Why:  {one.why}\n  Fix:  {one.fix}\n"
        for one in findings
    ]
    errors = sum(finding.severity == ERROR for finding in findings)
    blocks.append(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}.\n")
    return "\n".join(blocks)
