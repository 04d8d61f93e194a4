# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of a host where each user has one account and one home for both protocols."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import ERROR, Finding, Kind, Reporter
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.served import Served
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import account_in
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import leads_out

KINDS: dict[str, Kind] = {
    "user-account-missing": Kind(
        ERROR,
        "FTPS users have no account, although each user of this host has one",
        "vsftpd denies these users the log-in.",
        "ftp-users one-home",
    ),
    "user-file-wrong": Kind(
        ERROR,
        "files of vsftpd do not name the account and the home of their users",
        "These users are denied the log-in, or work with the rights or the files of another account.",
        "ftp-users one-home",
    ),
}
found = Reporter(KINDS)


def account_findings(served: Sequence[Served], sftp: Sftp) -> Iterator[Finding]:
    """Examine the accounts of the FTPS users, and the files that let vsftpd use them."""
    done: set[str] = set()
    accounts = {name for group in sftp.groups for name in sftp.accounts.members(group)}
    for one in served:
        with contextlib.suppress(SecureFtpError):  # other checks report this
            if one.server.has_accounts and one.server.database not in done:
                done.add(one.server.database)
                yield from _server_findings(one, accounts)


def _server_findings(served: Served, accounts: set[str]) -> Iterator[Finding]:
    server, names = served.server, sorted(name for name in served.users.names if not leads_out(name))
    without = [name for name in names if name not in accounts]
    if without:
        yield found("user-account-missing", f"{listed(without)}: no account in the group of the jail", without[0])
    files = served.users.files(server.user_files)
    wrong = []
    for name in names:
        account = account_in(files.get(name), name)
        home = server.homes.by_pattern(name) if server.homes else ""
        if account is None or os.path.normpath(account.home) != os.path.normpath(home):
            wrong.append(name)
    if wrong:
        where = os.path.join(server.user_files, wrong[0])
        what = f"{listed(wrong)}: expected guest_username and local_root of the user in {server.user_files}"
        yield found("user-file-wrong", what, where)
