# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where SFTP users are stored, and how they are changed."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the SFTP user modules."""

    DOCUMENTATION = r"""
options:
  group:
    description:
      - The group of the SFTP users. It is the primary group of accounts that this module creates; accounts that have it
        as a supplementary group are members too.
      - Other system accounts are never changed, and their names are refused.
    type: str
    default: sftponly
  directory:
    description:
      - The jail, which contains the home directory of each user.
      - If omitted, C(ChrootDirectory) of the C(Match Group) block for O(group) in O(config), or C(/home/sftp).
    type: path
  keys_directory:
    description:
      - The directory of the public keys, one file per user, owned by root so that users cannot change their keys.
      - If omitted, the directory in C(AuthorizedKeysFile) of the C(Match Group) block for O(group) in O(config), or
        C(/etc/ssh/sftponly_keys).
    type: path
  config:
    description:
      - Main configuration file of sshd.
    type: path
    default: /etc/ssh/sshd_config
  shell:
    description:
      - Login shell. An existing C(nologin) or C(false) is accepted too.
    type: path
    default: /usr/sbin/nologin
  remove_home:
    description:
      - Delete the home directory of each removed user with everything in it. Links in it are removed, not followed.
    type: bool
    default: false
  jail_check:
    description:
      - What C(sshd -T -C user=NAME) must confirm, for one user of each kind, before passwords and keys are stored.
      - V(chroot) - the user is jailed in O(directory), forced to C(internal-sftp), and may log in. Allowed forwarding
        is a warning.
      - V(full) - as V(chroot), and no forwarding, tunnel or terminal.
      - V(none) - no check.
    type: str
    choices: [full, chroot, none]
    default: chroot
notes:
  - C(systemd-sysusers) creates new accounts in one pass with explicit user ids of the normal range. It refuses names
    with a dot or a leading digit; C(useradd) creates these. One C(chpasswd --encrypted) sets all passwords.
  - A new account never gets a user id that owns another directory in the jail. A user who is added again gets the id
    that owns the kept home directory.
  - An account without password and hash gets C(*) in C(/etc/shadow), so keys work and passwords do not.
  - When an account is removed, its password and keys are removed first, then its running sessions are ended.
  - The home field in C(/etc/passwd) of an account made by hand stays as it is, because C(internal-sftp) does not use
    it.
"""

    PLACE = r"""
options:
  sftp:
    description:
      - Where SFTP users are stored and how they are changed. Omitted options are read from the live configuration.
    type: dict
    version_added: 0.2.0
    suboptions:
      group:
        description:
          - The group of the SFTP users. Other system accounts are never changed, and their names are refused.
          - If omitted, the group of the C(Match Group) block with C(ChrootDirectory).
        type: str
      directory:
        description:
          - The jail, which contains the home directory of each user.
        type: path
      keys_directory:
        description:
          - The directory of the public keys, one file per user, owned by root.
        type: path
      config:
        description:
          - Main configuration file of sshd; C(/etc/ssh/sshd_config) if omitted.
        type: path
      shell:
        description:
          - Login shell; C(/usr/sbin/nologin) if omitted. An existing C(nologin) or C(false) is accepted too.
        type: path
      update_password:
        description:
          - As O(update_password), for SFTP only.
        type: str
        choices: [always, on_create]
      remove_home:
        description:
          - As O(remove_home), for SFTP only.
        type: bool
      jail_check:
        description:
          - What C(sshd -T -C user=NAME) must confirm before passwords and keys are stored; V(chroot) if omitted. The
            module M(secure_ftp.server.sftp_users) describes the choices.
        type: str
        choices: [full, chroot, none]
"""
