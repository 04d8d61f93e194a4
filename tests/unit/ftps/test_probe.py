# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server shows, seen by real TLS on a socket of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import probe as _ftps_probe


def make_pair(folder: Path, name: str) -> Path:
    """A certificate with its key in one file."""
    path = folder / name
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 9 -keyout"
    subprocess.run([*command.split(), "k", "-out", "c"], cwd=folder, check=True, capture_output=True)
    path.write_bytes((folder / "k").read_bytes() + (folder / "c").read_bytes())
    return path


@pytest.fixture
def server(tmp_path: Path):
    """An FTPS server with implicit TLS on 127.0.0.1; what it serves stays what it was at its start."""
    file = make_pair(tmp_path, "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as tls:
                    tls.sendall(b"220-first\r\n220 ready\r\n")
                    tls.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield file, listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def options(file: Path, port: int, **more: str) -> dict[str, str]:
    settings = {"ssl_enable": "YES", "implicit_ssl": "YES", "listen": "YES", "listen_port": str(port)}
    return {**settings, "rsa_cert_file": str(file), **more}


def test_a_renewed_file_is_seen_whatever_its_time_stamp(server, tmp_path):
    file, port = server
    assert not _ftps_probe.serves_another_certificate(options(file, port))
    renewed = make_pair(tmp_path, "renewed.pem")
    os.utime(renewed, (1, 1))
    file.unlink()
    file.symlink_to(renewed)
    assert _ftps_probe.serves_another_certificate(options(file, port))


def test_what_cannot_be_compared_is_left_to_others(server, tmp_path):
    file, port = server
    assert not _ftps_probe.serves_another_certificate(options(tmp_path / "none", port))
    assert not _ftps_probe.serves_another_certificate(options(file, 1))
    assert not _ftps_probe.serves_another_certificate(options(file, port, ssl_enable="NO"))
    (tmp_path / "empty").touch()
    assert not _ftps_probe.serves_another_certificate(options(tmp_path / "empty", port))


def test_a_host_without_ipv6_is_asked_over_ipv4(server):
    served = _ftps_probe.probe("::1", server[1], implicit=True)  # nothing listens on ::1
    assert served.greeting == "220 ready" and served.certificate
