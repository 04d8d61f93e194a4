# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users for a time, one's name the beginning of the other's, and sessions of theirs that are held open."""

from __future__ import annotations

import pytest
from conftest import CLIENT_DIRECTORY, PASSWORDS, wait_until

NAME, OTHER = "joker", "jokerman"
PASSWORD = "why-So Serious1"


@pytest.fixture
def known_passwords(monkeypatch):
    """Let the helpers log these users in, and forget them for the other tests."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    monkeypatch.setitem(PASSWORDS, OTHER, PASSWORD)


def clean(server) -> None:
    points = "awk '{print $5}' /proc/self/mountinfo | grep -E '/jok[a-z]*(/|$)' | sort -r"
    for point in server.sh(points).stdout.split():
        server.unmount(point)
    # To ask who is there takes less time than to be refused three times.
    server.sh(f"""for name in $(ftp-users list --names | grep -xE '{NAME}|{OTHER}|harley'); do
  ftp-users del $name >/dev/null 2>&1
done
for name in {NAME} {OTHER} harley; do
  userdel $name 2>/dev/null; rm -rf {" ".join(server.homes("$name"))}
done; rm -rf /srv/shared; true""")


@pytest.fixture
def users(server, known_passwords):
    """Two users of both protocols, one's name the beginning of the other's."""
    clean(server)
    for name in (NAME, OTHER):
        server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {name} --password-stdin")
    yield
    clean(server)


class Sessions:
    """Sessions of both protocols, held open by the client; each writes a file when it is open, refused, or over."""

    def __init__(self, server, client, names=(NAME, OTHER)):
        self.server, self.client = server, client
        self.folder = f"{CLIENT_DIRECTORY}/removal"
        self.logins = {
            f"{protocol}-{name}": {"protocol": protocol, "login": getattr(server, how)(name)}
            for protocol, how in (("ftps", "ftps"), ("sftp", "ssh"))
            for name in names
        }
        self.names = list(self.logins)
        client.sh(f"rm -rf {self.folder}; mkdir -p {self.folder}")

    def begin(self, name: str) -> None:
        """Start to log in. Since OpenSSH 9.8 sshd turns away for a while who failed to log in: wait for it to greet."""
        self.client.ask("banner", host=self.server.address)
        self.client.start("hold", folder=self.folder, name=name, **self.logins[name])

    def open_all(self) -> None:
        for name in self.names:
            self.begin(name)
        try:
            wait_until(lambda: self.files("open") == sorted(self.names), 40)
        except AssertionError:
            raise AssertionError(self.client.sh(f"cd {self.folder}; ls; cat *.log").stdout) from None

    def files(self, ending: str) -> list[str]:
        found = self.client.sh(f"cd {self.folder}; ls").stdout.split()
        return sorted(name[: -len(ending) - 1] for name in found if name.endswith(f".{ending}"))

    def stop(self) -> None:
        self.client.sh(f"touch {self.folder}/stop")


@pytest.fixture
def sessions(server, client, users):
    opened = Sessions(server, client)
    opened.open_all()
    yield opened
    opened.stop()
