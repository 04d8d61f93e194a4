# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of certificates: they are valid, belong to their key, and the key is private."""

from __future__ import annotations

import datetime
import os
import re
import ssl
import stat
from typing import Any, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import Certificate, read_pem

SOON = 30 * 86400
"""A certificate should be renewed this many seconds before it expires; one with a short life later."""

_BLOCK = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.S
)
_SSL_CERT = "ssl-cert"
"""The group of Debian's package ssl-cert, which may read private keys (root:ssl-cert 0640)."""

KINDS: dict[str, Kind] = {
    "certificate-unusable": Kind(
        ERROR,
        "the certificate or its key is missing, damaged or protected by a pass phrase",
        "vsftpd does not start with it: after the next restart or boot FTPS does not work.",
        "install -m 0644 CERTIFICATE.pem {certificate} && install -m 0600 KEY.pem {key} && systemctl restart {unit}",
    ),
    "certificate-key-mismatch": Kind(
        ERROR,
        "the certificate does not belong to the private key",
        "vsftpd does not start with them: after the next restart or boot FTPS does not work.",
        "install -m 0644 CERTIFICATE.pem {certificate} && systemctl restart {unit}",
    ),
    "certificate-expired": Kind(
        ERROR,
        "the certificate has expired",
        "Clients refuse to connect, or users learn to ignore the warning.",
        "install -m 0644 RENEWED.pem {certificate} && systemctl restart {unit}",
    ),
    "certificate-expires": Kind(
        WARNING,
        "the certificate expires within 30 days, or within the last third of its life if that is shorter",
        "From then on clients refuse to connect.",
        "install -m 0644 RENEWED.pem {certificate} && systemctl restart {unit}",
    ),
    "certificate-not-yet-valid": Kind(
        ERROR,
        "the certificate is not valid yet: the clock is wrong, or was wrong when the certificate was made",
        "Clients refuse to connect.",
        "date; openssl x509 -noout -dates -in {certificate}",
    ),
    "private-key-exposed": Kind(
        ERROR,
        "users other than root can read or change the private key",
        "With the key an attacker can pose as this server and collect passwords.",
        "chown root:root {path} && chmod 0600 {path}",
    ),
}
found = Reporter(KINDS)


def certificate_findings(certificate: str, key: str, units: Sequence[str], now: float) -> Iterator[Finding]:
    """Examine a certificate (with its chain) and its key, used by ``units``."""
    words: dict[str, Any] = {"certificate": certificate, "key": key, "restarts": units}
    yield from _key_findings(key)
    try:
        with open(certificate, "rb") as file:
            blocks = _BLOCK.findall(file.read())
        if not blocks:
            raise ValueError("no certificate in it")
        chain = [_read(block) for block in blocks]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        yield found("certificate-unusable", f"{certificate}: {reason}", certificate, **words)
        return
    problem = _pair_problem(certificate, key)
    if problem is not None:
        subject, what = problem
        fix = _sign_again(chain[0], certificate, key, units) if subject == "certificate-key-mismatch" else None
        yield found(subject, what, certificate, fix, **words)
        return
    for position, one in enumerate(chain):
        whose = certificate if position == 0 else f"{certificate}, certificate {position + 1} of the chain"
        if one.begins > now:
            yield found(
                "certificate-not-yet-valid",
                f"{whose}: valid from {_day(one.begins)}, but the clock of this host says {_day(now)}",
                certificate,
                certificate=certificate,
            )
        elif one.ends <= now + min(SOON, (one.ends - one.begins) / 3):
            days = int(abs(one.ends - now) / 86400)
            subject, tense = ("certificate-expired", "ended") if one.ends <= now else ("certificate-expires", "ends")
            when = f"{days} days ago" if one.ends <= now else f"in {days} days"
            fix = _sign_again(one, certificate, key, units) if position == 0 else None
            yield found(subject, f"{whose}: {tense} on {_day(one.ends)}, {when}", certificate, fix, **words)


def _read(block: bytes) -> Certificate:
    """Raises ValueError when OpenSSL does not understand the certificate."""
    found = read_pem(block.decode("ascii", "replace"))
    if found is None:
        raise ValueError("OpenSSL does not understand the certificate")
    return found


def _pair_problem(certificate: str, key: str) -> tuple[str, str] | None:
    try:
        # Answer a question for a pass phrase with nothing, so that this never waits for a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "certificate-key-mismatch", f"{certificate}: does not belong to the key {key}"
        reason = (error.reason or "not PEM, or protected by a pass phrase").replace("_", " ").lower()
        return "certificate-unusable", f"{certificate} and {key}: {reason}"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return "certificate-unusable", f"{certificate} and {key}: {reason}"
    return None


def _key_findings(key: str) -> Iterator[Finding]:
    try:
        status = os.stat(key)
    except OSError:
        return  # the pair is unusable; another check reports that
    allowed = 0o040 if status.st_gid == _ssl_cert_group() else 0
    if status.st_uid != 0 or status.st_mode & 0o077 & ~allowed:
        mode = stat.S_IMODE(status.st_mode)
        what = f"{key}: owner {status.st_uid}:{status.st_gid}, mode {mode:04o}; expected root and 0600"
        yield found("private-key-exposed", what, key, path=key)


def _ssl_cert_group() -> int:
    import grp

    try:
        return grp.getgrnam(_SSL_CERT).gr_gid
    except KeyError:
        return -1


def _sign_again(one: Certificate, certificate: str, key: str, units: Sequence[str]) -> str | None:
    """The command that renews a self-signed certificate with its key; None if a CA must sign or both share a file.

    Source: openssl-x509(1), -signkey takes over the public key and keeps the extensions.
    """
    if not one.self_signed or os.path.realpath(certificate) == os.path.realpath(key):
        return None
    new = quoted(certificate + ".new")
    return (
        f"openssl x509 -in {quoted(certificate)} -signkey {quoted(key)} -days 825 -sha256 -out {new}"
        f" && mv {new} {quoted(certificate)} && systemctl restart {quoted(list(units))}"
    )


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
