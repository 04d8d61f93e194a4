"""examples/adopt: a server built by hand; its users log in before and after, and nothing of theirs is lost."""

from __future__ import annotations

import json
import subprocess

import pytest
import tutorial
from conftest import Wanted

WANTED = Wanted("adopt", certificate="/etc/ssl/private/vsftpd.pem", certificate_name="old")
UPLOAD_FAILED = 25
JAIL = """\
Match Group sftpusers
    ChrootDirectory /srv/sftp
    ForceCommand internal-sftp -d /%u
    AllowTcpForwarding no
    X11Forwarding no
"""
SETUP = f"""
set -e
groupadd --system sftpusers
for user in bob carol; do
    useradd -m -g sftpusers -s /usr/sbin/nologin $user
    install -d -o $user -g sftpusers -m 0700 /srv/sftp/$user; echo mine >/srv/sftp/$user/$user.txt
    chown $user: /srv/sftp/$user/$user.txt
done
printf 'bob:Bob-pass-2\\ncarol:Carol-pass-1\\n' | chpasswd
install -D -o carol -m 0600 /dev/stdin /home/carol/.ssh/authorized_keys; chown carol: /home/carol/.ssh
printf '%s' '{JAIL}' >>/etc/ssh/sshd_config
systemctl restart ssh
"""
FILES = "find /home/vsftpd /srv/www /srv/sftp -type f ! -name up.bin -printf '%p %u %g %m ' -exec md5sum {} ';' | sort"


def log_in(example, key: str) -> None:
    """Every user of the old server does what that user could do there."""
    assert example.ftps("bob", "Bob-pass-1") and example.sftp("bob", "Bob-pass-2")
    assert not example.ftps("bob", "Bob-pass-2") and not example.sftp("bob", "Bob-pass-1")
    assert example.curl("sue", "Sue-pass-1", "ftp://old/index.html").stdout == b"s\n"
    refused = example.curl("sue", "Sue-pass-1", example.url, "--upload-file", "/etc/hostname")
    assert refused.returncode == UPLOAD_FAILED, "sue may only read"
    assert example.sftp("carol", "Carol-pass-1") and example.sftp("carol", key=key)


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> str:
    """The private half of the key that carol has logged in with for years."""
    path = tmp_path_factory.mktemp("carol") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return str(path)


@pytest.fixture(scope="module")
def prepared(copied, key):
    """The old server, and what the comments tell to do before the first run."""
    tutorial.build(copied.host)
    with open(f"{key}.pub", encoding="ascii") as public:
        copied.host.sh(SETUP, stdin=public.read())
    log_in(copied, key)
    stopped = copied.try_("--check")
    assert stopped.returncode and "2 problems found, nothing was changed" in stopped.stdout, stopped.stdout
    for command in copied.by_hand("before the first run"):
        assert command.replace("sudo ", "") in stopped.stdout, "the run names the commands of the comments"
        copied.host.sh(command)
    copied.host.sh(f"{FILES} >/root/before")
    return copied


def test_all_users_log_in_as_before_and_all_files_are_there(example, key):
    assert example.host.sh(f"{FILES} | diff /root/before -").stdout == ""
    log_in(example, key)


def test_a_new_user_has_both_protocols(example):
    assert example.ftps("dora", example.passwords["dora"]) and example.sftp("dora", example.passwords["dora"])


def test_no_password_is_stored_in_the_clear(example):
    stored = example.host.sh("db_dump -p /etc/vsftpd/vsftpd-virtual-user.db").stdout
    assert " bob\n" in stored and "pass-1" not in stored


def test_the_old_users_are_managed_like_new_ones(example):
    users = json.loads(example.host.sh("ftp-users list --json").stdout)["users"]
    assert {user["name"]: (user["ftps"] or {}).get("directory") for user in users} == {
        "bob": "/home/vsftpd/bob",
        "carol": None,
        "dora": "/home/vsftpd/dora",
        "sue": "/srv/www/site1",
    }
    example.host.sh("ftp-users lock bob")
    assert not example.ftps("bob", "Bob-pass-1") and not example.sftp("bob", "Bob-pass-2")
    example.host.sh("ftp-users unlock bob")


def test_what_the_comments_tell_to_do_afterwards_leaves_nothing_to_find(example, key):
    assert example.findings() == ["account-home", "ftps-directory-open", "plaintext-file"]
    for command in example.by_hand("after it"):
        example.host.sh(command)
    assert example.findings() == []
    log_in(example, key)
