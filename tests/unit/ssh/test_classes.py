# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes of SFTP users with the same rights: groups, each with a Match block in the block of the jail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import (
    class_of,
    command_of,
    rights_by,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    BEGIN,
    END,
    Jail,
    classes_in,
    discovered_group,
    find_jail,
    parse,
    takeover_problems,
    unmarked,
    with_block,
    with_classes,
    with_jail,
)

JAIL = Jail()
TEXT = with_jail("Port 22\n", JAIL)
READ_ONLY = "internal-sftp -d /%u -R"
REQUESTS = "open,close,write,lstat,fstat,stat,opendir,readdir,realpath,statvfs,fstatvfs,fsync,limits"
UPLOAD = f"internal-sftp -d /%u -u 0277 -p {REQUESTS}"


@pytest.mark.parametrize(
    ("access", "umask", "name", "command"),
    [
        ("read_only", "default", "sftponly-ro", READ_ONLY),
        ("upload_only", "default", "sftponly-up", UPLOAD),
        ("read_write", "0027", "sftponly-rw-0027", "internal-sftp -d /%u -u 0027"),
        ("read_only", "0027", "sftponly-ro-0027", "internal-sftp -d /%u -R -u 0027"),
    ],
)
def test_a_class_is_a_group_and_a_command(access: str, umask: str, name: str, command: str) -> None:
    assert class_of("sftponly", access, umask) == name
    assert command_of("sftponly", name, "internal-sftp -d /%u") == command
    assert rights_by(command) == (access, umask)


def test_the_usual_rights_need_no_class() -> None:
    assert class_of("sftponly", "read_write", "default") is None
    assert rights_by("internal-sftp -d /%u") == ("read_write", "default")
    assert rights_by("internal-sftp -f AUTH -l INFO") == ("read_write", "default")


def test_what_others_wrote_is_read_for_what_it_does() -> None:
    assert rights_by("internal-sftp -P write,remove") == ("read_only", "default")
    assert rights_by("internal-sftp -P read") == ("upload_only", "default")
    assert rights_by("internal-sftp -p open,read") == ("read_only", "default")
    assert rights_by("internal-sftp -u 22 -R") == ("read_only", "0022")


def test_a_name_that_is_too_long_for_a_group_is_refused() -> None:
    assert class_of("x" * 29, "read_only", "default") == "x" * 29 + "-ro"
    with pytest.raises(SecureFtpError, match="a group name of at most 32 characters"):
        class_of("x" * 30, "read_only", "default")


def test_classes_stand_before_the_jail_and_say_nothing_else() -> None:
    text = with_classes(TEXT, "sftponly", ["sftponly-up", "sftponly-ro"])
    lines = text[text.index(BEGIN) :].splitlines()
    assert lines[:6] == [
        BEGIN,
        "Match Group sftponly-ro",
        f"    ForceCommand {READ_ONLY}",
        "Match Group sftponly-up",
        f"    ForceCommand {UPLOAD}",
        "Match Group sftponly",
    ]
    assert lines[-2:] == ["Match all", END]
    settings = parse(text)
    assert classes_in(settings, "sftponly") == {"sftponly-ro": READ_ONLY, "sftponly-up": UPLOAD}
    assert discovered_group(settings) == "sftponly"
    assert {key: one.value for key, one in find_jail(settings, "sftponly").items()} == {
        key: one.value for key, one in find_jail(parse(TEXT), "sftponly").items()
    }
    assert takeover_problems(unmarked(text), JAIL) == []


def test_classes_are_added_once_and_never_lost() -> None:
    one = with_classes(TEXT, "sftponly", ["sftponly-ro"])
    assert with_classes(one, "sftponly", ["sftponly-ro"]) == one
    both = with_classes(one, "sftponly", ["sftponly-rw-0027"])
    assert list(classes_in(parse(both), "sftponly")) == ["sftponly-ro", "sftponly-rw-0027"]
    assert with_jail(both, replace(JAIL, classes=("sftponly-ro", "sftponly-rw-0027"))) == both
    assert with_block(both, "remote_control", "User x", {"A": "b"}).startswith(both.partition(BEGIN)[0])


def test_a_class_follows_the_command_of_its_jail() -> None:
    text = with_jail(TEXT, Jail(log_level="INFO", start_directory="/", classes=("sftponly-ro",)))
    assert classes_in(parse(text), "sftponly") == {"sftponly-ro": "internal-sftp -l INFO -d / -R"}
    assert with_classes(text, "sftponly", []) == text


def test_without_the_block_of_the_role_there_is_no_place_for_a_class() -> None:
    for text in ("", "Match Group sftponly\n    ChrootDirectory /home/sftp\n    ForceCommand internal-sftp\n"):
        with pytest.raises(SecureFtpError, match="expected the block of the role sshd_chroot.*apply that role"):
            with_classes(text, "sftponly", ["sftponly-ro"])
    with pytest.raises(SecureFtpError, match="expected the block of the role sshd_chroot"):
        with_classes(TEXT, "others", ["others-ro"])


def test_a_block_behind_the_jail_has_no_effect() -> None:
    text = TEXT + "Match Group sftponly-ro\n    ForceCommand internal-sftp -R\nMatch all\n"
    assert classes_in(parse(text), "sftponly") == {}
    assert classes_in(parse("Match Group sftponly-rwx\n ForceCommand internal-sftp -R\n" + TEXT), "sftponly") == {}
