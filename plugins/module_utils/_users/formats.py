# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Lists of users in files: what ``ftp-users import`` reads and ``ftp-users export`` writes.

CSV is RFC 4180 with a header. Colon-separated files are shadow(5), htpasswd and pureftpd.passwd: a name, a hash, and
fields that are ignored. Pairs are the lines that db_load(1) -T reads: a name, then a password or hash.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from typing import Any, Callable, Dict, Iterable, List, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import (
    GIVEN,
    LIST,
    PROTOCOLS,
    SWITCH,
    WORDS,
    Field,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.hash_strength import TOLERABLE, weakness
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import (
    AMBIGUOUS,
    PLAINTEXT,
    is_hash,
    scheme,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import IsTaken, never

COLUMNS = tuple(field.name for field in GIVEN)
"""Columns of the CSV form; only ``name`` is required. Several protocols or keys: one per line in one quoted field."""

_TRUTH = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


Entries = List[Dict[str, Any]]


ALLOW = "--allow-weak-hashes"
"""The option of ``ftp-users import`` that accepts the weak hashes that are TOLERABLE."""


def entries(text: str, kind: str | None, source: str, is_taken: IsTaken = never) -> tuple[Entries, dict[str, str]]:
    """Return the options of every user in ``text``, and the skipped names, each with the reason.

    A user is skipped if the hash cannot be used: it is empty, of a method that crypt(3) does not know, or weak (unless
    ``is_taken`` says that it is accepted all the same).

    ``kind`` is one of FORMATS, None to detect it from the content; ``source`` is for messages. Raises InvalidInput
    naming the line.
    """
    text = text[1:] if text.startswith("\ufeff") else text
    if "\0" in text:
        raise InvalidInput(source, "text", found="a NUL character", remedy="is it a database? name a text file")
    found, skipped = [], {}
    for entry in FORMATS[kind or _kind(text, source)](text, source):
        taken = functools.partial(
            is_taken, entry["name"], entry.get("password_hash") or "", entry.get("protocols") or PROTOCOLS
        )
        reason = _unusable(entry.get("password_hash"), taken)
        if reason:
            skipped[str(entry["name"])] = reason
        else:
            found.append(entry)
    return found, skipped


def _unusable(stored: str | None, is_taken: Callable[[], bool] = lambda: False) -> str | None:
    """Why no user could or should log in with ``stored``; None when it is good, or does not look like a hash."""
    if stored is None:
        return None
    if not stored or stored[0] in "*!":
        return "no password, or locked"
    method = scheme(stored)
    if method in AMBIGUOUS:
        return "a hash of DES, which is weak, or a password in the clear"
    if method == PLAINTEXT:
        prefix = re.match(r"\$[0-9A-Za-z-]{1,16}(?=\$)|\{[0-9A-Za-z._-]{1,20}\}", stored)
        return f"a hash of {prefix.group()}, damaged or unknown to crypt(3)" if prefix else None
    found = weakness(method, stored)
    if found is None or is_taken():
        return None
    return f"a hash of {found}" + (f"; {ALLOW} accepts it" if method in TOLERABLE else "")


def _kind(text: str, source: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and "name" in next(csv.reader(lines[:1])):
        return "csv"
    if lines and all(":" in line for line in lines):
        return "colon"
    raise InvalidInput(
        source,
        f"CSV whose first line names the columns ({', '.join(COLUMNS)}), or lines NAME:HASH",
        found="something else" if lines else "nothing",
        remedy="for a file of db_load use --format pairs",
    )


def _csv(text: str, source: str) -> Entries:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    unknown = sorted(set(rows.fieldnames or ()) - set(COLUMNS))
    if unknown or "name" not in (rows.fieldnames or ()):
        problem = f"the unknown column {unknown[0]!r}" if unknown else "no column name"
        raise InvalidInput(source, f"the columns {', '.join(COLUMNS)}", found=problem)
    found = []
    try:
        for row in rows:
            where = f"{source}:{rows.line_num}"
            if None in row or None in row.values():
                raise InvalidInput(where, f"{len(rows.fieldnames or ())} fields", found="more or fewer")
            found.append(_row(row, where))
    except csv.Error as error:
        raise InvalidInput(f"{source}:{rows.line_num}", "CSV", found=str(error)) from None
    return found


def _row(row: Mapping[str, str], where: str) -> dict[str, Any]:
    return {"name": row["name"], **{field.name: _value(field, row, where) for field in GIVEN if field.name != "name"}}


def _value(field: Field, row: Mapping[str, str], where: str) -> Any:
    """The value in the column of ``field``, None for an empty one."""
    text = row.get(field.name, "")
    if field.kind == SWITCH:
        if text.strip().lower() not in _TRUTH:
            raise InvalidInput(f"{where}: {field.name}", "yes or no", found=repr(text))
        return _TRUTH[text.strip().lower()]
    if field.kind == WORDS or (field.kind == LIST and field.choices):
        return text.replace(",", " ").replace("+", " ").split() or None
    if field.kind == LIST:
        return [line for line in text.splitlines() if line.strip()] or None
    return text or None


def _colon(text: str, source: str) -> Entries:
    found: Entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _sep, rest = line.partition(":")
        stored = rest.partition(":")[0]
        if not is_hash(stored) and not _unusable(stored):
            raise InvalidInput(
                f"{source}:{number}: user {name!r}",
                "a crypt(3) hash that starts with '$' after the colon",
                found="something else",
                remedy="put passwords in a CSV file",
            )
        found.append({"name": name, "password_hash": stored})
    return found


def _pairs(text: str, source: str) -> Entries:
    lines = text.splitlines()
    if len(lines) % 2:
        raise InvalidInput(source, "pairs of lines, a name and a password", found=f"{len(lines)} lines")
    return [
        {"name": name, "password_hash" if is_hash(stored) else "password": stored}
        for name, stored in zip(lines[::2], lines[1::2])
    ]


FORMATS: dict[str, Callable[[str, str], Entries]] = {
    "csv": _csv,
    "colon": _colon,
    "pairs": _pairs,
}


def to_csv(users: Iterable[Mapping[str, Any]]) -> str:
    """Return ``users``, with the fields of GIVEN except the password, as CSV that ``entries`` can read."""
    out = io.StringIO(newline="")
    shown = [field for field in GIVEN if field.name != "password"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in shown)
    writer.writerows([_cell(field, user.get(field.name)) for field in shown] for user in users)
    return out.getvalue()


def _cell(field: Field, value: Any) -> str:
    if field.kind == SWITCH:
        return "yes" if value else "no"
    if field.kind in (LIST, WORDS):
        return ("\n" if field.kind == LIST and not field.choices else " ").join(value or ())
    return "" if value is None else str(value)
