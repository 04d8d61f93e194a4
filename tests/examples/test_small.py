"""examples/small, by the SSH of an operator: the user of the inventory, with the password for sudo."""

from __future__ import annotations

import json

import pytest
from conftest import Wanted

WANTED = Wanted("small", over_ssh=True)


def test_the_check_finds_nothing(example):
    assert example.findings() == []


@pytest.mark.parametrize("name", ["anna", "scanner"])
def test_both_transfer_over_ftps_with_their_own_passwords(example, name):
    assert example.ftps(name, example.passwords[name])
    (other,) = {"anna", "scanner"} - {name}
    assert not example.ftps(name, example.passwords[other])


def test_sftp_is_for_who_has_it(example):
    assert example.sftp("anna", example.passwords["anna"])
    assert not example.sftp("scanner", example.passwords["scanner"])


def test_nobody_else_is_there(example):
    users = json.loads(example.host.sh("ftp-users list --json").stdout)["users"]
    assert {user["name"]: user["protocols"] for user in users} == {"anna": ["ftps", "sftp"], "scanner": ["ftps"]}
