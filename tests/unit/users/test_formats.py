# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of users in files."""

from __future__ import annotations

import pytest
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.formats import entries, to_csv
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import is_hash
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import users_from_list

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu83 one, "two"'


def test_csv_gives_the_options_of_a_person() -> None:
    text = (
        "name,protocols,locked,password,authorized_keys\r\n"
        "batman,,,geheim geheim,\r\n"
        f'robin,"ftps\nsftp",yes,"comma, and ""quote""","{KEY.replace(chr(34), chr(34) * 2)}"\r\n'
    )
    found, skipped = entries(text, None, "users.csv")
    assert skipped == {}
    assert found[0] == {
        "name": "batman",
        "password": "geheim geheim",
        "password_hash": None,
        "protocols": None,
        "authorized_keys": None,
        "locked": None,
        "access": None,
        "umask": None,
        "ftps_max_rate": None,
        "comment": None,
        "expires": None,
        "allowed_sources": None,
        "quota": None,
        "quota_files": None,
    }
    assert found[1]["password"] == 'comma, and "quote"' and found[1]["authorized_keys"] == [KEY]
    assert found[1]["protocols"] == ["ftps", "sftp"] and found[1]["locked"] is True
    assert [user.name for user in users_from_list(found)] == ["batman", "robin"]


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_a_column() -> None:
    assert entries("\ufeffname,password\nbatman,x\n", None, "-")[0][0]["name"] == "batman"


def test_export_and_import_agree() -> None:
    users = [
        {"name": "a", "protocols": ["ftps"], "locked": False, "password_hash": HASH, "authorized_keys": []},
        {
            "name": "b",
            "protocols": ["ftps", "sftp"],
            "locked": True,
            "password_hash": None,
            "authorized_keys": [KEY, KEY],
        },
    ]
    found, _skipped = entries(to_csv(users), None, "-")
    for entry, user in zip(found, users):
        assert (entry["name"], entry["protocols"], entry["locked"]) == (user["name"], user["protocols"], user["locked"])
        assert entry["password_hash"] == user["password_hash"]
        assert (entry["authorized_keys"] or []) == user["authorized_keys"]


def test_files_of_other_servers() -> None:
    text = (
        f"# comment\n\nbatman:{HASH}:1000:1000::/home/x:/bin/sh\nrobin:{HASH}\nlocked:!{HASH}:1\nnone:*:1\nempty::1\n"
    )
    assert entries(text, None, "shadow") == (
        [{"name": "batman", "password_hash": HASH}, {"name": "robin", "password_hash": HASH}],
        dict.fromkeys(("locked", "none", "empty"), "no password, or locked"),
    )


def test_the_text_of_the_article() -> None:
    found, _skipped = entries(f"batman\nbat!\nrobin\n{HASH}\n", "pairs", "users.txt")
    assert found == [{"name": "batman", "password": "bat!"}, {"name": "robin", "password_hash": HASH}]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", None, "f: expected CSV .* or lines NAME:HASH, found nothing"),
        ("batman\nbat!\n", None, "use --format pairs"),
        ("name,colour\nx,red\n", None, "found the unknown column 'colour'"),
        ("nam,password\nx,y\n", "csv", "found the unknown column 'nam'"),
        ("name,password\nbatman\n", None, "f:2: expected 2 fields, found more or fewer"),
        ("name,password\nbatman,x,y\n", None, "f:2: expected 2 fields, found more or fewer"),
        ('name,password\nbatman,"x\n', None, "f:.: expected CSV, found unexpected end"),
        ("name,locked\nbatman,perhaps\n", None, "f:2: locked: expected yes or no, found 'perhaps'"),
        ("batman:secret\n", None, "f:1: user 'batman': expected a crypt.3. hash"),
        ("batman\n", "pairs", "expected pairs of lines.* found 1 lines"),
        ("\0\0", None, "found a NUL character"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, kind: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        entries(text, kind, "f")
    assert "secret" not in str(raised.value)


MD5 = "$1$abcdefgh$F.Kfn8/W.yLCwlYtUc80H/"
BCRYPT = "$2y$05$abcdefghijklmnopqrstuuCDDDeHR1UIdyp/KO6eIHnVnusWFBImW"


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("$apr1$abcdefgh$.BIraPQbaviIPZDkkkV9i1", "a hash of $apr1, damaged or unknown to crypt(3)"),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "a hash of {SHA}, damaged or unknown to crypt(3)"),
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRz$RdescudvJCsgt3ub", "a hash of $argon2id, damaged"),
        ("abEGb9aUZdn6Q", "a hash of DES, which is weak"),
        (MD5, "a hash of MD5 ($1$), which is weak"),
        ("$6$rounds=999999999$salt$" + "h" * 86, "a hash of one of 999999999 rounds"),
        ("*", "no password"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "colon", "pairs"])
def test_hashes_that_cannot_be_used_are_named_and_the_others_imported(stored: str, reason: str, kind: str) -> None:
    texts = {
        "csv": f'name,password_hash\nh-bad,"{stored}"\nh-bc,{BCRYPT}\n',
        "colon": f"h-bad:{stored}:1001:1001::/home/h/./\nh-bc:{BCRYPT}\n",
        "pairs": f"h-bad\n{stored}\nh-bc\n{BCRYPT}\n",
    }
    if kind == "pairs" and not is_hash(stored):
        pytest.skip("what is no hash there is a password")
    found, skipped = entries(texts[kind], kind, "f")
    assert [entry["name"] for entry in found] == ["h-bc"] and found[0]["password_hash"] == BCRYPT
    assert set(skipped) == {"h-bad"} and skipped["h-bad"].startswith(reason)
    assert stored[-12:] not in skipped["h-bad"] or stored == "*"
    assert [user.name for user in users_from_list(found)] == ["h-bc"]


@pytest.mark.parametrize("kind", ["csv", "colon", "pairs"])
def test_weak_hashes_are_taken_where_somebody_says_so_and_worse_ones_never(kind: str) -> None:
    asked = []

    def is_taken(*about: object) -> bool:
        asked.append(about)
        return True

    texts = {
        "csv": f'name,password_hash,protocols\nh-md5,"{MD5}",ftps\nh-star,*,\nh-bc,{BCRYPT},\n',
        "colon": f"h-md5:{MD5}:1:1\nh-star:*:1\nh-des:abEGb9aUZdn6Q:1\nh-bc:{BCRYPT}\n",
        "pairs": f"h-md5\n{MD5}\nh-bc\n{BCRYPT}\n",
    }
    found, skipped = entries(texts[kind], kind, "f", is_taken)
    assert [entry["name"] for entry in found] == ["h-md5", "h-bc"] and "h-md5" not in skipped
    assert asked == [("h-md5", MD5, ["ftps"] if kind == "csv" else ("ftps", "sftp"))]
    assert [one.password_hash for one in users_from_list(found, is_taken=is_taken)] == [MD5, BCRYPT]
    with pytest.raises(InvalidInput, match="found MD5"):
        users_from_list(found)
    assert entries(texts[kind], kind, "f")[1]["h-md5"].endswith("which is weak; --allow-weak-hashes accepts it")
