"""Run as root in process and mount namespaces of its own, with faults.c preloaded: every how-manieth call to fail.

Looks first whether each step in the life of a user is on the disk before it is acknowledged. Then lets each system
call that changes a file, and each program, of each step fail, and looks whether the change is whole then, undone, or
finished by the next one. Prints one JSON object: how many attempts ended how.
"""

from __future__ import annotations

import ctypes
import errno
import json
import sys
from collections import Counter
from typing import Any

from one_user import OTHER, PASSWORDS, ROOT, STEPS, expected_states, manager, private_host, reach, state, whole
from store_tools import Child

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import accounts

MOST = 2000
DIRECTORIES = b"/etc:" + bytes(ROOT)
FAULTS = ("EIO", "EIO once", "ENOSPC once")
PROGRAMS = ("does not start", "is cut off")
ACCOUNTS = [
    f"fsync {path}" for path in ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc", ROOT / "jail", ROOT / "keys")
]
"""What the account tools, and we, have changed for SFTP."""


def with_call_failing(step: str, number: int, fault: str) -> dict[str, Any]:
    """Do the step while its ``number``-th system call fails, and with "EIO" alone every later one of that kind."""
    faults = ctypes.CDLL(None)
    faults.fault_log.restype = ctypes.c_char_p
    faults.fault_once(" once" in fault)
    faults.fault_arm(DIRECTORIES, number, getattr(errno, fault.split()[0]))
    said = done(step)
    log = faults.fault_log().decode().splitlines()
    return {"hit": bool(faults.fault_hit()), "said": said, "what": log[number - 1] if number <= len(log) else ""}


def with_program_failing(step: str, number: int, fault: str) -> dict[str, Any]:
    """Do the step while its ``number``-th program does not start, or is cut off behind what it did."""
    real, count, failed = accounts.run_command, 0, ""

    def run(command: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count, failed
        count += 1
        if count != number:
            return real(command, *arguments, **options)
        failed = command[0]
        if fault == "is cut off":
            real(command, *arguments, **options)
        raise SecureFtpError(failed, found="made to fail")

    accounts.run_command = run
    return {"said": done(step), "hit": bool(failed), "what": failed}


def expect_flushed(step: str) -> None:
    """Do the step, and end the program unless the accounts are flushed before FTPS follows and the journal goes.

    A loss of power between could take what nobody remembers.
    """
    faults = ctypes.CDLL(None)
    faults.fault_log.restype = ctypes.c_char_p

    def log() -> list[str]:
        faults.fault_arm(DIRECTORIES, 0, errno.EIO)
        return [str(done(step)), *faults.fault_log().decode().splitlines()]

    said, *calls = Child(log).result()
    follows, goes = f"rename {ROOT}/users.db", f"unlink {ROOT}/unfinished.json"
    end = calls.index(follows) if follows in calls else len(calls) - calls[::-1].index(goes) - 1
    late = [call for call in ACCOUNTS if call not in calls[:end]]
    if said != "None" or late:
        raise SystemExit(f"{step}, it said {said}: expected {late} before {calls[end]!r}, found {calls[:end]}")


def done(step: str) -> str | None:
    """Do the step; what it raised, None when all went well."""
    try:
        STEPS[step](manager())
    except SecureFtpError as error:
        return str(error) or "nothing"
    return None


def ended(number: int, step: str, fault: str, outcome: dict[str, Any], states: dict[str, Any]) -> str:
    """How an attempt ended; ends the program when a user is half there, or what was said is not true."""
    before, after, _took = states[step]
    what = f"{step}, call {number} ({outcome['what']}), {fault}: it said {outcome['said']!r}"
    if outcome["said"] and "nothing was changed" in outcome["said"] and not (ROOT / "unfinished.json").exists():
        found = state()
        if found != before:
            raise SystemExit(f"{what}, but expected {before}, found {found}")
    if outcome["said"] is None and state() != after:
        raise SystemExit(f"{what}, but expected {after}, found {state()}")
    return whole(number, what, before, after)


def attempts(stride: int) -> Counter[str]:
    states, ends = expected_states(), Counter[str]()
    for attempt, faults in ((with_call_failing, FAULTS), (with_program_failing, PROGRAMS)):
        for step in STEPS:
            for offset, fault in enumerate(faults):
                for number in range(1 + offset % stride, MOST, stride):
                    reach(step, states)
                    child = Child(lambda attempt=attempt, step=step, n=number, fault=fault: attempt(step, n, fault))
                    outcome = child.result()
                    end = ended(number, step, fault, outcome, states)
                    if not outcome["hit"]:
                        break
                    ends[end] += 1
                else:
                    raise SystemExit(f"{step}: more than {MOST} calls")
    return ends


def main(stride: str) -> None:
    private_host()
    manager().add(OTHER, password=PASSWORDS[0])
    for step in STEPS:
        expect_flushed(step)
    print(json.dumps(attempts(int(stride))))


if __name__ == "__main__":
    main(*sys.argv[1:])
