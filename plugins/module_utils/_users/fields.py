# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The only list of the fields of a user: what an entry of ``ftp_users`` may contain, for every interface.

The check before a run, the modules' options, the requests of remote control and the columns of a file are derived from
this table or compared with it by a test, so that a field works either everywhere or nowhere.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import ACCESS

TEXT, WORD, LIST, WORDS, SWITCH, SIZE = "text", "word", "list", "words", "switch", "size"
"""Kinds of values: any string, a word of ``choices``, a list of strings, or of words without blanks and commas, true or
false, a number.

A number is an integer, or a string of digits; one of bytes may end in K, M, G or T (of 1024).
"""

PROTOCOLS = ("ftps", "sftp")
STATES = ("present", "absent")


class Field(NamedTuple):
    """One field. ``secret``: its value is shown nowhere. ``choices``: valid values of it, or of each item of it.

    ``only``: the only protocol it is for; empty for both. ``option``: its option of ``ftp-users add`` and ``edit``;
    empty if the command takes it in another way.
    """

    name: str
    kind: str
    meaning: str
    secret: bool = False
    choices: tuple[str, ...] = ()
    only: str = ""
    option: str = ""
    default: str = ""
    """The value if it is not given; empty if that means "leave it as it is"."""

    for_all: bool = False
    """Whether ``ftp_users_defaults`` may give it to all users of the list."""


FIELDS = (
    Field("name", TEXT, "the login name"),
    Field("state", WORD, "whether the user exists", choices=STATES, default="present"),
    Field("protocols", LIST, "what the user may use", choices=PROTOCOLS, option="--protocol"),
    Field("locked", SWITCH, "whether every log-in is denied", option="--locked"),
    Field("password", TEXT, "the password; hashed on the server", secret=True),
    Field("password_hash", TEXT, "the password as a hash of crypt(3), instead of `password`", secret=True),
    Field("authorized_keys", LIST, "the complete list of public keys for SFTP", only="sftp", option="--key"),
    Field("access", WORD, "what the user may do with files", choices=ACCESS, option="--access", for_all=True),
    Field("umask", TEXT, 'the umask of uploads, "0000" to "0077", or `default`', option="--umask", for_all=True),
    Field(
        "ftps_max_rate",
        SIZE,
        "bytes a second over FTPS, such as 2M; 0 is no limit",
        only="ftps",
        option="--ftps-max-rate",
        for_all=True,
    ),
    Field("comment", TEXT, "a line about the user", option="--comment", for_all=True),
    Field("expires", TEXT, "the first day without log-in, YYYY-MM-DD, or `never`", option="--expires", for_all=True),
    Field(
        "allowed_sources",
        WORDS,
        "addresses and networks from which alone log-ins come; none is everywhere",
        option="--allowed-sources",
        for_all=True,
    ),
    Field(
        "quota",
        SIZE,
        "most bytes that the user's files take, such as 10G; none is no limit",
        option="--quota",
        for_all=True,
    ),
    Field(
        "quota_files",
        SIZE,
        "most files and directories of the user; none is no limit",
        option="--quota-files",
        for_all=True,
    ),
)
"""Every field, in the order of messages, columns and documentation. Only ``name`` is required."""

GIVEN = tuple(field for field in FIELDS if field.name != "state")
"""The fields of an existing user: of a request, and of a line of a file."""

NAMES = tuple(field.name for field in FIELDS)
RIGHTS = tuple(field.name for field in FIELDS if field.for_all)
PUBLIC = tuple(field.name for field in FIELDS if not field.secret)
LISTS = tuple(field.name for field in FIELDS if field.kind in (LIST, WORDS))
SWITCHES = tuple(field.name for field in FIELDS if field.kind == SWITCH)


def of_protocol(protocol: str) -> tuple[str, ...]:
    """The fields of a user of ``protocol`` ("ftps" or "sftp") only, for whom ``protocols`` is not needed."""
    return tuple(field.name for field in FIELDS if field.only in ("", protocol) and field.name != "protocols")
