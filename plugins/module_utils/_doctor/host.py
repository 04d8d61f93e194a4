# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of the host around the daemons: SSH, firewall, clock, disks, leftovers, libraries."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import Iterable, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    SSH,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import set_options
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import ANYWHERE
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.ufw_rules import (
    OWNER,
    Rule,
    accepts_by_default,
    parse_added,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import load_driver
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, find_program
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CONFIG, UNIT
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.daemon import ask_sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.ports import (
    configured_ports,
    served_ports,
    socket_ports,
)

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{12}\.(?:tmp|new)\Z|\.sshd_config-[a-z0-9_]{8}\Z")
_YOUNG = 60
"""A temporary file that is younger than this (seconds) may belong to a run that is not over."""
_SCARCE = 0.01


# --- SSH -----------------------------------------------------------------------------------------------------------

KINDS: dict[str, Kind] = {
    "passive-range-unset": Kind(
        ERROR,
        "passive ports are not limited to a range while UFW is active",
        "Clients log in, then every listing and transfer hangs: the firewall cannot know which port to allow.",
        "sed -i {edits} {path} && ufw allow 50000:50999/tcp && systemctl restart {unit}",
    ),
    "library-missing": Kind(
        WARNING,
        "the Python binding of Berkeley DB is missing or too new",
        "Users can log in as before, but they cannot be added, changed or removed.",
        "apt-get install --reinstall python3-bsddb3",
    ),
    "firewall-port-closed": Kind(
        ERROR,
        "UFW is active and blocks a port that is needed",
        "Clients cannot connect; if the passive range is blocked, they log in but every listing hangs.",
        "ufw allow {ports}/tcp",
    ),
    "clock-unsynchronised": Kind(
        WARNING,
        "the clock of the host is not synchronised",
        "When it is wrong, certificates look expired or not yet valid, and logs cannot be compared.",
        "apt-get install systemd-timesyncd && timedatectl set-ntp true",
    ),
    "disk-full": Kind(
        ERROR,
        "less than one per cent of the space or of the inodes of a file system is left",
        "Uploads fail, and passwords cannot be changed.",
        "du -xh --max-depth=2 {path} | sort -h | tail -20",
    ),
    "leftover-files": Kind(
        WARNING,
        "killed runs have left temporary files",
        "They hold copies of hashes or settings that backups and removals do not know about.",
        "rm -f -- {paths}",
    ),
}
found = Reporter(KINDS)


def ssh_ports(run: Run) -> set[int]:
    """The ports sshd is configured for; none if it refuses its configuration, which another check reports.

    While ssh.socket is active its ports count: sshd takes them from the socket, not from its configuration.
    """
    if find_program("systemctl"):
        ports = socket_ports(run(["systemctl", "show", "ssh.socket", "--property=ActiveState,Listen"]).out)
        if ports:
            return ports
    answer = ask_sshd(["-T"], run) if find_program("sshd") else None
    return configured_ports(answer.out) if answer is not None and answer.rc == 0 else set()


def ssh_findings(
    ports: Iterable[int], run: Run, paths: Sequence[str] = (CONFIG,), verb: str = "reload"
) -> Iterator[Finding]:
    """Examine whether sshd, or the socket that starts it, listens on ``ports``, now and after a boot.

    ``paths`` are the files of its configuration, the main one first; ``verb`` makes it read them (apply_verb).
    """
    ports = set(ports)
    if not ports:
        return
    shown: dict[str, str] = {}
    for unit in ("ssh.socket", UNIT):
        answer = run(["systemctl", "show", unit, "--property=UnitFileState,ActiveState,Listen"])
        shown[unit] = answer.out
    listening = served_ports() | socket_ports(shown["ssh.socket"])
    if not listening:
        yield found("service-inactive", "ssh: neither sshd nor ssh.socket listens", SSH, restarts=[SSH])
    else:
        for port in sorted(ports - listening):
            what = f"port {port} of {paths[0]}: sshd does not listen"
            yield found("port-closed", what, str(port), port=port, restarts=[SSH])
    if all("UnitFileState=enabled" not in text.splitlines() for text in shown.values()) and any(shown.values()):
        yield found("service-disabled", "ssh: neither ssh.service nor ssh.socket is enabled", SSH, unit=SSH)
    if is_outdated(UNIT, paths):
        what = f"ssh: has not read its configuration, {listed(paths)}, since it was last written"
        yield found("service-outdated", what, SSH, verb=verb, restarts=[SSH])


# --- firewall ------------------------------------------------------------------------------------------------------


def firewall_findings(instances: Sequence[Instance], ports: Iterable[int], run: Run) -> Iterator[Finding]:
    """Examine whether an active UFW allows the control ports, the passive range and SSH ``ports``."""
    program = ufw.find()
    if program is None or not ufw.is_active(program, run) or accepts_by_default(ufw.settings()):
        return
    rules = parse_added(ufw.ask(program, "show", "added", run=run))
    wanted = [(port, port, "SSH") for port in sorted(ports)]
    for instance in instances:
        if instance.options is None or not instance.listens:
            continue
        mode = "implicit" if instance.is_yes("implicit_ssl") else "explicit"
        wanted.append((instance.port, instance.port, f"FTPS {mode} TLS"))
        if instance.is_yes("pasv_enable"):
            low, high = (int(instance.get(f"pasv_{end}_port", "0")) for end in ("min", "max"))
            if low and high:
                wanted.append((low, high, "FTPS passive data"))
            else:
                what = f"{instance.path}: pasv_min_port and pasv_max_port are not both set"
                limits = {"pasv_min_port": "50000", "pasv_max_port": "50999"}
                fix = f"ufw allow 50000:50999/tcp && {set_options(instance, limits)}"
                yield found("passive-range-unset", what, instance.path, fix, restarts=[instance.unit])
    for low, high, name in dict.fromkeys(wanted):
        yield from _port_findings(low, high, name, rules)


def _port_findings(low: int, high: int, name: str, rules: Sequence[Rule | None]) -> Iterator[Finding]:
    if any(rule is None for rule in rules) and not _deciding(low, rules):
        return  # an application profile or a rule for an interface may allow it
    edges = {low} | {edge for rule in rules if rule for edge in _edges(rule) if low <= edge <= high}
    shut = [(port, _deciding(port, rules)) for port in sorted(edges)]
    shut = [(port, rule) for port, rule in shut if rule is None or rule.action not in ("allow", "limit")]
    if not shut:
        return
    ports = str(low) if low == high else f"{low}:{high}"
    port, rule = shut[0]
    what = f"{ports}/tcp ({name}): "
    what += f"'{rule}' blocks port {port}" if rule else f"no rule allows port {port}"
    deny = {str(rule)[4:] for _port, rule in shut if rule}
    commands = [f"ufw --force delete {words}" for words in sorted(deny)]
    commands.append(f"ufw allow {ports}/tcp comment {quoted(f'{OWNER} {name}')}")
    yield found("firewall-port-closed", what, ports, " && ".join(commands))


def _edges(rule: Rule) -> Iterator[int]:
    """The ports where the verdict may change: the first of each part of ``rule``, and the one after its last."""
    for part in rule.ports.split(","):
        low, _sep, high = part.partition(":")
        if low.isdigit() and (not high or high.isdigit()):
            yield int(low)
            yield int(high or low) + 1


def _deciding(port: int, rules: Sequence[Rule | None]) -> Rule | None:
    """The first rule about TCP to ``port``. A rule that allows some sources counts, one that denies some does not."""
    for rule in rules:
        if rule is None:
            continue
        anyone = rule if rule.source == ANYWHERE else Rule(rule.action, rule.ports, rule.proto)
        if anyone.covers(port) and (rule.source == ANYWHERE or rule.action in ("allow", "limit")):
            return rule
    return None


# --- clock ---------------------------------------------------------------------------------------------------------


def clock_findings(run: Run) -> Iterator[Finding]:
    """Examine whether any program synchronises the kernel's clock, except in a container: its clock is the host's.

    Source: org.freedesktop.timedate1(5): NTPSynchronized is what adjtimex(2) says.
    """
    if not find_program("timedatectl") or run(["systemd-detect-virt", "--container"]).rc == 0:
        return
    answer = run(["timedatectl", "show"])
    if answer.rc:
        raise SecureFtpError("timedatectl show", found=(answer.err or answer.out).strip())
    shown = dict(line.partition("=")[::2] for line in answer.out.splitlines())
    if shown.get("NTPSynchronized") == "yes":
        return
    if shown.get("NTP") == "yes":
        yield found(
            "clock-unsynchronised",
            "the time service runs but has not reached a server yet",
            "clock",
            "timedatectl timesync-status; systemctl restart systemd-timesyncd",
            restarts=["systemd-timesyncd"],
        )
    elif shown.get("CanNTP") == "yes":
        yield found("clock-unsynchronised", "the time service is switched off", "clock", "timedatectl set-ntp true")
    else:
        yield found("clock-unsynchronised", "no time service is installed", "clock")


# --- disks and files -----------------------------------------------------------------------------------------------


def disk_findings(paths: Iterable[str]) -> Iterator[Finding]:
    """Examine the file systems of ``paths``, each once."""
    seen: set[int] = set()
    for path in paths:
        try:
            device, status = os.stat(path).st_dev, os.statvfs(path)
        except FileNotFoundError:
            continue
        if device in seen:
            continue
        seen.add(device)
        if status.f_blocks and status.f_bavail < status.f_blocks * _SCARCE:
            left = f"{status.f_bavail * status.f_frsize >> 20} MiB of {status.f_blocks * status.f_frsize >> 20}"
            yield found("disk-full", f"{path}: {left} MiB left", path, path=path)
        if status.f_files and status.f_favail < status.f_files * _SCARCE:
            yield found(
                "disk-full",
                f"{path}: {status.f_favail} of {status.f_files} inodes left",
                path,
                f"du -x --inodes --max-depth=2 {quoted(path)} | sort -n | tail -20",
            )


def leftover_findings(directories: Iterable[str]) -> Iterator[Finding]:
    """Examine ``directories`` for temporary files of this library that no run can be using any more."""
    now, paths = time.time(), []
    for directory in dict.fromkeys(directories):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
            for entry in entries:
                if not _LEFTOVER.match(entry.name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    if now - entry.stat(follow_symlinks=False).st_mtime > _YOUNG:
                        paths.append(entry.path)
    if paths:
        yield found("leftover-files", listed(sorted(paths)), min(paths), paths=sorted(paths))


def library_findings() -> Iterator[Finding]:
    """Examine whether this host has the binding to write the database."""
    try:
        load_driver()
    except SecureFtpError as error:
        yield found("library-missing", str(error), "python3-bsddb3")
