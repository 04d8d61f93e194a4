# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules, as Ansible runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from conftest import HASH, dump, load

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run as adapter
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import warn
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import update
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.modules import ftp_user, ftp_user_info, ftp_users

Run = Callable[..., "dict[str, Any]"]
REPOSITORY = Path(__file__).resolve().parents[3]


def tool(name: str) -> str:
    """A program of Ansible: beside the interpreter, or of .venv when this one is only a host's, as Python 3.8."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{REPOSITORY}/.venv/bin") or name


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], db: Path) -> Run:
    """Run a module on the database, without directories; return its result."""

    def call(module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        if module is not ftp_user_info:
            options = {"create_home": False, **options}
        arguments = {"db": str(db), "_ansible_check_mode": check, "_ansible_diff": True, **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        output = capsys.readouterr().out
        assert "geheim geheim" not in output.replace('"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"', "")
        result: dict[str, Any] = json.loads(output)
        return result

    return call


EVIL = "bat\u202eman\x1b[2J\nroot"


def test_what_others_wrote_is_shown_and_moves_nothing(
    run: Run, db: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "bat\\u202eman\\x1b[2J"
    update(str(db), lambda _view: {EVIL.encode(): HASH.encode(), b"batman": HASH.encode()})
    result = run(ftp_users, users=[{"name": "batman", "password_hash": HASH}], purge=True)
    assert result["removed"] == [EVIL] and result["diff"]["before"] == f"{shown}\\nroot\n"

    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, warning: warnings.append(warning))

    def logic(module: AnsibleModule) -> dict[str, Any]:
        warn(module, [EVIL])
        raise SecureFtpError("", found=EVIL, state="removed batman")

    with patch_module_args({}), pytest.raises(SystemExit):
        adapter({"argument_spec": {}}, logic)
    failed = json.loads(capsys.readouterr().out)
    assert warnings == [f"{shown}\nroot"] and failed["msg"] == f"{shown}\nroot; removed batman"
    assert failed["changed"] is True  # something was, before it failed


def test_one_user_comes_stays_changes_and_goes(run: Run, db: Path) -> None:
    steps = [
        ({"password": "geheim geheim-1"}, True),
        ({"password": "geheim geheim-1"}, False),
        ({}, False),
        ({"password": "geheim geheim-2"}, True),
        ({"password": "geheim geheim-3", "update_password": "on_create"}, False),
        ({"password_hash": HASH}, True),
        ({"password_hash": HASH}, False),
        ({"state": "absent"}, True),
        ({"state": "absent"}, False),
    ]
    for options, changed in steps:
        assert run(ftp_user, check=True, name="batman", **options)["changed"] == changed, options
        result = run(ftp_user, name="batman", **options)
        assert result.get("changed") == changed and not result.get("failed"), (options, result)
    assert dump(db) == {}


def test_the_changes_of_a_user_say_what_was_made_and_no_secret(run: Run) -> None:
    made = run(ftp_user, name="batman", password="geheim geheim", locked=True)
    assert made["changes"] == ["added to ftps", "password", "locked"]
    assert run(ftp_user, name="batman", locked=False)["changes"] == ["unlocked"]
    assert run(ftp_user, name="batman", state="absent")["changes"] == ["no ftps any more"]
    assert run(ftp_user, name="batman", state="absent")["changes"] == []


def test_the_plural_reports_who(run: Run, db: Path) -> None:
    load(db, {"old": HASH, "same": HASH})
    users = [
        {"name": "same", "password_hash": HASH},
        {"name": "new", "password": "geheim geheim", "authorized_keys": []},
        {"name": "sftp-only", "protocols": ["sftp"]},
    ]
    for check in (True, False):
        result = run(ftp_users, check=check, users=users, purge=True)
        assert result["changed"]
        assert (result["added"], result["removed"], result["unchanged"]) == (["new"], ["old"], ["same"])
        assert result["diff"]["before"] == "old\n" and result["diff"]["after"] == "new\n"
    assert set(dump(db)) == {"same", "new"}
    assert not run(ftp_users, users=users, purge=True)["changed"]


def test_the_plural_says_whether_pam_expects_hashes(
    run: Run, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(db, {"batman": HASH})
    service = tmp_path / "pam.d" / "vsftpd.virtual"
    service.parent.mkdir()
    config = tmp_path / "vsftpd.conf"
    config.write_text("pam_service_name=vsftpd.virtual\n")
    assert discover.__defaults__
    monkeypatch.setattr(discover, "__defaults__", (*discover.__defaults__[:-1], str(service.parent)))
    for crypt, expected in ((" crypt=crypt", True), ("", False)):
        lines = (f"{kind} required pam_userdb.so db={db.with_suffix('')}{crypt}" for kind in ("auth", "account"))
        service.write_text("\n".join(lines) + "\n")
        told = (run(ftp_users, users=[], config=str(config)), run(ftp_user_info, config=str(config)))
        found = {result["pam_crypt"] for result in told}
        assert found == {expected}
    service.unlink()
    assert run(ftp_users, users=[], config=str(config))["pam_crypt"] is None


def test_purge_is_off_unless_asked(run: Run, db: Path) -> None:
    load(db, {"old": HASH})
    assert not run(ftp_users, users=[])["changed"] and dump(db) == {"old": HASH}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"users": [{"name": "x", "password": 12}]}, "'x': password: expected a string, found a number"),
        ({"users": [{"name": 7, "password": "yyyyyyyyyyyy"}]}, "user name 7: expected a string"),
        (
            {"users": [{"name": "x", "password": "geheim geheim"}, {"name": "x"}]},
            "listed twice",
        ),
        ({"users": [{"name": "x"}]}, "expected password or password_hash"),
        ({"users": [{"name": "x", "password_hash": "plain"}]}, "password_hash"),
        ({"users": [], "db": "relative"}, "absolute path"),
        ({"users": [], "config": "/nonexistent"}, "correct the path"),
        ({"users": [], "rounds": 123456}, "rounds"),
    ],
)
def test_errors_reach_the_operator(run: Run, options: dict[str, Any], rule: str) -> None:
    result = run(ftp_users, **options)
    assert result["failed"] and rule in result["msg"]


def test_the_token_is_the_user_not_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "operator")
    options = {"local_root": f"{tmp_path}/homes/$USER", "guest_username": "nobody", "create_home": True}
    result = run(ftp_user, name="batman", password="geheim geheim", **options)
    assert result["home"] == f"{tmp_path}/homes/batman" and os.listdir(tmp_path / "homes") == ["batman"]


def test_info_never_returns_a_secret(run: Run, db: Path) -> None:
    load(db, {"batman": HASH, "robin": "geheim-plain"})
    result = run(ftp_user_info)
    assert [user["name"] for user in result["users"]] == ["batman", "robin"] and result["plaintext"] == ["robin"]
    assert HASH not in json.dumps(result) and not result["changed"]
    assert [user["scheme"] for user in run(ftp_user_info, name="robin")["users"]] == ["plaintext"]


def test_a_damaged_database_is_salvaged_on_request(run: Run, db: Path) -> None:
    load(db, {f"user{number}": HASH for number in range(500)})
    with db.open("r+b") as file:
        file.write(bytes(600))
    users = [{"name": "batman", "password_hash": HASH}]
    assert run(ftp_users, users=users)["failed"]
    predicted = run(ftp_users, users=users, salvage=True, check=True)
    assert predicted["changed"] and predicted["salvaged"]["records"] == 500
    result = run(ftp_users, users=users, salvage=True)
    assert result["salvaged"]["records"] == 500 and Path(result["salvaged"]["kept"]).exists()
    assert len(dump(db)) == 501
    assert not run(ftp_users, users=users, salvage=True)["changed"]


def test_through_ansible_itself_no_secret_is_shown(db: Path) -> None:
    command = [
        tool("ansible"),
        "localhost",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-vvv",
        "-D",
        "-m",
        "secure_ftp.server.ftp_user",
    ]
    command += ["-a", f"name=batman password=geheim-adhoc db={db} create_home=false"]
    for changed in ("CHANGED", "SUCCESS"):
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
        assert changed in done.stdout, done.stdout + done.stderr
        assert "geheim-adhoc" not in done.stdout.replace(command[-1], "") and "$6$" not in done.stdout
    assert list(dump(db)) == ["batman"]


@pytest.mark.parametrize("module", [ftp_user, ftp_users, ftp_user_info])
def test_documentation_and_argument_spec_agree(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "run", lambda arguments, _logic: specs.append(arguments["argument_spec"]))
    module.main()
    name = module.__name__.rsplit(".", 1)[-1]
    documented = subprocess.run(
        [tool("ansible-doc"), "-j", f"secure_ftp.server.{name}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    options = json.loads(documented.stdout)[f"secure_ftp.server.{name}"]["doc"]["options"]
    _compare(specs[0], options)
    assert isinstance(list(yaml.safe_load_all(module.EXAMPLES)), list)


def _compare(spec: dict[str, Any], options: dict[str, Any]) -> None:
    assert set(spec) == set(options)
    for name, entry in spec.items():
        for key, default in (
            ("type", "str"),
            ("choices", None),
            ("default", None),
            ("required", False),
            ("elements", None),
        ):
            assert entry.get(key, default) == options[name].get(key, default), f"{name}: {key}"
        if "options" in entry:
            _compare(entry["options"], options[name]["suboptions"])
