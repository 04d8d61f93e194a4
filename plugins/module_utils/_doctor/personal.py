# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of ``user_config_dir``: the files that give some FTPS users other rights and directories."""

from __future__ import annotations

import os
import stat
from typing import Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import ERROR, Finding, Kind, Reporter
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import writable_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes

KINDS: dict[str, Kind] = {
    "user-file-unusable": Kind(
        ERROR,
        "the file with the settings of one FTPS user is not a regular file",
        "vsftpd denies that user the log-in.",
        "ls -l {path}",
    ),
}
found = Reporter(KINDS)


def personal_findings(homes: Homes, names: Sequence[str], files: Mapping[str, Personal]) -> Iterator[Finding]:
    """Examine the ``files`` of users ``names`` and the directories they give.

    vsftpd denies the log-in if the file does not belong to root or is not a regular file (parseconf.c); it does not
    mind if others can write it. The directories belong to the administrator: this checks only that they exist.
    """
    if not homes.config_directory:
        return
    yield from writable_findings(homes.config_directory)
    try:
        there = set(os.listdir(homes.config_directory))
    except OSError:
        there = set()
    for name in sorted(there.intersection(names)):  # of many users few have a file
        path = homes.personal_file(name)
        try:
            kind = os.stat(path).st_mode
        except (OSError, ValueError):
            continue
        yield from writable_findings(path)
        if not stat.S_ISREG(kind):
            what = f"{path}: expected a regular file with settings of user {name}, found something else"
            yield found("user-file-unusable", what, path, path=path)
        root = homes.own(name, files)
        if root and not os.path.isdir(root):
            fix = f"install -d {quoted(root)} || ls -l {quoted(path)}"
            what = f"{root}: missing, or not a directory; {path} gives it to user {name}"
            yield found("ftps-directory-missing", what, root, fix)
