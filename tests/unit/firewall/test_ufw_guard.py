# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead man's switch: what it copies, and that exactly one of confirmation and undoing wins.

The script is run by a real shell on a tree of its own; that timer and boot unit run it is tested on containers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import ufw_guard
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output


@pytest.fixture()
def host(tmp_path):
    """A tree with UFW's files and a ufw that notes what it is asked for."""
    for path in ("etc/default/ufw", "etc/ufw/ufw.conf", "etc/ufw/user.rules", "etc/ufw/before.rules"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"old {path}\n")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    tool = tmp_path / "bin" / "ufw"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    tool.chmod(0o755)
    return tmp_path


class Systemd:
    """Notes the commands; systemd-run fails when it is told to."""

    def __init__(self, rc=0):
        self.rc = rc
        self.commands = []

    def __call__(self, command):
        self.commands.append(list(command))
        return Output(self.rc if command[0] == "systemd-run" else 0, "", "no bus")


GUARD = "var/lib/secure_ftp.server/ufw-guard"
LEFT = (GUARD, "run/secure-ftp-ufw-guard", "etc/systemd/system/secure-ftp-ufw-guard-boot.service")
RULES = "etc/ufw/user.rules"


def arm(host, active, systemd, seconds=30):
    return ufw_guard.arm(active, seconds, systemd, str(host))


def confirm(host, systemd):
    ufw_guard.disarm(systemd, str(host))


def revert(host, *arguments, path=None):
    """Run the script; ``path`` is its copy when the guard is gone."""
    return subprocess.run(
        ["/bin/sh", str(path or host / GUARD / "revert"), *arguments],
        env={"PATH": f"{host}/bin:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
    )


def go_off(host):
    """What the timer does."""
    done = revert(host)
    assert done.returncode == 0, done.stderr


def boot(host):
    """What a boot does: what was in memory is gone, and systemd runs what it is to run under its conditions."""
    shutil.rmtree(host / "run", ignore_errors=True)
    (host / "run").mkdir()
    link = host / "etc/systemd/system/multi-user.target.wants/secure-ftp-ufw-guard-boot.service"
    if not link.is_symlink():
        return
    unit = (host / "etc/systemd/system" / os.path.basename(os.readlink(link))).read_text()
    wanted = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("ConditionPathExists=")]
    if all(os.path.exists(path.lstrip("!")) != path.startswith("!") for path in wanted):
        (command,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStart=")]
        assert command.split()[:2] == ["/bin/sh", str(host / GUARD / "revert")]
        done = revert(host, *command.split()[2:])
        assert done.returncode == 0, done.stderr


def nothing_left(host):
    return not [path for path in LEFT if (host / path).exists()] and not list(host.rglob("*ufw-guard-boot*"))


@pytest.mark.parametrize("active, asked", [(False, "--force disable\n"), (True, "reload\n")])
def test_it_puts_back_what_was_there(host, active, asked):
    assert arm(host, active, Systemd()) is True
    for path in ("etc/ufw/user.rules", "etc/default/ufw"):
        (host / path).write_text("new\n")
    (host / "etc/ufw/ufw.conf").unlink()
    go_off(host)
    assert (host / "asked").read_text() == asked
    for path in ("etc/ufw/user.rules", "etc/default/ufw", "etc/ufw/ufw.conf", "etc/ufw/before.rules"):
        assert (host / path).read_text() == f"old {path}\n"
    assert nothing_left(host)


def test_modes_and_links_stay(host):
    """The copies are nobody else's business; the directories they go back to are everybody's."""
    (host / RULES).rename(host / "elsewhere")
    (host / RULES).symlink_to(host / "elsewhere")
    (host / "elsewhere").chmod(0o640)
    seen = [host / path for path in (".", "etc", "etc/ufw", "etc/default", "elsewhere", "etc/ufw/ufw.conf")]
    modes = [path.stat().st_mode for path in seen]
    before = os.umask(0o077)
    try:
        arm(host, False, Systemd())
        assert oct((host / GUARD).stat().st_mode)[-3:] == oct((host / GUARD).parent.stat().st_mode)[-3:] == "700"
        (host / RULES).write_text("new\n")
        go_off(host)
    finally:
        os.umask(before)
    assert [path.stat().st_mode for path in seen] == modes
    assert (host / RULES).is_symlink() and (host / RULES).read_text() == f"old {RULES}\n"


def test_the_timer(host):
    systemd = Systemd()
    arm(host, True, systemd, 45)
    (command,) = systemd.commands
    assert command[0] == "systemd-run" and "--on-active=45s" in command
    assert command[-2:] == ["/bin/sh", str(host / GUARD / "revert")]


def test_confirmed_in_time(host):
    systemd = Systemd()
    arm(host, True, systemd)
    shutil.copy(host / GUARD / "revert", host / "late")
    (host / RULES).write_text("new\n")
    confirm(host, systemd)
    assert systemd.commands[-1][:2] == ["systemctl", "stop"]
    assert nothing_left(host)
    revert(host, path=host / "late")
    boot(host)
    assert not (host / "asked").exists() and (host / RULES).read_text() == "new\n", "what comes late does nothing"


def test_too_late(host):
    systemd = Systemd()
    arm(host, True, systemd)
    go_off(host)
    for too_late in (ufw_guard.disarm, lambda run, root: ufw_guard.renew(9, run, root)):
        with pytest.raises(SecureFtpError, match="raise firewall_confirm_timeout; run the playbook again$"):
            too_late(systemd, str(host))


def test_the_copies_of_a_run_that_died_are_kept(host):
    systemd = Systemd()
    arm(host, False, systemd)
    (host / RULES).write_text("half a change\n")
    assert arm(host, True, systemd, 99) is False
    assert "--on-active=99s" in systemd.commands[-2] and systemd.commands[-1][:2] == ["systemctl", "stop"]
    go_off(host)
    assert (host / RULES).read_text() == f"old {RULES}\n"
    assert (host / "asked").read_text() == "--force disable\n"


def test_no_timer_no_guard(host):
    with pytest.raises(SecureFtpError, match="no bus"):
        arm(host, True, Systemd(rc=1))
    assert nothing_left(host)


@pytest.mark.parametrize("active", [False, True])
def test_a_boot_puts_the_files_back_and_leaves_the_rest_to_ufw(host, active):
    arm(host, active, Systemd())
    (host / RULES).write_text("new\n")
    boot(host)
    assert (host / RULES).read_text() == f"old {RULES}\n"
    assert not (host / "asked").exists() and nothing_left(host)
    with pytest.raises(SecureFtpError, match="has put UFW back"):
        confirm(host, Systemd())


def test_the_boot_unit_leaves_the_change_to_the_timer_that_runs(host):
    """Somebody may start multi-user.target again."""
    arm(host, True, Systemd())
    unit = (host / "etc/systemd/system/secure-ftp-ufw-guard-boot.service").read_text()
    assert f"ConditionPathExists=!{host}/run/secure-ftp-ufw-guard\n" in unit
    assert (host / "run/secure-ftp-ufw-guard").exists()


def test_everything_is_flushed_before_it_counts(host, monkeypatch):
    """A loss of power after arm() must find it all: nothing is given its name before it is flushed."""
    flushed, seen = [], []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))[1])

    def renamed(old, new):
        if str(new).endswith("/armed"):
            seen.append(list(flushed))
        rename(old, new)

    monkeypatch.setattr(os, "rename", renamed)
    arm(host, True, Systemd())
    (before,) = seen
    copies = [
        f"{host}/{GUARD}/new/{path.relative_to(host / GUARD / 'armed')}" for path in (host / GUARD / "armed").rglob("*")
    ]
    units = f"{host}/etc/systemd/system"
    for path in [
        *copies,
        f"{host}/{GUARD}",
        f"{host}/{GUARD}/new",
        f"{host}/{GUARD[:-10]}",
        units,
        f"{units}/multi-user.target.wants",
    ]:
        assert path in before, path
    assert flushed[-1] == f"{host}/{GUARD}", "the name that makes them count"


def test_a_confirmed_change_is_flushed_before_the_copies_are_given_up(host, monkeypatch):
    arm(host, True, Systemd())
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))[1])
    confirm(host, Systemd())
    assert flushed[-1] == f"{host}/{GUARD}"
    assert {f"{host}/{path}" for path in (RULES, "etc/default/ufw", "etc/ufw")} <= set(flushed[:-1])


def counted(monkeypatch, host, at, after):
    """Copy the tree to ``after`` before call ``at`` of those that change it durably; count the calls."""
    calls = []

    def wrapped(function):
        def wrapper(*arguments, **more):
            if len(calls) == at:
                subprocess.run(["cp", "-a", host, after], check=True)
            calls.append(function.__name__)
            return function(*arguments, **more)

        return wrapper

    for name in ("fsync", "rename", "mkdir", "symlink"):
        monkeypatch.setattr(os, name, wrapped(getattr(os, name)))
    return calls


@pytest.mark.once
def test_killed_anywhere_in_arm(host, monkeypatch, tmp_path_factory):
    """Killed before any of its steps: a boot keeps the old files, and with or without one the next run arms."""
    dead, bare, at, calls = tmp_path_factory.mktemp("dead") / "host", tmp_path_factory.mktemp("bare") / "host", 0, [""]
    host.rename(bare)
    while at < len(calls):
        for then in (lambda: boot(host), lambda: None):
            shutil.rmtree(host, ignore_errors=True)
            shutil.rmtree(dead, ignore_errors=True)
            shutil.copytree(bare, host)
            with monkeypatch.context() as patched:
                calls = counted(patched, host, at, dead)
                arm(host, True, Systemd())
            # Script and unit name the tree: the dead one takes its place.
            shutil.rmtree(host)
            dead.rename(host)
            then()
            assert (host / RULES).read_text() == f"old {RULES}\n"
            systemd = Systemd()
            arm(host, True, systemd)
            assert systemd.commands[0][0] == "systemd-run"
            (host / RULES).write_text("new\n")
            boot(host)
            assert (host / RULES).read_text() == f"old {RULES}\n" and nothing_left(host)
        at += 1
    assert at > 15


@pytest.mark.once
def test_killed_anywhere_in_disarm(host, monkeypatch, tmp_path_factory):
    """Killed before any of its steps: the next boot brings the old firewall or the new one, whole."""
    dead, armed, at, calls = tmp_path_factory.mktemp("dead") / "host", tmp_path_factory.mktemp("x") / "host", 0, [""]
    arm(host, True, Systemd())
    for path in (RULES, "etc/default/ufw"):
        (host / path).write_text("new\n")
    host.rename(armed)
    seen = set()
    while at < len(calls):
        subprocess.run(["rm", "-rf", host, dead], check=True)
        subprocess.run(["cp", "-a", armed, host], check=True)
        with monkeypatch.context() as patched:
            calls = counted(patched, host, at, dead)
            confirm(host, Systemd())
        shutil.rmtree(host)
        dead.rename(host)
        boot(host)
        seen.add((host / RULES).read_text() + (host / "etc/default/ufw").read_text())
        assert nothing_left(host)
        at += 1
    assert seen == {"new\nnew\n", f"old {RULES}\nold etc/default/ufw\n"}


def interrupted(host, active=True):
    """A guard that went off, and the host with it after the first file."""
    arm(host, active, Systemd())
    for path in (RULES, "etc/default/ufw"):
        (host / path).write_text("new\n")
    (host / GUARD / "armed").rename(host / GUARD / "reverting")
    shutil.copy(host / GUARD / "reverting" / RULES, host / RULES)


def test_a_boot_finishes_what_was_being_put_back(host):
    interrupted(host)
    boot(host)
    assert (host / "etc/default/ufw").read_text() == "old etc/default/ufw\n"
    assert nothing_left(host) and not (host / "asked").exists()


def test_the_next_run_finishes_what_was_being_put_back(host):
    interrupted(host)
    assert ufw_guard.is_unsettled(str(host))
    with pytest.raises(SecureFtpError, match="; run the playbook again; nothing else was changed$"):
        ufw_guard.arm(True, 30, lambda command: Output(revert(host).returncode, ""), str(host))
    assert (host / "etc/default/ufw").read_text() == "old etc/default/ufw\n"
    assert (host / "asked").read_text() == "reload\n" and nothing_left(host)
    assert arm(host, True, Systemd()) is True


def test_a_full_disk_keeps_the_copies(host):
    interrupted(host)
    tool = host / "bin" / "cp"
    tool.write_text("#!/bin/sh\necho 'No space left on device' >&2; exit 1\n")
    tool.chmod(0o755)
    assert revert(host).returncode == 1
    assert (host / GUARD / "reverting" / RULES).exists() and (host / RULES).read_text() == f"old {RULES}\n"
    with pytest.raises(SecureFtpError, match="free some space"):
        ufw_guard.arm(True, 30, lambda command: Output(revert(host).returncode, ""), str(host))
    tool.unlink()
    boot(host)
    assert (host / "etc/default/ufw").read_text() == "old etc/default/ufw\n" and nothing_left(host)


def test_a_disk_that_takes_no_copies_arms_nothing(host, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device", "copy")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(SecureFtpError, match="No space left"):
        arm(host, True, Systemd())
    assert nothing_left(host)


def test_one_at_a_time(host):
    """While a run confirms, the script waits, and then has nothing to do."""
    arm(host, True, Systemd())
    lock = os.open(host / GUARD / "..", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    late = subprocess.Popen(["/bin/sh", str(host / GUARD / "revert")], env={"PATH": f"{host}/bin:{os.environ['PATH']}"})
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            late.wait(0.3)
        (host / GUARD / "armed").rename(host / GUARD / "settled")
    finally:
        os.close(lock)
    assert late.wait(10) == 0
    assert not (host / "asked").exists() and nothing_left(host)
