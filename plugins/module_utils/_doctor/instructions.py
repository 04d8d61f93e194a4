# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a new user needs to know, as data and as a text to send; never a password or a key.

Source of WinSCP's words: its form Login.dfm; of FileZilla's: its Site Manager.
"""

from __future__ import annotations

import dataclasses
import datetime
import posixpath
from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.about import about as read_about
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import (
    EXPLICIT,
    IMPLICIT,
    KEY,
    NO_TLS,
    PASSWORD,
    About,
    Ftps,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import TLS, Site, filezilla
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import NEVER
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import READ_ONLY, READ_WRITE, UPLOAD_ONLY

_WINSCP = {
    EXPLICIT: "TLS/SSL Explicit encryption",
    IMPLICIT: "TLS/SSL Implicit encryption",
    NO_TLS: "No encryption",
}
_MAY = {
    READ_WRITE: "upload, download, rename and delete files",
    READ_ONLY: "list and download files",
    UPLOAD_ONLY: "upload new files; they cannot be downloaded, replaced, renamed or deleted",
}
_WIDTH = 14


@dataclass(frozen=True)
class Way:
    """One way to log in.

    ``protocol`` is "ftps" or "sftp", ``tls`` a mode of Ftps and "" for SFTP. ``by`` is what the user has, PASSWORD and
    KEY. ``directory`` is where the files are, as the client shows it. ``winscp_*`` are the words of its Login dialog,
    ``filezilla`` those of the Site Manager. ``fingerprints``: what a client shows at the first connection, SHA-256 of
    the certificate or SHA256:... of each host key; empty if the client asks nothing.
    """

    protocol: str
    tls: str
    host: str
    port: int
    user: str
    by: tuple[str, ...]
    directory: str
    filezilla: Site
    winscp_protocol: str
    winscp_encryption: str
    fingerprints: tuple[str, ...]


def instructions_here(user: Mapping[str, Any]) -> dict[str, Any]:
    """instructions() of this server for ``user``. Raises NotPermitted unless run by root."""
    return instructions(read_about(lambda: [user], check=False), user)


def instructions(about: About, user: Mapping[str, Any]) -> dict[str, Any]:
    """Everything for ``user``, as Manager.show returns it, as json.dumps takes it; ``text`` is the same in lines."""
    ways = list(_ways(about, user))
    may, same = _may(user), _same_directory(user, ways)
    return {
        "user": user["name"],
        "ways": [{**dataclasses.asdict(one), "filezilla": one.filezilla._asdict()} for one in ways],
        "may": may,
        "text": list(map(visible, _text(str(user["name"]), ways, may, same))),
    }


def _ways(about: About, user: Mapping[str, Any]) -> Iterator[Way]:
    sites = filezilla(about)
    if user["ftps"]:
        for site, instance in zip(sites, about.ftps):
            by: tuple[str, ...] = (PASSWORD,) if user["ftps"]["scheme"] else ()
            prints = _certificate(about, instance)
            yield Way(
                "ftps",
                instance.mode,
                about.host,
                instance.port,
                user["name"],
                by,
                "/",
                site,
                "FTP",
                _WINSCP[instance.mode],
                prints,
            )
    if user["sftp"] and about.sftp and about.sftp.ports:
        side = user["sftp"]
        by = tuple(
            what
            for what, there in ((PASSWORD, side["scheme"] and about.sftp.passwords), (KEY, side.get("keys")))
            if there
        )
        site = sites[-1]._replace(logon_type="Key file" if by == (KEY,) else "Ask for password")
        prints = tuple(f"{key.fingerprint} ({key.kind} {key.bits})" for key in about.host_keys)
        directory = f"/{posixpath.basename(side['directory'])}" if side["directory"] else ""
        yield Way("sftp", "", about.host, site.port, user["name"], by, directory, site, "SFTP", "", prints)


def _certificate(about: About, instance: Ftps) -> tuple[str, ...]:
    found = (one for one in about.certificates if one.path == instance.certificate and one.sha256 and not one.trusted)
    return tuple(one.sha256 for one in found)


def _may(user: Mapping[str, Any]) -> list[str]:
    """What the user may do, each a sentence without its end."""
    said = [_MAY[user["access"]]]
    if user["expires"] and user["expires"] != NEVER:
        last = datetime.date.fromisoformat(user["expires"]) - datetime.timedelta(days=1)
        said.append(f"log in until {last} (UTC)")
    if user["allowed_sources"]:
        said.append(f"log in from {', '.join(user['allowed_sources'])} only")
    return said


def _same_directory(user: Mapping[str, Any], ways: list[Way]) -> str:
    """Says that the paths that both protocols show are one directory; "" if they are not."""
    shown = {way.protocol: way.directory for way in ways}
    if len(shown) < 2 or not shown["sftp"] or user["ftps"]["directory"] != user["sftp"]["directory"]:
        return ""
    return f"{shown['ftps']} of FTPS and {shown['sftp']} of SFTP are the same directory."


def _text(name: str, ways: list[Way], may: list[str], same: str) -> Iterator[str]:
    yield f"How {name} connects"
    for way in ways:
        yield ""
        yield f"FTPS, {TLS[way.tls]}" if way.protocol == "ftps" else "SFTP"
        yield from (f"  {what:<{_WIDTH}}{said}" for what, said in _rows(way) if said)
    yield ""
    if same:
        yield same
    yield from (f"You may {one}." for one in may)


def _rows(way: Way) -> Iterator[tuple[str, str]]:
    yield "Host", way.host
    yield "Port", str(way.port)
    yield "User", way.user
    yield "Log in by", " or ".join("your private key" if one == KEY else one for one in way.by)
    yield "Files", way.directory
    site = way.filezilla
    encryption = f', Encryption "{site.encryption}"' if site.encryption else ""
    yield "FileZilla", f'Protocol "{site.protocol}"{encryption}, Logon Type "{site.logon_type}"'
    encryption = f', Encryption "{way.winscp_encryption}"' if way.winscp_encryption else ""
    yield "WinSCP", f'File protocol "{way.winscp_protocol}"{encryption}'
    if way.fingerprints:
        what = "this certificate (SHA-256)" if way.protocol == "ftps" else "one of these host keys"
        yield "Accept only", f"{what}, when the program asks at the first connection:"
        yield from (("" if count else " ", one) for count, one in enumerate(way.fingerprints))
    elif way.tls != NO_TLS:
        yield "Certificate", "the program checks it by itself; do not accept another one"
