# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Which packages of Debian are installed."""

from __future__ import annotations

from typing import Iterable

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import MissingProgram, Run, run_command

_FORMAT = "${Package} ${db:Status-Status}\\n"


def installed(names: Iterable[str], run: Run = run_command) -> list[str]:
    """Those of the packages ``names`` that are installed, sorted; none if dpkg is missing.

    A removed package whose configuration stays is not installed. Source: dpkg-query(1), ``db:Status-Status``; its exit
    status is 1 when it does not know one of them, but it lists the others all the same.
    """
    asked = sorted(set(names))
    if not asked:
        return []
    try:
        answer = run(["dpkg-query", "--show", f"--showformat={_FORMAT}", *asked])
    except MissingProgram:
        return []
    found = (line.partition(" ") for line in answer.out.splitlines())
    return sorted({name for name, _space, status in found if status == "installed"})
