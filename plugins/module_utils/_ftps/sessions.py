# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Ending FTPS sessions: who was locked, removed or given another password goes now, not when the session ends.

Called after the record was changed. What logs in from then on was checked against the new one and is left alone; a
log-in that was being checked at that moment is not.

Tried with vsftpd 3.0.3, and the ending of sessions with 3.0.5 too: the daemon starts a process for each connection,
which is root in the host's root directory until somebody has logged in, with a child that talks to the network. That
child hands it a name and a password through a stream socket; it asks PAM, and when they are right it starts the process
of the session, which takes the user's directory as its root. ``user_config_dir`` and setproctitle are not needed to
find that: /proc/PID/root is the directory. SIGTERM is ignored; SIGKILL of one process ends the others of its session,
and neither the daemon nor another session.

Where inetd, xinetd or a socket of systemd accepts the connections there is no daemon, and what it starts for each is no
child of a vsftpd.

Nothing says whose password is being checked, so it is waited for: a process that waits for its child to hand over the
next password has nothing old in hand. PAM modules that ask a service wait for it in poll(2) and not in read(2).
"""

from __future__ import annotations

import time
from typing import Collection, Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc
from ansible_collections.secure_ftp.server.plugins.module_utils._host.processes import Process
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import SECONDS, outlived
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listening_sockets, socket_inodes

_PAUSE = 0.02
_WAITS_FOR_CHILD = "unix_stream_"  # the beginning of what wchan of proc(5) says


def end_ftps_sessions(directories: Iterable[str], seconds: float = SECONDS) -> list[str]:
    """End the vsftpd sessions whose root is one of ``directories``; return warnings about what is still there.

    A directory that several users share is for the caller to leave out. The root of this host never counts: it is that
    of the daemon itself. A password that is still being checked after ``seconds`` is not waited for any longer: that
    connection, whoever's it is, is closed.
    """
    host = proc.identity("/")
    wanted = {found for found in map(proc.identity, directories) if found and found != host}
    checking, doomed = _next(_of_vsftpd(), wanted) if wanted else ([], [])
    deadline = time.monotonic() + seconds
    while doomed or checking:
        late = time.monotonic() > deadline
        for one in (*doomed, *(checking if late else ())):
            proc.kill(one)
        checking, arrived = _next(checking, wanted)
        doomed = list({*filter(proc.is_running, doomed), *arrived})
        if late and time.monotonic() > deadline + 1:
            return outlived("FTPS", [*doomed, *checking])
        time.sleep(_PAUSE)
    return []


def _next(before: Sequence[Process], wanted: Collection[object]) -> tuple[list[Process], list[Process]]:
    """Of processes that were there ``before``, and what they have started since: who is checking, and who has arrived.

    First who has not finished, then the children: who has is seen with the session it has started. Who was on the way
    into one of the directories ``wanted`` may be there by now.
    """
    checking = _checking(before)
    parents = {one.pid for one in before}
    started = [one for one in _of_vsftpd() if one.parent in parents]
    checking += [one for one in _checking(started) if one not in checking]
    return checking, [one for one in {*before, *started} if proc.root_of(one) in wanted]


def _of_vsftpd() -> list[Process]:
    return [one for one in proc.processes() if one.name == "vsftpd"]


def _serves_one(process: Process) -> bool:
    """Whether it has a connection and does not listen, as what inetd starts; the daemon listens all the time."""
    held = socket_inodes(str(process.pid))
    # Of the network it is in, which may be another one than this program's.
    return bool(held) and not held.intersection(listening_sockets(f"{proc.PROC}/{process.pid}"))


def _checking(found: Iterable[Process]) -> list[Process]:
    """Those that may be checking a password, or be on their way from there into a user's directory."""
    host = proc.identity("/")
    everybody = _of_vsftpd()
    pids = {one.pid for one in everybody}
    children: dict[int, int] = {}
    for one in everybody:
        if proc.root_of(one) not in (host, None):
            children[one.parent] = children.get(one.parent, 0) + 1
    return [
        one
        for one in found
        if (one.parent in pids or _serves_one(one))  # not the daemon
        and children.get(one.pid, 0) < 2  # with two, one for the network and the session, it is past that
        and proc.root_of(one) == host
        and not proc.waits_in(one).startswith(_WAITS_FOR_CHILD)
        and proc.is_running(one)
    ]
