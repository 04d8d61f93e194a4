"""Programs of the host: what they print, and one that does not end."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import (
    MissingProgram,
    Output,
    run_as_inetd,
    run_command,
)

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


def test_what_a_program_prints():
    answer = run_command(["sh", "-c", r"printf 'caf\351 %s' $LC_ALL; echo oops >&2; exit 3"])
    assert answer == Output(3, "caf\ufffd C", "oops\n")


def test_standard_input_is_empty():
    assert run_command(["cat"]) == Output(0, "")


def test_a_program_that_does_not_end():
    with pytest.raises(SecureFtpError, match=r"^sleep 60: expected it to end within 0\.2 s, found it still running; "):
        run_command(["sleep", "60"], seconds=0.2)


def test_there_is_one_way_to_run_programs():
    """Another one would rely on somebody's PATH or wait for ever."""
    other = re.compile(r"import subprocess|shutil\.which|os\.(system|popen|exec|spawn)|module\.run_command")
    found = [str(path.relative_to(PLUGINS)) for path in PLUGINS.rglob("*.py") if other.search(path.read_text())]
    assert found == ["module_utils/_host/programs.py"]


def test_what_a_program_that_does_not_end_has_started_ends_with_it(tmp_path):
    """The grandchild would hold our pipes, and with them us, for as long as it likes."""
    pid = tmp_path / "pid"
    begun = time.monotonic()
    with pytest.raises(SecureFtpError, match="found it still running"):
        run_command(["sh", "-c", f"sleep 60 & echo $! >{pid}; wait"], seconds=0.5)
    assert time.monotonic() - begun < 5
    deadline = time.monotonic() + 5
    while alive(int(pid.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_path_of_whoever_runs_us_does_not_matter(tmp_path, monkeypatch):
    """An empty PATH, as of a cron job or a hardened sudo, and one with somebody else's program of that name."""
    (tmp_path / "id").write_text("#!/bin/sh\necho planted\n")
    (tmp_path / "id").chmod(0o755)
    for path in ("", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        assert run_command(["id", "-u"]).out == f"{os.geteuid()}\n"
        assert run_command(["sh", "-c", "id -u"]).out == f"{os.geteuid()}\n"


def test_a_program_that_is_not_there_is_named_with_its_package():
    with pytest.raises(MissingProgram, match=r"^no-such-tool: expected this program, found none; install the "):
        run_command(["no-such-tool"])
    with pytest.raises(MissingProgram, match="^/usr/sbin/no/visudo: .* install the package sudo$"):
        run_command(["/usr/sbin/no/visudo"])


def test_a_program_finds_its_whole_input():
    assert run_command(["sh", "-c", "stat -L -c %s /dev/stdin; cat"], "ann\n").out == "4\nann\n"


def test_a_program_of_inetd_answers_where_it_is_asked():
    answer = run_as_inetd(["sh", "-c", "echo one >&0; echo two; echo three >&2; exit 4"])
    assert answer == Output(4, "one\ntwo\nthree\n")
    with pytest.raises(SecureFtpError, match="found it still running"):
        run_as_inetd(["sleep", "60"], seconds=0.2)
