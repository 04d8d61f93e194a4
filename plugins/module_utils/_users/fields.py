# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The fields of a user, once: what may stand in an entry of ``ftp_users``, on every front.

The check before a run, the modules' options, the requests of remote control and the columns of a file are derived from
this table or compared with it by a test, so that a field works either everywhere or nowhere.
"""

from __future__ import annotations

from typing import NamedTuple

TEXT, WORD, LIST, SWITCH = "text", "word", "list", "switch"
"""Kinds of values: any string, a word of ``choices``, a list of strings, true or false."""

PROTOCOLS = ("ftps", "sftp")
STATES = ("present", "absent")


class Field(NamedTuple):
    """One field. ``secret``: its value is shown nowhere. ``choices``: what it, or each item of it, may be.

    ``only``: the one protocol it is for; empty for both.
    """

    name: str
    kind: str
    secret: bool = False
    choices: tuple[str, ...] = ()
    only: str = ""


FIELDS = (
    Field("name", TEXT),
    Field("state", WORD, choices=STATES),
    Field("password", TEXT, secret=True),
    Field("password_hash", TEXT, secret=True),
    Field("protocols", LIST, choices=PROTOCOLS),
    Field("authorized_keys", LIST, only="sftp"),
    Field("locked", SWITCH),
)
"""Every field, in the order of messages and documentation. ``name`` alone is required."""

NAMES = tuple(field.name for field in FIELDS)
PUBLIC = tuple(field.name for field in FIELDS if not field.secret)
LISTS = tuple(field.name for field in FIELDS if field.kind == LIST)
SWITCHES = tuple(field.name for field in FIELDS if field.kind == SWITCH)


def of_protocol(protocol: str) -> tuple[str, ...]:
    """The fields of one user of ``protocol`` ("ftps" or "sftp") alone, where ``protocols`` says nothing."""
    return tuple(field.name for field in FIELDS if field.only in ("", protocol) and field.name != "protocols")
