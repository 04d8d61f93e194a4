# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Where things are that several rooms name."""

from __future__ import annotations

DRIVERS = ("berkeleydb", "bsddb3")
"""Python bindings of Berkeley DB, the newer one first."""


SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python they are packaged for."""
