"""What the playbook and the modules cost through Ansible, in ping tasks of the same host and run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_password

from line import Line
from plays import ROOT, PlayError, Plays, run_playbook

RIG = ROOT / "tests/containers/rig"
HOST = f"{os.environ.get('SECURE_FTP_PREFIX', 'secure-ftp')}-bench"
TWO_USERS = [{"name": "batman", "password": "bat-Cave!1 deep"}, {"name": "robin", "password": "Robin#2 nest"}]
SERVER = {"ftp_users": TWO_USERS, "ftp_users_home": "per_protocol"}
"""The layout of the targets: what is added to this server is compared with peers that make no accounts for FTPS."""


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
    run_playbook(inventory, playbook, SERVER)
    seconds, changed = run_playbook(inventory, playbook, SERVER)
    if changed:
        raise PlayError(f"site.yml: expected changed=0 on the second run, found changed={changed}")
    return in_pings("site.yml that changes nothing, 2 users", seconds, plays.ping(), 25)


def in_pings(what: str, seconds: float, ping: float, target: float) -> Line:
    return Line(what, f"{seconds:.1f} s", f"a ping task, {ping:.2f} s", seconds / ping, target)


def numbered(prefix: str, count: int, password_hash: str) -> list[dict[str, str]]:
    return [{"name": f"{prefix}{number:04d}", "password_hash": password_hash} for number in range(count)]


def accounts(plays: Plays, password_hash: str) -> Iterator[Line]:
    """sftp_users against a loop of ansible.builtin.user, 200 new accounts each."""
    users = numbered("batch", 200, password_hash)
    task = {"secure_ftp.server.sftp_users": {"users": users}}
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
    yield Line("sftp_users, 200 new accounts", f"{batch:.1f} s", f"loop of user, {loop:.1f} s", batch / loop, 0.1)
    yield in_pings("sftp_users, 200 accounts unchanged", again, plays.ping(), 4)


def many_accounts(plays: Plays, password_hash: str) -> Iterator[Line]:
    """sftp_users with 500, 1,000 and 5,000 new accounts: what one of them costs."""
    cost = {}
    for count in (500, 1000, 5000):
        users = numbered(f"of{count}x", count, password_hash)
        cost[count] = plays.tasks([{"secure_ftp.server.sftp_users": {"users": users}}]) / count
    few = f"one of 500, {cost[500] * 1000:.1f} ms"
    for count in (1000, 5000):
        ours = f"one of {count:,}, {cost[count] * 1000:.1f} ms"
        yield Line(f"sftp_users, {count:,} new accounts", ours, few, cost[count] / cost[500], 1.5)


def records(plays: Plays, password_hash: str) -> Iterator[Line]:
    """ftp_users with 1,000 pre-hashed users: all new, then none changed."""
    task = {"secure_ftp.server.ftp_users": {"users": numbered("many", 1000, password_hash)}}
    new = plays.tasks([task])
    again = plays.tasks([task])
    ping = plays.ping()
    yield in_pings("ftp_users, 1,000 new users", new, ping, 4)
    yield in_pings("ftp_users, 1,000 users unchanged", again, ping, 4)


def lines(folder: Path) -> Iterator[Line]:
    """Every line of this file, on a fresh host that is removed afterwards."""
    inventory = start_host(folder)
    try:
        plays = Plays(inventory, folder)
        password_hash = hash_password("a bench Password 1")
        yield site(inventory, plays)
        yield from accounts(plays, password_hash)
        yield from records(plays, password_hash)
        yield from many_accounts(plays, password_hash)
    finally:
        remove_host()
