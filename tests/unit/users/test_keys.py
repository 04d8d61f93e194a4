# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys: what sshd takes passes, everything else has its own error."""

from __future__ import annotations

import base64
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import validate_authorized_keys


def blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(f)) + f for f in fields)).decode()


ED = "ssh-ed25519 " + blob(b"ssh-ed25519", b"k" * 32)
RSA = "ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 256)
SK = "sk-ssh-ed25519@openssh.com " + blob(b"sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:")


@pytest.mark.parametrize(
    "line",
    [
        ED,
        RSA,
        SK,
        ED + " batman@cave",
        ED + " Bruce Wayne \u00e9",
        'restrict,from="10.0.0.0/8,!10.0.0.1" ' + ED,
        'command="echo \\"hi there\\"",no-pty ' + RSA + " c",
        "no-X11-forwarding\t" + ED,
    ],
)
def test_accepts(line):
    assert validate_authorized_keys([line], "batman") == (line,)


@pytest.mark.parametrize("args", [["ed25519"], ["rsa", "-b", "2048"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "521"]])
def test_accepts_what_ssh_keygen_makes_and_refuses_its_private_half(tmp_path, args):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(path), "-t", *args], check=True)
    public = path.with_suffix(".pub").read_text()
    assert validate_authorized_keys([public], "batman") == (public.strip(),)
    with pytest.raises(SecureFtpError, match="found a private key"):
        validate_authorized_keys([path.read_text()], "batman")


def test_drops_duplicates_and_keeps_order():
    assert validate_authorized_keys([RSA, ED, RSA + "\n"], "x") == (RSA, ED)
    assert validate_authorized_keys([], "x") == ()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (ED, "expected a list"),
        (None, "expected a list"),
        ([7], "expected a public key as a string"),
        (["  "], "empty string"),
        ([ED + "\n" + RSA], "one key on one line"),
        ([ED + "\x00"], "control character"),
        (["# " + ED], "found a comment"),
        (["ssh-ed25519"], "cut off"),
        (["ssh-ed25519 AAAA!"], "damaged"),
        (["ssh-ed25519 AAAA... alfred@manor"], "found the '...' of an example; give the line of your own .pub file"),
        (["~/.ssh/id_ed25519.pub"], "found the name of a file; give the line in that file"),
        (["ssh-ed25519 " + RSA.split()[1]], "found ssh-rsa"),
        (["ssh-ed25519 " + blob(b"ssh-ed25519", b"k" * 31)], "cut off or too long"),
        (["ssh-ed25519 " + blob(b"ssh-ed25519")], "cut off or too long"),
        ([ED[:-8]], "damaged"),
        (["ssh-rsa " + blob(b"ssh-rsa", b"\3", b"\xff" * 64)], "at least 1024 bits, found 512"),
        (["ssh-dss " + blob(b"ssh-dss", b"a", b"b", b"c", b"d")], "found 'ssh-dss'"),
        (["bogus-option " + ED], "bogus-option"),
        (["from=10.0.0.1 " + ED], "no quoted value"),
        (['from="10.0.0.1 ' + ED], "no quoted value"),
        (["restrict"], "found the end"),
        (["restrict,"], "check the quotes"),
        (["restrict hello"], "found 'hello'"),
        (["---- BEGIN SSH2 PUBLIC KEY ----"], "RFC 4716"),
    ],
)
def test_refuses(keys, words):
    with pytest.raises(SecureFtpError) as caught:
        validate_authorized_keys(keys, "batman")
    assert words in str(caught.value)
    assert "'batman'" in str(caught.value)


@given(
    st.one_of(st.text(), st.lists(st.text()), st.binary().map(lambda b: [f"ssh-rsa {base64.b64encode(b).decode()}"]))
)
def test_any_text_is_a_line_or_an_error(keys):
    try:
        lines = validate_authorized_keys(keys, "batman")
    except SecureFtpError:
        return
    assert all("\n" not in line and "\r" not in line for line in lines)
