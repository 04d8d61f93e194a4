# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""End the FTPS sessions of users who were locked, removed or given another password.

Called after the record was changed. Later log-ins were checked against the new record and are left alone; a log-in
that is being checked at that moment is ended.

Tried with vsftpd 3.0.3, and ending sessions with 3.0.5 too: the daemon starts a process for each connection. It runs as
root, in the host's root directory, until a user has logged in, and has a child that talks to the network. That child
sends it a name and a password through a stream socket; it asks PAM, and if they are right it starts the process of the
session, whose root is the user's directory. /proc/PID/root shows that directory, so ``user_config_dir`` and
setproctitle are not needed. SIGTERM is ignored; SIGKILL of one process ends the other processes of its session, but not
the daemon or another session.

If inetd, xinetd or a socket of systemd accepts the connections, there is no daemon, and the process of a connection is
not the child of a vsftpd.

It is unknown whose password is being checked, so the check is waited for: a process that waits for the next password
from its child has finished with the old one. PAM modules that ask a service wait for it in poll(2), not in read(2).
"""

from __future__ import annotations

import time
from typing import Collection, Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host import processes as proc
from ansible_collections.secure_ftp.server.plugins.module_utils._host.processes import Process
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import SECONDS, outlived
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sockets import listening_sockets, socket_inodes

_PAUSE = 0.02
_WAITS_FOR_CHILD = "unix_stream_"  # how the value of wchan, proc(5), begins


def end_ftps_sessions(directories: Iterable[str], seconds: float = SECONDS) -> list[str]:
    """End the vsftpd sessions whose root is one of ``directories``; return warnings about those still there.

    The caller leaves out directories that several users share. The root directory of this host never counts: it is the
    daemon's own. If a password is still being checked after ``seconds``, that connection is closed, whichever user it
    belongs to.
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
    """Of the processes ``before`` and their children since: those still checking, and those in a ``wanted`` directory.

    The processes are looked at before their children, so that the session which a finished check has started is seen.
    A process that was on its way into one of the directories ``wanted`` may be there by now.
    """
    checking = _checking(before)
    parents = {one.pid for one in before}
    started = [one for one in _of_vsftpd() if one.parent in parents]
    checking += [one for one in _checking(started) if one not in checking]
    return checking, [one for one in {*before, *started} if proc.root_of(one) in wanted]


def _of_vsftpd() -> list[Process]:
    return [one for one in proc.processes() if one.name == "vsftpd"]


def _serves_one(process: Process) -> bool:
    """Whether it has a connection and does not listen, as a process that inetd starts; the daemon always listens."""
    held = socket_inodes(str(process.pid))
    # The sockets of its own network namespace, which may differ from this program's.
    return bool(held) and not held.intersection(listening_sockets(f"{proc.PROC}/{process.pid}"))


def _checking(found: Iterable[Process]) -> list[Process]:
    """Those that may be checking a password, or be on their way into a user's directory after that."""
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
        and children.get(one.pid, 0) < 2  # two children, for the network and the session: the check is over
        and proc.root_of(one) == host
        and not proc.waits_in(one).startswith(_WAITS_FOR_CHILD)
        and proc.is_running(one)
    ]
