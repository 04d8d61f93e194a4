# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of shared folders: what is accepted, and one clear problem for each thing that is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import (
    MAX_NAME,
    SharedFolder,
    folders_from_list,
    parse,
)


def test_a_folder_has_members_and_readers() -> None:
    (folder,) = folders_from_list([{"name": "projects", "members": ["robin", "batman"], "readers": ["alfred"]}])
    assert folder == SharedFolder("projects", ("batman", "robin"), ("alfred",))
    assert folder.people == {"batman": "rw", "robin": "rw", "alfred": "ro"}
    assert folders_from_list([{"name": "a", "members": None, "state": None}]) == [SharedFolder("a")]


def test_an_absent_folder_has_nobody() -> None:
    (folder,) = folders_from_list([{"name": "projects", "members": ["batman"], "state": "absent"}])
    assert folder == SharedFolder("projects", present=False)


def test_the_account_of_the_longest_name_is_a_valid_account() -> None:
    (folder,) = folders_from_list([{"name": "p" * MAX_NAME}])
    assert len(folder.account) == 32


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "../x"}, "small letters"),
        ({"name": "a/b"}, "small letters"),
        ({"name": ".."}, "small letters"),
        ({"name": ""}, "small letters"),
        ({"name": "-o"}, "small letters"),
        ({"name": "projects\n"}, "small letters"),
        ({"name": "a\\x2db"}, "small letters"),
        ({"name": "a@b"}, "small letters"),
        ({"name": "%n"}, "small letters"),
        ({"name": "$x"}, "small letters"),
        ({"name": "Projects"}, "small letters"),
        ({"name": "p" * (MAX_NAME + 1)}, f"at most {MAX_NAME} characters"),
        ({"name": 5}, "a string"),
        ({"members": ["batman"]}, "the name is missing"),
        ({"name": "a", "members": "batman"}, "a list"),
        ({"name": "a", "members": 5, "readers": 5}, "a list"),
        ({"name": "a", "members": [5]}, "a list of names"),
        ({"name": "a", "members": ["../x"]}, "only letters"),
        ({"name": "a", "readers": ["a b"]}, "only letters"),
        ({"name": "a", "members": ["batman"], "readers": ["batman"]}, "'batman'.*a member and a reader"),
        ({"name": "a", "members": ["batman", "batman"]}, "'batman'.*listed 2 times"),
        ({"name": "a", "state": "gone"}, "present or absent"),
        ({"name": "a", "member": ["batman"]}, "unknown key member; did you mean members"),
        ({"name": "a", "quota": "50 GB"}, "quota: expected bytes such as 10G"),
        ("projects", "a mapping"),
    ],
)
def test_what_is_wrong_is_one_problem(entry: Any, said: str) -> None:
    with pytest.raises(SecureFtpError, match=said) as caught:
        folders_from_list([entry])
    assert "ftp_shared_folders[0]" in str(caught.value)


def test_every_wrong_entry_is_told_and_the_others_are_read() -> None:
    folders, problems = parse([{"name": "A"}, {"name": "good"}, {"name": "b", "memmbers": []}, {"name": "good"}])
    assert [folder.name for folder in folders] == ["good", "good"]
    assert [problem.subject.partition(":")[0] for problem in problems] == [
        "ftp_shared_folders[0] ('A')",
        "ftp_shared_folders[2] ('b')",
        "ftp_shared_folders",
    ]
    assert "'good'" in str(problems[-1]) and "listed 2 times" in str(problems[-1])


def test_a_list_is_expected() -> None:
    with pytest.raises(SecureFtpError, match="a list of mappings, found a mapping"):
        folders_from_list({"name": "projects"})
