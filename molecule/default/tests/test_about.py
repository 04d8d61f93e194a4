# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ftp-users about`` and the end of site.yml say is true: a client types it, and it works."""

from __future__ import annotations

import json
import shlex

import inside
import pytest
from conftest import PASSIVE_PORTS, PASSWORDS, Server, ansible

ASKPASS = "ask"
"""Answers ssh's questions: for the fingerprint with one that it was given, for the password with that."""


@pytest.fixture(scope="module")
def about(server: Server) -> dict:
    return json.loads(server.sh("ftp-users about --json").stdout)


@pytest.fixture(scope="module")
def text(server: Server) -> str:
    return server.sh("ftp-users about").stdout


@pytest.fixture()
def folder(server: Server) -> str:
    """A new directory on the client, in which the lines are typed."""
    path = f"{server.directory}/about"
    server.client.sh(f"rm -rf {path}; mkdir -p {path}")
    return path


def typed(about: dict, purpose: str) -> list[str]:
    return [one["line"] for one in about["commands"] if one["purpose"] == purpose]


def fetched(server: Server, about: dict, folder: str) -> str:
    """Type the line that fetches the certificate; return what it prints."""
    (line,) = typed(about, "certificate")
    return server.client.sh(f"cd {folder}; {line}").stdout


@pytest.mark.alike
def test_the_curl_lines_work_with_the_certificate_that_the_first_line_fetched(server, about, folder):
    printed = fetched(server, about, folder)
    assert printed.strip().partition("=")[2] == about["certificates"][0]["sha256"]
    file = f"{server.ftps_home('batman')}/about.txt"
    server.sh(f"install -o {server.ftps_owner('batman')} -m 0600 /etc/hostname {file}")
    lines = typed(about, "ftps")
    assert [line.split("//")[0].split()[-1] for line in lines] == ["ftp:", "ftps:"]
    for line in lines:
        assert "--user batman " in line
        # curl asks on the terminal; without one it reads the answer from standard input.
        listing = server.client.sh(f"cd {folder}; printf '%s\\n' {shlex.quote(PASSWORDS['batman'])} | {line}").stdout
        assert "about.txt" in listing, line
    server.sh(f"rm {file}")


@pytest.mark.alike
def test_the_sftp_line_works_and_ssh_knows_the_host_by_each_printed_fingerprint(server, about, folder):
    (line,) = typed(about, "sftp")
    assert line == f"sftp batman@{server.address}"
    for key in about["host_keys"]:
        kind = key["kind"].lower()
        script = f"""cd {folder}
        cat >{ASKPASS} <<'END'
#!/bin/sh
case $1 in *fingerprint*) echo {key["fingerprint"]} ;; *) echo {shlex.quote(PASSWORDS["batman"])} ;; esac
END
        chmod 700 {ASKPASS}; rm -f known
        # Of several keys ssh asks for one only: which one is chosen here.
        algorithm=$(ssh-keyscan -t {kind} {server.address} 2>/dev/null | cut -d ' ' -f 2 | sed s/ssh-rsa/rsa-sha2-512/)
        printf 'HostKeyAlgorithms %s\nUserKnownHostsFile %s\n' "$algorithm" {folder}/known >config
        echo pwd | SSH_ASKPASS={folder}/{ASKPASS} SSH_ASKPASS_REQUIRE=force setsid -w {with_config(line, folder)}"""
        done = server.client.sh(script)
        assert "Remote working directory: /batman" in done.stdout, done.stderr


def with_config(line: str, folder: str) -> str:
    """The line with a configuration that stands in for that of the user who types it."""
    program, rest = line.split(" ", 1)
    return f"{program} -F {folder}/config {rest}"


def test_fingerprints_are_those_of_openssl_and_ssh_keygen(server, about):
    (certificate,) = about["certificates"]
    shown = server.sh(f"openssl x509 -noout -sha256 -fingerprint -in {certificate['path']}").stdout
    assert shown.strip().partition("=")[2] == certificate["sha256"]
    listed = server.sh("for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f $key; done").stdout
    assert {f"{one['bits']} {one['fingerprint']} {one['kind']}" for one in about["host_keys"]} == {
        f"{words[0]} {words[1]} {words[-1].strip('()')}" for words in map(str.split, listed.splitlines())
    }


@pytest.mark.alike
def test_it_says_how_the_server_is_configured(server, about):
    assert about["host"] == server.address and server.address in about["addresses"] and about["outside"] == ""
    assert [(one["mode"], one["port"], one["passive"]) for one in about["ftps"]] == [
        (mode, port, f"{PASSIVE_PORTS[0]}-{PASSIVE_PORTS[-1]}") for mode, port in (("explicit", 21), ("implicit", 990))
    ]
    assert about["sftp"] == {"ports": [22], "passwords": True}
    assert about["remote"] == {"user": "ftpcontrol", "clients": ["tests", "elsewhere"], "ports": [22]}
    users = json.loads(server.sh("ftp-users list --json").stdout)["users"]
    assert about["users"]["total"] == len(users)
    for protocol in ("ftps", "sftp"):
        assert about["users"][protocol] == sum(protocol in user["protocols"] for user in users)
    found = json.loads(server.sh("ftp-users check --json", check=False).stdout)["findings"]
    assert about["findings"] == found


def test_text_and_json_say_the_same_and_nothing_secret(server, about, text):
    (certificate,) = about["certificates"]
    said = [certificate["path"], certificate["sha256"], certificate["not_after"], *about["addresses"]]
    said += [key["fingerprint"] for key in about["host_keys"]] + [one["line"] for one in about["commands"]]
    said += [str(site[key]) for site in about["filezilla"] for key in site]
    said.append(f"ftpcontrol@{about['host']}, port 22, for tests, elsewhere")
    assert not [one for one in said if one not in text]
    assert not [one for one in ("$6$", "PRIVATE", *PASSWORDS.values()) if one in text + json.dumps(about)]


@pytest.mark.alike
def test_the_instructions_of_a_user_have_what_clients_show_and_ask_for(server, about, folder):
    """Fingerprints as a client sees them on the network, ports that a log-in by them works on, and no password."""
    told = json.loads(server.sh("ftp-users instructions batman --json").stdout)["instructions"]
    text = server.sh("ftp-users instructions batman").stdout
    assert text.splitlines() == told["text"] and PASSWORDS["batman"] not in text and "$6$" not in text
    explicit, implicit, sftp = told["ways"]
    seen = fetched(server, about, folder).strip().partition("=")[2]
    assert explicit["fingerprints"] == implicit["fingerprints"] == [seen]
    keys = server.client.sh(f"ssh-keyscan {server.address} 2>/dev/null | ssh-keygen -l -f -").stdout.splitlines()
    assert {one.split()[0] for one in sftp["fingerprints"]} == {line.split()[1] for line in keys}
    for way in (explicit, implicit):
        assert server.ftps_login("batman", PASSWORDS["batman"], way["tls"])["granted"]
        assert (way["host"], way["port"]) == (server.address, {"explicit": 21, "implicit": 990}[way["tls"]])
    assert server.sftp_login("batman")["reply"] == sftp["directory"] == "/batman"
    assert server.sh("ftp-users instructions nobody-here", check=False).returncode == 3


@pytest.mark.spread
def test_behind_nat_the_outer_address_is_everywhere_and_a_certificate_without_it_is_said(server):
    server.sh("cp -p /etc/vsftpd.conf /root/conf; echo pasv_address=10.9.8.7 >>/etc/vsftpd.conf")
    try:
        said = server.sh("ftp-users about").stdout
        assert "10.9.8.7 from outside; of this host: " in said and "sftp batman@10.9.8.7" in said
        assert "add IP:10.9.8.7 to vsftpd_certificate_san" in said or "see what is wrong" in said
        assert "clients will refuse it" in said
    finally:
        # Its change time is new: restarted, vsftpd counts as having read it.
        server.sh("mv /root/conf /etc/vsftpd.conf; systemctl restart vsftpd")


@pytest.mark.spread
def test_only_root_may_ask(server):
    refused = server.sh("setpriv --reuid=nobody --clear-groups ftp-users about", check=False)
    assert refused.returncode == 6 and "sudo ftp-users" in refused.stderr


@pytest.mark.spread
def test_the_module_says_the_same_and_is_brief_where_nothing_changed(server, about):
    """The end of a run of site.yml that changes nothing: its own lines beside Ansible's."""
    output = ansible(
        "ansible",
        server.name,
        f"--inventory={server.name},",
        f"--extra-vars={json.dumps(inside.variables(server.name))}",
        "--module-name=secure_ftp.server.server_info",
        "--args=show=true",
    )
    lines = [line for line in output.splitlines() if line.startswith(f"{server.name}: ")]
    assert f"at {server.address}; {about['users']['total']} users (" in lines[0]
    assert len(lines) == 2 and "sudo ftp-users" in lines[1]
