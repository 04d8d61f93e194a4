# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader gets to see about a server; molecule/default/tests/test_about.py runs the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import (
    About,
    Certificate,
    Example,
    Ftps,
    Remote,
    Sftp,
    Users,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import (
    as_json,
    brief,
    commands,
    filezilla,
    lines,
    next_step,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import HostKey

PATH = "/etc/ssl/certs/vsftpd.crt"
SELF_SIGNED = Certificate(
    PATH,
    "CN=web1.example.net",
    "CN=web1.example.net",
    ("DNS:web1.example.net", "IP:192.0.2.10"),
    "2029-03-04",
    "AB:CD",
    self_signed=True,
    names_host=True,
)
EXPLICIT = Ftps("vsftpd", "explicit", 21, "50000-50999", PATH)
IMPLICIT = Ftps("vsftpd-implicit", "implicit", 990, "50000-50999", PATH)
BATMAN = Example("batman", "password")
SERVER = About(
    name="web1",
    host="192.0.2.10",
    addresses=("192.0.2.10", "2001:db8::10"),
    outside="",
    ftps=(EXPLICIT, IMPLICIT),
    sftp=Sftp((22,), True),
    users=Users(4, 3, 3, 1, BATMAN, BATMAN),
    certificates=(SELF_SIGNED,),
    host_keys=(HostKey("/etc/ssh/a.pub", "ED25519", 256, "SHA256:abc"), HostKey("/b.pub", "RSA", 3072, "SHA256:def")),
    findings=(),
    command="ftp-users",
)
BARE = replace(SERVER, ftps=(), sftp=None, users=Users(), certificates=(), host_keys=())
WARNING = {"severity": "warning", "subject": "certificate-expires", "what": "", "why": "", "fix": "", "where": ""}
ERROR = {**WARNING, "severity": "error", "subject": "port-closed"}
FETCH = (
    "openssl s_client -starttls ftp -connect 192.0.2.10:21 </dev/null 2>/dev/null | openssl x509"
    " | tee 192.0.2.10.crt | openssl x509 -noout -sha256 -fingerprint"
)


def typed(about: About, **options: Any) -> list[str]:
    return [one.line for one in commands(about, **options)]


def test_the_whole_text() -> None:
    assert lines(SERVER, ["batman", "robin"]) == [
        "web1 (192.0.2.10) serves FTPS and SFTP.",
        "  Address       192.0.2.10, 2001:db8::10",
        "  FTPS          ports 21 (explicit TLS) and 990 (implicit TLS); passive ports 50000-50999",
        "  SFTP          port 22",
        "  Users         4 users (3 for FTPS, 3 for SFTP, 1 locked); new: batman, robin",
        "  Certificate   /etc/ssl/certs/vsftpd.crt, CN=web1.example.net, self-signed, until 2029-03-04",
        "                SHA-256 AB:CD",
        "                compare this with what the openssl line prints on a client, before you use its file",
        "  Host keys     SHA256:abc (ED25519 256)",
        "                SHA256:def (RSA 3072)",
        f"  On a client   {FETCH}",
        "                curl --ssl-reqd --cacert 192.0.2.10.crt --user batman ftp://192.0.2.10/",
        "                curl --cacert 192.0.2.10.crt --user batman ftps://192.0.2.10/",
        "                sftp batman@192.0.2.10",
        '  FileZilla     Protocol "FTP - File Transfer Protocol", Encryption "Require explicit FTP over TLS",'
        ' Host 192.0.2.10, Port 21, Logon Type "Ask for password"',
        '                Protocol "FTP - File Transfer Protocol", Encryption "Require implicit FTP over TLS",'
        ' Host 192.0.2.10, Port 990, Logon Type "Ask for password"',
        '                Protocol "SFTP - SSH File Transfer Protocol", Host 192.0.2.10, Port 22,'
        ' Logon Type "Ask for password"',
        "  Check         no problem found",
    ]


def test_two_homes_have_a_row_that_says_how_to_get_one() -> None:
    at = next(number for number, line in enumerate(lines(SERVER)) if line.startswith("  Users"))
    said = lines(replace(SERVER, two_homes=True, command="/usr/local/sbin/ftp-users"))
    assert said[at + 1] == (
        "  Homes         one for each protocol; one for both: sudo /usr/local/sbin/ftp-users one-home --dry-run"
    )
    assert not any("Homes" in line for line in lines(replace(SERVER, command="/usr/local/sbin/ftp-users")))


def test_remote_control_has_a_row_where_it_is_set_up() -> None:
    server = replace(SERVER, remote=Remote("ftpcontrol", ("shop", "desk"), (22, 2222)))
    at = lines(server).index("  Check         no problem found")
    assert lines(server)[at - 1] == (
        "  Remote        ftpcontrol@192.0.2.10, port 22, for shop, desk; clients to install:"
        " https://github.com/secure-ftp/server/blob/main/docs/remote-control.md#clients"
    )
    assert json.loads(json.dumps(as_json(server)))["remote"] == {
        "user": "ftpcontrol",
        "clients": ["shop", "desk"],
        "ports": [22, 2222],
    }
    assert as_json(SERVER)["remote"] is None


def test_check_mode_says_that_nothing_has_changed() -> None:
    text = lines(SERVER, ["batman"], check_mode=True)
    assert text[0] == "web1 (192.0.2.10) serves FTPS and SFTP; this is check mode, so nothing was changed."
    assert "; would be new: batman" in "".join(text)
    assert lines(BARE, check_mode=True) == [
        "web1: there is no FTPS or SFTP server yet, and check mode made none.",
        "  Next step     set it up: the same command without --check",
    ]


def test_the_short_text_is_two_lines_whatever_the_server_is_like() -> None:
    assert brief(SERVER) == [
        "web1: ports 21 (explicit TLS) and 990 (implicit TLS) for FTPS and port 22 for SFTP at 192.0.2.10; 4 users"
        " (3 for FTPS, 3 for SFTP, 1 locked); certificate until 2029-03-04; check: no problem found.",
        "web1: addresses, fingerprints and commands for clients: sudo ftp-users about",
    ]
    assert brief(replace(SERVER, command="")) == brief(SERVER)[:1]
    wrong = replace(SERVER, findings=(ERROR, WARNING, WARNING))
    assert "check: 1 error and 2 warnings: port-closed, certificate-expires." in brief(wrong)[0]
    assert brief(wrong)[1:] == [
        "web1: next step: see what is wrong and what corrects it: sudo ftp-users check",
    ]
    for about in (SERVER, wrong, BARE, replace(SERVER, ftps=()), replace(SERVER, sftp=None)):
        assert len(brief(about)) <= 2 and all(line.strip() for line in brief(about))


def test_json_says_what_the_text_says() -> None:
    said = json.loads(json.dumps(as_json(SERVER)))
    text = "\n".join(lines(SERVER))
    for command in said["commands"]:
        assert command["line"] in text
    for site in said["filezilla"]:
        assert site["protocol"] in text and site["encryption"] in text and site["logon_type"] in text
    for key in said["host_keys"]:
        assert key["fingerprint"] in text
    assert said["certificates"][0]["sha256"] in text and said["next_step"] == "" and said["serves"] == ["FTPS", "SFTP"]
    assert lines(About.of(said)) == lines(SERVER), "the demo makes its text of the JSON"


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_certificate_that_clients_have_already_is_not_fetched() -> None:
    assert typed(SERVER, ca_file="/tmp/my ca.crt") == [
        "curl --ssl-reqd --cacert '/tmp/my ca.crt' --user batman ftp://192.0.2.10/",
        "curl --cacert '/tmp/my ca.crt' --user batman ftps://192.0.2.10/",
        "sftp batman@192.0.2.10",
    ]


def test_a_certificate_that_clients_trust_needs_no_file() -> None:
    known = replace(SELF_SIGNED, self_signed=False, trusted=True, issuer="CN=R3")
    about = replace(SERVER, certificates=(known,), host="ftp.example.net")
    assert typed(about)[:2] == [
        "curl --ssl-reqd --user batman ftp://ftp.example.net/",
        "curl --user batman ftps://ftp.example.net/",
    ]
    assert "issued by CN=R3" in "\n".join(lines(about))


def test_a_certificate_of_another_ca_needs_that_of_the_ca() -> None:
    about = replace(SERVER, certificates=(replace(SELF_SIGNED, self_signed=False, issuer="CN=Wayne CA"),))
    assert typed(about)[0] == "curl --ssl-reqd --cacert CA.crt --user batman ftp://192.0.2.10/"


def test_implicit_tls_alone_is_where_the_certificate_is_fetched_from() -> None:
    about = replace(SERVER, ftps=(IMPLICIT,))
    assert typed(about)[0].startswith("openssl s_client -connect 192.0.2.10:990 <")
    assert len(typed(about)) == 3 and "ftp://" not in "".join(typed(about))


def test_other_ports_and_ipv6() -> None:
    about = replace(
        SERVER,
        host="2001:db8::10",
        ftps=(replace(EXPLICIT, port=2121), replace(IMPLICIT, port=9990)),
        sftp=Sftp((2200, 2222), True),
    )
    fetch, explicit, implicit, sftp = typed(about)
    assert "-connect '[2001:db8::10]:2121' <" in fetch and "| tee 2001-db8--10.crt |" in fetch
    assert explicit.endswith("--cacert 2001-db8--10.crt --user batman 'ftp://[2001:db8::10]:2121/'")
    assert implicit.endswith(" 'ftps://[2001:db8::10]:9990/'")
    assert sftp == "sftp -P 2200 'batman@[2001:db8::10]'"
    assert "port" not in brief(about)[0].replace("ports", "") and "ports 2200 and 2222" in "\n".join(lines(about))
    assert typed(replace(about, sftp=Sftp((22, 2222), True)))[3] == "sftp 'batman@[2001:db8::10]'"


def test_a_server_without_tls_says_so() -> None:
    about = replace(SERVER, ftps=(replace(EXPLICIT, mode="none", certificate=""),), certificates=())
    assert typed(about)[0] == "curl --user batman ftp://192.0.2.10/"
    assert filezilla(about)[0].encryption == "Only use plain FTP (insecure)"
    assert "port 21 (no TLS: everybody can read passwords)" in "\n".join(lines(about))


def test_users_with_a_key_alone_get_no_question_for_a_password_in_filezilla() -> None:
    users = Users(1, 0, 1, 0, None, Example("alfred", "key"))
    assert filezilla(replace(SERVER, users=users))[-1].logon_type == "Key file"
    assert filezilla(replace(SERVER, sftp=Sftp((22,), False)))[-1].logon_type == "Key file"
    about = replace(SERVER, ftps=(), users=users, certificates=())
    assert typed(about) == ["sftp alfred@192.0.2.10"]
    assert "1 user (1 for SFTP)" in "\n".join(lines(about)) and "FTPS" not in "\n".join(lines(about))


def test_without_users_the_commands_have_a_name_to_replace() -> None:
    about = replace(SERVER, users=Users())
    assert "--user NAME ftp://" in typed(about)[1] and typed(about)[-1] == "sftp NAME@192.0.2.10"
    assert "  Users         0 users" in lines(about)


# --- behind NAT, and other things that need a word --------------------------------------------------------------------


def test_behind_nat_the_outer_address_is_first() -> None:
    about = replace(SERVER, host="198.51.100.7", outside="198.51.100.7")
    assert lines(about)[1] == "  Address       198.51.100.7 from outside; of this host: 192.0.2.10, 2001:db8::10"
    assert "sftp batman@198.51.100.7" in typed(about)


@pytest.mark.parametrize(("host", "name"), [("198.51.100.7", "IP"), ("2001:db8::7", "IP"), ("ftp.example.org", "DNS")])
def test_a_certificate_for_another_host_is_said(host: str, name: str) -> None:
    about = replace(SERVER, host=host, certificates=(replace(SELF_SIGNED, names_host=False),))
    assert next_step(about).startswith(f"add {name}:{host} to vsftpd_certificate_san")
    assert "it names only DNS:web1.example.net, IP:192.0.2.10: clients will refuse it" in "\n".join(lines(about))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ""),
        ({"findings": (WARNING,)}, "see what is wrong and what corrects it: sudo ftp-users check"),
        ({"findings": (WARNING,), "command": "/opt/ftp-users"}, "corrects it: sudo /opt/ftp-users check"),
        ({"findings": (WARNING,), "command": ""}, "ansible HOST -b -m secure_ftp.server.server_info"),
        ({"users": Users()}, "run the playbook again, or sudo ftp-users add NAME"),
        ({"users": Users(), "command": ""}, "list them in ftp_users and run the playbook again"),
        ({"users": Users(problem="x: damaged"), "findings": (ERROR,)}, "see what is wrong"),
    ],
)
def test_the_next_step(change: dict[str, Any], expected: str) -> None:
    about = replace(SERVER, **change)
    assert expected in next_step(about)
    assert (f"  Next step     {next_step(about)}" in lines(about)) is bool(expected)


def test_users_that_cannot_be_read_are_not_none() -> None:
    about = replace(SERVER, users=Users(problem="/etc/vsftpd/users.db: damaged"))
    assert "  Users         cannot be read: /etc/vsftpd/users.db: damaged" in lines(about)
    assert "add" not in next_step(about)


def test_a_bare_host_is_no_server_yet() -> None:
    assert (
        lines(BARE)
        == brief(BARE)
        == [
            "web1: there is no FTPS or SFTP server yet.",
            "  Next step     set it up: ansible-playbook -i INVENTORY secure_ftp.server.site",
        ]
    )


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    evil = replace(SELF_SIGNED, subject="CN=\x1b]0;gotcha\x07")
    text = "".join(lines(replace(SERVER, certificates=(evil,)), ["x\x1b[2J"]))
    assert "\x1b" not in text and "\\x1b]0;gotcha" in text


def test_a_certificate_that_cannot_be_read_is_named() -> None:
    about = replace(SERVER, certificates=(Certificate(PATH),))
    assert f"  Certificate   {PATH} cannot be read" in lines(about)


def test_what_is_compared_is_said_only_where_there_is_something_to_compare() -> None:
    assert not any("compare" in line for line in lines(SERVER, ca_file="known.crt"))
    trusted = replace(SELF_SIGNED, self_signed=False, trusted=True)
    assert not any("compare" in line for line in lines(replace(SERVER, certificates=(trusted,))))


def test_a_server_that_is_called_by_its_address_is_named_once() -> None:
    assert lines(replace(SERVER, name="192.0.2.10"))[0] == "192.0.2.10 serves FTPS and SFTP."
