# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of one FTPS user in user_config_dir: read as vsftpd reads it, and written around an operator's lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import personal
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import (
    BEGIN,
    END,
    Personal,
    read_files,
    rights_in,
    with_rights,
    without_rights,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import Rights

PATH = "/etc/vsftpd/users.d/ann"
SERVER = {"write_enable": "YES", "virtual_use_local_privs": "YES", "local_umask": "077"}
ALL = st.builds(
    Rights,
    st.sampled_from(["read_write", "read_only", "upload_only"]),
    st.sampled_from(["default", "0000", "0027", "0077"]),
    st.sampled_from([0, 1, 500000]),
).map(lambda one: one._replace(umask="default") if one.access == "upload_only" else one)
TEXTS = st.sampled_from(["", "# by hand\n", "local_root=/srv/ann\n", "local_root=/srv/ann\n\nidle_session_timeout=60"])


def text_of(rights: Rights, before: str = "", server: dict[str, str] | None = None) -> str:
    return with_rights(Personal(PATH, before), SERVER if server is None else server, rights)


def lines_of(rights: Rights, server: dict[str, str] | None = None) -> list[str]:
    return [line for line in text_of(rights, "", server).splitlines() if line and line not in (BEGIN, END)]


def test_each_right_is_the_options_that_enforce_it() -> None:
    assert text_of(Rights()) == ""
    assert text_of(Rights("read_only")) == f"{BEGIN}\nwrite_enable=NO\n{END}\n"
    assert lines_of(Rights(umask="0027")) == ["local_umask=0027"]
    assert lines_of(Rights(ftps_max_rate=2097152)) == ["local_max_rate=2097152"]
    assert lines_of(Rights("upload_only", "default", 5)) == [
        "download_enable=NO",
        "chmod_enable=NO",
        "mdtm_write=NO",
        "cmds_denied=DELE,RMD,XRMD,MKD,XMKD,RNFR,RNTO,APPE,REST,SITE",
        "local_umask=0277",
        "local_max_rate=5",
    ]


def test_the_values_of_the_server_are_overruled_where_they_differ() -> None:
    assert lines_of(Rights(), {"virtual_use_local_privs": "YES"}) == ["write_enable=YES"]  # vsftpd's own default
    slow = {**SERVER, "local_max_rate": "100", "download_enable": "NO", "cmds_denied": "SITE"}
    assert lines_of(Rights(), slow) == ["download_enable=YES", "local_max_rate=0"]
    assert lines_of(Rights(ftps_max_rate=100), slow) == ["download_enable=YES"]
    assert "cmds_denied=DELE,RMD,XRMD,MKD,XMKD,RNFR,RNTO,APPE,REST,SITE" in lines_of(Rights("upload_only"), slow)


def test_commands_that_the_server_denies_stay_denied() -> None:
    assert lines_of(Rights("upload_only"), {**SERVER, "cmds_denied": "STOU,SITE"})[3] == (
        "cmds_denied=DELE,RMD,XRMD,MKD,XMKD,RNFR,RNTO,APPE,REST,SITE,STOU"
    )


@given(ALL, TEXTS)
def test_what_is_written_is_what_is_read(rights: Rights, before: str) -> None:
    text = text_of(rights, before)
    assert rights_in(SERVER, Personal(PATH, text)) == rights
    assert text_of(rights, text) == text
    assert text.startswith(before)


@given(ALL, ALL, TEXTS)
def test_only_our_lines_change(first: Rights, second: Rights, before: str) -> None:
    assert text_of(second, text_of(first, before)).rstrip("\n") == text_of(second, before).rstrip("\n")
    back = without_rights(Personal(PATH, text_of(first, before)))
    assert back.rstrip("\n") == before.rstrip("\n")


def test_lines_of_an_operator_are_rights_too() -> None:
    for text, rights in (
        ("write_enable=NO\n", Rights("read_only")),
        ("write_enable=no\n", Rights("read_only")),
        ("download_enable=0\n", Rights("upload_only")),
        ("local_umask=22\nlocal_max_rate=500\n", Rights("read_write", "0022", 500)),
        ("local_umask=9x\nlocal_max_rate=fast\n", Rights()),
        (f"write_enable=NO\n{BEGIN}\nwrite_enable=YES\n{END}\n", Rights()),
    ):
        assert rights_in(SERVER, Personal(PATH, text)) == rights, text
    assert rights_in({**SERVER, "write_enable": "NO", "local_max_rate": "7"}, None) == Rights("read_only", "default", 7)
    assert rights_in(None, Personal(PATH, "write_enable=NO\n")) == Rights("read_only")
    assert rights_in(None, None) == Rights()


def test_a_line_of_an_operator_with_the_right_value_is_enough() -> None:
    by_hand = "# price list\nwrite_enable=NO\n"
    assert text_of(Rights("read_only"), by_hand) == by_hand
    assert lines_of(Rights("read_only", "0027")) == ["write_enable=NO", "local_umask=0027"]
    assert text_of(Rights("read_only", "0027"), by_hand) == f"{by_hand}{BEGIN}\nlocal_umask=0027\n{END}\n"


@pytest.mark.parametrize(
    ("line", "rights"),
    [
        ("write_enable=NO", Rights()),
        ("write_enable=YES", Rights("read_only")),
        ("local_umask=022", Rights()),
        ("local_umask=022", Rights(umask="0077")),
        ("cmds_denied=DELE", Rights("upload_only")),
        ("local_max_rate=5", Rights()),
    ],
)
def test_a_line_of_an_operator_with_another_value_is_an_error(line: str, rights: Rights) -> None:
    with pytest.raises(SecureFtpError) as failure:
        text_of(rights, f"# mine\n{line}\n")
    name = line.split("=")[0]
    assert str(failure.value).startswith(f"{PATH}:2: expected {name}")
    assert f"found {line}" in str(failure.value) and "remove that line" in str(failure.value)


def test_without_the_privileges_of_local_users_nothing_can_be_written() -> None:
    anonymous = {"write_enable": "YES"}
    assert text_of(Rights(), "", anonymous) == ""
    with pytest.raises(SecureFtpError, match="expected virtual_use_local_privs=YES in vsftpd.conf"):
        text_of(Rights(ftps_max_rate=5), "", anonymous)


def test_a_mark_without_its_partner_goes_with_our_lines() -> None:
    assert text_of(Rights("read_only"), f"a=b\n{END}\n") == f"a=b\n{BEGIN}\nwrite_enable=NO\n{END}\n"
    assert without_rights(Personal(PATH, f"a=b\n{BEGIN}\nwrite_enable=NO\n")) == "a=b\nwrite_enable=NO\n"


def test_only_files_that_are_there_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ann").write_text("write_enable=NO\n")
    (tmp_path / "a directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(personal.os, "open", lambda path, *rest: opened.append(str(path)) or real(path, *rest))
    names = ["ann", "a directory", "pipe", "../x", "", ".", "x/y", "n\0l", *(f"u{number}" for number in range(10000))]
    found = read_files(str(tmp_path), names)
    assert {name: one.text for name, one in found.items()} == {"ann": "write_enable=NO\n"}
    assert len(opened) <= 3
    assert read_files(str(tmp_path), ["ann"])["ann"].path == str(tmp_path / "ann")
    assert read_files(str(tmp_path / "missing"), names) == {} == read_files("", names)
