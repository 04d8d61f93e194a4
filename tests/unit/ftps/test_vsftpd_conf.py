# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vsftpd.conf: what is written is what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse, render, with_option

names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"], include_characters=" "), max_size=30).map(str.strip)


def test_parse_reads_what_vsftpd_reads():
    text = "# comment\n\n \n  listen=YES\nlocal_root=/home/vftp/$USER\nftpd_banner=a=b\nmax_per_ip=3\nmax_per_ip=5\nx\n"
    assert parse(text) == {"listen": "YES", "local_root": "/home/vftp/$USER", "ftpd_banner": "a=b", "max_per_ip": "5"}


def test_one_option_is_changed_and_every_other_line_stays():
    text = "# local_root=x\nlisten=YES\n local_root=/a\nlocal_root=/b\nx=1"
    changed = with_option(text, "local_root", "/home/sftp/$USER")
    assert changed.splitlines() == ["# local_root=x", "listen=YES", *["local_root=/home/sftp/$USER"] * 2, "x=1"]
    assert with_option(changed, "local_root", "/home/sftp/$USER") == changed
    assert with_option("x=1", "y", "2") == "x=1\ny=2\n" and with_option("", "y", "2") == "y=2\n"


def test_render_keeps_the_order_and_leaves_none_out():
    options = {
        "write_enable": True,
        "anonymous_enable": False,
        "max_per_ip": 3,
        "pasv_address": None,
        "banner_file": "",
    }
    assert render(options) == "write_enable=YES\nanonymous_enable=NO\nmax_per_ip=3\nbanner_file=\n"


@given(st.dictionaries(names, texts))
def test_what_is_rendered_is_parsed(options):
    assert parse(render(options)) == options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ftpd_banner": "hi\nanonymous_enable=YES"}, "control character"),
        ({"ftpd_banner": "hi\r"}, "control character"),
        ({"listen=YES\nx": "1"}, "expected a name"),
        ({"Listen": True}, "expected a name"),
        ({"listen ": True}, "expected a name"),
        ({1: "x"}, "expected a name"),
        ({"local_root": " /home"}, "blanks"),
        ({"local_root": "/home "}, "blanks"),
        ({"max_per_ip": [3]}, "found a list"),
        ({"max_per_ip": 3.5}, "found a number with a fraction"),
    ],
)
def test_render_refuses_what_no_line_can_carry(options, complaint):
    with pytest.raises(SecureFtpError, match=complaint):
        render(options)
