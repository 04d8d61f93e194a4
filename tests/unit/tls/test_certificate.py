# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-signed certificates, made and read by the real openssl."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import self_signed
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import Wish, parse, reasons
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.self_signed import ensure

NAMES = ["DNS:ftp.example.net", "DNS:ftp", "IP:192.0.2.1", "IP:2001:db8::1"]


RSA = self_signed._GENERATE
QUICK = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256".split()
"""Most of the time of these tests would go into prime numbers."""


@pytest.fixture
def wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wish:
    if os.geteuid() != 0:
        pytest.skip("the files belong to root")
    monkeypatch.setattr(self_signed, "_GENERATE", QUICK)
    return Wish(str(tmp_path / "server.crt"), str(tmp_path / "server.key"), "ftp.example.net", NAMES)


def text(path: str) -> str:
    command = ["openssl", "x509", "-noout", "-text", "-in", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_certificate_has_each_extension_once_and_fits_its_key(wish: Wish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_signed, "_GENERATE", RSA)
    assert ensure(wish, check_mode=True).reasons == ["there is no key"] and not os.path.exists(wish.key)
    assert ensure(wish).reasons == ["there is no key"]
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
    assert reasons(wish) == [] and not ensure(wish).changed


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
        assert why in ensure(other).reasons
        assert Path(wish.certificate).read_bytes() != before and Path(wish.key).read_bytes() == key
        assert not ensure(other).changed
        ensure(wish)


def test_one_of_another_key_is_made_again(wish: Wish) -> None:
    ensure(wish)
    os.unlink(wish.key)
    subprocess.run([*QUICK, "-out", wish.key], check=True, capture_output=True)
    key = Path(wish.key).read_bytes()
    assert ensure(wish).reasons == ["the certificate belongs to another key"]
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


def test_what_is_no_file_is_refused(wish: Wish) -> None:
    os.mkfifo(wish.key)
    with pytest.raises(SecureFtpError, match="server.key: expected a file, found something else"):
        ensure(wish)


def test_fewer_days_renew_one_that_lasts_longer_and_more_days_wait(wish: Wish) -> None:
    ensure(wish)
    before = Path(wish.certificate).read_bytes()
    assert not ensure(replace(wish, days=3650)).changed
    assert not ensure(replace(wish, days=824)).changed, "a day that the clock may have been set back"
    assert Path(wish.certificate).read_bytes() == before
    outcome = ensure(replace(wish, days=90))
    assert outcome.reasons == ["it is valid for longer than 90 days from now"]
    assert not ensure(replace(wish, days=90)).changed


def test_owner_and_mode_are_mended_and_nothing_else(wish: Wish) -> None:
    ensure(wish)
    before = Path(wish.key).read_bytes(), Path(wish.certificate).read_bytes()
    os.chmod(wish.key, 0o644)
    os.chown(wish.key, 1000, 1000)
    os.chmod(wish.certificate, 0o666)
    assert ensure(wish, check_mode=True).mended == [wish.key, wish.certificate]
    assert os.stat(wish.key).st_uid == 1000
    outcome = ensure(wish)
    assert (outcome.changed, outcome.reasons, outcome.mended) == (True, [], [wish.key, wish.certificate])
    for path, mode in ((wish.key, 0o600), (wish.certificate, 0o644)):
        found = os.stat(path)
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, mode)
    assert before == (Path(wish.key).read_bytes(), Path(wish.certificate).read_bytes())
    assert not ensure(wish).changed


def test_the_diff_shows_what_is_new_and_nothing_of_the_key(wish: Wish) -> None:
    made = ensure(wish)
    assert made.before == {
        "key": None,
        "certificate": None,
        "subject": None,
        "subject_alt_name": [],
        "not_after": None,
    }
    assert ensure(wish).before == ensure(wish).after == made.after
    assert made.after["key"] == "owner 0:0, mode 0600"
    changed = ensure(replace(wish, common_name="other.example.net", names=["IP:2001:DB8::2"]), check_mode=True)
    assert (changed.before["subject"], changed.after["subject"]) == ("CN=ftp.example.net", "CN=other.example.net")
    assert changed.after["subject_alt_name"] == ["IP:2001:db8::2"]
    key = Path(wish.key).read_text().splitlines()[1:-1]
    assert not [line for line in key if line in repr((made, changed))]


STEPS = """
import dataclasses, json, os, signal, sys
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import self_signed
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import Wish
self_signed._GENERATE = sys.argv[3:]
left = [int(sys.argv[1])]

def dying(call):
    def instead(*words, **options):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return call(*words, **options)
    return instead

for name in ("rename", "unlink", "fsync", "fchmod", "fchown"):
    setattr(os, name, dying(getattr(os, name)))
self_signed.ensure(Wish(**json.loads(sys.argv[2])))
"""


def fits(wish: Wish) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(wish.certificate, wish.key)
    except (ssl.SSLError, OSError):
        return False
    return True


@pytest.mark.once
@pytest.mark.parametrize("before", ["nothing", "a certificate without its key"])
def test_killed_at_any_step_no_certificate_is_beside_the_key_of_another(wish: Wish, before: str) -> None:
    told = json.dumps({**wish.__dict__, "names": list(wish.names)})
    ensure(wish)
    old = Path(wish.certificate).read_bytes()
    kills = 0
    while True:
        for path in (wish.key, wish.certificate):
            Path(path).unlink(missing_ok=True)
        if before != "nothing":
            Path(wish.certificate).write_bytes(old)
        done = subprocess.run(
            [sys.executable, "-c", STEPS, str(kills), told, *QUICK], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        key_there, certificate_there = os.path.exists(wish.key), os.path.exists(wish.certificate)
        assert not (key_there and certificate_there) or fits(wish), f"killed at step {kills}"
        key = Path(wish.key).read_bytes() if key_there else None
        outcome = ensure(wish)
        assert outcome.reasons == (
            ["there is no key"] if not key_there else [] if certificate_there else ["there is no certificate"]
        )
        assert fits(wish) and key in (None, Path(wish.key).read_bytes())
        kills += 1
    # Of each file: its owner, its mode, two flushes and the rename.
    assert kills >= 10
    assert not [name for name in os.listdir(os.path.dirname(wish.key)) if name.endswith(".old")]


@pytest.mark.parametrize("which", ["server.key", "server.crt"])
def test_a_disk_that_refuses_leaves_both_as_they_were(wish: Wish, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(wish)
    os.unlink(wish.key)
    before = Path(wish.certificate).read_bytes()

    def refuse(path: str, *words: Any) -> None:
        if path.endswith(which):
            raise SecureFtpError("", found="no space")
        write(path, *words)

    write = self_signed.replace_file
    monkeypatch.setattr(self_signed, "replace_file", refuse)
    with pytest.raises(SecureFtpError, match="no space"):
        ensure(wish)
    assert os.listdir(os.path.dirname(wish.key)) == ["server.crt"]
    assert Path(wish.certificate).read_bytes() == before


SAN = "    DNS:ftp.example.net, DNS:ftp, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1\n"


@pytest.mark.parametrize(
    ("shown", "subject", "names"),
    [
        pytest.param(
            "subject=CN=ftp.example.net\nnotAfter=Feb 27 09:16:27 2029 GMT\nX509v3 Subject Alternative Name: \n" + SAN,
            "CN=ftp.example.net",
            set(NAMES),
            id="1.1.1w, 3.0.22 and 3.5.9",
        ),
        pytest.param(
            "X509v3 Subject Alternative Name:\n"
            + SAN
            + "notAfter=Feb 27 09:16:27 2029 GMT\nsubject= CN=ftp.example.net\n",
            "CN=ftp.example.net",
            set(NAMES),
            id="other blanks in another order",
        ),
        pytest.param(
            "X509v3 Subject Alternative Name: critical\n    DNS:ftp\nsubject=CN=ftp,O=Wayne\\, Inc.,C=DE\n"
            "notAfter=Feb  7 09:16:27 2029 GMT\n",
            "CN=ftp,O=Wayne\\, Inc.,C=DE",
            {"DNS:ftp"},
            id="more in the subject",
        ),
        pytest.param("subject=CN=ftp\nnotAfter=Feb 27 09:16:27 2029 GMT\n", "CN=ftp", set(), id="no names, 1.1.1w"),
        pytest.param(
            "subject=CN=ftp\nnotAfter=Feb 27 09:16:27 2029 GMT\nNo extensions in certificate\n",
            "CN=ftp",
            set(),
            id="no names, 3",
        ),
    ],
)
def test_what_each_openssl_shows_is_understood(shown: str, subject: str, names: set[str]) -> None:
    found = parse(shown)
    assert found and (found.subject, found.names) == (subject, names)
    assert time.gmtime(found.ends)[:2] == (2029, 2)


@pytest.mark.skipif(not importlib.util.find_spec("ansible_collections.community"), reason="no community.crypto")
def test_one_that_community_crypto_made_as_this_collection_did_before_is_kept(wish: Wish, tmp_path: Path) -> None:
    """The tasks of the role vsftpd in 0.1.0, without Ansible around the modules."""

    def crypto(module: str, **options: Any) -> dict[str, Any]:
        call = (
            "import sys; from ansible.module_utils import basic; from ansible_collections.community.crypto.plugins"
            f".modules import {module}; basic._ANSIBLE_ARGS = sys.argv[1].encode(); "
            "basic._ANSIBLE_PROFILE = 'legacy'; " + module + ".main()"
        )
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
        done = subprocess.run([sys.executable, "-c", call, arguments], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    crypto("openssl_privatekey", path=wish.key, type="RSA", size=2048, owner="root", group="root", mode="0600")
    csr = crypto(
        "openssl_csr_pipe",
        privatekey_path=wish.key,
        common_name=wish.common_name,
        subject_alt_name=list(wish.names),
        basic_constraints=["CA:FALSE"],
        basic_constraints_critical=True,
        key_usage=["digitalSignature", "keyEncipherment"],
        key_usage_critical=True,
        extended_key_usage=["serverAuth"],
        create_subject_key_identifier=True,
    )["csr"]
    crypto(
        "x509_certificate",
        path=wish.certificate,
        provider="selfsigned",
        privatekey_path=wish.key,
        csr_content=csr,
        selfsigned_not_after=f"+{wish.days}d",
        owner="root",
        group="root",
        mode="0644",
    )
    before = Path(wish.key).read_bytes(), Path(wish.certificate).read_bytes()
    assert fits(wish)
    outcome = ensure(wish)
    assert (outcome.changed, outcome.reasons, outcome.mended) == (False, [], [])
    assert before == (Path(wish.key).read_bytes(), Path(wish.certificate).read_bytes())
