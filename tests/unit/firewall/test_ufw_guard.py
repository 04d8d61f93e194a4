# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead man's switch: what it copies, and that exactly one of confirmation and undoing wins.

The script is run by a real shell on a tree of its own; that the timer fires is tested on containers.
"""

from __future__ import annotations

import os
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


def arm(host, active, systemd, seconds=30):
    return ufw_guard.arm(active, seconds, systemd, str(host / "guard"), str(host))


def go_off(host):
    """What the timer does."""
    path = f"{host}/bin:{os.environ['PATH']}"
    subprocess.run(["/bin/sh", str(host / "guard" / "revert")], env={"PATH": path}, check=True, capture_output=True)


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
    assert not (host / "guard").exists() and not (host / "guard.reverting").exists()


def test_directories_keep_their_modes(host):
    """The copies are nobody else's business; the directories they go back to are everybody's."""
    directories = [host / path for path in (".", "etc", "etc/ufw", "etc/default")]
    modes = [path.stat().st_mode for path in directories]
    before = os.umask(0o077)
    try:
        arm(host, False, Systemd())
        go_off(host)
    finally:
        os.umask(before)
    assert [path.stat().st_mode for path in directories] == modes


def test_the_timer(host):
    systemd = Systemd()
    arm(host, True, systemd, 45)
    (command,) = systemd.commands
    assert command[0] == "systemd-run" and "--on-active=45s" in command
    assert command[-2:] == ["/bin/sh", str(host / "guard" / "revert")]
    assert oct((host / "guard").stat().st_mode)[-3:] == "700"


def test_confirmed_in_time(host):
    systemd = Systemd()
    arm(host, True, systemd)
    script = (host / "guard" / "revert").read_text()
    ufw_guard.disarm(systemd, str(host / "guard"))
    assert systemd.commands[-1][:2] == ["systemctl", "stop"]
    assert not (host / "guard").exists() and not (host / "guard.confirmed").exists()
    subprocess.run(["/bin/sh", "-c", script], check=True, env={"PATH": f"{host}/bin:{os.environ['PATH']}"})
    assert not (host / "asked").exists(), "a script that comes late does nothing"


def test_too_late(host):
    systemd = Systemd()
    arm(host, True, systemd)
    go_off(host)
    for too_late in (ufw_guard.disarm, lambda run, folder: ufw_guard.renew(9, run, folder)):
        with pytest.raises(SecureFtpError, match="firewall_confirm_timeout"):
            too_late(systemd, str(host / "guard"))


def test_the_copies_of_a_run_that_died_are_kept(host):
    systemd = Systemd()
    arm(host, False, systemd)
    (host / "etc/ufw/user.rules").write_text("half a change\n")
    assert arm(host, True, systemd, 99) is False
    assert "--on-active=99s" in systemd.commands[-2] and systemd.commands[-1][:2] == ["systemctl", "stop"]
    go_off(host)
    assert (host / "etc/ufw/user.rules").read_text() == "old etc/ufw/user.rules\n"
    assert (host / "asked").read_text() == "--force disable\n"


def test_no_timer_no_guard(host):
    with pytest.raises(SecureFtpError, match="no bus"):
        arm(host, True, Systemd(rc=1))
    assert not (host / "guard").exists()
