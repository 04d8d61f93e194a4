# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drivers in Python share: the verbs of the command line, by the methods of a class."""

from __future__ import annotations

import os
import sys
from pathlib import Path

E = os.environ
ROOT = E["ROOT"]


class Driver:
    """A connection, which a subclass makes; remote paths begin with ROOT. A subclass has the methods of each file."""

    def put(self, local: str, remote: str) -> None:
        raise NotImplementedError

    def get(self, remote: str, local: str) -> None:
        raise NotImplementedError

    def mkdir(self, remote: str) -> None:
        raise NotImplementedError

    def many(self, local: str, remote: str) -> None:
        for path in sorted(Path(local).iterdir()):
            self.put(str(path), f"{remote}/{path.name}")

    def tree(self, local: str, remote: str) -> None:
        self.mkdir(remote)
        for path in sorted(Path(local).rglob("*")):
            there = f"{remote}/{path.relative_to(local)}"
            if path.is_dir():
                self.mkdir(there)
            else:
                self.put(str(path), there)

    def tree_back(self, remote: str, local: str, names: str) -> None:
        for name in Path(names).read_text(encoding="utf-8").splitlines():
            path = Path(local, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.get(f"{remote}/{name}", str(path))


def main(driver: type[Driver]) -> None:
    verb, *words = sys.argv[1:]
    method = getattr(driver, verb.replace("-", "_"), None)
    if method is None:
        sys.exit(64)
    for line in method(driver(), *words) or ():
        print(line)
