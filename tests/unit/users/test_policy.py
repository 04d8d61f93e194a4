# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest password an operator allows holds on every front; hashes are exempt."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt as source
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import manager as manage
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks
from ansible_collections.secure_ftp.server.plugins.module_utils._users import policy
from ansible_collections.secure_ftp.server.plugins.modules import ftp_user, ftp_users, sftp_user, sftp_users

ROOT = Path(__file__).resolve().parents[3]
SHORT = "elevenchars"
RULE = "expected at least 12 characters"


def fail(module: Any, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    with patch_module_args({"_ansible_check_mode": True, **options}), pytest.raises(SystemExit):
        module.main()
    return str(json.loads(capsys.readouterr().out).get("msg", ""))


@pytest.mark.parametrize("module", [ftp_user, ftp_users, sftp_user, sftp_users])
def test_modules_refuse_a_short_password(module: Any, capsys: pytest.CaptureFixture[str], db: Path) -> None:
    place = {"db": str(db), "create_home": False} if module in (ftp_user, ftp_users) else {}
    user = {"name": "batman", "password": SHORT}
    options: dict[str, Any] = {"users": [user], **place} if module in (ftp_users, sftp_users) else {**user, **place}
    assert RULE in fail(module, capsys, **options)
    assert "expected at least 14" in fail(module, capsys, **options, password_min_length=14)
    assert "characters" not in fail(module, capsys, **options, password_min_length=11)
    assert "1 to 64, found 0" in fail(module, capsys, **options, password_min_length=0)


def test_the_check_before_a_run_refuses_it() -> None:
    host, users = checks.Host("debian", "12"), [{"name": "batman", "password": SHORT}]
    (problem,) = checks.problems(Settings(), users, host)
    said = str(problem)
    assert RULE in said and SHORT not in said and "ftp_users_password_min_length" in said
    assert checks.problems(Settings.parse({"ftp_users_password_min_length": "11"}), users, host) == []
    assert checks.problems(Settings(), [{"name": "batman", "password_hash": HASH}], host) == []
    (problem,) = checks.problems(Settings.parse({"ftp_users_password_min_length": "many"}), [], host)
    assert "ftp_users_password_min_length: expected a number from 1 to 64" in str(problem)


def test_manager_and_the_sources_of_the_command_refuse_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text(f"{policy.MIN_LENGTH} = 12\n")
    monkeypatch.setattr(manage, "min_length", lambda: policy.min_length(str(file)))
    with pytest.raises(SecureFtpError, match=RULE):
        manage.Manager().expect_new("batman", password=SHORT)
    for read in (
        lambda least: source.from_stream(io.StringIO(SHORT), "batman", least),
        lambda least: source.from_terminal("batman", lambda prompt: SHORT, least),
    ):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        with pytest.raises(SecureFtpError, match=RULE):
            read(12)
        assert read(11) == SHORT
    assert len(source.generate(30)) == 30 and len(source.generate(1)) == source.GENERATED_LENGTH


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("", 12),
        ("# made\npassword_min_length = 20\n", 20),
        ("password_min_length=8", 8),
        ("# password_min_length = 3\nother = x\n", 12),
    ],
)
def test_the_file_of_the_command(tmp_path: Path, text: str, least: int) -> None:
    file = tmp_path / "conf"
    assert policy.min_length(str(file)) == 12
    file.write_text(text)
    file.chmod(0o644)
    assert policy.min_length(str(file)) == least


@pytest.mark.parametrize("value", ["", "0", "65", "-1", "twelve", "9999999", "1 2"])
def test_a_file_that_says_something_else_lets_nothing_pass(tmp_path: Path, value: str) -> None:
    file = tmp_path / "conf"
    file.write_text(f"password_min_length = {value}\n")
    with pytest.raises(SecureFtpError, match="password_min_length: expected a number from 1 to 64"):
        policy.min_length(str(file))


def test_a_file_others_may_change_lets_nothing_pass(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text("password_min_length = 1\n")
    file.chmod(0o666)
    with pytest.raises(SecureFtpError, match="a file that only root can change, found one that others can change"):
        policy.min_length(str(file))
    file.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
        with pytest.raises(SecureFtpError, match="a file that only root can change, found one that others can change"):
            policy.min_length(str(file))


def test_the_role_writes_the_file_the_command_reads() -> None:
    (task, *_others) = [
        task["secure_ftp.server.system_files"]
        for task in yaml.safe_load((ROOT / "roles/user_command/tasks/main.yml").read_text())
        if "secure_ftp.server.system_files" in task
    ]
    assert task["files"] == "{{ __user_command_files }}"
    files = yaml.safe_load((ROOT / "roles/user_command/vars/main.yml").read_text())["__user_command_files"]
    (file,) = [file for file in files if file["path"] == policy.PATH]
    assert f"\n{policy.MIN_LENGTH} = {{{{ ftp_users_password_min_length | default(12) | int }}}}" in file["content"]
    assert policy.DEFAULT_MIN_LENGTH == 12
