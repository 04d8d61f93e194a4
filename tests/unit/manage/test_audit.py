# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of changes: who, by what, what, whom, with what result; nothing that could be forged or is secret."""

from __future__ import annotations

import syslog

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Busy, InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit as _audit
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import audited


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    monkeypatch.setattr(_audit, "login_names", lambda: {"olivia", "root"})
    written: list[tuple[int, str]] = []
    monkeypatch.setattr(_audit, "write", lambda priority, text: written.append((priority, text)))
    return written


def test_a_change_is_one_line_for_each_result(lines):
    with audited("ftp_users", "apply", ["batman", "robin", "joker"]) as report:
        report("added", ["batman"])
        report("removed", ["joker"])
        report("changed", [])
    assert lines == [
        (syslog.LOG_INFO, "by='olivia' with=ftp_users apply users='batman' result=added"),
        (syslog.LOG_INFO, "by='olivia' with=ftp_users apply users='joker' result=removed"),
    ]


def test_nothing_changed_is_no_line(lines):
    with audited("command", "edit", ["batman"]) as report:
        report("changed", [])
    assert lines == []


def test_a_refusal_says_who_tried_what(lines):
    with pytest.raises(Busy), audited("command", "del", ["bat\nman x", "\u202ejoker"]):
        raise Busy("", found="locked by 'another'")
    (line,) = lines
    assert line[0] == syslog.LOG_WARNING and "\n" not in line[1] and line[1].isascii()
    assert "users='bat\\nman x','\\u202ejoker' result=locked message=" in line[1]


@pytest.mark.parametrize(
    "error", [InvalidInput("", found="geheim"), RuntimeError("geheim"), KeyboardInterrupt("geheim")]
)
def test_what_may_hold_a_secret_is_not_repeated(lines, error):
    with pytest.raises(type(error)), audited("command", "passwd", ["batman"]):
        raise error
    assert len(lines) == 1 and "geheim" not in lines[0][1]


def test_a_long_list_is_counted(lines):
    with audited("command", "import", []) as report:
        report("added", [f"user{number}" for number in range(10000)])
    assert len(lines[0][1]) < 500 and "and 9980 more" in lines[0][1]


def test_root_alone_is_named_when_nobody_else_is_known(monkeypatch):
    monkeypatch.setattr(_audit, "login_names", lambda: {"root"})
    assert _audit.operator() == "root"
