"""SIGKILL at random instants: the old users or the new ones, never anything else."""

from __future__ import annotations

import os
import random
import signal
import stat
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Callable

import pam
import pytest
from store_tools import (
    PASSWORD,
    PASSWORD_HASH,
    Child,
    contents,
    hash_plaintext,
    litter,
    numbered_users,
    run_module,
    write,
)

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import apply
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover

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


class Moments:
    """When to kill a child: by chance, over a time that grows when one died too early and shrinks when one got it done.

    So about as many changes are made as not, however busy the machine is and whatever a child has to finish first.
    """

    def __init__(self, lifetime: float, seed: int) -> None:
        self.reach, self.chance = lifetime, random.Random(seed)

    def wait(self) -> None:
        time.sleep(self.chance.uniform(0, self.reach))

    def learn(self, changed: bool) -> None:
        self.reach *= 0.95 if changed else 1.05


def single(number: int) -> dict[bytes, bytes | None]:
    """One user more, changed or removed."""
    user = b"user%06d" % (number % 40)
    return {user: None if number % 5 == 4 else numbered_users(0, 1, number)[b"user000000"]}


def bulk(number: int) -> dict[bytes, bytes | None]:
    """1,000 changed, and 500 come or go."""
    some = numbered_users(1000, 1500, number)
    return {**numbered_users(0, 1000, number), **(dict.fromkeys(some) if number % 2 else some)}


@pytest.mark.parametrize(("changes_of", "share"), [(single, 0.6), (bulk, 0.4)], ids=["single", "bulk"])
def test_a_killed_write_leaves_the_old_or_the_new_users(
    memory: Path, changes_of: Callable[[int], dict], share: float, figure: Callable[[str], None]
) -> None:
    database = memory / "users.db"
    write(database, numbered_users(0, 1000))
    os.chown(database, *OWNER)
    os.chmod(database, MODE)
    moments = Moments(seconds_of(lambda number: write(database, changes_of(1000 + number))), seed=1)
    before, outcomes = contents(database), {"old": 0, "new": 0, "midway": 0}
    for number in range(round(KILLS * share)):
        changes = changes_of(number)
        after = {key: value for key, value in {**before, **changes}.items() if value is not None}
        child = Child(lambda changes=changes: write(database, changes))
        moments.wait()
        killed = child.kill()
        found = contents(database)
        if found != before or not killed:
            assert found == after, f"kill {number}: neither the old nor the new users"
        outcomes["new" if found == after else "old"] += 1
        moments.learn(found == after)
        left = litter(database)
        assert len(left) <= 1, f"kill {number}: the write did not clean up after the ones before: {left}"
        outcomes["midway"] += bool(left)
        status = os.stat(database)
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (*OWNER, MODE)
        before = found
    write(database, {b"afterwards": b"$1$x"})
    assert not litter(database)
    figure(
        f"killed: {round(KILLS * share)} {changes_of.__name__} writes: {outcomes['old']} left the old users,"
        f" {outcomes['new']} the new ones; {outcomes['midway']} died midway"
    )
    enough = round(KILLS * share) // 20
    assert min(outcomes.values()) >= enough, f"the kills missed the interesting instants: {outcomes}"


def test_a_killed_ftp_users_leaves_nobody_without_a_directory(memory: Path, figure: Callable[[str], None]) -> None:
    database, root = memory / "db" / "users.db", memory / "homes"
    database.parent.mkdir()
    root.mkdir()

    def work(number: int) -> None:
        users = [{"name": f"user{number:03d}-{other}", "password_hash": PASSWORD_HASH} for other in range(50)]
        options = {"db": str(database), "local_root": f"{root}/$USER", "guest_username": "root"}
        result = run_module("ftp_users", users=users, **options)
        assert result.get("changed") and not result.get("failed"), result

    moments = Moments(seconds_of(work), seed=2)
    old, new = 0, 0
    for number in range(100, 200):
        before = contents(database)
        child = Child(lambda number=number: work(number))
        moments.wait()
        child.kill()
        found = contents(database)
        assert before.keys() <= found.keys()
        # A call finishes what the one before it has left in the journal.
        assert set(Counter(name.partition(b"-")[0] for name in found).values()) <= {50}, "some of a call alone"
        assert {name.decode() for name in found} <= set(os.listdir(root))
        added = f"user{number:03d}-0".encode() in found
        old, new = old + (not added), new + added
        moments.learn(added)
    work(200)
    assert not litter(database)
    assert min(old, new) >= 5, (old, new)
    count = f"{old + new} ftp_users of 50 new users"
    figure(f"killed: {count}: not added at once by {old}, all by {new}, each with a directory")


class Hashing:
    """Plaintext users to be hashed, in a database and a PAM directory of their own."""

    def __init__(self, folder: Path) -> None:
        self.database, self.services = folder / "users.db", folder / "pam.d"
        self.services.mkdir()
        self.passwords = {f"user{number}": f"{PASSWORD} {number}" for number in range(5)}
        self.plaintext = {name.encode(): password.encode() for name, password in self.passwords.items()}
        self.reset()

    def reset(self) -> None:
        pam.write_service(self.services, self.database, crypt=None)
        write(self.database, self.plaintext)

    def work(self) -> None:
        server = discover(db=str(self.database), pam_service="vsftpd.virtual", pam_directory=str(self.services))
        hash_plaintext(server)

    def stage(self) -> tuple[bool, int]:
        """How far it is: whether the database is as it was, and how many lines the PAM service has."""
        lines = (self.services / "vsftpd.virtual").read_text().count("\n")
        return contents(self.database) == self.plaintext, lines

    def check(self, when: str) -> None:
        """Everybody gets in, with the right password only."""
        for name, password in self.passwords.items():
            assert pam.log_in(self.services, name, password) == 0, f"{name} is locked out {when}"
            assert pam.log_in(self.services, name, password + "x") != 0

    def finish(self) -> None:
        """The next run does the rest, whatever the killed one left."""
        self.work()
        self.check("after the second run")
        hashed = contents(self.database)
        assert all(value.startswith(b"$6$") for value in hashed.values())
        assert pam.log_in(self.services, "user0", hashed[b"user0"].decode()) != 0, "the hash itself lets in"


@pytest.fixture
def hashing(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Hashing:
    monkeypatch.setattr(apply, "SETTLE", 0.02)
    return Hashing(memory)


needs_pam = pytest.mark.skipif(not pam.available(), reason="libpam 1.4 or pam_userdb is not installed")


@needs_pam
def test_killed_while_hashing_plaintext_everybody_still_gets_in(
    hashing: Hashing, figure: Callable[[str], None]
) -> None:
    lifetime = seconds_of(lambda _number: (hashing.reset(), hashing.work()))
    chance = random.Random(3)
    for number in range(50):
        hashing.reset()
        child = Child(hashing.work)
        time.sleep(chance.uniform(0, lifetime))
        child.kill()
        hashing.check(f"after kill {number}")
        hashing.finish()
    figure("killed: 50 runs that hash plaintext passwords, and one after each of its steps: everybody could log in")


@needs_pam
def test_killed_after_each_step_of_hashing_plaintext_everybody_still_gets_in(hashing: Hashing) -> None:
    """What a log-in sees changes only when a file is renamed into its place."""

    def work_until(step: int) -> None:
        rename, count = os.rename, 0

        def rename_and_die(source: str, target: str) -> None:
            nonlocal count
            rename(source, target)
            count += not target.endswith("~")  # the copy of the file that was made by hand
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

        os.rename = os.replace = rename_and_die
        hashing.work()

    stages, step, killed = {hashing.stage()}, 0, True
    while killed:
        step += 1
        hashing.reset()
        killed = Child(lambda step=step: work_until(step)).killed_itself()
        stages.add(hashing.stage())
        hashing.check(f"after step {step}")
        hashing.finish()
    assert len(stages) == step == 4, stages
