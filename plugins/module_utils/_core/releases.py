# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The supported releases: their versions of the programs, and what does not work with them. The only such list.

It is read by preflight, the roles (through the filter ``release``), code of the library that depends on a version, and
the table in docs/tested-with.md. Versions are those of the release's own packages, in upstream's numbering.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Iterable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem


@dataclass(frozen=True)
class Release:
    """One release; every version is upstream's, without Debian's epoch and revision."""

    os_id: str
    """``ID`` of os-release(5)."""
    version: str
    """``VERSION_ID``."""
    name: str
    openssh: str
    pam: str
    libxcrypt: str
    systemd: str
    vsftpd: str
    python3: str
    cryptography: str

    @property
    def misreads_hashes(self) -> bool:
        """Whether pam_userdb may misread a hash whose length is 8 modulo 16.

        It does before Linux-PAM 1.5.2 with libxcrypt 4.4.25 and newer; with 4.4.10, log-ins with such hashes worked.
        """
        return number(self.pam) < (1, 5, 2) and number(self.libxcrypt) >= (4, 4, 25)

    @property
    def ignores_match_in_drop_ins(self) -> bool:
        """Whether sshd ignores a Match block in a file of sshd_config.d, as observed with OpenSSH 8.2."""
        return number(self.openssh) < (8, 4)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What does not work, or works in another way, each as a sentence."""
        found = []
        if self.ignores_match_in_drop_ins:
            found.append(f"OpenSSH {self.openssh} ignores a Match block in a file of /etc/ssh/sshd_config.d")
        if self.misreads_hashes:
            found.append(
                f"Linux-PAM {self.pam} may refuse FTPS users whose hash has a length of 8 modulo 16: use rounds of four"
                " or five digits"
            )
        return tuple(found)


RELEASES = (
    Release("debian", "11", "Debian 11", "8.4", "1.4.0", "4.4.18", "247", "3.0.3", "3.9", "3.3.2"),
    Release("debian", "12", "Debian 12", "9.2", "1.5.2", "4.4.33", "252", "3.0.3", "3.11", "38.0.4"),
    Release("debian", "13", "Debian 13", "10.0", "1.7.0", "4.4.38", "257", "3.0.5", "3.13", "43.0.0"),
    Release("ubuntu", "20.04", "Ubuntu 20.04", "8.2", "1.3.1", "4.4.10", "245", "3.0.3", "3.8", "2.8"),
    Release("ubuntu", "22.04", "Ubuntu 22.04", "8.9", "1.4.0", "4.4.27", "249", "3.0.5", "3.10", "3.4.8"),
    Release("ubuntu", "24.04", "Ubuntu 24.04", "9.6", "1.5.3", "4.4.36", "255", "3.0.5", "3.12", "41.0.7"),
)
"""Sources: the packages of the Debian releases and of Ubuntu 20.04 themselves. The versions for 22.04 and 24.04 are
from general knowledge: they were not looked up in a package list, and those releases were never run."""

PACKAGES = {
    "openssh": "openssh-server",
    "pam": "libpam-modules",
    "libxcrypt": "libcrypt1",
    "systemd": "systemd",
    "vsftpd": "vsftpd",
    "python3": "python3",
    "cryptography": "python3-cryptography",
}
"""For each such field of Release, the package whose version it is."""


def number(version: str) -> tuple[int, ...]:
    """``"8.2"`` as ``(8, 2)``, which compares as versions do."""
    return tuple(map(int, version.split(".")))


def find(os_id: str, version: str) -> Release | None:
    """The release with this ``ID`` and ``VERSION_ID`` of os-release(5); None when it is not supported."""
    return next((one for one in RELEASES if (one.os_id, one.version) == (os_id, version)), None)


def problem(os_id: str, version: str, name: str = "") -> Problem | None:
    """Why this release cannot be used; None when it can. ``name`` is its own name for itself, '' when unknown."""
    if find(os_id, version):
        return None
    names: dict[str, list[str]] = {}
    for one in RELEASES:
        names.setdefault(one.name.split()[0], []).append(one.version)
    supported = " or ".join(f"{system} {', '.join(versions)}" for system, versions in names.items())
    found = name or " ".join(filter(None, (os_id, version))) or "an unknown system"
    return Problem("operating system", supported, found)


def of_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """Fields of the release that Ansible's facts describe, by name; ``problem`` says why it cannot be used, or ''."""
    system = str(facts.get("distribution", ""))
    version = str(facts.get("distribution_version", ""))
    if system == "Debian":  # 12.5, say
        version = str(facts.get("distribution_major_version", ""))
    names = [field.name for field in fields(Release)]
    found = find(system.lower(), version)
    if found is None:
        why = problem(system.lower(), version, f"{system} {version}".strip())
        return {**dict.fromkeys(names, ""), "problem": str(why)}
    return {**{name: getattr(found, name) for name in names}, "problem": ""}


def read_os_release(paths: Iterable[str] = ("/etc/os-release", "/usr/lib/os-release")) -> dict[str, str]:
    """The settings of os-release(5), from the first of ``paths`` that exists."""
    settings: dict[str, str] = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                lines = stream.read().splitlines()
        except OSError:
            continue
        for line in lines:
            name, separator, value = line.strip().partition("=")
            if separator and not name.startswith("#"):
                settings[name] = value.strip("\"'")
        break
    return settings


@functools.lru_cache(maxsize=1)
def here() -> Release | None:
    """The release this code runs on; None when it is not supported."""
    settings = read_os_release()
    return find(settings.get("ID", "").lower(), settings.get("VERSION_ID", ""))
