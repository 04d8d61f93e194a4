# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The names of the public variables, and names that look like one of them and are none.

Ansible takes any name for a variable: what is misspelled is silently not set. With ``ftp_users_purge`` a misspelled
``ftp_users`` would remove everybody.
"""

from __future__ import annotations

import difflib
from typing import Any, Collection, Iterable, Mapping

PUBLIC = frozenset(
    """
    firewall_allowed_sources firewall_azure_priority firewall_azure_resource_group firewall_azure_security_group
    firewall_azure_subscription firewall_backend firewall_confirm_timeout firewall_enabled firewall_extra_rules
    firewall_ipv6 firewall_rate_limit firewall_ssh_allowed_sources firewall_ssh_port ftp_hosts
    ftp_other_variables ftp_users ftp_users_password_min_length ftp_users_purge pam_userdb_db
    pam_userdb_hash_plaintext pam_userdb_rounds pam_userdb_update_password remote_control_backup
    remote_control_clients remote_control_keys_directory remote_control_user sshd_chroot_backup
    sshd_chroot_directory sshd_chroot_group sshd_chroot_keys_directory sshd_chroot_log_facility
    sshd_chroot_log_level sshd_chroot_password_authentication sshd_chroot_remove_home
    sshd_chroot_start_directory sshd_chroot_update_password user_command_link user_command_path
    vsftpd_allow_anon_ssl vsftpd_allow_writeable_chroot vsftpd_anonymous_enable vsftpd_certificate_content
    vsftpd_certificate_days vsftpd_certificate_renew_days vsftpd_certificate_san vsftpd_certificate_source
    vsftpd_chroot_list_enable vsftpd_chroot_local_user vsftpd_config_backup vsftpd_connect_from_port_20
    vsftpd_log_max_size vsftpd_replace_existing
    vsftpd_dirmessage_enable vsftpd_force_local_data_ssl vsftpd_force_local_logins_ssl vsftpd_ftp_data_port
    vsftpd_guest_enable vsftpd_guest_username vsftpd_hide_ids vsftpd_idle_session_timeout vsftpd_implicit_port
    vsftpd_listen vsftpd_listen_ipv6 vsftpd_local_enable vsftpd_local_root vsftpd_local_umask vsftpd_log_file
    vsftpd_log_ftp_protocol vsftpd_max_per_ip vsftpd_options vsftpd_pam_service vsftpd_pasv_address
    vsftpd_pasv_enable vsftpd_pasv_max_port vsftpd_pasv_min_port vsftpd_pasv_promiscuous vsftpd_port
    vsftpd_port_enable vsftpd_private_key_content vsftpd_require_ssl_reuse vsftpd_rsa_cert_file
    vsftpd_rsa_private_key_file vsftpd_secure_chroot_dir vsftpd_ssl_ciphers vsftpd_ssl_enable vsftpd_ssl_sslv2
    vsftpd_ssl_sslv3 vsftpd_ssl_tlsv1 vsftpd_ssl_tlsv11 vsftpd_ssl_tlsv12 vsftpd_ssl_tlsv13 vsftpd_tls_modes
    vsftpd_use_localtime vsftpd_user_sub_token vsftpd_virtual_use_local_privs vsftpd_write_enable
    vsftpd_xferlog_enable vsftpd_xferlog_std_format
    """.split()
)
"""Every variable of a role or a playbook; a test compares them with the argument specs."""

PREFIXES = ("ftp_", "vsftpd_", "pam_userdb_", "sshd_chroot_", "firewall_", "remote_control_", "user_command_")
"""What the names of our variables begin with, and those of nobody else ought to."""

OTHERS = "ftp_other_variables"
"""The variable that lists names of these shapes which belong to somebody else."""

SIMILAR = 0.85
"""From which ratio of difflib on a name with another beginning is taken for a slip of ours: one letter of seven."""

OUR_OWN = tuple(prefix for prefix in PREFIXES if prefix not in ("ftp_", "firewall_"))
"""Prefixes that nobody else uses; roles of others have variables such as firewall_allowed_tcp_ports."""

_NOT_OURS = frozenset(("ftp_proxy",))  # curl(1), wget(1), and many inventories


def problems(variables: Mapping[str, Any], defined: Iterable[str]) -> list[str]:
    """A sentence for each of the ``defined`` names that is none of ours but looks like it.

    ``variables`` holds OTHERS, a list of names to pass over.
    """
    others = variables.get(OTHERS) or []
    if isinstance(others, str) or not isinstance(others, Collection):
        return [f"{OTHERS}: expected a list of names of variables, found {type(others).__name__}"]
    found = []
    for name in sorted(set(defined) - PUBLIC - _NOT_OURS - {str(other) for other in others}):
        if name.startswith("firewalld_"):  # another program
            continue
        near = difflib.get_close_matches(name.lower(), PUBLIC, 1, SIMILAR)
        if not near and name.startswith(PREFIXES):
            near = difflib.get_close_matches(name, PUBLIC, 1, 0.75)
        if not near and not name.startswith(OUR_OWN):
            continue
        meant = f"did you mean {near[0]}? " if near else ""
        found.append(
            f"{name}: expected a variable of this collection, found none of that name; {meant}if it belongs to"
            f" something else, rename it or list it in {OTHERS}"
        )
    return found


def purge_problems(purge: bool, users: object, defined: Collection[str]) -> list[str]:
    """Nobody is removed because a list is missing; ``ftp_users: []`` says plainly that nobody is to be there.

    ``defined`` are the names of variables that are set; empty when that is not known.
    """
    if purge and (users is None or (defined and "ftp_users" not in defined)):
        return [
            "ftp_users_purge: is true, but ftp_users is not defined, which would remove everybody; define ftp_users,"
            " or set it to [] when nobody is to be left"
        ]
    return []
