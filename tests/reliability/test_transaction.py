"""The whole of a change, both protocols: killed at random instants, no user is left half."""

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

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "useradd", "systemd-sysusers"))),
    reason="only root has a mount namespace with accounts of its own",
)


def in_private_host(count: int) -> dict[str, int]:
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, HERE / "killed_manager.py", str(count)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_killed_change_is_whole_after_one_more_command(figure: Callable[[str], None]) -> None:
    ends = in_private_host(KILLS)
    assert sum(ends.values()) == KILLS
    assert any(end.startswith("finished") for end in ends), f"no kill left a journal: {ends}"
    figure(f"killed: {KILLS} changes of users of both protocols, none left half: {ends}")
