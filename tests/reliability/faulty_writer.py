"""Run with faults.c preloaded: DATABASE single|bulk|new log|faults.

Prints JSON lines: the log of an update, then with "faults", for each of its system calls, what happens when it fails.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys

from store_tools import Child, numbered_users, write

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

MOST_CALLS = 200
FAULTS = ("EIO", "ENOSPC", "EDQUOT", "EROFS")


def main(database: str, kind: str, mode: str) -> None:
    faults = ctypes.CDLL(None)
    faults.fault_log.restype = ctypes.c_char_p
    changes = numbered_users(0, 1) if kind == "single" else numbered_users(0, 300, "new")
    directory = os.path.dirname(database).encode()

    def attempt(number: int, code: int) -> dict[str, object]:
        faults.fault_arm(directory, number, code)
        error = None
        try:
            write(database, changes)
        except SecureFtpError as raised:
            error = str(raised)
        log = faults.fault_log().decode().splitlines()
        return {"hit": bool(faults.fault_hit()), "error": error, "log": log}

    original = content(database)
    print(json.dumps(Child(lambda: attempt(0, 0)).result()), flush=True)
    reset(database, original)
    for name in FAULTS if mode == "faults" else ():
        for number in range(1, MOST_CALLS):
            outcome = Child(lambda number=number, name=name: attempt(number, getattr(errno, name))).result(10)
            if not outcome["hit"]:
                reset(database, original)
                break
            found = content(database)
            beside = sorted(set(os.listdir(directory.decode())) - {"users.db", "users.db.lock"})
            log = outcome.pop("log")
            print(
                json.dumps(
                    {
                        **outcome,
                        "fault": name,
                        "call": log[number - 1],
                        "untouched": found == original,
                        "litter": beside,
                    }
                ),
                flush=True,
            )
            reset(database, original)
        else:
            raise SystemExit(f"an update takes more than {MOST_CALLS} system calls")


def content(path: str) -> bytes | None:
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def reset(database: str, original: bytes | None) -> None:
    if original is None:
        if os.path.exists(database):
            os.unlink(database)
        return
    with open(database, "wb") as file:
        file.write(original)


if __name__ == "__main__":
    main(*sys.argv[1:])
