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
import inside

RIG = ROOT / "tests/containers/rig"
PLATFORM = os.environ.get("PLATFORM", "debian12")
NAME = os.environ.get("SECURE_FTP_PREFIX", "secure-ftp") + "-takeover"
os.environ["CONTAINERS_CONF"] = str(ROOT / "tests/containers/containers.conf")

# Everything but vsftpd, so that a bare host is made by purging one package.
PACKAGES = (
    "openssh-server openssl db-util python3-bsddb3 python3-passlib python3-cryptography logrotate curl sudo"
    " libpam-modules"
)
BARE = """
systemctl stop vsftpd vsftpd-implicit
apt-get -qq purge vsftpd >/dev/null
systemctl disable --now secure-ftp-logrotate.timer
rm -rf /etc/vsftpd* /etc/pam.d/vsftpd* /etc/systemd/system/vsftpd* /run/systemd/system/vsftpd* \
    /etc/systemd/system/multi-user.target.wants/vsftpd* /etc/systemd/system/secure-ftp-* \
    /etc/logrotate.d/vsftpd* /etc/secure-ftp* /srv/* /var/www /var/log/vsftpd.log* \
    /usr/local/sbin/ftp-users
sysctl -q net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0
for user in virtual ftp $(awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }' /etc/passwd); do
    pkill -KILL -u $user; userdel $user
done
rm -rf /home/* /etc/ssh/sftponly_keys /etc/ssh/sshd_config.d/*
groupdel sftponly; groupdel ftpjail; groupdel ssh-users
cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config; systemctl reload ssh
systemctl daemon-reload; systemctl reset-failed
"""


@dataclass(frozen=True)
class Host:
    """A container with systemd."""

    name: str
    work: Path

    def sh(self, script: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``script`` with bash as root; output and errors both in ``stdout``."""
        command = inside.command(self.name, "bash", "-c", script)
        done = subprocess.run(
            command,
            input=stdin or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}: rc {done.returncode}\n{done.stdout}"
        return done

    def copy(self, text: str, path: str, mode: str = "0644") -> None:
        """Write ``text`` to ``path``."""
        self.sh(f"install -D -m {mode} /dev/stdin {path}", stdin=text)

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
    subprocess.run([RIG, "host-down", NAME], check=True)
    subprocess.run([RIG, "host", NAME, PLATFORM], check=True)
    host = Host(NAME, tmp_path_factory.mktemp("play"))
    host.sh(f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install {PACKAGES} >/dev/null 2>&1")
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq install --download-only vsftpd >/dev/null")
    yield host
    if not os.environ.get("SECURE_FTP_KEEP"):
        subprocess.run([RIG, "host-down", NAME], check=True)


@pytest.fixture
def host(container: Host) -> Host:
    """The host, bare: no vsftpd, no users, nothing of an earlier test."""
    container.sh(BARE, check=False)
    return container
