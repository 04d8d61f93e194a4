# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of accounts: processes of a user id, and of sshd by what they call themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc
from ansible_collections.secure_ftp.server.plugins.module_utils._host.processes import Process, kill
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions

NAME, OTHER = "joker-of-a-test", "joker-of-a-test-too"
UID, OTHER_UID = 54321, 54322


@pytest.fixture
def spawn(only_ours: None) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start processes: ``spawn(name, title, uid)`` of a program called ``name``, with a child of the uid ``child``."""
    if os.geteuid() != 0:
        pytest.skip("needs root to have processes of other users")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    started: list[subprocess.Popen] = []

    def start(name: str, title: str, uid: int = 0, child: int | None = None) -> subprocess.Popen:
        program = folder / name
        if not program.exists():
            shutil.copy(shutil.which("dash") or "/bin/sh", program)
        # dash keeps its name; "read" waits for a pipe that nobody closes before the test ends.
        script = "read x"
        if child is not None:
            script = f"exec 3<&0; setpriv --reuid {child} --clear-groups {program} -c 'read y' <&3 & read x"
        process = subprocess.Popen(
            [title, "-c", f"echo up; {script}"],
            executable=program,
            preexec_fn=lambda: os.setuid(uid),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout and process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    shutil.rmtree(folder)


def test_processes_of_one_user_id_end_and_no_others(spawn) -> None:
    mine, other = spawn("anything", "a shell", UID), spawn("anything", "a shell", OTHER_UID)
    assert end_sessions({NAME: UID}) == []
    assert mine.wait(5) == -9
    assert other.poll() is None
    assert end_sessions({}) == [] and other.poll() is None


@pytest.mark.parametrize("program", ["sshd", "sshd-session"])
def test_a_log_in_that_sshd_is_checking_ends(spawn, program: str) -> None:
    mine = [spawn(program, f"{program}: {NAME} [{part}]") for part in ("priv", "pam")]
    others = [
        spawn(program, f"{program}: {OTHER} [priv]"),
        spawn(program, f"{program}: unknown [priv]"),
        spawn("anything", f"{program}: {NAME} [priv]"),
        spawn(program, f"{program}: {NAME} [priv]", OTHER_UID),  # only root's are what they say
    ]
    assert end_sessions({NAME: UID}) == []
    assert [one.wait(5) for one in mine] == [-9, -9]
    assert [one.poll() for one in others] == [None] * 4


def session_of(parent: subprocess.Popen) -> Process:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for one in proc.processes():
            if one.parent == parent.pid and proc.real_uid(one) == UID and one.name == "sshd":
                return one
    raise AssertionError("no session came up")


def test_of_a_shared_user_id_only_what_is_known_to_be_the_users_ends(spawn) -> None:
    """Two accounts with one number: the other one's shell, and its sessions, stay."""
    shell = spawn("anything", "a shell", UID)
    theirs = spawn("sshd", f"sshd: {OTHER} [priv]", child=UID)
    mine = spawn("sshd", f"sshd: {NAME} [priv]", child=UID)
    children = {one: session_of(one) for one in (mine, theirs)}
    assert end_sessions({NAME: UID}, shared={UID}) == []
    assert mine.wait(5) == -9 and not proc.is_running(children[mine])
    assert shell.poll() is None and theirs.poll() is None and proc.is_running(children[theirs])
    kill(children[theirs])


def test_a_container_has_users_of_its_own(only_ours) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to make a namespace")
    sleeper = f"import os; os.setuid({UID}); print('up', flush=True); input()"
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", sleeper]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as contained:
        assert contained.stdout and contained.stdin and contained.stdout.readline() == "up\n"
        assert end_sessions({NAME: UID}) == []
        assert contained.poll() is None
        contained.stdin.write("\n")


def test_a_number_that_somebody_else_has_by_now_is_not_hit(spawn) -> None:
    process = spawn("anything", "a shell")
    found = proc.find(process.pid)
    assert found and found.name == "anything"
    kill(found._replace(start=found.start - 1))
    assert not proc.is_running(found._replace(start=found.start - 1))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    kill(found)
    assert process.wait(5) == -9
    kill(found)


def test_without_descriptors_of_processes_the_moment_they_began_is_looked_at(spawn, monkeypatch) -> None:
    """Python 3.8, and kernels before 5.3."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    test_a_number_that_somebody_else_has_by_now_is_not_hit(spawn)


def test_what_outlives_its_end_is_said(spawn, monkeypatch) -> None:
    process = spawn("anything", "a shell", UID)
    monkeypatch.setattr(proc, "kill", lambda process: None)  # as with one that waits for a dead disk
    (warning,) = end_sessions({NAME: UID}, seconds=0.1)
    assert warning.startswith(f"user '{NAME}': ") and warning.endswith(f" -p {process.pid}")


def test_strange_names_of_programs_are_read(spawn) -> None:
    process = spawn("a) b (c", "x")
    found = proc.find(process.pid)
    assert found and found.name == "a) b (c" and found.parent == os.getpid()
    assert proc.find(2**22 + 1) is None and isinstance(found, Process)
