# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""End the sessions of accounts: after an account was locked, removed or given another password.

Called after the account was changed. Later log-ins were checked against the changed account and are left alone; a
log-in that is being checked at that moment is ended. Tried with OpenSSH 9.2: a process of root is called
"sshd: NAME [priv]" as soon as NAME is known, before anything is checked, and the session is its child, a process of
the user. Since 9.8 the program is called sshd-session.
"""

from __future__ import annotations

import time
from typing import Collection, Iterable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc
from ansible_collections.secure_ftp.server.plugins.module_utils._host.processes import Process

SECONDS = 5.0
"""How long to wait for killed processes to end."""

_PAUSE = 0.02
_GRACE = 1.0  # seconds that sshd has to notice that its session is over, and to close it
_SSHD = ("sshd", "sshd-session")


def end_sessions(accounts: Mapping[str, int], shared: Collection[int] = (), seconds: float = SECONDS) -> list[str]:
    """End the processes of ``accounts`` (name to user id); return warnings about those still there after ``seconds``.

    These are all processes with their user ids, and their log-ins that sshd is checking. If a user id is ``shared``
    with another account, only sessions of sshd are ended, because their titles name the account. Processes of
    containers are left alone, because their user ids mean other users. Of root's processes only sshd's are ended.
    """
    own = {uid for uid in accounts.values() if uid not in shared} - {0}
    titles = {f"{program}: {name} [{part}]" for program in _SSHD for name in accounts for part in ("priv", "pam")}
    old = _log_ins(titles, proc.processes()) if accounts else []
    established: set[Process] = set()  # these end by themselves after their user's process has ended
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
    """Return the warning that processes ``left`` of ``whose`` sessions are still there; none if none are left."""
    pids = [str(one.pid) for one in left]
    if not pids:
        return []
    return [
        f"{whose}: expected every open session to end within {seconds:g} s, found these processes still there after"
        f" they were killed, most likely waiting for a disk or the network: {', '.join(pids[:5])}; see what they wait"
        f" for: ps -o pid,user,stat,wchan,args -p {','.join(pids[:5])}"
    ]
