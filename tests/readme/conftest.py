"""Somebody who follows the README: an ordinary user with a fresh clone, and a bare server reached over SSH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping

import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import inside

RIG = ROOT / "tests/containers/rig"
NAME = os.environ.get("SECURE_FTP_PREFIX", "secure-ftp") + "-readme"
os.environ["CONTAINERS_CONF"] = str(ROOT / "tests/containers/containers.conf")
NOBODY = 65534
ADMIN, SUDO, VAULT = "admin", "Correct-Horse 9", "Battery-Staple 7"
"""The account on the server, its password, and that of the vault."""
ANSWERS = {
    r"BECOME password: ": SUDO,
    r"\[sudo\] password for admin: ": SUDO,
    r"(?:New|Confirm New) Vault password: ": VAULT,
    r"Vault password: ": VAULT,
    r"--More--": "q",
}


@dataclass(frozen=True)
class Newcomer:
    """An account without rights, whose clone is in ``clone`` and who reaches files.example.net by ``ssh_config``."""

    home: Path
    clone: Path
    ssh_config: Path

    def types(self, line: str, more: Mapping[str, str] | None = None) -> str:
        """Type ``line`` in the clone and answer what is asked; return what was shown. It must succeed."""
        return self._run(["sh", "-c", line], more or {})

    def types_on_the_server(self, line: str) -> str:
        """The same on the server, in a terminal of a new session."""
        where = f"{ADMIN}@files.example.net"
        return self._run(["ssh", "-tt", "-F", str(self.ssh_config), where, line], {"TERM": "dumb"})

    def _run(self, command: list[str], more: Mapping[str, str]) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            # The only thing that a newcomer has elsewhere: ~/.ssh/config.
            "ANSIBLE_SSH_ARGS": f"-F {self.ssh_config} -o ControlMaster=auto -o ControlPersist=60s",
            **more,
        }
        who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--", *command]
        child = pexpect.spawn("setpriv", who, cwd=str(self.clone), env=environment, encoding="utf-8", timeout=570)
        shown = ""
        while True:
            found = child.expect([pexpect.EOF, *ANSWERS])
            shown += child.before
            if found == 0:
                break
            child.waitnoecho()
            child.sendline(list(ANSWERS.values())[found - 1])
        child.wait()
        assert child.exitstatus == 0, f"{command} ends with {child.exitstatus}:\n{shown}"
        return shown.replace("\r\n", "\n")


@pytest.fixture(scope="session")
def newcomer() -> Iterator[Newcomer]:
    """With a bare server that has what every server has: sshd, sudo, man, and an administrator."""
    home = Path(tempfile.mkdtemp(prefix="newcomer-"))
    try:
        clone, key = home / "server", home / "id"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        subprocess.run([RIG, "host-down", NAME], check=True)
        subprocess.run([RIG, "host", NAME, "debian12"], check=True)
        install = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install openssh-server man-db"
        done = inside.run(
            NAME, "sh", "-ec", f"({install}) >/dev/null; useradd --create-home --groups sudo --shell /bin/bash {ADMIN}"
        )
        assert done.returncode == 0, done.stderr
        known = subprocess.run(
            [RIG, "let-in", NAME, ADMIN, f"{key}.pub"], input=f"{SUDO}\n", stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        address = known.split()[0]
        (home / "known_hosts").write_text(known)
        config = home / "ssh_config"
        config.write_text(
            f"Host files.example.net\n  HostName {address}\n  HostKeyAlias {address}\n"
            f"  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {home}/known_hosts\n"
        )
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
        yield Newcomer(home, clone, config)
    finally:
        shutil.rmtree(home)
        if not os.environ.get("SECURE_FTP_KEEP"):
            subprocess.run([RIG, "host-down", NAME], check=True)


def commands(section: str) -> list[str]:
    """The commands of a section of the README, word by word, with their comments: the shell passes over those."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert part, f"the README has no section {section}"
    return re.findall(r"^ {4}(\S.*)$", re.sub(r"^```.*?^```", "", part.group(1), flags=re.M | re.S), re.M)
