# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The words of the command line that several verbs share."""

from __future__ import annotations

import argparse
from typing import Any, Callable, NoReturn

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import did_you_mean
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import (
    FIELDS,
    SIZE,
    SWITCH,
    TEXT,
    WORD,
    WORDS,
)

Run = Callable[[argparse.Namespace, Manager], int]


_OTHER_WORDS = {
    **dict.fromkeys(("remove", "rm", "delete", "userdel"), "del"),
    **dict.fromkeys(("create", "new", "useradd"), "add"),
    **dict.fromkeys(("modify", "change", "set", "update", "usermod"), "edit"),
    **dict.fromkeys(("ls", "users"), "list"),
    **dict.fromkeys(("password", "pass"), "passwd"),
    **dict.fromkeys(("info", "get"), "show"),
    **dict.fromkeys(("disable", "suspend"), "lock"),
    **dict.fromkeys(("enable",), "unlock"),
    **dict.fromkeys(("doctor", "verify", "status"), "check"),
}
"""What other programs call our verbs; some of these words look more like another verb of ours."""


class Parser(argparse.ArgumentParser):
    """Raises InvalidInput for words it does not understand."""

    def error(self, message: str) -> NoReturn:
        self._refuse(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            choices = list(map(str, action.choices or ()))
            other = _OTHER_WORDS.get(str(value).lower(), "")
            meant = f"did you mean {other}?" if other in choices else did_you_mean([str(value)], choices)
            self._refuse(str(error), meant)

    def _refuse(self, message: str, meant: str = "") -> NoReturn:
        raise InvalidInput("", found=message, remedy=f"{meant} see: {self.prog} --help".lstrip())


class VerbParser(Parser):
    """One verb: what it does not know it refuses itself, with its own help. Options are never abbreviated."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, left = super().parse_known_args(args, namespace)
        if left:
            meant = did_you_mean([left[0].partition("=")[0]], self._option_string_actions)
            self._refuse(f"unrecognized arguments: {' '.join(left)}", meant)
        return found, left


class Protocol(argparse.Action):
    """``--protocol``, which is not repeated: with argparse the last one would win without a word."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string}: expected once, found again; for both protocols: {option_string} both")
        setattr(namespace, self.dest, values)


class Verbs:
    """The verbs of the command line; each adds itself."""

    def __init__(self, top: argparse.ArgumentParser) -> None:
        self._parsers = top.add_subparsers(dest="verb", metavar="VERB", parser_class=VerbParser)
        self._prog = top.prog
        top.set_defaults(run=self._none_given)

    def _none_given(self, _arguments: argparse.Namespace, _manager: Manager) -> NoReturn:
        known = ", ".join(self._parsers.choices)
        raise InvalidInput("", f"a verb: {known}", found="none", remedy=f"what each does: {self._prog} --help")

    def add(self, name: str, run: Run, help: str, user: bool = True) -> argparse.ArgumentParser:
        """Add the verb ``name``, done by ``run``, for one ``user`` or not; return its parser, for more options."""
        found: argparse.ArgumentParser = self._parsers.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + "."
        )
        found.set_defaults(run=run)
        found.add_argument("--json", action="store_true", help="answer in JSON")
        if user:
            found.add_argument("name", metavar="NAME", help="login name")
        return found


def _words(text: str) -> list[str]:
    """The words of ``text``, between commas or blanks."""
    return text.replace(",", " ").split()


def user_options(found: argparse.ArgumentParser, verb: str) -> None:
    """Add the options of ``add`` and ``edit`` that the table of fields names; ``lock`` and ``unlock`` are verbs."""
    for field in FIELDS:
        last_word = field.name.rpartition("_")[2].upper()
        if field.kind == SWITCH and field.option and verb == "add":
            found.add_argument(field.option, action="store_true", default=None, help=field.meaning)
        elif field.option == "--protocol":
            default = "both" if verb == "add" else "unchanged"
            choices = (*field.choices, "both")
            said = f"{field.meaning}; default: {default}"
            found.add_argument(field.option, action=Protocol, choices=choices, help=said)
        elif field.kind in (WORD, TEXT, SIZE) and field.option:
            metavar = None if field.choices else last_word
            said = field.meaning.replace("`", "")
            found.add_argument(field.option, choices=field.choices or None, metavar=metavar, help=said)
        elif field.kind == WORDS and field.option:
            found.add_argument(field.option, type=_words, metavar=last_word, help=f"{field.meaning}; with commas")
        elif field.option == "--key":
            meaning = "a public key for SFTP or its .pub file; repeatable"
            meaning += "" if verb == "add" else "; in place of all present keys, to add one: ftp-users keys NAME add"
            found.add_argument(field.option, action="append", metavar="KEY", help=meaning)


def password_sources(found: argparse.ArgumentParser, word: str | None = None) -> Any:
    """Add the sources of a password, of which one may be used; ``word`` is the help of a password as an argument."""
    sources = found.add_mutually_exclusive_group()
    if word:
        sources.add_argument("password", metavar="PASSWORD", nargs="?", help=word)
    sources.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    sources.add_argument("--hash-stdin", action="store_true", help="read a crypt(3) hash from standard input")
    sources.add_argument("--generate", action="store_true", help="create a password and show it once")
    return sources


def password_options(found: argparse.ArgumentParser, asks: bool) -> None:
    """Add the sources of a password, including an argument."""
    unsafe = "the password; unsafe, since every user of the host can read it in the list of processes"
    sources = password_sources(found, unsafe)
    if asks:
        sources.add_argument("--no-password", action="store_true", help="no password: the user logs in with a key")
