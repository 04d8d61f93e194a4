# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text for a new user; molecule/default/tests/test_about.py compares fingerprints with those that clients see."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.instructions import instructions
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import (
    About,
    Certificate,
    Ftps,
    Sftp,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import HostKey

PATH = "/etc/vsftpd/server.crt"
SIGNED = Certificate(PATH, sha256="AB:CD", self_signed=True, names_host=True)
SERVER = About(
    name="web1",
    host="192.0.2.10",
    addresses=("192.0.2.10",),
    outside="",
    ftps=(Ftps("vsftpd", "explicit", 21, "", PATH), Ftps("vsftpd-implicit", "implicit", 990, "", PATH)),
    sftp=Sftp((22,), True),
    users=Users(),
    certificates=(SIGNED,),
    host_keys=(HostKey("/a.pub", "ED25519", 256, "SHA256:abc"), HostKey("/b.pub", "RSA", 3072, "SHA256:def")),
    findings=(),
    command="ftp-users",
)


def user(**more: Any) -> dict[str, Any]:
    """A user as Manager.show returns it."""
    return {
        "name": "batman",
        "access": "read_write",
        "expires": "never",
        "allowed_sources": [],
        "ftps": {"scheme": "sha512_crypt", "directory": "/home/vftp/batman"},
        "sftp": {"scheme": "sha512_crypt", "directory": "/home/sftp/batman", "keys": 0},
        **more,
    }


def test_the_whole_text() -> None:
    assert instructions(SERVER, user())["text"] == [
        "How batman connects",
        "",
        "FTPS, explicit TLS",
        "  Host          192.0.2.10",
        "  Port          21",
        "  User          batman",
        "  Log in by     password",
        "  Files         /",
        '  FileZilla     Protocol "FTP - File Transfer Protocol", Encryption "Require explicit FTP over TLS",'
        ' Logon Type "Ask for password"',
        '  WinSCP        File protocol "FTP", Encryption "TLS/SSL Explicit encryption"',
        "  Accept only   this certificate (SHA-256), when the program asks at the first connection:",
        "                AB:CD",
        "",
        "FTPS, implicit TLS",
        "  Host          192.0.2.10",
        "  Port          990",
        "  User          batman",
        "  Log in by     password",
        "  Files         /",
        '  FileZilla     Protocol "FTP - File Transfer Protocol", Encryption "Require implicit FTP over TLS",'
        ' Logon Type "Ask for password"',
        '  WinSCP        File protocol "FTP", Encryption "TLS/SSL Implicit encryption"',
        "  Accept only   this certificate (SHA-256), when the program asks at the first connection:",
        "                AB:CD",
        "",
        "SFTP",
        "  Host          192.0.2.10",
        "  Port          22",
        "  User          batman",
        "  Log in by     password",
        "  Files         /batman",
        '  FileZilla     Protocol "SFTP - SSH File Transfer Protocol", Logon Type "Ask for password"',
        '  WinSCP        File protocol "SFTP"',
        "  Accept only   one of these host keys, when the program asks at the first connection:",
        "                SHA256:abc (ED25519 256)",
        "                SHA256:def (RSA 3072)",
        "",
        "You may upload, download, rename and delete files.",
    ]


def test_the_data_are_json_and_hold_the_text() -> None:
    found = json.loads(json.dumps(instructions(SERVER, user())))
    assert [(way["protocol"], way["tls"], way["port"]) for way in found["ways"]] == [
        ("ftps", "explicit", 21),
        ("ftps", "implicit", 990),
        ("sftp", "", 22),
    ]
    assert found["ways"][2]["filezilla"]["protocol"] == "SFTP - SSH File Transfer Protocol"
    assert found["ways"][0]["fingerprints"] == ["AB:CD"] and found["user"] == "batman"


def text(about: About = SERVER, **more: Any) -> str:
    return "\n".join(instructions(about, user(**more))["text"])


def test_a_user_gets_the_protocols_there_are() -> None:
    assert "SFTP" not in text(sftp=None) and "FTPS" not in text(ftps=None)
    assert "SFTP" not in text(replace(SERVER, sftp=None))
    assert instructions(SERVER, user(ftps=None, sftp=None))["ways"] == []


@pytest.mark.parametrize(
    ("side", "passwords", "line", "logon"),
    [
        ({"scheme": None, "keys": 2}, True, "your private key", "Key file"),
        ({"scheme": "sha512_crypt", "keys": 1}, True, "password or your private key", "Ask for password"),
        ({"scheme": "sha512_crypt", "keys": 1}, False, "your private key", "Key file"),
    ],
)
def test_how_to_log_in_over_sftp(side: dict[str, Any], passwords: bool, line: str, logon: str) -> None:
    said = text(replace(SERVER, sftp=Sftp((22,), passwords)), sftp={**user()["sftp"], **side}, ftps=None)
    assert f"  Log in by     {line}\n" in said and f'Logon Type "{logon}"' in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"access": "read_only"}, "You may list and download files."),
        ({"access": "upload_only"}, "You may upload new files; they cannot be downloaded"),
        ({"expires": "2027-03-01"}, "You may log in until 2027-02-28 (UTC)."),
        ({"allowed_sources": ["192.0.2.0/24"]}, "You may log in from 192.0.2.0/24 only."),
    ],
)
def test_what_the_user_may_do(more: dict[str, Any], words: str) -> None:
    assert words in text(**more)


def test_a_certificate_that_clients_know_needs_no_comparing() -> None:
    said = text(replace(SERVER, certificates=(replace(SIGNED, trusted=True),)), sftp=None)
    assert "AB:CD" not in said and "checks it by itself" in said


def test_a_name_cannot_move_the_text_of_others() -> None:
    assert "\u202e" not in text(name="bat\u202eman") and "\\u202e" in text(name="bat\u202eman")


def test_one_home_is_said_to_be_the_same_directory() -> None:
    one = {"ftps": {"scheme": "sha512_crypt", "directory": "/home/sftp/batman"}}
    assert "/ of FTPS and /batman of SFTP are the same directory." in text(**one)
    assert "same directory" not in text() and "same directory" not in text(**one, sftp=None)
    assert "same directory" not in text(replace(SERVER, sftp=None), **one)
