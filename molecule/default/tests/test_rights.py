# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of a user: each one allowed and refused by both protocols, with real clients."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest
from conftest import KEY_FILE, PASSWORDS, SFTP_JAIL, run_module

NAME = "edward"
PASSWORD = "what-Is it 4 riddle"
SFTP_HOME = f"{SFTP_JAIL}/{NAME}"
USER_FILE = f"/etc/vsftpd/users.d/{NAME}"
CLASSES = f"id -nG {NAME} | tr ' ' '\\n' | grep ^sftponly-; true"
STATE = "cd {home}; find . -printf '%p %m %s %T@ %l\\n' | sort; find . -type f -exec sha256sum {{}} +"
WRITES_BY_FTPS = [
    ["put", "file", "new"],
    ["put", "other", "new"],
    ["delete", "file"],
    ["rename", "file", "moved"],
    ["raw", "APPE file"],
    ["raw", "MKD made"],
    ["raw", "XMKD made"],
    ["raw", "RMD folder"],
    ["raw", "XRMD folder"],
    ["raw", "SITE CHMOD 0600 file"],
]
WRITES_BY_SFTP = [
    ["put", "file", "new"],
    ["put", "other", "new"],
    ["append", "file", "more"],
    ["truncate", "file", 1],
    ["delete", "file"],
    ["rename", "file", "moved"],
    ["extended", "posix-rename@openssh.com", "file", "moved"],
    ["mkdir", "made"],
    ["rmdir", "folder"],
    ["chmod", "file", 0o777],
    ["utime", "file", 1],
    ["symlink", "file", "link"],
    ["hardlink", "file", "link"],
    ["extended", "copy-data", "file", "link"],
    ["extended", "lsetstat@openssh.com", "file"],
]
MDTM = ["raw", "MDTM 20010101000000 file"]


def users(server, *words: str, stdin: str = "") -> dict:
    line = " ".join(map(shlex.quote, ("ftp-users", *words, "--json")))
    return json.loads(server.sh(f"printf %s {shlex.quote(stdin)} | {line}").stdout)


def add(server, *rights: str) -> dict:
    """Add the user, with a file and a directory in each home."""
    key = Path(f"{KEY_FILE}.pub").read_text(encoding="ascii").strip()
    answer = users(server, "add", NAME, "--password-stdin", "--key", key, *rights, stdin=PASSWORD)
    server.sh(f"""for home in {" ".join(server.homes(NAME))}; do
        cd $home; echo old >file; mkdir folder; touch -d 2020-02-02 file; chown --reference=. file folder; done""")
    return answer


@pytest.fixture(autouse=True)
def edward(server, monkeypatch):
    """Let the helpers log the user in, and leave nothing of the user behind."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    remove = f"ftp-users del {NAME} --remove-home >/dev/null 2>&1; rm -f {USER_FILE}"
    server.sh(f"{remove}; true")
    yield
    server.sh(f"{remove}; true")


def by_ftps(server, steps: list, tls: str = "explicit") -> list[bool]:
    return [one["done"] for one in server.client.ask("ftps_steps", login=server.ftps(NAME, tls), steps=steps)]


def by_sftp(server, steps: list, **login: str) -> list[bool]:
    return [one["done"] for one in server.client.ask("sftp_steps", login=server.ssh(NAME, **login), steps=steps)]


def state(server) -> str:
    """Everything in the homes: names, modes, sizes, times and content."""
    return server.sh("; ".join(STATE.format(home=home) for home in server.homes(NAME))).stdout


def user_file(server) -> str:
    """vsftpd's file of the user: with one home it names the account, else a user of the usual rights has none."""
    found = server.sh(f"cat {USER_FILE} 2>/dev/null; true").stdout
    assert (f"guest_username={NAME}" in found) == server.one_home
    return found


def every(steps: list, done: bool) -> list[bool]:
    return [done] * len(steps)


@pytest.mark.alike
def test_read_only_reads_and_changes_nothing(server, key_file):
    assert add(server, "--access", "read_only")["user"]["access"] == "read_only"
    assert server.sh(CLASSES).stdout.split() == ["sftponly-ro"]
    before = state(server)
    reads = [["get", "file"], ["list", "."]]
    for tls in ("explicit", "implicit"):
        assert by_ftps(server, [*reads, WRITES_BY_FTPS[0]], tls) == [True, True, False]
    assert by_ftps(server, WRITES_BY_FTPS) == every(WRITES_BY_FTPS, False)
    by_ftps(server, [MDTM])
    for login in ({}, {"key_file": key_file}):
        assert by_sftp(server, reads, **login) == every(reads, True)
        assert by_sftp(server, WRITES_BY_SFTP, **login) == every(WRITES_BY_SFTP, False)
    assert state(server) == before


def test_upload_only_uploads_new_files_and_nothing_else(server, key_file):
    add(server, "--access", "upload_only")
    assert server.sh(CLASSES).stdout.split() == ["sftponly-up"]
    new = [["put", "first", "1"], ["list", "."], ["put", "second", "2"]]
    assert by_ftps(server, new) == by_sftp(server, [["put", "third", "3"], ["list", "."]]) + [True] == every(new, True)
    assert by_sftp(server, [["put", "by-key", "3"], ["stat", "by-key"]], key_file=key_file) == [True, True]
    before = state(server)
    assert server.sh(f"stat -c %a {server.ftps_home(NAME)}/first {SFTP_HOME}/by-key").stdout.split() == ["400", "400"]
    own = [["first" if word == "file" else word for word in step] for step in WRITES_BY_FTPS]
    refused = [
        *(step for step in own if step[:2] != ["put", "other"]),
        ["get", "first"],
        ["raw", "REST 1"],
        ["raw", "SITE UMASK 022"],
        ["raw", "SITE CHMOD 0600 first"],
        ["raw", "APPE first"],
    ]
    assert by_ftps(server, refused) == every(refused, False)
    by_ftps(server, [["raw", "MDTM 20010101000000 first"]])
    own = [["by-key" if word == "file" else word for word in step] for step in WRITES_BY_SFTP]
    refused = [*(step for step in own if step[:2] != ["put", "other"]), ["get", "by-key"]]
    for login in ({}, {"key_file": key_file}):
        assert by_sftp(server, refused, **login) == every(refused, False)
    assert state(server) == before


@pytest.mark.spread
def test_the_usual_clients_keep_to_the_rights(server, client, key_file):
    add(server, "--access", "upload_only")
    ftp = f"ftp://{server.address}"
    curl = f"curl -sS --ssl-reqd --cacert {server.ca_file} -u {shlex.quote(f'{NAME}:{PASSWORD}')}"
    sftp = (
        f"sftp -i {key_file} -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
        f" -o UserKnownHostsFile={server.known_hosts} -b - {NAME}@{server.address}"
    )
    lftp = (
        f"export LFTP_PASSWORD={shlex.quote(PASSWORD)}; lftp --env-password -e 'set cmd:fail-exit yes;"
        f" set ssl:ca-file {server.ca_file}; set ftp:ssl-force yes; set net:max-retries 1;"
    )
    client.ask("banner", host=server.address)
    client.sh(f"""set -e; cd {server.directory}; echo riddle >riddle
        {curl} -T riddle {ftp}/by-curl
        printf 'put riddle by-sftp\\nls -l\\n' | {sftp}
        {lftp} put riddle -o by-lftp; cls; bye' -u {NAME} {ftp}""")
    for attempt in (
        f"{curl} -T riddle {ftp}/by-curl",
        f"{curl} {ftp}/by-curl",
        f"{curl} -C 3 -T riddle {ftp}/by-curl",
        f"printf 'put riddle by-sftp\\n' | {sftp}",
        f"printf 'get by-sftp\\n' | {sftp}",
        f"printf 'reput riddle by-sftp\\n' | {sftp}",
        f"{lftp} get by-lftp -o /dev/null; bye' -u {NAME} {ftp}",
        f"{lftp} rm by-lftp; bye' -u {NAME} {ftp}",
    ):
        assert client.sh(f"cd {server.directory}; {attempt}", check=False).returncode != 0, attempt


@pytest.mark.spread
def test_a_umask_is_that_of_uploads(server):
    add(server)
    usual = user_file(server)
    users(server, "edit", NAME, "--umask", "0027")
    new, home = [["put", "new", "1"]], server.ftps_home(NAME)
    assert by_ftps(server, [*new, ["raw", "MKD made"]]) == [True, True]
    assert by_sftp(server, [["put", "new-s", "1"], ["mkdir", "made-s"]]) == [True, True]
    modes = f"stat -c %a {home}/new {home}/made {SFTP_HOME}/new-s {SFTP_HOME}/made-s"
    assert server.sh(modes).stdout.split() == ["640", "750"] * 2
    users(server, "edit", NAME, "--umask", "default")
    server.sh(f"rm {home}/new")
    assert by_ftps(server, new) == [True]
    assert server.sh(f"stat -c %a {home}/new; {CLASSES}").stdout.split() == ["600"] and user_file(server) == usual


@pytest.mark.spread
def test_a_rate_slows_ftps_down(server, client):
    add(server, "--ftps-max-rate", "100K")
    address = f"ftp://{server.address}/file"
    curl = f"curl -sS --ssl-reqd --cacert {server.ca_file} -u {shlex.quote(f'{NAME}:{PASSWORD}')}"
    server.sh(f"head -c 400K /dev/zero >{server.ftps_home(NAME)}/file")
    started = time.monotonic()
    client.sh(f"{curl} {address} -o /dev/null")
    assert time.monotonic() - started > 2
    assert users(server, "show", NAME)["user"]["ftps_max_rate"] == 102400


@pytest.mark.spread
def test_rights_come_and_go_without_a_trace(server, key_file):
    add(server)
    config, usual = server.sh("cat /etc/ssh/sshd_config").stdout, user_file(server)
    rights = (
        {"access": "upload_only"},
        {"access": "read_only", "umask": "0027"},
        {"access": "read_write", "umask": "default"},
    )
    for right in rights:
        words = [word for name, value in right.items() for word in (f"--{name}", value)]
        assert users(server, "edit", NAME, *words)["changed"]
        assert not users(server, "edit", NAME, *words)["changed"]
        found = users(server, "show", NAME)["user"]
        assert [found[one] for one in right] == [found["sftp"][one] for one in right] == list(right.values())
        assert not [line for line in server.sh("ftp-users check").stdout.splitlines() if "right" in line]
    steps = [["put", "file", "new"], ["get", "file"], ["delete", "file"]]
    assert by_ftps(server, steps) == by_sftp(server, steps, key_file=key_file) == [True] * 3
    assert server.sh(CLASSES).stdout == "" and user_file(server) == usual
    assert NAME not in config and NAME not in server.sh("cat /etc/ssh/sshd_config").stdout


@pytest.mark.spread
def test_the_module_and_a_hand_made_file_agree(server, tmp_path):
    add(server)
    options = {"name": NAME, "access": "read_only", "umask": "0077", "ftps_max_rate": "1M"}
    first, second = (run_module(server, "ftp_user", options, PASSWORD, tmp_path) for _time in range(2))
    assert "CHANGED" in first and "CHANGED" not in second
    users(server, "edit", NAME, "--access", "read_write", "--umask", "default", "--ftps-max-rate", "0")
    server.sh(f"touch {USER_FILE}; cp {USER_FILE} /root/file; (echo write_enable=YES; cat /root/file) >{USER_FILE}")
    refused = server.sh(f"ftp-users edit {NAME} --access read_only", check=False)
    assert refused.returncode != 0 and f"{USER_FILE}:1: expected write_enable=NO" in refused.stderr
    assert by_ftps(server, [["put", "file", "new"]]) == [True], "nothing was changed"
