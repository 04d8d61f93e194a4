"""Run as root in process and mount namespaces of its own: the number of changes to kill.

Prints one JSON object: how many attempts ended how.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter

from one_user import OTHER, PASSWORDS, STEPS, expected_states, manager, private_host, reach, whole
from store_tools import Child


def kills(count: int) -> Counter[str]:
    states, chance, ends = expected_states(), random.Random(4), Counter[str]()
    for number in range(count):
        name = list(STEPS)[number % len(STEPS)]
        reach(name, states)
        before, after, took = states[name]
        child = Child(lambda name=name: bool(STEPS[name](manager())))
        time.sleep(chance.uniform(0, took))
        child.kill()
        ends[whole(number, f"kill {number}, {name}", before, after)] += 1
    return ends


def main(count: str) -> None:
    private_host()
    manager().add(OTHER, password=PASSWORDS[0])
    print(json.dumps(kills(int(count))))


if __name__ == "__main__":
    main(*sys.argv[1:])
