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

    def tasks(
        self, tasks: Sequence[dict[str, Any]], variables: dict[str, Any] | None = None, changed: int | None = None
    ) -> float:
        """Wall seconds of the tasks alone.

        ``variables`` are what they use: to read them belongs to the start of a play and is not counted either.
        Raises PlayError when another number of tasks than ``changed`` changed something.
        """
        start_up = self._run([], variables)[0] if variables else self.start_up
        seconds, found = self._run(tasks, variables)
        if changed not in (None, found):
            raise PlayError(f"expected {changed} changed tasks, found {found}")
        return seconds - start_up

    def _run(self, tasks: Sequence[dict[str, Any]], variables: dict[str, Any] | None) -> tuple[float, int]:
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
        return run_playbook(self.inventory, playbook, variables)

    def ping(self, count: int = 8) -> float:
        """Wall seconds of one ansible.builtin.ping task, the mean of ``count`` in one play."""
        return self.tasks([{"ansible.builtin.ping": {}}] * count) / count
