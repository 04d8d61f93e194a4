# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power goes at random instants of changes; the disk has a write cache, which goes with it (disk.py).

An instant is the n-th write or flush that reaches the disk, so that the instants that matter are met as often as they
are many, however long the rest takes. The machine goes on from cut to cut, as a real one would.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from typing import Any

from conftest import PASSWORDS

CUTS = int(os.environ.get("SECURE_FTP_CUTS", "20"))
NAMES = [f"thug{number}" for number in range(6)]


class Town:
    """What the operator was told: everybody's password; the change he got no answer to."""

    def __init__(self) -> None:
        self.passwords = {name: password for name, password in PASSWORDS.items() if name != "alfred"}
        self.counter = 0

    def change(self, dice: random.Random) -> tuple[str, str, str | None]:
        """A verb, a name and the password after it; None for nobody."""
        name = dice.choice(NAMES)
        self.counter += 1
        password = f"Long-enough {self.counter}"
        if name not in self.passwords:
            return "add", name, password
        return dice.choice([("passwd", name, password), ("del", name, None)])


def command(verb: str, name: str) -> str:
    return f"ftp-users {verb} {name}" + (" --password-stdin" if verb != "del" else "")


def until_dark(machine, town: Town, dice: random.Random, most: int) -> tuple[str, str, str | None]:
    """Change people until the power goes, after at most ``most`` writes and flushes; the change that had no answer."""
    machine.disk.cut_after(dice.randint(1, most))
    while True:
        verb, name, password = change = town.change(dice)
        process = subprocess.Popen(
            [*machine.ssh(), command(verb, name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin and process.stdout
        process.stdin.write(password or "")
        process.stdin.close()
        while process.poll() is None and not machine.disk.dead.is_set():
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
            process.wait()
            return change
        assert process.returncode == 0, process.stdout.read()
        if password is None:
            del town.passwords[name]
        else:
            town.passwords[name] = password


def events_of_a_change(machine) -> int:
    """How many writes and flushes it takes to add, change and remove somebody, with what else the machine does."""
    before = machine.disk.events
    for verb in ("add", "passwd", "del"):
        machine.sh(command(verb, "thug"), stdin=f"Long-enough {verb}")
    return machine.disk.events - before


def sides(user: dict[str, Any] | None) -> tuple[str, ...]:
    return tuple(user["protocols"]) if user else ()


def hashes(machine) -> dict[str, set[str]]:
    """The stored hashes of everybody by FTPS and by SFTP, empty for none: two that differ are somebody half there.

    userdel(8) replaces passwd before shadow, so the power may leave a line in shadow whose account is gone: no log-in
    is possible by it, and it must hold no password any more.
    """
    answer = machine.sh(
        "cut -d: -f1 /etc/passwd; echo =; cut -d: -f1,2 /etc/shadow; echo =; db_dump -p /etc/vsftpd/users.db"
    )
    accounts, shadow, database = (part.splitlines() for part in answer.split("=\n", 2))
    stored = dict(line.split(":", 1) for line in shadow)
    left = {name: value for name, value in stored.items() if name not in accounts}
    assert all("$" not in value for value in left.values()), left
    lines = [line[1:] for line in database if line.startswith(" ")]
    ftps = dict(zip(lines[::2], lines[1::2]))
    sftp = {name: value for name, value in stored.items() if name in accounts}
    return {name: {ftps.get(name, ""), sftp.get(name, "")} for name in {*NAMES, *PASSWORDS}}


def halves(machine) -> list[str]:
    """Who is there by one protocol only, or with two passwords; a playbook may salt each of the two by itself."""
    found = hashes(machine)
    return [name for name, both in found.items() if len(both) == 2 and (name in NAMES or "" in both)]


def evidence(machine, names: list[str]) -> str:
    """What the files say about ``names``, and what the journal of changes holds."""
    lines = f"grep -nE '^({'|'.join(names)}):' /etc/passwd /etc/shadow /etc/passwd- /etc/shadow-"
    database = f"db_dump -p /etc/vsftpd/users.db | grep -nE -A 1 '^ ({'|'.join(names)})$'"
    return machine.sh(f"{lines}; {database}; ls -lR --full-time /var/lib/secure_ftp.server; true")


def check_findings(machine, known: list[str]) -> list[str]:
    """What the check has newly found; each says what to do."""
    new = [finding for finding in machine.findings() if finding["subject"] not in known]
    assert all(finding["fix"] for finding in new), new
    return [finding["subject"] for finding in new]


def judge(machine, town: Town, change: tuple[str, str, str | None], known: list[str]) -> str:
    """After the boot: is everything as it was acknowledged, and the change without an answer done or not; which."""
    verb, name, password = change
    users = machine.users()
    for other in (*NAMES, *PASSWORDS):
        if other != name:
            wanted = ("ftps", "sftp") if other in town.passwords or other == "alfred" else ()
            assert sides(users.get(other)) == wanted, f"{other} after {verb} {name}: {users.get(other)}"
    half = halves(machine)
    if half:
        print(f"half after {verb} {name}:\n{evidence(machine, half)}", flush=True)
    assert set(half) <= {name}
    at_boot = check_findings(machine, known)
    # The next change, whatever it is, finishes what was interrupted.
    left = machine.sh("ls -l /var/lib/secure_ftp.server")
    said = machine.sh("ftp-users unlock alfred && ftp-users lock alfred 2>&1")
    assert halves(machine) == [], (
        f"{change}: half {half}, before the next change: {left}; it said: {said}; {hashes(machine)}"
    )
    assert check_findings(machine, known) == [], at_boot
    machine.sh("test ! -e /var/lib/secure_ftp.server/unfinished.json")
    answer = probe(machine, name, {old for old in (town.passwords.get(name), password) if old})
    assert answer in (town.passwords.get(name), password), f"{verb} {name}: neither the old nor the new password"
    done = answer == password
    if answer is None:
        town.passwords.pop(name, None)
    else:
        town.passwords[name] = answer
    for other in sorted(town.passwords.keys() - {name})[:2]:
        assert probe(machine, other, {town.passwords[other]}) == town.passwords[other], other
    return f"{'finished by the journal' if half else 'done' if done else 'not done'}"


def probe(machine, name: str, passwords: set[str]) -> str | None:
    """Which of ``passwords`` lets ``name`` in; both protocols must say the same."""
    found = []
    for password in sorted(passwords):
        ftps, sftp = machine.ftps_accepts(name, password), machine.sftp_accepts(name, password)
        assert ftps == sftp, f"{name}: FTPS {ftps}, SFTP {sftp}"
        found += [password] if ftps else []
    assert len(found) < 2
    return found[0] if found else None


def test_power_cuts_while_people_change(machine, dice, figure):
    town, outcomes, verbs, lost, boots = Town(), Counter(), Counter(), Counter(), []
    # A machine of an earlier run may have an older command.
    installed = machine.ansible("ansible", "machine", "--become", "-m", "secure_ftp.server.user_command")
    assert installed.returncode == 0, installed.stdout
    known = [finding["subject"] for finding in machine.findings()]
    most = events_of_a_change(machine)
    for _turn in range(CUTS):
        change = until_dark(machine, town, dice, most)
        blocks, gone = machine.power_cut(dice)
        lost.update(blocks=blocks, gone=gone)
        machine.on()
        boots.append(machine.booted_in)
        outcome = judge(machine, town, change, known)
        print(
            f"{change[0]} {change[1]}: {outcome}; {gone} of {blocks} cached blocks lost something;"
            f" up in {machine.booted_in:.0f} s",
            flush=True,
        )
        outcomes[outcome] += 1
        verbs[change[0]] += 1
    figure(
        f"cuts: {CUTS} during ftp-users ({_counted(verbs)}), each within {most} writes and flushes:"
        f" {_counted(outcomes)}, nobody half; {lost['gone']} of {lost['blocks']} cached blocks lost something;"
        f" boots of {min(boots):.0f} to {max(boots):.0f} s"
    )


def _counted(counter: Counter) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counter.items()))
