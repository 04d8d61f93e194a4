"""What the playbook and the modules cost through Ansible, in ping tasks of the same host and run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._passwords import hash_password

from line import Line
from plays import ROOT, PlayError, Plays, run_playbook

RIG = ROOT / "tests/containers/rig"
HOST = "secure-ftp-bench"
PEOPLE = [{"name": "batman", "password": "bat-Cave!1"}, {"name": "robin", "password": "Robin#2 nest"}]


def start_host(folder: Path) -> Path:
    """Start the container and return an inventory that names it."""
    subprocess.run([str(RIG), "host", HOST, "debian12"], check=True)
    inventory = folder / "inventory.yml"
    inventory.write_text(f"all: {{hosts: {{{HOST}: {{ansible_connection: containers.podman.podman}}}}}}\n")
    return inventory


def remove_host() -> None:
    subprocess.run([str(RIG), "host-down", HOST], check=True)


def site(inventory: Path, plays: Plays) -> Line:
    """site.yml that changes nothing, two users."""
    playbook = ROOT / "playbooks/site.yml"
    variables = {"ftp_users": PEOPLE}
    run_playbook(inventory, playbook, variables)
    seconds, changed = run_playbook(inventory, playbook, variables)
    if changed:
        raise PlayError(f"site.yml: expected changed=0 on the second run, found changed={changed}")
    ping = plays.ping()
    detail = f"{seconds:.1f} s, a ping task {ping:.2f} s"
    return Line("site.yml that changes nothing, 2 users / ping task", seconds / ping, 45, detail)


def numbered(prefix: str, count: int, password_hash: str) -> list[dict[str, str]]:
    return [{"name": f"{prefix}{number:04d}", "password_hash": password_hash} for number in range(count)]


def accounts(plays: Plays, password_hash: str) -> Iterator[Line]:
    """sftp_users against a loop of ansible.builtin.user, 200 new accounts each."""
    people = numbered("batch", 200, password_hash)
    task = {"secure_ftp.server.sftp_users": {"users": people}}
    batch = plays.tasks([task])
    again = plays.tasks([task])
    loop = plays.tasks(
        [
            {
                "ansible.builtin.user": {
                    "name": "{{ item }}",
                    "password": password_hash,
                    "groups": ["sftponly"],
                    "shell": "/usr/sbin/nologin",
                    "home": "/home/looped/{{ item }}",
                },
                "loop": [f"loop{number:04d}" for number in range(200)],
            }
        ]
    )
    ping = plays.ping()
    yield Line("sftp_users, 200 new accounts / loop of user", batch / loop, 0.1, f"{batch:.1f} s, loop {loop:.1f} s")
    yield Line("sftp_users, 200 accounts unchanged / ping task", again / ping, 4, f"{again:.1f} s, ping {ping:.2f} s")


def records(plays: Plays, password_hash: str) -> Iterator[Line]:
    """ftp_users with 1,000 pre-hashed users: all new, then none changed."""
    task = {"secure_ftp.server.ftp_users": {"users": numbered("many", 1000, password_hash)}}
    new = plays.tasks([task])
    again = plays.tasks([task])
    ping = plays.ping()
    yield Line("ftp_users, 1,000 new users / ping task", new / ping, 4, f"{new:.1f} s, ping {ping:.2f} s")
    yield Line("ftp_users, 1,000 users unchanged / ping task", again / ping, 4, f"{again:.1f} s, ping {ping:.2f} s")


def lines(folder: Path) -> Iterator[Line]:
    """Every line of this file, on a fresh host that is removed afterwards."""
    inventory = start_host(folder)
    try:
        plays = Plays(inventory, folder)
        password_hash = hash_password("a bench Password 1")
        yield site(inventory, plays)
        yield from accounts(plays, password_hash)
        yield from records(plays, password_hash)
    finally:
        remove_host()
