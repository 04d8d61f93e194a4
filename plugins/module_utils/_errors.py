# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The one exception the library raises for anything an operator can put right."""

from __future__ import annotations


class SecureFtpError(Exception):
    """Bad input or an unusable host.

    The message names the thing, what was expected, what was found and the remedy, and never
    contains a password or a hash. Nothing has been changed when it is raised.
    """
