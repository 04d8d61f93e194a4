# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The protocol of remote control: one JSON document in, one JSON document out, one line in the log.

docs/remote-control.md describes it for clients; schema.py says what a request may hold. No part of a
request becomes a word of a shell or an argument of a program: it goes to the methods of Manager as values.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import select
import syslog
import time
from typing import IO, Any, Callable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    EXIT_CODES,
    InvalidInput,
    NotPermitted,
    SecureFtpError,
    TooManyRequests,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import literal as _quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.audit import write as write_log
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import slots as _slots
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.schema import NUMBER, VERBS, VERSION, Field

MAX_REQUEST = 64 * 1024
"""Longest request in bytes."""

DRAIN = 8 * 1024 * 1024
"""How much of a longer request is read and discarded, so that its sender gets to read the answer."""

MAX_MESSAGE = 1000
"""Longest message of an answer in characters."""

SECONDS = 60.0
"""How long a request may take to arrive."""

SUBJECT = "ftp-users"
"""The only command a client may name when it opens its session; it may also name none."""


# --- a request -----------------------------------------------------------------------------------------------------


def receive(descriptor: int, limit: int = MAX_REQUEST, drain: int = DRAIN, seconds: float = SECONDS) -> bytes:
    """Read a request up to its end of file. InvalidInput if it is longer than ``limit`` or does not end in time."""
    deadline = time.monotonic() + seconds
    data = b""
    total = 0
    while total <= limit + drain:
        ready = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            raise InvalidInput(
                "request",
                f"it to end within {seconds:.0f} s",
                found="it still open",
                remedy="close your side of the channel after it",
            )
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        total += len(chunk)
        if total <= limit:
            data += chunk
    if total > limit:
        raise InvalidInput("request", f"at most {limit} bytes", found="more", remedy="send less in one request")
    return data


def parse(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return verb and fields of a request that keeps to VERBS; InvalidInput otherwise."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InvalidInput("request", "UTF-8", found=f"something else at byte {error.start}") from None
    except RecursionError:
        raise InvalidInput("request", "one flat JSON object", found="one nested too deeply") from None
    except ValueError as error:
        raise InvalidInput("request", "one JSON object", found=_safe(str(error), 200)) from None
    if not isinstance(document, dict):
        raise InvalidInput("request", "one JSON object", found=_kind_of(document))
    version = document.pop("version", None)
    # JSON's true and 1.0 are equal to 1 in Python.
    if version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        found = _kind_of(version).replace("a number", "another number")
        raise InvalidInput(
            "request: version", f"the number {VERSION}", found=found, remedy=f'send "version": {VERSION}'
        )
    name = document.pop("verb", None)
    verb = VERBS.get(name) if isinstance(name, str) else None
    if verb is None:
        found = _quoted(name) if isinstance(name, str) else _kind_of(name)
        raise InvalidInput("request: verb", f"one of {', '.join(VERBS)}", found=found)
    for key in document:
        if key not in verb.fields:
            allowed = ", ".join(verb.fields) or "none"
            raise InvalidInput(f"request: {name}", f"no fields but these: {allowed}", found=_quoted(key))
    for key, wanted in verb.fields.items():
        if key in document:
            _check(document[key], wanted, f"request: {name}: {key}")
        elif wanted.required:
            raise InvalidInput(f"request: {name}: {key}", wanted.kind, found="nothing", remedy="it is required")
    return str(name), document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {_quoted(twice)} twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name}, which JSON does not have")


def _check(value: object, wanted: Field, where: str) -> None:
    items = [value]
    if wanted.kind == "list of strings":
        if not isinstance(value, list):
            raise InvalidInput(where, "a list of strings", found=_kind_of(value))
        items = value
    elif wanted.kind == "boolean":
        if not isinstance(value, bool):
            raise InvalidInput(where, "true or false", found=_kind_of(value))
        return
    elif wanted.kind == NUMBER and isinstance(value, int) and not isinstance(value, bool):
        return
    for item in items:
        if not isinstance(item, str):
            found = _kind_of(item).replace("a number", "another number") if wanted.kind == NUMBER else _kind_of(item)
            raise InvalidInput(where, f"a {wanted.kind}", found=found)
        if re.search("[\ud800-\udfff]", item):
            raise InvalidInput(where, "text", found="half of a surrogate pair")
        if wanted.choices and item not in wanted.choices:
            raise InvalidInput(where, " or ".join(wanted.choices), found=_quoted(item))
    if wanted.choices and (not items or len(set(items)) != len(items)):
        expected = f"{' and/or '.join(wanted.choices)}, each at most once, at least one"
        raise InvalidInput(where, expected, found="one twice" if items else "none")


def _kind_of(value: object) -> str:
    kinds = {type(None): "nothing", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def _safe(text: str, limit: int) -> str:
    """``text`` on one line of printable ASCII, shortened."""
    return ascii(text[:limit])[1:-1] + ("..." if len(text) > limit else "")


# --- serving -------------------------------------------------------------------------------------------------------


def serve(
    label: str,
    stdin: IO[Any],
    stdout: IO[Any],
    manager: Any = None,
    environment: Mapping[str, str] | None = None,
    log: Callable[[int, str], None] | None = None,
    slots: str | None = None,
) -> int:
    """Answer the one request of the client ``label`` on ``stdin``; return the exit status, 0 or that of the error.

    Nothing that a client does makes it raise. ``manager`` is made when it is needed; ``environment`` is that of this
    process. ``slots`` is the name of the files of slots.py, None for no limit.
    """
    environment = os.environ if environment is None else environment
    who = f"client={_quoted(label)} from={_address(environment.get('SSH_CONNECTION', ''))}"
    what, result = "request", "ok"
    try:
        answer: dict[str, Any]
        try:
            _permitted(environment.get("SSH_ORIGINAL_COMMAND", ""))
            with _slots.slot(slots) if slots else contextlib.nullcontext():
                verb, given = parse(receive(stdin.fileno()))
                what = f"{verb} user={_quoted(given['name'])}" if "name" in given else verb
                outcome = VERBS[verb].call(manager if manager is not None else _manager(), given)
            answer = {"version": VERSION, "ok": True, "result": outcome}
            if "changed" in outcome:
                result += " changed" if outcome["changed"] else " unchanged"
            status = 0
        except SecureFtpError as error:
            if isinstance(error, TooManyRequests):  # let the client finish sending, so that it reads the answer
                with contextlib.suppress(SecureFtpError):
                    receive(stdin.fileno(), seconds=2)
            answer = _refusal(error.code, str(error))
            result = error.code
            # Invalid input may hold anything, even a password in the wrong place.
            if not isinstance(error, InvalidInput):
                result += f" message={_quoted(str(error), 300)}"
            status = EXIT_CODES[error.code]
    except Exception as error:  # with a bug too the client gets an answer, without internals
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "?"
        answer = _refusal(SecureFtpError.code, "internal error; the server's log says where")
        result = f"{SecureFtpError.code} message='internal error: {type(error).__name__} at {where}'"
        status = EXIT_CODES[SecureFtpError.code]
    (log or write_log)(syslog.LOG_INFO if status == 0 else syslog.LOG_WARNING, f"{who} {what} result={result}")
    _send(stdout, answer)
    return status


def _permitted(command: str) -> None:
    """Refuse what a client asked sshd to run: a command, a copy, SFTP (the command of that subsystem)."""
    if command not in ("", SUBJECT):
        raise NotPermitted(
            "session", f"no command or {SUBJECT}", found=_quoted(command), remedy="send the request on standard input"
        )


def _refusal(code: str, message: str) -> dict[str, Any]:
    if len(message) > MAX_MESSAGE:  # it may quote the request
        message = message[:MAX_MESSAGE] + "..."
    return {"version": VERSION, "ok": False, "error": {"code": code, "message": message}}


def _send(stdout: IO[Any], answer: Mapping[str, Any]) -> None:
    data = (json.dumps(answer, ensure_ascii=True, separators=(",", ":")) + "\n").encode("ascii")
    stream = getattr(stdout, "buffer", stdout)
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        # The client is gone. Keep Python from trying once more, and complaining, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


def _address(connection: str) -> str:
    """The client's address of SSH_CONNECTION (sshd(8): address, port, address, port)."""
    try:
        return str(ipaddress.ip_address(connection.split(" ", 1)[0].split("%")[0]))
    except ValueError:
        return "unknown"


def _manager() -> Any:
    from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager

    # serve logs, with the client's name. The clients have the verbs of the command, under names of their own.
    return Manager(audit=False, program="")
