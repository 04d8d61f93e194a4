"""The whole of a change, both protocols: killed at random instants, or with a call that fails, no user is left half."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

HERE = Path(__file__).parent
KILLS = int(os.environ.get("SECURE_FTP_MANAGER_KILLS", "40"))
STRIDE = int(os.environ.get("SECURE_FTP_FAULT_STRIDE", "12"))
"""Every how-manieth call fails; 1: each of them."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "useradd", "systemd-sysusers"))),
    reason="only root has a mount namespace with accounts of its own",
)


def in_private_host(program: str, number: int, **environment: str) -> dict[str, int]:
    """Run a program of this folder; what it ends are processes of its own namespace only."""
    own = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
    done = subprocess.run(
        [*own, sys.executable, HERE / program, str(number)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_killed_change_is_whole_after_one_more_command(figure: Callable[[str], None]) -> None:
    ends = in_private_host("killed_manager.py", KILLS)
    assert sum(ends.values()) == KILLS
    assert any(end.startswith("finished") for end in ends), f"no kill left a journal: {ends}"
    figure(f"killed: {KILLS} changes of users of both protocols, none left half: {ends}")


def test_every_call_of_a_change_may_fail(preload: Path, figure: Callable[[str], None]) -> None:
    ends = in_private_host("faulty_manager.py", STRIDE, LD_PRELOAD=str(preload))
    assert {"at once: before", "at once: after", "finished: after"} <= set(ends), f"too little was tried: {ends}"
    figure(
        f"faults: {sum(ends.values())} system calls and programs of changes of both protocols failed, none left a user"
        f" half, none said what is not true: {ends}"
    )
