# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS sessions: processes called vsftpd in the directory of a user; others are left alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterable, Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.apply import (
    chosen_directories,
    end_sessions,
    sole_directories,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.sessions import end_ftps_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc

PR_SET_NAME = 15


def session(root: Path, name: bytes = b"vsftpd") -> int:
    """A process of that name, jailed to ``root``, which like vsftpd does not mind SIGTERM."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
            os.chroot(root)
            os.write(told, b"x")
            time.sleep(60)
        os._exit(0)
    os.close(told)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return pid


def is_over(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG) != (0, 0)


@contextlib.contextmanager
def all_ended(*pids: int) -> Iterator[None]:
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # those that are over
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@pytest.fixture
def homes(tmp_path: Path, only_ours: None) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root to jail a process")
    for name in ("bat", "batman", "robin"):
        (tmp_path / name).mkdir()
    yield tmp_path


def test_the_sessions_of_one_user_end_and_nobody_elses(homes: Path) -> None:
    mine = [session(homes / "bat"), session(homes / "bat")]
    others = [session(homes / "batman"), session(homes / "robin"), session(homes / "bat", b"rsync"), session(Path("/"))]
    with all_ended(*mine, *others):
        assert end_ftps_sessions([str(homes / "bat"), str(homes / "missing")]) == []
        assert all(is_over(pid) for pid in mine)
        assert not any(is_over(pid) for pid in others)


def test_a_directory_under_another_name_is_the_same_one(homes: Path) -> None:
    (homes / "link").symlink_to("robin")
    pid = session(homes / "robin")
    with all_ended(pid):
        assert end_ftps_sessions([str(homes / "link")]) == []
        assert is_over(pid)


def test_a_user_whose_directory_is_the_root_of_the_host_does_not_end_the_daemon(homes: Path) -> None:
    pid = session(Path("/"))
    with all_ended(pid):
        assert end_ftps_sessions(["/"], seconds=1) == []
        assert not is_over(pid)


DAEMON = r"""
import ctypes, os, signal, socket, sys, threading, time
home, what, starter = sys.argv[1:]
libc = ctypes.CDLL(None)
libc.prctl(15, starter.encode(), 0, 0, 0)
listening = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listening.getsockname())
connection, _address = listening.accept()
ours, theirs = socket.socketpair()
if os.fork():
    os.write(1, b"ready\n")
    os.wait()
    time.sleep(60)  # the daemon, or inetd
listening.close()
libc.prctl(15, b"vsftpd", 0, 0, 0)
libc.prctl(1, signal.SIGKILL)
def tell(word):
    os.write(1, f"{word} {os.getpid()}\n".encode())
if what == "waits":
    tell("connection")
    ours.recv(1)
tell("connection")
while what == "stuck" or not os.path.exists(home + "/go"):
    pass  # the password is being checked
if os.fork():
    ours.recv(1)
libc.prctl(1, signal.SIGKILL)
tell("enters")
while what == "lingers" and not os.path.exists(home + "/enter"):
    pass
os.chroot(home)
tell("session")
time.sleep(60)
"""
"""What vsftpd's processes look like from outside while somebody logs in."""
STARTERS = ("vsftpd", "xinetd")


class Daemon:
    """``what`` its connection does: ``waits`` for a password, ``checks`` one until the file go is there, ``stuck``.

    ``lingers``: as ``checks``, and the session starts in the directory of its user when the file enter is there.

    ``starter``: what accepts connections, vsftpd itself or inetd, xinetd, systemd.
    """

    def __init__(self, home: Path, what: str, starter: str):
        self.process = subprocess.Popen(
            [sys.executable, "-c", DAEMON, str(home), what, starter],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        self.lines = self.process.stdout
        assert {self.word()[0] for _line in range(2)} == {"ready", "connection"}

    def word(self) -> list[str]:
        return self.lines.readline().split()

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.lines.close()


def in_the_background(home: Path, seconds: float) -> tuple[threading.Thread, list[str]]:
    warnings: list[str] = []
    thread = threading.Thread(target=lambda: warnings.extend(end_ftps_sessions([str(home)], seconds)))
    thread.start()
    return thread, warnings


@pytest.mark.parametrize("starter", STARTERS)
def test_a_log_in_that_is_being_checked_ends_when_its_session_begins(
    homes: Path, monkeypatch: pytest.MonkeyPatch, starter: str
) -> None:
    looks, real = [], sessions._next
    monkeypatch.setattr(sessions, "_next", lambda *given: looks.append(given) or real(*given))
    daemon = Daemon(homes / "robin", "checks", starter)
    try:
        ending, warnings = in_the_background(homes / "robin", 30)
        while len(looks) < 2:  # one look is not enough while a password is being checked
            assert ending.is_alive()
            time.sleep(0.01)
        (homes / "robin" / "go").touch()
        assert [daemon.word()[0], daemon.word()[0]] == ["enters", "session"]
        ending.join(30)
        assert not ending.is_alive() and warnings == []
        assert [one for one in sessions._of_vsftpd() if proc.root_of(one) == proc.identity(str(homes / "robin"))] == []
    finally:
        daemon.end()


@pytest.mark.parametrize("starter", STARTERS)
def test_a_session_on_its_way_into_its_directory_ends_too(
    homes: Path, monkeypatch: pytest.MonkeyPatch, starter: str
) -> None:
    """Seen once while its root is the host's, and gone from there when it is looked at again."""
    daemon, real = Daemon(homes / "robin", "lingers", starter), sessions._checking
    entering: list[int] = []
    met: list[proc.Process] = []

    def look(found: Iterable[proc.Process]) -> list[proc.Process]:
        asked = list(found)
        if met and set(met) <= set(asked) and not (homes / "robin" / "enter").exists():
            (homes / "robin" / "enter").touch()
            assert daemon.word()[0] == "session"
        seen = real(asked)
        met.extend(one for one in seen if one.pid in entering and one not in met)
        return seen

    monkeypatch.setattr(sessions, "_checking", look)
    try:
        ending, warnings = in_the_background(homes / "robin", 30)
        (homes / "robin" / "go").touch()
        entering.append(int(daemon.word()[1]))
        ending.join(40)
        assert not ending.is_alive() and warnings == []
        assert [one for one in sessions._of_vsftpd() if one.pid in entering] == []
    finally:
        daemon.end()


@pytest.mark.parametrize("starter", STARTERS)
def test_a_session_that_starts_behind_the_first_look_ends_too(
    homes: Path, monkeypatch: pytest.MonkeyPatch, starter: str
) -> None:
    """The password was right when it was asked for, and whoever asked has finished when it is looked at."""
    daemon, real = Daemon(homes / "robin", "checks", starter), sessions._of_vsftpd

    def look() -> list[proc.Process]:
        seen = real()
        if not (homes / "robin" / "go").exists():
            (connection,) = (one for one in seen if one.parent == daemon.process.pid)
            (homes / "robin" / "go").touch()
            assert [daemon.word()[0], daemon.word()[0]] == ["enters", "session"]
            while not proc.waits_in(connection).startswith("unix_stream_"):
                pass
        return seen

    monkeypatch.setattr(sessions, "_of_vsftpd", look)
    try:
        assert end_ftps_sessions([str(homes / "robin")], 30) == []
        assert [one for one in real() if proc.root_of(one) == proc.identity(str(homes / "robin"))] == []
    finally:
        daemon.end()


@pytest.mark.parametrize("starter", STARTERS)
def test_a_log_in_of_somebody_else_that_is_being_checked_goes_on(homes: Path, starter: str) -> None:
    daemon = Daemon(homes / "robin", "checks", starter)
    try:
        ending, _warnings = in_the_background(homes / "bat", 30)
        (homes / "robin" / "go").touch()
        assert daemon.word()[0] == "enters"
        word, pid = daemon.word()
        ending.join(30)
        assert word == "session" and not ending.is_alive() and proc.find(int(pid))
    finally:
        daemon.end()


@pytest.mark.parametrize("starter", STARTERS)
def test_who_waits_for_a_password_is_not_waited_for(homes: Path, starter: str) -> None:
    """Scanners hold such connections open by the hundred, for minutes."""
    daemon = Daemon(homes / "robin", "waits", starter)
    try:
        began = time.monotonic()
        assert end_ftps_sessions([str(homes / "bat")], 30) == []
        assert time.monotonic() - began < 15 and daemon.process.poll() is None
        assert [one for one in sessions._of_vsftpd() if one.parent == daemon.process.pid]
    finally:
        daemon.end()


@pytest.mark.parametrize("starter", STARTERS)
def test_a_check_that_does_not_end_is_ended(homes: Path, starter: str) -> None:
    daemon = Daemon(homes / "robin", "stuck", starter)
    try:
        assert end_ftps_sessions([str(homes / "bat")], 0.2) == []
        assert [one for one in sessions._of_vsftpd() if one.parent == daemon.process.pid] == []
        assert daemon.process.poll() is None  # the daemon serves on
    finally:
        daemon.end()


def test_a_directory_that_users_own_files_share_is_left_out(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / name).write_text("local_root=/srv/both\n")
    (tmp_path / "cid").write_text("local_root=/srv/cid\n")
    found = Homes("/home/vftp/$USER", "$USER", str(tmp_path))
    assert sole_directories(["ann", "cid", "dan"], found, chosen_directories(found)) == ["/home/vftp/dan", "/srv/cid"]
    assert "/srv/both" in sole_directories(["ann", "bob"], found, chosen_directories(found))


def test_nobody_to_end() -> None:
    assert end_ftps_sessions([]) == []


def test_what_outlives_its_end_is_said(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "kill", lambda process: None)  # as with a process that waits for a dead disk
    pid = session(homes / "bat")
    with all_ended(pid):
        (warning,) = end_ftps_sessions([str(homes / "bat")], 0.1)
        assert "still there" in warning and warning.endswith(f" -p {pid}")


def test_sessions_that_cannot_be_told_apart_are_said_to_go_on(tmp_path: Path) -> None:
    server = Server(str(tmp_path / "users.db"), None, Homes("/srv/all", ""), "ftp")
    (warning,) = end_sessions(["ann", "bob"], server)
    assert warning.startswith("ann, bob: open FTPS sessions stay open")
    (tmp_path / "ann").write_text("local_root=/srv/both\n")
    (tmp_path / "bob").write_text("local_root=/srv/both\n")
    server = Server(str(tmp_path / "users.db"), None, Homes("/home/vftp/$USER", "$USER", str(tmp_path)), "ftp")
    assert end_sessions(["ann"], server) == [warning.replace("ann, bob", "ann")]
    assert end_sessions(["ann", "bob", "cid"], server) == []


def test_a_daemon_is_never_taken_for_a_connection(homes: Path) -> None:
    """Nobody is logging in: it has no child, and nothing but the socket it listens on tells."""
    listens = (
        "import ctypes, socket; ctypes.CDLL(None).prctl(15, b'vsftpd', 0, 0, 0)\n"
        "one = socket.create_server(('127.0.0.1', 0)); print('ready', flush=True)\nwhile True: pass"
    )
    daemon = subprocess.Popen([sys.executable, "-c", listens], stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout and daemon.stdout.readline() == "ready\n"
        assert end_ftps_sessions([str(homes / "bat")], 0.2) == []
        assert daemon.poll() is None
    finally:
        daemon.kill()
        daemon.communicate()
