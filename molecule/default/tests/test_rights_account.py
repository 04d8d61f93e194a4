# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account of a user says about the user, with real tools and real clients."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import KEY_FILE, PASSWORDS, run_module

NAME = "selene"
PASSWORD = "nine-Lives and 1 more"


def users(server, *words: str, stdin: str = "") -> dict:
    line = " ".join(map(shlex.quote, ("ftp-users", *words, "--json")))
    return json.loads(server.sh(f"printf %s {shlex.quote(stdin)} | {line}").stdout)


def add(server, *words: str) -> dict:
    key = Path(f"{KEY_FILE}.pub").read_text(encoding="ascii").strip()
    return users(server, "add", NAME, "--password-stdin", "--key", key, *words, stdin=PASSWORD)


@pytest.fixture(autouse=True)
def selene(server, monkeypatch):
    """Let the helpers log the user in, and leave nothing of the user behind."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    remove = f"ftp-users del {NAME} --remove-home >/dev/null 2>&1; true"
    server.sh(remove)
    yield
    server.sh(remove)


COMMENT = 'Jörg "100 %" \\ Müller, bruce@example.net'


@pytest.mark.alike
def test_a_comment_is_the_one_of_the_account(server):
    assert add(server, "--comment", COMMENT)["user"]["comment"] == COMMENT
    passwd = f"getent passwd {NAME} | cut -d: -f5"
    assert server.sh(passwd).stdout.strip() == COMMENT
    assert not users(server, "edit", NAME, "--comment", COMMENT)["changed"]
    assert users(server, "edit", NAME, "--comment", "Selina, Kyle")["changed"]
    assert server.sh(passwd).stdout.strip() == "Selina, Kyle"
    server.sh(f"chfn -f 'Selina Kyle' -r 12 {NAME} || usermod -c 'Selina Kyle,12,,' {NAME}")
    assert users(server, "show", NAME)["user"]["comment"] == "Selina Kyle,12"
    assert not users(server, "edit", NAME, "--comment", "Selina Kyle,12")["changed"]
    assert users(server, "edit", NAME, "--comment", "")["user"]["comment"] == ""
    assert server.sh(passwd).stdout.strip() == ""


@pytest.mark.spread
def test_the_module_and_an_import_give_comments(server, tmp_path):
    add(server)
    options = {"name": NAME, "comment": COMMENT}
    first, second = (run_module(server, "ftp_user", options, PASSWORD, tmp_path) for _time in range(2))
    assert "CHANGED" in first and "CHANGED" not in second
    server.sh(f"ftp-users export --hashes | grep -e ^name -e ^{NAME} >/root/selene.csv; ftp-users del {NAME}")
    server.sh("ftp-users import --yes /root/selene.csv; rm /root/selene.csv")
    assert users(server, "show", NAME)["user"]["comment"] == COMMENT
