# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On every front: a password that is meant for one protocol never takes the place of the other's without a word."""
# ruff: noqa: F811

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import dump
from remote.test_protocol import Session

from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    EXIT_CODES,
    SecureFtpError,
    UserExists,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, by_module
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User
from manage.test_manager import KEY, Host, host  # noqa: F401  # pylint: disable=unused-import

OLD, NEW = "the old password", "another long one"
OTHER = {"ftps": "sftp", "sftp": "ftps"}
EXISTS = EXIT_CODES[UserExists.code]
Front = Callable[..., int]


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The log of the host."""
    written: list[str] = []
    monkeypatch.setattr(audit, "write", lambda _priority, text: written.append(text))
    return written


@pytest.fixture
def ask(host: Host, monkeypatch: pytest.MonkeyPatch) -> Front:
    """Type the command, with ``stdin``; return its exit status."""
    monkeypatch.setattr(command, "Manager", lambda: host.manager)

    def call(*words: str, stdin: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return command.main(list(words))

    return call


def there(host: Host) -> dict[str, str]:
    """By protocol, which of the two passwords opens it: "old", "new" or neither; whoever is not there is left out."""
    hashes = {"ftps": dump(host.db).get("batman") if host.db.exists() else None}
    hashes["sftp"] = host.sftp.users["batman"].password_hash if "batman" in host.sftp.users else None
    return {
        protocol: next((what for what, one in (("old", OLD), ("new", NEW)) if passwords.verify(one, stored)), "neither")
        for protocol, stored in hashes.items()
        if stored is not None
    }


@pytest.mark.parametrize("has", ["ftps", "sftp"])
@pytest.mark.parametrize("front", ["add", "edit", "import", "import --dry-run", "remote add", "remote edit"])
def test_a_password_for_the_other_protocol_alone_is_refused(
    host: Host,
    ask: Front,
    has: str,
    front: str,
    tmp_path: Path,
    capsys: Any,
) -> None:
    host.manager.add("batman", password=OLD, protocols=[has])
    wanted = OTHER[has]
    if front.startswith("remote"):
        fields = {"name": "batman", "protocols": [wanted], "password": NEW}
        session = Session({"version": 1, "verb": front.split()[1], **fields}, host.manager)
        status, said = session.status, session.message
    elif front.startswith("import"):
        (tmp_path / "users.csv").write_text(f"name,protocols,password\nbatman,{wanted},{NEW}\n")
        status = ask("import", str(tmp_path / "users.csv"), front.partition(" ")[2] or "--yes")
        said = capsys.readouterr().err
    else:
        status = ask(front, "batman", "--protocol", wanted, "--password-stdin", stdin=NEW)
        said = capsys.readouterr().err
    assert status == EXISTS and f"has {has} already, and the new password would replace the present one" in said
    assert there(host) == {has: "old"}


@pytest.mark.parametrize("has", ["ftps", "sftp"])
def test_a_file_that_brings_somebody_to_both_says_what_it_replaces(
    host: Host,
    ask: Front,
    has: str,
    tmp_path: Path,
    capsys: Any,
) -> None:
    host.manager.add("batman", password=OLD, protocols=[has])
    warning = f"warning: user 'batman': has only {has.upper()} so far and gets both; the given password replaces"
    file = tmp_path / "users.csv"
    for given, expected in ((OLD, False), (NEW, True)):
        file.write_text(f"name,password\nbatman,{given}\nrobin,{given}\n")
        assert ask("import", str(file), "--dry-run") == 0
        assert (warning in capsys.readouterr().err) == expected, given
    assert there(host) == {has: "old"}
    assert ask("import", str(file), "--yes") == 0
    assert warning in capsys.readouterr().err and there(host) == {"ftps": "new", "sftp": "new"}
    assert ask("import", str(file), "--yes") == 0 and capsys.readouterr().err == ""


def test_an_export_says_whose_other_hash_it_leaves_out(host: Host, ask: Front, capsys: Any) -> None:
    host.manager.add("robin", password=OLD)
    host.manager.add("alfred", protocols=["sftp"], authorized_keys=[KEY])
    host.manager.add("batman", password=OLD)
    assert ask("export", "--hashes") == 0 and capsys.readouterr().err == ""
    by_module.change("sftp_user", [User("batman", password=NEW, protocols=("sftp",))], [host.sftp], False)
    assert there(host) == {"ftps": "old", "sftp": "new"}
    assert ask("export") == 0
    assert "warning" not in capsys.readouterr().err, "without hashes importing it replaces none"
    assert ask("export", "--hashes") == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("warning: user 'batman': FTPS and SFTP have different hashes")
    assert dump(host.db)["batman"] in shown.out and "warning" not in shown.out
    assert ask("export", "--hashes", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1


MODULES = {"ftps": "ftp_user", "sftp": "sftp_user"}


def module(host: Host, protocol: str, check_mode: bool = False, **fields: Any) -> list[str]:
    """Run the module of one user and ``protocol``; return its warnings."""
    user = User("batman", **{"protocols": (protocol,), **fields})
    outcome = by_module.change_one(MODULES[protocol], user, host.backends[protocol], check_mode)
    warnings: list[str] = outcome.warnings
    return warnings


@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_module_of_one_protocol_names_the_other_password(
    host: Host,
    protocol: str,
    check_mode: bool,
) -> None:
    other = OTHER[protocol]
    assert module(host, protocol, check_mode, password=OLD) == [], "nobody has the other half"
    host.manager.apply_list([User("batman", password=OLD)])
    assert module(host, protocol, check_mode, password=OLD) == []
    (warning,) = module(host, protocol, check_mode, password=NEW)
    assert warning.startswith(f"user 'batman': keeps another password for {other.upper()}: ")
    assert "ftp-users passwd batman" in warning and NEW not in warning and "$6$" not in warning
    assert there(host) == {protocol: "old" if check_mode else "new", other: "old"}
    if not check_mode:
        assert module(host, protocol, password=NEW) == [], "said when it is changed, not at every run"
        assert module(host, other, password=NEW) == [], "now both have it"


@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
@pytest.mark.parametrize("fields", [{"locked": True}, {"present": False}])
def test_a_module_of_one_protocol_says_that_the_other_one_still_lets_in(
    host: Host,
    protocol: str,
    fields: dict[str, Any],
) -> None:
    host.manager.add("batman", password=OLD)
    (warning,) = module(host, protocol, **fields)
    assert warning.startswith(f"user 'batman': can still log in by {OTHER[protocol].upper()}: ")
    assert warning.endswith("ftp-users lock batman" if "locked" in fields else "ftp-users del batman")
    assert module(host, OTHER[protocol], **fields) == []


def test_a_module_goes_on_where_the_other_half_cannot_be_read(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_arguments: object) -> None:
        raise SecureFtpError("sshd_config", found="cannot read it")

    host.manager.add("batman", password=OLD)
    monkeypatch.setattr(by_module, "reopen", broken)
    assert module(host, "sftp", password=NEW) == [] and there(host) == {"ftps": "old", "sftp": "new"}
    monkeypatch.setattr(by_module, "reopen", lambda *_arguments: None)
    assert module(host, "sftp", password=OLD) == []


@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
def test_a_list_changes_one_half_in_each_task_without_a_warning(host: Host, protocol: str) -> None:
    host.manager.add("batman", password=OLD)
    users = [User("batman", password=NEW)]
    outcome = by_module.change(f"{MODULES[protocol]}s", users, [host.backends[protocol]], False)[protocol]
    assert outcome.warnings == [] and there(host) == {protocol: "new", OTHER[protocol]: "old"}


def test_a_remote_edit_locks_with_everything_else_and_is_logged(host: Host, lines: list[str]) -> None:
    host.manager.add("batman", password=OLD)
    for locked in (True, False):
        lines.clear()
        asked = {"version": 1, "verb": "edit", "name": "batman", "locked": locked, "password": NEW}
        manager = host.manager
        manager._audit = False  # as protocol.py makes it
        session = Session(asked, manager)
        assert session.answer["ok"] and session.answer["result"]["changed"]
        assert session.answer["result"]["user"]["locked"] is locked
        assert dump(host.db)["batman"].startswith("!" if locked else "$") and host.sftp.users["batman"].locked is locked
        assert session.log == ["client='shop' from=192.0.2.7 edit user='batman' result=ok changed"] and lines == []
    assert there(host) == {"ftps": "new", "sftp": "new"}
    again = Session({"version": 1, "verb": "edit", "name": "batman", "locked": False}, host.manager)
    assert again.log == ["client='shop' from=192.0.2.7 edit user='batman' result=ok unchanged"]
    for wrong in ("yes", 1, None):
        refused = Session({"version": 1, "verb": "edit", "name": "batman", "locked": wrong}, host.manager)
        assert refused.code == "invalid" and "locked: expected true or false" in refused.message
        assert refused.log[0].endswith("request result=invalid")


# --- who is locked stays locked ---------------------------------------------------------------------------------------


def by_list(host: Host, protocols: list[str], **fields: Any) -> None:
    """What the modules of lists do, for these protocols."""
    users = [User("batman", **{"protocols": tuple(PROTOCOLS), **fields})]
    by_module.change("ftp_users", users, [host.backends[protocol] for protocol in protocols], False)


@pytest.mark.parametrize("has", ["ftps", "sftp"])
@pytest.mark.parametrize("front", ["edit", "import", "remote edit", "remote add", "ftp_users", "one task each"])
def test_who_is_locked_and_gets_another_protocol_is_locked_in_both(
    host: Host, ask: Front, has: str, front: str, tmp_path: Path
) -> None:
    keys = [KEY] if has == "sftp" else None
    host.manager.add("batman", password=OLD, protocols=[has], authorized_keys=keys)
    host.manager.lock("batman")
    if front.startswith("remote"):
        fields = {"name": "batman", "protocols": PROTOCOLS if front == "remote edit" else [OTHER[has]]}
        session = Session({"version": 1, "verb": front.split()[1], **fields}, host.manager)
        assert session.answer["result"]["user"]["locked"] is True
    elif front == "import":
        (tmp_path / "users.csv").write_text("name,protocols\nbatman,ftps sftp\n")
        assert ask("import", str(tmp_path / "users.csv"), "--yes") == 0
    elif front == "ftp_users":
        by_list(host, ["sftp", "ftps"], password=OLD)
    elif front == "one task each":
        for protocol in ("sftp", "ftps"):
            by_list(host, [protocol], password=OLD)
    else:
        assert ask("edit", "batman", "--protocol", "both") == 0
    assert dump(host.db)["batman"].startswith("!") and host.sftp.users["batman"].locked is True
    assert host.manager.show("batman")["locked"] is True
    host.manager.unlock("batman")
    assert there(host) == {"ftps": "old", "sftp": "old"} and host.sftp.users["batman"].locked is False


@pytest.mark.parametrize("one", PROTOCOLS)
def test_who_is_locked_and_changes_the_protocol_stays_locked(host: Host, ask: Front, one: str, capsys: Any) -> None:
    host.manager.add("batman", password=OLD)
    host.manager.lock("batman")
    for protocol in (one, OTHER[one], "both"):
        assert ask("edit", "batman", "--protocol", protocol) == 0
        assert "still locked" in capsys.readouterr().out and host.manager.show("batman")["locked"] is True


@pytest.mark.parametrize("has", PROTOCOLS)
def test_the_lock_goes_when_it_is_said_and_nobody_else_gets_one(host: Host, has: str) -> None:
    host.manager.add("batman", password=OLD, protocols=[has])
    host.manager.lock("batman")
    by_list(host, ["sftp", "ftps"], password=OLD, locked=False)
    assert host.manager.show("batman")["locked"] is False
    host.manager.delete("batman")
    host.manager.add("batman", password=OLD, protocols=[has])
    by_list(host, ["sftp", "ftps"], password=OLD)
    assert host.manager.show("batman")["locked"] is False
