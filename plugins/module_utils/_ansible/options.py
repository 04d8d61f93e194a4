# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Argument specs that several modules share."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import LOCK_TIMEOUT
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import sftp_options
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import (
    FIELDS,
    LIST,
    RIGHTS,
    SIZE,
    SWITCH,
    TEXT,
    WORD,
    WORDS,
    Field,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import DEFAULT_ROUNDS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import DEFAULT_MIN_LENGTH


def person_options() -> dict[str, dict[str, Any]]:
    """Argument spec of one user; name and passwords are raw so that a bare YAML number is refused, not rewritten."""
    return {field.name: _option(field) for field in FIELDS}


def _option(field: Field) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        TEXT: {"type": "raw"},
        WORD: {"type": "str"},
        LIST: {"type": "list", "elements": "str"},
        WORDS: {"type": "list", "elements": "str"},
        SWITCH: {"type": "bool"},
        SIZE: {"type": "raw"},
    }
    option = {**kinds[field.kind], **({"choices": list(field.choices)} if field.choices else {})}
    if field.name == "name":
        option["required"] = True
    if field.default:
        option["default"] = field.default
    if field.secret or "key" in field.name:  # Ansible suspects a secret in every name with "key"
        option["no_log"] = field.secret
    return option


def password_options() -> dict[str, dict[str, Any]]:
    """Argument spec of the requirements for passwords."""
    return {"password_min_length": {"type": "int", "default": DEFAULT_MIN_LENGTH, "no_log": False}}


def users_option() -> dict[str, Any]:
    """Argument spec of ``users``, the list both ftp_users and sftp_users take."""
    return {"type": "list", "elements": "dict", "required": True, "options": person_options()}


def defaults_option() -> dict[str, Any]:
    """Argument spec of ``defaults``, the rights of users who have none of their own in ``users``."""
    return {"type": "dict", "options": {field.name: _option(field) for field in FIELDS if field.name in RIGHTS}}


def store_options() -> dict[str, dict[str, Any]]:
    """Argument spec of where FTPS users are stored; omitted options are discovered."""
    return {
        "db": {"type": "path"},
        "config": {"type": "path"},
        "pam_service": {"type": "str"},
        "local_root": {"type": "str"},  # a path would have its $USER expanded
        "guest_username": {"type": "str"},
    }


def sftp_place_options() -> dict[str, Any]:
    """Argument spec of ``sftp``, where SFTP users are and the rules for them; omitted options are discovered."""
    shared = ("rounds",)
    options = {
        name: {key: value for key, value in option.items() if key != "default"}
        for name, option in sftp_options().items()
        if name not in shared
    }
    return {"type": "dict", "options": options}


def removing(params: Mapping[str, Any]) -> list[str]:
    """The protocols to delete the directories of removed users in, by ``remove_home`` and ``sftp.remove_home``."""
    given = (params["sftp"] or {}).get("remove_home")
    by_sftp = params["remove_home"] if given is None else given
    return [one for one, removes in (("ftps", params["remove_home"]), ("sftp", by_sftp)) if removes]


def sftp_rules(params: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of SFTP users: those of ``sftp``, else those for both protocols, else None."""
    given = {key: value for key, value in (params["sftp"] or {}).items() if value is not None}
    return {**{key: params.get(key) for key in ("update_password", "rounds", "purge")}, **given}


def write_options() -> dict[str, dict[str, Any]]:
    """Argument spec of how FTPS users are written."""
    return {
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "create_home": {"type": "bool", "default": True},
        "remove_home": {"type": "bool", "default": False},
        "rounds": {"type": "int", "default": DEFAULT_ROUNDS},
        "lock_timeout": {"type": "float", "default": LOCK_TIMEOUT},
    }
