# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas that nothing enforces, and those that are nearly used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.quotas import Owner, examined_quotas
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Limit, Usage

OFF = Problem("/home (ext4)", "user quotas that are enforced", "none")
ON = "mount -o remount,usrquota /home && quotacheck -cum /home && quotaon -u /home"
ANN = Owner("ann", 1001, ("ftp-users edit ann --quota BYTES", "ftp-users edit ann --quota-files NUMBER"))
BOB = Owner("bob", 1002, ("ftp-users edit bob --quota BYTES", "ftp-users edit bob --quota-files NUMBER"))


def found(counted: Counted) -> list[tuple[str, str, str]]:
    return [(one.subject, one.what, one.fix) for one in examined_quotas(counted, [ANN, BOB])]


def used(**usage: Usage) -> dict[int, Usage]:
    return {{"ann": 1001, "bob": 1002, "other": 4711}[name]: one for name, one in usage.items()}


def on(**usage: Usage) -> Counted:
    return Counted("/dev/vdb", "/home", used(**usage))


def off(switch_on: str = ON, **more: Any) -> Counted:
    return Counted("/dev/vdb", "/home", more.pop("used", {}), OFF, switch_on)


def test_limits_that_nobody_enforces() -> None:
    (one,) = found(off(used=used(ann=Usage(limit=Limit(1 << 20)), other=Usage(limit=Limit(1)))))
    assert one == ("quota-off", "/home: the quotas of ann are not enforced", ON)
    (tools,) = found(off("", used=used(bob=Usage(limit=Limit(0, 5)))))
    assert tools[2] == "apt-get install quota"


def test_without_a_limit_quotas_need_not_be_on() -> None:
    assert found(off()) == found(off(used=used(ann=Usage(5, 5), other=Usage(limit=Limit(1))))) == []


def test_limits_that_a_boot_without_the_option_has_left_behind(tmp_path: Path) -> None:
    counted = Counted("/dev/vdb", str(tmp_path), {}, OFF, ON)
    assert found(counted) == []
    (tmp_path / "aquota.user").touch()
    (one,) = found(counted)
    assert one[0] == "quota-off" and one[1] == f"{tmp_path}: the limits in {tmp_path}/aquota.user are not enforced"


def test_nearly_used_is_more_than_90_per_cent_of_bytes_or_files() -> None:
    assert found(on(ann=Usage(900, 9, Limit(1000, 10)), bob=Usage(10**9, 10**6))) == []
    (one,) = found(on(ann=Usage(901 << 10, 2, Limit(1000 << 10, 10)), bob=Usage(0, 10, Limit(0, 10))))
    assert one == (
        "quota-nearly-used",
        "ann: 90 % of 1000K, bob: 10 of 10 files",
        "ftp-users edit ann --quota BYTES && ftp-users edit bob --quota-files NUMBER",
    )
