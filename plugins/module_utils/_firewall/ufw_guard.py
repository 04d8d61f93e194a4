# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A dead man's switch for UFW: unless it is disarmed in time, the host restores its previous firewall.

``arm`` copies UFW's files and starts a transient systemd timer (systemd-run(1)); when that elapses, a shell script
puts the copies back and disables or reloads UFW. This needs neither the controller nor Ansible nor Python.

A reboot ends the timer. So the copies are flushed to disk before anything is changed, and as long as they exist, a
systemd unit puts them back before the firewall starts again (ufw.service). FOLDER contains:

    revert      the script
    new         copies that are not complete yet: they are ignored
    armed       the copies, while the change is to be confirmed
    reverting   the same while they are being put back; also left by a host that went down meanwhile, or a full disk
    settled     the same when they are no longer needed and about to be deleted

The process that renames ``armed`` decides whether the change stays; the new name shows this even after a loss of
power. Only one process works on FOLDER at a time: each, the script too, holds a lock on the directory above it.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run, run_command

FOLDER = "/var/lib/secure_ftp.server/ufw-guard"
UNIT = "secure-ftp-ufw-guard"
FILES = ("/etc/default/ufw", "/etc/ufw/ufw.conf", "/etc/ufw/*.rules")
"""The files from which ufw(8) reads its settings and rules."""

_TIMER = f"/run/{UNIT}"
"""Contains the name of the timer; like the timer, it is lost when the host is booted."""
_BOOT_UNIT = f"/etc/systemd/system/{UNIT}-boot.service"
_BOOT_LINK = f"/etc/systemd/system/multi-user.target.wants/{UNIT}-boot.service"

_SCRIPT = """#!/bin/sh
# Written by secure_ftp.server: puts UFW back as it was before a change that nobody confirmed.
# "boot": only its files, since ufw.service comes next.
exec 9<"{parent}" && flock 9 && cd "{folder}" || exit 0
mv armed reverting 2>/dev/null
if [ -d reverting ]; then
    echo "nobody has confirmed the change of the firewall in time: putting UFW back as it was, {was}"
    [ "$1" = boot ] || {before}
    # File by file: the modes of the directories must not change. Each file is the old or the new one, never a part.
    find reverting -type f | while read -r copy; do
        file=$(readlink -f "{root}/${{copy#reverting/}}") &&
            cp -p "$copy" "$file.guard" && sync "$file.guard" &&
            mv -f "$file.guard" "$file" && sync "${{file%/*}}" || exit 1
    done || {{
        echo "UFW's files could not be put back: the copies stay in {folder}, the next boot tries again"
        exit 1
    }}
    [ "$1" = boot ] || {after}
    mv reverting settled
    sync .
fi
cd /
rm -rf "{folder}"
rm -f "{link}" "{unit}" "{timer}"
"""

_BOOT = """# Written by secure_ftp.server for a change of the firewall that is to be confirmed, and removed with it.
[Unit]
Description=Put UFW back as it was before a change that was not confirmed when this host went down
DefaultDependencies=no
After=local-fs.target
RequiresMountsFor={folder} /etc/ufw
Before=ufw.service network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists={folder}/revert
# While the timer runs, this is the task of the timer.
ConditionPathExists=!{timer}

[Service]
Type=oneshot
ExecStart=/bin/sh {folder}/revert boot
"""


def is_unsettled(root: str = "/") -> bool:
    """Whether a change is still to be confirmed or undone, also that of a run that has died."""
    return any(os.path.isdir(os.path.join(_at(root, FOLDER), name)) for name in ("armed", "reverting"))


def script(active: bool, root: str = "/") -> str:
    """The shell script that restores UFW; ``active`` is whether UFW was active when the copies were made."""
    folder = _at(root, FOLDER)
    return _SCRIPT.format(
        folder=folder,
        parent=os.path.dirname(folder),
        root=root.rstrip("/"),
        unit=_at(root, _BOOT_UNIT),
        link=_at(root, _BOOT_LINK),
        timer=_at(root, _TIMER),
        was="active" if active else "inactive",
        # Disabled first: that removes the rules from the kernel and needs none of the files.
        before=":" if active else "ufw --force disable",
        after="ufw reload" if active else ":",
    )


def arm(active: bool, seconds: int, run: Run = run_command, root: str = "/") -> bool:
    """Copy UFW's files, to put them back after ``seconds``. False: it was armed already, and the time starts again.

    A switch that is still armed belongs to a run that died; its copies are the last confirmed state.
    Raises SecureFtpError when the copies cannot be written or the timer cannot be started; nothing is armed then. Also
    raises it when an earlier change had to be undone first, because the caller has planned with the state before that.
    """
    folder = _at(root, FOLDER)
    with _writing(folder), _locked(root):
        if os.path.isdir(os.path.join(folder, "armed")):
            _start(seconds, run, root)
            return False
        if not os.path.isdir(os.path.join(folder, "reverting")):
            _prepare(active, root)
            try:
                _start(seconds, run, root)
            except BaseException:
                _settle(root)
                raise
            return True
    run(["/bin/sh", os.path.join(folder, "revert")])
    if is_unsettled(root):
        raise SecureFtpError(
            folder,
            found="a change of UFW was not confirmed, and UFW cannot be restored from these copies",
            remedy=f"free some space on the disk, and see the messages of: sh {folder}/revert",
        )
    raise SecureFtpError(
        folder,
        found="an earlier change of UFW was not confirmed; this host has undone it only now",
        remedy="run the playbook again",
        state="nothing else was changed",
    )


def renew(seconds: int, run: Run = run_command, root: str = "/") -> None:
    """Let the time start again. Raises SecureFtpError when the switch is not armed, because it has gone off."""
    folder = _at(root, FOLDER)
    with _writing(folder), _locked(root):
        if not os.path.isdir(os.path.join(folder, "armed")):
            raise _gone_off()
        _start(seconds, run, root)


def disarm(run: Run = run_command, root: str = "/") -> None:
    """Keep the firewall as it is, durably. Raises SecureFtpError when the switch has gone off already."""
    folder = _at(root, FOLDER)
    with _writing(folder), _locked(root):
        if not os.path.isdir(os.path.join(folder, "armed")):
            raise _gone_off()
        # ufw(8) rewrites its files in place and does not flush them. Flush them before the copies are deleted:
        # otherwise a loss of power could lose both.
        for path in _files(root):
            _flush(path)
            _flush(os.path.dirname(path))
        timer = _timer(root)
        _settle(root)
        _stop(timer, run)


def _at(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _files(root: str) -> list[str]:
    return [path for pattern in FILES for path in glob.glob(_at(root, pattern))]


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SecureFtpError(
            error.filename or path,
            found=f"cannot write it: {error.strerror}",
            remedy="the firewall stays as it is, and a change that was to be confirmed will be undone in time; free"
            " some space, or see what is wrong with the disk",
        ) from error


@contextlib.contextmanager
def _locked(root: str) -> Iterator[None]:
    """Let other runs and the script wait; each takes seconds."""
    parent = os.path.dirname(_at(root, FOLDER))
    if not os.path.isdir(parent):
        os.makedirs(parent, 0o700, exist_ok=True)
        _flush(os.path.dirname(parent))
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(active: bool, root: str) -> None:
    """Write the script, the copies and the unit for the next boot to disk; rename the copies to ``armed`` last."""
    folder = _at(root, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    try:
        for path in _files(root):
            copy = os.path.join(folder, "new", os.path.relpath(path, root))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copy2(path, copy)
            _flush(copy)
        _write(os.path.join(folder, "revert"), script(active, root))
        for directory, _directories, _names in os.walk(folder):
            _flush(directory)
        _flush(os.path.dirname(folder))
        _enable_boot_unit(root)
        os.rename(os.path.join(folder, "new"), os.path.join(folder, "armed"))
        _flush(folder)
    except BaseException:
        _settle(root)
        raise


def _enable_boot_unit(root: str) -> None:
    """Let systemd find the unit at the next boot; the running systemd need not know it."""
    unit, link = _at(root, _BOOT_UNIT), _at(root, _BOOT_LINK)
    text = _BOOT.format(folder=_at(root, FOLDER), timer=_at(root, _TIMER))
    os.makedirs(os.path.dirname(link), exist_ok=True)
    _write(unit, text)
    _flush(os.path.dirname(unit))
    if not os.path.islink(link):
        os.symlink(_BOOT_UNIT, link)
    _flush(os.path.dirname(link))


def _settle(root: str) -> None:
    """Make the copies invalid, durably, and delete them with the other files of the switch."""
    folder = _at(root, FOLDER)
    with contextlib.suppress(FileNotFoundError):
        os.rename(os.path.join(folder, "armed"), os.path.join(folder, "settled"))
        _flush(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for path in (_BOOT_LINK, _BOOT_UNIT, _TIMER):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_at(root, path))


def _write(path: str, text: str) -> None:
    """Write a file durably; not atomically, as it is not used before another file exists."""
    with open(path, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _flush(path: str) -> None:
    """Make the content of a file, or the entries of a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gone_off() -> SecureFtpError:
    return SecureFtpError(
        "the change of the firewall",
        found=f"was not confirmed in time, this host has put UFW back as it was before (journalctl -u '{UNIT}*')",
        remedy="if the connection is only slow, raise firewall_confirm_timeout; run the playbook again",
    )


def _timer(root: str) -> str | None:
    """The name of the running timer, without its suffix; None when there is none, as after a reboot."""
    with contextlib.suppress(FileNotFoundError), open(_at(root, _TIMER), encoding="utf-8") as stream:
        return stream.read()
    return None


def _start(seconds: int, run: Run, root: str) -> None:
    """Start a timer, then stop the previous one: there is always a timer."""
    before, unit = _timer(root), f"{UNIT}-{os.getpid()}"
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
            os.path.join(_at(root, FOLDER), "revert"),
        ]
    )
    if done.rc != 0:
        raise SecureFtpError(
            "the timer for putting UFW back",
            found=f"cannot be started: systemd-run fails with: {done.said}",
            state=NOTHING,
        )
    with open(_at(root, _TIMER), "w", encoding="utf-8") as stream:
        stream.write(unit)
    _stop(before, run)


def _stop(timer: str | None, run: Run) -> None:
    if timer is not None:
        run(["systemctl", "stop", f"{timer}.timer"])
