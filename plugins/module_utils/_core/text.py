# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Text from outside, made safe to show on a terminal: characters that are invisible or move others are escaped."""

from __future__ import annotations

import difflib
import re
import shlex
from typing import Iterable, Mapping, Sequence


def visible(text: str, keep: str = "") -> str:
    """``text`` with every control, format and other invisible character escaped as in Python, such as ``\\u202e``.

    These are the characters for which ``str.isprintable`` is false: escape sequences of terminals, C1, U+202E, which
    reverses the text after it, lone surrogates, and blanks other than the space. ``keep`` are characters to leave.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else ascii(one)[1:-1] for one in text)


def visible_lines(text: str) -> str:
    """The same for text of several lines; the newlines are kept."""
    return visible(text, "\n")


_SHOWN = 5
_LONGEST = 60


def shortened(text: str) -> str:
    """``text``, cut if it is too long for a message."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def kind_said(value: object) -> str:
    """What kind of value was found, in words of YAML. Never shows the value, which may be secret."""
    if value is None:
        return "nothing (an empty value)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return "a number" if isinstance(value, int) else "a number with a fraction"
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a mapping (key: value)" if isinstance(value, Mapping) else "something else"


def value_said(value: object) -> str:
    """The same with the value of a text or a number, for values that are not secret."""
    if isinstance(value, str) and value:
        return f"the text {shortened(repr(value))}"
    said = kind_said(value)
    return f"the number {value}" if said.startswith("a number") else said


def quoted(value: object) -> str:
    """Return ``value``, or each item of it, quoted for a shell."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return " ".join(shlex.quote(str(item)) for item in items)


def listed(names: Sequence[str]) -> str:
    """The first few of ``names``, and the number of the others."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def did_you_mean(names: Iterable[str], known: Iterable[str]) -> str:
    """A question with the word of ``known`` that each misspelled one of ``names`` is nearest to; empty without any."""
    near = [difflib.get_close_matches(name.lower(), list(known), 1, 0.6) for name in names]
    words = list(dict.fromkeys(word for found in near for word in found))
    return f"did you mean {' and '.join(words)}?" if words else ""


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size_of(value: object) -> int | None:
    """The number of bytes that ``value`` means: an integer, or digits and K, M, G or T (of 1024); None for others."""
    found = re.match(r"([0-9]{1,16})([KMGT]?)\Z", str(value)) if isinstance(value, (int, str)) else None
    return int(found[1]) * _UNITS[found[2]] if found and not isinstance(value, bool) else None


def size_said(size: int) -> str:
    """``size`` bytes as ``size_of`` reads them, with the largest unit that is exact."""
    unit = next(one for one in ("T", "G", "M", "K", "") if size % _UNITS[one] == 0)
    return f"{size // _UNITS[unit]}{unit}" if size else "0"


def share_said(used: int, size: int) -> str:
    """How much of ``size`` bytes, which are not 0, is ``used``, in words."""
    return f"{used * 100 // size} % of {size_said(size)}"
