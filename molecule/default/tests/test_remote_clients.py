# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote control with real clients: what must work."""

from __future__ import annotations

import json
import os
import re
import shlex
import statistics
import time

import inside
import pexpect
import pytest
from client_cases import CASES, KEYS, PASSPHRASE
from conftest import CLIENT_DIRECTORY, CLIENT_NAME, INVENTORY, PASSWORDS, ansible
from logged import Log

NAME = "harvey"
FIRST = "Two-Face%1 coin $(id) \"'"
SECOND = "two-face%2 COIN ßü"
MANY = 50
COMMANDS = {
    "python": f"python3 {CLIENT_DIRECTORY}/python/ftp_users_client.py",
    "php": f"php {CLIENT_DIRECTORY}/php/ftp-users.php",
}
CLIENTS = tuple(COMMANDS)


@pytest.fixture()
def no_harvey(server, control):
    """Nobody of that name before and after."""

    def clear():
        control.ssh({"version": 1, "verb": "del", "name": NAME})
        server.sh(f"rm -rf {' '.join(server.homes(NAME))}")

    clear()
    yield
    clear()


def granted(server, password: str, name: str = NAME) -> dict[str, bool]:
    """Over which protocols the password logs in."""
    return {
        "ftps": server.ftps_login(name, password)["granted"],
        "sftp": server.sftp_login(name, password=password)["granted"],
    }


BOTH = {"ftps": True, "sftp": True}
NEITHER = {"ftps": False, "sftp": False}


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_the_life_of_a_user(server, control, key_file, no_harvey, program):
    def run(*words, **more):
        answer = control.run(program, *words, **more)
        assert answer.status == 0, answer.errors
        return answer.json

    made = run("add", NAME, options="--password-stdin", stdin=f"{FIRST}\n")
    assert made["changed"] and made["user"]["name"] == NAME and not made["user"]["locked"]
    assert granted(server, FIRST) == BOTH
    assert run("show", NAME)["user"] == made["user"]
    told = run("instructions", NAME, options="--json")["instructions"]
    assert [way["port"] for way in told["ways"]] == [21, 990, 22] and FIRST not in str(told)
    shown = control.run(program, "instructions", NAME)
    assert shown.output == server.sh(f"ftp-users instructions {NAME}").stdout
    assert shown.output.splitlines() == told["text"] and shown.errors == ""
    names = [user["name"] for user in run("list")["users"]]
    assert names.count(NAME) == 1 and {*PASSWORDS, "alfred"} < set(names)

    assert run("edit", NAME, options="--password-stdin", stdin=f"{SECOND}\n")["changed"]
    assert granted(server, FIRST) == NEITHER and granted(server, SECOND) == BOTH

    assert run("lock", NAME)["user"]["locked"]
    assert granted(server, SECOND) == NEITHER
    assert run("lock", NAME)["changed"] is False
    assert not run("unlock", NAME)["user"]["locked"]
    assert granted(server, SECOND) == BOTH

    public = server.client.sh(f"ssh-keygen -y -f {key_file}").stdout.strip()
    assert run("keys", NAME, "add", public)["user"]["sftp"]["keys"] == 1
    assert server.sftp_login(NAME, key_file=key_file)["granted"]
    assert [line.split()[:2] for line in run("keys", NAME)["keys"]] == [public.split()[:2]]
    assert run("keys_del", NAME, public.split()[1])["changed"]
    assert not server.sftp_login(NAME, key_file=key_file)["granted"]

    assert run("edit", NAME, options="--protocol=ftps")["user"]["protocols"] == ["ftps"]
    assert granted(server, SECOND) == {"ftps": True, "sftp": False}
    assert run("add", NAME, options="--protocol=sftp --no-password")["user"]["protocols"] == ["ftps", "sftp"]
    assert granted(server, SECOND) == {"ftps": True, "sftp": False}

    gone = {"changed": True, "user": None, "files": [], "warnings": []}
    assert run("del", NAME, options="--remove-home") == gone
    assert granted(server, SECOND) == NEITHER
    assert not any(server.host.file(home).exists for home in server.homes(NAME))


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_remedy_is_a_command_of_the_client(server, control, no_harvey, program):
    """An error of the server says what to do in words that the client has."""
    first = {"options": "--password-stdin --protocol=ftps", "stdin": f"{FIRST}\n"}
    assert control.run(program, "add", NAME, **first).status == 0
    second = {"options": "--password-stdin --protocol=sftp", "stdin": f"{SECOND}\n"}
    refused = control.run(program, "add", NAME, **second)
    assert refused.status == 4 and "ftp-users" not in refused.errors, refused
    edit, passwd = re.findall(rf"((?:edit|passwd) {NAME}(?: --protocol both)?)[;,]", refused.errors)
    verb, name, *options = edit.split()
    assert control.run(program, verb, name, options=" ".join(options)).status == 0
    assert granted(server, FIRST) == BOTH
    verb, name = passwd.split()
    assert control.run(program, verb, name, options="--password-stdin", stdin=f"{SECOND}\n").status == 0
    assert granted(server, SECOND) == BOTH and granted(server, FIRST) == NEITHER
    for words in (("show", "nobody-here"), ("add", NAME), ("keys", NAME, "del", "nothing")):
        more = {"options": "--password-stdin", "stdin": f"{FIRST}\n"} if words[0] == "add" else {}
        assert "ftp-users" not in control.run(program, *words, **more).errors


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_new_password_is_asked_for_as_on_the_server(server, client, welcome, control, no_harvey, program):
    assert control.run(program, "add", NAME, options="--password-stdin", stdin=f"{FIRST}\n").status == 0
    place = f"--host={server.address} --known-hosts={server.known_hosts} --key={control.key_file} --patience=60"
    for name in ("nobody-here", NAME):
        command, *arguments = inside.command(CLIENT_NAME, *f"{COMMANDS[program]} {place} passwd {name}".split())
        terminal = pexpect.spawn(command, arguments, encoding="utf-8", timeout=90)
        for question in (f"New password for {NAME}: ", "Repeat the password: ") if name == NAME else ():
            terminal.expect_exact(question)
            assert terminal.waitnoecho()
            terminal.sendline(SECOND)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == (0 if name == NAME else 3), terminal.before
        assert SECOND not in terminal.before
    assert granted(server, SECOND) == BOTH and granted(server, FIRST) == NEITHER


@pytest.mark.spread
def test_a_user_is_answered_with_sizes_that_can_be_sent_back(control, no_harvey):
    made = control.run("python", "add", NAME, options="--password-stdin --ftps-max-rate=2M", stdin=f"{FIRST}\n").json
    rate, quota = made["user"]["ftps_max_rate"], made["user"]["quota"]
    assert (rate, quota) == (2 << 20, 0)
    again = {"version": 1, "verb": "edit", "name": NAME, "ftps_max_rate": rate, "quota": quota, "quota_files": 0}
    answer = control.ssh(again).json
    assert answer["ok"] and not answer["result"]["changed"], answer
    refused = control.ssh({**again, "quota": 1.5})
    assert refused.json["error"]["code"] == "invalid" and "whole number" in refused.json["error"]["message"]


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_the_exit_status_is_that_of_the_error(control, program):
    cases = [
        (("show", "nobody-here"), "", "", 3),
        (("add", "batman"), "--password-stdin", "x y z 1 2 3 4\n", 4),
        (("add", "../x"), "--password-stdin", "x y z 1 2 3 4\n", 2),
        (("add", NAME), "--password-stdin", "tab\tinside\n", 2),
    ]
    for words, options, stdin, status in cases:
        answer = control.run(program, *words, options=options, stdin=stdin)
        assert (answer.status, answer.output) == (status, ""), answer
        assert answer.errors.startswith("error: ") and answer.errors.count("\n") == 1
        assert not stdin or stdin.strip() not in answer.errors


@pytest.fixture(scope="session")
def keys(client) -> str:
    """A directory of the client with the keys of the cases, and that of remote control with a passphrase."""
    directory = f"{CLIENT_DIRECTORY}/keys"
    client.sh(f"""set -e
        rm -rf {directory}; mkdir {directory}; cd {directory}; PASSPHRASE={shlex.quote(PASSPHRASE)}
        {KEYS}
        cp ../control locked; chmod 600 locked
        ssh-keygen -q -p -a 4 -N "$PASSPHRASE" -f locked""")
    return directory


@pytest.mark.parametrize("program", CLIENTS)
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_work_is_said_at_once_and_in_one_line(client, keys, program, name):
    """The same as in the unit tests, with the Paramiko and the phpseclib of the distribution."""
    case = CASES[name]
    done = client.sh(
        f"cd {keys}; printf %s {shlex.quote(case.stdin)} |"
        f" setsid --wait {COMMANDS[program]} {case.options} {case.words}",
        check=False,
    )
    assert (done.returncode, done.stdout) == (case.status, ""), done
    assert re.fullmatch(f"error: (?:{case.said})\n", done.stderr), done.stderr


@pytest.fixture()
def welcome(server, client):
    """sshd turns nobody away any more because of failures of other tests (PerSourcePenalties)."""
    client.ask("banner", host=server.address, timeout=90)


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_key_that_the_server_refuses_is_named_with_the_user(server, client, welcome, key_file, program):
    place = f"--host={server.address} --known-hosts={server.known_hosts} --key={key_file}"
    start = time.monotonic()
    done = client.sh(f"{COMMANDS[program]} {place} list </dev/null", check=False)
    shown = client.sh(f"ssh-keygen -lf {key_file}").stdout.split()[1]
    assert (done.returncode, done.stdout) == (255, ""), done
    expected = f"error: Authentication failed for ftpcontrol@{server.address} with the key {key_file} ({shown}); "
    assert done.stderr.startswith(expected) and done.stderr.count("\n") == 1, done.stderr
    assert time.monotonic() - start < 30, "not tried again and again"


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_whoever_has_no_known_hosts_is_told_how_to_make_it(server, client, key_file, program):
    options = f"--host={server.address} --key={key_file}"
    done = client.sh(f"HOME=/nonexistent {COMMANDS[program]} {options} list </dev/null", check=False)
    assert (done.returncode, done.stdout) == (255, ""), done
    assert f"ssh-keyscan {server.address} >>/nonexistent/.ssh/known_hosts" in done.stderr, done.stderr


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_name_that_does_not_resolve_is_said(server, client, key_file, program):
    options = f"--host=nosuch.invalid --known-hosts={server.known_hosts} --key={key_file} --patience=1"
    done = client.sh(f"RES_OPTIONS='timeout:1 attempts:1' {COMMANDS[program]} {options} list </dev/null", check=False)
    assert (done.returncode, done.stdout) == (255, ""), done
    assert "host key" not in done.stderr and "nosuch.invalid" in done.stderr, done.stderr
    assert re.search("does not resolve|name resolution", done.stderr), done.stderr


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_an_encrypted_key_and_its_passphrase_from_the_terminal(server, client, welcome, keys, program):
    """Standard input may be something else meanwhile; the passphrase is not shown."""
    place = f"--host={server.address} --known-hosts={server.known_hosts} --key=locked --patience=60"
    line = f"cd {keys}; exec {COMMANDS[program]} {place} show batman </dev/null"
    command, *arguments = inside.command(CLIENT_NAME, "bash", "-c", line)
    terminal = pexpect.spawn(command, arguments, encoding="utf-8", timeout=90)
    terminal.expect_exact("Passphrase of locked: ")
    assert terminal.waitnoecho()
    terminal.sendline(PASSPHRASE)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0, terminal.before
    assert PASSPHRASE not in terminal.before
    assert json.loads(terminal.before)["user"]["name"] == "batman"


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_passphrase_and_a_password_from_standard_input(server, client, welcome, keys, no_harvey, program):
    place = f"--host={server.address} --known-hosts={server.known_hosts} --key={keys}/locked --patience=120"
    words = f"{NAME} --password-stdin" if program == "python" else f"--password-stdin {NAME}"
    answer = client.sh(f"""printf '%s\\n' {shlex.quote(PASSPHRASE)} {shlex.quote(FIRST)} |
        {COMMANDS[program]} {place} --passphrase-stdin add {words}""")
    assert json.loads(answer.stdout)["changed"] and answer.stderr == ""
    assert granted(server, FIRST) == BOTH


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_without_a_key_those_of_the_agent_are_used(server, client, welcome, control, key_file, program):
    place = f"--host={server.address} --known-hosts={server.known_hosts} --patience=120"
    script = f"""eval $(ssh-agent) >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT
        ssh-add -q {{}}; {COMMANDS[program]} {place} show batman </dev/null"""
    answer = client.sh(script.format(control.key_file))
    assert json.loads(answer.stdout)["user"]["name"] == "batman" and answer.stderr == ""
    answer = client.sh(script.format(key_file), check=False)
    assert answer.returncode == 255, answer
    said = f"error: Authentication failed for ftpcontrol@{server.address} with the keys of the SSH agent; "
    assert answer.stderr.startswith(said) and answer.stderr.count("\n") == 1, answer.stderr


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
def test_a_host_that_is_not_the_known_one_gets_nothing(server, control, program):
    """Another key for the address, and no key at all: refused at once, before the server sees who is calling."""
    server.client.sh(f"cd {server.directory}; test -s other || ssh-keygen -q -t ed25519 -N '' -f other")
    known = server.known_hosts
    files = {"other": f'echo "{server.address} $(cut -d" " -f1,2 other.pub)"', "none": "echo"}
    for name, line in files.items():
        server.client.sh(f"cd {server.directory}; {line} >known_{name}")
        start = time.monotonic()
        answer = control.run(program, "list", options="")
        assert answer.status == 0, "the right file works"
        server.client.sh(f"cp {known} {known}.kept; cp {server.directory}/known_{name} {known}")
        try:
            answer = control.run(program, "list")
        finally:
            server.client.sh(f"mv {known}.kept {known}")
        assert (answer.status, answer.output) == (255, ""), answer
        assert "host key" in answer.errors.lower(), answer.errors
        assert time.monotonic() - start < 30, "not tried again and again"


@pytest.mark.spread
def test_the_python_class(server, control, no_harvey):
    public = server.client.sh(f"sed 's/^[^ ]* //' {server.known_hosts} | grep ed25519").stdout.strip()
    program = f"""
import json, sys
sys.path.insert(0, "{CLIENT_DIRECTORY}/python")
from ftp_users_client import FtpUsers, RequestError
with FtpUsers("{server.address}", key_file="{control.key_file}", host_key="{public}") as users:
    users.add("{NAME}", password_hash="$6$" + "a" * 16 + "$" + "b" * 86, protocols=["ftps"], locked=True)
    seen = [users.show("{NAME}")["locked"], users.unlock("{NAME}")["user"]["locked"], users.lock("{NAME}")["changed"]]
    try:
        users.add("{NAME}")
    except RequestError as error:
        seen.append(error.code)
    seen.append("{NAME}" in [user["name"] for user in users.list()])
    seen.append(users.delete("{NAME}", remove_home=True)["changed"])
print(json.dumps(seen))
"""
    answer = control._run("python3 -", program.encode())
    assert answer.status == 0 and answer.json == [True, False, True, "exists", True, True], answer


@pytest.mark.spread
def test_the_php_class(server, control, no_harvey):
    """Over one connection, and with the key's fingerprint in place of a known_hosts file."""
    shown = server.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[1]
    program = f"""<?php
require '{CLIENT_DIRECTORY}/php/FtpUsers.php';
foreach (['{shown}', 'SHA256:{"A" * 43}'] as $print) {{
    $users = new \\SecureFtp\\FtpUsers('{server.address}', ['key' => '{control.key_file}', 'fingerprint' => $print]);
    try {{
        $users->add('{NAME}', ['password' => 'Zürich $(id)', 'protocols' => ['ftps'], 'locked' => true]);
        $seen = [$users->show('{NAME}')['locked'], $users->unlock('{NAME}')['user']['locked'],
            $users->lock('{NAME}')['changed']];
        try {{
            $users->add('{NAME}', ['password' => 'x y z 1 2 3 4']);
        }} catch (\\SecureFtp\\RequestException $error) {{
            $seen[] = $error->errorCode;
        }}
        $seen[] = in_array('{NAME}', array_column($users->list(), 'name'), true);
        $seen[] = $users->delete('{NAME}', true)['changed'];
    }} catch (\\SecureFtp\\HostKeyException $error) {{
        $seen[] = 'another host';
    }}
}}
echo json_encode($seen);
"""
    answer = control._run("php", program.encode())
    assert answer.status == 0, answer
    assert answer.json == [True, False, True, "exists", True, True, "another host"], answer


@pytest.mark.spread
def test_hashed_known_hosts_and_other_kinds_of_host_keys(server, control):
    """Clients ask for the kind of key they know: only ECDSA or RSA is known, and under a hashed name."""
    for kind in ("ecdsa", "rsa", "ed25519"):
        server.client.sh(f"""cd {server.directory}
            grep -e "{kind}" {server.known_hosts} >known_one
            ssh-keygen -q -H -f known_one 2>/dev/null; rm -f known_one.old
            grep -q '^|1|' known_one""")
        for program in CLIENTS:
            known = server.known_hosts
            server.client.sh(f"cp {known} {known}.kept; cp {server.directory}/known_one {known}")
            try:
                answer = control.run(program, "show", "batman")
            finally:
                server.client.sh(f"mv {known}.kept {known}")
            assert answer.status == 0 and answer.json["user"]["name"] == "batman", (kind, program, answer)


@pytest.mark.spread
@pytest.mark.parametrize("program", CLIENTS)
@pytest.mark.parametrize(
    ("behaviours", "verb", "status", "asked"),
    [
        (["refuse", "refuse", "ok"], "lock", 0, ["lock"]),
        (["drop", "ok"], "lock", 254, ["lock"]),
        (["garbage", "ok"], "lock", 254, ["lock"]),
        (["drop", "ok"], "list", 0, ["list", "list"]),
        (["busy", "drop"], "lock", 254, ["lock", "lock"]),
    ],
)
def test_only_what_is_safe_is_repeated(client, control, program, behaviours, verb, status, asked):
    """A change that was sent and not answered is never sent again; what was not sent, or not begun, is."""
    # One client machine serves the tests of all servers, and each of them has a port of its own on it.
    servers = os.environ["SECURE_FTP_SERVERS"].split(",")
    directory, port = CLIENT_DIRECTORY, 45690 + servers.index(control.server.name)
    known = f"{directory}/known_flaky"
    place = f"--host=127.0.0.1 --port={port} --key={control.key_file} --known-hosts={known}"
    words = verb if verb == "list" else f"{verb} {NAME}"
    result = client.sh(
        f"python3 {directory}/flaky.py {port} {known} {' '.join(behaviours)} -- {COMMANDS[program]} {place} {words}"
    )
    answer = json.loads(result.stdout)
    assert (answer["status"], answer["asked"]) == (status, asked), answer
    waited = behaviours[0] in ("refuse", "busy") or len(asked) > 1
    assert ("; trying again for 10 s\n" in answer["output"]) is waited, answer


@pytest.mark.spread
def test_openssh_is_a_client_too(control):
    for command in ("ftp-users", ""):
        answer = control.ssh({"version": 1, "verb": "show", "name": "batman"}, command)
        assert answer.status == 0 and answer.output.count("\n") == 1
        assert answer.json["result"]["user"]["name"] == "batman"
    assert control.ssh({"version": 1, "verb": "show", "name": "nobody-here"}).status == 3


@pytest.mark.spread
def test_every_call_is_logged_and_no_secret(server, control, no_harvey):
    logged = Log(server)
    control.run("python", "add", NAME, options="--password-stdin", stdin=f"{FIRST}\n")
    control.run("php", "edit", NAME, options="--password-stdin", stdin=f"{SECOND}\n")
    control.run("python", "show", NAME)
    control.run("php", "show", "nobody-here")
    lines = [line.string for line in logged.wait(4)]
    address = server.client.sh("hostname -I").stdout.split()[0]
    who = f"client='tests' from={address}"
    assert f"{who} add user='{NAME}' result=ok changed" in lines
    assert f"{who} edit user='{NAME}' result=ok changed" in lines
    assert f"{who} show user='{NAME}' result=ok" in lines
    assert any(line.startswith(f"{who} show user='nobody-here' result=no_such_user") for line in lines)
    everything = str(logged.messages())
    for secret in (FIRST, SECOND, FIRST.split()[0], SECOND.split()[0], "$6$"):
        assert secret not in everything


@pytest.mark.spread
def test_fifty_calls_at_once_are_all_answered_and_none_is_lost(server, control, capsys):
    names = [f"many{number:02}" for number in range(MANY)]
    passwords = {name: f"{name} of Fifty!" for name in names}
    before = {user["name"] for user in control.run("python", "list").json["users"]}
    try:
        start = time.monotonic()
        added = control.at_once([["add", {"name": name, "password": passwords[name]}] for name in names])
        seconds = time.monotonic() - start
        assert [outcome for outcome in added if "error" in outcome] == []
        assert [outcome["result"]["user"]["name"] for outcome in added] == names
        assert all(outcome["result"]["changed"] for outcome in added)
        assert {user["name"] for user in control.run("php", "list").json["users"]} == before | set(names)
        for name in (names[0], names[MANY // 2], names[-1]):
            assert granted(server, passwords[name], name) == BOTH, name

        verbs = ("lock", {}), ("show", {}), ("del", {"remove_home": True})
        mixed = [[verbs[number % 3][0], {"name": name, **verbs[number % 3][1]}] for number, name in enumerate(names)]
        outcomes = control.at_once(mixed)
        assert [outcome for outcome in outcomes if "error" in outcome] == []
        users = control.run("python", "list").json["users"]
        assert {user["name"] for user in users if user["locked"]} == set(names[::3])
        assert {user["name"] for user in users} == (before | set(names)) - set(names[2::3])
    finally:
        server.sh(f"for name in {' '.join(names)}; do ftp-users del $name --remove-home 2>/dev/null; done; true")
    assert {user["name"] for user in control.run("python", "list").json["users"]} == before
    waits = sorted(outcome["seconds"] for outcome in added)
    with capsys.disabled():
        print(
            f" [{server.name}: {MANY} add at once in {seconds:.1f} s, median {statistics.median(waits):.1f} s] ", end=""
        )


@pytest.mark.spread
def test_the_playbook_of_the_users_is_the_third_client(server, control, no_harvey, tmp_path):
    def play(**fields) -> str:
        variables = tmp_path / "users.json"
        variables.write_text(json.dumps({"ftp_hosts": server.name, "ftp_users": [{"name": NAME, **fields}]}))
        return ansible(
            "ansible-playbook", f"--inventory={INVENTORY}", f"--extra-vars=@{variables}", "playbooks/users.yml"
        )

    assert "changed=1" in play(password=FIRST) and granted(server, FIRST) == BOTH
    assert "changed=0" in play(password=FIRST)
    control.run("python", "edit", NAME, options="--password-stdin", stdin=f"{SECOND}\n")
    assert "changed=0" in play(password=SECOND), "what one client writes the other finds unchanged"
    others = control.run("php", "list").json["users"]
    assert "changed=1" in play(state="absent") and granted(server, SECOND) == NEITHER
    left = control.run("php", "list").json["users"]
    assert [user for user in others if user["name"] != NAME] == left, "nobody else was touched"
