# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of an account, by the one-line commands an operator would type while the server runs."""

from __future__ import annotations

import pytest
from conftest import SFTP_JAIL, run_module

NAME = "harvey"
FIRST = "Two-Face%1 coin"
SECOND = "two-face%2 COIN"


def on_both(server, tmp_path, **options) -> None:
    """Run ``ansible SERVER -m ftp_user``, which changes both protocols; it must change."""
    password = options.pop("password", "")
    arguments = {"name": NAME, **options}
    if "state" not in options:
        arguments["password"] = "{{ the_password }}"
    output = run_module(server, "ftp_user", arguments, password, tmp_path)
    assert "CHANGED" in output, output
    assert FIRST not in output and SECOND not in output and "$6$" not in output


@pytest.fixture()
def no_harvey(server):
    """Leave nothing of the account behind."""
    yield
    server.sh(f"userdel {NAME}; rm -rf {' '.join(server.homes(NAME))} /etc/ssh/sftponly_keys/{NAME}", check=False)


def granted(server, password: str) -> dict[str, bool]:
    """Over which protocols the password logs in."""
    answers = {tls: server.ftps_login(NAME, password, tls)["granted"] for tls in ("explicit", "implicit")}
    answers["sftp"] = server.sftp_login(NAME, password=password)["granted"]
    return answers


NOWHERE = {"explicit": False, "implicit": False, "sftp": False}
EVERYWHERE = {"explicit": True, "implicit": True, "sftp": True}


@pytest.mark.spread
def test_created_changed_and_removed_while_the_server_runs(server, client, tmp_path, no_harvey):
    on_both(server, tmp_path, password=FIRST)
    assert granted(server, FIRST) == EVERYWHERE
    login = {**server.ftps("batman"), "user": NAME, "password": FIRST}
    assert client.ask("ftps_cycle", login=login)["intact"]
    client.ask("sftp_steps", login=server.ssh(NAME, password=FIRST), steps=[["put", "kept", "x"]])

    on_both(server, tmp_path, password=SECOND)
    assert granted(server, SECOND) == EVERYWHERE
    assert granted(server, FIRST) == NOWHERE, "the old password is worth nothing"

    on_both(server, tmp_path, state="absent")
    assert granted(server, SECOND) == NOWHERE, "a removed account is refused"
    assert server.host.file(f"{SFTP_JAIL}/{NAME}/kept").exists, "removing an account keeps its data"
    assert server.host.file(server.ftps_home(NAME)).is_directory
    assert server.ftps_login("batman", server.ftps("batman")["password"])["granted"], "nobody else is affected"
