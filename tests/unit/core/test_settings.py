# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the public variables is that of the roles, and what they say is read once, in one way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, NotPermitted, Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import (
    HIDDEN,
    NAMES,
    PUBLIC,
    READS,
    ROLES,
    TABLE,
    Settings,
    default_of,
    names_for,
)

ROOT = Path(__file__).resolve().parents[3]
TYPES = {"bool": bool, "int": int, "str": str, "path": str, "list": tuple, "dict": dict}


def options(role: str) -> dict[str, dict[str, Any]]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
    found: dict[str, dict[str, Any]] = spec["argument_specs"]["main"]["options"]
    return found


SPECS = {name: option for role in ROLES for name, option in options(role).items()}


def test_the_table_is_that_of_the_roles() -> None:
    assert set(ROLES) == {path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    site = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    assert [f"secure_ftp.server.{role}" for role in ROLES] == [role["role"] for role in site[0]["roles"]]
    assert {"ftp_users", "ftp_hosts"} == PUBLIC - NAMES
    assert NAMES ^ set(SPECS) == {"ftp_users", "ftp_other_variables"}, "the table of _core/settings.py"


@pytest.mark.parametrize("one", TABLE, ids=lambda one: one.name)
def test_type_default_choices_and_secrecy_are_those_of_the_role(one: Any) -> None:
    spec = SPECS.get(one.name) or {"type": "list", "default": []}  # ftp_other_variables belongs to no role
    default = spec["default"]
    kind = spec.get("type", "str")
    assert isinstance(default_of(one), TYPES[kind]) and isinstance(default_of(one), bool) == (kind == "bool")
    assert default_of(one) == (tuple(default) if isinstance(default, list) else default)
    if spec.get("type") != "list":
        assert set(one.metadata.get("choices", ())) == set(spec.get("choices", ()))
    assert not spec.get("no_log") or one.name in HIDDEN


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("vsftpd_port", "2121", 2121),
        ("vsftpd_port", 2121, 2121),
        ("vsftpd_listen", "no", False),
        ("vsftpd_tls_modes", ["implicit"], ("implicit",)),
        ("vsftpd_pasv_address", None, ""),
        ("sshd_chroot_group", 7, "7"),
        ("vsftpd_options", {"ftpd_banner": "hello"}, {"ftpd_banner": "hello"}),
        ("firewall_backend", "none", "none"),
    ],
)
def test_values_are_read_as_their_type(name: str, given: object, value: object) -> None:
    settings = Settings.parse({name: given, "unknown": 1})
    assert getattr(settings, name) == settings.get(name) == value
    assert settings.given == {name} and not settings.wrong


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("vsftpd_port", "ftp", "vsftpd_port: expected a port from 1 to 65535, found 'ftp'"),
        ("vsftpd_max_per_ip", True, "vsftpd_max_per_ip: expected a whole number, found true"),
        ("vsftpd_listen", "maybe", "vsftpd_listen: expected true or false, found 'maybe'"),
        ("firewall_extra_rules", 7, "firewall_extra_rules: expected a list of rules, found 7"),
        ("vsftpd_options", [], "vsftpd_options: expected a mapping, found a list"),
        ("pam_userdb_db", None, "pam_userdb_db: expected an absolute path, found nothing (an empty value)"),
        ("firewall_backend", "iptables", "firewall_backend: expected one of ufw, azure_nsg, none, found 'iptables'"),
        ("vsftpd_private_key_content", ["secret"], "vsftpd_private_key_content: expected text, found a list"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_the_default_stands_in(name: str, given: object, said: str) -> None:
    settings = Settings.parse({name: given})
    assert [str(problem) for problem in settings.problems(lambda one: one == name)] == [said]
    assert getattr(settings, name) == getattr(Settings(), name)
    assert settings.problems(lambda one: one != name) == []


def test_a_role_alone_reads_its_own_variables_and_some_of_others() -> None:
    assert names_for(()) == {name for name in NAMES if name.startswith("ftp_")} | {"sshd_chroot_group"}
    assert names_for(ROLES) == NAMES
    assert {"pam_userdb_db", *READS["pam_userdb"]} < names_for(["pam_userdb"])
    assert "vsftpd_port" not in names_for(["pam_userdb"])
    alone = Settings.parse({"pam_userdb_db": "/srv/u.db"}, ["pam_userdb"])
    assert alone.get("vsftpd_pam_service") == "vsftpd.virtual" and alone.get("vsftpd_port") is None


def test_a_problem_is_a_sentence_only_when_it_is_printed() -> None:
    problem = Problem("vsftpd_port", "a port", "'ftp'", "choose another")
    assert str(problem) == "vsftpd_port: expected a port, found 'ftp'; choose another"
    assert str(Problem("user 'x'", found="is gone")) == "user 'x': is gone"
    assert str(Problem("", found="no more than words")) == "no more than words"


def test_an_error_is_a_problem_that_is_raised() -> None:
    problem = Problem("vsftpd_port", "a port", "'ftp'", "choose another")
    error = InvalidInput("vsftpd_port", "a port", found="'ftp'", remedy="choose another", state="one user was added")
    assert (error.problem, str(error)) == (problem, f"{problem}; one user was added")
    again = NotPermitted.of(problem)
    assert (again.code, again.problem, str(again)) == ("not_permitted", problem, str(problem))


def test_a_problem_of_a_part_is_one_of_the_whole_and_may_have_several_remedies() -> None:
    problem = Problem("user 'x'", found="is gone").about("ftp_users")
    twice = problem.also("add it").also("or leave it out")
    assert str(twice) == "ftp_users: user 'x': is gone; add it; or leave it out"
    assert Problem("", found="is gone").about("ftp_users").subject == "ftp_users"
