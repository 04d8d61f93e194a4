# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks for ways out of the SFTP jail: programs outside it that obey a user's files or run for a user.

Sources: systemd-logind.service(8) (lingering), crontab(1), at(1) of Debian, sshd_config(5) Subsystem.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Collection, Iterable, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    EDIT_SSHD,
    ERROR,
    SSH,
    WARNING,
    Finding,
    Kind,
    Reporter,
    chained,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_HOME,
    NO_PASSWORD,
    PENDING,
    PRIVILEGED_GROUPS,
    Account,
    Accounts,
    uid_range,
    unsuitable,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import NO_SHELLS
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import obeys_its_user
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import effective

if TYPE_CHECKING:
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp

LINGER = "/var/lib/systemd/linger"
CRONTABS = "/var/spool/cron/crontabs"
AT_JOBS = "/var/spool/cron/atjobs"

KINDS: dict[str, Kind] = {
    "account-outside": Kind(
        ERROR,
        "something runs outside the jail for an SFTP user: lingering, a crontab or an at job",
        "SFTP users should transfer files and nothing else.",
        "loginctl disable-linger {user}",
    ),
    "account-privileged": Kind(
        ERROR,
        "an account with rights on the host is a member of the SFTP group",
        "It is not managed, and its keys and password give access to more than the jail.",
        "gpasswd -d {user} {group}",
    ),
    "subsystem-internal": Kind(
        WARNING,
        "`Subsystem sftp internal-sftp` serves accounts outside the jail that have no shell",
        "The stock sftp-server is started through the shell, so nologin keeps such accounts out; internal-sftp lets"
        " them read and write the whole file system.",
        EDIT_SSHD,
    ),
}
found = Reporter(KINDS)


def outside_findings(
    accounts: Sequence[Account], everybody: Iterable[Account], directory: str, root: str = "/"
) -> Iterator[Finding]:
    """Examine the accounts of SFTP users whose jail is ``directory``; ``root`` is where the host's files are.

    ``everybody`` are all accounts of the host: processes and jobs of a user id that another account has too, stay.
    """
    names = {account.name for account in accounts}
    shared = {account.uid for account in everybody if account.name not in names}
    exposed = [account for account in accounts if obeys_its_user(account, directory)]
    if exposed:
        fix = chained(
            f"{_end_processes(account, shared)}usermod --home {NO_HOME} {quoted(account.name)}" for account in exposed
        )
        what = f"{listed([f'{one.name} ({one.home})' for one in exposed])}: expected the home {NO_HOME}"
        yield found("account-home", what, exposed[0].name, fix)
    commands: list[str] = []
    running: list[tuple[str, str]] = []
    for account in accounts:
        name = account.name
        if os.path.lexists(os.path.join(root, LINGER[1:], name)):
            running.append((name, "lingers"))
            commands.append(f"loginctl disable-linger {quoted(name)}")
        if os.path.lexists(os.path.join(root, CRONTABS[1:], name)):
            running.append((name, "has a crontab"))
            commands.append(f"crontab -r -u {quoted(name)}")
    by_uid = {account.uid: account.name for account in accounts}
    for path, uid in _jobs(os.path.join(root, AT_JOBS[1:])):
        if uid in by_uid:
            running.append((by_uid[uid], "has an at job"))
            if uid not in shared:
                commands.append(f"rm -f -- {quoted(path)}")
    if running:
        said = listed([f"{name}: {what}" for name, what in running])
        yield found("account-outside", said, running[0][0], chained(commands) or "atq")


def _end_processes(account: Account, shared: Collection[int]) -> str:
    """The command that ends the processes of ``account``: while one of them runs, usermod(8) refuses to change it.

    One is the systemd --user in question. Containers have their own process namespaces and users, so they are spared.
    """
    if account.uid in shared:
        return ""
    return f"{{ pkill -KILL -U {account.uid} --ns $$ --nslist pid || true; }} && "


def _jobs(directory: str) -> list[tuple[str, int]]:
    """Path and owner of each job of at(1)."""
    try:
        with os.scandir(directory) as entries:
            return sorted(
                (entry.path, entry.stat(follow_symlinks=False).st_uid)
                for entry in entries
                if entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def privileged_findings(accounts: Accounts, group: str, etc: str = "/etc") -> Iterator[Finding]:
    """Examine whether a member of ``group`` is an account with another purpose."""
    if group not in accounts.groups:
        return
    low = uid_range(etc)[0]
    for name in accounts.members(group):
        why = unsuitable(accounts.users[name], accounts.groups_of(name), accounts.groups[group], low)
        if why:
            yield found("account-privileged", str(replace(why, subject=name)), name, _apart(accounts, name, group))


def _apart(accounts: Accounts, name: str, group: str) -> str:
    """The command that removes account ``name`` from ``group``; if that is its primary one, from privileged groups."""
    if accounts.users[name].gid != accounts.groups[group].gid:
        return f"gpasswd -d {quoted(name)} {quoted(group)}"
    rights = sorted(PRIVILEGED_GROUPS.intersection(accounts.groups_of(name)))
    return chained(f"gpasswd -d {quoted(name)} {one}" for one in rights) or f"usermod -g nogroup {quoted(name)}"


def _has_key_file(account: Account, config: str) -> bool:
    """Whether a file exists in which sshd looks for keys of ``account``; see TOKENS of sshd_config(5)."""
    values = effective(account.name, config)
    if " ".join(values.get("authorizedkeyscommand", ["none"])) != "none":
        return True  # that program may have keys for any user
    tokens = {"%": "%", "h": account.home, "u": account.name, "U": str(account.uid)}
    for pattern in " ".join(values.get("authorizedkeysfile", [])).split():
        path = re.sub("%([%huU])", lambda token: tokens[token.group(1)], pattern)
        if path != "none" and os.path.isfile(os.path.join(account.home, path)):
            return True
    return False


def subsystem_findings(sftp: Sftp) -> Iterator[Finding]:
    """Examine whether the Subsystem line gives the whole file system to accounts that have no shell."""
    lines = [one for one in sftp.settings if one.keyword == "subsystem" and one.value.split()[:1] == ["sftp"]]
    if not lines or lines[0].value.split()[1:2] != ["internal-sftp"]:
        return
    jailed = {name for group in sftp.groups for name in sftp.accounts.members(group)}
    opened = []
    for name, account in sftp.accounts.users.items():
        if name in jailed or account.shell not in NO_SHELLS:
            continue
        state = lock_state(sftp.accounts, name)
        by_password = not state.mark and state.stored not in PENDING and state.stored not in (NO_PASSWORD, "")
        # Ask sshd last: a locked account, or one with a password, is decided without it.
        if not state.full and (by_password or _has_key_file(account, sftp.config)):
            opened.append(name)
    if opened:
        what = (
            f"{lines[0].where}: {listed(sorted(opened))}: no shell, but SFTP access to the whole file system; expected"
            " Subsystem sftp /usr/lib/openssh/sftp-server (the jail does not need this line)"
        )
        yield found("subsystem-internal", what, lines[0].where, path=lines[0].path, verb=sftp.verb, restarts=[SSH])
