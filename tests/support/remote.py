# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many calls of remote control at once, through the Python client, each over a connection of its own.

    echo '{"connect": {...}, "calls": [["add", {"name": ...}], ...]}' | python3 remote.py CLIENT_DIRECTORY

Prints one outcome per call, in their order: {"result": ...} or {"error": ..., "code": ...}, and "seconds".
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, sys.argv[1])
from ftp_users_client import FtpUsers, FtpUsersError


def at_once(connect, calls):
    """Start every call in the same moment."""
    ready = threading.Barrier(len(calls))

    def one(call):
        verb, fields = call
        with FtpUsers(**connect) as users:
            ready.wait()
            start = time.monotonic()
            try:
                outcome = {"result": users.call(verb, **fields)}
            except FtpUsersError as error:
                outcome = {"error": f"{type(error).__name__}: {error}", "code": getattr(error, "code", None)}
            return {**outcome, "seconds": round(time.monotonic() - start, 2)}

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


if __name__ == "__main__":
    json.dump(at_once(**json.load(sys.stdin)), sys.stdout)
