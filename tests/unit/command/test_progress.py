# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long piece of work is, on a terminal: one line that is gone in the end."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import progress as _progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.main import main
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import Progress
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import heard_by, say, told
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager

GONE = "\r\x1b[K"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, seconds: float = 0.0) -> str:
    with Progress(stream) as line:
        line.tell("bat\x1bman", 1, 10)
        line.tell("bat\x1bman", 2, 10)
        deadline = time.monotonic() + seconds
        while not stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_removed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "PATIENCE", 0.05)
    assert shown(Terminal(), 10) == f"{GONE}bat\\x1bman: 2 of 10{GONE}"


def test_a_file_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    assert shown(io.StringIO(), 0.2) == ""


def test_what_is_done_at_once_shows_nothing() -> None:
    assert shown(Terminal()) == ""


def test_the_work_is_heard_by_who_listens_and_by_nobody_else() -> None:
    heard: list[Any] = []
    say("before", 1, 1)
    with heard_by(lambda *what: heard.append(what)):
        assert list(told("homes", ["a", "b"], 2)) == ["a", "b"]
    say("after", 1, 1)
    assert heard == [("homes", 0, 2), ("homes", 1, 2)]


# --- on a real terminal --------------------------------------------------------------------------------------------

IMPORT = """
import sys
from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command, progress
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import manager, transaction

progress.PATIENCE = 0.05
transaction.LOCK_FILE = ROOT + "/lock"
ftps = Ftps(Server(ROOT + "/users.db", None, Homes(ROOT + "/homes/$USER"), "nobody"), Rules(rounds=1000))
command.Manager = lambda: manager.Manager(1000, ROOT + "/journal", audit=False, backends=[ftps])
sys.exit(command.main(["import", "-", "--yes"]))
"""
ONE_HOME = """
import sys, time
from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command, progress
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import say
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import one_home

def move(front):
    say("files of batman", 1, 9)
    time.sleep(1)
    return one_home.Done()

progress.PATIENCE = 0.05
one_home.run = move
sys.exit(command.main(["one-home"]))
"""


def on_terminal(code: str, stdin: str, is_terminal: bool) -> tuple[int, str, str]:
    """Exit status, output, and what a terminal at standard error (or a file) got."""
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    out, _none = process.communicate(stdin, timeout=120)
    got = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # EIO: nobody has the terminal any more
            break
        if not more:
            break
        got += more
    os.close(ours)
    return process.returncode, out, got.decode()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_import_of_5000_users_says_how_far_it_is(tmp_path: Path, only_ours: None, is_terminal: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("changes need root")
    tmp_path.chmod(0o755)
    rows = "".join(f"user{number},a good Password {number},ftps\n" for number in range(5000))
    code = f"ROOT = {str(tmp_path)!r}\n{IMPORT}"
    status, out, err = on_terminal(code, f"name,password,protocols\n{rows}", is_terminal)
    assert (status, out.count(": added\n")) == (0, 5000), err
    if not is_terminal:
        assert err == ""
        return
    assert re.search(r"\r\x1b\[Kpasswords hashed: \d+ of 5000", err) and err.endswith(GONE), err[-500:]
    counted = [int(number) for number in re.findall(r"passwords hashed: (\d+) of", err)]
    assert counted == sorted(counted) and len(counted) > 1, "it goes on"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_one_home_says_how_far_it_is(is_terminal: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("changes need root")
    status, out, err = on_terminal(ONE_HOME, "", is_terminal)
    assert (status, out) == (0, "every user has one home already; nothing was changed\n")
    assert err == (f"{GONE}files of batman: 1 of 9{GONE}" if is_terminal else "")


@pytest.mark.parametrize(("verb", "method"), [("list", "users"), ("export", "export")])
def test_reading_all_users_shows_how_far_it_is(verb: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(_progress, "PATIENCE", 0.01)
    monkeypatch.setattr("sys.stderr", terminal)

    def read(_manager: Manager, *_hashes: bool) -> Any:
        say("users", 1, 2)
        deadline = time.monotonic() + 10
        while "users: 1 of 2" not in terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        return [] if verb == "list" else ([], [])

    monkeypatch.setattr(Manager, method, read)
    assert main([verb]) == 0
    assert terminal.getvalue() == f"{GONE}users: 1 of 2{GONE}"
