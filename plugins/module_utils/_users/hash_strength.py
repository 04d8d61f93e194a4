# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Which hashes of crypt(5) are accepted for a new record: none that is weak, none that takes long to compute.

Every log-in attempt computes the stored hash, as root, whether the password is right or not: a user who can choose the
cost can keep the server busy. Hashes that are stored already are never checked here.
"""

from __future__ import annotations

import re

WEAK = {
    "md5_crypt": "MD5 ($1$)",
    "sha1_crypt": "SHA-1 ($sha1$)",
    "sun_md5_crypt": "MD5 of SunOS ($md5)",
    "nthash": "NT hash ($3$)",
    "bsdi_crypt": "DES of BSDI",
    "des_crypt": "DES",
}
"""Methods of which crypt(5) says "should not be used for new hashes", by the names that ``scheme`` returns."""

TOLERABLE = ("md5_crypt", "nthash")
"""Those of WEAK whose cost the hash does not set: an operator may import them from another server."""

MAX_ROUNDS = 1000000
"""Most rounds of sha256_crypt and sha512_crypt; 5000 is the default of crypt(5)."""

MAX_BCRYPT = 14
"""Greatest cost of bcrypt, as a power of 2; crypt(5) has 4 to 31."""

MAX_MEMORY = 128 * 1024 * 1024
"""Most memory of yescrypt and scrypt, in bytes: 128 r N p; yescrypt's default is 16 MiB."""

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def weakness(method: str, stored: str) -> str | None:
    """Return what is wrong with ``stored``, a hash of ``method``, as words after "found"; None when it is good."""
    if method in WEAK:
        return f"{WEAK[method]}, which is weak"
    if method in ("sha512_crypt", "sha256_crypt"):
        rounds = re.match(r"\$[56]\$rounds=(\d+)\$", stored)
        if rounds and int(rounds.group(1)) > MAX_ROUNDS:
            return f"one of {rounds.group(1)} rounds; at most {MAX_ROUNDS} are accepted, as every log-in computes them"
    elif method == "bcrypt":
        cost = int(stored[4:6])
        if not 4 <= cost <= MAX_BCRYPT:
            return f"one of the cost {cost}; 4 to {MAX_BCRYPT} are accepted, as every log-in computes it"
    elif method in ("yescrypt", "gost_yescrypt", "scrypt"):
        memory = _yescrypt(stored) if method != "scrypt" else _scrypt(stored)
        if memory is None:
            return f"one of {method} with parameters that mkpasswd does not make"
        if memory > MAX_MEMORY:
            mebibytes = "more than 1024" if memory > 2**30 else str(memory // 2**20)
            return f"one that needs {mebibytes} MiB at every log-in; at most {MAX_MEMORY // 2**20} are accepted"
    return None


def _yescrypt(stored: str) -> int | None:
    """Memory of ``$y$jNR$...``: flags, log2(N) - 1, r - 1 (alg-yescrypt-common.c).

    None for other flags, and for the optional parameters (p, t, g), which nothing on Debian writes.
    """
    parameters = stored.split("$")[2]
    if len(parameters) != 3 or parameters[0] != "j":
        return None
    power, r = (_ALPHABET.index(letter) + 1 for letter in parameters[1:])
    # Longer numbers begin with one of the last sixteen letters.
    return 128 * r * 2**power if power <= 48 and r <= 48 else None


def _scrypt(stored: str) -> int | None:
    """Memory of ``$7$NRRRRRPPPPP...``: log2(N), then r and p, low six bits first (crypt-scrypt.c)."""
    parameters = stored[3:14]
    power, r, p = _ALPHABET.index(parameters[0]), _number(parameters[1:6]), _number(parameters[6:11])
    return 128 * r * p * 2**power if r and p else None


def _number(letters: str) -> int:
    return sum(_ALPHABET.index(letter) << (6 * position) for position, letter in enumerate(letters))
