# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others wrote moves nothing on the terminal; closed streams and wrong words are answered like anything else."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible, visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import examine as doctor
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Result

EVIL = "bat\u202eman\x1b[2J\x9b1m\u200d\u2066\udcff\n\rroot"
MARKS = "\u202e\x1b\x9b\u200d\u2066\udcff\r"
USER: dict[str, Any] = {
    "name": EVIL,
    "protocols": ["ftps", "sftp"],
    "locked": False,
    "access": "read_write",
    "umask": EVIL,
    "ftps_max_rate": 0,
    "comment": EVIL,
    "expires": EVIL,
    "allowed_sources": [EVIL],
    "quota": 0,
    "quota_files": 0,
    "used_bytes": 0,
    "used_files": 0,
    "ftps": {"scheme": EVIL, "directory": f"/home/vftp/{EVIL}", "access": EVIL, "umask": EVIL},
    "sftp": {"scheme": EVIL, "directory": f"/home/sftp/{EVIL}", "access": EVIL, "umask": EVIL, "keys": 1},
}


class Evil:
    """Stands in for Manager on a server where somebody chose the worst names there are."""

    def users(self) -> list[dict[str, Any]]:
        return [USER]

    def show(self, name: str) -> dict[str, Any]:
        return USER

    def keys(self, name: str) -> list[str]:
        return [f"ssh-ed25519 AAAA {EVIL}"]

    def lock(self, name: str) -> dict[str, Any]:
        return {"changed": True, "user": USER, "warnings": [f"about {EVIL}"]}

    def unlock(self, name: str) -> dict[str, Any]:
        raise SecureFtpError("what the system said", found=EVIL)

    def with_protocols(self, options: Any) -> Any:
        return options

    def apply_list(self, users: Any, dry_run: bool = False, weak: Any = ()) -> Result:
        return Result(added=[EVIL], changed=[EVIL], removed=[EVIL], warnings=[EVIL])


def test_what_can_be_seen_stays() -> None:
    assert visible('p\u00e4ssw\u00f6rd \u2192\u65e5\u672c \U0001f987 it\'s \\ "q"') == (
        'p\u00e4ssw\u00f6rd \u2192\u65e5\u672c \U0001f987 it\'s \\ "q"'
    )
    assert visible(EVIL) == ("bat\\u202eman\\x1b[2J\\x9b1m\\u200d\\u2066\\udcff\\n\\rroot")
    assert visible_lines("a\nb\tc") == "a\nb\\tc"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["list"], 2),
        (["list", "--names"], 1),
        (["show", "x"], 18),
        (["keys", "x", "list"], 1),
        (["lock", EVIL.replace("\udcff", "")], 1),
        (["unlock", "x"], 0),
        (["import", "FILE", "--yes"], 4),
        (["check"], 8),
    ],
)
def test_nothing_of_others_reaches_the_terminal_as_it_is(
    words: list[str], lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "users"
    file.write_text("batman:*\n", encoding="utf-8")
    finding = doctor.Finding(*(EVIL.replace("\n", "") for _field in doctor.Finding._fields))._replace(
        severity=doctor.ERROR
    )
    monkeypatch.setattr(command, "Manager", Evil)
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    command.main([str(file) if word == "FILE" else word for word in words])
    shown = capsys.readouterr()
    assert not set(shown.out + shown.err) & set(MARKS)
    assert "\\u202e" in shown.out + shown.err
    if words != ["check"]:
        assert len(shown.out.splitlines()) == lines


@pytest.mark.parametrize("words", [["frobnicate"], ["add"], ["list", "--protocol", "ftp"], []])
def test_usage_errors_are_invalid_input_and_honour_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*words]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("error: ") and "--help" in shown.err
    assert command.main([*words, "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "invalid" and shown.err == ""


CALL = f"import sys; from {command.__name__} import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(
    "words",
    [
        ["add", "x", "--password-stdin"],
        ["edit", "x", "--password-stdin"],
        ["passwd", "x"],
        ["import", "-", "--yes"],
        ["remote", "--client", "c"],
    ],
)
def test_closed_standard_input_is_invalid_input(words: list[str]) -> None:
    code = (
        "import sys, os; os.geteuid = lambda: 0;"
        f"import {command.__name__} as command; from unittest.mock import MagicMock;"
        "command.Manager = MagicMock; sys.exit(command.main(sys.argv[1:]))"
    )
    result = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" <&-', sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    said = result.stdout + result.stderr
    assert result.returncode == 2, said
    assert "Traceback" not in said and ("found n" in said or "expected" in said)


def test_closed_output_is_no_traceback() -> None:
    for closed in ("<&- >&- 2>&-", ">&-", "2>&-"):
        result = subprocess.run(
            ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", CALL, "show"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert result.returncode == 2 and "Traceback" not in result.stderr


def test_no_password_on_standard_input_is_said() -> None:
    from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt as source

    with pytest.raises(InvalidInput, match="expected one line on standard input, found none"):
        source.from_stream(io.StringIO(""), "x")
