# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps do: with a systemctl that only writes down what it is told, in directories of the test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._folders import apply as applying
from ansible_collections.secure_ftp.server.plugins.module_utils._folders import plan as planning
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import Host, leave, other_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import SharedFolder
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.state import known_folders, links, read_state
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import Layout, unit_files
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import Mount
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output


class Programs:
    """Programs that do nothing but note what they were called with; ``fail`` fails."""

    def __init__(self, fail: str = "") -> None:
        self.calls: list[str] = []
        self.fail = fail

    def __call__(self, command: Sequence[str]) -> Output:
        self.calls.append(" ".join(command))
        return Output(1, "", "no") if self.fail and self.fail in self.calls[-1] else Output(0, "")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("units", "homes", "etc", "homes/batman"):
        (tmp_path / name).mkdir()
    (tmp_path / "etc" / "passwd").write_text("batman:x:1001:900::/nonexistent:/usr/sbin/nologin\n")
    (tmp_path / "etc" / "group").write_text("sftponly:x:900:\nftpshare-projects:x:980:batman\n")
    (tmp_path / "etc" / "shadow").write_text("")
    monkeypatch.setattr(applying, "read_mounts", list)
    layout = Layout(os.path.realpath(tmp_path / "homes"), str(tmp_path / "sources"))
    return Host(layout, str(tmp_path / "units"), Programs(), str(tmp_path / "etc"))


def enabled(host: Host, *people: tuple[str, str, str], folder: str = "projects") -> None:
    applying.run(planning.WriteUnits(unit_files(folder, host.layout)), host)
    applying.run(planning.Enable((folder,), people), host)


def calls(host: Host) -> list[str]:
    found: list[str] = host.run.calls  # type: ignore[attr-defined]
    return found


def test_units_and_links_are_written_and_removed(host: Host) -> None:
    enabled(host, ("projects", "rw", "batman"), ("projects", "ro", "alfred"))
    assert links(host.units, "projects") == {("rw", "batman"), ("ro", "alfred")}
    link = Path(host.units, "ftp-shared-projects.service.wants", "ftp-shared-projects-rw@batman.service")
    assert link.resolve() == Path(host.units, "ftp-shared-projects-rw@.service").resolve()
    assert Path(host.units, "multi-user.target.wants", "ftp-shared-projects.service").resolve().exists()
    stored = read_state(host.layout, "sftponly", [], host.units, host.run, host.etc, [])
    found = stored.found("projects")
    assert found.at_boot and not found.running and found.files == unit_files("projects", host.layout)
    applying.run(planning.Disable((("projects", "ro", "alfred"),)), host)
    assert links(host.units, "projects") == {("rw", "batman")}
    applying.run(planning.Disable((("projects", "rw", "batman"),)), host)
    applying.run(planning.RemoveUnits(("projects",)), host)
    assert sorted(os.listdir(host.units)) == ["multi-user.target.wants"] and known_folders(host.units) == []


def test_the_state_is_what_is_mounted(host: Host) -> None:
    homes, source = host.layout.homes, host.layout.source("projects")
    mounts = [
        Mount(f"{homes}/batman/projects", "fuse", source, False),
        Mount(f"{homes}/alfred/projects", "fuse", source, True),
        Mount(f"{homes}/robin/projects", "ext4", "/dev/vda1", False),
        Mount(f"{homes}/robin/other", "fuse", source, False),
        Mount("/run/ftp-shared/projects/rw", "fuse", source, False),
    ]
    wanted = [SharedFolder("projects", ("batman",))]
    stored = read_state(host.layout, "sftponly", wanted, host.units, host.run, host.etc, mounts)
    assert stored.found("projects").mounted == {("rw", "batman"), ("ro", "alfred")}


def test_members_are_set_in_one_call_and_an_empty_list_is_possible(host: Host) -> None:
    applying.run(planning.SetMembers("ftpshare-projects", ("batman", "robin")), host)
    applying.run(planning.SetMembers("ftpshare-projects", ()), host)
    assert calls(host) == [
        "gpasswd --members batman,robin ftpshare-projects",
        "gpasswd --members  ftpshare-projects",
    ]


def test_places_are_roots_and_a_full_one_stays(host: Host) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    home = f"{host.layout.homes}/batman"
    applying.run(planning.MakePlaces(((home, "projects"),)), host)
    found = os.stat(f"{home}/projects")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o755)
    Path(home, "projects", "mine").write_text("x")
    applying.run(planning.RemovePlaces(((home, "projects"),)), host)
    assert os.path.exists(f"{home}/projects/mine")
    os.unlink(f"{home}/projects/mine")
    applying.run(planning.RemovePlaces(((home, "projects"), (home, "gone"))), host)
    assert os.listdir(home) == []


def test_a_link_or_a_file_in_the_place_is_put_aside_and_not_followed(host: Host, tmp_path: Path) -> None:
    """Its user could put it there while nothing was mounted, and would otherwise stop every run."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    home = f"{host.layout.homes}/batman"
    etc = os.stat(tmp_path / "etc")
    for number in range(2):
        os.symlink(tmp_path / "etc", f"{home}/projects")
        applying.run(planning.RemovePlaces(((home, "projects"),)), host)
        assert os.path.islink(f"{home}/projects"), "this removes an empty directory and nothing else"
        applying.run(planning.MakePlaces(((home, "projects"),)), host)
        assert os.path.isdir(f"{home}/projects") and not os.path.islink(f"{home}/projects")
        os.rmdir(f"{home}/projects")
        assert len(os.listdir(home)) == number + 1
    Path(home, "projects").write_text("mine")
    applying.run(planning.MakePlaces(((home, "projects"),)), host)
    assert "mine" in [Path(home, name).read_text() for name in os.listdir(home) if os.path.isfile(f"{home}/{name}")]
    assert os.stat(tmp_path / "etc").st_mtime == etc.st_mtime


def test_a_unit_that_does_not_start_is_an_error_that_names_it(host: Host) -> None:
    failing = host._replace(run=Programs("restart"))
    with pytest.raises(SecureFtpError, match=r"journalctl -u ftp-shared-projects\.service"):
        applying.run(planning.Start(("ftp-shared-projects.service",), (), ()), failing)


def test_what_is_not_mounted_after_all_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    step = planning.Expect((SharedFolder("projects", ("batman",)),))
    with pytest.raises(SecureFtpError, match="batman/projects"):
        applying.run(step, host)
    point = f"{host.layout.homes}/batman/projects"
    there = [Mount(point, "fuse", host.layout.source("projects"), False)]
    monkeypatch.setattr(applying, "read_mounts", lambda: there)
    applying.run(step, host)
    with pytest.raises(SecureFtpError, match="to read"):
        applying.run(planning.Expect((SharedFolder("projects", (), ("batman",)),)), host)


def test_who_left_must_not_have_it_mounted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    point = f"{host.layout.homes}/batman/projects"
    mount = Mount(point, "fuse", host.layout.source("projects"), False)
    step = planning.Stop(("ftp-shared-projects-rw@batman.service",), (point,))
    applying.run(step, host)
    assert len(calls(host)) == 2 and "reset-failed" in calls(host)[1]
    answers = [[mount], []]
    monkeypatch.setattr(applying, "read_mounts", lambda: answers.pop(0))
    applying.run(step, host)
    assert calls(host)[-1] == f"umount --no-canonicalize --lazy {point}", "a unit that failed unmounts nothing"
    monkeypatch.setattr(applying, "read_mounts", lambda: [mount])
    with pytest.raises(SecureFtpError, match=f"{point}.*still mounted"):
        applying.run(step, host)


# --- a user who is deleted ------------------------------------------------------------------------------------------


def test_a_deleted_user_leaves_every_folder(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    enabled(host, ("projects", "rw", "batman"), ("projects", "rw", "joker"))
    enabled(host, ("other", "ro", "joker"), folder="other")
    calls(host).clear()
    leave(["batman", "joker"], host)
    assert links(host.units, "projects") == {("rw", "batman")}, "batman has an account"
    assert links(host.units, "other") == frozenset()
    assert calls(host)[:1] == [
        "systemctl stop ftp-shared-other-ro@joker.service ftp-shared-projects-rw@joker.service",
    ]
    calls(host).clear()
    leave(["joker"], host)
    assert calls(host) == [], "nothing to do costs nothing"


def test_the_mounts_of_folders_are_not_in_the_way_of_a_removal(host: Host) -> None:
    enabled(host, ("projects", "rw", "joker"))
    homes, source = host.layout.homes, host.layout.source("projects")
    mounts = [
        Mount(f"{homes}/joker/projects", "fuse", source, False),
        Mount(f"{homes}/joker/usb", "ext4", "/dev/sdb1", False),
        Mount(f"{homes}/joker/elsewhere", "fuse", source, False),
    ]
    assert other_mounts(mounts, host.units) == [f"{homes}/joker/usb", f"{homes}/joker/elsewhere"]


def test_a_host_without_folders_is_asked_nothing(host: Host) -> None:
    point: Any = Mount("/home/sftp/x", "ext4", "/dev/sdb1", False)
    leave(["batman"], host)
    assert calls(host) == [] and other_mounts([point], host.units) == ["/home/sftp/x"]
