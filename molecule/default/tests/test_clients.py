# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients expect of any server of FTPS, with the defaults: names, times, several connections."""

from __future__ import annotations

import pytest
from conftest import wait_until
from test_ftps import curl, lftp, url

both_tls_modes = pytest.mark.parametrize("tls", ["explicit", "implicit"])


def curl_once(server) -> str:
    """As curl(), but what fails once has failed."""
    return curl(server).replace("--retry 3 --retry-all-errors", "")


@pytest.mark.alike
def test_a_name_from_a_computer_that_does_not_use_utf_8_arrives_in_utf_8(server, client):
    """FEAT says UTF8, so the client converts; without it, what arrives is what Python's nlst() fails on for ever."""
    client.sh(
        f"set -e; export LC_ALL=C.UTF-8; cd {server.directory}; echo hello > \"$(printf 'gr\\374\\337e.txt')\"\n"
        + lftp(server, "explicit", "mput gr*.txt", settings="set file:charset ISO-8859-1")
    )
    stored = server.sh(f"cd {server.ftps_home('batman')}; LC_ALL=C ls -b gr*.txt; rm gr*.txt").stdout
    assert stored == "gr\\303\\274\\303\\237e.txt\n"


@pytest.fixture()
def in_new_york(server):
    """A server whose clock shows the time of New York."""
    restart = "systemctl restart vsftpd vsftpd-implicit"
    server.sh(
        "cp -P /etc/localtime /root/localtime && ln -sfn /usr/share/zoneinfo/America/New_York /etc/localtime"
        f" && test -e /etc/localtime && {restart}"
    )
    _wait_for_service(server)
    yield
    server.sh(f"mv -fT /root/localtime /etc/localtime; {restart}")
    _wait_for_service(server)


def _wait_for_service(server):
    wait_until(lambda: server.sh("ss -Htln 'sport = :21 or sport = :990'").stdout.count("\n") >= 2)


@pytest.mark.spread
@both_tls_modes
def test_times_are_right_whatever_the_zone_of_the_server(server, client, in_new_york, tls):
    """RFC 3659, 2.3: a time that MDTM answers is UTC."""
    there, file = url(server, tls, "dated"), f"{server.ftps_home('batman')}/dated"
    owner = server.ftps_owner("batman")
    server.sh(f"install -o {owner} -m 600 /dev/null {file}; touch -d 2020-06-01T12:00:00Z {file}")
    shown = client.sh(f"""set -e; cd {server.directory}; rm -f dated-*
        {curl(server)} --remote-time -o dated-curl {there}
        {lftp(server, tls, "get dated -o dated-lftp")}
        for one in dated-*; do TZ=UTC stat --format '%n %y' $one; done""").stdout.splitlines()
    server.sh(f"rm {file}")
    assert [line.split(".")[0] for line in shown] == [
        "dated-curl 2020-06-01 12:00:00",
        "dated-lftp 2020-06-01 12:00:00",
    ]


@pytest.mark.spread
@both_tls_modes
def test_one_address_may_transfer_eight_files_at_once(server, client, tls):
    """FileZilla opens up to 11 connections, rclone 12, and an office behind NAT shares one address."""
    client.sh(f"""set -e; cd {server.directory}; rm -rf eight; mkdir eight
        for n in 1 2 3 4 5 6 7 8; do head -c 2000000 /dev/urandom > eight/$n; done
        for n in 1 2 3 4 5 6 7 8; do
            {curl_once(server)} --limit-rate 1M -T eight/$n {url(server, tls)} & running="$running $!"
        done
        for one in $running; do wait $one; done""")
    sent = client.sh(f"cd {server.directory}/eight; sha256sum *").stdout
    stored = server.sh(f"cd {server.ftps_home('batman')}; sha256sum [1-8]; rm [1-8]").stdout
    assert stored == sent


@pytest.mark.alike
@both_tls_modes
def test_thirty_uploads_in_one_session_arrive(server, client, tls):
    """With TLS 1.3 a data connection that only sends ends before the client sees the next ticket: docs/clients.md."""
    client.sh(f"""set -e; cd {server.directory}; rm -rf thirty; mkdir thirty
        for n in $(seq 30); do head -c $((n * 100)) /dev/urandom > thirty/$n; done; : > thirty/30
        cd thirty; {curl_once(server)} --ftp-create-dirs -T '[1-30]' {url(server, tls, "thirty/")}""")
    sent = client.sh(f"cd {server.directory}/thirty; sha256sum *").stdout
    stored = server.sh(f"cd {server.ftps_home('batman')}; (cd thirty; sha256sum *); rm -r thirty").stdout
    assert stored == sent
    assert len(stored.splitlines()) == 30
