# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A dead man's switch for UFW: unless it is disarmed in time, the host puts its firewall back as it was.

``arm`` copies UFW's files and starts a transient systemd timer (systemd-run(1)); when that elapses, a shell script
puts the copies back and disables or reloads UFW. Nothing of it needs the controller, Ansible or Python.

The directory FOLDER is there while the switch is armed. Both ``disarm`` and the script begin by renaming it, so that
exactly one of them wins. It lies in memory: a reboot forgets timer and copies alike.
"""

from __future__ import annotations

import glob
import os
import shutil

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output, Run, run_command

FOLDER = "/run/secure_ftp-ufw-guard"
UNIT = "secure-ftp-ufw-guard"
FILES = ("/etc/default/ufw", "/etc/ufw/ufw.conf", "/etc/ufw/*.rules")
"""What ufw(8) reads its settings and rules from."""

_SCRIPT = """#!/bin/sh
# Written by secure_ftp.server: puts UFW back as it was before a change that nobody confirmed.
mv {folder} {folder}.reverting 2>/dev/null || exit 0
echo "nobody has confirmed the change of the firewall in time: putting UFW back as it was, {was}"
{before}
cd {folder}.reverting/files
# File by file: the modes of the directories are not to change.
find . -type f | while read -r file; do cp -p "$file" "{root}/$file"; done
{after}
cd /
rm -rf {folder}.reverting
"""


def is_armed(folder: str = FOLDER) -> bool:
    """Whether a change is still to be confirmed, be it one of a run that has died."""
    return os.path.isdir(folder)


def script(active: bool, folder: str = FOLDER, root: str = "/") -> str:
    """The shell script that puts UFW back; ``active`` is whether it was when the copies were made."""
    if active:
        return _SCRIPT.format(folder=folder, root=root, was="active", before=":", after="ufw reload")
    # Disabled first: that removes the rules from the kernel and needs none of the files.
    return _SCRIPT.format(folder=folder, root=root, was="inactive", before="ufw --force disable", after=":")


def arm(active: bool, seconds: int, run: Run = run_command, folder: str = FOLDER, root: str = "/") -> bool:
    """Copy UFW's files and put them back in ``seconds``. False: armed already, the time starts again.

    A switch that is still armed belongs to a run that died; its copies are the last state somebody confirmed.
    Raises SecureFtpError when the timer cannot be started; nothing is armed then.
    """
    if is_armed(folder):
        renew(seconds, run, folder)
        return False
    os.mkdir(folder, 0o700)
    try:
        for pattern in FILES:
            for path in glob.glob(os.path.join(root, pattern.lstrip("/"))):
                copy = os.path.join(folder, "files", os.path.relpath(path, root))
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copy2(path, copy)
        with open(os.path.join(folder, "revert"), "w", encoding="utf-8") as stream:
            stream.write(script(active, folder, root))
        _start(seconds, run, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return True


def renew(seconds: int, run: Run = run_command, folder: str = FOLDER) -> None:
    """Let the time start again. Raises SecureFtpError when the switch is not armed, so when it has gone off."""
    if not is_armed(folder):
        raise _gone_off()
    try:
        old = _unit(folder)
        # The new timer first: the host is at no moment without one.
        _start(seconds, run, folder)
    except FileNotFoundError:  # it is going off this very moment
        raise _gone_off() from None
    _stop(old, run)


def disarm(run: Run = run_command, folder: str = FOLDER) -> None:
    """Keep the firewall as it is now. Raises SecureFtpError when the switch is not armed, so when it has gone off."""
    done = f"{folder}.confirmed"
    try:
        os.rename(folder, done)
    except FileNotFoundError:
        raise _gone_off() from None
    _stop(_unit(done), run)
    shutil.rmtree(done)


def _gone_off() -> SecureFtpError:
    return SecureFtpError(
        "the change of the firewall was not confirmed in time, this host has put UFW back as it was before"
        f" (journalctl -u '{UNIT}*'); raise firewall_confirm_timeout if the connection is only slow"
    )


def _unit(folder: str) -> str:
    """The name of the timer that runs, without its suffix."""
    with open(os.path.join(folder, "unit"), encoding="utf-8") as stream:
        return stream.read()


def _start(seconds: int, run: Run, folder: str) -> None:
    unit = f"{UNIT}-{os.getpid()}"
    done = run(
        [
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={unit}",
            "--description=Put UFW back unless secure_ftp.server confirms its change",
            f"--on-active={seconds}s",
            "--timer-property=AccuracySec=100ms",
            "/bin/sh",
            os.path.join(folder, "revert"),
        ]
    )
    if done.rc != 0:
        raise SecureFtpError(
            "the timer that would put UFW back cannot be started, so nothing was changed: systemd-run fails with: "
            + _reason(done)
        )
    with open(os.path.join(folder, "unit"), "w", encoding="utf-8") as stream:
        stream.write(unit)


def _stop(unit: str, run: Run) -> None:
    run(["systemctl", "stop", f"{unit}.timer"])


def _reason(done: Output) -> str:
    return (done.err or done.out).strip() or f"exit status {done.rc}"
