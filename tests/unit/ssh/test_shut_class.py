# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of users who only use FTPS: in the jail's group, and in a class that cannot log in."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import is_class, shut_class
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    BEGIN,
    Jail,
    classes_in,
    classes_kept,
    parse,
    shared_homes,
    with_classes,
    with_jail,
)

TEXT = with_jail("Port 22\n", Jail())
SHUT = shut_class("sftponly")


def test_the_class_stands_first_and_switches_off_every_method() -> None:
    text = with_classes(TEXT, "sftponly", ["sftponly-ro", SHUT])
    lines = text[text.index(BEGIN) :].splitlines()
    assert lines[1:7] == [
        f"Match Group {SHUT}",
        "    ForceCommand internal-sftp -d /%u",
        "    PasswordAuthentication no",
        "    KbdInteractiveAuthentication no",
        "    PubkeyAuthentication no",
        "    HostbasedAuthentication no",
    ]
    assert list(classes_in(parse(text), "sftponly")) == [SHUT, "sftponly-ro"]
    assert is_class("sftponly", SHUT) and not is_class("sftponly", "sftponly-ftpsx")
    assert classes_kept(text, "sftponly") == (SHUT, "sftponly-ro")
    assert with_classes(text, "sftponly", []) == text


def test_whose_homes_are_those_of_both_protocols() -> None:
    assert shared_homes(parse(TEXT)) is None, "without the class, users of FTPS have no accounts"
    assert shared_homes(parse(with_classes(TEXT, "sftponly", [SHUT]))) == "/home/sftp"
    assert shared_homes([]) is None
    other = with_jail("", Jail(group="others", directory="/srv/files", classes=("others-ftps",)))
    assert shared_homes(parse(other)) == "/srv/files"
