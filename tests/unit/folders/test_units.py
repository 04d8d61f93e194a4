# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of a shared folder: their names, their text, and what the scripts in them do with a hostile directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._folders.units import (
    MOUNT,
    UNMOUNT,
    Layout,
    folder_of,
    folder_unit,
    link_of,
    person_of,
    person_template,
    person_unit,
    unit_files,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import mount_points

LAYOUT = Layout("/home/sftp", "/srv/ftp-shared")


def test_names_lead_to_units_and_back() -> None:
    assert folder_unit("projects") == "ftp-shared-projects.service"
    assert person_unit("projects", "rw", "bat.man-1") == "ftp-shared-projects-rw@bat.man-1.service"
    assert person_of(person_unit("a-rw", "ro", "x-rw")) == ("a-rw", "ro", "x-rw")
    assert folder_of(folder_unit("a-rw")) == "a-rw"
    for other in ("ssh.service", "ftp-shared-.service", "ftp-shared-A.service", "ftp-shared-a@b.service", "x"):
        assert folder_of(other) is None and person_of(other) is None
    assert link_of("/etc/systemd/system", "a", "ro", "b").endswith(
        "/system/ftp-shared-a.service.wants/ftp-shared-a-ro@b.service"
    )


def test_a_folder_has_three_unit_files() -> None:
    files = unit_files("projects", LAYOUT)
    assert sorted(files) == [
        "ftp-shared-projects-ro@.service",
        "ftp-shared-projects-rw@.service",
        "ftp-shared-projects.service",
    ]
    assert person_template("projects", "ro") in files
    for text in files.values():
        assert text.startswith("# Managed by Ansible (secure_ftp.server.ftp_shared_folders)\n[Unit]\n")


def test_the_daemon_has_the_account_of_the_folder_and_one_capability() -> None:
    lines = unit_files("projects", LAYOUT)["ftp-shared-projects.service"].splitlines()
    assert {"User=ftpshare-projects", "NoNewPrivileges=yes", "Restart=always"} <= set(lines)
    assert "CapabilityBoundingSet=CAP_SYS_ADMIN" in lines, "not CAP_SYS_RESOURCE: it would be above every quota"
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert "nosuid,nodev,noexec" in start and "/srv/ftp-shared/projects" in start


def test_a_unit_never_keeps_the_daemons_from_starting() -> None:
    """A folder that fails at boot is tried again and again, and each time what is ordered after it would wait.

    Without DefaultDependencies=no the target multi-user.target is ordered after it, too.
    """
    for name, text in unit_files("projects", LAYOUT).items():
        assert "DefaultDependencies=no" in text and "TimeoutStartSec=" in text, name
        assert "RequiredBy" not in text and "Before=shutdown.target\n" in text and text.count("Before=") == 1


@pytest.mark.parametrize(
    "homes", ["/home/a b", "/home/%n", "/home/$x", '/home/"', "/home/a\\b", "/home/", "home", "/a/../b"]
)
def test_a_jail_whose_path_means_something_to_systemd_is_a_problem(homes: str) -> None:
    assert Layout(homes).problem and not LAYOUT.problem and not Layout("/srv/sftp-1_a.b+c").problem


# --- the scripts, as root, with the directory of a user who plants links -------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount")
    path = Path(os.path.realpath(tmp_path))
    for name in ("source", "home", "system"):
        (path / name).mkdir()
    (path / "source" / "file").write_text("shared")
    (path / "system" / "passwd").write_text("root")
    if subprocess.run(["mount", "--bind", path / "source", path / "source"], check=False).returncode:
        pytest.skip("this sandbox cannot mount")
    yield path
    for point in reversed([one for one in mount_points() if one.startswith(str(path))]):
        subprocess.run(["umount", "--lazy", point], check=True)


def script(text: str, *arguments: Path) -> int:
    return subprocess.run(["/bin/sh", "-ec", text, "sh", *arguments], check=False, capture_output=True).returncode


def mounted(path: Path) -> list[str]:
    return [one for one in mount_points() if one.startswith(str(path))]


def test_mount_and_unmount(place: Path) -> None:
    at = place / "home" / "projects"
    assert script(MOUNT, at, place / "source") == 0, "the directory is made when it is not there"
    assert (at / "file").read_text() == "shared"
    assert script(MOUNT, at, place / "source") == 0
    assert mounted(at) == [str(at)], "what was there before is unmounted: it may be that of a bindfs that is dead"
    assert script(UNMOUNT, at) == 0 and mounted(at) == [] and list(at.iterdir()) == []
    assert script(UNMOUNT, at) == 0, "and once more: nothing to do"
    at.rmdir()
    assert script(UNMOUNT, at) == 0


@pytest.mark.parametrize("target", ["system", "nowhere", "../system", "source"])
def test_a_link_in_the_place_of_the_directory_is_refused(place: Path, target: str) -> None:
    at = place / "home" / "projects"
    at.symlink_to(target if target.startswith("..") else place / target)
    before = mounted(place)
    assert script(MOUNT, at, place / "source") != 0
    script(UNMOUNT, at)
    assert mounted(place) == before and (place / "system" / "passwd").read_text() == "root"


def test_what_is_mounted_is_unmounted_by_what_the_kernel_says(place: Path) -> None:
    """A dead bindfs answers nothing: neither a test for a directory nor one for a mount point may ask it."""
    assert "/proc/self/mountinfo" in UNMOUNT and not any(word in UNMOUNT for word in ("[", "cd ", "mountpoint"))
    (place / "home" / "projects").symlink_to(place / "source")
    assert script(UNMOUNT, place / "home" / "projects") == 0
    assert mounted(place / "source") == [str(place / "source")], "a link to a mount point is no mount point"


def test_a_file_in_the_place_of_the_directory_is_refused(place: Path) -> None:
    at = place / "home" / "projects"
    at.write_text("mine")
    assert script(MOUNT, at, place / "source") != 0 and at.read_text() == "mine"
