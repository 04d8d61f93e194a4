# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of both protocols by one module: one transaction, one answer."""
# ruff: noqa: F811

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.testing import patch_module_args
from conftest import HASH, dump

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import MissingDriver, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import backend as ftps_backend
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit, backends, by_module, journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import together
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User
from ansible_collections.secure_ftp.server.plugins.modules import ftp_user, ftp_user_info, ftp_users
from manage.test_manager import KEY, Host, ftps_breaks, host  # noqa: F401  # pylint: disable=unused-import

PASSWORD = "geheim geheim"
Run = Callable[..., "dict[str, Any]"]


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The log of the host."""
    written: list[str] = []
    monkeypatch.setattr(audit, "write", lambda _priority, text: written.append(text.partition(" with=")[2]))
    return written


@pytest.fixture
def run(host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a module on a host that serves both protocols; return its result."""

    def chosen(_where: Any, _ftps: Any, _sftp: Any, protocols: Any, _check: bool = False) -> list[Any]:
        return [host.backends[one] for one in ("sftp", "ftps") if protocols is None or one in protocols]

    def call(module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(module, "chosen", chosen)
        arguments = {"_ansible_check_mode": check, "_ansible_diff": True, **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        output = capsys.readouterr().out
        assert PASSWORD not in output.replace('"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"', "")
        assert "$6$" not in output.replace(HASH, "") and KEY.split()[1] not in output.partition('"invocation"')[0]
        result: dict[str, Any] = json.loads(output)
        return result

    return call


def both(host: Host) -> list[Any]:
    return [host.sftp, host.ftps]


# --- the transaction -----------------------------------------------------------------------------------------------


def test_a_list_is_one_change_of_both_protocols(host: Host, lines: list[str]) -> None:
    users = [User("batman", password=PASSWORD, authorized_keys=(KEY,)), User("alfred", protocols=("sftp",))]
    said = by_module.change("ftp_users", users, both(host), check_mode=True)
    assert said["ftps"].added == ["batman"] and said["sftp"].added == ["batman", "alfred"]
    assert host.state() == ({}, {}) and lines == []
    by_module.change("ftp_users", users, both(host), check_mode=False)
    stored = dump(host.db)
    assert passwords.verify(PASSWORD, stored["batman"]) and host.sftp.users["batman"].password_hash == stored["batman"]
    assert list(stored) == ["batman"] and lines == ["ftp_users apply users='alfred','batman' result=added"]
    again = by_module.change("ftp_users", users, both(host), check_mode=False)
    assert not any(outcome.changed for outcome in again.values()) and len(lines) == 1


def test_a_half_that_fails_takes_the_other_one_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    by_module.change("ftp_users", [User("batman", password=PASSWORD)], both(host), check_mode=False)
    before = host.state()
    users = [User("batman", present=False), User("robin", password=PASSWORD)]
    with ftps_breaks(monkeypatch, SecureFtpError("", found="no space")), pytest.raises(
        SecureFtpError, match="nothing was change"
    ):
        by_module.change("ftp_users", users, both(host), check_mode=False)
    assert host.state() == before and not host.journal.exists() and not (host.jail / "robin").exists()


def test_a_python_that_cannot_write_the_database_is_found_before_anything_is_done(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module runs again under another Python then: accounts must not come, go and come again meanwhile."""

    def missing() -> None:
        raise MissingDriver("", found="no binding")

    monkeypatch.setattr(ftps_backend, "load_driver", missing)
    monkeypatch.setattr(host.sftp, "apply", lambda _plan: pytest.fail("accounts were made"))
    monkeypatch.setattr(journal, "write", lambda *_arguments: pytest.fail("a journal for nothing"))
    with pytest.raises(MissingDriver):
        by_module.change("ftp_users", [User("batman", password=PASSWORD)], both(host), check_mode=False)


def test_directories_go_by_the_protocols_that_say_so(host: Host) -> None:
    users = [User("batman", password=PASSWORD), User("robin", password=PASSWORD)]
    by_module.change("ftp_users", users, both(host), check_mode=False)
    for name, removing, left in (("batman", ["sftp"], True), ("robin", ["ftps", "sftp"], False)):
        gone = by_module.change("ftp_users", [User(name, present=False)], both(host), False, removing)
        assert (host.homes / name).exists() is left
        assert gone["ftps"].homes_removed == ([] if left else [str(host.homes / name)])


@pytest.mark.parametrize("has", ["ftps", "sftp"])
def test_who_gets_one_more_protocol_is_told_whose_password_is_replaced(host: Host, has: str) -> None:
    host.manager.add("batman", password=PASSWORD, protocols=[has])
    for given, warned in ((PASSWORD, 0), ("another long one", 1)):
        outcomes = by_module.change("ftp_users", [User("batman", password=given)], both(host), check_mode=True)
        warnings = together([], outcomes).warnings
        assert len(warnings) == warned and all(f"has only {has.upper()} so far" in one for one in warnings)


def test_who_is_there_keeps_the_protocols_when_asked_and_who_is_new_gets_all(host: Host) -> None:
    host.manager.add("batman", password=PASSWORD, protocols=["ftps"])
    users = [User("batman", locked=True), User("robin", password=PASSWORD)]
    by_module.change("ftp_user", users, both(host), check_mode=False, keep_halves=True)
    assert dump(host.db)["batman"].startswith("!") and set(host.sftp.users) == {"robin"}
    assert set(dump(host.db)) == {"batman", "robin"}


def test_outcomes_of_both_protocols_are_one() -> None:
    ftps = Outcome("db", ["new"], {"ann": ["password"], "bob": ["locked"]}, ["cid", "dan"], homes=["/f/new"])
    sftp = Outcome("group", ["new", "eve"], {"ann": ["password", "shell"]}, ["dan"], homes=["/s/new"], warnings=["w"])
    users = [User(name) for name in ("new", "ann", "bob", "cid", "eve", "same")] + [User("dan", present=False)]
    whole = together(users, {"sftp": sftp, "ftps": ftps})
    assert (whole.added, whole.removed, whole.unchanged) == (["eve", "new"], ["dan"], ["same"])
    assert whole.changed_users == {"ann": ["password", "shell"], "bob": ["locked"], "cid": ["no ftps any more"]}
    assert whole.homes == ["/s/new", "/f/new"] and whole.warnings == ["w"]
    assert together(users, {"ftps": ftps}) is ftps


# --- where users are -----------------------------------------------------------------------------------------------


def test_a_module_is_about_what_is_named_or_what_the_host_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, vsftpd = tmp_path / "sshd_config", tmp_path / "vsftpd.conf"
    monkeypatch.setattr(backends, "CONFIGS", (str(vsftpd),))

    def protocols(db: str | None = None, asked: list[str] | None = None, **sftp: Any) -> list[str]:
        where = {"db": db, "config": str(vsftpd) if vsftpd.exists() and not db else None}
        found = backends.chosen(where, Rules(), {"config": str(config), **sftp}, asked)
        return [one.protocol for one in found]

    with pytest.raises(SecureFtpError, match="db: not given"):
        protocols()
    assert protocols(db="/srv/users") == ["ftps"]
    assert protocols(db="/srv/users", asked=["ftps", "sftp"]) == ["sftp", "ftps"]
    config.write_text(with_jail("", Jail("sftponly", "/home/sftp", "/etc/ssh/keys")))
    assert protocols() == ["sftp"] and protocols(db="/srv/users") == ["ftps"]
    assert protocols(group="sftponly") == ["sftp"]
    vsftpd.write_text("pam_service_name=none\n")
    with pytest.raises(SecureFtpError, match="db: not given"):
        protocols()
    config.write_text("Port 22\n")
    assert protocols(asked=["sftp"]) == ["sftp"]


# --- the modules ---------------------------------------------------------------------------------------------------


def test_one_user_of_both_protocols_comes_stays_changes_and_goes(run: Run, host: Host) -> None:
    steps = [
        ({"password": PASSWORD}, True, ["added to ftps", "added to sftp", "password", "home"]),
        ({"password": PASSWORD}, False, []),
        ({"authorized_keys": [KEY]}, True, ["something"]),
        ({"locked": True}, True, ["something", "locked"]),
        ({"locked": False, "password": PASSWORD}, True, ["something", "unlocked"]),
        ({"protocols": ["ftps"]}, True, ["no sftp any more"]),
        ({"locked": True}, True, ["locked"]),
        ({"protocols": ["sftp"], "password_hash": HASH}, True, ["added to sftp", "no ftps any more", "password"]),
        ({"state": "absent"}, True, ["no sftp any more"]),
        ({"state": "absent"}, False, []),
    ]
    for options, changed, changes in steps:
        said = run(ftp_user, check=True, name="batman", **options)
        result = run(ftp_user, name="batman", **options)
        assert not result.get("failed"), (options, result)
        assert (said["changed"], result["changed"]) == (changed, changed), options
        assert said["changes"] == result["changes"] == changes, options
        assert [part["before_header"] for part in result["diff"]][1:] == [str(host.db)]
    assert host.state() == ({}, {})
    assert result["homes"] == {"ftps": str(host.homes / "batman"), "sftp": str(host.jail / "batman")}
    assert result["home"] == str(host.homes / "batman") and result["db"] == str(host.db)


def test_the_list_reports_who_by_both_protocols(run: Run, host: Host) -> None:
    host.manager.add("old", password=PASSWORD)
    host.manager.add("lock", password_hash=HASH)
    users = [
        {"name": "old", "state": "absent"},
        {"name": "lock", "locked": True},
        {"name": "new", "password": PASSWORD},
        {"name": "key", "protocols": ["sftp"], "authorized_keys": [KEY]},
    ]
    for check in (True, False):
        result = run(ftp_users, check=check, users=users)
        assert (result["added"], result["removed"], result["unchanged"]) == (["key", "new"], ["old"], [])
        assert result["locked"] == ["lock"] and result["protocols"] == ["sftp", "ftps"]
    assert set(dump(host.db)) == {"lock", "new"} and set(host.sftp.users) == {"lock", "new", "key"}
    again = run(ftp_users, users=users)
    assert not again["changed"] and again["unchanged"] == ["old", "lock", "new", "key"]
    alone = run(ftp_users, users=[{"name": "new", "password": "another long one"}], protocols=["ftps"])
    assert alone["changed_users"] == ["new"] and alone["protocols"] == ["ftps"] and "diff" in alone
    assert host.sftp.users["new"].password_hash != dump(host.db)["new"]


def test_info_tells_of_both_protocols_and_no_secret(run: Run, host: Host) -> None:
    host.manager.add("batman", password=PASSWORD, authorized_keys=[KEY])
    host.manager.add("alfred", protocols=["sftp"], authorized_keys=[KEY])
    host.manager.add("oracle", protocols=["ftps"], password_hash=HASH, locked=True)
    result = run(ftp_user_info)
    users = {user["name"]: user for user in result["users"]}
    assert [(user["name"], user["protocols"]) for user in result["users"]] == [
        ("alfred", ["sftp"]),
        ("batman", ["ftps", "sftp"]),
        ("oracle", ["ftps"]),
    ]
    assert users["batman"]["ftps"] == {
        "scheme": "sha512_crypt",
        "locked": False,
        "home": str(host.homes / "batman"),
        "access": "read_write",
        "umask": "default",
        "ftps_max_rate": 0,
        "obeys_account": False,
    }
    assert (users["batman"]["access"], users["alfred"]["ftps_max_rate"]) == ("read_write", None)
    assert users["batman"]["sftp"]["keys"] == 1 and users["batman"]["home"] == str(host.homes / "batman")
    assert (users["alfred"]["scheme"], users["alfred"]["ftps"]) == (None, None) and users["oracle"]["locked"]
    assert result["db"] == str(host.db) and result["plaintext"] == [] and HASH not in json.dumps(result)
    assert [user["name"] for user in run(ftp_user_info, name="alfred")["users"]] == ["alfred"]
