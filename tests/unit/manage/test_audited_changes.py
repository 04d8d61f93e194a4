# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to change a user, refused or killed ones too, leaves its line in the log, and no secret in it."""
# ruff: noqa: F811

from __future__ import annotations

import contextlib
import io
import syslog
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._command import verb_repair
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, by_module
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.repair import repair
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User
from ansible_collections.secure_ftp.server.plugins.modules import ftp_users
from manage.test_manager import Host, host, killed  # noqa: F401  # pylint: disable=unused-import

PASSWORD = "geheim geheim"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The log of the host, as it is written: priority and text."""
    written: list[tuple[int, str]] = []
    monkeypatch.setattr(audit, "write", lambda priority, text: written.append((priority, text)))
    monkeypatch.setattr(audit, "login_names", lambda: {"olivia", "root"})
    yield written
    assert all("geheim" not in text and "$6$" not in text and text.isprintable() for _priority, text in written)


def type_in(monkeypatch: pytest.MonkeyPatch, host: Host, *words: str, stdin: str = "") -> int:
    monkeypatch.setattr(command, "Manager", lambda: host.manager)
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    return command.main(list(words))


def test_the_command_logs_what_it_does_and_what_it_refuses(
    host: Host, monkeypatch: pytest.MonkeyPatch, lines: Any, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text(f"name,protocols,password\nrobin,ftps,{PASSWORD}\nbatman,sftp,{PASSWORD}\n")
    cases = [
        (("add", "batman", "--protocol", "ftps", "--password-stdin"), "add users='batman' result=added"),
        (("add", "batman", "--password-stdin"), "add users='batman' result=exists message="),
        (("passwd", "joker", "--password-stdin"), "passwd"),
        (("edit", "batman", "--hash-stdin"), "edit users='batman' result=invalid"),
        (("import", str(users), "--yes"), "import users='robin','batman' result=exists message="),
        (("edit", "batman", "--protocol", "both"), "edit users='batman' result=changed"),
        (("edit", "batman", "--protocol", "ftps"), "edit users='batman' result=changed"),
        (("lock", "batman"), "lock users='batman' result=changed"),
        (("del", "batman"), "del users='batman' result=removed"),
    ]
    for words, expected in cases:
        lines.clear()
        type_in(monkeypatch, host, *words, stdin=f"{PASSWORD}\n")
        ((priority, text),) = lines
        verb = {"passwd": "edit users='joker' result=no_such_user", "lock": "edit users='batman' result=changed"}
        assert text.startswith(f"by='olivia' with=command {verb.get(words[0], expected)}"), words
        assert (priority == syslog.LOG_INFO) == expected.endswith(("added", "changed", "removed"))


def test_a_killed_change_is_logged_by_the_next_one_in_the_name_of_who_made_it(
    host: Host, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    with killed(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(audit, "audited", lambda *_arguments: contextlib.nullcontext(audit.unheard))
        host.manager.add("batman", password=PASSWORD)
    lines.clear()  # a real SIGKILL leaves none
    monkeypatch.setattr(audit, "login_names", lambda: {"root"})
    host.manager.add("robin", password=PASSWORD)
    assert lines == [
        (syslog.LOG_INFO, "by='olivia' with=journal finish users='batman' result=finished"),
        (syslog.LOG_INFO, "by='root' with=command add users='robin' result=added"),
    ]


def test_a_damaged_database_that_is_repaired_is_logged(
    host: Host, monkeypatch: pytest.MonkeyPatch, lines: Any, capsys: Any
) -> None:
    def damage() -> None:
        for kept in host.db.parent.glob("*.damaged-*"):  # of the same second
            kept.unlink()
        load(host.db, {f"user{number}": HASH for number in range(500)})
        with host.db.open("r+b") as file:
            file.write(bytes(600))

    damage()
    monkeypatch.setattr(verb_repair, "repair", lambda: repair(str(host.db)))
    assert type_in(monkeypatch, host, "repair") == 0
    damage()
    arguments = {"db": str(host.db), "users": [], "salvage": True, "create_home": False}
    for check in (True, False):
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            ftp_users.main()
    behind = f"kept='{host.db}.damaged-"
    assert [text.partition(behind)[0] for _priority, text in lines] == [
        "by='olivia' with=command repair result=salvaged records=500 ",
        "by='olivia' with=ftp_users salvage result=salvaged records=500 ",
    ]
    type_in(monkeypatch, host, "repair")
    assert len(lines) == 2, "a sound database is left alone"


def test_files_that_a_module_removes_later_are_logged(host: Host, monkeypatch: pytest.MonkeyPatch, lines: Any) -> None:
    (host.homes / "batman").mkdir(parents=True)
    by_module.change("ftp_user", [User("batman", present=False)], [host.ftps], False, remove_home=["ftps"])
    assert lines == [(syslog.LOG_INFO, "by='olivia' with=ftp_user apply users='batman' result=files-removed")]
