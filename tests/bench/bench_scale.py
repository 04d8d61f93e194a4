# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What 10,000 users with every right set cost: against ping tasks, against cp, and against 10 such users."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator

from bench_ansible import in_pings
from scale import ACCESS_FILE, ScaleServer, name_of, people

from line import Line
from plays import PlayError, Plays

MANY, FEW = 10_000, 10
CHANGES = 9
FILES_TIMES = 3
"""How often the time to copy the files of users may be spent, besides that for accounts."""

COPY = """
sync; began=$(date +%s%N); cp -r /etc/vsftpd/users.d /etc/vsftpd/copy; sync; ended=$(date +%s%N)
rm -r /etc/vsftpd/copy; echo $((ended - began))
"""


def whole_list(plays: Plays, count: int, module: str = "ftp_users", changed: bool = True, rights: bool = True) -> float:
    """Wall seconds of one task that gets all users from a variable, as a list of an inventory is."""
    users = {"bench_users": people(count, rights)}
    return plays.tasks([{f"secure_ftp.server.{module}": {"users": "{{ bench_users }}"}}], users, int(changed))


def expect(server: ScaleServer, count: int) -> None:
    """Refuse to time what was not done: accounts, rights and files of that many users."""
    found = server.sh(
        f"getent passwd | grep -c ^user; grep -c ^-: {ACCESS_FILE}; ls /etc/vsftpd/users.d | wc -l;"
        " grep -c ':47147:' /etc/shadow; db_dump -p /etc/vsftpd/users.db | grep -c '^ user'"
    ).split()
    if found != [str(count)] * 5:
        raise PlayError(f"expected {count} accounts, sources, files, expiries and records, found {found}")


def first(server: ScaleServer, plays: Plays) -> Iterator[Line]:
    """All users new: the peer is what accounts alone cost, and cp of the same files of users."""
    accounts = whole_list(plays, MANY, "sftp_users", rights=False)
    server.reset()
    ours = whole_list(plays, MANY)
    expect(server, MANY)
    copied = min(int(server.sh(COPY)) / 1e9 for _turn in range(3))
    peer = f"accounts alone, {accounts:.1f} s, and {FILES_TIMES} x cp -r and sync of the files, {copied:.2f} s"
    whole = accounts + FILES_TIMES * copied
    yield Line(f"ftp_users, {MANY:,} new users, all rights", f"{ours:.1f} s", peer, ours / whole, 1)


def pairs(ours: Callable[[int], float], peer: Callable[[int], float], count: int) -> tuple[list[float], list[float]]:
    """Both in turn, so that a change of the machine's load hits both."""
    found = [(ours(turn), peer(turn)) for turn in range(count)]
    return [mine for mine, _theirs in found], [theirs for _mine, theirs in found]


def against_few(what: str, many: list[float], few: list[float], target: float) -> Line:
    ratio = statistics.median(mine / theirs for mine, theirs in zip(many, few))
    said = [f"{statistics.median(times) * 1000:.0f} ms" for times in (many, few)]
    return Line(f"{what} among {MANY:,}", said[0], f"among {FEW}, {said[1]}", ratio, target)


def someone(login: Callable[[ScaleServer, str], float], server: ScaleServer, count: int) -> Callable[[int], float]:
    """One log-in each of FEW users from all over the account files, which are searched from their beginning.

    Nobody logs in twice: the first log-in of a user starts a systemd of his own, which the second one finds.
    """

    def run(turn: int) -> float:
        number = (2 * turn + 1) * count // (2 * FEW)
        return login(server, name_of(number if number < 10 else number // 10 * 10))

    return run


def change(plays: Plays, number: int) -> Callable[[int], float]:
    """Another umask, day and comment for one user: every file that a right can change is written."""

    def run(turn: int) -> float:
        options = {"umask": f"00{27 + turn % 2 * 50}", "expires": f"2098-01-{turn + 1:02}", "comment": f"change {turn}"}
        one = {"name": name_of(number), "access": "read_only", **options}
        return plays.tasks([{"secure_ftp.server.ftp_user": one}])

    return run


def lines(folder: Path) -> Iterator[Line]:
    """Every line of this file, on two fresh hosts that are removed afterwards."""
    with ExitStack() as stack:
        many = stack.enter_context(ScaleServer("bench-many", folder))
        few = stack.enter_context(ScaleServer("bench-few", folder))
        plays, plays_few = Plays(many.inventory, folder), Plays(few.inventory, folder)
        size = int(many.sh("stat -c %s /etc/ssh/sshd_config"))
        yield from first(many, plays)
        again = statistics.median(whole_list(plays, MANY, changed=False) for _turn in range(3))
        yield in_pings(f"ftp_users, {MANY:,} users unchanged, all rights", again, plays.ping(), 6)
        whole_list(plays_few, FEW)
        expect(few, FEW)
        grown = int(many.sh("stat -c %s /etc/ssh/sshd_config"))
        yield Line(f"sshd_config with {MANY:,} users", f"{grown} bytes", f"with none, {size} bytes", grown / size, 1)
        times = pairs(change(plays, MANY // 3 * 3 - 3), change(plays_few, FEW // 3 * 3 - 3), CHANGES)
        yield against_few("one change by ftp_user", *times, 1.5)
        for protocol, login in (("FTPS", ScaleServer.ftps_login), ("SFTP", ScaleServer.sftp_login)):
            times = pairs(someone(login, many, MANY), someone(login, few, FEW), FEW)
            yield against_few(f"a log-in by {protocol}", *times, 1.2)
