# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power goes at random instants of ftp-users; the disk has a write cache, which goes with it (disk.py).

An instant is the n-th write or flush that reaches the disk, so that the instants that matter are met as often as they
are many, however long the rest takes. The machine goes on from cut to cut, as a real one would.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from typing import Any, Tuple

from conftest import COMMAND_CUTS, PASSWORDS, dice_of
from users import JOURNAL, evidence, halves, left_in_shadow, new_findings, probe, sides

NAMES = [f"thug{number}" for number in range(6)]
Change = Tuple[str, str, "str | None"]
"""A verb, a name and the password after it; None for nobody."""


class Town:
    """What the operator was told: everybody's password; the change he got no answer to."""

    def __init__(self) -> None:
        self.passwords = {name: password for name, password in PASSWORDS.items() if name != "alfred"}
        self.counter = 0

    def change(self, dice: random.Random) -> Change:
        name = dice.choice(NAMES)
        self.counter += 1
        password = f"Long-enough {self.counter}"
        if name not in self.passwords:
            return "add", name, password
        return dice.choice([("passwd", name, password), ("del", name, None)])

    def is_now(self, name: str, password: str | None) -> None:
        """Remember ``password`` as that of ``name``; None: he is gone."""
        if password is None:
            self.passwords.pop(name, None)
        else:
            self.passwords[name] = password


def command(verb: str, name: str) -> str:
    return f"ftp-users {verb} {name}" + (" --password-stdin" if verb != "del" else "")


def until_dark(machine, town: Town, dice: random.Random, most: int) -> Change:
    """Change users until the power goes, after at most ``most`` writes and flushes; the change that had no answer."""
    machine.disk.cut_after(1 + int(dice.random() * most))
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
        town.is_now(name, password)


def events_of_a_change(machine) -> int:
    """How many writes and flushes it takes to add, change and remove somebody, with what else the machine does."""
    before = machine.disk.events
    for verb in ("add", "passwd", "del"):
        machine.sh(command(verb, "thug"), stdin=f"Long-enough {verb}")
    return machine.disk.events - before


def judge(machine, town: Town, change: Change, known: list[str]) -> str:
    """After the boot: is everything as it was acknowledged, and the change without an answer done or not; which."""
    verb, name, password = change
    users = machine.users()
    for other in (*NAMES, *PASSWORDS):
        if other != name:
            wanted = ("ftps", "sftp") if other in town.passwords or other == "alfred" else ()
            assert sides(users.get(other)) == wanted, f"{other} after {verb} {name}: {users.get(other)}"
    half = halves(machine, NAMES, PASSWORDS)
    if half:
        print(f"half after {verb} {name}:\n{evidence(machine, half)}", flush=True)
    assert set(half) <= {name}
    at_boot = new_findings(machine, known)
    # The next change, whatever it is, finishes what was interrupted.
    left = machine.sh(f"ls {JOURNAL} 2>/dev/null || true")
    said = machine.sh("ftp-users unlock alfred && ftp-users lock alfred 2>&1")
    assert halves(machine, NAMES, PASSWORDS) == [], f"{change}: half {half}, before the next change: {left}; it: {said}"
    assert not (at_boot or left) or new_findings(machine, known) == [], at_boot
    machine.sh(f"test ! -e {JOURNAL}")
    answer = probe(machine, name, {old for old in (town.passwords.get(name), password) if old})
    assert answer in (town.passwords.get(name), password), f"{verb} {name}: neither the old nor the new password"
    town.is_now(name, answer)
    for other in sorted(town.passwords.keys() - {name})[:1]:
        assert probe(machine, other, {town.passwords[other]}) == town.passwords[other], other
    outcome = "half there until the next change" if half else "done" if answer == password else "not done"
    return outcome + (" with a journal" if left else "") + (f" and found as {at_boot}" if at_boot else "")


def test_power_cuts_while_users_change(machine, figure):
    town, counts, lost, boots = Town(), {"verbs": Counter(), "outcomes": Counter()}, Counter(), []
    # A machine of an earlier run may have an older command.
    installed = machine.ansible("ansible", "machine", "--become", "-m", "secure_ftp.server.user_command")
    assert installed.returncode == 0, installed.stdout
    known = [finding["subject"] for finding in machine.findings()]
    most = events_of_a_change(machine)
    for turn in range(COMMAND_CUTS):
        started, dice = time.monotonic(), dice_of("users", turn)
        change = until_dark(machine, town, dice, most)
        blocks, gone = machine.power_cut(dice)
        machine.on()
        boots.append(machine.booted_in)
        left = left_in_shadow(machine)
        outcome = judge(machine, town, change, known)
        counts["verbs"][change[0]] += 1
        counts["outcomes"][outcome] += 1
        lost.update(blocks=blocks, gone=gone, left=len(left))
        print(
            f"cut {turn + 1}: {change[0]} {change[1]}: {outcome}; {gone} of {blocks} cached blocks lost something;"
            f" in shadow alone: {left or 'nobody'}; up in {machine.booted_in:.0f} s, all of it"
            f" {time.monotonic() - started:.0f} s",
            flush=True,
        )
    figure(
        f"cuts: {COMMAND_CUTS} during ftp-users ({_counted(counts['verbs'])}), each within {most} writes and flushes:"
        f" {_counted(counts['outcomes'])}; {lost['gone']} of {lost['blocks']} cached blocks"
        f" lost something; {lost['left']} times a line in shadow without an account;"
        f" boots of {min(boots):.0f} to {max(boots):.0f} s"
    )


def _counted(counter: Counter[Any]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counter.items()))


def test_a_line_left_in_shadow_gives_nothing_to_the_next_of_that_name(machine, figure):
    """What a cut between userdel's passwd and its shadow leaves, and worse: a hash and an expiry in it."""
    machine.sh(
        "useradd --no-create-home ghost && echo 'ghost:Ghost-of-1 old' | chpasswd && usermod --expiredate 1 ghost"
        " && grep -v '^ghost:' /etc/passwd >/etc/passwd.new && cat /etc/passwd.new >/etc/passwd"
        " && grep '^ghost:[$].*:1:$' /etc/shadow"
    )
    machine.sh("ftp-users add ghost --password-stdin", stdin="Ghost-of-2 new")
    try:
        assert probe(machine, "ghost", {"Ghost-of-1 old", "Ghost-of-2 new"}) == "Ghost-of-2 new"
    finally:
        machine.sh("ftp-users del ghost")
    figure("vm: a line left in shadow, with a password and an expiry, gave nothing to the next user of that name")
