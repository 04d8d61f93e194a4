# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How far a long piece of work is: one line on a terminal, rewritten; nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Iterator, TextIO

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import heard_by

PATIENCE = 1.0
"""Seconds of work before the first line: what is done at once shows none."""

PAUSE = 0.1
"""Seconds between two lines."""

_CLEAR = "\r\x1b[K"


class Progress:
    """A line such as ``batman: 1200 of 10000`` on ``stream``, if that is a terminal; ``with`` removes it at the end.

    A thread of its own writes it: while a program of the host works nobody tells anything, and the line has to be there
    all the same.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._state = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Progress:
        if self._stream.isatty():
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def tell(self, what: str, done: int, whole: int) -> None:
        """Say that ``done`` of ``whole`` parts of ``what`` are done."""
        self._state = f"{visible(what)}: {done} of {whole}"

    def _show(self) -> None:
        shown, pause = "", PATIENCE
        while not self._end.wait(pause):
            pause = PAUSE
            if self._state != shown:
                shown = self._state
                self._stream.write(f"{_CLEAR}{shown}")
                self._stream.flush()
        if shown:
            self._stream.write(_CLEAR)
            self._stream.flush()


@contextlib.contextmanager
def progress() -> Iterator[None]:
    """Show on the terminal what the work meanwhile tells. Nothing else may be written there until it is done."""
    with Progress() as line, heard_by(line.tell):
        yield
