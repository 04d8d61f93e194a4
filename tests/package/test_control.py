"""A control machine of an ordinary user: ansible-core and the tarball, without a network and without root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator

import pytest
import yaml
from conftest import NAME, ROOT

NOBODY = 65534
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))


class Stranger:
    """Somebody with a home directory, no rights and no network."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, script: str, folder: Path | None = None) -> str:
        """Run ``script`` with sh in ``folder``, the home if omitted; return its output. It must succeed."""
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
        done = subprocess.run(
            ["unshare", "--net", "--", *user, "sh", "-euc", script],
            cwd=folder or self.home,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script} ends with {done.returncode}:\n{done.stdout}"
        return done.stdout


@pytest.fixture()
def stranger() -> Iterator[Stranger]:
    """Not below pytest's own directory, which only root may enter."""
    home = Path(tempfile.mkdtemp(prefix="stranger-"))
    try:
        os.chown(home, NOBODY, NOBODY)
        yield Stranger(home)
    finally:
        shutil.rmtree(home)


@pytest.fixture()
def unpacked(stranger: Stranger) -> Path:
    """The bundle that ``make bundle`` writes, unpacked."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "requirements" / "bundle.py"), str(stranger.home)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    archive = Path(made.stdout.splitlines()[-1])
    with tarfile.open(archive) as tar:
        assert {(member.uid, member.uname) for member in tar.getmembers()} == {(0, "")}
    stranger.run(f"tar -xf {archive.name}")
    return stranger.home / archive.name.removesuffix(".tar.gz")


@pytest.fixture()
def installed(stranger: Stranger, unpacked: Path) -> Stranger:
    """What the README of the bundle says, word by word."""
    text = (unpacked / "README").read_text(encoding="utf-8")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    *install, play = commands
    assert len(install) == 4 and play.endswith(f"ansible-playbook -i inventory.yml {NAME}.site")
    stranger.run("\n".join(install), unpacked)
    return stranger


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a network")
def test_an_ordinary_user_without_a_network_installs_the_bundle_and_uses_it(
    unpacked: Path, installed: Stranger
) -> None:
    """One test, so that one installation is enough."""
    the_bundle_holds_the_lock_and_a_sum_of_every_file(unpacked, installed)
    nothing_came_by_a_network_and_nothing_else_is_there(installed)
    every_playbook_and_a_module_are_found(installed)
    the_check_before_a_run_misses_nothing_on_this_control_machine(installed)


def the_bundle_holds_the_lock_and_a_sum_of_every_file(unpacked: Path, stranger: Stranger) -> None:
    lock = (ROOT / "requirements" / "control.txt").read_text(encoding="utf-8")
    assert (unpacked / "requirements.txt").read_text(encoding="utf-8") == lock
    sums = (unpacked / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert {line.split("  ")[1] for line in sums} == files
    wheel = next(unpacked.glob("wheels/jinja2-*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(AssertionError, match="jinja2.*FAILED"):
        stranger.run("sha256sum --check --quiet SHA256SUMS", unpacked)
    wheel.write_bytes(whole)


def nothing_came_by_a_network_and_nothing_else_is_there(installed: Stranger) -> None:
    assert [line.split(":")[0].strip() for line in installed.run("cat /proc/net/dev").splitlines()[2:]] == ["lo"]
    listed = json.loads(installed.run("secure_ftp/bin/ansible-galaxy collection list --format json"))
    # A part of ansible-core itself looks like a collection.
    found = {path: list(names) for path, names in listed.items() if "/ansible/_internal/" not in path}
    assert found == {f"{installed.home}/.ansible/collections/ansible_collections": [NAME]}
    assert "Successfully verified" in installed.run(f"secure_ftp/bin/ansible-galaxy collection verify --offline {NAME}")


def every_playbook_and_a_module_are_found(installed: Stranger) -> None:
    playbooks = " ".join(f"{NAME}.{name}" for name in PLAYBOOKS)
    assert installed.run(f"secure_ftp/bin/ansible-playbook -i localhost, --syntax-check {playbooks}").count(
        "playbook: "
    ) == len(PLAYBOOKS)
    said = installed.run(f"secure_ftp/bin/ansible-doc -t module {NAME}.ftp_user")
    assert f"MODULE {NAME}.ftp_user ({installed.home}/.ansible/" in said and "Manages one user of this host" in said


def the_check_before_a_run_misses_nothing_on_this_control_machine(installed: Stranger) -> None:
    """``ok`` on a host that has a supported release; in any case not a word of a missing collection."""
    task = {f"{NAME}.preflight": {"roles": ["firewall"], "as_data": True}, "ignore_errors": True}
    azure = {**task, "vars": {"firewall_backend": "azure_nsg"}, "register": "azure"}
    subjects = "found.problems | default([{'subject': found.msg}]) | map(attribute='subject')"
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": f"{installed.home}/.ansible/tmp",
        },
        "tasks": [
            {**task, "register": "found"},
            # What this machine is has nothing to do with it.
            {"ansible.builtin.assert": {"that": [f"{subjects} | difference(['operating system']) == []"]}},
            azure,
        ],
    }
    (installed.home / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    said = installed.run("secure_ftp/bin/ansible-playbook -i localhost, play.yml")
    assert "ansible-galaxy collection install azure.azcollection" in said
