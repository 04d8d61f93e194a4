# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One user, and the list of users: what the FTPS and the SFTP modules share."""

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
      - Whether the user exists. V(absent) keeps the user's files unless O(remove_home=true).
    type: str
    choices: [present, absent]
    default: present
  password:
    description:
      - The password, as a quoted string without control characters, of at most 128 bytes for FTPS and 511 for
        SFTP alone.
      - An existing user keeps the stored hash when the password verifies against it.
    type: raw
  password_hash:
    description:
      - The password as a hash of crypt(3), such as C($6$...) or C($y$...). Excludes O(password).
      - Weak methods and great costs are refused for new hashes.
    type: raw
  locked:
    description:
      - Whether the user is kept from logging in, by password and by key. Without it, a lock stays as it is.
      - Password, keys and files are kept, and unlocking restores exactly what was.
    type: bool
"""

    USERS = r"""
options:
  users:
    description:
      - The users, one list for both protocols, which M(secure_ftp.server.ftp_users) and
        M(secure_ftp.server.sftp_users) take whole.
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
          - Whether the user exists. V(absent) keeps the user's files unless the module is told otherwise.
        type: str
        choices: [present, absent]
        default: present
      password:
        description:
          - The password, as a quoted string without control characters, of at most 128 bytes for FTPS and 511 for
            SFTP alone.
          - Kept hashed as it is stored when it verifies, so running again changes nothing.
        type: raw
      password_hash:
        description:
          - The password as a hash of crypt(3), such as C($6$...) or C($y$...). Excludes O(users[].password).
          - Weak methods and great costs are refused for new hashes.
        type: raw
      protocols:
        description:
          - What the user may use. Without it, both. A user is absent from a protocol that is not listed.
        type: list
        elements: str
        choices: [ftps, sftp]
      authorized_keys:
        description:
          - The complete list of public keys for SFTP. Without it, keys stay as they are.
        type: list
        elements: str
      locked:
        description:
          - Whether the user is kept from logging in, by password and by key. Without it, a lock stays as it is.
          - Password, keys and files are kept, and unlocking restores exactly what was.
        type: bool
"""

    PASSWORDS = r"""
options:
  update_password:
    description:
      - V(always) sets the password of an existing user when it differs; V(on_create) sets it for new users only.
    type: str
    choices: [always, on_create]
    default: always
  password_min_length:
    description:
      - The fewest characters of a password, 1 to 64. Hashes are exempt.
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
