"""Every command of the README is typed as it is printed, in its order, and does what is said of it."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml
from conftest import ROOT, Newcomer, commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
PASSWORDS = {"vault_batman": "bat-Cave!1 deep", "vault_robin": "Robin#2 nest", "vault_selina": "cat-Burglar 3 claws"}
FULL, QUIET = "On a client", "changed=0"


def test_no_command_of_the_readme_is_left_out() -> None:
    sections = re.findall(r"^## (.*)$", README, re.M)
    assert [name for name in sections if commands(name)] == ["Try it", "Install", "Your own server", "Users"]


def test_try_it() -> None:
    up, info, down = commands("Try it")
    try:
        assert "sftp " in _as_root(up)
        assert json.loads(_as_root(info))["users"]
    finally:
        _as_root(down)


def _as_root(line: str) -> str:
    # Whoever types this is not within a make, which would say so.
    shell = {name: value for name, value in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, env=shell, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"{line} ends with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(newcomer: Newcomer) -> Newcomer:
    """The control machine, as the README installs it."""
    for line in commands("Install"):
        newcomer.types(line)
    return newcomer


def test_your_own_server_and_its_users(installed: Newcomer) -> None:
    """One test, since each part needs the one before it."""
    sample = re.search(r"`inventory.yml`:\n\n```yaml\n(.*?)```", README, re.S)
    assert sample
    key = installed.types("ssh-keygen -y -f ../id").strip()
    (installed.clone / "inventory.yml").write_text(sample.group(1).replace("ssh-ed25519 AAAA...", key))
    make, vault, check, run = commands("Your own server")
    installed.types(make)
    written = "\n".join(f"{name}: {json.dumps(password)}" for name, password in PASSWORDS.items())
    editor = installed.home / "editor"
    editor.write_text(f"#!/bin/sh\ncat >\"$1\" <<'END'\n{written}\nEND\n")
    editor.chmod(0o755)
    installed.types(vault, {"EDITOR": str(editor)})
    assert (installed.clone / "group_vars/ftp.yml").read_text().startswith("$ANSIBLE_VAULT;")
    assert installed.types("git status --porcelain") == "", "the inventory and the vault are ignored"

    checked = installed.types(check)
    assert "failed=0" in checked and "Traceback" not in checked
    assert "No such" in installed.types_on_the_server("ls /etc/vsftpd.conf || true"), "check mode changes nothing"
    ran = installed.types(run)
    assert FULL in ran and "new: alfred, batman, robin" in ran, ran
    shown = [checked, ran, installed.types(run)]
    assert QUIET in shown[-1] and FULL not in shown[-1], shown[-1]
    for password in PASSWORDS.values():
        assert password not in "".join(shown)
    users_from_the_control_machine(installed)
    users_on_the_server(installed)


def users_from_the_control_machine(installed: Newcomer) -> None:
    info, add, remove = [line for line in commands("Users") if line.startswith(".venv/bin/")]
    before = installed.types(info)
    assert all(f"name: {name}" in before for name in ("alfred", "batman", "robin")) and "$6$" not in before, before
    assert "CHANGED" in installed.types(add)
    assert "CHANGED" in installed.types(remove)
    after = installed.types(info)
    assert "name: selina" in after and "name: alfred" not in after, after


def users_on_the_server(installed: Newcomer) -> None:
    add, lock, listing, about, check, page = [line for line in commands("Users") if not line.startswith(".venv/bin/")]
    assert "barbara: added" in installed.types_on_the_server(add)
    assert "selina: locked" in installed.types_on_the_server(lock)
    assert re.search(r"selina +ftps, sftp +locked", installed.types_on_the_server(listing))
    assert FULL in installed.types_on_the_server(about)
    assert "No problem found" in installed.types_on_the_server(check)
    assert "ftp-users" in installed.types_on_the_server(page)


def test_the_sample_inventory_is_whole() -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, re.S)
    assert len(sample.splitlines()) <= 20
    assert set(yaml.safe_load(sample)) == {"ftp"}
