# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a plan for SFTP users must not do, and what a host must have first. Touches nothing."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    NotPermitted,
    Problem,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import unsuitable
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules, stranger
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    DEFAULT_KEYS_DIRECTORY,
    discovered_keys_directory,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User, uses


def refuse_strangers(stored: Stored, users: Sequence[User], rules: Rules) -> None:
    """Raise SecureFtpError for accounts that have another purpose, and for names that are in use."""
    group, inside, accounts = stored.jail.group, set(stored.members), stored.accounts
    wanted = [user.name for user in users if uses(user, "sftp") or (user.present and stored.gives_accounts)]
    for name in wanted:
        if name == group:
            raise InvalidInput(
                f"user {name!r}", found="is also the name of the SFTP group", remedy="choose another name"
            )
        if name in accounts.users and name not in inside:
            raise NotPermitted.of(stranger(name, group, accounts, stored.uids[0], stored.operator))
    roots = {user.name for user in accounts.users.values() if user.uid == 0}
    for name in sorted(inside & (stored.operator | roots)):
        raise SecureFtpError(
            f"user {name!r}",
            f"only SFTP users in the group {group}",
            found="an account with user id 0" if name in roots else "the account you log in with",
            remedy=f"take it out first: gpasswd -d {name} {group}",
        )
    touched = {user.name for user in users} & inside if not rules.purge else inside
    for name in sorted(touched):
        why = unsuitable(accounts.users[name], accounts.groups_of(name), accounts.groups[group], stored.uids[0])
        if why:
            raise NotPermitted.of(why.also(f"or take it out of the group {group}: gpasswd -d {name} {group}"))
    for name in wanted:
        if name in stored.elsewhere and name not in accounts.users:
            raise SecureFtpError(
                f"user {name!r}",
                "a new name",
                found="an account of this name in a directory service of /etc/nsswitch.conf",
                remedy="choose another name",
            )


def obstacle(stored: Stored, rules: Rules, adds: bool, has_users: bool, writes_keys: bool) -> Problem | None:
    """Why the host is not ready for existing or new users; None when it is."""
    jail, remedy = stored.jail, "apply the role sshd_chroot first"
    if not has_users:
        return None
    if not stored.jail_is_there:
        return Problem(jail.directory, "the directory of the jail", "none", remedy)
    if jail.group not in stored.accounts.groups:
        return Problem(f"group {jail.group!r}", "it to exist", "none", remedy)
    if rules.jail_check != "none" and "chrootdirectory" not in stored.block and adds:
        expected = f"a block 'Match Group {jail.group}' with ChrootDirectory"
        return Problem(rules.config, expected, "none, so new accounts would not be jailed", remedy)
    if writes_keys and not rules.keys_directory and discovered_keys_directory(stored.block) is None:
        where = f"{rules.config}: group {jail.group!r}"
        expected = f"AuthorizedKeysFile with one directory for all users and %u, such as {DEFAULT_KEYS_DIRECTORY}/%u"
        return Problem(where, expected, "none, so sshd would not read the keys", remedy)
    return None
