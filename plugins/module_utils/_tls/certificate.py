# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A self-signed certificate and its key, made by openssl(1), which every supported release has.

That is 1.1.1 on Ubuntu 20.04 and Debian 11, 3 since.

No Python library of the host takes part: Ubuntu 20.04's cryptography 2.8 is too old for community.crypto. The
extensions come from a configuration file, because ``-addext`` of 1.1.1 adds basicConstraints a second time.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tempfile
from dataclasses import dataclass
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output, run_command

KEY_BITS = 3072
"""RSA of 128 bits of security (NIST SP 800-57, table 2)."""

MAX_COMMON_NAME = 64
"""Longest common name of X.509 (RFC 5280, ub-common-name)."""

_DAY = 86400
_NAME = re.compile(r"[A-Za-z0-9*_](?:[A-Za-z0-9*_.-]*[A-Za-z0-9_])?\Z")


@dataclass(frozen=True)
class Wish:
    """The certificate to be had; ``names`` are such as ``DNS:ftp.example.net`` and ``IP:192.0.2.1``."""

    certificate: str
    key: str
    common_name: str
    names: Sequence[str]
    days: int = 825
    renew_days: int = 30


def validate(wish: Wish) -> Wish:
    """Return ``wish`` when openssl can be told of it. Raises InvalidInput naming what it cannot."""
    for path in (wish.certificate, wish.key):
        if not os.path.isabs(path) or not os.path.basename(path):
            raise InvalidInput(f"path {path!r}: expected the absolute path of a file")
    if os.path.realpath(wish.certificate) == os.path.realpath(wish.key):
        raise InvalidInput(f"path {wish.certificate}: expected one file for the certificate and another for the key")
    if not _NAME.match(wish.common_name) or len(wish.common_name) > MAX_COMMON_NAME:
        raise InvalidInput(
            f"common_name {wish.common_name!r}: expected a host name, up to {MAX_COMMON_NAME} characters"
        )
    for name in wish.names:
        _normal(name)
    if not 0 <= wish.renew_days < wish.days:
        raise InvalidInput(f"renew_days: expected 0 to less than days ({wish.days}), found {wish.renew_days}")
    return wish


def _normal(name: str) -> str:
    """One spelling of an alternative name, ours and OpenSSL's; InvalidInput when it is none."""
    kind, _colon, value = name.partition(":")
    if kind == "DNS" and _NAME.match(value):
        return f"DNS:{value.lower()}"
    if kind in ("IP", "IP Address"):
        try:
            return f"IP:{ipaddress.ip_address(value)}"
        except ValueError:
            pass
    raise InvalidInput(f"subject_alt_name {name!r}: expected DNS: with a host name, or IP: with an address")


def reasons(wish: Wish) -> list[str]:
    """Why the certificate has to be made or renewed; none when it is as wished. Raises SecureFtpError for links."""
    for path in (wish.certificate, wish.key):
        if os.path.islink(path):
            raise SecureFtpError(
                f"{path}: expected a file, found a symbolic link: somebody else's certificate; set"
                " vsftpd_certificate_source: files"
            )
    if not os.path.exists(wish.key):
        return ["there is no key"]
    if not os.path.exists(wish.certificate):
        return ["there is no certificate"]
    key = run_command(["openssl", "pkey", "-pubout", "-passin", "pass:", "-in", wish.key])
    if key.rc:
        raise SecureFtpError(
            f"{wish.key}: expected a private key without a pass phrase, found: {key.said}; move it away"
        )
    public = run_command(["openssl", "x509", "-noout", "-pubkey", "-in", wish.certificate])
    if public.rc:
        return ["the certificate cannot be read"]
    if public.out.split() != key.out.split():
        return ["the certificate belongs to another key"]
    return _outdated(wish)


def _outdated(wish: Wish) -> list[str]:
    asked = ["openssl", "x509", "-noout", "-in", wish.certificate]
    found = []
    if run_command([*asked, "-checkend", str(wish.renew_days * _DAY)]).rc:
        found.append(f"it ends in less than {wish.renew_days} days")
    shown = run_command([*asked, "-subject", "-nameopt", "RFC2253", "-ext", "subjectAltName"]).out
    if f"subject=CN={wish.common_name}" not in shown.splitlines():
        found.append("the name of the host has changed")
    has = {_spelled(name) for line in shown.splitlines()[1:] for name in line.split(",") if ":" in name}
    if {_normal(name) for name in wish.names} != has - {""}:
        found.append("the alternative names have changed")
    return found


def _spelled(name: str) -> str:
    try:
        return _normal(name.strip())
    except InvalidInput:
        return ""


def ensure(wish: Wish, check_mode: bool = False) -> list[str]:
    """Make or renew the certificate where that is needed, the key only where there is none; return why.

    Each file is replaced whole. The key goes first: a run that is killed between the two leaves a certificate of
    another key, which the next run sees. Raises SecureFtpError with both files as they were.
    """
    why = reasons(validate(wish))
    if why and not check_mode:
        new_key = None if os.path.exists(wish.key) else _openssl(_GENERATE).out
        if new_key is None:
            with open(wish.key, encoding="ascii") as file:
                key = file.read()
        else:
            key = new_key
        certificate = _sign(wish, key)
        if new_key is not None:
            replace_file(wish.key, new_key.encode("ascii"), 0o600, 0, 0)
        replace_file(wish.certificate, certificate.encode("ascii"), 0o644, 0, 0)
    return why


_GENERATE = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{KEY_BITS}"]


def _sign(wish: Wish, key: str) -> str:
    """Return the certificate in PEM; ``key`` reaches openssl on its standard input, never as a word or a file."""
    with tempfile.NamedTemporaryFile("w", prefix="certificate-", suffix=".cnf") as config:
        config.write(_CONFIG.format(common_name=wish.common_name, names=",".join(map(_normal, wish.names))))
        config.flush()
        command = ["openssl", "req", "-x509", "-new", "-sha256", "-config", config.name, "-key", "/dev/stdin"]
        return _openssl([*command, "-days", str(wish.days), "-set_serial", f"0x00{os.urandom(19).hex()}"], key).out


_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = {common_name}
[extensions]
subjectAltName = {names}
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""


def _openssl(command: Sequence[str], data: str = "") -> Output:
    answer = run_command(command, data)
    if answer.rc or "-----BEGIN" not in answer.out:
        raise SecureFtpError(f"openssl {command[1]}: expected PEM, found: {answer.said}; nothing was changed")
    return answer
