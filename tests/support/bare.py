# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container of the rig that is made bare again and again: for tests that set up many servers on one host."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import inside

ROOT = Path(__file__).resolve().parents[2]
RIG = ROOT / "tests/containers/rig"
PLATFORM = os.environ.get("PLATFORM", "debian12")

# Everything but vsftpd, so that a bare host is made by purging one package.
PACKAGES = (
    "openssh-server openssl db-util python3-bsddb3 python3-passlib python3-cryptography logrotate curl sudo"
    " libpam-modules"
)
BARE = """
systemctl stop vsftpd vsftpd-implicit
systemctl stop "ftp-shared-*"; rm -rf /etc/systemd/system/ftp-shared-*
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
for group in $(awk -F: '/^(sftponly|ftpshare)-/ { print $1 }' /etc/group); do groupdel $group; done
groupdel sftponly; groupdel ftpjail; groupdel ssh-users
cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config; systemctl reload ssh
systemctl daemon-reload; systemctl reset-failed
"""


@dataclass(frozen=True)
class Container:
    """A container with systemd."""

    name: str

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


@contextmanager
def started(kind: str, more_packages: str = "") -> Iterator[str]:
    """The name of a new container for the tests of that ``kind``, with every package but vsftpd.

    SECURE_FTP_KEEP=1 keeps it afterwards.
    """
    name = f"{os.environ.get('SECURE_FTP_PREFIX', 'secure-ftp')}-{kind}"
    os.environ["CONTAINERS_CONF"] = str(ROOT / "tests/containers/containers.conf")
    subprocess.run([RIG, "host-down", name], check=True)
    subprocess.run([RIG, "host", name, PLATFORM], check=True)
    packages = f"{PACKAGES} {more_packages}"
    host = Container(name)
    host.sh(f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install {packages} >/dev/null 2>&1")
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq install --download-only vsftpd >/dev/null")
    yield name
    if not os.environ.get("SECURE_FTP_KEEP"):
        subprocess.run([RIG, "host-down", name], check=True)
