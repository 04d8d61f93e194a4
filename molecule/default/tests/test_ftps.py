# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS with real clients: what must work, over explicit and implicit TLS, passive and active."""

from __future__ import annotations

import hashlib
import shlex

import pytest
from conftest import BIG_FILE, PASSIVE_PORTS, PASSWORDS

both_tls_modes = pytest.mark.parametrize("tls", ["explicit", "implicit"])


def url(server, tls: str, path: str = "") -> str:
    """The address of a file for curl."""
    return f"{'ftps' if tls == 'implicit' else 'ftp'}://{server.address}/{path}"


def curl(server, user: str = "batman") -> str:
    """A curl command line that verifies the server and insists on TLS; the password comes from a file."""
    config = shlex.quote(f'user = "{user}:{PASSWORDS[user]}"')
    return (
        f"curl --silent --show-error --fail --max-time 120 --retry 3 --retry-all-errors"
        f" --ssl-reqd --cacert {server.ca_file}"
        f" --config <(printf '%s\\n' {config}) "
    )


def lftp(server, tls: str, commands: str, user: str = "batman", settings: str = "") -> str:
    """A shell script that runs lftp commands, each of which must succeed; ``settings`` come before it connects."""
    return (
        f"export LFTP_PASSWORD={shlex.quote(PASSWORDS[user])}\nlftp -f /dev/stdin <<'END'\n"
        "set cmd:fail-exit yes; set net:max-retries 4; set net:reconnect-interval-base 1; set net:timeout 30\n"
        "set xfer:clobber yes\n"
        f"set ssl:ca-file {server.ca_file}; set ssl:verify-certificate yes; set ssl:check-hostname yes\n"
        "set ftp:ssl-force yes; set ftp:ssl-protect-data yes\n"
        f"{settings}\nopen --user {user} --env-password {url(server, tls)}\n{commands}\nEND\n"
    )


def sha256_on(server, path: str) -> str:
    """The checksum of a file on the server."""
    return server.sh(f"sha256sum < {path}").stdout.split()[0]


@pytest.mark.alike
@both_tls_modes
def test_curl_uploads_lists_renames_downloads_and_deletes(server, client, tls):
    home = server.ftps_home("batman")
    there = url(server, tls)
    client.sh(f"""set -e; cd {server.directory}; head -c 100000 /dev/urandom > curl-{tls}
        {curl(server)} -T curl-{tls} {there}""")
    assert server.host.file(f"{home}/curl-{tls}").size == 100000
    answer = client.sh(f"""set -e; cd {server.directory}
        {curl(server)} --list-only {there}
        {curl(server)} -Q '-RNFR curl-{tls}' -Q '-RNTO renamed-{tls}' {there} >/dev/null
        {curl(server)} {there}renamed-{tls} | cmp - curl-{tls} && echo INTACT""").stdout.split()
    assert f"curl-{tls}" in answer
    assert "INTACT" in answer
    assert not server.host.file(f"{home}/curl-{tls}").exists
    client.sh(f"{curl(server)} -Q 'DELE renamed-{tls}' {there} >/dev/null")
    assert not server.host.file(f"{home}/renamed-{tls}").exists


@pytest.mark.spread
@both_tls_modes
def test_lftp_uploads_lists_renames_downloads_and_deletes(server, client, tls):
    answer = client.sh(
        f"set -e; cd {server.directory}; head -c 100000 /dev/urandom > lftp-up\n"
        + lftp(
            server,
            tls,
            "mkdir lftp-d; cd lftp-d; put lftp-up -o one; ls; mv one two; cls -1; get two -o lftp-down; rm two;"
            " cls -1; cd /; rmdir lftp-d; echo END-OF-LIST",
        )
        + "cmp lftp-up lftp-down && echo INTACT"
    ).stdout
    assert " one\n" in answer
    assert "\ntwo\n" in answer
    assert answer.endswith("END-OF-LIST\nINTACT\n")
    assert not server.host.file(f"{server.ftps_home('batman')}/lftp-d").exists


@pytest.mark.alike
@both_tls_modes
def test_ftplib_uploads_lists_renames_downloads_and_deletes(server, client, tls):
    seen = client.ask("ftps_cycle", login=server.ftps("batman", tls))
    assert seen["pwd"] == "/"
    assert (seen["listed"], seen["renamed"], seen["deleted"]) == (["one"], ["two"], [])
    assert seen["size_ok"] and seen["intact"]
    assert "cycle" not in seen["left"]
    assert seen["tls"] == "TLSv1.2"
    assert set(seen["passive_ports"]) <= set(PASSIVE_PORTS)
    assert seen["passive_ports"]


def test_listings_hide_the_real_owner(server, client):
    line = client.ask("ftps_cycle", login=server.ftps("robin"))["long_list"][0].split()
    assert line[2:4] == ["ftp", "ftp"]
    assert line[0] == "-rw-------", "uploads must be private (umask 077)"


@both_tls_modes
def test_active_mode(server, client, tls):
    seen = client.ask("ftps_cycle", login=server.ftps("robin", tls), passive=False)
    assert seen["intact"] and seen["listed"] == ["one"]
    assert seen["passive_ports"] == []
    assert {address for address, _port in seen["data_peers"]} == {server.address}
    assert {port for _address, port in seen["data_peers"]} <= {20, 989}, "active mode leaves from ftp-data"
    # lftp, for curl 7.87 to 7.88 (Debian 12) cannot: https://github.com/curl/curl/issues/10666
    client.sh(
        f"set -e; cd {server.directory}; head -c 5000000 /dev/urandom > active-up\n"
        + lftp(server, tls, "set ftp:passive-mode no; put active-up -o active; get active -o active-down; rm active")
        + "cmp active-up active-down"
    )


@pytest.mark.spread
@both_tls_modes
def test_50_mb_arrive_intact(server, client, tls):
    wanted = client.sh(f"sha256sum < {BIG_FILE}").stdout.split()[0]
    assert wanted != hashlib.sha256(b"").hexdigest()
    client.sh(f"{curl(server)} -T {BIG_FILE} {url(server, tls, 'big-curl')}")
    assert sha256_on(server, f"{server.ftps_home('batman')}/big-curl") == wanted
    fetched = client.sh(
        f"cd {server.directory}; {curl(server)} {url(server, tls, 'big-curl')} | sha256sum\n"
        + lftp(server, tls, "get big-curl -o big-lftp; rm big-curl")
        + "sha256sum < big-lftp; rm big-lftp"
    ).stdout.split()
    assert fetched == [wanted, "-", wanted, "-"]
    answer = client.ask("ftps_file", login=server.ftps("batman", tls), path=BIG_FILE, name="big-ftplib")
    assert (answer["sent"], answer["received"]) == (wanted, wanted)
    server.host.run(f"rm {server.ftps_home('batman')}/big-ftplib")


@both_tls_modes
def test_passive_ports_stay_in_range_and_the_address_is_the_servers(server, client, tls):
    answer = client.ask("ftps_passive", login=server.ftps("batman", tls), rounds=25)
    used = set(answer["used"]) | {answer["announced"]}
    assert len(answer["used"]) == 25
    assert used <= set(PASSIVE_PORTS)
    assert len(used) > 1, "25 transfers over one port: the range is not used"
    assert answer["address"] == server.address


@pytest.mark.alike
@both_tls_modes
def test_the_certificate_is_valid_for_the_address_and_the_tls_is_modern(server, client, tls):
    port = 990 if tls == "implicit" else 21
    shown = client.ask(
        "certificate", host=server.address, ca_file=server.ca_file, port=port, implicit=tls == "implicit"
    )
    assert ["IP Address", server.address] in shown["certificate"]["subjectAltName"]
    assert shown["tls"] == "TLSv1.2"


@pytest.mark.alike
def test_users_with_one_protocol_have_that_one(server, client):
    answer = server.ftps_login("oracle", PASSWORDS["oracle"])
    assert answer == {"granted": True, "reply": "/"}
