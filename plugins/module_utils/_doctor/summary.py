# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""About this server in lines of text: the only place that says so to a reader, wherever the reader is."""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted, visible
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import ERROR
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import (
    EXPLICIT,
    IMPLICIT,
    KEY,
    NO_TLS,
    About,
    Certificate,
    Example,
    Ftps,
    Remote,
)

TLS = {EXPLICIT: "explicit TLS", IMPLICIT: "implicit TLS", NO_TLS: "no TLS: everybody can read passwords"}
_WIDTH = 14
_REMOTE = "https://github.com/secure-ftp/server/blob/main/docs/remote-control.md#clients"
_COMPARE = "compare this with what the openssl line prints on a client, before you use its file"
_NOBODY = Example("NAME", "")
_DEFAULT_PORTS = {"ftp": 21, "ftps": 990}


class Command(NamedTuple):
    """A command for a client's shell: what it is for, "certificate", "ftps" or "sftp", and the line."""

    purpose: str
    line: str


class Site(NamedTuple):
    """An entry of FileZilla's Site Manager, in the words of that window."""

    protocol: str
    encryption: str
    host: str
    port: int
    logon_type: str


def as_json(about: About) -> dict[str, Any]:
    """Everything, as json.dumps takes it: the facts, and what follows from them for clients."""
    return {
        **about.facts(),
        "commands": [one._asdict() for one in commands(about)],
        "filezilla": [one._asdict() for one in filezilla(about)],
        "next_step": next_step(about),
    }


def answer(about: About, short: bool, added: Sequence[str] = (), check_mode: bool = False) -> dict[str, Any]:
    """What the module server_info returns: the facts, and the text, as by brief() if ``short``, else as by lines()."""
    text = brief(about) if short else lines(about, added, check_mode=check_mode)
    return {"changed": False, "about": as_json(about), "lines": text}


# --- what follows for clients -----------------------------------------------------------------------------------------


def commands(about: About, ca_file: str = "") -> list[Command]:
    """Commands that list a user's files, and before them the one that fetches a certificate no client knows.

    ``ca_file``: clients have the certificate already, in this file.
    """
    made: list[Command] = []
    for instance in about.ftps:
        certificate = _of(about, instance)
        file = ""
        if certificate and not certificate.trusted:
            file = ca_file or (_file(about) if certificate.self_signed else "CA.crt")
            if certificate.self_signed and not ca_file and not any(one.purpose == "certificate" for one in made):
                made.append(Command("certificate", _fetch(about.host, instance, file)))
        made.append(Command("ftps", _curl(about, instance, file)))
    if about.sftp and about.sftp.ports:
        port = _port(about.sftp.ports)
        words = ["sftp", *(["-P", str(port)] if port != 22 else []), f"{_sftp_user(about).name}@{_in_url(about.host)}"]
        made.append(Command("sftp", quoted(words)))
    return made


def _curl(about: About, instance: Ftps, file: str) -> str:
    scheme = "ftps" if instance.mode == IMPLICIT else "ftp"
    words = ["curl"]
    if instance.mode == EXPLICIT:
        words.append("--ssl-reqd")
    if file:
        words += ["--cacert", file]
    port = f":{instance.port}" if instance.port != _DEFAULT_PORTS[scheme] else ""
    url = f"{scheme}://{_in_url(about.host)}{port}/"
    return quoted([*words, "--user", _ftps_user(about).name, url])


def _fetch(host: str, instance: Ftps, file: str) -> str:
    """Save the certificate, and print its fingerprint, which is to be compared."""
    start = "-starttls ftp " if instance.mode == EXPLICIT else ""
    ask = f"openssl s_client {start}-connect {quoted(f'{_in_url(host)}:{instance.port}')} </dev/null 2>/dev/null"
    return f"{ask} | openssl x509 | tee {quoted(file)} | openssl x509 -noout -sha256 -fingerprint"


def filezilla(about: About) -> list[Site]:
    """The entries of FileZilla's Site Manager."""
    encryption = {
        EXPLICIT: "Require explicit FTP over TLS",
        IMPLICIT: "Require implicit FTP over TLS",
        NO_TLS: "Only use plain FTP (insecure)",
    }
    sites = [
        Site("FTP - File Transfer Protocol", encryption[one.mode], about.host, one.port, "Ask for password")
        for one in about.ftps
    ]
    if about.sftp and about.sftp.ports:
        by_key = _sftp_user(about).by == KEY or not about.sftp.passwords
        logon = "Key file" if by_key else "Ask for password"
        sites.append(Site("SFTP - SSH File Transfer Protocol", "", about.host, _port(about.sftp.ports), logon))
    return sites


def next_step(about: About) -> str:
    """What the administrator does next, in one line; "" if nothing has to be done."""
    if not about.serves:
        return "set it up: ansible-playbook -i INVENTORY secure_ftp.server.site"
    if about.findings or about.users.problem:
        see = f"sudo {about.command} check" if about.command else "ansible HOST -b -m secure_ftp.server.server_info"
        return f"see what is wrong and what corrects it: {see}"
    if not about.users.total:
        or_else = f", or sudo {about.command} add NAME" if about.command else ""
        return f"add users: list them in ftp_users and run the playbook again{or_else}"
    unnamed = [one for one in about.certificates if one.sha256 and not one.names_host]
    if unnamed and unnamed[0].self_signed:
        return f"add {_kind(about.host)}:{about.host} to vsftpd_certificate_san: clients check the certificate for it"
    return ""


def _of(about: About, instance: Ftps) -> Certificate | None:
    return next((one for one in about.certificates if one.path == instance.certificate), None)


def _kind(host: str) -> str:
    """How an alternative name of a certificate begins."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "DNS"
    return "IP"


def _file(about: About) -> str:
    return f"{about.host.replace(':', '-')}.crt"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _port(ports: Sequence[int]) -> int:
    return 22 if 22 in ports else ports[0]


def _ftps_user(about: About) -> Example:
    return about.users.ftps_example or _NOBODY


def _sftp_user(about: About) -> Example:
    return about.users.sftp_example or _NOBODY


# --- lines ------------------------------------------------------------------------------------------------------------


def lines(about: About, added: Sequence[str] = (), ca_file: str = "", check_mode: bool = False) -> list[str]:
    """Everything, for a reader; ``added`` are the users who are new, ``ca_file`` as in commands().

    In ``check_mode`` the server is as it was before, and the users who would be new are not there.
    """
    if not about.serves:
        nothing = (
            f"{about.name}: there is no FTPS or SFTP server yet{', and check mode made none' if check_mode else ''}."
        )
        step = "set it up: the same command without --check" if check_mode else next_step(about)
        return _rows([("", [nothing]), ("Next step", [step])])
    now = "; this is check mode, so nothing was changed" if check_mode else ""
    rows: list[tuple[str, list[str]]] = [
        ("", [f"{_name(about)} serves {' and '.join(about.serves)}{now}."]),
        ("Address", [_addresses(about)]),
        ("FTPS", [_ftps(about)] if about.ftps else []),
        ("SFTP", [_sftp(about)] if about.sftp else []),
        ("Users", [_users(about, added, "would be new" if check_mode else "new")]),
    ]
    if about.two_homes and about.command:
        rows.append(("Homes", [f"one for each protocol; one for both: sudo {about.command} one-home --dry-run"]))
    made = commands(about, ca_file)
    fetched = any(one.purpose == "certificate" for one in made)
    rows += [("Certificate", _certificate(one, fetched)) for one in about.certificates]
    rows.append(("Host keys", [f"{key.fingerprint} ({key.kind} {key.bits})" for key in about.host_keys]))
    rows.append(("On a client", [one.line for one in made]))
    rows.append(("FileZilla", list(map(_site, filezilla(about)))))
    rows.append(("Remote", [_remote(about, about.remote)] if about.remote else []))
    rows.append(("Check", [_found(about)]))
    rows.append(("Next step", [step for step in [next_step(about)] if step]))
    return _rows(rows)


def brief(about: About) -> list[str]:
    """A line for a server on which nothing changed, and one more if there is something to do."""
    if not about.serves:
        return lines(about)
    words = [f"{_ftps_ports(about)} for FTPS" if about.ftps else "", f"{_sftp(about)} for SFTP" if about.sftp else ""]
    parts = [f"{' and '.join(filter(None, words))} at {about.host}", _users(about, ())]
    parts += [f"certificate until {one.not_after}" for one in about.certificates[:1] if one.not_after]
    said = [f"{about.name}: {'; '.join([*parts, f'check: {_found(about)}'])}."]
    step = next_step(about)
    if step:
        said.append(f"{about.name}: next step: {step}")
    elif about.command:
        said.append(f"{about.name}: addresses, fingerprints and commands for clients: sudo {about.command} about")
    return list(map(visible, said))


def _rows(rows: Iterable[tuple[str, list[str]]]) -> list[str]:
    return [visible(line) for title, texts in rows for line in _row(title, texts)]


def _row(title: str, texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield f"  {title if number == 0 else '':<{_WIDTH}}{text}" if title else text


def _addresses(about: About) -> str:
    inside = ", ".join(about.addresses) or "none"
    return f"{about.outside} from outside; of this host: {inside}" if about.outside else inside


def _ftps_ports(about: About) -> str:
    ports = [f"{one.port} ({TLS[one.mode]})" for one in about.ftps]
    return f"port{'s' if len(ports) > 1 else ''} {' and '.join(ports)}"


def _ftps(about: About) -> str:
    passive = sorted({one.passive for one in about.ftps if one.passive})
    return f"{_ftps_ports(about)}; passive ports {', '.join(passive) or 'none'}"


def _sftp(about: About) -> str:
    ports = about.sftp.ports if about.sftp else ()
    return f"port{'s' if len(ports) > 1 else ''} {' and '.join(map(str, ports)) or 'unknown'}"


def _remote(about: About, remote: Remote) -> str:
    port = f"port {_port(remote.ports)}" if remote.ports else "port unknown"
    return f"{remote.user}@{about.host}, {port}, for {listed(remote.clients)}; clients to install: {_REMOTE}"


def _users(about: About, added: Sequence[str], new: str = "new") -> str:
    users = about.users
    if users.problem:
        return f"cannot be read: {users.problem}"
    sides = [f"{users.ftps} for FTPS" if about.ftps else "", f"{users.sftp} for SFTP" if about.sftp else ""]
    text = f"{users.total} user{'' if users.total == 1 else 's'}"
    if users.total:
        text += f" ({', '.join(filter(None, sides))}{f', {users.locked} locked' if users.locked else ''})"
    return f"{text}; {new}: {listed(added)}" if added else text


def _name(about: About) -> str:
    """How the server is called, and what clients call it."""
    return about.name if about.host in ("", about.name) else f"{about.name} ({about.host})"


def _certificate(one: Certificate, fetched: bool) -> list[str]:
    if not one.sha256:
        return [f"{one.path} cannot be read"]
    signed = "self-signed" if one.self_signed else f"issued by {one.issuer}"
    return [
        f"{one.path}, {one.subject}, {signed}, until {one.not_after}",
        f"SHA-256 {one.sha256}",
        *([_COMPARE] if fetched and one.self_signed else []),
        *([] if one.names_host else [f"it names only {', '.join(one.names) or 'its subject'}: clients will refuse it"]),
    ]


def _site(site: Site) -> str:
    said = [
        f'Protocol "{site.protocol}"',
        f'Encryption "{site.encryption}"' if site.encryption else "",
        f"Host {site.host}",
        f"Port {site.port}",
        f'Logon Type "{site.logon_type}"',
    ]
    return ", ".join(filter(None, said))


def _found(about: About) -> str:
    if not about.findings:
        return "no problem found"
    errors = sum(one["severity"] == ERROR for one in about.findings)
    counts = [(errors, "error"), (len(about.findings) - errors, "warning")]
    said = " and ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counts if number)
    return f"{said}: {listed(list(dict.fromkeys(one['subject'] for one in about.findings)))}"
