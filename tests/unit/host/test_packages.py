# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages are installed, told by dpkg-query."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._host.packages import installed
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import MissingProgram, Output


def test_only_what_is_installed_and_not_what_was_removed_or_is_unknown() -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> Output:
        asked.append(command)
        return Output(1, "vsftpd installed\nsudo config-files\n", "dpkg-query: no packages found matching nothing-such")

    assert installed(["vsftpd", "sudo", "nothing-such", "vsftpd"], run) == ["vsftpd"]
    assert asked[0][-3:] == ["nothing-such", "sudo", "vsftpd"]


def test_a_host_without_dpkg_has_none() -> None:
    def run(command: Sequence[str]) -> Output:
        raise MissingProgram("dpkg-query", found="it is missing")

    assert installed(["vsftpd"], run) == [] and installed([], run) == []


def test_this_machine_says_what_it_has() -> None:
    assert installed(["dpkg", "never-heard-of-it"]) == ["dpkg"]
