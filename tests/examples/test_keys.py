"""examples/keys: a key lets its user in, and no password lets anybody in, whoever set it."""

from __future__ import annotations

import json
import socket

import pytest
from conftest import Wanted

WANTED = Wanted("keys")
PASSWORD = "Some-body-1234"


def test_the_check_finds_nothing(example):
    assert example.findings() == []


def test_each_key_lets_in_its_own_user_only(example):
    assert example.sftp("anna", key=example.key("anna")) and example.sftp("ben", key=example.key("ben"))
    assert not example.sftp("anna", key=example.key("ben"))


def test_a_password_is_refused_although_it_is_the_right_one(example):
    config = "/etc/ssh/sshd_config"
    example.host.sh("chpasswd", stdin=f"anna:{PASSWORD}\n")
    assert not example.sftp("anna", PASSWORD)
    example.host.sh(
        f"cp {config} /root/kept; sed -i 's/^    PasswordAuthentication .*/    PasswordAuthentication yes/' {config}"
    )
    example.host.sh("systemctl restart ssh")
    assert example.sftp("anna", PASSWORD), "only the setting of the example kept it out"
    example.host.sh(f"cp /root/kept {config}; systemctl restart ssh")


def test_nobody_can_log_in_to_vsftpd_which_is_reached_from_the_server_itself_only(example):
    for port in (21, 50000):
        with pytest.raises(socket.timeout):
            socket.create_connection((example.address, port), timeout=1)
    assert example.host.sh("exec 3<>/dev/tcp/127.0.0.1/21; head -n 1 <&3").stdout.startswith("220")
    users = json.loads(example.host.sh("ftp-users list --json").stdout)["users"]
    assert {user["name"]: user["protocols"] for user in users} == {"anna": ["sftp"], "ben": ["sftp"]}
