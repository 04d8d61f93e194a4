# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelled names are found before anything is touched, and remove nobody."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from conftest import load

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import PUBLIC, Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks, collections
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import variables as _variables

ROOT = Path(__file__).resolve().parents[3]
HOST = checks.Host("debian", "12")
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
needs_ansible = pytest.mark.skipif(not PLAYBOOK.exists(), reason="playbooks run on the control machine")


def problems(variables: dict[str, Any], users: object, control: checks.Control) -> list[str]:
    return list(map(str, checks.problems(Settings.parse(variables), users, HOST, control)))


def names(variables: dict[str, Any], defined: list[str]) -> list[str]:
    return list(map(str, _variables.problems(Settings.parse(variables), defined)))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("vsftpd_pasv_min_prot", "vsftpd_pasv_min_port"),
        ("ftp_user", "ftp_users"),
        ("sftp_users", "ftp_users"),
        ("ftp_users_purg", "ftp_users_purge"),
        ("VSFTPD_PORT", "vsftpd_port"),
        ("vstfpd_pasv_max_port", "vsftpd_pasv_max_port"),
        ("pam_userdb_database", "pam_userdb_d"),
        ("firewall_allow_sources", "firewall_allowed_sources"),
        ("vsftpd_packages_of_mine", ""),
    ],
)
def test_what_looks_like_ours_and_is_none_is_a_problem(name: str, meant: str) -> None:
    (problem,) = problems({}, [], checks.Control((name, "vsftpd_port", "ftp_users")))
    assert (
        problem.startswith(f"{name}: expected a variable of this collection, found none of that name; ")
        and _variables.OTHERS in problem
    )
    assert f"did you mean {meant}" in problem if meant else "did you mean" not in problem


def misspellings(name: str) -> Iterator[str]:
    """In turn a letter left out, swapped with the next one, and typed twice, from the first to the last of ``name``."""
    for place in range(0, len(name), 4):
        kind = place // 4 % 3
        if kind == 0:
            yield name[:place] + name[place + 1 :]
        elif kind == 1:
            yield name[:place] + name[place : place + 2][::-1] + name[place + 2 :]
        else:
            yield name[:place] + name[place] + name[place:]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_misspelling_of_every_variable_is_found_with_the_right_name(name: str) -> None:
    for wrong in set(misspellings(name)) - PUBLIC:
        assert _variables.resembles(wrong), wrong
        (problem,) = _variables.problems(Settings(), [wrong])
        (meant,) = re.findall(r"did you mean (\w+)\?", problem.remedy)
        ratio = difflib.SequenceMatcher(None, name, wrong).ratio()
        assert meant == name or difflib.SequenceMatcher(None, meant, wrong).ratio() >= ratio, (wrong, meant)


@pytest.mark.parametrize(
    ("variables", "users", "wrong", "meant"),
    [
        ({}, [{"name": "batman", "pasword": "x" * 12}], "pasword", "password"),
        ({}, [{"name": "batman", "password": "x" * 12, "authorised_keys": []}], "authorised_keys", "authorized_keys"),
        ({"remote_control_clients": [{"name": "shop", "kye": "x"}]}, [], "kye", "key"),
        ({"remote_control_clients": [{"name": "shop", "key": "x", "form": []}]}, [], "form", "from"),
        ({"firewall_extra_rules": [{"potr": 80}]}, [], "potr", "port"),
        ({"firewall_extra_rules": [{"port": 80, "coment": "web"}]}, [], "coment", "comment"),
    ],
)
def test_a_misspelled_key_is_found_with_the_right_one(
    variables: dict[str, Any], users: object, wrong: str, meant: str
) -> None:
    (problem,) = problems(variables, users, checks.Control())
    assert wrong in problem and f"did you mean {meant}" in problem


def test_the_private_variables_of_the_roles_are_no_misspellings() -> None:
    private = set()
    for path in [*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml")]:
        private |= set(re.findall(r"\b__[a-z_]+", path.read_text(encoding="utf-8")))
    assert len(private) > 50
    assert [name for name in private if _variables.resembles(name)] == []


# Of widely used roles and of nobody's.
ELSEWHERE = ("firewall_allowed_tcp_ports", "firewall_state", "firewall_log_dropped_packets", "ftp_server", "ftp_root")


@pytest.mark.parametrize(
    "name", ["ftp_proxy", "user_name", "remote_user", "sshd_config", "firewalld_enabled", "users", *ELSEWHERE]
)
def test_names_of_others_pass(name: str) -> None:
    assert names({}, [name]) == []


def test_names_that_are_said_to_belong_to_others_pass() -> None:
    assert names({_variables.OTHERS: ["ftp_mirror"]}, ["ftp_mirror"]) == []
    (problem,) = problems({_variables.OTHERS: "ftp_mirror"}, [], checks.Control())
    assert "expected a list" in problem


@pytest.mark.parametrize(("users", "defined"), [([], ("vsftpd_port",)), (None, ("ftp_users",)), (None, ())])
def test_purge_without_a_list_is_refused(users: object, defined: tuple[str, ...]) -> None:
    (problem,) = problems({"ftp_users_purge": "yes"}, users, checks.Control(defined))
    assert "ftp_users is not defined" in problem
    assert problems({"ftp_users_purge": True}, [], checks.Control(("ftp_users",))) == []


def test_a_new_ftps_user_needs_a_password(db: Path) -> None:
    load(db, {"batman": "$6$x$" + "a" * 86})
    checks.ftps_names.cache_clear()
    host = checks.Host("debian", "12", ftps_names=checks.ftps_names)
    users = [{"name": "batman"}, {"name": "alfred", "protocols": ["sftp"]}, {"name": "joker", "state": "absent"}]
    settings = Settings.parse({"pam_userdb_db": str(db)})
    assert checks.check_users(users, settings, host) == []
    (problem,) = checks.check_users([*users, {"name": "robin"}], settings, host)
    assert "'robin'" in str(problem) and "password or password_hash" in str(problem)
    db.write_bytes(b"no database" * 1000)
    checks.ftps_names.cache_clear()
    assert checks.check_users([{"name": "robin"}], settings, host) == []
    db.unlink()
    checks.ftps_names.cache_clear()
    assert len(checks.check_users(users, settings, host)) == 1


def test_missing_collections_are_found_when_they_are_needed() -> None:
    assert collections.missing(["secure_ftp.server", "secure_ftp.nothing_of_that_name"]) == [
        "secure_ftp.nothing_of_that_name"
    ]
    lacking = tuple(collections.NEEDED)
    azure = Settings(firewall_backend="azure_nsg")
    (problem,) = collections.problems(azure, lacking)
    assert "ansible-galaxy collection install azure.azcollection" in str(problem)
    off: dict[str, Any] = {"firewall_enabled": False, "firewall_backend": "azure_nsg"}
    assert collections.problems(Settings.parse(off), lacking) == [] == collections.problems(azure, ())
    assert collections.problems(Settings(), lacking) == []


def test_the_collection_needs_no_other_one_except_for_what_preflight_asks_for() -> None:
    """ansible-core and the tarball are enough: offline too."""
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"] == {}
    files = [path for path in ROOT.glob("**/*.yml") if path.relative_to(ROOT).parts[0] in ("roles", "playbooks")]
    tasks = "".join(path.read_text() for path in files)
    used = set(re.findall(r"\b([a-z_]+\.[a-z_]+)\.[a-z_]+:", tasks)) - {"ansible.builtin", "secure_ftp.server"}
    assert used == set(collections.NEEDED)


def playbook(tmp_path: Path, name: str, groups: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    inventory = tmp_path / "inventory.json"
    hosts = {"hosts": {"web1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
    inventory.write_text(json.dumps({"all": hosts if groups == "" else {"children": {groups: hosts}}}))
    command = [str(PLAYBOOK), "-i", str(inventory), str(ROOT / "playbooks" / name), *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@needs_ansible
@pytest.mark.parametrize("name", ["site.yml", "users.yml"])
def test_no_host_of_an_inventory_with_other_groups_is_taken_by_default(tmp_path: Path, name: str) -> None:
    refused = playbook(tmp_path, name, "ftps", "--list-hosts")
    said = "expected the group ftp in the inventory, found only ftps; did you mean ftps? rename it to ftp"
    assert refused.returncode != 0 and said in refused.stdout
    for groups, arguments in (("ftps", ["-e", "ftp_hosts=ftps"]), ("ftp", []), ("", [])):
        taken = playbook(tmp_path, name, groups, "--list-hosts", *arguments)
        assert taken.returncode == 0 and "web1" in taken.stdout, taken.stdout


@needs_ansible
@pytest.mark.parametrize("variables", [{}, {"ftp_users": None}])
def test_the_playbook_of_users_does_not_purge_without_a_list(tmp_path: Path, variables: dict[str, Any]) -> None:
    given = json.dumps({"ftp_users_purge": True, "ansible_become": False, **variables})
    refused = playbook(tmp_path, "users.yml", "ftp", "-e", given)
    assert refused.returncode != 0 and "ftp_users is not defined, which would remove" in refused.stdout, refused.stdout
    assert "changed=0" in refused.stdout and "ok=0" in refused.stdout


def test_roles_alone_do_not_purge_without_a_list() -> None:
    """One that is used without a playbook of this collection, whose preflight knows what is defined."""
    firsts = [
        yaml.safe_load((ROOT / "roles" / role / "tasks/checks.yml").read_text())[0]
        for role in ("pam_userdb", "sshd_chroot")
    ]
    assert firsts[0] == firsts[1]
    assert firsts[0]["ansible.builtin.assert"]["that"] == "ftp_users is defined and ftp_users is not none"
    assert firsts[0]["when"] == "ftp_users_purge | default(false) | bool"


@pytest.mark.parametrize("role", ["vsftpd", "pam_userdb", "sshd_chroot", "remote_control"])
def test_a_role_alone_looks_at_what_is_there_before_it_changes_anything(role: str) -> None:
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks/checks.yml").read_text())
    number = next(number for number, task in enumerate(tasks) if "secure_ftp.server.preflight" in task)
    assert all({"ansible.builtin.assert", "ansible.builtin.setup"} & set(task) for task in tasks[:number])
    given = tasks[number]["secure_ftp.server.preflight"]
    assert given["roles"] == [role] and ("configurations" in given) == (role == "vsftpd")
    (site,) = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    whole = site["pre_tasks"][0]
    assert whole["secure_ftp.server.preflight"]["configurations"] == "{{ __vsftpd_wanted }}"
    assert given["packages"] == f"{{{{ __{role}_packages }}}}"
    assert f"__{role}_packages" in whole["secure_ftp.server.preflight"]["packages"]
    assert whole["register"] == "__preflight" and tasks[number]["register"] == f"__{role}_preflight"
    assert site["vars"]["__preflight_done"] is True


@pytest.mark.parametrize("role", ["firewall", "user_command"])
def test_a_role_alone_whose_modules_check_its_values_looks_at_the_names_first(role: str) -> None:
    (only,) = yaml.safe_load((ROOT / "roles" / role / "tasks/checks.yml").read_text())
    assert only["secure_ftp.server.preflight"] == {"roles": []}


@needs_ansible
def test_the_playbook_of_users_looks_at_names_and_people_first(tmp_path: Path) -> None:
    users = [{"name": "batman", "pasword": "x"}, {"name": "robin", "password": "Gotham-City!"}]
    given = json.dumps({"ftp_users": users, "ftp_user_purge": True, "ansible_become": False})
    refused = playbook(tmp_path, "users.yml", "ftp", "-e", given)
    assert refused.returncode != 0 and "ok=0" in refused.stdout, refused.stdout
    assert "did you mean ftp_users_purge?" in refused.stdout and "unknown key pasword" in refused.stdout
    assert "Gotham" not in refused.stdout
