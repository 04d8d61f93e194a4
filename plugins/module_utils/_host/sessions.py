# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Ending the sessions of accounts: who was locked, removed or given another password goes now.

Called after the account was changed. What logs in from then on was checked against the changed account and is left
alone; a log-in that was being checked at that moment is not. Tried with OpenSSH 9.2: a process of root is called
"sshd: NAME [priv]" from the moment NAME is known, before anything is checked, and the session is a process of the
user's, its child. Since 9.8 the program is called sshd-session.
"""

from __future__ import annotations

import time
from typing import Collection, Iterable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc
from ansible_collections.secure_ftp.server.plugins.module_utils._host.processes import Process

SECONDS = 5.0
"""How long is waited for what was killed to be gone."""

_PAUSE = 0.02
_GRACE = 1.0  # seconds that sshd has to notice that its session is over, and to close it
_SSHD = ("sshd", "sshd-session")


def end_sessions(accounts: Mapping[str, int], shared: Collection[int] = (), seconds: float = SECONDS) -> list[str]:
    """End what runs for ``accounts`` (name to user id); return warnings about what is still there after ``seconds``.

    That is every process of their user ids, and log-ins of theirs that sshd is checking. Of user ids that are
    ``shared`` with an account that is not meant, only sessions of sshd are ended, which say whose they are. Processes
    of containers, whose users have the same numbers, are nobody's here, and of root's only those of sshd are ended.
    """
    own = {uid for uid in accounts.values() if uid not in shared} - {0}
    titles = {f"{program}: {name} [{part}]" for program in _SSHD for name in accounts for part in ("priv", "pam")}
    old = _log_ins(titles, proc.processes()) if accounts else []
    established: set[Process] = set()  # end by themselves once their user's process has
    began = time.monotonic()
    while accounts:
        everything = proc.processes()
        later = {one.pid for one in _log_ins(titles, everything)} - {one.pid for one in old}
        users = [one for one in everything if one.parent not in later and _is_users(one, own, old)]
        established.update(one for one in old if one.pid in {user.parent for user in users})
        log_ins = [one for one in old if proc.is_running(one)]
        waited = time.monotonic() - began
        for one in (*users, *log_ins):
            if one not in established or waited > _GRACE:
                proc.kill(one)
        if not (users or log_ins):
            break
        if waited > seconds:
            return outlived(f"user {', '.join(map(repr, sorted(accounts)))}", filter(proc.is_running, users + log_ins))
        time.sleep(_PAUSE)
    return []


def _log_ins(titles: Collection[str], found: Iterable[Process]) -> list[Process]:
    host = proc.identity("/")
    return [
        one
        for one in found
        if one.name in _SSHD
        and proc.title(one) in titles
        and proc.real_uid(one) == 0
        and proc.root_of(one) == host
        and not proc.is_contained(one)
    ]


def _is_users(process: Process, own: Collection[int], log_ins: Collection[Process]) -> bool:
    uid = proc.real_uid(process)
    if uid in own:
        return not proc.is_contained(process)
    # A child that sshd keeps for the network has the user id of the account sshd, and ends with its parent.
    return uid > 0 and process.name in _SSHD and process.parent in {one.pid for one in log_ins}


def outlived(whose: str, left: Iterable[Process], seconds: float = SECONDS) -> list[str]:
    """Return the warning that processes of ``whose`` sessions outlived their end; none when none did."""
    pids = [str(one.pid) for one in left]
    if not pids:
        return []
    return [
        f"{whose}: expected every open session to end within {seconds:g} s, found these processes killed and still"
        f" there, most likely waiting for a disk or the network: {', '.join(pids[:5])}; see what they wait for:"
        f" ps -o pid,user,stat,wchan,args -p {','.join(pids[:5])}"
    ]
