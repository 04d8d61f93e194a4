"""Measure every benchmark line; print a table, write it as JSON, exit 1 when a line misses its target.

make bench                    all of it, except "growth"
make bench SUITE=store        the user store alone; the others need a container
make bench SUITE=growth       how time and memory grow with the number of users, as plots in docs/growth/
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import bench_ansible
import bench_command
import bench_growth
import bench_scale
import bench_store

from line import Line, table
from plays import ROOT

SUITES = {"store": bench_store, "ansible": bench_ansible, "command": bench_command, "scale": bench_scale}
ALONE = {"growth": bench_growth}
"""Not a part of all: it takes half an hour or more, and says how something grows, not how fast it has to be."""

RESULT = ROOT / ".work" / "bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=[*SUITES, *ALONE])
    lines: list[Line] = []
    # Beside the result: a disk, as a server's database is on, and not a file system in memory.
    RESULT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULT.parent) as folder:
        for name in parser.parse_args().suite or SUITES:
            for line in {**SUITES, **ALONE}[name].lines(Path(folder)):
                print(f"    {line.what}: {line.ratio:.2f}", file=sys.stderr, flush=True)
                lines.append(line)
    print(table(lines))
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg(),
    }
    RESULT.write_text(json.dumps({"machine": machine, "lines": [line.as_dict() for line in lines]}, indent=2) + "\n")
    print(f"\nas JSON: {RESULT.relative_to(ROOT)}")
    return 0 if all(line.passed for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
