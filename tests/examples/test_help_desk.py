"""examples/help-desk: what the client of the help desk may do from its own address, and what it may not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ADMIN, ROOT, Wanted, outside

WANTED = Wanted("help-desk", used_before_the_second_run=True)
DESK, SERVER = "192.0.2.10", "192.0.2.1"
TO = f"ftpcontrol@{SERVER}"
PASSWORD, OTHER = "Ber-ta-12345", "New-word-12345"


@pytest.fixture(scope="module")
def desk(example):
    """The network of the help desk."""
    outside(example, f"{DESK}/24", f"{SERVER}/24")
    return example


def client(example, *words: str, stdin: str = "", elsewhere: bool = False) -> subprocess.CompletedProcess[str]:
    """The Python client on the computer of the help desk, or with the same key on this machine."""
    where = example.address if elsewhere else SERVER
    command = [sys.executable, str(ROOT / "clients/python/ftp_users_client.py"), f"--host={where}"]
    command += [f"--key={example.key('help-desk')}", f"--known-hosts={example.known_hosts(where)}", *words]
    command = command if elsewhere else [*example.namespace("outside"), *command]
    return subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )


def succeeds(example, *words: str, stdin: str = "") -> None:
    answer = client(example, *words, stdin=stdin)
    assert answer.returncode == 0, answer.stdout


def test_the_check_finds_nothing(example):
    assert example.findings() == []


def test_the_help_desk_adds_a_user_and_locks_and_unlocks_the_user(desk):
    succeeds(desk, "add", "berta", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert desk.ftps("berta", PASSWORD) and desk.sftp("berta", PASSWORD)
    succeeds(desk, "lock", "berta")
    assert not desk.ftps("berta", PASSWORD) and not desk.sftp("berta", PASSWORD)
    succeeds(desk, "unlock", "berta")
    assert desk.ftps("berta", PASSWORD)
    log = desk.host.sh("journalctl -t ftp-users _UID=0 --no-pager -o cat").stdout
    assert f"client='help-desk' from={DESK} lock user='berta' result=ok changed" in log


def test_the_next_run_leaves_users_and_passwords_of_the_help_desk_alone(desk):
    succeeds(desk, "edit", "anna", "--password-stdin", stdin=f"{OTHER}\n")
    desk.changes_nothing()
    assert desk.ftps("anna", OTHER) and desk.sftp("anna", OTHER) and not desk.ftps("anna", desk.passwords["anna"])
    assert desk.ftps("berta", PASSWORD)


def test_from_another_address_the_key_is_refused(desk):
    refused = client(desk, "list", elsewhere=True)
    assert refused.returncode == 255 and "Authentication failed for ftpcontrol" in refused.stdout, refused.stdout


@pytest.mark.parametrize("name", [ADMIN, "root"])
def test_other_accounts_are_out_of_reach(desk, name):
    before = desk.host.sh(f"getent shadow {name}").stdout
    for verb in ("lock", "del"):
        refused = client(desk, verb, name)
        assert refused.returncode in (3, 6), refused.stdout
    added = client(desk, "add", name, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert added.returncode in (2, 6), added.stdout
    assert desk.host.sh(f"getent shadow {name}").stdout == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([TO, "id"], "not_permitted"),
        (["-s", TO, "sftp"], "not_permitted"),
        (["-W", "127.0.0.1:22", TO], "administratively prohibited"),
    ],
)
def test_the_key_opens_nothing_but_remote_control(desk, words, said):
    options = ["-i", desk.key("help-desk"), "-o", f"UserKnownHostsFile={desk.known_hosts(SERVER)}"]
    options += ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    command = [*desk.namespace("outside"), "ssh", *options, *words]
    done = subprocess.run(
        command, input="", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    assert done.returncode and said in done.stdout and "uid=" not in done.stdout, done.stdout
