"""A server without FTPS: ``ftp_protocols: [sftp]`` is all that an operator says."""

from __future__ import annotations

import json
from typing import Iterator

import pytest

PASSWORD = "Gotham-City-1!"
VARIABLES = {
    "ftp_protocols": ["sftp"],
    "firewall_enabled": True,
    "ftp_users": [{"name": "batman", "password": PASSWORD}],
}


@pytest.fixture
def server(host) -> Iterator:
    """The host, with a firewall of its own that is gone afterwards."""
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq install ufw >/dev/null 2>&1")
    yield host
    host.sh("ufw disable; ufw --force reset; rm -f /etc/ufw/*.20*")


def test_sftp_alone_is_set_up_and_managed(server):
    told = server.play(VARIABLES, "--check", "--diff")
    assert told.returncode == 0 and "would install" not in told.stdout, told.stdout
    done = server.play(VARIABLES)
    assert done.returncode == 0 and "serves SFTP." in done.stdout, done.stdout
    assert server.sh("command -v vsftpd; ls -d /etc/vsftpd.conf", check=False).returncode
    ports = {line.split()[2] for line in server.sh("ufw show added").stdout.splitlines()[1:]}
    assert ports == {"22/tcp"}
    assert "sshd" in server.sh("ss -Hltnp").stdout and "vsftpd" not in server.sh("ss -Hltnp").stdout

    added = server.sh("ftp-users add robin --password-stdin", stdin=f"{PASSWORD}\n").stdout
    assert added == "robin: added (sftp)\n"
    users = json.loads(server.sh("ftp-users list --json").stdout)["users"]
    assert {user["name"]: user["protocols"] for user in users} == {"batman": ["sftp"], "robin": ["sftp"]}
    server.sh("ftp-users import - --yes", stdin=f"name,password\nselina,{PASSWORD}\n")
    assert json.loads(server.sh("ftp-users show selina --json").stdout)["user"]["protocols"] == ["sftp"]
    refused = server.sh("ftp-users add joker --protocol ftps --generate", check=False)
    assert refused.returncode == 1 and "this server has SFTP only" in refused.stdout, refused.stdout
    check = server.sh("ftp-users check", check=False)
    assert check.stdout == "No problem found.\n", check.stdout

    again = server.play(VARIABLES)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout


def test_a_user_of_ftps_is_refused_before_any_change(host):
    done = host.preflight({**VARIABLES, "ftp_users": [{"name": "robin", "password": PASSWORD, "protocols": ["ftps"]}]})
    assert done.returncode and "expected sftp, as ftp_protocols says, found ftps" in done.stdout, done.stdout
