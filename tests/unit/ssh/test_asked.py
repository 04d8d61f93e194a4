# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules in sshd's PAM service: there only while they are needed, and gone without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.asked import (
    ask,
    asked_group,
    pam_problem,
    with_rules,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import parse

SERVICE = """# PAM configuration for the Secure Shell service
@include common-auth
account    required     pam_nologin.so
@include common-account
session    required     pam_loginuid.so
"""


def test_everybody_outside_the_group_goes_on_behind_the_rules() -> None:
    text = with_rules(SERVICE, "sftponly")
    guard, asks = [line for line in text.splitlines() if "secure" not in line or "pam_access" in line][1:3]
    assert guard == "account  [success=ignore default=1]  pam_succeed_if.so  quiet user ingroup sftponly"
    assert asks.split() == [
        "account",
        "required",
        "pam_access.so",
        "accessfile=/etc/security/secure-ftp-access.conf",
        "nodefgroup",
    ]
    assert asked_group(text) == "sftponly" and asked_group(SERVICE) == ""
    assert with_rules(text, "") == SERVICE, "and they go without a trace"
    assert asked_group(text.replace("required  pam_access", "optional  pam_access")) == ""


def test_the_original_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "sshd"
    path.write_text(SERVICE)
    for group in ("sftponly", "sftponly", "", "others", ""):
        ask(str(path), group)
        assert asked_group(path.read_text()) == group
    assert path.read_text() == SERVICE
    copies = [one for one in tmp_path.iterdir() if one != path]
    assert copies and all(one.read_text() == SERVICE for one in copies)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("UsePAM yes\n", ""),
        ('usepam "YES"\nUsePAM no\n', ""),
        ("UsePAM no\n", "/etc/ssh/sshd_config:1: expected UsePAM yes"),
        ("Port 22\n", "no UsePAM, which means no"),
    ],
)
def test_without_pam_nothing_is_asked(config: str, said: str) -> None:
    problem = pam_problem(parse(config))
    assert (said in str(problem)) if said else problem is None
