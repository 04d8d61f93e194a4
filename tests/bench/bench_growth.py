# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How time and memory grow from 10 to 100,000 users with every right set: two plots and the figures in docs/growth/.

make bench SUITE=growth               takes about half an hour; no other suite does it
SECURE_FTP_GROWTH=10,100              these numbers of users instead, into .work/growth/
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Iterator

from plot import plots, said_seconds
from scale import ScaleServer, as_csv, load, name_of, people

from line import Line
from plays import ROOT

COUNTS = (10, 100, 1_000, 10_000, 100_000)
REPEATS = 3
LOGINS = 7
FIRST, AGAIN, CHANGE = "first import", "import, unchanged", "change of one user"
LIST, CHECK = "ftp-users list", "ftp-users check"
FTPS, SFTP = "log-in by FTPS", "log-in by SFTP"
FOUND_SOMETHING = (0, 10, 11)
"""Statuses of ``ftp-users check``: a container has no firewall, which is a finding."""


def measured(server: ScaleServer, count: int) -> dict[str, Any]:
    """Seconds and bytes by what was done with ``count`` users."""
    users = people(count)
    table, last = as_csv(users), name_of(count - 1)
    bring = [["ftp-users", "import", "-", "--yes"]]
    found = {FIRST: server.measure(bring, table), AGAIN: server.measure(bring * REPEATS, table)}
    edits = [["ftp-users", "edit", last, "--expires", f"2098-01-{day:02}"] for day in range(1, REPEATS + 1)]
    found[CHANGE] = server.measure(edits)
    found[LIST] = server.measure([["ftp-users", "list"]] * REPEATS)
    found[CHECK] = server.measure([["ftp-users", "check"]] * REPEATS, status=FOUND_SOMETHING)
    seconds = {what: statistics.median(one[0] for one in times) for what, times in found.items()}
    memory = {what: statistics.median(one[1] for one in times) for what, times in found.items()}
    seconds[FTPS] = statistics.median(server.ftps_login(last) for _turn in range(LOGINS))
    seconds[SFTP] = statistics.median(server.sftp_login(last) for _turn in range(LOGINS))
    return {"users": count, "seconds": seconds, "memory": memory, "load": round(load(), 1)}


def lines(folder: Path) -> Iterator[Line]:
    """No line has a target here: the last one says how much more than linear the first import grows."""
    asked = os.environ.get("SECURE_FTP_GROWTH")
    counts = tuple(map(int, asked.split(","))) if asked else COUNTS
    place = ROOT / (".work/growth" if asked else "docs/growth")
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    with ScaleServer("bench-growth", folder) as server:
        for count in counts:
            began = time.monotonic()
            server.reset()
            rows.append(measured(server, count))
            _write(place, rows)
            print(f"    {count:,} users: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    low, high = (row["seconds"][FIRST] / row["users"] for row in rows[-2:])
    what = f"one user of {counts[-1]:,} at the first import"
    yield Line(what, said_seconds(high), f"one of {counts[-2]:,}, {said_seconds(low)}", high / low, 2)


def _write(place: Path, rows: list[dict[str, Any]]) -> None:
    """What was measured so far."""
    machine = f"virtual machine, {os.cpu_count()} cores, {platform.system()}; target: Debian 12 in a container"
    result = {"date": datetime.date.today().isoformat(), "machine": machine, "rows": rows}
    (place / "figures.json").write_text(json.dumps(result, indent=2) + "\n")
    for name, image in plots(rows).items():
        (place / name).write_text(image)
