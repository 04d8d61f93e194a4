# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of both protocols that fails or is killed between the two: undone, or finished by the next change."""

from __future__ import annotations

import shlex

import pytest
from conftest import SFTP_JAIL
from test_command import EVERYWHERE, FIRST, NAME, NOWHERE, SECOND, STORES, granted, no_selina, run

__all__ = ["no_selina"]

# Whoever holds the lock of the database stops a change after SFTP is done and before FTPS is.
HOLD = "flock --exclusive /etc/vsftpd/users.db.lock"


def halfway(server, command: str, stdin: str, then: str):
    """Start ``command``, wait until its SFTP half is done, and do ``then``; $pid is the command."""
    return server.sh(
        f"""
        {HOLD} sleep 60 & holder=$!
        before=$(md5sum /etc/shadow)
        printf %s {shlex.quote(stdin)} | ftp-users {command} 2>/root/stderr & pid=$!
        for _ in $(seq 200); do
            [ "$(md5sum /etc/shadow)" = "$before" ] || break
            sleep 0.05
        done
        sleep 0.5
        [ "$(md5sum /etc/shadow)" != "$before" ] || echo "SFTP half was never done"
        {then}
        pkill --parent $holder; wait $holder
        cat /root/stderr
        """,
        check=False,
    ).stdout


@pytest.mark.spread
@pytest.mark.parametrize("verb", ["add", "del"])
def test_a_half_that_fails_takes_the_other_one_back(server, verb):
    """The database stays locked until the command gives up."""
    if verb != "add":
        run(server, "add", NAME, "--password-stdin", stdin=FIRST)
        server.sh(f"echo mine >{SFTP_JAIL}/{NAME}/file")
    before = server.sh(STORES).stdout
    words = f"{verb} {NAME}" + (" --password-stdin" if verb != "del" else " --remove-home")
    said = halfway(server, words, SECOND if verb != "del" else "", 'wait $pid; echo "status $?"')
    assert "status 5" in said and "another writer" in said, said
    assert strip_dates(server.sh(STORES).stdout) == strip_dates(before)
    if verb == "add":
        assert granted(server, SECOND) == NOWHERE
        left = server.sh(f"ls -d {' '.join(server.homes(NAME))}", check=False).stdout
        assert left == "", "no directory is left"
    else:
        assert granted(server, FIRST) == EVERYWHERE
        assert server.sh(f"cat {SFTP_JAIL}/{NAME}/file").stdout == "mine\n"
    assert server.sh("ls /var/lib/secure_ftp.server").stdout == ""


def strip_dates(text: str) -> list[str]:
    """Without the times of the directory listing, whose first line is its total."""
    return sorted(text.splitlines())


@pytest.mark.spread
@pytest.mark.parametrize("verb", ["add", "passwd", "del"])
def test_a_change_that_is_killed_is_finished_by_the_next_one(server, verb):
    if verb != "add":
        run(server, "add", NAME, "--password-stdin", stdin=FIRST)
    words = f"{verb} {NAME}" + (" --password-stdin" if verb != "del" else "")
    said = halfway(server, words, SECOND if verb != "del" else "", "kill -KILL $pid; wait $pid")
    assert "never done" not in said
    half = granted(server, SECOND)
    if verb == "del":
        # The account is gone; with one home vsftpd needs it too.
        by_ftps = not server.one_home
        assert granted(server, FIRST) == {"explicit": by_ftps, "implicit": by_ftps, "sftp": False}
    else:
        assert half == {"explicit": False, "implicit": False, "sftp": True}
    listing = server.sh("stat -c '%a %U' /var/lib/secure_ftp.server/*; cat /var/lib/secure_ftp.server/*").stdout
    assert listing.startswith("600 root") and SECOND not in listing, "hashes only"
    result = run(server, "lock", "batman")
    run(server, "unlock", "batman")
    assert f"user '{NAME}': an interrupted change was finished first" in result.stderr
    assert granted(server, SECOND) == (NOWHERE if verb == "del" else EVERYWHERE)
    assert granted(server, FIRST) == NOWHERE
    assert server.sh("ls /var/lib/secure_ftp.server").stdout == ""
