# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has logged from some moment on, waited for: the daemons of the log write when they come to it."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from conftest import wait_until

LINE = re.compile(
    r"(?:by=(?P<by>'[^']*'|\"[^\"]*\") with=(?P<front>[a-z_]+)|client=(?P<client>'[^']*') from=(?P<address>\S+))"
    r" (?P<verb>[a-z_ -]+?)"
    r"(?: users?=(?P<users>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|,|\.\.\.)+))? result=(?P<result>\w+)(?P<rest>.*)"
)


class Log:
    """What the server has logged since this was made."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.cursor = server.sh("journalctl -q -n 0 --show-cursor | sed -n 's/^-- cursor: //p'").stdout.strip()
        self.size = int(server.sh("stat -c %s /var/log/auth.log 2>/dev/null || echo 0").stdout)

    def messages(self, **only: str) -> list[Any]:
        """The messages of the journal, or ``only`` those with these fields; bytes in them come as a list of numbers.

        journalctl does not choose: behind a cursor it leaves out the first entry that matches.
        """
        words = shlex.quote(f"--after-cursor={self.cursor}")
        lines = self.server.sh(f"journalctl -q --no-pager -o json {words}").stdout.splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry["MESSAGE"] for entry in entries if only.items() <= entry.items()]

    def ours(self) -> list[str]:
        """Our lines, by a process of root: authpriv, whoever else may write something with our tag."""
        return self.messages(SYSLOG_IDENTIFIER="ftp-users", SYSLOG_FACILITY="10", _UID="0")

    def auth(self) -> str | None:
        """What was added to auth.log; None where no syslog daemon writes one."""
        if self.server.sh("systemctl is-active rsyslog", check=False).returncode:
            return None
        return str(self.server.sh(f"tail -c +{self.size + 1} /var/log/auth.log").stdout)

    def wait(self, count: int) -> list[re.Match[str]]:
        """Wait until there are ``count`` lines, in auth.log too; return each taken apart."""
        wait_until(lambda: len(self.ours()) >= count, 60, self.ours)
        lines = self.ours()
        assert len(lines) == count, lines
        if self.auth() is not None:
            wait_until(lambda: all(line in str(self.auth()) for line in lines), 60, self.auth)
            assert len(re.findall(r"ftp-users\[\d+\]:", str(self.auth()))) == count, self.auth()
        taken = []
        for line in lines:
            assert isinstance(line, str) and line.isascii() and line.isprintable(), line
            found = LINE.fullmatch(line)
            assert found, line
            taken.append(found)
        return taken
