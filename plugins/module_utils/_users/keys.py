# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Public keys of ``authorized_keys``: checked here, because sshd silently skips invalid ones.

Format: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; key blobs: RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4 and
OpenSSH's PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import kind_said

# Number of length-prefixed fields after the type name in a key blob.
_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
KEY_TYPES = tuple(_FIELDS)
"""Key types every supported OpenSSH (8.2 and later) accepts by default; ssh-dss is not one of them."""

MIN_RSA_BITS = 1024
"""RequiredRSASize's default, sshd_config(5)."""

_FLAGS = frozenset(
    [
        "agent-forwarding",
        "cert-authority",
        "no-agent-forwarding",
        "no-port-forwarding",
        "no-pty",
        "no-touch-required",
        "no-user-rc",
        "no-x11-forwarding",
        "port-forwarding",
        "pty",
        "restrict",
        "user-rc",
        "verify-required",
        "x11-forwarding",
    ]
)
_VALUED = frozenset(
    ["command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel"]
)

# One option: a word, or word="value" where a quote inside the value is written \".
_OPTION = re.compile(r'([A-Za-z0-9-]+)(="(?:[^"\\]|\\.)*")?')
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def validate_authorized_keys(keys: object, name: str) -> tuple[str, ...]:
    """Return the public keys ``keys`` of user ``name`` as lines of an authorized_keys file.

    Blanks around a key and repeated keys are removed. Raises InvalidInput naming the user, the
    key's position and the broken rule; a message never contains a key.
    """
    if not isinstance(keys, (list, tuple)):
        raise InvalidInput(f"user {name!r}: authorized_keys", "a list of public keys", found=kind_said(keys))
    lines = [validate_key(key, f"user {name!r}: authorized_keys[{index}]") for index, key in enumerate(keys)]
    return tuple(dict.fromkeys(lines))


def fingerprint(key: str) -> str:
    """Return ``SHA256:...`` of one line of an authorized_keys file, as ssh-keygen(1) -l prints it."""
    import hashlib  # starts OpenSSL, which most runs do without

    blob = base64.b64decode(_split(key)[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def names_key(given: str, key: str) -> bool:
    """Whether ``given`` names ``key``: the line, the key without options and comment, its base64, its comment or its
    fingerprint."""
    try:
        key_type, encoded, comment = _split(key)
    except SecureFtpError:
        return given.strip() == key
    given = given.strip()
    if given in (key, encoded, fingerprint(key)) or (comment and given == comment):
        return True
    try:
        return _split(given)[:2] == (key_type, encoded)
    except SecureFtpError:
        return False


def _split(key: str) -> tuple[str, str, str]:
    """Return type, base64 and comment of a key, without its options."""
    words = key.split(None, 2)
    if not words or words[0] not in _FIELDS:
        words = _skip_options(key, "key").split(None, 2)
    if len(words) < 2 or words[0] not in _FIELDS:
        raise InvalidInput("key", f"a key of type {', '.join(KEY_TYPES)}", found="something else")
    return words[0], words[1], words[2] if len(words) > 2 else ""


def validate_key(key: object, where: str) -> str:
    """Return the public key ``key`` as a line of an authorized_keys file; InvalidInput begins with ``where``."""
    if not isinstance(key, str):
        raise InvalidInput(where, "a public key as a string", found=kind_said(key))
    line = key.strip()
    if not line:
        raise InvalidInput(where, "a public key", found="an empty string", remedy="remove the entry")
    if "PRIVATE KEY" in line or line.startswith("PuTTY-User-Key-File"):
        raise InvalidInput(
            where,
            "a public key",
            found="a private key",
            remedy="treat that private key as disclosed, make a new pair and give the content of its .pub file",
        )
    if line.startswith("---- BEGIN SSH2 PUBLIC KEY"):
        raise InvalidInput(
            where, "the one-line OpenSSH format", found="RFC 4716", remedy="convert the file with ssh-keygen -i"
        )
    if _CONTROL.search(line):
        raise InvalidInput(
            where,
            "one key on one line",
            found="a line break or control character",
            remedy="give one list entry per key",
        )
    if line.startswith("#"):
        raise InvalidInput(where, "a public key", found="a comment", remedy="remove the entry")
    if line.endswith(".pub") and not re.search(r"\s", line):
        raise InvalidInput(where, "a public key", found="the name of a file", remedy="give the line in that file")
    words = line.split(None, 2)
    if words[0] not in _FIELDS:
        rest = _skip_options(line, where)
        words = rest.split(None, 2)
    key_type = words[0] if words else ""
    if key_type not in _FIELDS:
        shown = repr(key_type[:40]) if re.match(r"[a-z][a-z0-9@.-]{2,60}\Z", key_type) else "something else"
        raise InvalidInput(where, f"a key of type {', '.join(KEY_TYPES)}", found=shown)
    if len(words) < 2:
        raise InvalidInput(where, f"the base64 key after {key_type}", found="nothing", remedy="the key is cut off")
    _check_blob(key_type, words[1], where)
    return line


def _skip_options(line: str, where: str) -> str:
    """Check each option's name and quoting; return the part of ``line`` after the options field."""
    position = 0
    while True:
        match = _OPTION.match(line, position)
        if not match:
            raise InvalidInput(
                where,
                'a key type or options such as restrict or from="10.0.0.0/8"',
                found="neither",
                remedy="check the quotes",
            )
        word, value = match.group(1).lower(), match.group(2)
        position = match.end()
        if not (word in _VALUED if value else word in _FLAGS):
            if word in _VALUED:
                raise InvalidInput(f"{where}: option {word}", f'{word}="..."', found="no quoted value")
            raise InvalidInput(
                where,
                f"a key type ({', '.join(KEY_TYPES)}) or an option that sshd(8) lists",
                found=repr(match.group(1)[:40]),
            )
        following = line[position : position + 1]
        if following == ",":
            position += 1
        elif following in (" ", "\t"):
            return line[position:].lstrip()
        else:
            raise InvalidInput(
                where,
                f"a comma, or a blank and the key, after option {word}",
                found="the end" if not following else repr(following),
            )


def _check_blob(key_type: str, encoded: str, where: str) -> None:
    if "..." in encoded:
        raise InvalidInput(
            where,
            f"a whole base64-encoded {key_type} key",
            found="the '...' of an example",
            remedy="give the line of your own .pub file instead",
        )
    try:
        blob = base64.b64decode(encoded.encode("ascii"), validate=True)
        fields = list(_blob_fields(blob))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise InvalidInput(
            where, f"a whole base64-encoded {key_type} key", found="damaged text", remedy="copy the .pub file again"
        ) from None
    inner = fields[0].decode("ascii", "replace") if fields else ""
    if inner != key_type:
        raise InvalidInput(
            where,
            f"the encoded key to be {key_type} as its first word says",
            found=inner if inner in _FIELDS else "another type",
            remedy="copy the .pub file again",
        )
    if len(fields) - 1 != _FIELDS[key_type] or not all(fields) or ("ed25519" in key_type and len(fields[1]) != 32):
        raise InvalidInput(
            where, f"a whole {key_type} key", found="one that is cut off or too long", remedy="copy the .pub file again"
        )
    if key_type == "ssh-rsa":
        length = _rsa_bits(fields)
        if length < MIN_RSA_BITS:
            raise InvalidInput(
                where,
                f"an RSA key of at least {MIN_RSA_BITS} bits",
                found=str(length),
                remedy="sshd refuses it, make a new one with ssh-keygen -t ed25519",
            )


def bits(key: str) -> int:
    """Return the length of one valid line of an authorized_keys file, as ssh-keygen(1) -l prints it."""
    key_type, encoded, _comment = _split(key)
    if key_type == "ssh-rsa":
        return _rsa_bits(list(_blob_fields(base64.b64decode(encoded))))
    curve = re.search(r"nistp(\d+)", key_type)
    return int(curve.group(1)) if curve else 256


def _rsa_bits(fields: Sequence[bytes]) -> int:
    """The length of an RSA key with these ``fields``: its type, e and n (RFC 4253 6.6)."""
    return int.from_bytes(fields[2], "big").bit_length()


def _blob_fields(blob: bytes) -> Iterator[bytes]:
    """Yield the length-prefixed strings of an SSH wire-format ``blob``; ValueError when it is cut off."""
    position = 0
    while position < len(blob):
        if position + 4 > len(blob):
            raise ValueError("cut off")
        (length,) = struct.unpack_from(">I", blob, position)
        position += 4
        if position + length > len(blob):
            raise ValueError("cut off")
        yield blob[position : position + length]
        position += length
