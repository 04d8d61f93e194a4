# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One user, and the list of users: options of the FTPS and the SFTP modules."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that describe users."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Login name. Letters, digits, C(.), C(_) and C(-), at most 32 characters, not reserved for the system.
    type: raw
    required: true
  state:
    description:
      - Whether the user should exist. V(absent) keeps the user's files unless O(remove_home=true).
    type: str
    choices: [present, absent]
    default: present
  password:
    description:
      - The password, as a quoted string without control characters, of at most 128 bytes for FTPS and 511 for SFTP
        only.
      - The stored hash does not change if this password matches it.
    type: raw
  password_hash:
    description:
      - The password as a hash of crypt(3), such as C($6$...) or C($y$...). Cannot be used with O(password).
      - Weak methods and very high costs are refused for new hashes.
    type: raw
  locked:
    description:
      - Whether the user is locked (no login by password or key). If omitted, a lock stays as it is,
        in a protocol that is added, too.
      - Password, keys and files stay, and unlocking restores exactly the state before.
    type: bool
  access:
    description:
      - What the user may do with files. V(read_only) denies every change, V(upload_only) everything but new files.
      - If omitted, it stays as it is; a new user may do everything.
    type: str
    choices: [read_write, read_only, upload_only]
    version_added: 0.2.0
  umask:
    description:
      - The umask of uploaded files and new directories, a quoted octal number from V("0000") to V("0077"), or
        V(default) for that of the server. If omitted, it stays as it is. V(upload_only) has its own.
    type: raw
    version_added: 0.2.0
  comment:
    description:
      - A line about the user, such as a company and an address, at most 200 characters without V(:). V("") is none.
        If omitted, it stays as it is.
      - It is stored in the account, so a user of FTPS only who has no account cannot have one.
    type: raw
    version_added: 0.2.0
  expires:
    description:
      - The first day on which the user cannot log in any more, by password or key and over both protocols, such as
        V(2027-01-31), in UTC; V(never) takes it away. If omitted, it stays as it is.
      - It is stored in the account, so a user of FTPS only who has no account cannot have one.
    type: raw
    version_added: 0.2.0
  allowed_sources:
    description:
      - The addresses and networks from which alone the user can log in, by password or key and over both protocols,
        such as V(192.0.2.0/24), V(198.51.100.7) or V(2001:db8::/32). An empty list is everywhere. If omitted, they
        stay as they are.
      - It is for an account, so a user of FTPS only who has no account cannot have it.
    type: list
    elements: str
    version_added: 0.2.0
  quota:
    description:
      - The most bytes that the files of the user take, such as V(10G), V(500M) or V(1000000); V(none) is no limit. If
        omitted, it stays as it is.
      - The kernel enforces it by the user id of the account, over both protocols, on the file system of the home. That
        has to be ext4 or XFS with user quotas. FTPS sessions must run as this account, so both protocols use one home,
        or the user has SFTP only.
    type: raw
    version_added: 0.2.0
  quota_files:
    description:
      - The most files and directories of the user, the home included, such as V(10000); V(none) is no limit. If
        omitted, it stays as it is. Enforced as the quota of bytes.
    type: raw
    version_added: 0.2.0
"""

    USERS = r"""
options:
  users:
    description:
      - The list of users for both protocols. M(secure_ftp.server.ftp_users) and M(secure_ftp.server.sftp_users) accept
        the same list.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Login name. Letters, digits, C(.), C(_) and C(-), at most 32 characters, not reserved for the system.
        type: raw
        required: true
      state:
        description:
          - Whether the user should exist. V(absent) keeps the user's files unless an option of the module removes them.
        type: str
        choices: [present, absent]
        default: present
      password:
        description:
          - The password, as a quoted string without control characters, of at most 128 bytes for FTPS and 511 for
            SFTP only.
          - The stored hash does not change if this password matches it, so a second run changes nothing.
        type: raw
      password_hash:
        description:
          - The password as a hash of crypt(3), such as C($6$...) or C($y$...). Cannot be used with
            O(users[].password).
          - Weak methods and very high costs are refused for new hashes.
        type: raw
      protocols:
        description:
          - The protocols that the user may use; both if omitted. The user is removed from protocols not listed.
        type: list
        elements: str
        choices: [ftps, sftp]
      authorized_keys:
        description:
          - The complete list of public keys for SFTP. If omitted, the keys stay as they are.
        type: list
        elements: str
      locked:
        description:
          - Whether the user is locked (no login by password or key). If omitted, a lock stays as it is,
            in a protocol that is added, too.
          - Password, keys and files stay, and unlocking restores exactly the state before.
        type: bool
      access:
        description:
          - What the user may do with files. V(read_only) denies every change, V(upload_only) everything but new files.
          - If omitted, it stays as it is; a new user may do everything.
        type: str
        choices: [read_write, read_only, upload_only]
        version_added: 0.2.0
      umask:
        description:
          - The umask of uploaded files and new directories, a quoted octal number from V("0000") to V("0077"), or
            V(default) for that of the server. If omitted, it stays as it is. V(upload_only) has its own.
        type: raw
        version_added: 0.2.0
      ftps_max_rate:
        description:
          - The highest rate of one FTPS session in bytes a second, such as V(500000), V(500K) or V(2M) (of 1024);
            V(0) is no limit. If omitted, it stays as it is. OpenSSH has no such limit.
        type: raw
        version_added: 0.2.0
      comment:
        description:
          - A line about the user, such as a company and an address, at most 200 characters without V(:). V("") is none.
            If omitted, it stays as it is.
          - It is stored in the account, so a user of FTPS only who has no account cannot have one.
        type: raw
        version_added: 0.2.0
      expires:
        description:
          - The first day on which the user cannot log in any more, by password or key and over both protocols, such as
            V(2027-01-31), in UTC; V(never) takes it away. If omitted, it stays as it is.
          - It is stored in the account, so a user of FTPS only who has no account cannot have one.
        type: raw
        version_added: 0.2.0
      allowed_sources:
        description:
          - The addresses and networks from which alone the user can log in, by password or key and over both protocols,
            such as V(192.0.2.0/24), V(198.51.100.7) or V(2001:db8::/32). An empty list is everywhere. If omitted, they
            stay as they are.
          - It is for an account, so a user of FTPS only who has no account cannot have it.
        type: list
        elements: str
        version_added: 0.2.0
      quota:
        description:
          - The most bytes that the files of the user take, such as V(10G), V(500M) or V(1000000); V(none) is no limit.
            If omitted, it stays as it is.
          - The kernel enforces it by the user id of the account, over both protocols, on the file system of the home.
            That has to be ext4 or XFS with user quotas. FTPS sessions must run as this account, so both protocols use
            one home, or the user has SFTP only.
        type: raw
        version_added: 0.2.0
      quota_files:
        description:
          - The most files and directories of the user, the home included, such as V(10000); V(none) is no limit. If
            omitted, it stays as it is. Enforced as the quota of bytes.
        type: raw
        version_added: 0.2.0
  defaults:
    description:
      - The rights of users who have none of their own in O(users).
    type: dict
    version_added: 0.2.0
    suboptions:
      access:
        description: As O(users[].access).
        type: str
        choices: [read_write, read_only, upload_only]
      umask:
        description: As O(users[].umask).
        type: raw
      ftps_max_rate:
        description: As O(users[].ftps_max_rate).
        type: raw
      comment:
        description: As O(users[].comment).
        type: raw
      expires:
        description: As O(users[].expires).
        type: raw
      allowed_sources:
        description: As O(users[].allowed_sources).
        type: list
        elements: str
      quota:
        description: As O(users[].quota).
        type: raw
      quota_files:
        description: As O(users[].quota_files).
        type: raw
"""

    PASSWORDS = r"""
options:
  update_password:
    description:
      - V(always) - set the password of an existing user if it differs. V(on_create) - set passwords of new users only.
    type: str
    choices: [always, on_create]
    default: always
  password_min_length:
    description:
      - The minimum length of a password in characters, 1 to 64. Hashes are exempt.
    type: int
    default: 12
    version_added: 0.2.0
  rounds:
    description:
      - Rounds of sha512_crypt for new hashes, 1000 to 1000000. Numbers of six digits are refused, because Linux-PAM
        before 1.5.2 cannot verify hashes of that length.
    type: int
    default: 50000
"""
