# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of rights: whether the daemons have them, and whether both protocols give a user the same."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import ACCESS_FILE
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed, quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    ERROR,
    WARNING,
    Finding,
    Kind,
    Reporter,
    chained,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import rights_in
from ansible_collections.secure_ftp.server.plugins.module_utils._host.pam import PAM_DIRECTORY
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import is_class, rights_named, shut_class
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, classes_in, find_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import NEVER
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import NO_UMASK, READ_WRITE, Rights

KINDS: dict[str, Kind] = {
    "right-missing": Kind(
        ERROR,
        "SFTP users are in a group of fewer rights that sshd does not know",
        "They may do everything with their files over SFTP.",
        "ftp-users edit {user} --access read_only",
    ),
    "right-without-group": Kind(
        WARNING,
        "sshd knows a class of users whose group does not exist",
        "Nobody is in it: a user who should have fewer rights may have all.",
        "groupadd --system {group}",
    ),
    "rights-differ": Kind(
        ERROR,
        "users have other rights over FTPS than over SFTP",
        "What is denied by one protocol is possible by the other. The fix keeps the fewer rights.",
        "ftp-users edit {user} --access read_only",
    ),
    "account-ignored": Kind(
        ERROR,
        "a PAM service does not ask the accounts of users that limit log-ins",
        "A log-in after the account has expired, or from an address that is not allowed, is possible.",
        "ftp-users edit {user} --expires {date}",
    ),
    "sources-missing": Kind(
        ERROR,
        "the file that says from where users may log in is missing",
        "PAM denies every user in the jail. An empty file limits nobody.",
        "install -m 0600 /dev/null {path}",
    ),
}
found = Reporter(KINDS)


def class_findings(sftp: Sftp) -> Iterator[Finding]:
    """Examine whether each class of SFTP users is both a group and a Match block before that of its jail."""
    for group in sftp.groups:
        known = classes_in(sftp.settings, group)
        for one in sftp.accounts.groups.values():
            members = sorted(one.members.intersection(sftp.accounts.users))
            if members and is_class(group, one.name) and one.name not in known:
                what = f"group {one.name}: no Match block before that of {group}; members {listed(members)}"
                rights = Rights(*rights_named(group, one.name))
                fix = chained(_edit(name, rights) for name in members)
                if one.name == shut_class(group):
                    fix = "ansible-playbook -i INVENTORY secure_ftp.server.site --tags sshd_chroot"
                yield found("right-missing", what, one.name, fix)
        for name in known:
            if name not in sftp.accounts.groups:
                yield found("right-without-group", f"Match Group {name}: no such group", name, group=name)


def rights_findings(served: Sequence[Served], sftp: Sftp) -> Iterator[Finding]:
    """Examine whether users of both protocols have the same access and umask in both."""
    by_sftp: dict[str, Rights] = {}
    for group in sftp.groups:
        block, classes = find_jail(sftp.settings, group), classes_in(sftp.settings, group)
        stored = Stored(sftp.accounts, Jail(group), block=block, classes=classes)
        names = set(sftp.accounts.members(group)) - sftp.shut
        by_sftp.update((name, stored.rights(name)) for name in names)
    different: dict[str, tuple[Rights, Rights]] = {}
    for server, users in served:
        with contextlib.suppress(SecureFtpError):  # other checks report this
            files, usual = users.files(server.user_files), rights_in(server.options, None)
            for name in users.names.intersection(by_sftp):
                one = rights_in(server.options, files[name]) if name in files else usual
                if one[:2] != by_sftp[name][:2]:
                    different[name] = (one, by_sftp[name])
    if different:
        pairs = sorted(different.items())
        what = listed([f"{name}: FTPS {_said(ftps)}, SFTP {_said(by)}" for name, (ftps, by) in pairs])
        fix = chained(_edit(name, max(two, key=_is_narrow)) for name, two in pairs)
        yield found("rights-differ", what, min(different), fix)


def limit_findings(served: Sequence[Served], sftp: Sftp) -> Iterator[Finding]:
    """Examine whether both daemons obey what accounts say."""
    said: dict[str, dict[str, Any]] = {}
    for group in sftp.groups:
        stored = Stored(sftp.accounts, Jail(group), access=sftp.access)
        said.update((name, stored.of_account(name)) for name in sftp.accounts.members(group))
        sources = sorted(name for name in sftp.accounts.members(group) if said[name]["allowed_sources"])
        if sources and sftp.asks_access != group:
            what = f"{PAM_DIRECTORY}/sshd: allowed_sources of {listed(sources)} are ignored"
            yield found("account-ignored", what, sources[0], fix=_limit(sources[0], said[sources[0]]))
    limited = {name: one for name, one in said.items() if one["expires"] != NEVER or one["allowed_sources"]}
    ignored: dict[str, str] = {}
    for server, users in served:
        with contextlib.suppress(SecureFtpError):  # other checks report this
            if limited and server.service and not server.obeys_accounts:
                ignored.update(dict.fromkeys(users.names.intersection(limited), server.service.top))
    if ignored:
        name = min(ignored)
        what = f"{ignored[name]}: what limits {listed(sorted(ignored))} is ignored"
        yield found("account-ignored", what, name, fix=_limit(name, said[name]))
    if (
        said
        and not os.path.exists(ACCESS_FILE)
        and (sftp.asks_access or any(one.server.obeys_accounts for one in served))
    ):
        yield found("sources-missing", f"{ACCESS_FILE}: missing", ACCESS_FILE, path=ACCESS_FILE)


def _limit(name: str, said: Mapping[str, Any]) -> str:
    """The command that lets the daemons obey a limit of ``name`` again."""
    if said["allowed_sources"]:
        return quoted(["ftp-users", "edit", name, "--allowed-sources", ",".join(said["allowed_sources"])])
    return quoted(["ftp-users", "edit", name, "--expires", said["expires"]])


def _is_narrow(rights: Rights) -> tuple[bool, bool]:
    return rights.access != READ_WRITE, rights.umask != NO_UMASK


def _said(rights: Rights) -> str:
    return rights.access + ("" if rights.umask == NO_UMASK else f" (umask {rights.umask})")


def _edit(name: str, wanted: Rights) -> str:
    """The command that gives ``name`` the rights ``wanted``."""
    words = ["ftp-users", "edit", name, "--access", wanted.access]
    if wanted.umask != NO_UMASK:
        words += ["--umask", wanted.umask]
    return quoted(words)
