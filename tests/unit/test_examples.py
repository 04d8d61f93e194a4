# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of examples/ as Ansible reads them: what can be known without a server. tests/examples runs them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("ansible.errors", reason="inventories are read on the control machine")

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import PUBLIC, ROLES, Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.variables import resembles

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
NAMES = sorted(path.parent.name for path in ROOT.glob("examples/*/inventory.yml"))
VAULTS = sorted(ROOT.glob("examples/*/group_vars/ftp/vault.yml"))
OF_ANSIBLE = {"ansible_user"}
BY_HAND = {"nat": ["vsftpd_pasv_address: 203.0.113.10 is an address for documentation"]}
"""The warnings of an example whose reader has not yet put in the own address."""


READ = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
init_plugin_loader()
read = {}
for path in sys.argv[1:]:
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[path])
    manager = VariableManager(loader, inventory)
    read[path] = {}
    for host in inventory.get_hosts():
        found = manager.get_vars(host=host)
        templar = Templar(loader, variables=found)
        own = {key: value for key, value in found.items() if key.startswith("ansible_user") or "ansible" not in key}
        read[path][host.name] = {key: templar.template(own[key]) for key in own if key not in ("omit", "groups")}
json.dump(read, sys.stdout)
"""
"""By a Python of its own: Ansible's loader of plugins would take over how the other tests import the collection."""


@pytest.fixture(scope="module")
def read() -> dict[str, dict[str, Any]]:
    """What each example says of its host, every template filled in, and nothing that Ansible adds."""
    paths = {name: str(ROOT / "examples" / name / "inventory.yml") for name in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths.values()], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    answer = json.loads(done.stdout)
    found = {}
    for name, path in paths.items():
        ((host, values),) = answer[path].items()
        assert host.endswith(".example.net") and values["group_names"] == ["ftp"]
        found[name] = {key: value for key, value in values.items() if key in (PUBLIC | OF_ANSIBLE) or resembles(key)}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_sets_public_variables_only(name: str) -> None:
    group = yaml.safe_load((ROOT / "examples" / name / "inventory.yml").read_text(encoding="utf-8"))
    assert list(group) == ["ftp"] and set(group["ftp"]) == {"hosts", "vars"}
    (of_the_host,) = group["ftp"]["hosts"].values()
    assert set(of_the_host) == OF_ANSIBLE and set(group["ftp"]["vars"]) <= PUBLIC


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("release", releases.RELEASES, ids=lambda release: release.name)
def test_the_preflight_has_nothing_against_it(
    read: dict[str, dict[str, Any]], name: str, release: releases.Release
) -> None:
    given = dict(read[name])
    users, login = given.pop("ftp_users"), given.pop("ansible_user")
    host = checks.Host(
        release.os_id,
        release.version,
        login_users=frozenset([login]),
        ssh_ports=(22,),
        has_account=lambda _name: False,
        ftps_names=lambda _path: frozenset(),
    )
    settings = Settings.parse(given, ROLES)
    found = checks.problems(settings, users, host, checks.Control((*given, "ftp_users")))
    assert [str(problem) for problem in found] == []
    said = checks.warnings(settings, users, host)
    assert [one.partition(";")[0] for one in said] == BY_HAND.get(name, []), said
    # The same checks do find something: the host's own administrator among the users.
    wrong = checks.problems(settings, [{"name": login, "password": "x" * 12}], host)
    assert "Ansible logs in as this user" in str(wrong[0])


def test_the_readme_names_every_example_and_links_to_nothing_else() -> None:
    assert NAMES == ["adopt", "help-desk", "keys", "nat", "small"]
    rows = re.findall(r"^\| \[([a-z-]+)\]\(([a-z-]+)/\) \|", README, re.MULTILINE)
    assert sorted(rows) == [(name, name) for name in NAMES]
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert [link for link in links if not (ROOT / "examples" / link).exists()] == []
    assert "../inventories/example/" in links
    assert "examples/" in (ROOT / "inventories" / "example" / "hosts.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VAULTS, ids=lambda path: path.parts[-4])
def test_a_vault_says_first_that_it_is_to_be_encrypted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0].endswith("then run: ansible-vault encrypt group_vars/ftp/vault.yml")
    passwords = yaml.safe_load(text)
    inventory = (path.parents[2] / "inventory.yml").read_text(encoding="utf-8")
    used = re.findall(r'password: "\{\{ (\w+) \}\}"', inventory)
    assert sorted(passwords) == sorted(used) and len(set(passwords.values())) == len(passwords)
    assert all(re.match(r"change-me-[a-z]+-\d+\Z", one) for one in passwords.values())


def test_without_a_vault_there_are_no_passwords() -> None:
    with_vault = {path.parts[-4] for path in VAULTS}
    texts = {name: (ROOT / "examples" / name / "inventory.yml").read_text(encoding="utf-8") for name in NAMES}
    assert {name for name, text in texts.items() if re.search(r"^ +password:", text, re.MULTILINE)} == with_vault


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/keys/*")), ids=lambda path: path.name)
def test_a_key_belongs_to_nobody(path: Path) -> None:
    """Its 32 bytes are a sentence: nobody has the private half, so who forgets to replace it lets nobody in."""
    kind, blob, _comment = path.read_text(encoding="ascii").split()
    assert kind == "ssh-ed25519"
    sentence = base64.b64decode(blob)[-32:]
    assert re.match(rb"REPLACE-THIS-BY-THE-KEY-OF-[A-Z]+-+\Z", sentence), sentence
