# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command ``ftp-users`` costs on a server of 10,000 users: seconds of CPU above ``python3 -c pass``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Iterator

from bench_ansible import HOST, SERVER, remove_host, start_host

from line import Line
from plays import ROOT, run_playbook

USERS = 10_000
LIST_SECONDS = 0.5
ADD_SECONDS = 0.2

# On the server, so that what the container engine costs is not counted. CPU of the process and of all it starts.
_MEASURE = r"""
import json, resource, subprocess

def cpu(command, stdin=""):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, input=stdin, text=True, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

hash_one = '''
import ctypes
crypt = ctypes.CDLL("libcrypt.so.1").crypt
crypt(b"a bench Password 1", b"$6$rounds=50000$abcdefghijklmnop$")
'''
unhashed = hash_one.replace("rounds=50000", "rounds=1000")
found = {"pass": [], "list": [], "add": [], "hash": []}
for number in range(25):
    name = f"added{number}"
    found["pass"].append(cpu(["python3", "-c", "pass"]))
    found["list"].append(cpu(["ftp-users", "list"]))
    found["add"].append(cpu(["ftp-users", "add", name, "--password-stdin"], "a bench Password 1"))
    found["hash"].append(cpu(["python3", "-c", hash_one]) - cpu(["python3", "-c", unhashed]))
print(json.dumps({what: min(times) for what, times in found.items()}))
"""


def on_host(command: list[str], stdin: str) -> str:
    """Run ``command`` on the server and return what it printed."""
    done = subprocess.run(
        ["podman", "exec", "--interactive", HOST, *command], input=stdin, capture_output=True, text=True, check=True
    )
    return done.stdout


def above(what: str, ours: float, peer: float, allowed: float, hash_seconds: float = 0.0) -> Line:
    """The CPU above the peer (and above the hash, which costs what it should) in units of what is allowed."""
    peer_says = f"python3 -c pass, {peer:.3f} s" + (f", and the hash, {hash_seconds:.3f} s" if hash_seconds else "")
    ratio = (ours - peer - hash_seconds) / allowed
    return Line(f"{what}, CPU above the peer in {allowed} s", f"{ours:.3f} s", peer_says, ratio, 1)


def lines(folder: Path) -> Iterator[Line]:
    """Every line of this file, on a fresh host that is removed afterwards."""
    inventory = start_host(folder)
    try:
        run_playbook(inventory, ROOT / "playbooks/site.yml", SERVER)
        rows = "".join(f"user{number:05d},$6$rounds=50000${number:016d}${number:086d}\n" for number in range(USERS))
        on_host(["ftp-users", "import", "-", "--yes"], f"name,password_hash\n{rows}")
        cpu = json.loads(on_host(["python3", "-"], _MEASURE))
        yield above(f"ftp-users list, {USERS:,} users", cpu["list"], cpu["pass"], LIST_SECONDS)
        yield above(f"ftp-users add, {USERS:,} users", cpu["add"], cpu["pass"], ADD_SECONDS, cpu["hash"])
    finally:
        remove_host()
