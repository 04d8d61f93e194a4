# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The systemd units of a shared folder, as text.

``ftp-shared-NAME.service`` runs bindfs(1): it shows the files of the folder with the same owner, group and permissions
to everybody, whatever the client asks for. So each member reads and writes what another one uploads, also with an
OpenSSH client, which gives a new file the mode of the local one. Bindfs has the user id of the folder's account and one
capability, to mount.

``ftp-shared-NAME-rw@USER.service`` and ``-ro@USER.service`` put that into the home of a user. They are enabled for the
folder (``ftp-shared-NAME.service.wants``): started with it, and stopped with it, when bindfs has ended too. These are
no mount units: the home belongs to the user, who could put a link in the place of the directory, and mount(8) would
follow it, to any directory of the host. The script goes into the directory first and mounts where it is then.

Sources: systemd.unit(5), systemd.service(5) and systemd.exec(5) of systemd 245 to 257, bindfs(1), mount(8).
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.folder import (
    READ_ONLY,
    READ_WRITE,
    account_of,
    is_name,
)

UNITS = "/etc/systemd/system"
RUN = "/run/ftp-shared"
BINDFS = "/usr/bin/bindfs"
BESIDE = """DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
Conflicts=shutdown.target
Before=shutdown.target
"""
"""Nothing at boot waits for a folder, sshd and vsftpd neither: who logs in before it is mounted sees it when it is.

A unit that fails at boot is started again while others still wait for it: with ``Before=ssh.service`` sshd never
started (tried with systemd 247 and 257).
"""

MARK = "# Managed by Ansible (secure_ftp.server.ftp_shared_folders)\n"

_PATH = re.compile(r"/[A-Za-z0-9/._+-]+\Z")
_FOLDER = re.compile(r"ftp-shared-([a-z0-9_-]+)\.service\Z")
_PERSON = re.compile(r"ftp-shared-([a-z0-9_-]+)-(rw|ro)@([A-Za-z0-9._-]+)\.service\Z")

# What is mounted cannot be renamed or removed, so this name is still that of the mount. mountinfo answers also when
# bindfs is dead, and every question about the directory itself fails.
UNMOUNT = (
    'while cut -d " " -f 5 /proc/self/mountinfo | grep -qxF -- "$1"; '
    'do umount --no-canonicalize --lazy -- "$1" || exit; done; exit 0'
)
"""Unmounts $1, if it is a mount point; what is open stays open."""

# Inside the directory its name no longer matters; "." is where we are, whatever a user does with the name meanwhile.
MOUNT = (
    f'{UNMOUNT[: -len(" exit 0")]} [ -e "$1" ] || mkdir -m 0755 -- "$1"; cd -- "$1"; '
    '[ "$(pwd -P)" = "$1" ] || { echo "$1: not a directory of its own" >&2; exit 1; }; '
    'exec mount --no-canonicalize --bind -- "$2" .'
)
"""Mounts $2 at $1; what was mounted there before may be that of a bindfs that is dead."""

_PREPARE = (
    'umount -q -l "$1/ro" || :; umount -q -l "$1/rw" || :; '
    'install -d -m 0711 "${1%/*}"; install -d -g "$2" -m 0750 "$1"; install -d -g "$2" -m 0750 "$1/rw" "$1/ro"'
)
_READ_ONLY = 'mount --bind "$1/rw" "$1/ro"; mount -o remount,bind,ro,nosuid,nodev,noexec "$1/ro"'
_CLEAN = 'umount -q -l "$1/ro" || :; umount -q -l "$1/rw" || :'


class Layout(NamedTuple):
    """Where things are: ``homes`` above the users' directories, ``sources`` above the folders' files."""

    homes: str
    sources: str = "/srv/ftp-shared"

    @property
    def problem(self) -> Problem | None:
        """Why units cannot be written with these paths; None when they can."""
        if _PATH.match(self.homes) and os.path.normpath(self.homes) == self.homes:
            return None
        expected = "a path of letters, digits and /._+- for shared folders, as systemd gives others a meaning"
        return Problem(
            "the jail (ChrootDirectory)", expected, repr(self.homes), "move the jail, or use no shared folder"
        )

    def source(self, folder: str) -> str:
        """Where the files of ``folder`` are; only its account can enter it."""
        return os.path.join(self.sources, folder)

    def place(self, folder: str, person: str) -> str:
        """Where the user ``person`` finds ``folder``."""
        return os.path.join(self.homes, person, folder)


def folder_unit(folder: str) -> str:
    """The unit that runs bindfs."""
    return f"ftp-shared-{folder}.service"


def person_template(folder: str, right: str) -> str:
    """The file of the units ``person_unit``."""
    return f"ftp-shared-{folder}-{right}@.service"


def person_unit(folder: str, right: str, person: str) -> str:
    """The unit that puts ``folder`` into the home of ``person``; every name of a user may be a part of it."""
    return f"ftp-shared-{folder}-{right}@{person}.service"


def folder_of(unit: str) -> str | None:
    """The folder of a ``folder_unit``; None for any other unit."""
    found = _FOLDER.match(unit)
    return found[1] if found and is_name(found[1]) else None


def person_of(unit: str) -> tuple[str, str, str] | None:
    """Folder, right and user of a ``person_unit``; None for any other unit."""
    found = _PERSON.match(unit)
    return (found[1], found[2], found[3]) if found and is_name(found[1]) else None


def wants_of(units: str, folder: str) -> str:
    """The directory with a link for each user of ``folder``: who they are, is nowhere else."""
    return os.path.join(units, f"{folder_unit(folder)}.wants")


def link_of(units: str, folder: str, right: str, person: str) -> str:
    """The link that enables ``person_unit``."""
    return os.path.join(wants_of(units, folder), person_unit(folder, right, person))


def boot_link_of(units: str, folder: str) -> str:
    """The link that starts ``folder`` at boot."""
    return os.path.join(units, "multi-user.target.wants", folder_unit(folder))


def run_directory(folder: str, right: str = "") -> str:
    """Where bindfs mounts ``folder``: below a directory that only root and members can enter."""
    return os.path.join(RUN, folder, right)


def unit_files(folder: str, layout: Layout) -> dict[str, str]:
    """The text of each file in UNITS that ``folder`` needs."""
    return {
        folder_unit(folder): _folder_text(folder, layout),
        **{person_template(folder, right): _person_text(folder, right, layout) for right in (READ_WRITE, READ_ONLY)},
    }


def _folder_text(folder: str, layout: Layout) -> str:
    account, run, source = account_of(folder), run_directory(folder).rstrip("/"), layout.source(folder)
    options = (
        "allow_other,default_permissions,nosuid,nodev,noexec,force-user=root,"
        f"force-group={account},mirror=@{account},perms=ug=rwX:o=rX,create-with-perms=ug=rwX:o=,"
        "chmod-ignore,chown-ignore,chgrp-ignore,xattr-none"
    )
    return f"""{MARK}[Unit]
Description=Shared folder {folder}
RequiresMountsFor={source}
{BESIDE}StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=forking
User={account}
Group={account}
UMask=0007
AmbientCapabilities=CAP_SYS_ADMIN
CapabilityBoundingSet=CAP_SYS_ADMIN
NoNewPrivileges=yes
SystemCallFilter=@system-service mount umount2
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
DevicePolicy=closed
DeviceAllow=/dev/fuse rw
ExecStartPre=+{_shell(_PREPARE, run, account)}
ExecStart={BINDFS} -o {options} {source} {run}/rw
ExecStartPost=+{_shell(_READ_ONLY, run)}
ExecReload=/bin/kill -USR1 $MAINPID
ExecStopPost=+{_shell(_CLEAN, run)}
Restart=always
RestartSec=1
TimeoutStartSec=20
TimeoutStopSec=20

[Install]
WantedBy=multi-user.target
"""


def _person_text(folder: str, right: str, layout: Layout) -> str:
    home = os.path.join(layout.homes, "%i")
    place = os.path.join(home, folder)
    whose = "to read and write" if right == READ_WRITE else "to read"
    return f"""{MARK}[Unit]
Description=Shared folder {folder} for %i {whose}
BindsTo={folder_unit(folder)}
After={folder_unit(folder)}
RequiresMountsFor={home}
{BESIDE}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec {_script(MOUNT)} sh {place} {run_directory(folder, right)}
ExecStop=/bin/sh -ec {_script(UNMOUNT)} sh {place}
TimeoutStartSec=20
TimeoutStopSec=20

[Install]
WantedBy={folder_unit(folder)}
"""


def _shell(script: str, *arguments: str) -> str:
    return " ".join(["/bin/sh", "-ec", _script(script), "sh", *arguments])


def _script(text: str) -> str:
    """``text``, which has no single quotation mark, as one word of a command line of systemd."""
    return "'" + text.replace("%", "%%").replace("$", "$$") + "'"
