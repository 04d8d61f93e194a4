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


def test_module_defaults_of_an_action_group_reach_every_module_in_it(run: Run, tmp_path: Path) -> None:
    """The modules of SFTP alone know no ``db``, and their ``config`` is that of sshd: they are a group of their own."""
    sshd_config = tmp_path / "sshd_config"
    sshd_config.write_text("Match Group jailed\n    ChrootDirectory /srv/jail\n    ForceCommand internal-sftp\n")
    vsftpd_conf = tmp_path / "vsftpd.conf"
    vsftpd_conf.write_text(f"guest_enable=YES\nlocal_root={tmp_path}/homes/$USER\nuser_sub_token=$USER\n")
    sftp = {"config": str(sshd_config), "group": "jailed", "jail_check": "none"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {
            f"group/{NAME}.users": {"db": str(tmp_path / "users.db"), "config": str(vsftpd_conf)},
            f"group/{NAME}.sftp_users": sftp,
        },
        "tasks": [
            {
                f"{NAME}.ftp_user": {"name": "batman", "password": "Gotham-City!", "create_home": False},
                "register": "made",
            },
            {f"{NAME}.ftp_users": {"users": [{"name": "batman"}], "create_home": False}},
            {f"{NAME}.ftp_user_info": {}, "register": "info"},
            {f"{NAME}.sftp_users": {"users": []}, "check_mode": True, "register": "list"},
            {f"{NAME}.sftp_user": {"name": "joker", "state": "absent"}, "check_mode": True, "register": "one"},
            {
                "ansible.builtin.assert": {
                    "that": [
                        "made is changed",
                        f"made.home == '{tmp_path}/homes/batman'",
                        f"info.db == '{tmp_path}/users.db'",
                        "info.users | map(attribute='name') | list == ['batman']",
                        "list.directory == '/srv/jail'",
                        "one.home == '/srv/jail/joker'",
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


def test_an_action_group_is_the_modules_that_say_so(run: Run) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    says_so: dict[str, set[str]] = {}
    for name, entry in documentation(run, "module").items():
        for group in entry["doc"].get("attributes", {}).get("action_group", {}).get("membership", []):
            says_so.setdefault(group.removeprefix(f"{NAME}."), set()).add(name.rsplit(".", 1)[1])
    assert says_so == {group: set(modules) for group, modules in groups.items()}


def test_html_is_rendered_without_warning(collections: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run([ROOT / "docs" / "site" / "build", tmp_path], env=environment, check=True)
    pages = {path.name for path in tmp_path.glob("collections/secure_ftp/server/*.html")}
    assert {
        f"{path.stem}_module.html" for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__"
    } <= pages
    assert {f"{path.name}_role.html" for path in ROOT.glob("roles/*")} <= pages
