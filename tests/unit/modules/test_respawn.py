# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module under a Python without Berkeley DB goes on under the system's, or names it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from conftest import HASH

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible import module
from ansible_collections.secure_ftp.server.plugins.module_utils._core import places
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps import database
from ansible_collections.secure_ftp.server.plugins.modules import ftp_user


class Respawned(BaseException):
    """Stands for the process that goes on."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, db: Path) -> Any:
    """Run ftp_user under a Python without the bindings; ``found`` is what the other one has."""

    def run(found: list[str], again: bool = False) -> Any:
        def probe(interpreters: list[str], name: str) -> str | None:
            assert interpreters == ["/usr/bin/python3"]
            return interpreters[0] if name in found else None

        def respawn(interpreter: str) -> None:
            raise Respawned(interpreter)

        for binding in places.DRIVERS:
            monkeypatch.setitem(sys.modules, f"{binding}.db", None)
        monkeypatch.setattr(database.sys, "executable", "/opt/venv/bin/python")
        monkeypatch.setattr(module, "probe_interpreters_for_module", probe)
        monkeypatch.setattr(module, "respawn_module", respawn)
        monkeypatch.setattr(module, "has_respawned", lambda: again)
        options = {"name": "batman", "password_hash": HASH, "db": str(db), "create_home": False}
        with patch_module_args(options):
            ftp_user.main()

    return run


@pytest.mark.parametrize("binding", ["berkeleydb", "bsddb3"])
def test_it_goes_on_where_the_binding_is(bare: Any, binding: str, db: Path) -> None:
    with pytest.raises(Respawned, match="/usr/bin/python3"):
        bare([binding])
    assert not db.exists()


@pytest.mark.parametrize(("found", "again"), [([], False), (["bsddb3"], True)])
def test_or_the_interpreter_is_named(bare: Any, found: list[str], again: bool, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        bare(found, again)
    result = json.loads(capsys.readouterr().out)
    message = result["msg"]
    assert result["lacks"] == list(places.DRIVERS), "the role pam_userdb looks at this, not at the words"
    assert "missing for /opt/venv/bin/python" in message and "python3-bsddb3" in message
    assert "set ansible_python_interpreter=/usr/bin/python3" in message
