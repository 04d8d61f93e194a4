# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel counts and limits: read from and written with the tools, whose answers here are those of 4.06."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import quotas
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import Mount, mount_of
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Limit, Usage, count, read, write

HEAD = (
    "User,BlockStatus,FileStatus,BlockUsed,BlockSoftLimit,BlockHardLimit,BlockGrace,"
    "FileUsed,FileSoftLimit,FileHardLimit,FileGrace\n"
)
REPORT = HEAD + "#0,ok,ok,13,0,0,,2,0,0,\n#1000,hard,ok,8192,0,2048,,2,0,0,\n#1001,ok,ok,0,100,0,,0,0,9,\n"
ON, COUNTS, OFF = 3, 1, 0


def mount(kind: str = "ext4", options: str = "rw", point: str = "/home", source: str = "/dev/null") -> Mount:
    return Mount(point, kind, source, False, frozenset(options.split(",")), "254:16")


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "find_program", lambda name: f"/usr/sbin/{name}")


class Tools:
    """repquota with an answer, and setquota, which changes it to ``after``."""

    def __init__(self, report: str = REPORT, after: str | None = None, rc: int = 0, err: str = "") -> None:
        self.report, self.after, self.rc, self.err = report, after, rc, err
        self.asked: list[Any] = []

    def run(self, command: Sequence[str]) -> Output:
        self.asked.append(list(command))
        return Output(self.rc, "" if self.rc else self.report, self.err)

    def execute(self, command: Sequence[str], data: str) -> Output:
        self.asked.append((list(command), data))
        self.report = self.report if self.after is None else self.after
        return Output(self.rc, "", self.err)


def counted(mounts: Mount, state: int, tools_: Tools | None = None) -> quotas.Counted:
    return count("/home/sftp", [mount(point="/", options="rw"), mounts], (tools_ or Tools()).run, lambda _device: state)


def test_what_is_used_and_the_limits_are_read_by_user_id() -> None:
    tools_ = Tools()
    found = read("/dev/vdb", tools_.run)
    assert found[1000] == Usage(8192 << 10, 2, Limit(2048 << 10, 0))
    assert found[1001] == Usage(0, 0, Limit(100 << 10, 9)), "a limit made by hand that is not a hard one"
    assert tools_.asked == [["repquota", "--user", "--no-names", "--verbose", "--output=csv", "/dev/vdb"]]


@pytest.mark.parametrize(
    "report", ["*** Report for user quotas\n#0 ok\n", HEAD + "robin,ok,ok,x,0,0,,2,0,0,\n", HEAD + "#1,ok\n"]
)
def test_another_answer_is_an_error_and_no_traceback(report: str) -> None:
    if report.startswith("***"):
        report = "a,b\n1,2\n"
    with pytest.raises(SecureFtpError, match="repquota: expected a table of numbers"):
        read("/dev/vdb", Tools(report).run)


def test_a_tool_that_fails_says_why() -> None:
    said = "repquota: Mountpoint (or device) /dev/vdb not found or has no quota enabled."
    with pytest.raises(SecureFtpError, match="has no quota enabled"):
        read("/dev/vdb", Tools(rc=1, err=said).run)


def test_who_wants_no_limit_needs_no_answer_of_the_tools() -> None:
    found = counted(mount(options="rw,usrquota"), ON, Tools(rc=1, err="repquota: error"))
    assert not found.works and found.problem is not None and found.problem.found == "repquota: error"


def test_limits_are_set_in_one_call_and_read_back() -> None:
    after = HEAD + "#1000,ok,ok,0,0,5120,,0,0,7,\n#1001,ok,ok,0,0,0,,0,0,0,\n"
    tools_ = Tools(after=after)
    write("/dev/vdb", {1000: Limit(5 << 20, 7), 1001: Limit()}, tools_.run, tools_.execute)
    assert tools_.asked[0] == (["setquota", "--user", "--batch", "/dev/vdb"], "1000 0 5120 0 7\n1001 0 0 0 0\n")
    with pytest.raises(SecureFtpError, match="user id 1000: expected limits of 6291456 bytes and 0 files after"):
        write("/dev/vdb", {1000: Limit(6 << 20)}, tools_.run, tools_.execute)
    refused = Tools(rc=1, err="setquota: Cannot set quota for user 1002 from kernel on /dev/vdb: out of range")
    with pytest.raises(SecureFtpError, match="Cannot set quota for user 1002"):
        write("/dev/vdb", {1002: Limit(1 << 50)}, refused.run, refused.execute)


def test_a_file_system_that_enforces_them_works() -> None:
    for one in (mount(options="rw,quota,usrquota"), mount("xfs", "rw,usrquota")):
        found = counted(one, ON)
        assert found.works and (found.device, found.point) == ("/dev/null", "/home")
        assert found.of(1000).limit == Limit(2 << 20) and found.of(4711) == Usage()


def test_one_that_only_counts_does_not_whatever_quotaon_says() -> None:
    """Measured: ext4 with the feature quota, mounted without usrquota, took 8 MiB of a user with a limit of 2 MiB."""
    found = counted(mount(), COUNTS)
    assert not found.works and found.used[1000].limit == Limit(2 << 20) and found.of(1000) == Usage()
    assert found.problem is not None and found.problem.found == "that it counts, but lets everybody pass the limits"
    said = "give it the option usrquota in /etc/fstab, install the package quota, then: "
    assert found.problem.remedy == said + "mount -o remount,usrquota /home && quotaon -u /home"
    xfs = counted(mount("xfs", "rw,uqnoenforce"), COUNTS)
    assert xfs.problem is not None and xfs.problem.remedy.startswith("give it the option uquota in")


def test_one_without_says_the_commands() -> None:
    tools_ = Tools()
    problem = counted(mount(), OFF, tools_).problem
    assert problem is not None and tools_.asked == [], "there is nothing to read"
    assert problem.remedy.endswith("mount -o remount,usrquota /home && quotacheck -cum /home && quotaon -u /home")
    for option in ("usrquota", "usrjquota=aquota.user"):
        mounted = counted(mount(options=f"rw,{option}"), OFF).problem
        assert mounted is not None and mounted.remedy.endswith("then: quotacheck -cum /home && quotaon -u /home")
    xfs = counted(mount("xfs", "rw,noquota"), OFF).problem
    assert xfs is not None and xfs.remedy.endswith("then: umount /home && mount /home")
    root = count("/home", [mount("xfs", point="/")], Tools().run, lambda _device: OFF).problem
    assert root is not None and "rootflags=uquota" in root.remedy


def test_limits_that_are_there_survive_the_commands(tmp_path: Path) -> None:
    """ "quotacheck -c" makes a new list, without the limits of the old one."""

    def commands() -> str:
        return count(str(tmp_path), [mount(point=str(tmp_path))], Tools().run, lambda _device: OFF).switch_on

    assert f"quotacheck -cum {tmp_path} && quotaon" in commands()
    (tmp_path / "aquota.user").touch()
    assert f"quotacheck -um {tmp_path} && quotaon" in commands()


@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        ("btrfs", "/dev/null", "Btrfs, which limits by subvolume alone"),
        ("overlay", "overlay", "a file system that does not"),
        ("ext4", "/dev/not-here", "one whose device is not there, as in a container"),
    ],
)
def test_one_that_cannot_have_any_is_said_so(kind: str, source: str, said: str) -> None:
    found = counted(mount(kind, source=source), ON)
    assert not found.works and found.problem is not None and found.problem.subject == f"/home ({kind})"
    assert (found.problem.expected, found.problem.found) == (
        "a file system that limits by user id: ext4 or XFS",
        said,
    )


def test_without_the_package_it_is_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "find_program", lambda _name: None)
    found = counted(mount(options="rw,usrquota"), ON)
    assert found.problem == quotas.no_tools() and not found.works
    off = counted(mount(), OFF).problem
    assert off is not None and "mount -o remount,usrquota" in off.remedy, "the first thing that is wrong"


def test_the_mount_of_a_path_is_the_deepest_and_the_last() -> None:
    mounts = [mount(point="/"), mount(point="/srv"), mount(point="/srv/a"), mount(point="/srv/a", kind="xfs")]
    assert mount_of("/srv/a/b", mounts) == mounts[3] and mount_of("/srv/ab", mounts) == mounts[1]
    assert mount_of("/nowhere/x", mounts) == mounts[0] and mount_of("/srv", []) is None


def test_the_kernel_is_asked_and_a_strange_device_is_no_error() -> None:
    assert quotas.state_of("/dev/null") == quotas.state_of("/nowhere") == 0
