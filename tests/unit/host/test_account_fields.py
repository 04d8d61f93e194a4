# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many accounts changed in one pass by the real vipw, on a copy of /etc that only its process sees."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.account_fields import (
    EXPIRES,
    GECOS,
    MEMBERS,
    set_fields,
    with_fields,
)

MODULES = "from ansible_collections.secure_ftp.server.plugins.module_utils._host import account_fields, accounts"
SHADOW = "root:*:20000:0:99999:7:::\nann:!:20000:0:99999:7::1:\nbob:!:20000:0:99999:7:::\nbroken\n\nann:again:::::::\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("changes need root")
    files = {
        "passwd": "root:x:0:0::/root:/bin/bash\nann:x:1000:990:old:/:/s\nbob:x:1001:990:J\udcfcrg:/:/s\n",
        "shadow": SHADOW,
        "group": "root:x:0:\nsftponly-ro:x:991:ann\nsftponly-up:x:992:\n",
        "gshadow": "root:*::\nsftponly-ro:!:root:ann\n",
        "login.defs": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    os.chown(tmp_path / "shadow", 0, 42)
    (tmp_path / "shadow").chmod(0o640)
    return tmp_path


def run(etc: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` where ``etc`` is /etc."""
    inside = f"import os, signal\n{MODULES}\n{code}"
    script = 'mount --bind "$1" /etc && exec "$2" -c "$3"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(etc), sys.executable, inside]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def left_over(etc: Path) -> set[str]:
    return {path.name for path in etc.iterdir()} - {"passwd", "shadow", "group", "gshadow", "login.defs", ".pwd.lock"}


def test_one_field_changes_and_nothing_else(etc: Path) -> None:
    done = run(etc, "accounts.set_expiry({'ann': '20849', 'bob': '20900'})")
    assert (done.returncode, done.stderr) == (0, "")
    expected = SHADOW.replace("7::1:", "7::20849:", 1).replace(
        "bob:!:20000:0:99999:7:::", "bob:!:20000:0:99999:7::20900:"
    )
    assert (etc / "shadow").read_text() == expected
    found = (etc / "shadow").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 42, 0o640)
    assert left_over(etc) == {"shadow-"}, "the backup, as every tool leaves it"
    done = run(etc, "accounts.set_expiry({'ann': '', 'bob': ''})")
    assert done.returncode == 0 and "ann:!:20000:0:99999:7:::\n" in (etc / "shadow").read_text(), (
        "within the same second"
    )


def test_bytes_that_are_no_text_stay(etc: Path) -> None:
    done = run(etc, "accounts.set_gecos({'root': 'J\\udcf6rg', 'ann': ''})")
    assert done.returncode == 0, done.stderr
    assert (etc / "passwd").read_bytes().splitlines() == [
        b"root:x:0:0:J\xf6rg:/root:/bin/bash",
        b"ann:x:1000:990::/:/s",
        b"bob:x:1001:990:J\xfcrg:/:/s",
    ]


def test_ten_thousand_members_of_a_class(etc: Path) -> None:
    names = [f"somebody-with-a-long-name-{number:05d}" for number in range(10_000)]
    done = run(
        etc,
        "names = [f'somebody-with-a-long-name-{number:05d}' for number in range(10_000)]\n"
        "accounts.set_members([('sftponly-up', names), ('sftponly-ro', ['ann', 'bob']), ('sftponly-ro', [])])",
    )
    assert done.returncode == 0, done.stderr
    members = (etc / "group").read_text().splitlines()
    assert members == ["root:x:0:", "sftponly-ro:x:991:", "sftponly-up:x:992:" + ",".join(names)]
    assert (etc / "gshadow").read_text().splitlines()[1] == "sftponly-ro:!:root:"


def test_a_line_that_is_not_there_changes_nothing(etc: Path) -> None:
    before = (etc / "shadow").read_bytes()
    done = run(etc, "accounts.set_expiry({'ann': '20849', 'broken': '1'})")
    assert "'broken': expected a complete line in shadow, found none" in done.stderr
    assert (etc / "shadow").read_bytes() == before and left_over(etc) == set()


def test_a_killed_run_changes_nothing(etc: Path) -> None:
    before = (etc / "shadow").read_bytes()
    kill = "account_fields.with_fields = lambda *_of: os.kill(os.getpid(), signal.SIGKILL)"
    done = run(etc, f"{kill}\naccounts.set_expiry({{'ann': '20849', 'bob': '1'}})")
    assert done.returncode == -9
    deadline = time.monotonic() + 20
    while left_over(etc):
        assert time.monotonic() < deadline, left_over(etc)
        time.sleep(0.02)
    assert (etc / "shadow").read_bytes() == before


def test_a_file_that_another_program_holds_is_left_to_it(etc: Path) -> None:
    (etc / "shadow.lock").write_text(f"{os.getpid()}\0")
    done = run(etc, "accounts.set_expiry({'ann': '20849', 'bob': '1'})")
    assert "vipw --shadow: expected success, found exit status" in done.stderr
    assert (etc / "shadow").read_text() == SHADOW


@pytest.mark.parametrize("value", ["a:b", "a\nroot:x:0:0", "a\r", "a\0"])
def test_a_value_that_would_be_more_than_a_field_is_refused(value: str) -> None:
    with pytest.raises(SecureFtpError, match="a value without ':' and in one line"):
        set_fields("passwd", {"ann": {GECOS: value}})


def test_the_first_line_of_a_name_counts_as_for_every_daemon() -> None:
    found = with_fields("shadow", b"ann:x:::::::\nann2:x:::::::\nann:y:::::::", {"ann": {EXPIRES: "5"}})
    assert found == b"ann:x::::::5:\nann2:x:::::::\nann:y:::::::"
    assert with_fields("group", b"ro:x:9:ann", {"ro": {MEMBERS: "a,b"}}) == b"ro:x:9:a,b"


def test_many_passwords_are_stored_as_chpasswd_stores_them(etc: Path) -> None:
    (etc / "shadow").write_text("root:*:20000:0:99999:7:::\nann:!:20000:0:99999:7::1:\n")
    names = ["ann", *(f"user{number}" for number in range(30))]
    with (etc / "shadow").open("a") as shadow:
        shadow.writelines(f"{name}:!*:1:0:99999:7:::\n" for name in names[1:])
    with (etc / "passwd").open("a") as passwd:
        passwd.writelines(f"{name}:x:{2000 + at}:990::/:/s\n" for at, name in enumerate(names[1:]))
    before = (etc / "shadow").read_bytes()
    assert run(etc, f"accounts.set_passwords({{name: '*' + name for name in {names}}})").returncode == 0
    ours = (etc / "shadow").read_bytes()
    (etc / "shadow").write_bytes(before)
    halves = f"for part in ({names[:16]}, {names[16:]}): accounts.set_passwords({{name: '*' + name for name in part}})"
    assert run(etc, halves).returncode == 0
    assert b"user29:*user29:" in ours and ours.replace(b"again", b"") == (etc / "shadow").read_bytes().replace(
        b"again", b""
    )
