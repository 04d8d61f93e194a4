"""The clients of remote control as a stranger gets them: installed from the unpacked tarball, and from the clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import BIN, ROOT

PARAMIKO = re.findall(r"^paramiko==\S+", (ROOT / "requirements/test.in").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def unpacked(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients of the tarball."""
    path = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(tarball) as tar:
        tar.extractall(path, [member for member in tar.getmembers() if member.name.startswith("clients/")])
    return path / "clients"


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in ("SSH_AUTH_SOCK", "PYTHONPATH")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


@pytest.mark.parametrize("source", ["the tarball", "the clone"])
def test_pip_installs_the_python_client(source: str, unpacked: Path, tmp_path: Path) -> None:
    """A fresh environment, with the Paramiko that the tests pin; what pip needs to build comes from its index."""
    clients = unpacked if source == "the tarball" else ROOT / "clients"
    before = sorted(clients.rglob("*"))
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run(*pip, *PARAMIKO, clients / "python", cwd=tmp_path)
    assert sorted(clients.rglob("*")) == before, "the installation leaves nothing in the directory"

    program = venv / "bin" / "ftp-users-client"
    assert "--passphrase-stdin" in run(program, "--help", cwd=tmp_path).stdout
    (version,) = re.findall(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert run(program, "--version", cwd=tmp_path).stdout == f"ftp-users-client {version}\n"
    done = run(program, "--host=127.0.0.1", "--key=missing", "list", cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (255, "")
    assert done.stderr == "error: missing: expected a private key, found: No such file or directory\n"

    metadata = run(
        venv / "bin" / "python",
        "-c",
        "from importlib.metadata import metadata, requires;"
        "print(metadata('ftp-users-client')['License-Expression'], requires('ftp-users-client'))",
        cwd=tmp_path,
    ).stdout
    assert metadata == "GPL-3.0-or-later ['paramiko>=2.7']\n"

    # Who imports it gets its types.
    caller = tmp_path / "caller.py"
    caller.write_text(
        "from ftp_users_client import FtpUsers\nreveal_type(FtpUsers('x').show('batman'))\n", encoding="utf-8"
    )
    told = run(
        BIN / "mypy", "--strict", f"--python-executable={venv}/bin/python", caller, cwd=tmp_path, check=False
    ).stdout
    assert 'Revealed type is "dict[str, Any]"' in re.sub(r"builtins\.", "", told), told
    assert "error" not in told, told


def test_composer_installs_the_php_client(unpacked: Path, tmp_path: Path) -> None:
    """With the phpseclib of the distribution, which the program finds in the include path: nothing is fetched."""
    if shutil.which("composer") is None:
        pytest.skip("no composer on this machine")
    (tmp_path / "composer.json").write_text(
        f"""{{"repositories": {{"packagist.org": false, "client": {{"type": "path", "url": "{unpacked}/php"}}}},
            "replace": {{"phpseclib/phpseclib": "3.0.15"}}, "require": {{"secure-ftp/ftp-users-client": "^0.1"}}}}""",
        encoding="utf-8",
    )
    run("composer", "install", "--no-interaction", cwd=tmp_path)
    done = run("php", "vendor/bin/ftp-users", "--host=127.0.0.1", "--key=missing", "list", cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (255, "")
    assert done.stderr == "error: missing: expected a private key, found no such file\n"
