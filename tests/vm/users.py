# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine says of users after a power cut: by its files, by its check, and by real log-ins."""

from __future__ import annotations

from typing import Any, Collection, Iterable

from conftest import PASSWORDS

JOURNAL = "/var/lib/secure_ftp.server/unfinished.json"
"""What a change that was interrupted is finished by."""

EVERYBODY = {"batman": (True,) * 3, "robin": (True,) * 3, "alfred": (False,) * 3}
"""What ``logs_in`` says of the users of the conftest."""


def logs_in(machine) -> dict[str, tuple[bool, bool, bool]]:
    """Who is let in by explicit and implicit FTPS and by SFTP."""
    return {
        name: (
            machine.ftps_accepts(name, password),
            machine.ftps_accepts(name, password, implicit=True),
            machine.sftp_accepts(name, password),
        )
        for name, password in PASSWORDS.items()
    }


def sides(user: dict[str, Any] | None) -> tuple[str, ...]:
    """The protocols of somebody as ``Machine.users`` has them, none of nobody."""
    return tuple(user["protocols"]) if user else ()


def hashes(machine, names: Iterable[str]) -> dict[str, set[str]]:
    """The stored hashes of ``names`` by FTPS and by SFTP, empty for none: two that differ are somebody half there.

    userdel(8) replaces passwd before shadow, so the power may leave a line in shadow whose account is gone: no log-in
    is possible by it, and it must hold no password any more.
    """
    accounts, shadow, database = _stored(machine)
    left = {name: value for name, value in shadow.items() if name not in accounts}
    assert all("$" not in value for value in left.values()), left
    sftp = {name: value for name, value in shadow.items() if name in accounts}
    return {name: {database.get(name, ""), sftp.get(name, "")} for name in names}


def left_in_shadow(machine) -> list[str]:
    """Names that have a line in shadow and no account."""
    accounts, shadow, _database = _stored(machine)
    return sorted(shadow.keys() - accounts)


def _stored(machine) -> tuple[set[str], dict[str, str], dict[str, str]]:
    answer = machine.sh(
        "cut -d: -f1 /etc/passwd; echo =; cut -d: -f1,2 /etc/shadow; echo =; db_dump -p /etc/vsftpd/users.db"
    )
    accounts, shadow, dump = (part.splitlines() for part in answer.split("=\n", 2))
    lines = [line[1:] for line in dump if line.startswith(" ")]
    return set(accounts), dict(line.split(":", 1) for line in shadow), dict(zip(lines[::2], lines[1::2]))


def halves(machine, changed: Collection[str], others: Iterable[str]) -> list[str]:
    """Who is there by one protocol only or, of ``changed``, with two passwords: a playbook salts each by itself."""
    found = hashes(machine, {*changed, *others})
    return [name for name, both in found.items() if len(both) == 2 and (name in changed or "" in both)]


def evidence(machine, names: list[str]) -> str:
    """What the files say about ``names``, and what the journal of changes holds."""
    lines = f"grep -nE '^({'|'.join(names)}):' /etc/passwd /etc/shadow /etc/passwd- /etc/shadow-"
    database = f"db_dump -p /etc/vsftpd/users.db | grep -nE -A 1 '^ ({'|'.join(names)})$'"
    hidden = "sed -E 's/[$]6[$][^:]*([^:]{6})(:|$)/HASH...\\1\\2/'"
    return machine.sh(f"({lines}; {database}) | {hidden}; ls -lR --full-time /var/lib/secure_ftp.server")


def new_findings(machine, known: Collection[str]) -> list[str]:
    """What the check has found that is not ``known``; each says what to do."""
    new = [finding for finding in machine.findings() if finding["subject"] not in known]
    assert all(finding["fix"] for finding in new), new
    return [finding["subject"] for finding in new]


def probe(machine, name: str, passwords: set[str]) -> str | None:
    """Which of ``passwords`` lets ``name`` in; both protocols must say the same."""
    found = []
    for password in sorted(passwords):
        ftps, sftp = machine.ftps_accepts(name, password), machine.sftp_accepts(name, password)
        assert ftps == sftp, f"{name}: FTPS {ftps}, SFTP {sftp}"
        found += [password] if ftps else []
    assert len(found) < 2
    return found[0] if found else None
