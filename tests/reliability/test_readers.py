"""pam_userdb itself, logging users in while the database is rewritten again and again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

import pam
import pytest
from store_tools import PASSWORD, PASSWORD_HASH, Child, numbered_users, write

UPDATES = 500
READERS = 2

pytestmark = pytest.mark.skipif(not pam.available(), reason="libpam 1.4 or pam_userdb is not installed")


def test_no_login_is_refused_during_500_updates(memory: Path, figure: Callable[[str], None]) -> None:
    database, stop = memory / "users.db", memory / "stop"
    batman = {b"batman": PASSWORD_HASH.encode()}
    write(database, {**numbered_users(0, 1000), **batman})
    pam.write_service(memory, database)

    def read() -> list[int]:
        logins = refused = 0
        while not stop.exists():
            refused += pam.log_in(memory, "batman", PASSWORD) != 0
            logins += 1
        assert pam.log_in(memory, "batman", "wrong") != 0
        return [logins, refused]

    readers = [Child(read) for _turn in range(READERS)]
    started = time.monotonic()
    for number in range(UPDATES):
        bulk = numbered_users(1000, 1200, number)
        changes = dict.fromkeys(bulk) if number % 2 else bulk
        write(database, changes if number % 4 > 1 else numbered_users(number, number + 1, number))
    seconds = time.monotonic() - started
    stop.touch()
    counts = [reader.result() for reader in readers]
    logins, refused = (sum(column) for column in zip(*counts))
    figure(f"read: {logins} log-ins through pam_userdb during {UPDATES} updates in {seconds:.1f} s, {refused} refused")
    assert refused == 0
    assert logins >= UPDATES
