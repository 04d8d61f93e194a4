# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What users and their clients need to know about a server, as data; nothing secret.

``about.py`` reads it on the server, ``summary.py`` turns it into lines of text, there or elsewhere.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import HostKey

EXPLICIT, IMPLICIT, NO_TLS = "explicit", "implicit", "none"
PASSWORD, KEY = "password", "key"


@dataclass(frozen=True)
class Ftps:
    """One vsftpd: its TLS mode (EXPLICIT, IMPLICIT or NO_TLS), port, passive ports and certificate.

    ``passive`` is ``LOW-HIGH``, "any" without limits, "" without passive mode. ``certificate`` is "" without TLS.
    """

    unit: str
    mode: str
    port: int
    passive: str
    certificate: str


@dataclass(frozen=True)
class Sftp:
    """sshd for users of SFTP: its ports, and whether they may log in with a password."""

    ports: tuple[int, ...]
    passwords: bool


@dataclass(frozen=True)
class Certificate:
    """The certificate in a file. ``not_after`` is a day of UTC, YYYY-MM-DD; ``sha256`` has colons, as in FileZilla.

    ``trusted``: the authorities of this host know it, so clients need no file to check it. ``names_host``: it names the
    address or name that ``About.host`` gives clients. Without a readable certificate everything but ``path`` is empty.
    """

    path: str
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_after: str = ""
    sha256: str = ""
    self_signed: bool = False
    trusted: bool = False
    names_host: bool = False


@dataclass(frozen=True)
class Example:
    """A user who can log in, for examples: the name, and by what, PASSWORD or KEY."""

    name: str
    by: str


@dataclass(frozen=True)
class Users:
    """How many users there are, and one of each protocol for examples.

    ``problem`` is the reason if they could not be read, else "".
    """

    total: int = 0
    ftps: int = 0
    sftp: int = 0
    locked: int = 0
    ftps_example: Example | None = None
    sftp_example: Example | None = None
    problem: str = ""


@dataclass(frozen=True)
class Remote:
    """Remote control: the account, the names of its clients, and the ports of sshd."""

    user: str
    clients: tuple[str, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class About:
    """This server.

    ``host`` is the address or name that clients use; ``outside`` is vsftpd's ``pasv_address`` if no interface has it,
    else "". ``findings`` are those of ``ftp-users check``, as in its JSON. ``command`` is how root calls ftp-users, ""
    if it is not installed. ``remote`` is None if no other machine may manage users. ``two_homes``: a user of both
    protocols has a directory for each.
    """

    name: str
    host: str
    addresses: tuple[str, ...]
    outside: str
    ftps: tuple[Ftps, ...]
    sftp: Sftp | None
    users: Users
    certificates: tuple[Certificate, ...]
    host_keys: tuple[HostKey, ...]
    findings: tuple[Mapping[str, str], ...]
    command: str
    remote: Remote | None = None
    two_homes: bool = False

    @property
    def serves(self) -> tuple[str, ...]:
        """The protocols that are set up, "FTPS" and "SFTP"."""
        return tuple(name for name, there in (("FTPS", self.ftps), ("SFTP", self.sftp)) if there)

    def facts(self) -> dict[str, Any]:
        """All of it as json.dumps takes it."""
        return {**dataclasses.asdict(self), "serves": list(self.serves)}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> About:
        """The same from what ``facts`` gave, which may have been JSON in between; more keys do no harm."""
        users, sftp, remote = dict(facts["users"]), facts["sftp"], facts["remote"]
        for which in ("ftps_example", "sftp_example"):
            users[which] = Example(**users[which]) if users[which] else None
        return cls(
            name=facts["name"],
            host=facts["host"],
            addresses=tuple(facts["addresses"]),
            outside=facts["outside"],
            ftps=tuple(Ftps(**one) for one in facts["ftps"]),
            sftp=Sftp(tuple(sftp["ports"]), sftp["passwords"]) if sftp else None,
            users=Users(**users),
            certificates=tuple(Certificate(**{**one, "names": tuple(one["names"])}) for one in facts["certificates"]),
            host_keys=tuple(HostKey(**one) for one in facts["host_keys"]),
            findings=tuple(facts["findings"]),
            command=facts["command"],
            remote=Remote(remote["user"], tuple(remote["clients"]), tuple(remote["ports"])) if remote else None,
            two_homes=bool(facts.get("two_homes")),
        )
