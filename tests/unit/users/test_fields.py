# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every front knows every field of a user."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secure_ftp.server.plugins.doc_fragments.user import ModuleDocFragment
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import person_options
from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import protocol, schema
from ansible_collections.secure_ftp.server.plugins.module_utils._users import fields as _fields
from ansible_collections.secure_ftp.server.plugins.module_utils._users import formats
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, user_from_options

ROOT = Path(__file__).resolve().parents[3]
ALL = set(_fields.NAMES)
VALUES: dict[str, Any] = {
    "name": "batman",
    "state": "present",
    "password": "Gotham-City!",
    "protocols": ["ftps"],
    "authorized_keys": [],
    "locked": True,
    "access": "read_only",
    "umask": "0027",
    "ftps_max_rate": "2M",
    "comment": "Wayne Enterprises, bruce@example.net",
    "expires": "2027-01-31",
    "allowed_sources": ["192.0.2.0/24", "2001:db8::1"],
    "quota": "10G",
    "quota_files": "10000",
}


def role_options(role: str) -> dict[str, Any]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    options: dict[str, Any] = spec["argument_specs"]["main"]["options"]["ftp_users"]["options"]
    return options


def test_the_table_is_what_a_user_is() -> None:
    assert {"state" if name == "present" else name for name in User._fields} == ALL


def test_the_check_before_a_run_knows_every_field() -> None:
    host = checks.Host("debian", "12", gives_accounts=True)
    for hidden in ("password", "password_hash"):
        users = [{**{key: value for key, value in VALUES.items() if key != hidden}, "protocols": ["ftps", "sftp"]}]
        assert checks.check_users(users, Settings(), host) == []
    assert set(VALUES) == ALL - {"password_hash"}


@pytest.mark.parametrize("given", [True, False, "yes", "True", "no", None])
def test_the_check_takes_the_switches_that_the_modules_take(given: object) -> None:
    users = [{"name": "b-lock", "password": "Sommer2026!!", "locked": given}]
    assert checks.check_users(users, Settings(), checks.Host("debian", "12")) == []


def test_a_switch_that_is_none_is_a_problem() -> None:
    users = [{"name": "b-lock", "password": "Sommer2026!!", "locked": "perhaps"}]
    (problem,) = checks.check_users(users, Settings(), checks.Host("debian", "12"))
    assert "locked: expected true or false, found 'perhaps'" in str(problem)


def test_the_modules_take_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(person_options()) == ALL
    for module, missing in (("ftp_user", set()), ("sftp_user", {"protocols", "ftps_max_rate"})):
        found = importlib.import_module(f"ansible_collections.secure_ftp.server.plugins.modules.{module}")
        specs: list[dict[str, Any]] = []
        monkeypatch.setattr(found, "run", lambda arguments, _logic, specs=specs: specs.append(arguments))
        found.main()
        spec = specs[0]["argument_spec"]
        assert {name: spec.get(name) for name in ALL - missing} == {
            name: option for name, option in person_options().items() if name not in missing
        }, module


def test_every_field_is_documented_with_its_choices() -> None:
    one = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    many = yaml.safe_load(ModuleDocFragment.USERS)["options"]["users"]["suboptions"]
    role = role_options("sshd_chroot")
    assert set(one) == ALL - {"protocols", "authorized_keys", "ftps_max_rate"} and set(many) == set(role) == ALL
    for field in _fields.FIELDS:
        for options in (one, many, role):
            assert tuple(options.get(field.name, {}).get("choices", field.choices)) == field.choices, field.name
    assert {name for name, option in role.items() if option.get("no_log")} == ALL - set(_fields.PUBLIC)
    assert {name for name, option in person_options().items() if option.get("no_log")} == ALL - set(_fields.PUBLIC)


@pytest.mark.parametrize("verb", ["add", "edit"])
def test_remote_control_takes_every_field(verb: str) -> None:
    wishes = {"no_password"} if verb == "add" else set()
    assert set(schema.VERBS[verb].fields) == ALL - {"state"} | wishes
    given = {key: value for key, value in VALUES.items() if key != "state"}
    request = {"version": 1, "verb": verb, **given}
    assert protocol.parse(json.dumps(request).encode()) == (verb, given)


def test_files_take_every_field_and_give_it_back() -> None:
    assert set(formats.COLUMNS) == ALL - {"state"}
    user = {**VALUES, "password_hash": "$6$x$y", "authorized_keys": ["ssh-ed25519 A a", "ssh-ed25519 B b"]}
    text = formats.to_csv([user])
    (entry,) = formats.FORMATS["csv"](text, "users.csv")
    assert {**entry, "password": user["password"], "state": "present"} == user


def test_the_command_and_the_clients_know_every_field() -> None:
    """Those of a user are options; the password has ways of its own, and a user who is there has no state."""
    known = {"name", "state", "password", "password_hash"}
    options = {option for one in command.parser()._actions for option in one.option_strings}
    for action in command.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            options = {option for one in action.choices["add"]._actions for option in one.option_strings}
    assert {field.name for field in _fields.FIELDS if field.option not in options} == known
    asked = {name for verb in schema.VERBS.values() for name in verb.fields}
    for client in ("python/ftp_users_client.py", "php/FtpUsers.php"):
        text = (ROOT / "clients" / client).read_text()
        assert [name for name in asked if name not in text] == [], client
    for client in ("python/ftp_users_client.py", "php/ftp-users.php"):
        text = (ROOT / "clients" / client).read_text()
        assert "--no-password" in text and '"no_password"' in text.replace("'", '"'), client


def test_the_example_and_the_manual_page_know_every_field() -> None:
    example = (ROOT / "inventories/example/group_vars/all/ftp_users.yml").read_text()
    manual = (ROOT / "roles/user_command/files/ftp-users.8").read_text()
    assert {name for name in ALL if f"{name}:" not in example} == set()
    assert {name for name in formats.COLUMNS if name not in manual} == set()


def test_a_field_of_every_kind_reaches_the_user() -> None:
    user = user_from_options(VALUES)
    rights = ("read_only", "0027", 2097152, "Wayne Enterprises, bruce@example.net", "2027-01-31")
    rights = (*rights, ("192.0.2.0/24", "2001:db8::1"), 10 << 30, 10000)
    assert user == User("batman", True, "Gotham-City!", None, ("ftps",), (), True, *rights)
