"""A host of its own, in namespaces of its own, and the life of one user on it.

Both halves are real: a database that vsftpd would read, and accounts of shadow's and systemd's own tools in a copy of
/etc. Everything else is in a file system in memory at /run.
Without sshd on the machine nobody asks sshd whether it would jail the users; that question changes nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

from store_tools import Child

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import audit
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import apply as sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.steps import AssertJail
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import verify

ROOT = Path("/run/transaction")
USER, OTHER = "batman", "robin"
PASSWORDS = ("bat-Cave!1 first", "bat-Cave!1 second")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu83 one"

State = Any
Step = Callable[[Manager], object]

STEPS: dict[str, Step] = {
    "add": lambda manager: manager.add(USER, password=PASSWORDS[0]),
    "passwd": lambda manager: manager.edit(USER, password=PASSWORDS[1]),
    "keys": lambda manager: manager.add_key(USER, KEY),
    "lock": lambda manager: manager.lock(USER),
    "unlock": lambda manager: manager.unlock(USER),
    "delete": lambda manager: manager.delete(USER, remove_home=True),
}
"""One life of a user; each step needs those before it."""


def private_host() -> None:
    """Give this process, the first of its namespaces, an /etc and a /run to break."""
    if os.getpid() != 1:  # a change ends the processes of a user id, and it must be the only one to see
        raise SystemExit("expected a process and a mount namespace of its own, found those of the caller")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    shutil.copytree("/etc", "/run/etc", symlinks=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    for path in (ROOT, ROOT / "jail", ROOT / "keys", ROOT / "homes"):
        path.mkdir(mode=0o755)
    subprocess.run(["groupadd", "--force", "--system", "sftponly"], check=True)
    jail = Jail("sftponly", str(ROOT / "jail"), str(ROOT / "keys"))
    Path("/etc/ssh").mkdir(exist_ok=True)
    Path("/etc/ssh/sshd_config").write_text(with_jail("Subsystem sftp internal-sftp\n", jail))
    Path("/etc/vsftpd.conf").write_text(
        "guest_enable=YES\nguest_username=nobody\nuser_sub_token=$USER\npam_service_name=vsftpd.virtual\n"
        f"local_root={ROOT}/homes/$USER\n"
    )
    Path("/etc/pam.d/vsftpd.virtual").write_text(
        "".join(f"{kind} required pam_userdb.so db={ROOT}/users crypt=crypt\n" for kind in ("auth", "account"))
    )
    audit.write = lambda _priority, _message: None  # the log is that of the machine
    if not shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin"):
        sftp._ACTS[AssertJail] = lambda _step: None


def manager() -> Manager:
    return Manager(rounds=1000, journal_path=str(ROOT / "unfinished.json"))


def state() -> State:
    """What both halves say of the user: whether there, locked, which password verifies, how many keys."""
    sides = []
    found = {user["name"]: user for user in manager().users()}.get(USER)
    stored = manager()._transaction.read([USER])
    for protocol in ("ftps", "sftp"):
        user = stored[protocol].user(USER)
        if not user.present:
            sides.append(None)
            continue
        fits = [number for number, word in enumerate(PASSWORDS) if verify(word, user.password_hash or "")]
        sides.append((bool(user.locked), fits))
    if sides[0] != sides[1]:
        raise SystemExit(f"half a user: FTPS {sides[0]}, SFTP {sides[1]}")
    return [sides[0], found and found["sftp"] and found["sftp"]["keys"]]


def one_more_command(number: int) -> None:
    """Any change of another user: it finishes what was left."""
    (manager().lock if number % 2 else manager().unlock)(OTHER)
    if (ROOT / "unfinished.json").exists():
        raise SystemExit("the journal is still there after one more command")


def whole(number: int, what: str, before: State, after: State) -> str:
    """How an attempt ended; ends the program when that is neither before nor after."""
    left = (ROOT / "unfinished.json").exists()
    try:
        one_more_command(number)
        found = state()
    except (SystemExit, SecureFtpError) as error:
        raise SystemExit(f"{what}: {error}") from error
    if found not in (before, after):
        raise SystemExit(f"{what}: expected {before} or {after}, found {found}")
    return f"{'finished' if left else 'at once'}: {'after' if found == after else 'before'}"


def expected_states() -> dict[str, tuple[State, State, float]]:
    """What the user is before and after each step, and how long the step takes in seconds."""
    states = {}
    for name, step in STEPS.items():
        before, started = state(), time.perf_counter()
        Child(lambda step=step: bool(step(manager()))).result()
        took = time.perf_counter() - started
        states[name] = (before, state(), took)
    return states


def reach(name: str, states: dict[str, tuple[State, State, float]]) -> None:
    """Bring the user to the state before the step ``name``, whatever an attempt has left."""
    if state() == states[name][0]:
        return
    if state()[0] is not None:
        STEPS["delete"](manager())
    for earlier in STEPS:
        if earlier == name:
            return
        STEPS[earlier](manager())
