# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The public variables of the roles and the playbooks: their names, types and defaults, read once.

A unit test compares the table with every role's meta/argument_specs.yml, where the variables are described.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import kind_said, value_said

_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    ":ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)


def _about(expected: str = "", choices: tuple[str, ...] = (), hidden: bool = False) -> dict[str, Any]:
    """What is known about a variable besides its type.

    ``expected`` describes valid values in errors, ``choices`` lists every valid value. The value of a ``hidden``
    variable stays on the control machine: only whether it is set is known here.
    """
    return {"expected": expected, "choices": choices, "hidden": hidden}


_PATH = {"expected": "an absolute path", "path": True}


@dataclass(frozen=True)
class Settings:
    """The values of the variables; a variable that is omitted or invalid has its default.

    ``given`` are the names of the variables to check: a playbook passes all, a role that is used alone its own.
    ``wrong`` are the problems of invalid variables, by name.
    """

    # common to all roles
    ftp_shared_folders: tuple[Any, ...] = field(default=(), metadata=_about("a list of mappings"))
    ftp_other_variables: tuple[Any, ...] = field(default=(), metadata=_about("a list of names of variables"))
    ftp_users_password_min_length: int = field(default=12, metadata=_about("a number from 1 to 64"))
    ftp_users_purge: bool = False
    ftp_protocols: tuple[Any, ...] = field(
        default=("ftps", "sftp"), metadata=_about("[ftps, sftp], or [sftp] for a server without FTPS")
    )
    ftp_users_home: str = field(default="auto", metadata=_about(choices=("auto", "one", "per_protocol")))
    ftp_users_defaults: Mapping[str, Any] = field(default_factory=dict)
    # vsftpd
    vsftpd_tls_modes: tuple[Any, ...] = field(
        default=("explicit",), metadata=_about("a list of explicit and/or implicit")
    )
    vsftpd_port: int = field(default=21, metadata=_about("a port from 1 to 65535"))
    vsftpd_implicit_port: int = field(default=990, metadata=_about("a port from 1 to 65535"))
    vsftpd_listen: bool = True
    vsftpd_listen_ipv6: bool = True
    vsftpd_xferlog_enable: bool = True
    vsftpd_xferlog_std_format: bool = False
    vsftpd_log_ftp_protocol: bool = False
    vsftpd_log_file: str = field(default="/var/log/vsftpd.log", metadata=_PATH)
    vsftpd_log_max_size: str = "100M"
    vsftpd_anonymous_enable: bool = False
    vsftpd_local_enable: bool = True
    vsftpd_guest_enable: bool = True
    vsftpd_guest_username: str = "ftp"
    vsftpd_pam_service: str = "vsftpd.virtual"
    vsftpd_local_umask: str = "077"
    vsftpd_virtual_use_local_privs: bool = True
    vsftpd_write_enable: bool = True
    vsftpd_hide_ids: bool = True
    vsftpd_dirmessage_enable: bool = True
    vsftpd_use_localtime: bool = False
    vsftpd_utf8_filesystem: bool = True
    vsftpd_local_root: str = field(default="/home/vftp/$USER", metadata=_PATH)
    vsftpd_user_sub_token: str = "$USER"
    vsftpd_chroot_local_user: bool = True
    vsftpd_chroot_list_enable: bool = False
    vsftpd_allow_writeable_chroot: bool = True
    vsftpd_secure_chroot_dir: str = field(default="/var/run/vsftpd/empty", metadata=_PATH)
    vsftpd_user_config_dir: str = field(default="/etc/vsftpd/users.d", metadata=_PATH)
    vsftpd_max_per_ip: int = 20
    vsftpd_idle_session_timeout: int = 300
    vsftpd_pasv_enable: bool = True
    vsftpd_pasv_min_port: int = field(default=50000, metadata=_about("a port from 1024 to 65535"))
    vsftpd_pasv_max_port: int = field(default=50999, metadata=_about("a port from 1024 to 65535"))
    vsftpd_pasv_address: str = ""
    vsftpd_pasv_promiscuous: bool = False
    vsftpd_port_enable: bool = True
    vsftpd_connect_from_port_20: bool = True
    vsftpd_ftp_data_port: int = field(default=20, metadata=_about("a port from 1 to 65535"))
    vsftpd_ssl_enable: bool = True
    vsftpd_allow_anon_ssl: bool = False
    vsftpd_force_local_logins_ssl: bool = True
    vsftpd_force_local_data_ssl: bool = True
    vsftpd_require_ssl_reuse: bool = True
    vsftpd_ssl_sslv2: bool = False
    vsftpd_ssl_sslv3: bool = False
    vsftpd_ssl_tlsv1: bool = False
    vsftpd_ssl_tlsv11: bool = False
    vsftpd_ssl_tlsv12: bool = True
    vsftpd_ssl_tlsv13: bool = False
    vsftpd_ssl_ciphers: str = _CIPHERS
    vsftpd_certificate_source: str = field(
        default="self_signed", metadata=_about(choices=("self_signed", "content", "files"))
    )
    vsftpd_rsa_cert_file: str = field(default="/etc/vsftpd/server.crt", metadata=_PATH)
    vsftpd_rsa_private_key_file: str = field(default="/etc/vsftpd/server.key", metadata=_PATH)
    vsftpd_certificate_san: tuple[Any, ...] = ()
    vsftpd_certificate_days: int = 825
    vsftpd_certificate_renew_days: int = 30
    vsftpd_certificate_content: str = field(default="", metadata=_about(hidden=True))
    vsftpd_private_key_content: str = field(default="", metadata=_about(hidden=True))
    vsftpd_options: Mapping[str, Any] = field(default_factory=dict)
    vsftpd_config_backup: bool = True
    vsftpd_replace_existing: bool = False
    # pam_userdb
    pam_userdb_db: str = field(default="/etc/vsftpd/users.db", metadata=_PATH)
    pam_userdb_hash_plaintext: bool = True
    pam_userdb_update_password: str = field(default="always", metadata=_about(choices=("always", "on_create")))
    pam_userdb_rounds: int = 50000
    # sshd_chroot
    sshd_chroot_group: str = "sftponly"
    sshd_chroot_directory: str = field(default="/home/sftp", metadata=_PATH)
    sshd_chroot_keys_directory: str = field(default="/etc/ssh/sftponly_keys", metadata=_PATH)
    sshd_chroot_password_authentication: bool = True
    sshd_chroot_log_level: str = field(
        default="",
        metadata=_about(
            choices=("", "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3")
        ),
    )
    sshd_chroot_log_facility: str = field(
        default="",
        metadata=_about(
            choices=(
                "",
                "DAEMON",
                "USER",
                "AUTH",
                "LOCAL0",
                "LOCAL1",
                "LOCAL2",
                "LOCAL3",
                "LOCAL4",
                "LOCAL5",
                "LOCAL6",
                "LOCAL7",
            )
        ),
    )
    sshd_chroot_start_directory: str = "/%u"
    sshd_chroot_backup: bool = True
    sshd_chroot_update_password: str = field(default="always", metadata=_about(choices=("always", "on_create")))
    sshd_chroot_remove_home: bool = False
    # user_command
    user_command_path: str = field(default="/usr/local/sbin/ftp-users", metadata=_PATH)
    user_command_link: str = "/etc/vsftpd/users"
    # remote_control
    remote_control_clients: tuple[Any, ...] = field(default=(), metadata=_about("a list of mappings"))
    remote_control_user: str = "ftpcontrol"
    remote_control_keys_directory: str = field(default="/etc/ssh/remote_control_keys", metadata=_PATH)
    remote_control_backup: bool = True
    # firewall
    firewall_enabled: bool = True
    firewall_backend: str = field(default="ufw", metadata=_about(choices=("ufw", "azure_nsg", "none")))
    firewall_ssh_port: int = field(default=0, metadata=_about("a port from 1 to 65535, or 0 to find it out"))
    firewall_allowed_sources: tuple[Any, ...] = field(default=(), metadata=_about("a list of addresses and networks"))
    firewall_ssh_allowed_sources: tuple[Any, ...] = field(
        default=(), metadata=_about("a list of addresses and networks")
    )
    firewall_ipv6: bool = True
    firewall_rate_limit: bool = False
    firewall_extra_rules: tuple[Any, ...] = field(default=(), metadata=_about("a list of rules"))
    firewall_confirm_timeout: int = field(default=60, metadata=_about("seconds from 5 to 3600"))
    firewall_azure_resource_group: str = ""
    firewall_azure_security_group: str = ""
    firewall_azure_subscription: str = ""
    firewall_azure_priority: int = field(default=1000, metadata=_about("a number from 100 to 4096"))

    given: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    """The roles that will run, as far as they are named."""

    wrong: Mapping[str, Problem] = field(default_factory=dict)

    @classmethod
    def parse(cls, variables: Mapping[str, Any], roles: Iterable[str] = ()) -> Settings:
        """Read ``variables``, by their public names; other names are ignored.

        A number or a truth value may be given as a string: ``-e vsftpd_port=2121`` gives one. ``roles`` are the roles
        that will run: variables of other roles that they read count as given, with their defaults.
        """
        values: dict[str, Any] = {}
        wrong: dict[str, Problem] = {}
        for one in TABLE:
            if one.name in variables:
                value = _read(one, variables[one.name])
                if isinstance(value, Problem):
                    wrong[one.name] = value
                else:
                    values[one.name] = value
        given = set(variables).intersection(NAMES).union(*(READS.get(role, ()) for role in roles))
        return cls(**values, given=frozenset(given), roles=frozenset(roles), wrong=wrong)

    def get(self, name: str) -> Any:
        """The value of the variable ``name``; None when it is not given."""
        return getattr(self, name) if name in self.given else None

    @property
    def serves_ftps(self) -> bool:
        """Whether the server is to have FTPS."""
        return "ftps" in self.ftp_protocols

    def problems(self, looked_at: Callable[[str], bool]) -> list[Problem]:
        """The problems of the invalid variables for whose name ``looked_at`` is true."""
        return [problem for name, problem in self.wrong.items() if looked_at(name)]


TABLE = tuple(one for one in dataclasses.fields(Settings) if one.name not in ("given", "roles", "wrong"))
NAMES = frozenset(one.name for one in TABLE)
PUBLIC = NAMES | {"ftp_users", "ftp_hosts"}
"""Every variable of a role or a playbook."""

ROLES = ("vsftpd", "sshd_chroot", "pam_userdb", "shared_folders", "user_command", "remote_control", "firewall")
"""The roles, in the order in which site.yml runs them."""

FTPS_ROLES = ("vsftpd", "pam_userdb")
"""Those of them that a server without FTPS does without."""

HIDDEN = frozenset(one.name for one in TABLE if one.metadata.get("hidden"))

READS = {
    "vsftpd": ("sshd_chroot_directory",),
    "pam_userdb": (
        "vsftpd_pam_service",
        "vsftpd_local_root",
        "vsftpd_user_sub_token",
        "vsftpd_guest_username",
        "vsftpd_replace_existing",
        "sshd_chroot_directory",
    ),
    "remote_control": ("user_command_path",),
    "firewall": (
        "vsftpd_tls_modes",
        "vsftpd_port",
        "vsftpd_implicit_port",
        "vsftpd_pasv_enable",
        "vsftpd_pasv_min_port",
        "vsftpd_pasv_max_port",
        "vsftpd_port_enable",
        "vsftpd_connect_from_port_20",
        "vsftpd_ftp_data_port",
    ),
}
"""Variables of other roles that a role reads; it uses their defaults if those roles are not used."""


def names_for(roles: Iterable[str]) -> frozenset[str]:
    """The names of the variables that ``roles`` read: their own, those of READS, and those common to all roles."""
    prefixes, others = ["ftp_"], {"sshd_chroot_group"}
    for role in roles:
        prefixes.append(f"{role}_")
        others.update(READS.get(role, ()))
    return frozenset(name for name in NAMES if name.startswith(tuple(prefixes)) or name in others)


def default_of(one: dataclasses.Field[Any]) -> Any:
    """The default of an entry of TABLE."""
    return one.default if one.default_factory is dataclasses.MISSING else one.default_factory()


def _read(one: dataclasses.Field[Any], value: object) -> Any:
    """``value`` converted to the type of the entry ``one`` of TABLE; a Problem when it cannot be converted."""
    default, found = default_of(one), kind_said(value) if value is None or isinstance(value, bool) else f"{value!r}"
    choices = one.metadata.get("choices") or ()
    read: Any
    if isinstance(default, bool):
        read, expected = boolean(value), "true or false"
    elif isinstance(default, int):
        read, expected = integer(value), "a whole number"
    elif isinstance(default, tuple):
        read, expected = (tuple(value) if isinstance(value, (list, tuple)) else None), "a list"
    elif isinstance(default, str):
        read, expected = _text(value, one), "text"
        if choices and read not in choices:
            read, expected = None, f"one of {', '.join(filter(None, choices))}"
    else:
        read, expected = (value if isinstance(value, Mapping) else None), "a mapping"
        found = value_said(value)
    if one.metadata.get("hidden"):
        found = kind_said(value)
    return Problem(one.name, one.metadata.get("expected") or expected, found) if read is None else read


def _text(value: object, one: dataclasses.Field[Any]) -> str | None:
    if value is None and not one.metadata.get("path"):
        return str(default_of(one))
    number = isinstance(value, (int, float)) and not one.metadata.get("path")
    return str(value) if number or isinstance(value, str) else None


def integer(value: object) -> int | None:
    """``value`` as an integer of at least 0; None when it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.match(r"\s*[0-9]{1,9}\s*\Z", value):
        return int(value)
    return None


def boolean(value: object) -> bool | None:
    """``value`` as a truth value, in the spellings of YAML 1.1 and Ansible; None when it is not one."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("yes", "true", "on", "1", "y", "t"):
        return True
    return False if text in ("no", "false", "off", "0", "n", "f") else None
