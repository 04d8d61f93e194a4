# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How SFTP users are managed: the options of the modules, and which accounts are never touched."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Collection, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Accounts, of_the_host
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CONFIG, DEFAULT_GROUP
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import DEFAULT_ROUNDS

HOME_MODE = 0o700
KEY_FILE_MODE = 0o644
KEY_FILE_HEADER = "# Managed by secure_ftp.server: the complete list of this user's keys.\n"
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")
JAIL_CHECKS = ("full", "chroot", "none")


@dataclass(frozen=True)
class Rules:
    """Options of the modules; if ``directory`` or ``keys_directory`` is None, it is discovered."""

    group: str = DEFAULT_GROUP
    directory: str | None = None
    keys_directory: str | None = None
    shell: str = NO_SHELLS[0]
    update_password: str = "always"
    rounds: int = DEFAULT_ROUNDS
    purge: bool = False
    jail_check: str = "chroot"
    config: str = CONFIG

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rules:
        """The rules in ``options``, which may contain other options too, also those of an older version."""
        return cls(**{one.name: options[one.name] for one in fields(cls) if one.name in options})


def is_no_shell(found: str, wanted: str) -> bool:
    """Whether the shell ``found`` is as good as ``wanted``: those that deny a log-in are all equal."""
    return found == wanted or (wanted in NO_SHELLS and found in NO_SHELLS)


def stranger(name: str, group: str, accounts: Accounts, uid_min: int, operator: Collection[str] = ()) -> Problem:
    """Why ``name``, an account outside of ``group``, is not made an SFTP user.

    For an account that must never be one the way to make it one is not said: whoever follows it is locked out.
    ``operator`` are the names of those who make the change.
    """
    remedy = "choose another name"
    if name not in operator and of_the_host(accounts.users[name], accounts.groups_of(name), uid_min) is None:
        remedy += f", or, when it really is to become an SFTP-only user, run: usermod -g {group} {name}"
    expected = f"a new name or a member of the group {group}"
    return Problem(f"user {name!r}", expected, "another system account of this name", remedy)


def sftp_options() -> dict[str, dict[str, object]]:
    """Argument spec shared by sftp_user and sftp_users; its keys are fields of Rules, and ``remove_home``."""
    return {
        "group": {"type": "str", "default": DEFAULT_GROUP},
        "directory": {"type": "path"},
        "keys_directory": {"type": "path", "no_log": False},
        "config": {"type": "path", "default": CONFIG},
        "shell": {"type": "path", "default": NO_SHELLS[0]},
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "remove_home": {"type": "bool", "default": False},
        "rounds": {"type": "int", "default": Rules.rounds},
        "jail_check": {"type": "str", "choices": list(JAIL_CHECKS), "default": "chroot"},
    }
