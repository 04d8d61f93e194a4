"""The collection as a stranger gets it: built, and installed into an empty collections path."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, Callable

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NAME = "secure_ftp.server"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarball of the tree as it is."""
    output = tmp_path_factory.mktemp("build")
    subprocess.run([BIN / "ansible-galaxy", "collection", "build", "--output-path", output, ROOT], check=True)
    (built,) = output.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def names(tarball: Path) -> list[str]:
    """Every file in it."""
    with tarfile.open(tarball) as tar:
        return [member.name for member in tar.getmembers() if member.isfile()]


@pytest.fixture(scope="session")
def collections(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds nothing but the installed tarball; what it depends on comes with Ansible."""
    path = tmp_path_factory.mktemp("collections")
    command = [
        BIN / "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--no-deps",
        "--force",
        tarball,
        "-p",
        path,
    ]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="session")
def run(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of Ansible, away from the repository, with that collections path; return what it said."""
    away = tmp_path_factory.mktemp("away")

    def call(*command: str | Path, check: bool = True, **environment: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            cwd=away,
            env={
                **os.environ,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "ANSIBLE_COLLECTIONS_PATH": str(collections),
                "ANSIBLE_NOCOLOR": "1",
                **environment,
            },
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    return call
