# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas on a server whose file system has none: refused by every front, before anything changes."""

from __future__ import annotations

import json

import pytest

NAME = "lucius"
SAID = "a file system that limits by user id: ext4 or XFS"


@pytest.fixture
def user(server):
    """A user of SFTP only, who could have a quota on a file system that enforces it."""
    server.sh(f"ftp-users add {NAME} --generate --protocol sftp")
    yield server
    server.sh(f"ftp-users del {NAME} --remove-home", check=False)


def quota(server):
    return json.loads(server.sh(f"ftp-users show {NAME} --json").stdout)["user"]["quota"]


@pytest.mark.spread
def test_a_file_system_without_quotas_is_refused_and_none_is_not(user):
    for option in ("--quota 5M", "--quota-files 100"):
        refused = user.sh(f"ftp-users edit {NAME} {option}", check=False)
        assert refused.returncode == 1 and SAID in refused.stderr, refused.stderr
    user.sh(f"ftp-users edit {NAME} --quota none --quota-files none")
    refused = user.sh("ftp-users add quinn --generate --protocol sftp --quota 5M", check=False)
    assert refused.returncode == 1 and user.sh("getent passwd quinn", check=False).returncode == 2
    assert quota(user) == 0
    shown = json.loads(user.sh(f"ftp-users show {NAME} --json").stdout)["user"]
    assert shown["used_bytes"] is None and "quota" not in user.sh(f"ftp-users show {NAME}").stdout


@pytest.mark.two_homes
def test_a_user_whose_ftps_sessions_are_of_another_account_is_refused(user):
    refused = user.sh(f"ftp-users edit {NAME} --protocol both --quota 5M", check=False)
    assert refused.returncode == 2, refused.stderr
    assert "FTPS sessions that run as an account of the user's own" in refused.stderr and "one-home" in refused.stderr
    shown = json.loads(user.sh(f"ftp-users show {NAME} --json").stdout)["user"]
    assert shown["protocols"] == ["sftp"], "nothing was changed"


@pytest.mark.spread
def test_folders_are_listed(server):
    assert "folders" in json.loads(server.sh("ftp-users folders --json").stdout)
    assert server.sh("ftp-users folders").stdout.startswith("NAME ")
