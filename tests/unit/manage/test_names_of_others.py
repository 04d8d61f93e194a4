# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users whose names this collection would not choose can be managed; names that are paths touch no file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import HASH, load

from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    NoSuchUser,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component, validate_existing_name
from manage.test_manager import Host, host  # noqa: F401  # pylint: disable=unused-import

ODD = [
    "joe@example.org",
    "\u00e4dmin",
    "ftp",
    "1234",
    "-rf",
    ".hidden",
    "x" * 60,
    "with blank",
    "a$b",
    "../climb",
    ".",
    "/etc",
]
PATHS = [name for name in ODD if not is_component(name)]


def stored(database: Path) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in read(str(database)).all().items()}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_shown_locked_unlocked_and_removed_and_never_added(host: Host, name: str) -> None:  # noqa: F811
    manager = host.manager
    with pytest.raises(InvalidInput, match="user name"):
        manager.add(name, password="long enough 1", protocols=["ftps"])
    load(host.db, {name: HASH, "batman": HASH})
    assert manager.show(name)["protocols"] == ["ftps"] and not manager.show(name)["locked"]
    assert manager.lock(name)["user"]["locked"] and stored(host.db)["batman"] == HASH
    assert not manager.unlock(name)["user"]["locked"]
    assert manager.edit(name, password="long enough 2")["changed"]
    assert passwords.verify("long enough 2", stored(host.db)[name])
    with pytest.raises(SecureFtpError, match="at least 12"):
        manager.edit(name, password="short")
    if name in PATHS:
        assert not host.homes.exists() or os.listdir(host.homes) == []
        assert not (host.homes.parent / "climb").exists()
    assert manager.delete(name, remove_home=name in PATHS)["changed"]
    assert list(stored(host.db)) == ["batman"] and os.path.isdir("/etc")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 2000, 7, None])
def test_what_is_no_name_at_all_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput):
        validate_existing_name(name)


def test_who_is_not_there_is_not_there(host: Host) -> None:  # noqa: F811
    load(host.db, {"batman": HASH})
    for name in ODD:
        with pytest.raises(NoSuchUser):
            host.manager.lock(name)


def test_bytes_that_are_no_text_are_invalid_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["show", "b\udce4t"]) == 2
    assert "expected UTF-8" in capsys.readouterr().err
