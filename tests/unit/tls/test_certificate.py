# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-signed certificates, made and read by the real openssl."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import certificate as _certificate
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import Wish, ensure, reasons

NAMES = ["DNS:ftp.example.net", "DNS:ftp", "IP:192.0.2.1", "IP:2001:db8::1"]


@pytest.fixture
def wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wish:
    if os.geteuid() != 0:
        pytest.skip("the files belong to root")
    monkeypatch.setattr(_certificate, "_GENERATE", [*_certificate._GENERATE[:-1], "rsa_keygen_bits:2048"])
    return Wish(str(tmp_path / "server.crt"), str(tmp_path / "server.key"), "ftp.example.net", NAMES)


def text(path: str) -> str:
    command = ["openssl", "x509", "-noout", "-text", "-in", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_certificate_has_each_extension_once_and_fits_its_key(wish: Wish) -> None:
    assert ensure(wish, check_mode=True) == ["there is no key"] and not os.path.exists(wish.key)
    assert ensure(wish) == ["there is no key"]
    shown = text(wish.certificate)
    for extension, value in (
        ("Basic Constraints: critical", "CA:FALSE"),
        ("Key Usage: critical", "Digital Signature, Key Encipherment"),
        ("Extended Key Usage:", "TLS Web Server Authentication"),
        (
            "Subject Alternative Name:",
            "DNS:ftp.example.net, DNS:ftp, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1",
        ),
    ):
        assert re.findall(rf"X509v3 {extension} *\n *(.*)", shown) == [value]
    assert "CN = ftp.example.net" in shown or "CN=ftp.example.net" in shown
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(wish.certificate, wish.key)
    assert (os.stat(wish.key).st_mode & 0o777, os.stat(wish.certificate).st_mode & 0o777) == (0o600, 0o644)
    assert reasons(wish) == [] and ensure(wish) == []


def test_it_is_renewed_with_the_same_key(wish: Wish) -> None:
    ensure(wish)
    key = Path(wish.key).read_bytes()
    for other, why in (
        (replace(wish, days=900, renew_days=890), "it ends in less than 890 days"),
        (replace(wish, common_name="other.example.net"), "the name of the host has changed"),
        (replace(wish, names=NAMES[:2]), "the alternative names have changed"),
        (replace(wish, names=[*NAMES, "DNS:more.example.net"]), "the alternative names have changed"),
    ):
        before = Path(wish.certificate).read_bytes()
        assert why in ensure(other)
        assert Path(wish.certificate).read_bytes() != before and Path(wish.key).read_bytes() == key
        assert ensure(other) == []
        ensure(wish)


def test_one_of_another_key_is_made_again_as_a_killed_run_leaves_it(wish: Wish) -> None:
    ensure(wish)
    os.unlink(wish.key)
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", wish.key],
        check=True,
        capture_output=True,
    )
    key = Path(wish.key).read_bytes()
    assert ensure(wish) == ["the certificate belongs to another key"]
    assert Path(wish.key).read_bytes() == key
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(wish.certificate, wish.key)


def test_what_openssl_cannot_sign_changes_nothing(wish: Wish) -> None:
    Path(wish.key).write_text("no key\n")
    Path(wish.certificate).write_text("no certificate\n")
    with pytest.raises(SecureFtpError, match="server.key: expected a private key without a pass phrase"):
        ensure(wish)
    assert Path(wish.certificate).read_text() == "no certificate\n"


def test_somebody_elses_link_is_not_written_through(wish: Wish, tmp_path: Path) -> None:
    (tmp_path / "live.pem").write_text("theirs\n")
    os.symlink(tmp_path / "live.pem", wish.certificate)
    with pytest.raises(SecureFtpError, match="vsftpd_certificate_source: files"):
        ensure(wish)
    assert (tmp_path / "live.pem").read_text() == "theirs\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"common_name": "a\nCN=b"}, "common_name"),
        ({"common_name": "x" * 65}, "up to 64"),
        ({"names": ["DNS:a,DNS:b"]}, "subject_alt_name"),
        ({"names": ["IP:1.2.3"]}, "subject_alt_name"),
        ({"names": ["email:a@b"]}, "subject_alt_name"),
        ({"key": "relative"}, "absolute path"),
        ({"renew_days": 825}, "renew_days"),
    ],
)
def test_what_openssl_would_misread_is_refused(wish: Wish, change: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ensure(replace(wish, **change))
    assert not os.path.exists(wish.certificate)
