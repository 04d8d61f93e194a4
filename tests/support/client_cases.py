# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both clients of remote control must say at once, without a server: for the unit tests and for real clients."""

from __future__ import annotations

from typing import NamedTuple

PASSPHRASE = "geheim $(id) \"'"

KEYS = """
ssh-keygen -q -t ed25519 -N '' -f plain
ssh-keygen -q -t ed25519 -a 4 -N "$PASSPHRASE" -f encrypted
ssh-keygen -q -t rsa -b 2048 -m PEM -N "$PASSPHRASE" -f pem
head -c 200 plain >broken
sed '/^---/!s/[A-Za-z]/Q/g' plain >garbage
echo nothing >text
printf '\\377\\376' >binary
: >empty
"""
"""A script that makes the keys in the current directory; its environment has the PASSPHRASE."""


class Case(NamedTuple):
    options: str
    status: int
    said: str
    """A regular expression that matches the whole line after "error: "."""
    stdin: str = ""
    words: str = "list"
    """The verb and what follows it."""


HERE = "--host=127.0.0.1 --port=9 --patience=0"
"""Where nothing listens."""

REFUSED = r"connection to 127\.0\.0\.1:9 refused; is this the host and the port of its sshd\?"

CASES = {
    "no such key": Case(f"{HERE} --key=missing", 255, r"missing: expected a private key, found:? [Nn]o such file.*"),
    "a directory": Case(f"{HERE} --key=.", 255, r"\.: expected a private key, found:? .*directory"),
    "a public key": Case(f"{HERE} --key=plain.pub", 255, r"plain\.pub: expected a private key, found a public key; .*"),
    "half a key": Case(f"{HERE} --key=broken", 255, r"broken: expected a private key.*"),
    "a key of garbage": Case(f"{HERE} --key=garbage", 255, r"garbage: expected a private key.*"),
    "text": Case(f"{HERE} --key=text", 255, r"text: expected a private key.*"),
    "bytes": Case(f"{HERE} --key=binary", 255, r"binary: expected a private key.*"),
    "an empty file": Case(f"{HERE} --key=empty", 255, r"empty: expected a private key.*"),
    "no key and no agent": Case(
        HERE, 255, r"expected a key file, or a key in the SSH agent \(ssh-add -l\), found neither"
    ),
    "no terminal for the passphrase": Case(
        f"{HERE} --key=encrypted", 255, r"encrypted: expected a terminal to ask .*; use --passphrase-stdin, .*"
    ),
    "a wrong passphrase": Case(
        f"{HERE} --key=encrypted --passphrase-stdin",
        255,
        r"encrypted: expected the passphrase of this key, found a wrong one(; phpseclib before .*)?",
        f"{PASSPHRASE}x\n",
    ),
    "a wrong passphrase of PEM": Case(
        f"{HERE} --key=pem --passphrase-stdin",
        255,
        r"pem: expected the passphrase of this key, found a wrong one(; phpseclib before .*)?",
        "falsch\n",
    ),
    "no line with the passphrase": Case(
        f"{HERE} --key=encrypted --passphrase-stdin",
        2,
        r"standard input: expected a line with the passphrase, found none",
    ),
    "the passphrase": Case(f"{HERE} --key=encrypted --passphrase-stdin", 255, REFUSED, f"{PASSPHRASE}\n"),
    "the passphrase of PEM": Case(f"{HERE} --key=pem --passphrase-stdin", 255, REFUSED, f"{PASSPHRASE}\n"),
    "nothing listens": Case(f"{HERE} --key=plain", 255, REFUSED),
    "no name": Case("--host=a..b --key=plain", 255, r"host a\.\.b does not resolve: .+"),
    "an empty name": Case("--host= --key=plain", 2, r"host: expected a name or an address, found nothing"),
    "no host": Case("--key=plain", 2, r".*--host.*--help shows the usage"),
    "a port that is none": Case(
        "--host=127.0.0.1 --port=65536 --key=plain", 2, r"port: expected 1 to 65535, found 65536"
    ),
    "negative patience": Case(
        f"{HERE} --patience=-1 --key=plain", 2, r"patience: expected 0 or more seconds, found -1.*"
    ),
    "patience that is no number": Case(f"{HERE} --patience=x --key=plain", 2, r".*--patience: .*"),
    "a verb that is not there": Case(f"{HERE} --key=plain", 2, r".*lst.*; did you mean list\?.*", words="lst"),
    "an action that is not there": Case(
        f"{HERE} --key=plain", 2, r".*dell; did you mean del\?.*", words="keys alfred dell K"
    ),
    "no key to add": Case(
        f"{HERE} --key=plain", 2, r"keys alfred add: expected a key, found none", words="keys alfred add"
    ),
    "a key too many": Case(
        f"{HERE} --key=plain", 2, r"keys alfred list: expected no key, found one", words="keys alfred list K"
    ),
    "keys in both spellings": Case(f"{HERE} --key=plain", 255, REFUSED, words="keys alfred add K"),
    "an option that is not there": Case(
        f"{HERE} --key=plain",
        2,
        r"--pasword-stdin: no such option; did you mean --password-stdin\?.*",
        words="add --pasword-stdin batman",
    ),
    "an option that nothing is like": Case(
        f"{HERE} --key=plain", 2, r"--xyzzy: no such option; [^?]*", words="list --xyzzy"
    ),
    "no terminal for the password": Case(
        f"{HERE} --key=plain",
        2,
        r"expected a terminal to ask for the password; use --password-stdin",
        words="add batman --protocol=both",
    ),
    "FTPS without a password": Case(
        f"{HERE} --key=plain",
        2,
        r"--no-password: expected --protocol[= ]sftp with it, since FTPS needs a password",
        words="add --no-password batman",
    ),
    "two passwords": Case(
        f"{HERE} --key=plain",
        2,
        r".*--(hash|password)-stdin: not allowed with .*--(password|hash)-stdin.*",
        words="passwd --password-stdin --hash-stdin batman",
    ),
    "a protocol that is not there": Case(f"{HERE} --key=plain", 2, r".*gopher.*", words="add --protocol=gopher x"),
}
