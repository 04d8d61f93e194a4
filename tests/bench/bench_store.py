"""What the user store costs: against db_load, cp, crypt(3), and against itself on a small file."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import uncollected
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Server
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_many, verify_many
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list

from line import Line
from plays import ROOT, PlayError, Plays

USERS = 100_000
PASSWORDS = 2_000
ROUNDS = 5_000
REPEATS = 5
RULES = Rules(create_home=False)


def entries(count: int) -> list[dict[str, Any]]:
    """Users with a hash each, as a play hands them over."""
    return [
        {"name": f"user{number:06d}", "password_hash": f"$6$rounds=50000${number:016d}${number:086d}"}
        for number in range(count)
    ]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def flush(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def apply(users: list[dict[str, Any]], database: Path) -> Outcome:
    """What the module does with a list: validate it, compare it, write."""
    with uncollected():
        wanted = users_from_list(users)
        backend = Ftps(Server(str(database), None, None, "ftp"), RULES)
        plan = backend.plan(backend.stored([user.name for user in wanted]), wanted)
        return backend.apply(plan).outcome if plan.outcome.changed else plan.outcome


def compare(what: str, target: float, ours: list[float], peer: list[float], peer_name: str) -> Line:
    """The median of the ratios of neighbouring runs, so that a change of the machine's load hits both."""
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, peer))
    return Line(what, milliseconds(ours), f"{peer_name}, {milliseconds(peer)}", ratio, target)


def milliseconds(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.0f} ms"


def bulk(folder: Path) -> Iterator[Line]:
    """100,000 records written and found unchanged, against db_load of the same records."""
    users = entries(USERS)
    text, peer, ours = folder / "records", folder / "peer.db", folder / "ours.db"
    text.write_text("".join(f"{user['name']}\n{user['password_hash']}\n" for user in users))

    def load() -> None:
        subprocess.run(["db_load", "-T", "-t", "hash", "-f", str(text), str(peer)], check=True)
        flush(peer)

    loads, writes, detections = [], [], []
    for _turn in range(REPEATS):
        for file in (peer, ours):
            file.unlink(missing_ok=True)
        loads.append(seconds(load))
        writes.append(seconds(lambda: expect(apply(users, ours), added=USERS)))
        detections.append(seconds(lambda: expect(apply(users, ours), unchanged=USERS)))
    yield compare(f"write {USERS:,} records", 1.5, writes, loads, "db_load")
    yield compare(f"find {USERS:,} records unchanged", 1.0, detections, loads, "db_load")
    yield memory(ours)
    yield one_user(folder, ours)


def expect(outcome: Outcome, added: int = 0, unchanged: int = 0) -> None:
    """Refuse to time what was not done."""
    found = len(outcome.added), len(outcome.unchanged)
    if found != (added, unchanged):
        raise PlayError(f"expected {added} added and {unchanged} unchanged, found {found[0]} and {found[1]}")


def memory(database: Path) -> Line:
    """Peak memory of a process that compares, beyond what the list itself needs, in sizes of the file."""
    done = subprocess.run([sys.executable, __file__, str(database)], capture_output=True, text=True, check=True)
    grown, size = int(done.stdout), database.stat().st_size
    what = f"memory to find {USERS:,} records unchanged"
    return Line(what, f"{grown >> 20} MiB", f"the file, {size >> 20} MiB", grown / size, 6)


def print_memory(database: Path) -> None:
    """Print by how many bytes comparing raises this process' peak above what the list takes."""
    users = entries(USERS)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    expect(apply(users, database), unchanged=USERS)
    print(resident("VmHWM") - before)


def resident(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[field].split()[0]) * 1024


def one_user(folder: Path, database: Path) -> Line:
    """One user of 100,000 changed, against cp and fsync of the file."""
    copy = folder / "copy.db"

    def cp() -> None:
        subprocess.run(["cp", "--reflink=never", str(database), str(copy)], check=True)
        flush(copy)

    ours, peer = [], []
    for number in range(3 * REPEATS):
        copy.unlink(missing_ok=True)
        user = {"name": "user050000", "password_hash": f"$6$rounds=50000${number:016d}${0:086d}"}
        ours.append(seconds(lambda user=user: expect(apply([user], database))))
        peer.append(seconds(cp))
    return compare(f"change 1 user of {USERS:,}", 3, ours, peer, "cp and fsync")


def verification() -> Line:
    """Passwords verified on every core, against crypt(3) called in a loop on one, times cores."""
    passwords = [f"password {number}" for number in range(PASSWORDS)]
    pairs = list(zip(passwords, hash_many(passwords, ROUNDS)))
    crypt = ctypes.CDLL("libcrypt.so.1").crypt_r
    crypt.argtypes, crypt.restype = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p], ctypes.c_char_p
    data = ctypes.create_string_buffer(262144)
    cores = len(os.sched_getaffinity(0))

    def one_core() -> None:
        for password, stored in pairs[: PASSWORDS // cores]:
            if crypt(password.encode(), stored.encode(), data) != stored.encode():
                raise PlayError("crypt(3) disagrees")

    def every_core() -> None:
        if not all(verify_many(pairs)):
            raise PlayError("a right password was not verified")

    rates = [(seconds(one_core), seconds(every_core)) for _turn in range(REPEATS + 2)]
    ratio = statistics.median(peer / mine for peer, mine in rates)
    mine = statistics.median(mine for _peer, mine in rates)
    one = statistics.median(peer for peer, _mine in rates)
    ours, theirs = f"{PASSWORDS / mine:.0f} a second", f"{cores} cores x crypt(3), {PASSWORDS / one:.0f} a second"
    return Line(f"verify {PASSWORDS:,} passwords", ours, theirs, ratio, 0.85, at_least=True)


def module(folder: Path) -> Line:
    """ftp_user through Ansible on localhost: a file of 100,000 users against one of 10."""
    inventory = folder / "localhost.yml"
    variables = {"ansible_connection": "local", "ansible_python_interpreter": str(ROOT / ".venv/bin/python")}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": variables}}}))
    plays = Plays(inventory, folder)
    files = {count: folder / f"{count}.db" for count in (10, USERS)}
    for count, file in files.items():
        apply(entries(count), file)

    def task(file: Path, number: int) -> dict[str, Any]:
        hashed = f"$6$rounds=50000${number:016d}${1:086d}"
        options = {"name": "user000005", "password_hash": hashed, "db": str(file), "create_home": False}
        return {"secure_ftp.server.ftp_user": options}

    small, large = [], []
    for repeat in range(REPEATS):
        for times, file in ((small, files[10]), (large, files[USERS])):
            times.append(plays.tasks([task(file, 4 * repeat + number) for number in range(4)]) / 4)
    return compare(f"ftp_user changing 1 of {USERS:,}", 1.3, large, small, "1 of 10")


def lines(folder: Path) -> Iterator[Line]:
    """Every line of this file. ``folder`` is on a disk, as a server's database is."""
    store = folder / "store"
    store.mkdir()
    try:
        yield from bulk(store)
        yield verification()
        yield module(store)
    finally:
        shutil.rmtree(store)


if __name__ == "__main__":
    print_memory(Path(sys.argv[1]))
