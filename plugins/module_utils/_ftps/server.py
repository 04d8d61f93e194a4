# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What the live configuration says about FTPS users: vsftpd.conf, and the PAM service it names.

It is not stored anywhere else, so this also works on a server that was set up by hand. Defaults are
those of vsftpd.conf(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import database_path
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import (
    PAM_DIRECTORY,
    UserdbService,
    find_userdb,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal, file_of, read_files
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import local_account
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CONFIG as SSHD_CONFIG
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    discovered_group,
    read_settings,
    shared_homes,
)

CONFIGS = ("/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf")
DEFAULT_SERVICE = "ftp"
DEFAULT_GUEST = "ftp"
DEFAULT_TOKEN = "$USER"


@dataclass(frozen=True)
class Homes:
    """Where users start: ``pattern`` is vsftpd's ``local_root``, in which ``token`` stands for the user name."""

    pattern: str
    token: str = DEFAULT_TOKEN
    config_directory: str = ""
    """vsftpd's ``user_config_dir``, '' if not set; its file NAME overrides settings for the user NAME."""

    @property
    def shared(self) -> bool:
        """Whether all users start in the same directory."""
        return not self.token or self.token not in self.pattern

    @property
    def root(self) -> str | None:
        """The parent of all users' directories; None when they do not have the same parent."""
        root, last = os.path.split(self.pattern.rstrip("/"))
        return root if self.token and last == self.token and self.token not in root else None

    @property
    def above(self) -> str:
        """The directory above all of them, directly or not."""
        return os.path.dirname(self.pattern if self.shared else self.pattern.split(self.token)[0] + "x")

    def of(self, name: str, files: Mapping[str, Personal] | None = None) -> str:
        """Return the start directory of user ``name``; ``files`` is as for ``own``."""
        return self.own(name, files) or self.by_pattern(name)

    def own(self, name: str, files: Mapping[str, Personal] | None = None) -> str | None:
        """Return the directory in the user's own file, if it differs from the pattern for all users.

        Only the administrator creates or removes such a directory. ``files`` are the files of many users that were read
        before, None to read this one. Source: twoprocess.c of vsftpd: the file is read before ``user_sub_token`` is
        replaced in ``local_root``.
        """
        files = read_files(self.config_directory, [name]) if files is None else files
        if name not in files:
            return None
        options = parse(files[name].text)
        root = options.get("local_root")
        if not root:
            return None
        token = options.get("user_sub_token", self.token)
        path = root.replace(token, name) if token else root
        return None if os.path.normpath(path) == os.path.normpath(self.by_pattern(name)) else path

    def personal_file(self, name: str) -> str:
        """The path of the user's own file, existing or not; '' if the name leads to another directory."""
        return file_of(self.config_directory, name)

    def by_pattern(self, name: str) -> str:
        """Return the start directory of user ``name`` if the user's own file does not name another one."""
        return self.pattern if self.shared else self.pattern.replace(self.token, name)


@dataclass(frozen=True)
class Server:
    """What matters for the FTPS users of a server; values that are neither given nor found are None.

    ``database`` is the file, with ``.db``. ``service`` is also None when it reads another database.
    """

    database: str
    service: UserdbService | None
    homes: Homes | None
    guest: str
    options: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    """vsftpd.conf; None if there is none."""

    has_accounts: bool = False
    """Whether each user has an account, and one home for both protocols, which belongs to that account."""

    jail_group: str = ""
    """The group of the accounts of users; empty if unknown."""

    @property
    def obeys_accounts(self) -> bool:
        """Whether vsftpd's PAM service obeys what the accounts of users say."""
        return self.service is not None and bool(self.jail_group) and self.service.accounts_of == self.jail_group

    @property
    def user_files(self) -> str:
        """The directory with the files of single users; '' if there is none."""
        return (self.options or {}).get("user_config_dir", "")

    @property
    def pam_crypt(self) -> bool | None:
        """Whether the PAM service accepts hashes and nothing else; None if no such service is known."""
        return self.service.hashed and not self.service.plaintext if self.service else None


def discover(
    db: str | None = None,
    config: str | None = None,
    pam_service: str | None = None,
    local_root: str | None = None,
    guest_username: str | None = None,
    pam_directory: str = PAM_DIRECTORY,
    *,
    sshd_config: str = SSHD_CONFIG,
) -> Server:
    """Read values that are not given from the live configuration.

    Raises SecureFtpError when the database is neither given nor found, or a named file cannot be read.
    """
    path, options = _options(config)
    service_name = pam_service or options.get("pam_service_name") or (DEFAULT_SERVICE if path else None)
    service = find_userdb(service_name, pam_directory) if service_name else None
    if db is None:
        if service is None:
            raise _no_database(path, service_name, pam_directory)
        db = service.database
    database = database_path(db)
    is_live = service is None or database_path(service.database) == database
    service = service if is_live else None
    root = local_root or options.get("local_root")
    if local_root is not None and not os.path.isabs(local_root):
        raise SecureFtpError("local_root", "an absolute path", found=repr(local_root))
    token = options.get("user_sub_token", "" if local_root is None else DEFAULT_TOKEN)
    homes = Homes(root, token, options.get("user_config_dir", "")) if root else None
    settings = read_settings(sshd_config)
    return Server(
        database=database,
        service=service,
        homes=homes,
        guest=guest_username or options.get("guest_username") or DEFAULT_GUEST,
        options=options if path else None,
        has_accounts=is_live and homes is not None and homes.root is not None and homes.root == shared_homes(settings),
        jail_group=discovered_group(settings),
    )


def guest_ids(guest: str) -> tuple[int, int] | None:
    """Return uid and gid of the system user that every FTPS user is mapped to; None when it does not exist."""
    found = local_account(guest)
    return None if found is None else (found.uid, found.gid)


def _options(config: str | None) -> tuple[str | None, dict[str, str]]:
    for path in CONFIGS if config is None else (config,):
        try:
            with open(path, "rb") as file:
                return path, parse(file.read().decode("utf-8", "surrogateescape"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise file_error(path, "read", error) from error
    if config is not None:
        raise SecureFtpError(
            "config", f"vsftpd's configuration at {config}", found="nothing", remedy="correct the path"
        )
    return None, {}


def _no_database(path: str | None, service: str | None, pam_directory: str) -> SecureFtpError:
    if service is None:
        found = f"no vsftpd configuration at {' or '.join(CONFIGS)}"
    else:
        source = f" (pam_service_name of {path})" if path else ""
        found = f"no pam_userdb line with db= in {os.path.join(pam_directory, service)}{source}"
    return SecureFtpError("db", found=f"not given, and found {found}", remedy="give db, or set the server up first")
