# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FTPS: what must be refused is."""

from __future__ import annotations

import re

import pytest
from conftest import MAX_PER_IP, PASSWORDS

both_tls_modes = pytest.mark.parametrize("tls", ["explicit", "implicit"])

LINKS = {
    "to-passwd": "/etc/passwd",
    "to-etc": "/etc",
    "to-root": "/",
    "to-up": "../../..",
    "to-robin": "../robin",
    "to-secret": "{robin}/secret",
    "to-tmp": "/tmp",
    "to-new": "/tmp/escaped-through-link",
}


@pytest.fixture()
def planted(server):
    """Robin has a secret, and batman's directory is full of links that lead out of it."""
    home, robins = server.ftps_home("batman"), server.ftps_home("robin")
    links = {name: target.format(robin=robins) for name, target in LINKS.items()}
    make = "".join(
        f"ln -sfn '{target}' {home}/{name}; chown -h --reference={home} {home}/{name}\n"
        for name, target in links.items()
    )
    seen = server.sh(f"""set -e
        echo ROBINS-SECRET > {robins}/secret; echo mine > {home}/own
        chown --reference={robins} {robins}/secret; chown --reference={home} {home}/own
        chmod 600 {robins}/secret {home}/own
        {make}
        cat {home}/to-secret {home}/to-robin/secret
        grep -c ^root: {home}/to-passwd {home}/to-root/etc/passwd""").stdout
    assert seen.count("ROBINS-SECRET") == 2 and seen.count(":1\n") == 2, "the planted links must lead out"
    yield
    server.sh(f"rm -rf {robins}/secret {home}/own {home}/to-* /tmp/escaped*")


@pytest.mark.alike
def test_no_way_out_of_the_jail_or_into_another_users_files(server, client, planted):
    refused = [
        ["get", "/etc/passwd"],
        ["get", "../../../../etc/passwd"],
        ["get", "to-passwd"],
        ["get", "to-etc/passwd"],
        ["get", "to-root/etc/passwd"],
        ["get", "to-up/etc/passwd"],
        ["get", "to-secret"],
        ["get", "to-robin/secret"],
        ["get", "../robin/secret"],
        ["get", f"{server.ftps_home('robin')}/secret"],
        ["cwd", "/etc"],
        ["cwd", "to-etc"],
        ["cwd", "to-robin"],
        ["cwd", "../robin"],
        ["cwd", server.ftps_home("robin")],
        ["put", "/tmp/escaped", "x"],
        ["put", "to-tmp/escaped", "x"],
        ["put", "to-new", "x"],
        ["put", "../robin/escaped", "x"],
        ["rename", "own", "/tmp/escaped"],
        ["rename", "own", "../robin/escaped"],
        ["delete", "../robin/secret"],
        ["raw", "PORT 192,0,2,1,100,1"],
        ["raw", "SITE EXEC id"],
    ]
    answers = client.ask("ftps_steps", login=server.ftps("batman"), steps=refused)
    done = [(step, answer["result"]) for step, answer in zip(refused, answers, strict=True) if answer["done"]]
    assert done == []

    harmless = [["cwd", ".."], ["cwd", "../../../.."], ["list", ".."], ["list", "to-root"], ["get", "own"]]
    answers = client.ask("ftps_steps", login=server.ftps("batman"), steps=harmless)
    assert [answer["done"] for answer in answers] == [True] * len(harmless)
    results = [answer["result"] for answer in answers]
    assert results[:2] == ["/", "/"]
    for listing in results[2:4]:
        assert any(entry.endswith("own") for entry in listing), "'..' and '/' are the user's own directory"
        assert not any(entry.rsplit("/", 1)[-1] == "etc" for entry in listing)
    assert results[4] == "mine\n"

    own = client.ask("ftps_steps", login=server.ftps("robin"), steps=[["get", "secret"]])
    assert own == [{"done": True, "result": "ROBINS-SECRET\n"}], "the same request by its owner works"
    escaped = server.sh(f"ls -d /tmp/escaped* {server.ftps_home('robin')}/escaped* 2>/dev/null", check=False)
    assert escaped.stdout == ""


@pytest.mark.parametrize("user", ["batman", "nobody-such"])
def test_a_plain_text_login_is_refused_before_the_password(server, user):
    answer = server.ftps_login(user, PASSWORDS["batman"], tls="none")
    assert not answer["granted"]
    assert re.match(r"530 .*encryption", answer["reply"])


def test_unencrypted_and_unrelated_data_connections_are_refused(server, client):
    answers = client.ask("ftps_clear_data", login=server.ftps("batman"))
    assert re.match(r"522 .*encrypted", str(answers["clear"]))
    assert re.match(r"522 .*reuse", str(answers["no_reuse"]))


@pytest.mark.alike
def test_wrong_logins_are_refused(server, client):
    wrong = [
        ("batman", "wrong"),
        ("batman", ""),
        ("batman", PASSWORDS["batman"] + "x"),
        ("batman", PASSWORDS["batman"][:8]),
        ("batman", PASSWORDS["robin"]),
        ("BATMAN", PASSWORDS["batman"]),
        ("alfred", "anything"),
        ("joker", "ha-Ha!3 ha"),
        ("root", "root"),
        ("anonymous", "me@example.org"),
        ("ftp", "me@example.org"),
    ]
    attempts = [(user, password, tls) for user, password in wrong for tls in ("explicit", "implicit")]
    answers = client.ask("ftps_logins", host=server.address, ca_file=server.ca_file, attempts=attempts)
    for attempt, answer in zip(attempts, answers, strict=True):
        assert not answer["granted"], attempt
        wanted = "530 Anonymous" if attempt[0] in ("anonymous", "ftp") else "530 Login incorrect."
        assert answer["reply"].startswith(wanted), f"{attempt}: {answer['reply']}"


def test_anonymous_without_tls_is_refused(server):
    for user in ("anonymous", "ftp"):
        answer = server.ftps_login(user, "me@example.org", tls="none")
        assert not answer["granted"]
        assert answer["reply"].startswith("530 ")


def test_the_stored_hash_is_not_a_password(server):
    reader = """
try:
    from berkeleydb import db
except ImportError:
    from bsddb3 import db
users = db.DB()
users.open("/etc/vsftpd/users.db", dbtype=db.DB_HASH, flags=db.DB_RDONLY)
print(users[b"batman"].decode())
"""
    stored = server.sh(f"python3 - <<'END'\n{reader}END").stdout.strip()
    assert stored.startswith("$")
    assert server.ftps_login("batman", stored)["reply"] == "530 Login incorrect."


@both_tls_modes
def test_old_tls_versions_are_refused(server, client, tls):
    """The client proves that it can speak them: to a server of its own."""
    octet = int(server.address.rsplit(".", 1)[1])
    port = 44000 + octet * 2 + (tls == "implicit")
    target = f"{server.address}:990" if tls == "implicit" else f"{server.address}:21 -starttls ftp"
    answer = client.sh(f"""cd {server.directory}
        openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key -out old.crt -subj /CN=old -days 1 2>/dev/null
        old() {{ timeout 10 openssl s_client "$@" -cipher ALL:@SECLEVEL=0 </dev/null 2>&1; echo "rc=$?"; }}
        for version in tls1 tls1_1 tls1_2; do
            openssl s_server -accept 127.0.0.1:{port} -key old.key -cert old.crt -$version -cipher ALL:@SECLEVEL=0 \
                </dev/zero >/dev/null 2>&1 &
            until (: </dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $! || exit 9; sleep 0.1; done
            echo "== own $version"; old -connect 127.0.0.1:{port} -$version
            kill $!; wait $! 2>/dev/null
            echo "== server $version"; old -connect {target} -$version
        done""").stdout
    results = dict(part.split("\n", 1) for part in answer.split("== ")[1:])
    for version in ("tls1", "tls1_1", "tls1_2"):
        assert "rc=0" in results[f"own {version}"], f"this client cannot speak {version}: the test would prove nothing"
    assert "rc=0" in results["server tls1_2"]
    for version in ("tls1", "tls1_1"):
        assert "rc=0" not in results[f"server {version}"]
        assert re.search(r"alert (protocol version|handshake failure)", results[f"server {version}"])


@both_tls_modes
def test_one_connection_too_many_from_one_address_is_refused(server, client, tls):
    answer = client.ask("ftps_connections", login=server.ftps("batman", tls), limit=MAX_PER_IP)
    assert answer["held"] == MAX_PER_IP
    assert re.match(r"421 .*too many connections", answer["extra"])
    assert answer["held_work"] == ["/"] * MAX_PER_IP, "the sessions that were there go on"
    assert answer["again"] == "/", "a place given back can be taken again"
