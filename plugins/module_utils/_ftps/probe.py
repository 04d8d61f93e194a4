# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What an FTPS server of this host really serves: read its greeting and complete a TLS handshake, without a log-in."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._host.serving import LOOPBACK, LOOPBACK6, connect


@dataclass(frozen=True)
class Served:
    """What a server sent: the last line of its greeting, the TLS version, and its certificate in DER."""

    greeting: str
    tls: str | None
    certificate: bytes


def probe(host: str, port: int, implicit: bool) -> Served:
    """Ask one server; raises OSError (ssl.SSLError is one) when it does not answer like an FTPS server."""
    context = ssl.create_default_context()
    # No verification: only the TLS handshake is done, and nothing secret is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(host, port) as plain:
        if implicit:
            with context.wrap_socket(plain) as tls:
                return _served(tls, expect(tls, "220"))
        greeting = expect(plain, "220")
        plain.sendall(b"AUTH TLS\r\n")
        expect(plain, "234")
        with context.wrap_socket(plain) as tls:
            return _served(tls, greeting)


def _served(tls: ssl.SSLSocket, greeting: str) -> Served:
    return Served(greeting, tls.version(), tls.getpeercert(binary_form=True) or b"")


def expect(connection: socket.socket, code: str) -> str:
    """Return the last line of the next answer; raises OSError when it has another code."""
    received = b""
    while True:
        lines = received.decode("utf-8", "replace").splitlines()
        if received.endswith(b"\n") and lines[-1][3:4] == " ":
            break
        part = connection.recv(4096)
        if not part:
            raise OSError(f"expected an answer {code}, found the connection closed after {received!r}")
        received += part
        if len(received) > 65536:
            raise OSError(f"expected an answer {code}, found {len(received)} bytes without the end of an answer")
    if not lines[-1].startswith(code):
        raise OSError(f"expected an answer {code}, found {lines[-1]!r}")
    return lines[-1]


def serves_another_certificate(options: Mapping[str, str]) -> bool:
    """Whether the vsftpd with ``options`` (see parse) serves another certificate than its file holds now.

    vsftpd reads it at its start only. A time stamp does not show this: a renewed file may keep an older one. False when
    no server answers or the file cannot be read; other checks report that.
    """
    path = options.get("rsa_cert_file", "")
    if not _is_yes(options, "ssl_enable") or not path or options.get("dsa_cert_file"):
        return False
    host = options.get("listen_address") or LOOPBACK
    if not _is_yes(options, "listen"):
        host = options.get("listen_address6") or LOOPBACK6
    try:
        with open(path, "rb") as file:
            wanted = _first_certificate(file.read())
        served = probe(host, int(options.get("listen_port") or 21), _is_yes(options, "implicit_ssl"))
    except (OSError, ValueError):
        return False
    return bool(served.certificate) and served.certificate != wanted


def _is_yes(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "NO").upper() in ("YES", "TRUE", "1")


def _first_certificate(pem: bytes) -> bytes:
    """The first certificate of a PEM file, which is the server's own, in DER. Raises ValueError when there is none."""
    text = pem.decode("ascii", "replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in text:
        raise ValueError("no certificate")
    return ssl.PEM_cert_to_DER_cert(begin + text.partition(begin)[2].partition(end)[0] + end)
