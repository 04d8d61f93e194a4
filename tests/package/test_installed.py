"""The installed collection, used by its full names from where it was installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import NAME, ROOT, Run

# The folder of a kind of plugin, and what ansible-doc calls the kind.
DOCUMENTED = {"modules": "module", "filter": "filter", "lookup": "lookup", "test": "test", "inventory": "inventory"}
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))


def documentation(run: Run, kind: str) -> dict[str, dict[str, object]]:
    """What ansible-doc knows of every plugin of a kind, by full name."""
    names = sorted(json.loads(run("ansible-doc", "--json", "--list", "--type", kind, NAME).stdout))
    return json.loads(run("ansible-doc", "--json", "--type", kind, *names).stdout) if names else {}


@pytest.mark.parametrize("folder", [folder for folder in DOCUMENTED if (ROOT / "plugins" / folder).is_dir()])
def test_every_plugin_is_documented(folder: str, run: Run, collections: Path) -> None:
    known = documentation(run, DOCUMENTED[folder])
    files = {path.stem for path in (ROOT / "plugins" / folder).glob("*.py") if path.stem != "__init__"}
    if folder == "modules":
        assert {name.rsplit(".", 1)[1] for name in known} == files
    assert known
    for name, entry in known.items():
        assert str(entry["doc"]["filename"]).startswith(str(collections)), name
        assert entry["doc"]["short_description"] and yaml.safe_load(entry["examples"]), name


def test_every_role_is_documented(run: Run, collections: Path) -> None:
    known = documentation(run, "role")
    assert set(known) == {f"{NAME}.{path.name}" for path in ROOT.glob("roles/*")}
    for name, role in known.items():
        assert str(role["path"]).startswith(str(collections)), name
        assert role["entry_points"]["main"]["short_description"], name


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_is_found_by_its_full_name(playbook: str, run: Run) -> None:
    run("ansible-playbook", "-i", "localhost,", f"{NAME}.{playbook}", "--syntax-check")


def test_module_defaults_of_the_action_group_reach_every_module_in_it(run: Run, tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {f"group/{NAME}.users": {"db": str(tmp_path / "users.db")}},
        "tasks": [
            {
                f"{NAME}.ftp_user": {"name": "batman", "password": "Gotham-City!", "create_home": False},
                "register": "made",
            },
            {f"{NAME}.ftp_users": {"users": [{"name": "batman"}], "create_home": False}},
            {f"{NAME}.ftp_user_info": {}, "register": "info"},
            {
                "ansible.builtin.assert": {
                    "that": [
                        "made is changed",
                        f"info.db == '{tmp_path}/users.db'",
                        "info.users | map(attribute='name') | list == ['batman']",
                    ]
                }
            },
        ],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    run(
        "ansible-playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        playbook,
    )
    assert (tmp_path / "users.db").is_file()


def test_the_action_group_is_the_modules_that_say_so(run: Run) -> None:
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["users"]
    says_so = {
        name.rsplit(".", 1)[1]
        for name, entry in documentation(run, "module").items()
        if f"{NAME}.users" in entry["doc"].get("attributes", {}).get("action_group", {}).get("membership", [])
    }
    assert says_so == set(group)


def test_html_is_rendered_without_warning(collections: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run([ROOT / "docs" / "site" / "build", tmp_path], env=environment, check=True)
    pages = {path.name for path in tmp_path.glob("collections/secure_ftp/server/*.html")}
    assert {
        f"{path.stem}_module.html" for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__"
    } <= pages
    assert {f"{path.name}_role.html" for path in ROOT.glob("roles/*")} <= pages
