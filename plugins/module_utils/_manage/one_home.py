# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Give every user of this host one home: the files of FTPS move into the home of SFTP, one user after the other.

While it runs, the users who have moved work, and the others work as before. If it is killed, doing it again does the
rest.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import say
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.apply import chosen_directories, put_files
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.apply import end_sessions as end_ftps_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import find_instances
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import (
    Personal,
    file_of,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover, guest_ids
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_check import ask_vsftpd
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse, with_option
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import keep_copy, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.mounts import mount_points
from ansible_collections.secure_ftp.server.plugins.module_utils._host.moving import Move, Moved, look
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Limit
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._host.units import is_outdated, tell
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import journal
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import audited
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.backends import reopen
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.changeover import (
    ASIDE,
    Changeover,
    Facts,
    Person,
    plan,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.transaction import Transaction, note_in_lock
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored

VSFTPD = "/usr/sbin/vsftpd"


@dataclass
class Done:
    """What was, or would be, done: ``moved`` by user, the new accounts, the configurations of vsftpd."""

    people: dict[str, Person] = field(default_factory=dict)
    moved: dict[str, Moved] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    configurations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.moved or self.accounts or self.configurations)

    def users(self) -> list[dict[str, Any]]:
        """Each user who moves, as data."""
        return [
            {
                "name": name,
                "from": self.people[name].old,
                "to": self.people[name].account.home,
                "files": moved.files,
                "bytes": moved.size,
                "aside": sorted(moved.aside),
            }
            for name, moved in sorted(self.moved.items())
        ]


def _sftp() -> Sftp:
    """The users of SFTP. Raises SecureFtpError on a host without a jail."""
    sftp = reopen("sftp", {})
    if not isinstance(sftp, Sftp):
        expected = "a jail in sshd's configuration"
        raise SecureFtpError("one-home", expected, found="none", remedy="apply the role sshd_chroot")
    return sftp


def read_facts() -> Facts:
    """Read this host. Raises SecureFtpError."""
    server = discover()
    sftp = _sftp()
    records = Ftps.at({})
    if records is None:
        raise SecureFtpError("one-home", "users of FTPS", found="none", remedy="nothing has to be moved on this host")
    names = sorted(user["name"] for user in records.describe())
    return Facts(
        server,
        names,
        records.stored(names).files,
        sftp.stored(names),
        tuple(one for one in find_instances(run_command) if one.get("local_root")),
        mount_points(),
        guest_ids(server.guest),
    )


def preview() -> Done:
    """What ``run`` would do. Raises SecureFtpError as it would."""
    facts = read_facts()
    wanted = plan(facts)
    done = Done(accounts=_new_accounts(wanted), configurations=sorted(wanted.configurations))
    for one in wanted.people:
        if _is_left(one):
            done.people[one.name], done.moved[one.name] = one, look(one.old) if one.is_there else Moved()
            done.warnings += beyond_quota(facts.accounts, one.name, done.moved[one.name])
    return done


def beyond_quota(accounts: Stored, name: str, moving: Moved) -> list[str]:
    """Warn if what is ``moving`` is more than the quota of the user leaves: root moves it all the same."""
    account = accounts.accounts.users.get(name)
    if account is None:
        return []
    usage, found = accounts.counted_of(name).of(account.uid), []
    for what, used, more, most in (
        ("bytes", usage.size, moving.size, usage.limit.size),
        ("files", usage.files, moving.files + moving.directories, usage.limit.files),
    ):
        if most and used + more > most:
            said = f"user {name!r}: {more} {what} from FTPS and {used} there are more than the quota of {most}"
            found.append(f"{said}: nothing can be uploaded then until enough is deleted")
    return found


def _new_accounts(wanted: Changeover) -> list[str]:
    return [one.name for one in wanted.people if not one.has_account]


def _is_left(one: Person) -> bool:
    """Whether there is anything to do for this user."""
    return not one.has_file or (one.is_there and os.path.lexists(one.old))


def run(front: str) -> Done:
    """Do it. Raises SecureFtpError; then the users before have moved, and doing it again goes on."""
    done = Done()
    with audited(front, "one-home", []) as report:
        sftp = _sftp()
        transaction = Transaction([sftp], reopen, journal.PATH)
        with transaction.alone() as warnings:
            done.warnings += warnings
            wanted = plan(read_facts())
            sftp.let_accounts_in()
            transaction.run(wanted.users)
            done.accounts = _new_accounts(wanted)
            facts = read_facts()
            # Read once: each user's file says more when the user has moved, and there may be many.
            chosen = chosen_directories(facts.server.homes) if facts.server.homes else {}
            for one in wanted.people:
                _change_over(facts, one, done, chosen)
            # Before the last step: after it, a run that was killed here would have nothing left to do, and not tidy up.
            _tidy(facts)
            _configure(facts, wanted, done)
        report("moved", sorted(done.moved))
    return done


def _change_over(facts: Facts, one: Person, done: Done, chosen: Mapping[str, str]) -> None:
    """Move the files of one user, and let the user's file of vsftpd say so; ``chosen`` as for end_sessions."""
    if not _is_left(one):
        return
    began = time.strftime("%H:%M:%S UTC", time.gmtime())
    again = "if it is interrupted, ftp-users one-home goes on with it"
    note_in_lock(f"ftp-users one-home, which has been moving the files of {one.name} since {began} ({again})")
    users = facts.accounts.accounts.users
    account = users[one.name]

    def end() -> list[str]:
        shared = {user.uid for user in users.values() if user.name != one.name}
        return [*end_ftps_sessions([one.name], facts.server, chosen), *end_sessions({one.name: account.uid}, shared)]

    moved = Moved()
    if one.is_there and facts.guest is not None:
        new = (account.uid, account.gid)
        told = functools.partial(say, f"files of {one.name}")
        done.warnings += beyond_quota(facts.accounts, one.name, look(one.old)) if _has_quota(facts, one.name) else []
        moved = Move(one.old, one.account.home, facts.guest, new, ASIDE, end, told).run()
    if not one.has_file:
        put_files([Personal(file_of(facts.server.user_files, one.name), one.file)])
    done.people[one.name], done.moved[one.name] = one, moved
    done.warnings += moved.warnings


def _has_quota(facts: Facts, name: str) -> bool:
    account = facts.accounts.accounts.users[name]
    return facts.accounts.counted_of(name).of(account.uid).limit != Limit()


def _configure(facts: Facts, wanted: Changeover, done: Done) -> None:
    """Let vsftpd.conf name the homes, for everybody who is added from now on."""
    for one in facts.instances:
        if one.path in wanted.configurations:
            new = with_option(one.text, "local_root", wanted.configurations[one.path])
            ask_vsftpd(VSFTPD, parse(new), new)
            if not is_ours(one.text):
                keep_copy(one.path)
            found = os.stat(one.path)
            content = new.encode("utf-8", "surrogateescape")
            replace_file(one.path, content, found.st_mode & 0o7777, found.st_uid, found.st_gid)
            done.configurations.append(one.path)
        if is_outdated(one.unit, [one.path]):
            state = "all users have moved, and vsftpd.conf is changed"
            tell(one.unit, "reload", f"restart it: systemctl restart {one.unit}", state)


def _tidy(facts: Facts) -> None:
    """Remove the directory above the old ones, if nothing is left in it."""
    homes = facts.server.homes
    if homes and homes.root and homes.root != facts.accounts.jail.directory:
        with contextlib.suppress(OSError):
            os.rmdir(homes.root)
