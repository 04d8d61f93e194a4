# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Passwords: which are valid, how they are hashed, and whether one is stored already.

Hashes go through crypt(3) of the system's libcrypt, called with its GIL-releasing, re-entrant
``crypt_r`` so that many passwords use every core; passlib is the fallback where libcrypt is missing.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from typing import Any, Callable, Iterable, Sequence, TypeVar

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import kind_said, listed
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.hash_strength import MAX_ROUNDS, weakness
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import DEFAULT_MIN_LENGTH

MAX_BYTES = {"ftps": 128, "sftp": 511}
"""Longest password in bytes: VSFTP_PASSWORD_MAX of vsftpd's defs.h; CRYPT_MAX_PASSPHRASE_SIZE of crypt.h and
PAM_MAX_RESP_SIZE, less the NUL."""

DEFAULT_ROUNDS = 50000
MIN_ROUNDS = 1000
"""sha512_crypt allows 1,000 to 999,999,999 rounds; at most MAX_ROUNDS are accepted here."""

STAND_IN = "$6$rounds=5000$" + "." * 16 + "$" + "." * 86
"""Not the hash of any password; it stands for a hash that is not made, as in check mode."""

_SALT_LENGTH = 16
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_B64 = r"[./0-9A-Za-z]"

# crypt(5), one line per method. Each is the whole stored string.
_SCHEMES = tuple(
    (name, re.compile(pattern + r"\Z"))
    for name, pattern in (
        ("sha512_crypt", r"\$6\$(?:rounds=[1-9][0-9]{3,8}\$)?[^$\x00-\x20:*!\x7f]{0,16}\$" + _B64 + "{86}"),
        ("yescrypt", r"\$y\$" + _B64 + r"+\$" + _B64 + r"{0,86}\$" + _B64 + "{43}"),
        ("gost_yescrypt", r"\$gy\$" + _B64 + r"+\$" + _B64 + r"{0,86}\$" + _B64 + "{43}"),
        ("bcrypt", r"\$2[abxy]\$[0-9]{2}\$" + _B64 + "{53}"),
        ("sha256_crypt", r"\$5\$(?:rounds=[1-9][0-9]{3,8}\$)?[^$\x00-\x20:*!\x7f]{0,16}\$" + _B64 + "{43}"),
        ("scrypt", r"\$7\$" + _B64 + r"{11,97}\$" + _B64 + "{43}"),
        ("md5_crypt", r"\$1\$[^$\x00-\x20:*!\x7f]{0,8}\$" + _B64 + "{22}"),
        ("sha1_crypt", r"\$sha1\$[1-9][0-9]{0,9}\$" + _B64 + r"{1,64}\$" + _B64 + r"{8,64}(?:" + _B64 + r"{4})?"),
        ("sun_md5_crypt", r"\$md5(?:,rounds=[1-9][0-9]{0,9})?\$" + _B64 + r"{8}\$\$?" + _B64 + "{22}"),
        ("nthash", r"\$3\$\$[0-9a-f]{32}"),
        ("bsdi_crypt", "_" + _B64 + "{19}"),
        ("des_crypt", _B64 + "{13}"),
    )
)
PLAINTEXT = "plaintext"
AMBIGUOUS = frozenset(("des_crypt", "bsdi_crypt"))
"""Methods without a ``$`` prefix: a plaintext password can look like one of their hashes."""
_REFUSED = AMBIGUOUS | {PLAINTEXT}
_SHA512 = dict(_SCHEMES)["sha512_crypt"]

_T = TypeVar("_T")
_R = TypeVar("_R")


def validate_password(
    password: object, name: str, protocols: Iterable[str] = PROTOCOLS, min_length: int = DEFAULT_MIN_LENGTH
) -> None:
    """Raise InvalidInput, naming the user and the rule, when ``password`` cannot be used to log in by ``protocols``.

    ``min_length`` is the fewest characters it may have.
    """
    where = f"user {name!r}: password"
    if not isinstance(password, str):
        raise InvalidInput(where, "a string", found=kind_said(password), remedy="quote it in YAML")
    if not password:
        raise InvalidInput(where, "at least one character", found="none")
    try:
        size = len(password.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidInput(where, "text", found="bytes that are not UTF-8") from None
    limits = [(MAX_BYTES[protocol], protocol) for protocol in protocols]
    most, protocol = min(limits) if limits else (max(MAX_BYTES.values()), "sftp")
    if size > most:
        raise InvalidInput(
            where, f"at most {most} bytes ({protocol.upper()})", found=str(size), remedy="choose a shorter one"
        )
    for position, character in enumerate(password, 1):
        if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0:
            raise InvalidInput(
                where,
                "printable characters",
                found=f"control character U+{ord(character):04X} at position {position}",
                remedy="remove it (a trailing newline often comes from a file)",
            )
    if len(password) < min_length:
        raise InvalidInput(
            where,
            f"at least {min_length} characters (ftp_users_password_min_length)",
            found="fewer",
            remedy="choose a longer one",
        )


def validate_hash(hash: object, name: str, is_taken: Callable[[], bool] = lambda: False) -> None:
    """Raise InvalidInput when ``hash`` is not the whole output of a good crypt(3) method with a ``$`` prefix.

    Weak methods and great costs are refused (hash_strength) unless ``is_taken`` says that this hash is accepted all the
    same. DES is always refused, because it cannot be distinguished from a plaintext password.
    """
    where = f"user {name!r}: password_hash"
    remedy = "make one with 'mkpasswd -m sha-512' or give password instead"
    if isinstance(hash, str):
        method = "sha512_crypt" if _SHA512.match(hash) else scheme(hash)
        if method not in _REFUSED:
            found = weakness(method, hash)
            if found is None or is_taken():
                return
            raise InvalidInput(where, "a strong crypt(3) hash", found=found, remedy=remedy)
    if not isinstance(hash, str):
        raise InvalidInput(where, "a string", found=kind_said(hash), remedy=remedy)
    if not hash:
        raise InvalidInput(where, "a crypt(3) hash", found="an empty string", remedy=remedy)
    if hash[0] in "!*":
        raise InvalidInput(
            where,
            "a crypt(3) hash",
            found="a locked-account mark",
            remedy="give the hash without the mark, and locked: true",
        )
    if scheme(hash) in AMBIGUOUS:
        raise InvalidInput(
            where, "a crypt(3) hash that starts with '$'", found="a plaintext password or DES", remedy=remedy
        )
    prefix = re.match(r"\$[0-9a-z]{1,4}\$", hash)
    what = f"a damaged or unknown {prefix.group()} hash of {len(hash)} characters" if prefix else "something else"
    raise InvalidInput(where, "a crypt(3) hash such as $6$SALT$HASH", found=what, remedy=remedy)


def validate_rounds(rounds: int) -> None:
    """Raise InvalidInput when hashes with that many rounds would be refused, or not be verified on every release."""
    if not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise InvalidInput("rounds", f"{MIN_ROUNDS} to {MAX_ROUNDS}", found=str(rounds))
    if has_unsafe_length(f"$6$rounds={rounds}$" + "s" * _SALT_LENGTH + "$" + "h" * 86):
        raise InvalidInput(
            "rounds",
            "a hash that Linux-PAM before 1.5.2 (Ubuntu 22.04) can verify",
            found=f"{rounds}, which gives one whose length is 8 modulo 16",
            remedy="use four or five digits, e.g. 50000",
        )


def has_unsafe_length(stored: str) -> bool:
    """Whether pam_userdb before 1.5.2 may misread that hash; Release.misreads_hashes says on which releases.

    It copies the value without a NUL into an allocation that malloc pads to 8 modulo 16 bytes, so a
    value of exactly that length runs into the next chunk (measured with libxcrypt >= 4.4.25).
    """
    return len(stored) % 16 == 8


def unsafe_length_warning(names: Sequence[str]) -> str:
    """The warning about the users ``names``, whose hashes have such a length."""
    return (
        f"password_hash of {listed(names)}: its length is 8 modulo 16, which Linux-PAM before 1.5.2 (Ubuntu 22.04)"
        " cannot verify: log-in may fail; use rounds of four or five digits"
    )


def scheme(stored: str) -> str:
    """Return the name of the crypt(3) method of a stored value; ``plaintext`` when it is not a hash."""
    for name, pattern in _SCHEMES:
        if pattern.match(stored):
            return name
    return PLAINTEXT


def is_hash(stored: str | None) -> bool:
    """Whether ``stored`` is a hash and certainly not a plaintext password."""
    return stored is not None and scheme(stored) not in _REFUSED


def locked(stored: str) -> str:
    """Return ``stored`` with ``!`` before it, which denies every log-in, as with ``usermod --lock`` and shadow(5)."""
    return "!" + stored


def unlocked(stored: str) -> str | None:
    """Return the hash after the mark of ``locked``; None when ``stored`` is not a locked hash."""
    return stored[1:] if stored.startswith("!") and scheme(stored[1:]) != PLAINTEXT else None


def hash_password(password: str, rounds: int = DEFAULT_ROUNDS) -> str:
    """Hash with sha512_crypt and a fresh 16-character salt.

    Raises InvalidInput for rounds out of range.
    """
    validate_rounds(rounds)
    salt = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(_SALT_LENGTH))  # 256 is a multiple of 64
    result = _crypt(password, f"$6$rounds={rounds}${salt}")
    if result is None or not result.startswith("$6$"):
        said = "refused to make a sha512_crypt hash"
        raise SecureFtpError("libcrypt", found=said, remedy="install python3-passlib on the host")
    return result


def verify(password: str, stored: str) -> bool:
    """Whether ``stored`` is a hash of ``password``; False if it is not a hash or its method is unknown here."""
    if "\0" in password or scheme(stored) == PLAINTEXT:
        return False
    import hmac  # loads OpenSSL, which is not needed to make a hash

    computed = _crypt(password, stored)
    return computed is not None and hmac.compare_digest(computed.encode("utf-8"), stored.encode("utf-8"))


def hash_many(passwords: Sequence[str], rounds: int = DEFAULT_ROUNDS) -> list[str]:
    """``hash_password`` for each, on every core."""
    return _on_every_core("passwords hashed", lambda password: hash_password(password, rounds), passwords)


def verify_many(pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """``verify`` for each (password, stored), on every core."""
    return _on_every_core("passwords compared", lambda pair: verify(*pair), pairs)


def _on_every_core(what: str, function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    workers = min(len(os.sched_getaffinity(0)), len(items))
    if workers <= 1:
        return [function(item) for item in told(what, items, len(items))]
    from concurrent.futures import ThreadPoolExecutor  # seldom needed, and a tenth of the start time of a program

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(told(what, pool.map(function, items), len(items)))


# struct crypt_data has 32,768 bytes in libxcrypt, and 131,232 in the older glibc libcrypt.
_CRYPT_DATA_SIZE = 262144
_local = threading.local()
_library_lock = threading.Lock()
_library: Any = None


def _crypt_r() -> Callable[..., bytes | None] | None:
    """Return ``crypt_r`` of the system's libcrypt, or None."""
    global _library
    with _library_lock:
        if _library is None:
            _library = False
            for soname in ("libcrypt.so.1", "libcrypt.so.2"):
                try:
                    function = ctypes.CDLL(soname).crypt_r
                except (OSError, AttributeError):
                    continue
                function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
                function.restype = ctypes.c_char_p
                _library = function
                break
    return _library or None


def _crypt(password: str, setting: str) -> str | None:
    """crypt(3); None when the method is not known here. Raises SecureFtpError when there is no backend."""
    crypt_r = _crypt_r()
    if crypt_r is not None:
        if not hasattr(_local, "data"):
            _local.data = ctypes.create_string_buffer(_CRYPT_DATA_SIZE)
        result = crypt_r(password.encode("utf-8"), setting.encode("utf-8"), _local.data)
        if result is not None and not result.startswith(b"*"):
            return result.decode("ascii", "replace")
    return _passlib_crypt(password, setting, required=crypt_r is None)


def _passlib_crypt(password: str, setting: str, required: bool) -> str | None:
    try:
        from passlib import hash as handlers
        from passlib.context import CryptContext
    except ImportError:
        if required:
            raise SecureFtpError(
                "hashing passwords",
                "libcrypt.so.1 or the Python module passlib",
                found="neither",
                remedy="install the package python3-passlib on the host",
            ) from None
        return None
    if setting.startswith("$6$rounds=") and setting.count("$") == 3:
        _empty, _method, rounds, salt = setting.split("$")
        result: str = handlers.sha512_crypt.using(rounds=int(rounds[len("rounds=") :]), salt=salt).hash(password)
        return result
    context = CryptContext(
        ["sha512_crypt", "sha256_crypt", "md5_crypt", "sha1_crypt", "sun_md5_crypt", "bsdi_crypt", "des_crypt"]
    )
    try:
        return setting if context.verify(password, setting) else None
    except ValueError:
        return None
