"""One host, bare again before each test that asks for it, on which hand-made servers are built and taken over.

make takeover                          all of them, on Debian 12 (or PLATFORM=debian13)
.venv/bin/pytest -p no:cacheprovider tests/takeover/test_bare.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import bare
import inside
from bare import BARE


@dataclass(frozen=True)
class Host(bare.Container):
    """That container, and playbooks on it."""

    work: Path

    def play(
        self, variables: Mapping[str, Any], *options: str, playbook: str = "site.yml"
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the collection, or of that absolute path, on the host. Output in ``stdout``.

        ``options`` are such as ``--tags=vsftpd``.
        """
        inventory = self.work / "inventory.yml"
        inventory.write_text(json.dumps({"ftp": {"hosts": {self.name: inside.variables(self.name)}}}))
        given = self.work / "vars.json"
        given.write_text(json.dumps({"firewall_enabled": False, **variables}))
        return subprocess.run(
            [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), "-e", f"@{given}", *options]
            + [str(ROOT / "playbooks" / playbook)],
            check=False,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "NO_COLOR": "1",
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=570,
        )

    def role(self, name: str, variables: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run one role without site.yml, as somebody's own playbook does."""
        own = self.work / f"{name}.yml"
        own.write_text(json.dumps([{"hosts": "ftp", "roles": [f"secure_ftp.server.{name}"]}]))
        return self.play(variables, playbook=str(own))

    def preflight(self, variables: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run what site.yml looks at before it touches anything, and nothing else."""
        return self.play(variables, "--tags=nothing-but-what-runs-always")

    def site(self, variables: Mapping[str, Any], *options: str) -> str:
        """Run site.yml but for its firewall and SFTP; return its output. It must succeed."""
        done = self.play(variables, "--tags=vsftpd,pam_userdb,user_command", *options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def logs_in(self, user: str, password: str, port: int = 21) -> bool:
        """Whether ``user`` can list its directory over FTPS."""
        command = f"curl -sSk --ssl-reqd --max-time 20 -u '{user}:{password}' ftp://127.0.0.1:{port}/"
        return self.sh(command, check=False).returncode == 0


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host with every package but vsftpd."""
    with bare.started("takeover") as name:
        yield Host(name, tmp_path_factory.mktemp("play"))


@pytest.fixture
def host(container: Host) -> Host:
    """The host, bare: no vsftpd, no users, nothing of an earlier test."""
    container.sh(BARE, check=False)
    return container
