# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schema takes what the server takes, and refuses what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.protocol import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.schema import VERBS, json_schema

jsonschema = pytest.importorskip("jsonschema", reason="comes with the checks of the documentation, not on every Python")

GOOD = [
    {"verb": "list"},
    {"verb": "show", "name": "batman"},
    {"verb": "add", "name": "batman", "password": "x", "protocols": ["ftps", "sftp"], "locked": True},
    {"verb": "add", "name": "batman", "no_password": True, "protocols": ["sftp"]},
    {"verb": "edit", "name": "batman", "authorized_keys": []},
    {"verb": "del", "name": "batman", "remove_home": False},
    {"verb": "keys_add", "name": "batman", "key": "ssh-ed25519 A"},
    {"verb": "edit", "name": "batman", "quota": "10G", "quota_files": 1000, "ftps_max_rate": 0},
]
BAD = [
    {"verb": "show"},
    {"verb": "shoot", "name": "batman"},
    {"verb": "list", "name": "batman"},
    {"verb": "show", "name": 7},
    {"verb": "add", "name": "batman", "protocols": ["scp"]},
    {"verb": "add", "name": "batman", "protocols": []},
    {"verb": "add", "name": "batman", "protocols": ["ftps", "ftps"]},
    {"verb": "add", "name": "batman", "locked": "yes"},
    {"verb": "add", "name": "batman", "no_password": "yes"},
    {"verb": "edit", "name": "batman", "no_password": True},
    {"verb": "add", "name": "batman", "state": "absent"},
    {"verb": "keys_add", "name": "batman"},
    {"verb": "edit", "name": "batman", "quota": 1.5},
    {"verb": "edit", "name": "batman", "quota": True},
    {"verb": "edit", "name": "batman", "comment": 7},
]


def fits(request: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid({"version": 1, **request}))


@pytest.mark.parametrize("request_", GOOD, ids=str)
def test_what_the_server_takes_fits(request_: dict[str, Any]) -> None:
    assert parse(json.dumps({"version": 1, **request_}).encode())[0] == request_["verb"]
    assert fits(request_)


@pytest.mark.parametrize("request_", BAD, ids=str)
def test_what_the_server_refuses_does_not_fit(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse(json.dumps({"version": 1, **request_}).encode())
    assert not fits(request_)


def test_it_has_every_verb() -> None:
    assert [one["properties"]["verb"]["const"] for one in json_schema()["oneOf"]] == list(VERBS)
    jsonschema.Draft202012Validator.check_schema(json_schema())
