# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of pam_access: what is written is read back, and what others wrote stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host import access
from ansible_collections.secure_ftp.server.plugins.module_utils._host.access import HEADER, Access, parse, render
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import MAX_SOURCES, validate_sources

SOURCES = {"bob": ("2001:db8::/32",), "ann": ("192.0.2.0/24", "198.51.100.7", "2001:db8::1")}
TEXT = f"""{HEADER}-:ann:ALL EXCEPT 192.0.2.0/24 198.51.100.7 2001:db8::1 ::ffff:192.0.2.0/120 ::ffff:198.51.100.7
-:bob:ALL EXCEPT 2001:db8::/32
"""


def test_one_line_a_user_and_each_ipv4_network_twice() -> None:
    assert render(Access(SOURCES)) == TEXT
    assert parse(TEXT) == Access(SOURCES)
    assert parse("") == parse(HEADER) == Access()


def test_lines_of_others_stay_before_ours() -> None:
    found = parse("# mine\n+:eve:ALL\n" + TEXT + "-:cy:LOCAL\n")
    assert found == Access(SOURCES, "# mine\n+:eve:ALL\n-:cy:LOCAL\n")
    assert parse(render(found)) == found and render(found).startswith(f"{HEADER}# mine\n")


def test_the_first_line_of_a_name_counts() -> None:
    assert parse("-:ann:ALL EXCEPT 192.0.2.1\n-:ann:ALL EXCEPT 192.0.2.2\n").sources == {"ann": ("192.0.2.1",)}


def test_no_line_is_longer_than_pam_access_reads() -> None:
    longest = validate_sources([f"198.51.{number}.128/25" for number in range(MAX_SOURCES)], "ann")
    assert len(render(Access({"a" * 32: longest})).splitlines()[-1]) < 8191
    longest = tuple(f"2001:db8:1111:2222:3333:4444:5555:{number:x}" for number in range(0x1000, 0x1000 + MAX_SOURCES))
    assert len(render(Access({"a" * 32: longest})).splitlines()[-1]) < 8191


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("ann", True),
        ("Ann.B-c_1", True),
        ("all", False),
        ("EXCEPT", False),
        ("(wheel)", False),
        ("@net", False),
        ("a,b", False),
    ],
)
def test_a_name_that_means_something_else_is_not_usable(name: str, usable: bool) -> None:
    assert access.is_usable(name) == usable


def test_the_file_is_for_root_alone_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "access.conf"
    access.ensure(str(path))
    assert path.read_text() == HEADER and path.stat().st_mode & 0o777 == 0o600
    access.write(Access(SOURCES), str(path))
    access.ensure(str(path))
    assert access.read(str(path)) == Access(SOURCES)
    assert access.read(str(tmp_path / "none")) == Access()
