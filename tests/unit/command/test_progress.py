# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long piece of work is, on a terminal."""

from __future__ import annotations

import io

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import progress
from ansible_collections.secure_ftp.server.plugins.module_utils._command.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, times: int = 1) -> str:
    with Progress(stream) as line:
        for number in range(times):
            line.tell("bat\x1bman", number, 10)
    return stream.getvalue()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)


def test_a_terminal_gets_one_line_that_is_removed_at_the_end(at_once: None) -> None:
    assert shown(Terminal(), 3) == "\r\x1b[Kbat\\x1bman: 0 of 10\r\x1b[K", "not more often than a reader can read"


def test_a_file_gets_nothing(at_once: None) -> None:
    assert shown(io.StringIO()) == ""


def test_what_is_done_at_once_shows_nothing() -> None:
    assert shown(Terminal()) == ""
