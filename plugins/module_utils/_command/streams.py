# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Standard streams that the caller has closed (``<&-``): no other file gets their numbers."""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """Open /dev/null for each closed stream.

    Python sets such a stream to None, and the next file that is opened, a lock or a database, would get its number: the
    errors of a program that we start would be written to that file.
    """
    for name, mode in (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, mode)  # the lowest free number: that of the stream
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8"))
