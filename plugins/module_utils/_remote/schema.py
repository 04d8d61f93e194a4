# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a request of remote control may hold: it is used to check requests and to make the JSON schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import (
    GIVEN,
    LIST,
    SIZE,
    SWITCH,
    TEXT,
    WORD,
    WORDS,
)

VERSION = 1
"""The version of the protocol; a change that breaks a client raises it."""

NUMBER = "string or whole number"
"""The kind of a size: users are answered with numbers, which can be sent back."""


@dataclass(frozen=True)
class Field:
    """One member of a request: ``kind`` is "string", "boolean", "list of strings" or NUMBER."""

    kind: str
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """One request: its fields besides version and verb, its answer, and the call of Manager that does it."""

    meaning: str
    result: str
    call: Callable[[Any, dict[str, Any]], dict[str, Any]] = field(repr=False)
    fields: Mapping[str, Field] = field(default_factory=dict)
    changes: bool = False


_KINDS = {
    TEXT: "string",
    WORD: "string",
    LIST: "list of strings",
    WORDS: "list of strings",
    SWITCH: "boolean",
    SIZE: NUMBER,
}
_USER = {
    one.name: Field(_KINDS[one.kind], one.meaning, required=one.name == "name", choices=one.choices) for one in GIVEN
}
_NAME = _USER["name"]
_KEY = Field("string", "one public key, a line of authorized_keys", required=True)
_NO_PASSWORD = Field("boolean", "do not use the password of a protocol that the user already has; default false")
_CHANGED = "`changed`, `user`, `warnings`"


def _instructions(user: dict[str, Any]) -> dict[str, Any]:
    # The rest of the protocol does not need all that reads a server.
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.instructions import instructions_here

    return instructions_here(user)


VERBS: Mapping[str, Verb] = {
    "list": Verb("list all users", "`users`", lambda manager, given: {"users": manager.users()}),
    "show": Verb("show one user", "`user`", lambda manager, given: {"user": manager.show(**given)}, {"name": _NAME}),
    "instructions": Verb(
        "say how a user connects: host, ports, words of clients, fingerprints; never a password",
        "`instructions`",
        lambda manager, given: {"instructions": _instructions(manager.show(**given))},
        {"name": _NAME},
    ),
    "add": Verb(
        "add a user, or add a protocol to a user",
        _CHANGED,
        lambda manager, given: manager.add(**given),
        {**_USER, "no_password": _NO_PASSWORD},
        changes=True,
    ),
    "edit": Verb(
        "change a user; omitted fields stay as they are",
        _CHANGED,
        lambda manager, given: manager.edit(**given),
        _USER,
        changes=True,
    ),
    "del": Verb(
        "remove a user",
        f"{_CHANGED}, `files`",
        lambda manager, given: manager.delete(**given),
        {"name": _NAME, "remove_home": Field("boolean", "also delete the user's files; default false")},
        changes=True,
    ),
    "lock": Verb(
        "deny a user all log-ins, in both protocols, by password and by key",
        _CHANGED,
        lambda manager, given: manager.lock(**given),
        {"name": _NAME},
        changes=True,
    ),
    "unlock": Verb(
        "allow a locked user to log in again, exactly as before",
        _CHANGED,
        lambda manager, given: manager.unlock(**given),
        {"name": _NAME},
        changes=True,
    ),
    "keys": Verb(
        "list the public keys of a user",
        "`keys`",
        lambda manager, given: {"keys": manager.keys(**given)},
        {"name": _NAME},
    ),
    "keys_add": Verb(
        "add a public key",
        _CHANGED,
        lambda manager, given: manager.add_key(**given),
        {"name": _NAME, "key": _KEY},
        changes=True,
    ),
    "keys_del": Verb(
        "remove a public key",
        _CHANGED,
        lambda manager, given: manager.delete_key(**given),
        {
            "name": _NAME,
            "key": Field("string", "the key's line, base64 part, comment or SHA256 fingerprint", required=True),
        },
        changes=True,
    ),
}


def json_schema() -> dict[str, Any]:
    """The schema of a request for programs, JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A request of the remote control of secure_ftp.server",
        "oneOf": [_request(name, verb) for name, verb in VERBS.items()],
    }


def _request(name: str, verb: Verb) -> dict[str, Any]:
    return {
        "type": "object",
        "description": verb.meaning,
        "properties": {
            "version": {"const": VERSION},
            "verb": {"const": name},
            **{key: _member(wanted) for key, wanted in verb.fields.items()},
        },
        "required": ["version", "verb", *(key for key, wanted in verb.fields.items() if wanted.required)],
        "additionalProperties": False,
    }


def _member(wanted: Field) -> dict[str, Any]:
    if wanted.kind == "boolean":
        return {"type": "boolean", "description": wanted.meaning}
    if wanted.kind == NUMBER:
        return {"type": ["string", "integer"], "minimum": 0, "description": wanted.meaning}
    text: dict[str, Any] = {"type": "string", **({"enum": list(wanted.choices)} if wanted.choices else {})}
    if wanted.kind == "string":
        return {**text, "description": wanted.meaning}
    several = {"uniqueItems": True, "minItems": 1} if wanted.choices else {}
    return {"type": "array", "items": text, **several, "description": wanted.meaning}
