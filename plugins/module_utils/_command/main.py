# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The command ``ftp-users``: what its words mean, and how it answers. The work is done by Manager."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any, Callable, Mapping, NoReturn, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._command.streams import open_closed
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    EXIT_CODES,
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible, visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, Result, expect_root
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import PROTOCOLS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import min_length
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import people_from_list

EPILOG = """\
examples:
  ftp-users add batman                        ask for the password, FTPS and SFTP
  ftp-users add robin --protocol ftps --generate
  ftp-users add alfred --protocol sftp --no-password --key "ssh-ed25519 AAAA... alfred"
  pass show ftp/joker | ftp-users edit joker --password-stdin
  ftp-users lock joker                        no log-in by password or key
  ftp-users keys alfred add ~/alfred.pub
  ftp-users import people.csv                 say what would change, ask, do it
  ftp-users check                             is everything in order?

exit status:
  0  done            3  no such user       6  not permitted
  1  failed          4  exists already     7  damaged database
  2  invalid input   5  locked: another program is changing the users
  check: 0 no findings, 10 warnings, 11 errors; remote: 8 busy, as many requests as may are being answered
"""

INTERRUPTED = 130
"""128 and SIGINT, as shells have it."""


class _Parser(argparse.ArgumentParser):
    """Raises InvalidInput for words it does not understand."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see: {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="ftp-users",
        description="Manage the people of this FTPS and SFTP server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], int], help: str, user: bool = True) -> Any:
        found = verbs.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        found.set_defaults(run=run)
        found.add_argument("--json", action="store_true", help="answer in JSON")
        if user:
            found.add_argument("name", metavar="NAME", help="login name")
        return found

    found = verb("list", _list, "list everybody", user=False)
    found.add_argument("--protocol", choices=PROTOCOLS, help="only who uses it")
    found.add_argument("--names", action="store_true", help="names only, one a line")
    verb("show", _show, "show one user")
    found = verb("add", _add, "add a user; asks for the password")
    _password_options(found, asks=True)
    _person_options(found, default="both")
    found = verb("edit", _edit, "change a user; what is not said stays")
    _password_options(found, asks=False)
    _person_options(found, default="as it is")
    found = verb("del", _del, "remove a user; the files stay")
    found.add_argument("--remove-home", action="store_true", help="delete the user's files too")
    found = verb("passwd", _passwd, "change a user's password; asks for it")
    _password_sources(found)
    verb("lock", _lock, "keep a user from logging in, by password and by key")
    verb("unlock", _unlock, "let a locked user in again, exactly as before")
    found = verb("keys", _keys, "manage the public keys of an SFTP user")
    found.add_argument("action", choices=("list", "add", "del"), help="what to do")
    found.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="add: the key or a .pub file; del: the key, its comment or its SHA256 fingerprint",
    )
    found = verb("import", _import, "add or change everybody in a file", user=False)
    found.add_argument("file", metavar="FILE", help="CSV with a header, or lines NAME:HASH; - for standard input")
    found.add_argument("--format", choices=("csv", "colon", "pairs"), help="instead of telling by the content")
    found.add_argument("--dry-run", action="store_true", help="only say what would change")
    found.add_argument("--yes", action="store_true", help="do it without asking")
    found = verb("export", _export, "write everybody as CSV, for import", user=False)
    found.add_argument("--hashes", action="store_true", help="with the stored hashes (FTPS's where there are two)")
    verb("check", _check, "examine the whole server: what is wrong, why it matters, what fixes it", user=False)
    verb("repair", _repair, "keep what is readable of a damaged database; remove names no user may have", user=False)
    verb("hash-plaintext", _hash_plaintext, "hash passwords that a hand-made database stores in the clear", user=False)
    found = verb("remote", _remote, "answer one request of the remote control on standard input", user=False)
    found.add_argument("--client", required=True, metavar="LABEL", help="whose key it is")
    return top


def _person_options(found: argparse.ArgumentParser, default: str) -> None:
    found.add_argument("--protocol", choices=(*PROTOCOLS, "both"), help=f"what the user may use; default: {default}")
    found.add_argument(
        "--key", action="append", metavar="KEY", help="a public key for SFTP or its .pub file; again for more"
    )


def _password_sources(found: argparse.ArgumentParser, word: str | None = None) -> Any:
    sources = found.add_mutually_exclusive_group()
    if word:
        sources.add_argument("password", metavar="PASSWORD", nargs="?", help=word)
    sources.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    sources.add_argument("--hash-stdin", action="store_true", help="read a crypt(3) hash from standard input")
    sources.add_argument("--generate", action="store_true", help="make a password and show it once")
    return sources


def _password_options(found: argparse.ArgumentParser, asks: bool) -> None:
    unsafe = "the password; unsafe, since every user of the host can read it in the list of processes"
    sources = _password_sources(found, unsafe)
    if asks:
        sources.add_argument("--no-password", action="store_true", help="keys only")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. Never a traceback: each error is one line."""
    open_closed()
    as_json = "--json" in (sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser().parse_args(argv)
        _expect_text(getattr(arguments, "name", ""))
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except SecureFtpError as error:
        return _report(error, as_json)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; nothing was changed\n")
        return INTERRUPTED
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _report(SecureFtpError(f"{where}the system refused: {error.strerror or error}"), as_json)


def _expect_text(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(f"user name {name!r}: expected UTF-8, found other bytes") from None


def _report(error: SecureFtpError, as_json: bool) -> int:
    if as_json:
        _print_json({"error": {"code": error.code, "message": str(error)}})
        sys.stdout.flush()
    else:
        sys.stderr.write(f"error: {visible_lines(str(error))}\n")
    return EXIT_CODES[error.code]


# --- verbs ---------------------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    users = Manager().users()
    if arguments.protocol:
        users = [user for user in users if arguments.protocol in user["protocols"]]
    if arguments.json:
        _print_json({"users": users})
    elif arguments.names:
        sys.stdout.write("".join(f"{visible(user['name'])}\n" for user in users))
    else:
        sys.stdout.write(_table(("NAME", "PROTOCOLS", "STATE", "LOGS IN BY", "DIRECTORIES"), map(_summary, users)))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    user = Manager().show(arguments.name)
    if arguments.json:
        _print_json({"user": user})
        return 0
    rows = [("name", user["name"]), ("state", _state(user))]
    for protocol in user["protocols"]:
        side = user[protocol]
        rows.append((f"{protocol} password", side["scheme"] or "none"))
        rows.append((f"{protocol} directory", side["directory"] or "unknown"))
        if "keys" in side:
            rows.append((f"{protocol} keys", str(side["keys"])))
        if side.get("expires"):
            rows.append((f"{protocol} expires", side["expires"]))
    sys.stdout.write("".join(f"{what + ':':<16}{visible(value)}\n" for what, value in rows))
    return 0


def _add(arguments: argparse.Namespace) -> int:
    expect_root()
    manager = Manager()
    options = _person(arguments)
    if not arguments.no_password:
        options.update(_password(arguments, lambda: manager.expect_new(arguments.name, **options)))
    return _answer(arguments, manager.add(arguments.name, **options), "added", options)


def _edit(arguments: argparse.Namespace) -> int:
    expect_root()
    options = {**_person(arguments), **_password(arguments)}
    if not options:
        raise InvalidInput(
            "edit: expected something to change, found nothing; see: ftp-users edit --help (the password alone:"
            f" ftp-users passwd {arguments.name})"
        )
    return _answer(arguments, Manager().edit(arguments.name, **options), "changed", options)


def _passwd(arguments: argparse.Namespace) -> int:
    expect_root()
    manager = Manager()
    manager.show(arguments.name)
    options = _password(arguments, before_asking=lambda: None)
    return _answer(arguments, manager.edit(arguments.name, **options), "password changed", options)


def _del(arguments: argparse.Namespace) -> int:
    return _answer(arguments, Manager().delete(arguments.name, arguments.remove_home), "removed")


def _lock(arguments: argparse.Namespace) -> int:
    return _answer(arguments, Manager().lock(arguments.name), "locked")


def _unlock(arguments: argparse.Namespace) -> int:
    return _answer(arguments, Manager().unlock(arguments.name), "unlocked")


def _keys(arguments: argparse.Namespace) -> int:
    manager = Manager()
    if arguments.action == "list":
        keys = manager.keys(arguments.name)
        if arguments.json:
            _print_json({"keys": keys})
        else:
            sys.stdout.write("".join(f"{visible(key)}\n" for key in keys))
        return 0
    if not arguments.key:
        raise InvalidInput(f"keys {arguments.name} {arguments.action}: expected a key, found none")
    if arguments.action == "add":
        return _answer(arguments, manager.add_key(arguments.name, _key(arguments.key)), "key added")
    return _answer(arguments, manager.delete_key(arguments.name, arguments.key), "key removed")


def _import(arguments: argparse.Namespace) -> int:
    from ansible_collections.secure_ftp.server.plugins.module_utils._users.formats import entries

    source = "standard input" if arguments.file == "-" else arguments.file
    found, skipped = entries(_read(arguments.file), arguments.format, source)
    people = people_from_list(found, min_length())
    manager = Manager()
    plan = manager.apply_list(people, dry_run=True)
    wanted = not arguments.dry_run and plan.changes_anything
    if not wanted or arguments.yes:
        result = manager.apply_list(people) if wanted else plan
        _print_result(arguments, result, skipped, "would be " if arguments.dry_run else "")
        return 0
    if arguments.json or arguments.file == "-" or not sys.stdin.isatty():
        raise InvalidInput("import: expected --dry-run or --yes where nobody can be asked, found neither")
    _print_result(arguments, plan, skipped, "would be ")
    if input("Do it? [y/N] ").strip().lower() not in ("y", "yes"):
        sys.stdout.write("nothing was changed\n")
        return 0
    _print_result(arguments, manager.apply_list(people), {}, "")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from ansible_collections.secure_ftp.server.plugins.module_utils._users.formats import to_csv

    users = Manager().export(arguments.hashes)
    if arguments.json:
        _print_json({"users": users})
    else:
        sys.stdout.write(to_csv(users))
    return 0


def _hash_plaintext(arguments: argparse.Namespace) -> int:
    _print_result(arguments, Manager().hash_plaintext(), {}, "")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import examine as doctor

    findings = doctor.examine()
    if arguments.json:
        _print_json({"findings": doctor.to_json(findings)})
    else:
        sys.stdout.write(visible_lines(doctor.render(findings)))
    return doctor.exit_status(findings)


def _repair(arguments: argparse.Namespace) -> int:
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.repair import repair

    expect_root()
    done = repair()
    if arguments.json:
        _print_json(done._asdict())
    else:
        sys.stdout.write(visible_lines(f"{done}\n"))
    return 0


def _remote(arguments: argparse.Namespace) -> int:
    from ansible_collections.secure_ftp.server.plugins.module_utils._remote import protocol as remote
    from ansible_collections.secure_ftp.server.plugins.module_utils._remote.slots import FILES

    return remote.serve(arguments.client, sys.stdin.buffer, sys.stdout.buffer, slots=FILES)


# --- what was given ------------------------------------------------------------------------------------------------


def _person(arguments: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if arguments.protocol:
        options["protocols"] = list(PROTOCOLS) if arguments.protocol == "both" else [arguments.protocol]
    if arguments.key is not None:
        options["authorized_keys"] = [_key(key) for key in arguments.key]
    return options


def _password(arguments: argparse.Namespace, before_asking: Callable[[], object] | None = None) -> dict[str, str]:
    """The password or hash as an option of Manager; the terminal is asked only with ``before_asking``, called first."""
    from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt as source

    name = arguments.name
    if getattr(arguments, "password", None) is not None:
        sys.stderr.write(
            "warning: a password on the command line can be read by every user of this host (ps) and stays in the"
            " shell's history; leave it out to be asked, or use --password-stdin\n"
        )
        return {"password": arguments.password}
    if arguments.password_stdin:
        return {"password": source.from_stream(sys.stdin, name, min_length())}
    if arguments.hash_stdin:
        return {"password_hash": sys.stdin.read(4096).rstrip("\r\n")}
    if arguments.generate:
        return {"password": source.generate(min_length())}
    if before_asking is None:
        return {}
    before_asking()
    return {"password": source.from_terminal(name, min_length=min_length())}


def _key(given: str) -> str:
    """Return a key given itself or as the name of a file that holds it."""
    if " " in given.strip() or not os.path.exists(given):
        return given
    return _read(given).strip()


def _read(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: expected text in UTF-8, found something else") from None
    except OSError as error:
        raise InvalidInput(f"{path}: expected to read it, found: {error.strerror}") from None


# --- answers -------------------------------------------------------------------------------------------------------


def _answer(
    arguments: argparse.Namespace, answer: dict[str, Any], done: str, options: dict[str, Any] | None = None
) -> int:
    generated = (options or {}).get("password") if getattr(arguments, "generate", False) else None
    if arguments.json:
        _print_json({**answer, **({"generated_password": generated} if generated else {})})
        return 0
    _warn(answer["warnings"])
    user = answer["user"]
    protocols = f" ({', '.join(user['protocols'])})" if user else ""
    still = ", still locked" if user and user["locked"] and done not in ("locked", "added") else ""
    sys.stdout.write(f"{visible(arguments.name)}: {done if answer['changed'] else 'unchanged'}{protocols}{still}\n")
    if generated:
        sys.stdout.write(f"password: {generated}\n")
    return 0


def _print_result(arguments: argparse.Namespace, result: Result, skipped: Mapping[str, str], mood: str) -> None:
    groups = {
        "added": result.added,
        "changed": result.changed,
        "removed": result.removed,
        "unchanged": result.unchanged,
        "skipped": sorted(skipped),
    }
    if arguments.json:
        _print_json({**groups, "skipped_because": skipped, "warnings": result.warnings, "dry_run": bool(mood)})
        return
    _warn(result.warnings)
    for what, names in groups.items():
        if what == "skipped":
            sys.stdout.write("".join(f"{visible(name)}: skipped: {visible(skipped[name])}\n" for name in names))
        elif names and what == "unchanged":
            sys.stdout.write(f"{what}: {len(names)}\n")
        else:
            sys.stdout.write("".join(f"{visible(name)}: {mood}{what}\n" for name in names))


def _warn(warnings: Sequence[str]) -> None:
    sys.stderr.write("".join(f"warning: {visible_lines(warning)}\n" for warning in warnings))


def _print_json(content: object) -> None:
    json.dump(content, sys.stdout, indent=2, ensure_ascii=True)
    sys.stdout.write("\n")


def _state(user: dict[str, Any]) -> str:
    if user["locked"]:
        return "locked"
    # shadow(5) keeps days, of UTC.
    end = (user["sftp"] or {}).get("expires")
    if not end or end > time.strftime("%Y-%m-%d", time.gmtime()):
        return "active"
    # FTPS does not look at it: who has both still gets in.
    return "active, SFTP expired" if "ftps" in user["protocols"] else "expired"


def _summary(user: dict[str, Any]) -> tuple[str, ...]:
    sides = [user[protocol] for protocol in user["protocols"]]
    ways = ["password"] if any(side["scheme"] for side in sides) else []
    ways += ["key"] if any(side.get("keys") for side in sides) else []
    directories = dict.fromkeys(side["directory"] or "?" for side in sides)
    return (
        user["name"],
        ", ".join(user["protocols"]),
        _state(user),
        ", ".join(ways) or "nothing",
        ", ".join(directories),
    )


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [tuple(head), *(tuple(map(visible, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    widths[-1] = 0
    shape = "  ".join(f"{{:<{width}}}" for width in widths) + "\n"
    return "".join([shape.format(*line) for line in lines])
