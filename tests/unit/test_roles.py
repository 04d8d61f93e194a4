# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of what the role vsftpd does, where another order would be dangerous. tests/takeover sees it on a host."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("ansible.errors", reason="roles run on the control machine, with the whole of Ansible")

import jinja2
from ansible.plugins.filter.mathstuff import FilterModule

ROOT = Path(__file__).resolve().parents[2]
ROLES = ROOT / "roles"
VSFTPD = ROLES / "vsftpd"
PACKAGES = ROOT / "playbooks/tasks/packages.yml"
TASKS = yaml.safe_load((VSFTPD / "tasks/main.yml").read_text())


def place(module: str, word: str, tasks: list[dict[str, Any]] = TASKS) -> int:
    """Where in ``tasks`` the task with ``word`` in what it gives ``module`` stands."""
    (found,) = [number for number, task in enumerate(tasks) if word in str(task.get(f"ansible.builtin.{module}", ""))]
    return found


def variables(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
    return found


def test_the_unit_is_masked_before_the_package_comes_and_until_it_is_configured() -> None:
    install = place("include_tasks", "tasks/packages.yml")
    written = next(number for number, task in enumerate(TASKS) if "secure_ftp.server.vsftpd_config" in task)
    assert install < written < place("include_tasks", "units.yml")
    units = yaml.safe_load((VSFTPD / "tasks/units.yml").read_text())
    unmasked = place("file", "'{{ item }}', 'state': 'absent'", units)
    assert variables("vsftpd")["__vsftpd_packages_first"] == {"vsftpd": "{{ role_path }}/tasks/mask.yml"}
    assert variables("vsftpd")["__vsftpd_packages_policy_rc_d"] == 101
    masking = yaml.safe_load((VSFTPD / "tasks/mask.yml").read_text())
    assert masking[-1]["ansible.builtin.file"] == {
        "src": "/dev/null",
        "dest": "{{ __vsftpd_mask }}",
        "state": "link",
        "force": True,
    }
    assert "remote_src" in masking[-2]["ansible.builtin.copy"], "a unit of somebody else leaves a copy"
    assert "__vsftpd_mask_mark" in str(masking[1]), "the mark is made first and removed last"
    assert units[unmasked]["loop"] == ["{{ __vsftpd_mask }}", "{{ __vsftpd_mask_mark }}"]


def test_packages_are_installed_in_one_place_and_what_has_to_come_first_does() -> None:
    """tests/takeover and Molecule run it; here is that no role has a second way."""
    tasks = yaml.safe_load(PACKAGES.read_text())
    first, install = (
        next(number for number, task in enumerate(tasks) if module in task)
        for module in ("ansible.builtin.include_tasks", "ansible.builtin.apt")
    )
    assert first < install and "_packages_first" in str(tasks[first]["vars"])
    assert "_packages_policy_rc_d" in tasks[install]["ansible.builtin.apt"]["policy_rc_d"]
    used = set()
    for path in ROLES.glob("*/tasks/*.yml"):
        role, text = path.parts[-3], path.read_text()
        found = "ansible.builtin.apt:" in text
        assert "dpkg-query" not in text and found == (path.name == "ufw_install.yml"), path
        if "packages.yml" in text:
            assert "{{ role_path }}/../../playbooks/tasks/packages.yml" in text, "the file whose name Ansible prints"
            used.add(role)
            assert variables(role)[f"__{role}_packages"] and f"when: __{role}_missing" in text.replace(
                "remote_control_clients | length > 0 and ", ""
            ), role
    assert used == {"vsftpd", "pam_userdb", "sshd_chroot", "remote_control", "shared_folders"}


LOOKS = {
    "assert", "debug", "fail", "firewall_plan", "ftp_user_info", "ftps_probe", "include_tasks", "import_tasks", "meta",
    "preflight", "set_fact", "setup", "sshd_probe", "stat", "wait_for_connection",
}  # fmt: skip
"""Modules that change nothing."""
FOLLOW = {"mask.yml", "packages.yml", "ufw_install.yml", "ufw_show.yml", "ufw_apply.yml", "ufw_confirm.yml"}
"""Tasks for which server_info has another sign: a package was missing, or the plan of the firewall is pending."""


def silent(tasks: list[dict[str, Any]], role: str) -> list[str]:
    """The names of tasks that may change something and do not tell it; a block runs as a whole."""
    found = []
    for task in tasks:
        if "block" in task:
            inner = silent(task["block"], role)
            changing = [one for one in task["block"] if not LOOKS & modules(one) and "block" not in one]
            found += inner if len(inner) == len(changing) else []
        elif not LOOKS & modules(task) or task.get("changed_when") is True:
            found += [] if task.get("register", "").startswith(f"__{role}_") else [task["name"]]
    return found


def modules(task: dict[str, Any]) -> set[str]:
    """The short names of the modules of a task."""
    return {key.rpartition(".")[2] for key in task if "." in key}


def test_every_task_that_changes_something_tells_the_summary() -> None:
    """server_info finds what it has registered, and is brief if nothing has changed."""
    for path in ROLES.glob("*/tasks/*.yml"):
        if path.name not in FOLLOW:
            tasks = yaml.safe_load(path.read_text())
            whole = [{"name": path.name, "block": tasks}] if path.name == "units_removed.yml" else tasks
            assert silent(whole, path.parts[-3]) == [], path
    assert silent([{"name": "a", "ansible.builtin.copy": {}}], "vsftpd") == ["a"]
    assert silent([{"name": "b", "block": [{"name": "a", "ansible.builtin.copy": {}}]}], "vsftpd") == ["a"]


def test_the_log_is_rotated_by_its_size_and_holds_no_commands() -> None:
    units = yaml.safe_load((VSFTPD / "tasks/units.yml").read_text())
    timer = units[place("systemd_service", "__vsftpd_timer", units)]["ansible.builtin.systemd_service"]
    assert timer["enabled"] is True and variables("vsftpd")["__vsftpd_timer"] == "secure-ftp-logrotate.timer"
    places = next(task for task in TASKS if task.get("register") == "__vsftpd_places")
    assert "__vsftpd_log_files" in places["secure_ftp.server.system_files"]["files"]
    rules = (VSFTPD / "templates/log_size.conf.j2").read_text()
    assert "{{ vsftpd_log_max_size }}" in rules and "{{ vsftpd_log_file }}" in rules
    defaults = yaml.safe_load((VSFTPD / "defaults/main.yml").read_text())
    assert defaults["vsftpd_log_ftp_protocol"] is False and defaults["vsftpd_config_backup"] is True


def templated(expression: str, **variables: Any) -> str:
    """What Ansible makes of ``expression``."""
    environment = jinja2.Environment(autoescape=False)
    environment.filters.update(FilterModule().filters())
    environment.filters["bool"] = bool
    environment.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    return environment.from_string(expression).render(**variables)


@pytest.mark.parametrize(
    ("addresses", "more", "ipv6"),
    [
        (["fe80::1", "2001:db8::1"], {}, True),
        (["fd00::1"], {}, True),
        (["fe80::1"], {}, False),
        ([], {}, False),
        (["2001:db8::1"], {"vsftpd_listen_ipv6": False}, False),
        ([], {"vsftpd_listen": False}, True),
        (["2001:db8::1"], {"vsftpd_pasv_address": "192.0.2.1"}, False),
        (["2001:db8::1"], {"__vsftpd_others": {"pasv_address": "192.0.2.1"}}, False),
        (["2001:db8::1"], {"__vsftpd_others": {"listen_address": "192.0.2.1"}}, False),
        (["2001:db8::1"], {"__vsftpd_others": {"listen_address6": "2001:db8::1"}}, True),
    ],
)
def test_vsftpd_listens_on_ipv6_where_there_is_some(addresses: list[str], more: dict[str, Any], ipv6: bool) -> None:
    """And never where an address of IPv4 is given that it would ignore."""
    defaults = yaml.safe_load((VSFTPD / "defaults/main.yml").read_text())
    found = {**defaults, "__vsftpd_others": {}, "ansible_facts": {"all_ipv6_addresses": addresses}, **more}
    assert templated(variables("vsftpd")["__vsftpd_ipv6"], **found) == str(ipv6)
    options = variables("vsftpd")["__vsftpd_options"]
    for name, wanted in (("listen", not ipv6), ("listen_ipv6", ipv6)):
        assert templated(options[name], __vsftpd_ipv6=ipv6) == str(wanted)


@pytest.mark.parametrize(
    ("run", "skip", "one"),
    [
        (["all"], [], True),
        (["users"], [], True),
        (["vsftpd", "pam_userdb", "sshd_chroot", "user_command"], [], True),
        (["pam_userdb"], [], False),
        (["vsftpd", "sshd_chroot"], [], False),
        (["firewall"], [], False),
        (["all"], ["sshd_chroot"], False),
        (["all"], ["pam_userdb"], False),
        (["all"], ["firewall"], True),
    ],
)
def test_both_protocols_are_one_task_unless_tags_leave_a_role_out(run: list[str], skip: list[str], one: bool) -> None:
    """The one task is in the role that comes last of the two; a role that is left out must not be waited for."""
    (play,) = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    said = templated(play["vars"]["__users_in_one_task"], ansible_run_tags=run, ansible_skip_tags=skip)
    assert said.strip() == str(one)
    roles = [role["role"].rpartition(".")[2] for role in play["roles"]]
    assert roles.index("sshd_chroot") < roles.index("pam_userdb")
    tasks = yaml.safe_load((ROOT / "roles/pam_userdb/tasks/main.yml").read_text())
    assert [task.get("when") for task in tasks if "secure_ftp.server.ftp_users" in task] == [None]
    last = yaml.safe_load((ROOT / "roles/sshd_chroot/tasks/main.yml").read_text())[-1]["ansible.builtin.import_tasks"]
    assert templated(last, __users_in_one_task=one).strip() == (
        "../../vsftpd/tasks/nothing.yml" if one else "users.yml"
    )
    assert templated(last).strip() == "users.yml", "the role alone"


@pytest.mark.parametrize(
    ("tags", "protocols"),
    [
        (["all"], "omit"),
        (["users"], "omit"),
        (["pam_userdb", "sshd_chroot"], "omit"),
        (["pam_userdb"], "['ftps']"),
        (["sshd_chroot"], "['sftp']"),
    ],
)
def test_the_users_of_a_server_are_one_task_and_a_tag_of_one_role_is_its_protocol(
    tags: list[str], protocols: str
) -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks/users.yml").read_text())
    (task,) = [task for task in play["tasks"] if "secure_ftp.server.ftp_users" in task]
    asked = yaml.safe_load(templated(task["vars"]["__users_tags"], ansible_run_tags=tags))
    module = task["secure_ftp.server.ftp_users"]
    assert templated(module["protocols"], __users_tags=asked, omit="omit") == protocols
    assert set(task["tags"]) == {"pam_userdb", "sshd_chroot", "users"}
    assert not [other for other in play["tasks"] if "secure_ftp.server.sftp_users" in other]


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_a_role_makes_its_checks_first_unless_the_play_has_made_them(role: str) -> None:
    """The file is chosen when the play is read: what is not needed is not on the screen of every run."""
    first = yaml.safe_load((ROLES / role / "tasks/main.yml").read_text())[0]["ansible.builtin.import_tasks"]
    assert templated(first) == "checks.yml"
    nothing = ROLES / role / "tasks" / templated(first, __preflight_done=True)
    assert yaml.safe_load(nothing.read_text()) == [{"name": "Nothing", "block": []}]


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_a_role_gathers_every_fact_that_it_reads(role: str) -> None:
    """A play of somebody else may say gather_facts: false, or gather less."""
    files = [path for path in (ROLES / role).rglob("*") if path.suffix in (".yml", ".j2")]
    text = "".join(path.read_text() for path in files)
    wanted = set(re.findall(r"ansible_facts(?:\.|\[')(\w+)", text))
    wanted |= {"distribution"} if "ansible_facts | secure_ftp.server.release" in text else set()
    tasks = yaml.safe_load((ROLES / role / "tasks/checks.yml").read_text())
    gathering = [(number, task) for number, task in enumerate(tasks) if "ansible.builtin.setup" in task]
    assert bool(gathering) == bool(wanted)
    for number, task in gathering:
        looked_for = set(re.findall(r"'(\w+)'|ansible_facts\.(\w+)", task["when"]))
        # hostname comes with fqdn.
        assert {a or b for a, b in looked_for} == wanted - {"hostname"}
        assert not any("ansible_facts" in str(task) for task in tasks[:number])


@pytest.mark.parametrize("role", ["vsftpd", "sshd_chroot"])
def test_a_role_comes_to_its_checks_in_a_play_that_gathers_no_facts(role: str, tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable, f"{role}_of_nobody": 1},
        "tasks": [{"ansible.builtin.import_role": {"name": f"secure_ftp.server.{role}"}}],
    }
    playbook = tmp_path / "play.json"
    playbook.write_text(json.dumps([play]))
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "--check", "-i", "localhost,", str(playbook)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"{role}_of_nobody: expected a variable of this collection" in done.stdout + done.stderr, done.stdout
