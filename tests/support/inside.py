# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and Ansible inside a container of the rig, by its namespaces.

nsenter(1) starts a program in a few milliseconds, `podman exec` in some hundreds: it asks the engine, which starts a
monitor. That was half of the time of a test run.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PIDS = Path("/run/secure-ftp-test")
"""Of each container's systemd, in a file of the container's name: tests/containers/rig, podman-run(1) --pidfile."""

ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm")
"""What a program finds there; nothing of the environment of the tests."""


def command(name: str, *words: str) -> list[str]:
    """The command that runs ``words`` as root in the container ``name``."""
    pid = (PIDS / name).read_text(encoding="ascii")
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ["nsenter", f"--target={pid}", *namespaces, "env", "-i", *ENVIRONMENT, *words]


def path(name: str, there: str) -> str:
    """The path by which a program here opens ``there`` of the container ``name``."""
    return f"/proc/{(PIDS / name).read_text(encoding='ascii').strip()}/root{there}"


def run(name: str, *words: str, stdin: str | None = None, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Run ``words`` in ``name``; the caller judges the result."""
    return subprocess.run(
        command(name, *words),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def variables(name: str) -> dict[str, str | int]:
    """What Ansible has to know of the container ``name``, until that is started again."""
    return {
        "ansible_connection": "community.docker.nsenter",
        "ansible_nsenter_pid": int((PIDS / name).read_text(encoding="ascii")),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
