# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Configuration files, opened once: this process does not open a file again that has not changed.

The tools that change these files replace them by renaming, so another version has another identity.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Tuple

Identity = Tuple[int, int, int, int]
"""What distinguishes versions of a file: device, inode, size and time of modification in nanoseconds."""


class Text(NamedTuple):
    """The text of a file, and the version it was read from."""

    identity: Identity
    text: str


_read_before: dict[str, Text] = {}


def identity_of(path: str) -> Identity | None:
    """The current version of ``path``; None when it cannot be looked at. Opens nothing."""
    try:
        return _identity(os.stat(path))
    except OSError:
        return None


def read_text(path: str) -> Text:
    """Return the text of ``path``; bytes that are not UTF-8 become surrogates. Raises OSError."""
    known = _read_before.get(path)
    if known is not None and known.identity == identity_of(path):
        return known
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        found = _read_before[path] = Text(_identity(os.fstat(file.fileno())), file.read())
    return found


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
