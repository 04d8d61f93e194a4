# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power goes at random instants of site.yml, which changes files, units, accounts and rules of the firewall.

An instant is the n-th write or flush after the start of some task: how many there are in a whole run depends on how
long it takes, as the kernel writes by itself every five seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

from conftest import PASSWORDS, SITE_CUTS, USERS, VARIABLES, dice_of, recap, tasks_of
from users import JOURNAL, halves, left_in_shadow, new_findings, probe, sides

CLERKS = {f"clerk{number}": f"Clerk number {number}" for number in range(3)}
ODD = {
    "vsftpd_idle_session_timeout": 200,
    "sshd_chroot_log_level": "VERBOSE",
    "firewall_extra_rules": [{"port": 8081}],
}
WRITES = 20
"""About as many as a task that changes something takes."""


def variant(number: int) -> dict[str, Any]:
    """The variables of the ``number``-th run: each wants what the one before it did not."""
    odd = bool(number % 2)
    clerks = [
        {"name": name, "password": password} if odd else {"name": name, "state": "absent"}
        for name, password in CLERKS.items()
    ]
    return {**VARIABLES, **(ODD if odd else {}), "ftp_users": [*USERS, *clerks]}


def run_until_dark(machine, number: int, task: int, after: int) -> str | None:
    """Run site.yml until the power goes: at the ``after``-th write or flush from the start of its ``task``-th task on.

    The name of the task it went in; None: the run was over before.
    """
    log = machine.work / f"cut-{number}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            machine.site(variant(number)),
            env=machine.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    aimed = False
    while process.poll() is None and not machine.disk.dead.is_set():
        if not aimed and len(tasks_of(log.read_text())) >= task:
            machine.disk.cut_after(after)
            aimed = True
        time.sleep(0.05)
    said = log.read_text()
    if process.poll() is not None:
        assert process.returncode == 0, said
        return None
    os.killpg(process.pid, signal.SIGKILL)  # its workers too
    process.wait()
    return tasks_of(said)[-1]


def expect_nobody_lost(machine) -> list[str]:
    """After the boot: who was there is there, nobody else got in. Who of the clerks is there by one protocol so far.

    The users of both protocols are one change, so that can only be while its journal waits for the next one.
    """
    for name in ("batman", "robin"):
        assert probe(machine, name, {PASSWORDS[name]}) == PASSWORDS[name]
    assert probe(machine, "alfred", {PASSWORDS["alfred"]}) is None
    users = machine.users()
    half = [name for name in CLERKS if len(sides(users.get(name))) == 1]
    assert not half or machine.sh(f"ls {JOURNAL}"), half
    return half


def test_power_cuts_during_site_yml(machine, story, figure):
    known = [finding["subject"] for finding in machine.findings()]
    met = half = 0
    for number in range(1, 1 + SITE_CUTS):
        started, dice = time.monotonic(), dice_of("site", number)
        cut = run_until_dark(machine, number, dice.randint(1, len(story["tasks"])), dice.randint(1, WRITES))
        blocks, gone = machine.power_cut(dice)
        machine.on()
        between = expect_nobody_lost(machine)
        found, left = new_findings(machine, known), left_in_shadow(machine)
        again = machine.play(variant(number))
        assert again.returncode == 0, again.stdout
        assert new_findings(machine, known) == []
        assert halves(machine, (), {*CLERKS, *PASSWORDS}) == []
        for name, password in CLERKS.items():
            assert probe(machine, name, {password}) == (password if number % 2 else None)
        met, half = met + bool(cut), half + bool(between)
        print(
            f"site cut {number}: in {cut or 'no task: it was over'}; {found or 'nothing found'}; by one protocol"
            f" {between or 'nobody'}; in shadow alone {left or 'nobody'}; {gone} of {blocks} cached blocks lost"
            f" something; the next run changed {recap(again.stdout)['changed']}; {time.monotonic() - started:.0f} s",
            flush=True,
        )
    figure(
        f"cuts: {SITE_CUTS} at site.yml, {met} of them before its end: nobody locked out after the boot, {half} times"
        " new users by one protocol so far; the next run finished them all"
    )
