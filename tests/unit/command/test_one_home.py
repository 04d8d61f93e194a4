# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ftp-users one-home prints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Account
from ansible_collections.secure_ftp.server.plugins.module_utils._host.moving import Moved
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import one_home
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.changeover import Person
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import Done

ANN = Person("ann", "/home/vftp/ann", Account("ann", "/home/sftp/ann"), "", False, True, True)
DONE = Done({"ann": ANN}, {"ann": Moved(1, aside=["from-ftps/x\x1b"])}, ["bob"], ["/etc/vsftpd.conf"], ["one stays"])


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(one_home, "preview", lambda: DONE)
    monkeypatch.setattr(one_home, "run", lambda _front: Done())


def test_what_would_be_moved(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["one-home", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert said.err == "warning: one stays\n"
    assert said.out.splitlines() == [
        "ann: 1 file of /home/vftp/ann would be moved to /home/sftp/ann",
        "ann: 1 with a name that was taken: from-ftps/x\\x1b; see from-ftps in the home",
        "bob: account for FTPS would be added",
        "/etc/vsftpd.conf: local_root would be changed",
    ]


def test_programs_get_the_same_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["one-home", "--dry-run", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["dry_run"] and told["changed"] and told["accounts"] == ["bob"]
    assert told["users"][0]["from"] == "/home/vftp/ann" and told["users"][0]["files"] == 1


def test_a_file_that_was_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bob = ANN._replace(name="bob", old="/home/sftp/ann")
    monkeypatch.setattr(one_home, "preview", lambda: Done({"bob": bob}, {"bob": Moved()}))
    assert command.main(["one-home", "--dry-run"]) == 0
    assert capsys.readouterr().out == "bob: the file of vsftpd would be corrected\n"


def test_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["one-home"]) == 0
    assert capsys.readouterr().out == "every user has one home already; nothing was changed\n"
