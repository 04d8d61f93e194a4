# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A dead man's switch for UFW: unless it is disarmed in time, the host puts its firewall back as it was.

``arm`` copies UFW's files and starts a transient systemd timer (systemd-run(1)); when that elapses, a shell script
puts the copies back and disables or reloads UFW. Nothing of it needs the controller, Ansible or Python.

A reboot ends the timer, so the copies are on the disk, flushed before anything is changed, and a unit of systemd that
is there as long as they are puts them back before the firewall comes up again (ufw.service). FOLDER holds:

    revert      the script
    new         copies that are not complete yet: they count for nothing
    armed       the copies, while the change is to be confirmed
    reverting   the same while they are being put back; left by a host that went down meanwhile, or a full disk
    settled     the same when they are of no use any more, about to be deleted

Whoever renames ``armed`` decides whether the change stays, and the name tells it after a loss of power. One process at
a time works on it: all of them, the script too, hold a lock on the directory FOLDER is in.
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
"""What ufw(8) reads its settings and rules from."""

_TIMER = f"/run/{UNIT}"
"""Holds the name of the timer, and is as forgetful as that: where it is missing the host was booted since."""
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
    # File by file: the modes of the directories are not to change. Each is the old one or the new one, never half.
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

_BOOT = """# Written by secure_ftp.server for a change of the firewall that is to be confirmed, and gone with it.
[Unit]
Description=Put UFW back as it was before a change that was not confirmed when this host went down
DefaultDependencies=no
After=local-fs.target
RequiresMountsFor={folder} /etc/ufw
Before=ufw.service network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists={folder}/revert
# While the timer runs it is the timer's.
ConditionPathExists=!{timer}

[Service]
Type=oneshot
ExecStart=/bin/sh {folder}/revert boot
"""


def is_unsettled(root: str = "/") -> bool:
    """Whether a change is still to be confirmed or undone, be it one of a run that has died."""
    return any(os.path.isdir(os.path.join(_at(root, FOLDER), name)) for name in ("armed", "reverting"))


def script(active: bool, root: str = "/") -> str:
    """The shell script that puts UFW back; ``active`` is whether it was when the copies were made."""
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
    """Copy UFW's files and put them back in ``seconds``. False: armed already, the time starts again.

    A switch that is still armed belongs to a run that died; its copies are the last state somebody confirmed.
    Raises SecureFtpError when the disk takes no copies or the timer cannot be started, nothing is armed then; and when
    an earlier change had to be undone first, since the caller has planned with what was there before.
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
            found="UFW cannot be put back from these copies, as it was before a change that nobody confirmed",
            remedy=f"free some space on the disk, see what it says when run by hand: sh {folder}/revert",
        )
    raise SecureFtpError(
        folder,
        found="this host had not yet put UFW back as it was before a change that nobody confirmed; it has now",
        remedy="run it again",
        state="nothing else was changed",
    )


def renew(seconds: int, run: Run = run_command, root: str = "/") -> None:
    """Let the time start again. Raises SecureFtpError when the switch is not armed, so when it has gone off."""
    folder = _at(root, FOLDER)
    with _writing(folder), _locked(root):
        if not os.path.isdir(os.path.join(folder, "armed")):
            raise _gone_off()
        _start(seconds, run, root)


def disarm(run: Run = run_command, root: str = "/") -> None:
    """Keep the firewall as it is now, durably. Raises SecureFtpError when it is not armed, so when it has gone off."""
    folder = _at(root, FOLDER)
    with _writing(folder), _locked(root):
        if not os.path.isdir(os.path.join(folder, "armed")):
            raise _gone_off()
        # ufw(8) rewrites its files in place and flushes nothing: they come first, or a loss of power keeps neither.
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
            remedy="the firewall is left as it is, and put back in time if a change was to be confirmed; free some"
            " space, or see what is wrong with the disk",
        ) from error


@contextlib.contextmanager
def _locked(root: str) -> Iterator[None]:
    """Keep other runs and the script waiting; they take seconds."""
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
    """Write script, copies and the unit for the next boot to the disk, the name that makes them count last."""
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
    """Have systemd find the unit at its next start; the systemd that runs now need not know of it."""
    unit, link = _at(root, _BOOT_UNIT), _at(root, _BOOT_LINK)
    text = _BOOT.format(folder=_at(root, FOLDER), timer=_at(root, _TIMER))
    os.makedirs(os.path.dirname(link), exist_ok=True)
    _write(unit, text)
    _flush(os.path.dirname(unit))
    if not os.path.islink(link):
        os.symlink(_BOOT_UNIT, link)
    _flush(os.path.dirname(link))


def _settle(root: str) -> None:
    """Let the copies count no more, durably, and delete them with all that belongs to them."""
    folder = _at(root, FOLDER)
    with contextlib.suppress(FileNotFoundError):
        os.rename(os.path.join(folder, "armed"), os.path.join(folder, "settled"))
        _flush(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for path in (_BOOT_LINK, _BOOT_UNIT, _TIMER):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_at(root, path))


def _write(path: str, text: str) -> None:
    """Write a file that counts for nothing until something else is there, durably."""
    with open(path, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _flush(path: str) -> None:
    """Make a file's content, or a directory's names, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gone_off() -> SecureFtpError:
    return SecureFtpError(
        "the change of the firewall",
        found=f"was not confirmed in time, this host has put UFW back as it was before (journalctl -u '{UNIT}*')",
        remedy="raise firewall_confirm_timeout if the connection is only slow",
    )


def _timer(root: str) -> str | None:
    """The name of the timer that runs, without its suffix; None when there is none, as after a reboot."""
    with contextlib.suppress(FileNotFoundError), open(_at(root, _TIMER), encoding="utf-8") as stream:
        return stream.read()
    return None


def _start(seconds: int, run: Run, root: str) -> None:
    """Start a timer, then stop the one before: the host is at no moment without one."""
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
            "the timer that would put UFW back",
            found=f"cannot be started: systemd-run fails with: {done.said}",
            state=NOTHING,
        )
    with open(_at(root, _TIMER), "w", encoding="utf-8") as stream:
        stream.write(unit)
    _stop(before, run)


def _stop(timer: str | None, run: Run) -> None:
    if timer is not None:
        run(["systemctl", "stop", f"{timer}.timer"])
