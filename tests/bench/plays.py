"""Run small plays and time them."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Sequence

ROOT = Path(__file__).resolve().parents[2]


class PlayError(Exception):
    """A play that was to be timed failed."""


def run_playbook(inventory: Path, playbook: Path, extra_vars: dict[str, Any] | None = None) -> tuple[float, int]:
    """Wall seconds and the number of changed tasks of one ansible-playbook run.

    Raises PlayError with the end of its output when it fails.
    """
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), str(playbook)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as variables:
        if extra_vars:
            json.dump(extra_vars, variables)
            variables.flush()
            command += ["--extra-vars", f"@{variables.name}"]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise PlayError(done.stdout[-3000:] + done.stderr[-1000:])
    return seconds, sum(int(count) for count in re.findall(r"changed=(\d+)", done.stdout))


class Plays:
    """Times tasks on one host, less what starting ansible-playbook costs."""

    def __init__(self, inventory: Path, folder: Path) -> None:
        self.inventory = inventory
        self.folder = folder
        self.start_up = 0.0
        self.start_up = statistics.median(self.tasks([]) for _turn in range(3))

    def tasks(self, tasks: Sequence[dict[str, Any]]) -> float:
        """Wall seconds of the tasks alone."""
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
        return run_playbook(self.inventory, playbook)[0] - self.start_up

    def ping(self, count: int = 8) -> float:
        """Wall seconds of one ansible.builtin.ping task, the mean of ``count`` in one play."""
        return self.tasks([{"ansible.builtin.ping": {}}] * count) / count
