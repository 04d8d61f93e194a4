# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote control: what must be refused is, by each layer for itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator

import pytest
from conftest import CLIENT_DIRECTORY, INVENTORY, KEY_FILE, SFTP_JAIL, Control, ansible
from logged import Log

USER = "ftpcontrol"
KEYS = f"/etc/ssh/remote_control_keys/{USER}"
SUDOERS = "/etc/sudoers.d/secure_ftp_remote_control"
COMMAND = "/usr/local/sbin/ftp-users"
RESTART = "systemctl reset-failed ssh.service; systemctl restart ssh.service"
"""So many tests restart sshd within seconds that systemd would take it for broken."""
STATE = "/etc/passwd /etc/shadow /etc/group /etc/vsftpd/users.db /etc/ssh/sftponly_keys /home/*ftp"


def state(server) -> str:
    """Everything a request could change."""
    return server.sh(
        f"find {STATE} -printf '%p %u %m %s\\n' | sort; md5sum /etc/passwd /etc/shadow /etc/vsftpd/users.db"
    ).stdout


@pytest.fixture()
def unchanged(server):
    """Nothing changes, and no command of a hostile request has run."""
    before = state(server)
    yield
    assert state(server) == before
    assert server.sh("find /etc /home /root /run /srv /tmp /usr/local /var -xdev -name 'pwned*'").stdout == ""


def request(verb: str, **fields) -> dict:
    return {"version": 1, "verb": verb, **fields}


DEEP = b"[" * 30000 + b"]" * 30000
HOSTILE = {
    "shell metacharacters": request("show", name="x; touch /tmp/pwned #"),
    "a substitution": request("add", name="$(touch /tmp/pwned)", password="x y z 1 2 3 4 5"),
    "backquotes": request("lock", name="`touch /tmp/pwned`"),
    "an option": request("show", name="--help"),
    "a path": request("del", name="../../etc", remove_home=True),
    "the jail itself": request("del", name=".", remove_home=True),
    "a line break": request("show", name="batman\nclient='root' result=ok"),
    "NUL": request("show", name="batman\0"),
    "NUL in the password": request("edit", name="batman", password="x\0y"),
    "a line break in the password": request("edit", name="batman", password="x\nroot:y"),
    "a colon in the hash": request("edit", name="batman", password_hash="x:0:0"),
    "a line break in a key": request("keys_add", name="batman", key="ssh-ed25519 AAAA\nssh-ed25519 BBBB"),
    "a name of 60 kB": request("show", name="x" * 60000),
    "a name of 1 MB": request("show", name="x" * 1_000_000),
    "a password of 1 MB": request("edit", name="batman", password="x" * 1_000_000),
    "10 MB": b" " * 10_000_000,
    "not UTF-8": b'{"version": 1, "verb": "show", "name": "\xff\xfe\xfd"}',
    "half a surrogate pair": b'{"version": 1, "verb": "show", "name": "\\ud800"}',
    "deep JSON": DEEP,
    "deep JSON in a field": b'{"version": 1, "verb": "show", "name": ' + DEEP[:60000] + b"}",
    "nothing": b"",
    "no JSON": b"list\n",
    "shell words": b"add pwned pwned\n",
    "two requests": json.dumps(request("list")).encode() * 2,
    "a field twice": b'{"version": 1, "verb": "del", "name": "nobody-here", "name": "batman"}',
    "NaN": b'{"version": NaN, "verb": "list"}',
    "a verb that is not there": request("exec", name="id"),
    "a verb of the command": request("import", name="/etc/passwd"),
    "the command's own remote": request("remote"),
    "a field that is not there": request("add", name="pwned", password="x y z 1 2 3 4 5", uid=0),
    "another version": {"version": 2, "verb": "list"},
    "root": request("lock", name="root"),
    "root's password": request("edit", name="root", password="x y z 1 2 3 4 5"),
    "root as a new user": request("add", name="root", password="x y z 1 2 3 4 5"),
    "the account itself": request("edit", name=USER, password="x y z 1 2 3 4 5"),
    "the account itself gone": request("del", name=USER),
    "the account itself as a new user": request("add", name=USER, password="x y z 1 2 3 4 5", protocols=["sftp"]),
    "a daemon": request("del", name="sshd", remove_home=True),
}


@pytest.fixture(scope="module")
def kept_open(server) -> Iterator[str]:
    """An option of ssh, for requests over one connection: it is not the log-in that must refuse them."""
    control, path = Control(server), f"{server.directory}/kept-open"
    server.client.sh(
        f"ssh -f -N -M -S {path} -i {control.key_file} -o IdentitiesOnly=yes -o BatchMode=yes"
        f" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={server.known_hosts} {USER}@{server.address} </dev/null"
    )
    yield f"-S {path}"
    server.client.sh(f"ssh -S {path} -O exit {server.address}", check=False)


@pytest.mark.spread
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_gets_one_clear_answer_and_changes_nothing(server, control, unchanged, kept_open, data):
    logged = Log(server)
    answer = control.ssh(data, options=kept_open)
    assert answer.output.count("\n") == 1 and len(answer.output) < 2000, answer
    document = answer.json
    assert document["ok"] is False and document["version"] == 1
    assert document["error"]["code"] in ("invalid", "no_such_user", "exists", "not_permitted"), document
    assert answer.status in (2, 3, 4, 6)
    assert "Traceback" not in answer.output + answer.errors
    (line,) = logged.wait(1)
    assert line["client"] == "'tests'" and len(line.string) < 800
    assert line["result"] == document["error"]["code"]


COMMANDS = [
    "id",
    "ftp-users list",
    "ftp-users; touch /tmp/pwned",
    "ftp-users\ntouch /tmp/pwned",
    "$(touch /tmp/pwned)",
    "() { :; }; touch /tmp/pwned",
    "/bin/sh",
    f"sudo -n {COMMAND} list",
    f"{COMMAND} remote --client=elsewhere",
    "scp -t /tmp/pwned",
    "internal-sftp",
    "rsync --server . /tmp/pwned",
]


@pytest.mark.spread
@pytest.mark.parametrize("command", COMMANDS)
def test_no_other_command_runs(server, control, unchanged, kept_open, command):
    logged = Log(server)
    answer = control.ssh(request("list"), command, kept_open)
    assert (answer.status, answer.json["error"]["code"]) == (6, "not_permitted")
    (line,) = logged.wait(1)
    assert (line["client"], line["result"]) == ("'tests'", "not_permitted")


def refused(server, control) -> dict[str, bool]:
    """Which of the powers of an SSH account the control key does not have."""
    server.sh(": </dev/tcp/127.0.0.1/22")  # what the forwarding below asks for is there
    granted = server.client.ask(
        "ssh_powers",
        login=control.login(),
        listening_port=22,
        socket_path="/run/systemd/journal/stdout",
        new_socket_path="/tmp/pwned.sock",
    )
    return {
        "terminal": granted["terminal"] is False,
        "agent": granted["agent"] is False,
        "x11": granted["x11"] is False,
        "exec": granted["exec"]["status"] == 6 and "not_permitted" in granted["exec"]["output"],
        "scp": granted["scp"]["status"] == 6 and "not_permitted" in granted["scp"]["output"],
        "shell": "uid=" not in str(granted["shell"]) and "root:" not in str(granted["shell"]),
        "local_forward": "dministratively prohibited" in granted["local_forward"],
        "local_socket": granted["local_socket"] != "",
        "remote_forward": "denied" in granted["remote_forward"],
        "remote_socket": granted["remote_socket"] == "refused",
        "tunnel": "rejected tunnel device forwarding" in granted["tunnel"],
    }


def test_the_key_opens_nothing_but_the_one_command(server, control, unchanged):
    seen = refused(server, control)
    assert all(seen.values()), seen


@pytest.mark.spread
@pytest.mark.parametrize("left", ["key", "sshd", "neither"])
def test_the_key_and_sshd_keep_the_doors_closed_each_alone(server, control, left):
    """Without both, the doors are open: so it is they who close them, and this test would notice."""
    config = "/etc/ssh/sshd_config"
    server.sh(f"cp -p {config} /root/sshd_config-kept; cp -p {KEYS} /root/keys-kept")
    try:
        if left != "key":
            server.sh(f"sed -i 's/^restrict,//' {KEYS}")
        if left != "sshd":
            block = "/BEGIN secure_ftp.server remote_control/,/END secure_ftp.server remote_control/"
            server.sh(f"sed -i '{block}{{/BEGIN\\|Match\\|AuthorizedKeysFile\\|END/!d}}' {config}")
        server.sh(f"sshd -t && {RESTART}")
        seen = refused(server, control)
    finally:
        server.sh(
            f"cp -p /root/sshd_config-kept {config}; cp -p /root/keys-kept {KEYS}; rm /root/*-kept /tmp/pwned.sock",
            check=False,
        )
        server.sh(RESTART)
    open_doors = {door for door, closed in seen.items() if not closed}
    # Paramiko does not survive every request that is granted, so that later ones may count as refused.
    sure = {"terminal", "agent", "local_forward"}
    assert open_doors >= sure if left == "neither" else not open_doors, seen


@pytest.mark.spread
def test_openssh_gets_no_terminal_no_forwarding_and_no_files(server, client, control, unchanged):
    data = request("list")
    answer = control.ssh(data, "", "-tt")
    assert "PTY allocation request failed" in answer.errors
    for option in ("-R 45679:127.0.0.1:22", "-R /tmp/pwned.sock:127.0.0.1:22", "-R 45680"):
        answer = control.ssh(data, options=f"-o ExitOnForwardFailure=yes {option}")
        assert answer.status == 255 and "remote port forwarding failed" in answer.errors, (option, answer)
    login = (
        f"-i {control.key_file} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile={server.known_hosts}"
        " -o StrictHostKeyChecking=yes"
    )
    target = f"{USER}@{server.address}"
    # -L and -D listen here at once; what counts is that nothing comes through.
    seen = client.sh(
        f"""
        ssh {login} -N -L 45681:127.0.0.1:22 -D 45682 {target} 2>forwarding & ssh=$!
        for _ in $(seq 50); do nc -z 127.0.0.1 45681 2>/dev/null && break; sleep 0.2; done
        echo "local: $(timeout 5 nc 127.0.0.1 45681 </dev/null | head -c 4)"
        echo "socks: $(timeout 5 nc -X 5 -x 127.0.0.1:45682 127.0.0.1 22 </dev/null 2>&1 | grep -ao SSH- | head -1)"
        kill $ssh; wait $ssh; grep -c 'administratively prohibited' forwarding; rm forwarding
        ssh {login} -W 127.0.0.1:22 {target} </dev/null 2>&1 | grep -o 'administratively prohibited'
        echo 'get /etc/passwd stolen' | sftp {login} -b - {target} >/dev/null 2>&1; echo "sftp: $?"
        scp {login} {target}:/etc/passwd stolen >/dev/null 2>&1; echo "scp: $?"
        scp -O {login} {target}:/etc/passwd stolen >/dev/null 2>&1; echo "scp -O: $?"
        ls stolen 2>/dev/null""",
        check=False,
    ).stdout.splitlines()
    assert seen[:2] == ["local: ", "socks: "], seen
    assert int(seen[2]) >= 2 and seen[3] == "administratively prohibited", seen
    assert len(seen) == 7 and not any(line.endswith(": 0") for line in seen[4:]), seen


@pytest.mark.spread
def test_other_keys_and_passwords_do_not_log_in(server, client, control, key_file):
    client.sh(f"cd {server.directory}; test -s attacker || ssh-keygen -q -t ed25519 -N '' -f attacker")
    for key in (f"{server.directory}/attacker", key_file, f"{CLIENT_DIRECTORY}/elsewhere"):
        control.key_file = key
        answer = control.ssh(request("list"))
        assert (answer.status, answer.output) == (255, ""), (key, answer)
        assert "Permission denied (publickey)" in answer.errors
        for client_name in ("python", "php"):
            answer = control.run(client_name, "list")
            assert (answer.status, answer.output) == (255, ""), (key, answer)
    control.key_file = f"{CLIENT_DIRECTORY}/control"
    for user in ("root", "batman", "alfred", "sshd"):
        control.user = user
        assert control.ssh(request("list")).status == 255, user
    control.user = USER
    assert control.ssh(request("list")).status == 0
    # A password, even were it set, is no way in: sshd offers keys only.
    server.sh(f"cp -p /etc/shadow /root/shadow-kept; echo '{USER}:known-Pass1' | chpasswd")
    try:
        assert not server.sftp_login(USER, password="known-Pass1")["granted"]
    finally:
        server.sh("cat /root/shadow-kept > /etc/shadow; rm /root/shadow-kept")
    client.ask("banner", host=server.address)


@pytest.mark.spread
def test_the_account_cannot_change_what_binds_it(server):
    shadow = server.sh(f"getent shadow {USER}").stdout.split(":")
    assert shadow[1] == "*"
    paths = [KEYS, "/etc/ssh/remote_control_keys", SUDOERS, "/etc/sudoers.d", COMMAND, "/usr/local/sbin", "/"]
    paths += ["/etc/ssh/sshd_config", "/usr/local/lib/secure_ftp.server", "/etc/vsftpd", server.ftps_root, SFTP_JAIL]
    for path in paths:
        assert server.sh(f"test -e {path}").returncode == 0
        assert server.sh(f"runuser -u {USER} -- test -w {path}", check=False).returncode == 1, path
    unsafe = server.sh(
        f"find {COMMAND} /usr/local/lib/secure_ftp.server -not -type l \\( -not -user root -o -perm /022 \\)"
    )
    assert unsafe.stdout == ""
    for path in (KEYS, SUDOERS):
        file = server.host.file(path)
        assert (file.user, file.group) == ("root", "root")
    assert server.sh(f"cd /tmp; find / -xdev -user {USER} -not -path '/proc/*'").stdout == ""


SUDO = [
    "id",
    f"{COMMAND}",
    f"{COMMAND} list",
    f"{COMMAND} add pwned pwned",
    f"{COMMAND} remote",
    f"{COMMAND} remote --client=other",
    f"{COMMAND} remote --client=tests list",
    f"{COMMAND} remote --client=tests --client=elsewhere",
    f"{COMMAND} remote --client tests",
    "-s",
    "-i",
    "-u batman id",
    f"-g root {COMMAND} remote --client=tests",
    f"-E {COMMAND} remote --client=tests",
    f"PYTHONPATH=/tmp {COMMAND} remote --client=tests",
    "-e /etc/shadow",
]


@pytest.mark.spread
@pytest.mark.parametrize("words", SUDO)
def test_sudo_grants_nothing_else(server, unchanged, words):
    answer = server.sh(f"cd /; runuser -u {USER} -- sudo -n {words} </dev/null", check=False)
    assert answer.returncode != 0 and answer.stdout == "", answer
    assert re.search("password is required|not allowed", answer.stderr), answer


@pytest.mark.spread
def test_sudo_grants_the_one_line_in_a_clean_environment(server):
    """Nothing of the caller's environment but who is calling; seen with the interpreter's own variables."""
    server.sh("mkdir -p /tmp/evil; cd /tmp/evil; echo 'print(\"pwned\")' | tee json.py sitecustomize.py")
    answer = server.sh(
        f"""cd /tmp/evil; echo '{json.dumps(request("list"))}' | runuser -u {USER} -- env PYTHONPATH=/tmp/evil \
            PYTHONSTARTUP=/tmp/evil/json.py SSH_ORIGINAL_COMMAND=ftp-users sudo -n {COMMAND} remote --client=tests
        cd /; rm -r /tmp/evil"""
    )
    assert json.loads(answer.stdout)["ok"] is True and "pwned" not in answer.stdout + answer.stderr


# --- the role ------------------------------------------------------------------------------------------------------


def role(server, clients, check: bool = True, **options):
    """Run the role's module for ``clients``, names of keys beside the test key; sshd is told when it says so."""
    directory = Path(KEY_FILE).parent
    listed = [
        {"name": name, "key": (directory / f"id_{key}.pub").read_text().strip(), **more} for name, key, more in clients
    ]
    arguments = json.dumps({"clients": listed, **options})
    line = ["ansible", server.name, f"--inventory={INVENTORY}", "--module-name=secure_ftp.server.remote_control"]
    output = ansible(*line, f"--args={arguments}") if check else failing(*line, f"--args={arguments}")
    if "CHANGED" in output:
        server.sh("systemctl try-reload-or-restart ssh.service; sleep 1")
    return output


def failing(*line: str) -> str:
    with pytest.raises(AssertionError) as error:
        ansible(*line)
    return str(error.value)


CONVERGED = [("tests", "control", {}), ("elsewhere", "elsewhere", {"from": ["192.0.2.0/24", "2001:db8::1"]})]


@pytest.fixture()
def restored(server):
    """As converge.yml has it, again."""
    yield
    if "CHANGED" in role(server, CONVERGED):
        assert "SUCCESS" in role(server, CONVERGED), "nothing is left to change"


@pytest.mark.spread
def test_a_client_that_leaves_the_list_is_cut_off_and_the_last_one_takes_everything_along(server, control, restored):
    assert "SUCCESS" in role(server, CONVERGED), "converged already"
    sftp_block = server.sh("sed -n '/BEGIN secure_ftp.server sshd_chroot/,$p' /etc/ssh/sshd_config").stdout
    # A connection that is open goes on asking; it must end with the key that opened it.
    script = f"""
import sys, time
sys.path.insert(0, "{CLIENT_DIRECTORY}/python")
from ftp_users_client import FtpUsers, FtpUsersError
users = FtpUsers("{server.address}", key_file="{control.key_file}", known_hosts="{server.known_hosts}", patience=0)
users.list(); print("open", flush=True)
for _ in range(300):
    time.sleep(0.2)
    try:
        users.list()
    except FtpUsersError as error:
        print("cut off", flush=True); break
"""
    server.client.sh(f"""cat >{CLIENT_DIRECTORY}/kept.py <<'END'
{script}END
        nohup python3 {CLIENT_DIRECTORY}/kept.py >{CLIENT_DIRECTORY}/kept.log 2>&1 &
        for _ in $(seq 40); do grep -q open {CLIENT_DIRECTORY}/kept.log && exit 0; sleep 0.5; done; exit 1""")
    output = role(server, [])
    for what in ("account", "config", "sudoers", "keys"):
        assert f"- {what}\n" in output, output
    assert "removed:\n    - tests\n    - elsewhere\n" in output, output
    server.client.sh(
        f"for _ in $(seq 40); do grep -q 'cut off' {CLIENT_DIRECTORY}/kept.log && exit 0; sleep 0.5; done; exit 1"
    )
    assert control.ssh(request("list")).status == 255
    assert not server.host.user(USER).exists
    for path in (KEYS, SUDOERS):
        assert not server.host.file(path).exists
    text = server.host.file("/etc/ssh/sshd_config").content_string
    assert "remote_control" not in text and text.endswith(sftp_block)
    assert "SUCCESS" in role(server, []), "an empty list makes nothing"
    assert not server.host.user(USER).exists
    server.client.ask("banner", host=server.address, timeout=90)
    role(server, CONVERGED)
    assert control.ssh(request("list")).status == 0


@pytest.mark.spread
def test_a_server_that_would_be_open_gets_no_key(server, restored):
    """An account of somebody else, a sudo rule for everything, a setting that comes first: named, and no access."""
    role(server, [])
    server.sh("useradd --system somebody")
    try:
        output = role(server, CONVERGED, check=False, user="somebody")
        assert "expected an account made for remote control, found another one" in output
    finally:
        server.sh("userdel somebody")
    drop_in = "/etc/sudoers.d/zz-everything"
    server.sh(f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' >{drop_in}; chmod 440 {drop_in}")
    try:
        output = role(server, CONVERGED, check=False)
        assert "found (ALL) NOPASSWD: ALL" in output and "no key was stored" in output
    finally:
        server.sh(f"rm {drop_in}")
    assert not server.host.file(KEYS).exists
    first = "/etc/ssh/sshd_config"
    server.sh(
        f"cp -p {first} /root/sshd_config-kept\n"
        f"sed -i '1i Match User {USER}\\n    PasswordAuthentication yes\\nMatch all' {first}"
    )
    try:
        output = role(server, CONVERGED, check=False)
        assert "passwordauthentication: expected no, found yes" in output
    finally:
        server.sh(f"cp -p /root/sshd_config-kept {first}; rm /root/sshd_config-kept")
    assert not server.host.file(KEYS).exists
