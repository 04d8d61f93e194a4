# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Paths and marks that several packages of the library use."""

from __future__ import annotations

DRIVERS = ("berkeleydb", "bsddb3")
"""Python bindings of Berkeley DB, the newer one first."""

SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python that the packages of these bindings are for."""

ACCESS_FILE = "/etc/security/secure-ftp-access.conf"
"""From where users may log in; PAM asks it for vsftpd and for sshd."""

OUR_MARKS = ("# Managed by Ansible (secure_ftp.server.", "# Managed by Ansible (role secure_ftp.server.")
"""How files written by a module or a role of this collection begin, since its first version; see ``is_ours``."""


def is_ours(text: str) -> bool:
    """Whether this collection wrote a configuration file with that ``text``: the mark is near its beginning."""
    return any(line.startswith(OUR_MARKS) for line in text.splitlines()[:3])
