# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where SFTP users live, and how they are written."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the SFTP user modules."""

    DOCUMENTATION = r"""
options:
  group:
    description:
      - The group whose members are SFTP users. It is the primary group of accounts made by this module; an account that
        has it as a supplementary group counts too.
      - Other system accounts are never touched, and their names are refused.
    type: str
    default: sftponly
  directory:
    description:
      - The jail, which holds the home of each user.
      - Without it, C(ChrootDirectory) of the C(Match Group) block for O(group) in O(config), or C(/home/sftp).
    type: path
  keys_directory:
    description:
      - Where public keys are kept, one file per user, owned by root so that users cannot change what opens their
        account.
      - Without it, the directory in C(AuthorizedKeysFile) of the C(Match Group) block for O(group) in O(config), or
        C(/etc/ssh/sftponly_keys).
    type: path
  config:
    description:
      - Main configuration file of sshd.
    type: path
    default: /etc/ssh/sshd_config
  shell:
    description:
      - Login shell. An existing C(nologin) or C(false) counts as right.
    type: path
    default: /usr/sbin/nologin
  remove_home:
    description:
      - Delete the home of each removed user with everything in it. Links in it are removed, not followed.
    type: bool
    default: false
  jail_check:
    description:
      - What C(sshd -T -C user=NAME) must say before passwords and keys are stored, asked for one user of each kind.
      - V(chroot) - jailed in O(directory), forced to C(internal-sftp), and let in. Open forwarding is a warning.
      - V(full) - besides, no forwarding, tunnel or terminal.
      - V(none) - do not ask.
    type: str
    choices: [full, chroot, none]
    default: chroot
notes:
  - New accounts are made in one pass by C(systemd-sysusers) with explicit user ids of the normal range; names with a
    dot or a leading digit, which it refuses, by C(useradd). All passwords are set by one C(chpasswd --encrypted).
  - A new account never gets the user id that owns another directory in the jail. A user who comes back gets the id
    that owns the home left behind.
  - An account with neither password nor hash gets C(*) in C(/etc/shadow), so keys work and passwords do not.
  - Removing an account takes its password and keys first, then ends its running sessions.
  - The home field of C(/etc/passwd) of an account made by hand stays as it is, since C(internal-sftp) does not use it.
"""

    PLACE = r"""
options:
  sftp:
    description:
      - Where SFTP users are and how they are treated. What is left out is read from the live configuration.
    type: dict
    version_added: 0.2.0
    suboptions:
      group:
        description:
          - The group whose members are SFTP users; other system accounts are never touched, their names are refused.
          - Without it, that of the C(Match Group) block with C(ChrootDirectory).
        type: str
      directory:
        description:
          - The jail, which holds the home of each user.
        type: path
      keys_directory:
        description:
          - Where public keys are kept, one file per user, owned by root.
        type: path
      config:
        description:
          - Main configuration file of sshd; C(/etc/ssh/sshd_config) without it.
        type: path
      shell:
        description:
          - Login shell; C(/usr/sbin/nologin) without it. An existing C(nologin) or C(false) counts as right.
        type: path
      update_password:
        description:
          - As O(update_password), for SFTP alone.
        type: str
        choices: [always, on_create]
      remove_home:
        description:
          - As O(remove_home), for SFTP alone.
        type: bool
      jail_check:
        description:
          - What C(sshd -T -C user=NAME) must say before passwords and keys are stored; V(chroot) without it. The
            module M(secure_ftp.server.sftp_users) describes the choices.
        type: str
        choices: [full, chroot, none]
"""
