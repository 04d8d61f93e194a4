# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How far a long piece of work is: one line on a terminal, rewritten; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible

PATIENCE = 1.0
"""Seconds of work before the first line: what is done at once shows none."""

_PAUSE = 0.1
_CLEAR = "\r\x1b[K"


class Progress:
    """A line such as ``batman: 1200 of 10000`` on ``stream``, if that is a terminal; ``with`` removes it at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shows = self._stream.isatty()
        self._next = time.monotonic() + PATIENCE
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def tell(self, what: str, done: int, whole: int) -> None:
        """Say that ``done`` of ``whole`` parts of ``what`` are done."""
        now = time.monotonic()
        if self._shows and now >= self._next:
            self._next, self._shown = now + _PAUSE, True
            self._stream.write(f"{_CLEAR}{visible(what)}: {done} of {whole}")
            self._stream.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._shown = False
