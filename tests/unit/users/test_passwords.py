# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: validated, hashed and verified with the system's crypt(3)."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
from conftest import HASH
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.hash_strength import WEAK

PERL = "print crypt($ARGV[0], $ARGV[1])"
SETTINGS = {
    "sha512_crypt": "$6$abcdefgh$",
    "sha256_crypt": "$5$rounds=1000$abcdefgh$",
    "md5_crypt": "$1$abcdefgh$",
    "bcrypt": "$2b$04$abcdefghijklmnopqrstuu",
    "yescrypt": "$y$j75$abcdefgh$",
    "gost_yescrypt": "$gy$j75$abcdefgh$",
    "scrypt": "$7$C6..../....abcdefgh$",
    "sha1_crypt": "$sha1$4000$abcdefgh$",
    "sun_md5_crypt": "$md5$abcdefgh$",
    "nthash": "$3$",
    "bsdi_crypt": "_J9..abcd",
    "des_crypt": "ab",
}


def crypt(password: str, setting: str) -> str:
    """crypt(3) through another program."""
    return subprocess.run(["perl", "-e", PERL, password, setting], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("scheme", SETTINGS)
def test_every_scheme_of_crypt_is_named_and_verified(scheme: str) -> None:
    stored = crypt("päss1", SETTINGS[scheme])
    assert passwords.scheme(stored) == scheme
    assert passwords.verify("päss1", stored)
    assert not passwords.verify("päss2", stored)


def test_our_hashes_are_what_crypt_makes() -> None:
    stored = passwords.hash_password("geheim", rounds=5000)
    assert stored == crypt("geheim", stored)
    assert passwords.hash_password("geheim", rounds=5000) != stored


def test_hashes_of_the_default_rounds_have_a_safe_length() -> None:
    stored = passwords.hash_password("geheim")
    assert stored.startswith("$6$rounds=50000$") and len(stored) == 119
    assert not passwords.has_unsafe_length(stored)
    assert passwords.has_unsafe_length("x" * 120)


@pytest.mark.parametrize("rounds", [0, 999, 1000001, 9999999, 100000, 656000])
def test_rounds_that_lock_people_out_are_refused(rounds: int) -> None:
    with pytest.raises(SecureFtpError, match="rounds"):
        passwords.hash_password("geheim", rounds=rounds)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("", "at least one"),
        ("a\0b", "U\\+0000"),
        ("a\n", "U\\+000A at position 2"),
        ("a\x7f", "U\\+007F"),
        ("\x85", "U\\+0085"),
        ("x" * 129, "at most 128 bytes .FTPS., found 129"),
        ("ä" * 65, "found 130"),
        ("x" * 11, "at least 12 characters .ftp_users_password_min_length."),
        ("ä" * 11, "at least 12 characters"),
        ("\ud800", "UTF-8"),
        (12345, "found a number"),
        (None, "found nothing .an empty value."),
        (b"abc", "found something else"),
    ],
)
def test_passwords_that_cannot_be_typed_are_refused(password: object, rule: str) -> None:
    with pytest.raises(SecureFtpError, match=rule) as caught:
        passwords.validate_password(password, "robin")
    assert "'robin'" in str(caught.value)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "!",
        "*",
        "!$6$abc",
        "plaintext",
        "abcdefghijklm",
        "$6$salt$short",
        HASH[:-1],
        HASH + "x",
        HASH + "\n",
        HASH.replace("50000", "0"),
        12,
        None,
    ],
)
def test_what_is_no_hash_is_refused_without_repeating_it(stored: object) -> None:
    with pytest.raises(SecureFtpError, match="user 'robin': password_hash") as caught:
        passwords.validate_hash(stored, "robin")
    assert not isinstance(stored, str) or len(stored) < 5 or stored not in str(caught.value)


def test_each_protocol_takes_passwords_of_its_own_length() -> None:
    passwords.validate_password("x" * 128, "robin")
    passwords.validate_password("x" * 511, "robin", ["sftp"])
    passwords.validate_password("x", "robin", min_length=1)
    with pytest.raises(SecureFtpError, match="at most 511 bytes .SFTP., found 512"):
        passwords.validate_password("x" * 512, "robin", ["sftp"])
    with pytest.raises(SecureFtpError, match="at most 128 bytes .FTPS., found 511"):
        passwords.validate_password("x" * 511, "robin", ["ftps"])


@pytest.mark.parametrize("scheme", sorted(set(SETTINGS) - set(WEAK)))
def test_given_hashes_of_any_strong_scheme_pass(scheme: str) -> None:
    passwords.validate_hash(crypt("x", SETTINGS[scheme]), "robin")


@pytest.mark.parametrize("scheme", sorted(set(WEAK) - passwords.AMBIGUOUS))
def test_given_hashes_of_a_weak_scheme_are_refused_and_stored_ones_verify(scheme: str) -> None:
    stored = crypt("x", SETTINGS[scheme])
    with pytest.raises(SecureFtpError, match="strong .* found .*, which is weak; ") as caught:
        passwords.validate_hash(stored, "robin")
    assert stored not in str(caught.value) and passwords.verify("x", stored) and passwords.is_hash(stored)


H43, H86 = "h" * 43, "h" * 86


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (f"$6$rounds=999999999$salt${H86}", "999999999 rounds"),
        (f"$6$rounds=1000001$salt${H86}", "at most 1000000"),
        (f"$6$rounds=1000000$salt${H86}", ""),
        (f"$5$rounds=999999999$salt${H43}", "999999999 rounds"),
        (f"$6$salt${H86}", ""),
        (f"$2b$15${'h' * 53}", "cost 15"),
        (f"$2b$31${'h' * 53}", "cost 31"),
        (f"$2y$00${'h' * 53}", "cost 0"),
        (f"$2b$14${'h' * 53}", ""),
        (f"$y$jFT$salt${H43}", "1024 MiB"),
        (f"$gy$jFT$salt${H43}", "1024 MiB"),
        (f"$y$jCT$salt${H43}", ""),
        (f"$y$jDT$salt${H43}", "256 MiB"),
        (f"$y$jzzzz$salt${H43}", "parameters"),
        (f"$y$.9T$salt${H43}", "parameters"),
        (f"$y$j9TZ$salt${H43}", "parameters"),
        (f"$7$CU..../....salt${H43}", ""),
        (f"$7$GU..../....salt${H43}", "1024 MiB"),
        (f"$7$CU....z....salt${H43}", "more than 1024 MiB"),
    ],
)
def test_the_cost_of_given_hashes_is_bounded(stored: str, words: str) -> None:
    assert passwords.is_hash(stored)
    if not words:
        return passwords.validate_hash(stored, "robin")
    with pytest.raises(SecureFtpError, match=words) as caught:
        passwords.validate_hash(stored, "robin")
    assert stored not in str(caught.value)


def test_what_libcrypt_itself_suggests_is_taken() -> None:
    """The parameters of gensalt for each cost this collection takes, as crypt(5) lists them."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt_gensalt.restype = ctypes.c_char_p
    for prefix, costs in ((b"$y$", range(1, 9)), (b"$gy$", range(1, 9)), (b"$7$", range(6, 9)), (b"$2b$", (4, 10, 14))):
        for cost in costs:
            setting = library.crypt_gensalt(prefix, ctypes.c_ulong(cost), b"s" * 32, 32)
            assert setting, (prefix, cost)
            stored = setting.decode() + ("h" * 31 if prefix == b"$2b$" else f"${H43}")
            assert passwords.scheme(stored) != "plaintext"
            passwords.validate_hash(stored, "robin")


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=600), st.binary(max_size=600), st.integers(), st.none()))
def test_validators_never_break(value: object) -> None:
    for validate in (passwords.validate_password, passwords.validate_hash):
        try:
            validate(value, "robin")
        except SecureFtpError:
            continue
        assert isinstance(value, str) and "\0" not in value and "\n" not in value


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), min_size=12, max_size=32))
def test_any_valid_password_verifies_against_its_hash_alone(password: str) -> None:
    passwords.validate_password(password, "robin")
    stored = passwords.hash_password(password, rounds=1000)
    passwords.validate_hash(stored, "robin")
    assert passwords.verify(password, stored)
    assert not passwords.verify(password + "x", stored)


def test_many_at_once_keep_their_order() -> None:
    given_passwords = [f"password-{number}" for number in range(40)]
    stored = passwords.hash_many(given_passwords, rounds=1000)
    pairs = [*zip(given_passwords, stored), ("wrong", stored[0]), ("x", "plaintext"), ("x", "")]
    assert passwords.verify_many(pairs) == [True] * 40 + [False] * 3
    assert len(set(stored)) == 40


def test_passlib_does_it_where_libcrypt_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = crypt("geheim", "$6$rounds=5000$abcdefghijklmnop")
    monkeypatch.setattr(passwords, "_crypt_r", lambda: None)
    stored = passwords.hash_password("geheim", rounds=50000)
    assert len(stored) == 119
    assert passwords.verify("geheim", stored) and not passwords.verify("x", stored)
    assert passwords.verify("geheim", expected)


def test_no_backend_at_all_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_crypt_r", lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "passlib", None)
    with pytest.raises(SecureFtpError, match="python3-passlib"):
        passwords.hash_password("geheim")
