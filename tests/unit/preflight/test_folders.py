# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared folders before any change: every name in them is a user who can have one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.checks import Host

SFTP = [{"name": "batman", "protocols": ["sftp"], "password": "x" * 12}]
HOST = Host("debian", "12", has_account=lambda name: name == "alfred", ftps_names=lambda _path: frozenset({"oracle"}))


def problems(users: Any, host: Host = HOST, **folder: Any) -> list[str]:
    settings = Settings.parse({"ftp_shared_folders": [{"name": "projects", **folder}]})
    return [str(one) for one in checks.problems(settings, users, host) if "shared_folders" in one.subject]


def test_users_of_sftp_pass() -> None:
    assert problems(SFTP, members=["batman"]) == []
    assert problems(SFTP, members=["alfred"]) == [], "on the server already"
    assert problems(SFTP, state="absent", members=["nobody-at-all"]) == []


@pytest.mark.parametrize(
    ("users", "name", "said"),
    [
        (SFTP, "joker", "none of that name; list the user in ftp_users"),
        ([{"name": "joker", "state": "absent"}], "joker", "state is absent in ftp_users"),
        (
            [{"name": "robin"}],
            "robin",
            "FTPS with a home of its own; give the server one home for each user, with ftp-users one-home",
        ),
        ([{**SFTP[0], "access": "upload_only"}], "batman", "no upload_only"),
        ([{"name": "robin", "protocols": ["ftps"]}], "robin", "FTPS with a home of its own"),
    ],
)
def test_others_do_not(users: Any, name: str, said: str) -> None:
    (found,) = problems(users, readers=[name])
    assert said in found and f"folder 'projects': user {name!r}" in found


def test_the_default_of_all_users_counts() -> None:
    variables = {"ftp_shared_folders": [{"name": "projects", "members": ["batman"]}]}
    settings = Settings.parse({**variables, "ftp_users_defaults": {"access": "upload_only"}})
    found = [str(one) for one in checks.problems(settings, SFTP, HOST) if "shared_folders" in one.subject]
    assert len(found) == 1 and "no upload_only" in found[0]


def test_a_user_who_is_not_listed_has_what_the_host_says() -> None:
    host = Host("debian", "12", has_account=lambda name: True, ftps_names=lambda _path: frozenset({"oracle"}))
    assert "FTPS with a home of its own" in problems([], host, members=["oracle"])[0]
    assert problems([], host, members=["alfred"]) == []


def test_with_one_home_for_both_protocols_everybody_can_have_a_folder() -> None:
    variables = {"ftp_shared_folders": [{"name": "projects", "members": ["robin", "oracle"]}], "ftp_users_home": "one"}
    host = Host("debian", "12", has_account=lambda name: True, ftps_names=lambda _path: frozenset({"oracle"}))
    found = checks.problems(Settings.parse(variables), [{"name": "robin", "password": "x" * 12}], host)
    assert [str(one) for one in found if "shared_folders" in one.subject] == []


def test_a_typo_in_a_key_is_found() -> None:
    (found,) = problems(SFTP, memebers=["batman"])
    assert "unknown key memebers; did you mean members?" in found


def test_a_list_is_expected() -> None:
    settings = Settings.parse({"ftp_shared_folders": {"name": "projects"}})
    assert [str(one) for one in checks.problems(settings, [], HOST)] == [
        "ftp_shared_folders: expected a list of mappings, found {'name': 'projects'}"
    ]
