# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A certificate in a file: the wanted one, the existing one according to openssl(1), and how they differ."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import stat
import time
from dataclasses import dataclass
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_command

MAX_COMMON_NAME = 64
"""Longest common name of X.509 (RFC 5280, ub-common-name)."""

DAY = 86400
SLACK = DAY
"""Seconds by which a certificate may end later than a new one would: the clock may have been set back since."""

_NAME = re.compile(r"[A-Za-z0-9*_](?:[A-Za-z0-9*_.-]*[A-Za-z0-9_])?\Z")


@dataclass(frozen=True)
class Wish:
    """The wanted certificate; ``names`` are, for example, ``DNS:ftp.example.net`` and ``IP:192.0.2.1``."""

    certificate: str
    key: str
    common_name: str
    names: Sequence[str]
    days: int = 825
    renew_days: int = 30


def validate(wish: Wish) -> Wish:
    """Return ``wish`` when openssl can make it. Raises InvalidInput naming what is not valid."""
    for path in (wish.certificate, wish.key):
        if not os.path.isabs(path) or not os.path.basename(path):
            raise InvalidInput("path", "the absolute path of a file", found=repr(path))
    if os.path.realpath(wish.certificate) == os.path.realpath(wish.key):
        expected = "one file for the certificate and another for the key"
        raise InvalidInput(f"path {wish.certificate}", expected, found="the same file for both")
    if not _NAME.match(wish.common_name) or len(wish.common_name) > MAX_COMMON_NAME:
        raise InvalidInput(
            "common_name", f"a host name, up to {MAX_COMMON_NAME} characters", found=repr(wish.common_name)
        )
    for name in wish.names:
        normal(name)
    if not 0 <= wish.renew_days < wish.days:
        raise InvalidInput("renew_days", f"0 to less than days ({wish.days})", found=str(wish.renew_days))
    return wish


def normal(name: str) -> str:
    """The common spelling of an alternative name in ours or OpenSSL's; InvalidInput when it is not a valid name."""
    kind, _colon, value = name.partition(":")
    if kind == "DNS" and _NAME.match(value):
        return f"DNS:{value.lower()}"
    if kind in ("IP", "IP Address"):
        try:
            return f"IP:{ipaddress.ip_address(value)}"
        except ValueError:
            pass
    raise InvalidInput("subject_alt_name", "DNS: with a host name, or IP: with an address", found=repr(name))


def reasons(wish: Wish) -> list[str]:
    """Why the certificate has to be made or renewed; none when it is as wanted.

    Raises SecureFtpError for links and anything else that is not a file, and for a key that cannot be read.
    """
    key_there, certificate_there = _is_there(wish.key), _is_there(wish.certificate)
    if not key_there:
        return ["there is no key"]
    key = run_command(["openssl", "pkey", "-pubout", "-passin", "pass:", "-in", wish.key])
    if key.rc:
        raise SecureFtpError(wish.key, "a private key without a pass phrase", found=key.said, remedy="move it away")
    if not certificate_there:
        return ["there is no certificate"]
    public = run_command(["openssl", "x509", "-noout", "-pubkey", "-in", wish.certificate])
    if public.rc:
        return ["the certificate cannot be read"]
    if public.out.split() != key.out.split():
        return ["the certificate belongs to another key"]
    return _outdated(wish, read(wish.certificate))


def _is_there(path: str) -> bool:
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise file_error(path, "read", error) from error
    if stat.S_ISLNK(kind):
        raise SecureFtpError(
            path,
            "a file",
            found="a symbolic link, so another program manages the certificate",
            remedy="set vsftpd_certificate_source: files",
        )
    if not stat.S_ISREG(kind):
        raise SecureFtpError(path, "a file", found="something else", remedy="move it away")
    return True


@dataclass(frozen=True)
class Certificate:
    """A certificate as openssl shows it: the whole subject and issuer, the alternative names as from normal().

    ``begins`` and ``ends`` are in seconds since the epoch. ``fingerprint`` is SHA-256 of the DER form, in pairs of
    hexadecimal digits with colons, as openssl and FileZilla show it.
    """

    subject: str
    names: frozenset[str]
    ends: float
    issuer: str = ""
    begins: float = 0.0
    fingerprint: str = ""

    @property
    def self_signed(self) -> bool:
        return self.subject == self.issuer


_SHOW = ["openssl", "x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253", "-dates", "-fingerprint", "-sha256"]


def read(path: str) -> Certificate | None:
    """Return the first certificate in ``path``, None when openssl cannot read it."""
    return parse(run_command([*_SHOW, "-ext", "subjectAltName", "-in", path]).out)


def read_pem(pem: str) -> Certificate | None:
    """Return the certificate of which ``pem`` is the text, None when openssl does not understand it."""
    return parse(run_command([*_SHOW, "-ext", "subjectAltName"], pem).out)


def parse(shown: str) -> Certificate | None:
    """Read the output of openssl; None when it is not a certificate. Releases differ in blanks and in capitals."""
    said = {key.lower(): value.strip() for key, _equals, value in (line.partition("=") for line in shown.splitlines())}
    if "notafter" not in said:
        return None
    listed = re.search(r"Subject Alternative Name:.*\n(.*)", shown)
    names = map(_spelled, listed.group(1).split(",")) if listed else ()
    begins = said.get("notbefore")
    return Certificate(
        said.get("subject", ""),
        frozenset(names) - {""},
        ssl.cert_time_to_seconds(said["notafter"]),
        said.get("issuer", ""),
        ssl.cert_time_to_seconds(begins) if begins else 0.0,
        said.get("sha256 fingerprint", ""),
    )


def is_trusted(path: str) -> bool:
    """Whether this host trusts the certificate in ``path``, with its chain, as clients with the usual CAs do."""
    return run_command(["openssl", "verify", "-untrusted", path, path]).rc == 0


def _spelled(name: str) -> str:
    try:
        return normal(name.strip())
    except InvalidInput:
        return ""


def _outdated(wish: Wish, has: Certificate | None) -> list[str]:
    if has is None:
        return ["the certificate cannot be read"]
    left = has.ends - time.time()
    found = []
    if left <= wish.renew_days * DAY:
        found.append(f"it ends in less than {wish.renew_days} days")
    # A certificate that ends sooner is not replaced now: it is renewed before its end, for the days wanted then.
    if left > wish.days * DAY + SLACK:
        found.append(f"it is valid for longer than {wish.days} days from now")
    if has.subject != f"CN={wish.common_name}":
        found.append("the name of the host has changed")
    if has.names != {normal(name) for name in wish.names}:
        found.append("the alternative names have changed")
    return found
