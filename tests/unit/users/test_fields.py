# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every front knows every field of a user."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secure_ftp.server.plugins.doc_fragments.person import ModuleDocFragment
from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.options import person_options
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import protocol
from ansible_collections.secure_ftp.server.plugins.module_utils._users import fields as _fields
from ansible_collections.secure_ftp.server.plugins.module_utils._users import formats
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import Person, person_from_options

ROOT = Path(__file__).resolve().parents[3]
ALL = set(_fields.NAMES)
VALUES: dict[str, Any] = {
    "name": "batman",
    "state": "present",
    "password": "Gotham-City!",
    "protocols": ["ftps"],
    "authorized_keys": [],
    "locked": True,
}


def role_options(role: str) -> dict[str, Any]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    options: dict[str, Any] = spec["argument_specs"]["main"]["options"]["ftp_users"]["options"]
    return options


def test_the_table_is_what_a_user_is() -> None:
    assert {"state" if name == "present" else name for name in Person._fields} == ALL


def test_the_check_before_a_run_knows_every_field() -> None:
    host = checks.Host("debian", "12")
    for hidden in ("password", "password_hash"):
        users = [{key: value for key, value in VALUES.items() if key != hidden}]
        assert checks.check_users(users, {}, host) == []
    assert set(VALUES) == ALL - {"password_hash"}


@pytest.mark.parametrize("given", [True, False, "yes", "True", "no", None])
def test_the_check_takes_the_switches_that_the_modules_take(given: object) -> None:
    users = [{"name": "b-lock", "password": "Sommer2026!!", "locked": given}]
    assert checks.check_users(users, {}, checks.Host("debian", "12")) == []


def test_a_switch_that_is_none_is_a_problem() -> None:
    users = [{"name": "b-lock", "password": "Sommer2026!!", "locked": "perhaps"}]
    (problem,) = checks.check_users(users, {}, checks.Host("debian", "12"))
    assert "locked: expected true or false, found 'perhaps'" in problem


def test_the_modules_take_every_field() -> None:
    assert set(person_options()) == ALL
    for module, missing in (("ftp_user", {"protocols", "authorized_keys"}), ("sftp_user", {"protocols"})):
        found = importlib.import_module(f"ansible_collections.secure_ftp.server.plugins.modules.{module}")
        assert set(found._PERSON) == ALL - missing, module


def test_every_field_is_documented_with_its_choices() -> None:
    one = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    many = yaml.safe_load(ModuleDocFragment.USERS)["options"]["users"]["suboptions"]
    role = role_options("sshd_chroot")
    assert set(one) == ALL - {"protocols", "authorized_keys"} and set(many) == set(role) == ALL
    for field in _fields.FIELDS:
        for options in (one, many, role):
            assert tuple(options.get(field.name, {}).get("choices", field.choices)) == field.choices, field.name
    assert {name for name, option in role.items() if option.get("no_log")} == ALL - set(_fields.PUBLIC)
    assert {name for name, option in person_options().items() if option.get("no_log")} == ALL - set(_fields.PUBLIC)


def test_remote_control_adds_with_every_field() -> None:
    kinds = {_fields.TEXT: "string", _fields.LIST: "list of strings", _fields.SWITCH: "boolean"}
    taken = protocol.VERBS["add"].fields
    assert set(taken) == ALL - {"state"}
    for field in _fields.FIELDS:
        if field.name in taken:
            assert taken[field.name].kind == kinds[field.kind] and taken[field.name].choices == field.choices


def test_files_have_every_field() -> None:
    assert set(formats.COLUMNS) == ALL - {"state"}
    text = ",".join(formats.COLUMNS) + "\nbatman,ftps,yes,Gotham-City!,,\n"
    (entry,), _skipped = formats.entries(text, None, "people.csv")
    assert set(entry) == ALL - {"state"} and entry["locked"] is True


def test_the_example_and_the_manual_page_know_every_field() -> None:
    example = (ROOT / "inventories/example/group_vars/all/ftp_users.yml").read_text()
    manual = (ROOT / "roles/user_command/files/ftp-users.8").read_text()
    assert {name for name in ALL if f"{name}:" not in example} == set()
    assert {name for name in formats.COLUMNS if name not in manual} == set()


def test_a_field_of_every_kind_reaches_the_user() -> None:
    person = person_from_options(VALUES)
    assert person == Person("batman", True, "Gotham-City!", None, ("ftps",), (), True)
