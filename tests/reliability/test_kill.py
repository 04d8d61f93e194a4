"""SIGKILL at random instants: the old users or the new ones, never anything else."""

from __future__ import annotations

import os
import random
import stat
import statistics
import time
from pathlib import Path
from typing import Callable

import pam
import pytest
from store_tools import PASSWORD, PASSWORD_HASH, Child, contents, litter, people, run_module, write

from ansible_collections.secure_ftp.server.plugins.module_utils import _ftp_people
from ansible_collections.secure_ftp.server.plugins.module_utils._discovery import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._ftp_people import Rules, reconcile

KILLS = int(os.environ.get("SECURE_FTP_KILLS", "1000"))
"""SIGKILLs of single and bulk writes together."""

OWNER = (4321, 4322) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
MODE = 0o640


def seconds_of(work: Callable[[int], object]) -> float:
    """How long a child with that work, told how often it was done before, lives."""
    times = []
    for number in range(5):
        started = time.perf_counter()
        Child(lambda number=number: work(number)).result()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def single(number: int) -> dict[bytes, bytes | None]:
    """One user more, changed or removed."""
    user = b"user%06d" % (number % 40)
    return {user: None if number % 5 == 4 else people(0, 1, number)[b"user000000"]}


def bulk(number: int) -> dict[bytes, bytes | None]:
    """1,000 changed, and 500 come or go."""
    some = people(1000, 1500, number)
    return {**people(0, 1000, number), **(dict.fromkeys(some) if number % 2 else some)}


@pytest.mark.parametrize(("changes_of", "share"), [(single, 0.6), (bulk, 0.4)], ids=["single", "bulk"])
def test_a_killed_write_leaves_the_old_or_the_new_users(memory: Path, changes_of, share: float) -> None:
    database = memory / "users.db"
    write(database, people(0, 1000))
    os.chown(database, *OWNER)
    os.chmod(database, MODE)
    lifetime = seconds_of(lambda number: write(database, changes_of(1000 + number)))
    chance = random.Random(1)
    before, outcomes = contents(database), {"old": 0, "new": 0, "midway": 0}
    for number in range(round(KILLS * share)):
        changes = changes_of(number)
        after = {key: value for key, value in {**before, **changes}.items() if value is not None}
        child = Child(lambda changes=changes: write(database, changes))
        time.sleep(chance.uniform(0, lifetime))
        killed = child.kill()
        found = contents(database)
        if found != before or not killed:
            assert found == after, f"kill {number}: neither the old nor the new users"
        outcomes["new" if found == after else "old"] += 1
        left = litter(database)
        assert len(left) <= 1, f"kill {number}: the write did not clean up after the ones before: {left}"
        outcomes["midway"] += bool(left)
        status = os.stat(database)
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (*OWNER, MODE)
        before = found
    write(database, {b"afterwards": b"$1$x"})
    assert not litter(database)
    print(f"{changes_of.__name__}: {outcomes}")
    enough = round(KILLS * share) // 20
    assert min(outcomes.values()) >= enough, f"the kills missed the interesting instants: {outcomes}"


def test_a_killed_ftp_users_leaves_nobody_without_a_directory(memory: Path) -> None:
    database, root = memory / "db" / "users.db", memory / "homes"
    database.parent.mkdir()
    root.mkdir()

    def work(number: int) -> None:
        users = [{"name": f"user{number:03d}-{other}", "password_hash": PASSWORD_HASH} for other in range(50)]
        options = {"db": str(database), "local_root": f"{root}/$USER", "guest_username": "root"}
        result = run_module("ftp_users", users=users, **options)
        assert result.get("changed") and not result.get("failed"), result

    lifetime = seconds_of(work)
    chance, old, new = random.Random(2), 0, 0
    for number in range(100, 200):
        before = contents(database)
        child = Child(lambda number=number: work(number))
        time.sleep(chance.uniform(0, lifetime))
        child.kill()
        found = contents(database)
        added = {name.decode() for name in found.keys() - before.keys()}
        assert before.keys() <= found.keys()
        assert len(added) in (0, 50)
        assert {name.decode() for name in found} <= set(os.listdir(root))
        old, new = old + (not added), new + bool(added)
    work(200)
    assert not litter(database)
    assert min(old, new) >= 5, (old, new)


@pytest.mark.skipif(not pam.available(), reason="libpam 1.4 or pam_userdb is not installed")
def test_killed_while_hashing_plaintext_everybody_still_gets_in(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ftp_people, "SETTLE", 0.02)
    database, services = memory / "users.db", memory / "pam.d"
    services.mkdir()
    passwords = {f"user{number}": f"{PASSWORD} {number}" for number in range(5)}
    plaintext = {name.encode(): password.encode() for name, password in passwords.items()}

    def reset() -> None:
        pam.write_service(services, database, crypt=None)
        write(database, plaintext)

    def work() -> None:
        server = discover(db=str(database), pam_service="vsftpd.virtual", pam_directory=str(services))
        reconcile([], server, Rules(hash_plaintext=True, create_home=False, rounds=1000))

    reset()
    lifetime = seconds_of(lambda _number: (reset(), work()))
    chance, stages = random.Random(3), set()
    for _ in range(100):
        reset()
        child = Child(work)
        time.sleep(chance.uniform(0, lifetime))
        child.kill()
        for name, password in passwords.items():
            assert pam.log_in(services, name, password) == 0, f"{name} is locked out"
            assert pam.log_in(services, name, password + "x") != 0
        stages.add((contents(database) == plaintext, (services / "vsftpd.virtual").read_text().count("\n")))
        work()
        for name, password in passwords.items():
            assert pam.log_in(services, name, password) == 0, f"{name} is locked out after the second run"
        hashed = contents(database)
        assert all(value.startswith(b"$6$") for value in hashed.values())
        assert pam.log_in(services, "user0", hashed[b"user0"].decode()) != 0, "the hash itself lets in"
    assert len(stages) >= 2, f"the kills hit too few stages: {stages}"
