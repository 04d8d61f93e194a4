# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SFTP and SSH: what must be refused is."""

from __future__ import annotations

import re

import pytest
from conftest import PASSWORDS, SFTP_JAIL
from test_sftp import options, with_password

KEYS = "/etc/ssh/sftponly_keys"
SOCKET = "listener.sock"
UNIT = "verify-listener"


@pytest.fixture()
def planted(server):
    """Robin has a secret, and batman's directory has links that lead out of it, seen from in and outside the jail."""
    home = f"{SFTP_JAIL}/batman"
    links = {
        "to-passwd": "/etc/passwd",
        "to-etc": "/etc",
        "to-root": "/",
        "to-up": "../../../..",
        "to-robin": "../robin",
        "to-secret": "/robin/secret",
        "to-secret-outside": f"{SFTP_JAIL}/robin/secret",
        "to-new": "/robin/escaped",
    }
    make = "".join(
        f"ln -sfn '{target}' {home}/{name}; chown -h batman {home}/{name}\n" for name, target in links.items()
    )
    seen = server.sh(f"""set -e
        echo ROBINS-SECRET > {SFTP_JAIL}/robin/secret; chown robin {SFTP_JAIL}/robin/secret
        chmod 644 {SFTP_JAIL}/robin/secret  # the directory alone must keep others out
        {make}
        cat {home}/to-secret-outside {home}/to-robin/secret; grep -c ^root: {home}/to-passwd""").stdout
    assert seen == "ROBINS-SECRET\nROBINS-SECRET\n1\n", "the planted links must lead out"
    yield
    server.sh(f"rm -rf {SFTP_JAIL}/robin/{{secret,escaped}} {home}/{{to-*,made-*,own}}")


@pytest.mark.alike
def test_no_way_out_of_the_jail_or_into_another_users_files(server, client, planted):
    refused = [
        ["get", "/etc/passwd"],
        ["get", "../../../etc/passwd"],
        ["get", "to-passwd"],
        ["get", "to-etc/passwd"],
        ["get", "to-root/etc/passwd"],
        ["get", "to-up/etc/passwd"],
        ["get", "to-secret"],
        ["get", "to-secret-outside"],
        ["get", "to-robin/secret"],
        ["get", "../robin/secret"],
        ["get", "/robin/secret"],
        ["get", f"{SFTP_JAIL}/robin/secret"],
        ["list", "/"],
        ["list", ".."],
        ["list", "/robin"],
        ["list", "to-robin"],
        ["list", "to-root"],
        ["list", "to-etc"],
        ["stat", "/robin/secret"],
        ["put", "/robin/escaped", "x"],
        ["put", "to-new", "x"],
        ["put", "/escaped", "x"],
        ["mkdir", "/escaped"],
        ["rename", "/batman", "/escaped"],
        ["rename", "/robin", "/escaped"],
        ["rename", "/robin/secret", "own"],
        ["rmdir", "/batman"],
        ["delete", "/robin/secret"],
        ["chmod", "/robin", 0o777],
        ["chmod", "/", 0o777],
        ["hardlink", "/robin/secret", "made-hardlink"],
        ["hardlink", "/etc/passwd", "made-hardlink-2"],
    ]
    made = {
        "made-passwd": "/etc/passwd",
        "made-secret": "../robin/secret",
        "made-robin": "/robin",
        "made-root": "/",
        "made-up": "../../../../../etc",
        "made-new": "/robin/escaped",
    }
    making = [["symlink", target, name] for name, target in made.items()] + [["put", "own", "mine"], ["get", "own"]]
    making += [["cwd", ".."], ["cwd", "../.."]]
    refused += [["get", "made-passwd"], ["get", "made-secret"], ["get", "made-robin/secret"], ["list", "made-robin"]]
    refused += [["list", "made-root"], ["get", "made-root/etc/passwd"], ["list", "made-up"], ["put", "made-new", "x"]]
    answers = client.ask("sftp_steps", login=server.ssh("batman"), steps=making + refused)
    worked, tried = answers[: len(making)], answers[len(making) :]
    assert all(answer["done"] for answer in worked), worked
    assert [answer["result"] for answer in worked[-3:]] == ["mine", "/", "/"], "'..' ends at the jail"
    done = [(step, answer["result"]) for step, answer in zip(refused, tried, strict=True) if answer["done"]]
    assert done == []

    own = client.ask("sftp_steps", login=server.ssh("robin"), steps=[["get", "/robin/secret"]])
    assert own == [{"done": True, "result": "ROBINS-SECRET\n"}], "the same request by its owner works"
    assert server.sh(f"ls -d {SFTP_JAIL}/*").stdout.split() == sorted(
        f"{SFTP_JAIL}/{name}" for name in ("alfred", "batman", *(["oracle"] if server.one_home else []), "robin")
    )
    assert not server.host.file(f"{SFTP_JAIL}/robin/escaped").exists


@pytest.fixture()
def socket_in_the_jail(server):
    """A Unix socket that batman's processes could reach, and the /tmp that agent forwarding needs, were they let."""
    path = f"{SFTP_JAIL}/batman/{SOCKET}"
    program = f"import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('{path}'); s.listen(); time.sleep(600)"
    server.sh(f"""set -e
        systemctl stop {UNIT}-unix 2>/dev/null || true; rm -f {path}
        install -d -m 1777 {SFTP_JAIL}/tmp
        systemd-run --quiet --collect --unit {UNIT}-unix python3 -c "{program}"
        for i in $(seq 50); do test -S {path} && break; sleep 0.1; done; chown batman {path}; chmod 777 {path}
        runuser -u batman -- python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('{path}')"
    """)
    yield f"/batman/{SOCKET}"
    server.sh(f"systemctl stop {UNIT}-unix; rm -rf {path} {SFTP_JAIL}/tmp {SFTP_JAIL}/*/forward.sock", check=False)


@pytest.mark.parametrize("user", ["batman", "alfred"])
def test_nothing_but_sftp(server, client, key_file, socket_in_the_jail, user):
    server.sh(": </dev/tcp/127.0.0.1/22")  # what the forwarding below asks for is there
    login = server.ssh(user, key_file=key_file)
    granted = client.ask(
        "ssh_powers",
        login=login,
        listening_port=22,
        socket_path=socket_in_the_jail,
        new_socket_path=f"/{user}/forward.sock",
    )
    refused = {
        "terminal": granted["terminal"] is False,
        "agent": granted["agent"] is False,
        "x11": granted["x11"] is False,
        "exec": not re.search("uid=|root:", str(granted["exec"])),
        "shell": not re.search("uid=|root:", str(granted["shell"])),
        "scp": not re.search("root:", str(granted["scp"])),
        "local_forward": "dministratively prohibited" in granted["local_forward"],
        "local_socket": granted["local_socket"] != "",
        "remote_forward": "denied" in granted["remote_forward"],
        "remote_socket": granted["remote_socket"] == "refused",
        "tunnel": "rejected tunnel device forwarding" in granted["tunnel"],
    }
    assert refused == dict.fromkeys(granted, True), granted
    assert client.ask("sftp_login", login=login) == {"granted": True, "reply": f"/{user}"}
    assert server.sh(f"find {SFTP_JAIL} -name pwned -o -name forward.sock").stdout == ""


@pytest.mark.alike
def test_openssh_clients_get_no_command_no_copy_and_no_terminal(server, client):
    client.ask("banner", host=server.address)
    login = f"{options(server)} -o PubkeyAuthentication=no"
    target = f"batman@{server.address}"
    answer = client.sh(f"""cd {server.directory}; rm -f stolen; echo x > copied
        {with_password("batman")}
        as_batman() {{ timeout 5 sshpass -e "$@" </dev/null 2>&1; }}
        echo == exec; as_batman ssh -v {login} {target} 'id; cat /etc/passwd'
        echo == terminal; as_batman ssh -tt {login} {target}
        echo == up; as_batman scp -O {login} copied {target}:/batman/copied
        echo == down; as_batman scp -O {login} {target}:/batman/../etc/passwd stolen
        echo == forward
        as_batman ssh -v -o ExitOnForwardFailure=yes -R 45679:127.0.0.1:22 -N {login} {target}; echo "rc=$?"
        echo == files; ls stolen 2>/dev/null || true""").stdout
    parts = dict(part.split("\n", 1) for part in answer.split("== ")[1:])
    assert f"Authenticated to {server.address}" in parts["exec"], "must get past the login to prove anything"
    assert "uid=" not in answer and "root:x:0" not in answer
    assert "PTY allocation request failed" in parts["terminal"]
    assert "remote port forwarding failed" in parts["forward"] and "rc=255" in parts["forward"]
    assert parts["files"].strip() == ""
    assert not server.host.file(f"{SFTP_JAIL}/batman/copied").exists


@pytest.mark.alike
def test_a_wrong_login_is_refused(server, key_file):
    attempts = [
        ("batman", {"password": "wrong"}),
        ("robin", {"key_file": key_file}),
        ("oracle", {"password": PASSWORDS["oracle"]}),
    ]
    for user, credential in attempts:
        assert not server.sftp_login(user, **credential)["granted"], user
    for user in ("joker",) if server.one_home else ("oracle", "joker"):
        assert not server.host.user(user).exists, f"{user} must have no system account"


def test_nobody_can_authorize_a_key_of_his_own(server, client, key_file):
    client.sh(f"cd {server.directory}; test -s own || ssh-keygen -q -t ed25519 -N '' -f own")
    public = client.sh(f"cat {server.directory}/own.pub").stdout
    own_key = {"key_file": f"{server.directory}/own"}
    answers = client.ask(
        "sftp_steps",
        login=server.ssh("alfred", key_file=key_file),
        steps=[
            ["mkdir", ".ssh"],
            ["put", ".ssh/authorized_keys", public],
            ["chmod", ".ssh/authorized_keys", 0o600],
            ["chmod", ".ssh", 0o700],
            ["list", ".ssh"],
            ["put", f"{KEYS}/alfred", public],
            ["append", f"{KEYS}/alfred", public],
            ["put", f"../../..{KEYS}/alfred", public],
        ],
    )
    assert [answer["done"] for answer in answers] == [True] * 5 + [False] * 3
    assert answers[4]["result"] == ["authorized_keys"], "the file sshd reads by default is in place"
    assert not server.sftp_login("alfred", **own_key)["granted"]
    server.sh(f"rm -r {SFTP_JAIL}/alfred/.ssh")

    server.sh(f"install -m 644 {KEYS}/alfred /root/alfred-keys")
    try:
        server.sh(f"cat >>{KEYS}/alfred <<'END'\n{public}END")
        assert server.sftp_login("alfred", **own_key)["granted"], "the same key works once root authorizes it"
    finally:
        server.sh(f"cat /root/alfred-keys > {KEYS}/alfred; rm /root/alfred-keys")
    for command in (f"test -w {KEYS}/alfred", f"test -w {KEYS}", f"mv {KEYS}/alfred {KEYS}/x"):
        assert server.sh(f"runuser -u alfred -- {command}", check=False).returncode != 0, command
    keys = server.host.file(f"{KEYS}/alfred")
    assert (keys.user, keys.mode) == ("root", 0o644)
    listed = [line for line in keys.content_string.splitlines() if not line.startswith("#")]
    assert len(listed) == 1


def test_the_jail_binds_the_group_and_nobody_else(server):
    for user in ("batman", "alfred"):
        shown = server.sh(f"sshd -T -C user={user},host=h,addr=127.0.0.1").stdout.splitlines()
        for line in (
            f"chrootdirectory {SFTP_JAIL}",
            "allowtcpforwarding no",
            "allowstreamlocalforwarding no",
            "allowagentforwarding no",
            "x11forwarding no",
            "permittunnel no",
            "permittty no",
            f"authorizedkeysfile {KEYS}/%u",
        ):
            assert line in shown, f"{user}: {line}"
        assert any(line.startswith("forcecommand internal-sftp") for line in shown)
    shown = server.sh("sshd -T -C user=root,host=h,addr=127.0.0.1").stdout.splitlines()
    assert "forcecommand none" in shown and "chrootdirectory none" in shown
