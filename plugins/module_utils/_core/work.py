# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""How far a long piece of work is: who does it tells, and a front that shows it listens. By default nobody does."""

from __future__ import annotations

import contextlib
from typing import Callable, Iterable, Iterator, Sequence, TypeVar

Listener = Callable[[str, int, int], None]
"""Called with what is worked on, and how many of how many parts are done."""

_T = TypeVar("_T")
_listeners: list[Listener] = []


def say(what: str, done: int, whole: int) -> None:
    """Say that ``done`` of ``whole`` parts of ``what`` are done."""
    if _listeners:
        _listeners[-1](what, done, whole)


def told(what: str, items: Sequence[_T] | Iterable[_T], whole: int) -> Iterator[_T]:
    """The ``items``, telling before each how many were done."""
    for done, item in enumerate(items):
        say(what, done, whole)
        yield item


@contextlib.contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear what is told meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.pop()
