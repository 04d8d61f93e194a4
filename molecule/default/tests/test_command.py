# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ftp-users: whom it adds logs in a moment later, whom it locks or removes does not."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import KEY_FILE, SFTP_JAIL, run_module

NAME = "selina"
FIRST = "Cat's%1 paw; $(id)"
SECOND = 'cat"s%2 \\PAW'
USUAL = {"access": "read_write", "umask": "default"}
EVERYWHERE = {"explicit": True, "implicit": True, "sftp": True}
NOWHERE = {"explicit": False, "implicit": False, "sftp": False}
STORES = (
    "db_dump -p /etc/vsftpd/users.db; cat /etc/passwd /etc/group; cut -d: -f1,2,8 /etc/shadow;"
    " ls -l /etc/ssh/sftponly_keys"
)
"""All that is kept of anybody."""


def run(server, *words: str, stdin: str = "", status: int = 0):
    """Run the command on the server; what it was given must not come back in its answer."""
    command = " ".join(map(shlex.quote, ("ftp-users", *words)))
    result = server.sh(f"printf %s {shlex.quote(stdin)} | {command}", check=False)
    assert result.returncode == status, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    assert not stdin or stdin.strip() not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


def answer(server, *words: str, stdin: str = "", status: int = 0) -> dict[str, Any]:
    """The same in JSON."""
    return json.loads(run(server, *words, "--json", stdin=stdin, status=status).stdout)


def granted(server, password: str, name: str = NAME) -> dict[str, bool]:
    """Over which protocols the password logs in."""
    answers = {tls: server.ftps_login(name, password, tls)["granted"] for tls in ("explicit", "implicit")}
    answers["sftp"] = server.sftp_login(name, password=password)["granted"]
    return answers


@pytest.fixture(autouse=True)
def no_selina(server):
    """Leave nothing of the accounts behind."""
    yield
    server.sh(
        f"ftp-users list --names | grep ^{NAME} | while read -r name; do ftp-users del $name --remove-home; done;"
        f" rm -rf {' '.join(server.homes(f'{NAME}*'))}"
    )


@pytest.mark.alike
def test_the_life_of_an_account(server):
    assert run(server, "add", NAME, "--password-stdin", stdin=FIRST).stdout == f"{NAME}: added (ftps, sftp)\n"
    assert granted(server, FIRST) == EVERYWHERE
    user = answer(server, "show", NAME)["user"]
    assert user["protocols"] == ["ftps", "sftp"] and not user["locked"]
    assert user["ftps"] == {
        "scheme": "sha512_crypt",
        "directory": server.ftps_home(NAME),
        **USUAL,
        "obeys_account": True,
    }
    assert user["sftp"] == {
        "scheme": "sha512_crypt",
        "directory": f"{SFTP_JAIL}/{NAME}",
        **USUAL,
        "keys": 0,
        "expires": None,
    }
    assert answer(server, "passwd", NAME, "--password-stdin", stdin=SECOND)["changed"]
    assert granted(server, FIRST) == NOWHERE and granted(server, SECOND) == EVERYWHERE
    assert not answer(server, "edit", NAME, "--password-stdin", stdin=SECOND)["changed"], "the same password again"
    server.sh(f"echo kept >{SFTP_JAIL}/{NAME}/file")
    assert run(server, "del", NAME).stdout == (
        f"{NAME}: removed\nthe files stay in {', '.join(server.homes(NAME))};"
        f" to delete them: ftp-users del {NAME} --remove-home\n"
    )
    assert granted(server, SECOND) == NOWHERE
    assert server.sh(f"cat {SFTP_JAIL}/{NAME}/file").stdout == "kept\n", "the files stay"
    run(server, "add", NAME, "--password-stdin", stdin=FIRST)
    run(server, "del", NAME, "--remove-home")
    assert server.sh(f"ls -d {' '.join(server.homes(NAME))}", check=False).stdout == ""


@pytest.mark.spread
def test_the_form_of_the_article_works_and_warns(server):
    result = server.sh(f"/etc/vsftpd/users add {NAME} 'bat!bat!bat!'")
    assert "warning: a password on the command line can be read by every user" in result.stderr
    assert granted(server, "bat!bat!bat!") == EVERYWHERE
    assert server.sh(f"/etc/vsftpd/users edit {NAME} 'cave!cave!cave!'").stdout == f"{NAME}: changed (ftps, sftp)\n"
    assert granted(server, "cave!cave!cave!") == EVERYWHERE
    assert NAME in server.sh("/etc/vsftpd/users list").stdout
    server.sh(f"/etc/vsftpd/users del {NAME}")
    assert granted(server, "cave!cave!cave!") == NOWHERE


@pytest.mark.spread
@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
def test_one_protocol_and_the_other_one_later(server, protocol):
    run(server, "add", NAME, "--protocol", protocol, "--password-stdin", stdin=FIRST)
    only = {"explicit": protocol == "ftps", "implicit": protocol == "ftps", "sftp": protocol == "sftp"}
    assert granted(server, FIRST) == only
    run(server, "edit", NAME, "--protocol", "both")
    assert granted(server, FIRST) == EVERYWHERE, "the password is the one there was"
    run(server, "edit", NAME, "--protocol", protocol)
    assert granted(server, FIRST) == only


@pytest.mark.alike
def test_a_lock_shuts_password_and_key_and_is_undone_exactly(server, key_file):
    run(server, "add", NAME, "--password-stdin", "--key", public_key(), stdin=FIRST)
    assert granted(server, FIRST) == EVERYWHERE and server.sftp_login(NAME, key_file=key_file)["granted"]
    server.sh(f"usermod --expiredate 2099-01-01 {NAME}")
    before = server.sh(STORES).stdout
    assert run(server, "lock", NAME).stdout == f"{NAME}: locked (ftps, sftp)\n"
    assert granted(server, FIRST) == NOWHERE and not server.sftp_login(NAME, key_file=key_file)["granted"]
    assert answer(server, "show", NAME)["user"]["locked"]
    assert not answer(server, "lock", NAME)["changed"]
    assert "still locked" in run(server, "passwd", NAME, "--password-stdin", stdin=SECOND).stdout
    assert granted(server, SECOND) == NOWHERE
    hash_of_first = next(line for line in before.splitlines() if line.startswith(f"{NAME}:$")).split(":")[1]
    run(server, "edit", NAME, "--hash-stdin", stdin=hash_of_first)
    run(server, "unlock", NAME)
    assert server.sh(STORES).stdout == before
    assert granted(server, FIRST) == EVERYWHERE and server.sftp_login(NAME, key_file=key_file)["granted"]


@pytest.mark.spread
@pytest.mark.parametrize("has", ["ftps", "sftp"])
def test_a_locked_user_who_gets_the_other_protocol_gets_in_by_neither(server, has):
    run(server, "add", NAME, "--protocol", has, "--password-stdin", stdin=FIRST)
    run(server, "lock", NAME)
    assert "still locked" in run(server, "edit", NAME, "--protocol", "both").stdout
    assert granted(server, FIRST) == NOWHERE and answer(server, "show", NAME)["user"]["locked"]
    run(server, "unlock", NAME)
    assert granted(server, FIRST) == EVERYWHERE


def public_key() -> str:
    """The key the client host has the other half of."""
    with open(f"{KEY_FILE}.pub", encoding="ascii") as file:
        return file.read().strip()


@pytest.mark.spread
def test_keys(server, key_file):
    run(server, "add", NAME, "--protocol", "sftp", "--no-password")
    assert run(server, "keys", NAME, "list").stdout == ""
    server.sh(f"cat >/root/selina.pub <<'END'\n{public_key()}\nEND\n")
    assert answer(server, "keys", NAME, "add", "/root/selina.pub")["changed"]
    assert server.sftp_login(NAME, key_file=key_file)["granted"]
    assert run(server, "keys", NAME, "list").stdout == public_key() + "\n"
    assert "has this key already" in run(server, "keys", NAME, "add", public_key(), status=4).stderr
    fingerprint = server.sh("ssh-keygen -lf /root/selina.pub").stdout.split()[1]
    run(server, "keys", NAME, "del", fingerprint)
    assert not server.sftp_login(NAME, key_file=key_file)["granted"]
    run(server, "keys", NAME, "del", fingerprint, status=2)
    assert "private key" in run(server, "keys", NAME, "add", "-----BEGIN PRIVATE KEY-----", status=2).stderr


@pytest.mark.spread
def test_what_the_command_writes_the_modules_leave_and_the_other_way_round(server, tmp_path):
    def module(name: str, **options: Any) -> str:
        return run_module(server, name, {"name": NAME, **options}, FIRST, tmp_path)

    run(server, "add", NAME, "--password-stdin", "--key", public_key(), stdin=FIRST)
    run(server, "lock", NAME)
    for name in ("ftp_user", "sftp_user"):
        output = module(name, password="{{ the_password }}", locked=True, authorized_keys=[public_key()])
        assert "SUCCESS" in output and "changed: false" in output, output
    assert "CHANGED" in module("ftp_user", locked=False)
    assert "SUCCESS" in module("sftp_user", locked=False), "one module, both protocols"
    assert not answer(server, "unlock", NAME)["changed"]
    assert not answer(server, "edit", NAME, "--password-stdin", "--key", public_key(), stdin=FIRST)["changed"]
    assert "CHANGED" in module("ftp_user", state="absent")
    run(server, "show", NAME, status=3)
    assert "SUCCESS" in module("sftp_user", state="absent"), "both are gone"


@pytest.mark.spread
def test_many_at_once_are_all_done(server):
    names = [f"{NAME}-{number}" for number in range(1, 13)]
    with ThreadPoolExecutor(len(names)) as pool:
        for result in pool.map(lambda name: answer(server, "add", name, "--password-stdin", stdin=FIRST), names):
            assert result["changed"]
    listed = run(server, "list", "--names").stdout.split()
    assert [name for name in listed if name.startswith(NAME)] == sorted(names)
    assert granted(server, FIRST, names[-1]) == EVERYWHERE


@pytest.mark.spread
def test_a_file_of_people_goes_in_and_comes_out(server):
    text = f'name,protocols,password\n{NAME}-1,ftps,first pass 1\n{NAME}-2,"ftps\nsftp",second pass 2\n'
    server.sh(f"cat >/root/users.csv <<'END'\n{text}END\n")
    before = server.sh(STORES).stdout
    plan = answer(server, "import", "/root/users.csv", "--dry-run")
    assert plan["added"] == [f"{NAME}-1", f"{NAME}-2"] and plan["dry_run"]
    assert "expected --dry-run or --yes" in run(server, "import", "/root/users.csv", status=2).stderr
    assert server.sh(STORES).stdout == before
    assert answer(server, "import", "/root/users.csv", "--yes")["added"] == [f"{NAME}-1", f"{NAME}-2"]
    assert granted(server, "second pass 2", f"{NAME}-2") == EVERYWHERE
    after = server.sh(STORES).stdout
    exported = run(server, "export", "--hashes").stdout
    assert "$6$" in exported and "$6$" not in run(server, "export").stdout
    assert answer(server, "import", "-", "--yes", stdin=run_csv(exported))["unchanged"] == [f"{NAME}-1", f"{NAME}-2"]
    assert server.sh(STORES).stdout == after


def run_csv(exported: str) -> str:
    """The rows of this file's users."""
    lines = exported.splitlines()
    return "\n".join(line for line in lines if line.startswith(("name", NAME))) + "\n"


@pytest.mark.spread
def test_existing_hashes_are_taken_over(server):
    stored = server.sh("openssl passwd -6 'old secret'").stdout.strip()
    server.sh(f"printf '%s\\n' '{NAME}-1:{stored}:1000:1000::/home/x/./::' '{NAME}-2:*:19000:0' >/root/pureftpd.passwd")
    result = answer(server, "import", "/root/pureftpd.passwd", "--yes")
    assert result["added"] == [f"{NAME}-1"] and result["skipped"] == [f"{NAME}-2"]
    assert granted(server, "old secret", f"{NAME}-1") == EVERYWHERE


@pytest.mark.spread
@pytest.mark.parametrize(
    "name",
    ["../etc", "a b", "$(touch /root/owned)", "x;id", "-v", "root", "sshd", "a" * 33, "", "a\nb", "ünd", "12345"],
)
def test_bad_names_are_refused_and_nothing_changes(server, name):
    before = server.sh(STORES).stdout
    result = run(server, "add", "--password-stdin", "--", name, stdin=FIRST, status=2)
    assert result.stderr.startswith("error: user name") and len(result.stderr.splitlines()) == 1
    assert server.sh(STORES + "; ls /root/owned", check=False).stdout == before


@pytest.mark.spread
def test_every_exit_status(server):
    """Except those of ``check``, which has its own tests."""
    run(server, "list")
    assert answer(server, "show", "joker", status=3)["error"]["code"] == "no_such_user"
    assert answer(server, "add", "batman", "--generate", status=4)["error"]["code"] == "exists"
    assert answer(server, "add", "../x", "--generate", status=2)["error"]["code"] == "invalid"
    run(server, "frobnicate", status=2)
    for words in ("list", "add selina --generate", "del batman"):
        as_nobody = server.sh(f"setpriv --reuid=nobody --clear-groups ftp-users {words} --json", check=False)
        assert as_nobody.returncode == 6 and json.loads(as_nobody.stdout)["error"]["code"] == "not_permitted"
    server.sh("cp -a /etc/vsftpd/users.db /root/users.db && truncate -s 5000 /etc/vsftpd/users.db")
    try:
        damaged = answer(server, "list", status=7)["error"]
        assert damaged["code"] == "damaged" and "truncated" in damaged["message"]
        assert "damaged" in run(server, "add", NAME, "--password-stdin", stdin=FIRST, status=7).stderr
    finally:
        server.sh("mv /root/users.db /etc/vsftpd/users.db")
    assert NAME not in server.sh("cat /etc/passwd").stdout, "the half before it was not begun"
    server.sh("mv /etc/pam.d/vsftpd.virtual /root/")
    try:
        assert answer(server, "list", status=1)["error"]["code"] == "failed"
    finally:
        server.sh("mv /root/vsftpd.virtual /etc/pam.d/")


@pytest.mark.spread
def test_the_manual_page_is_there(server):
    page = server.sh("cat /usr/local/share/man/man8/ftp-users.8").stdout
    assert page.startswith(".TH FTP-USERS 8")
    assert run(server, "--help").stdout.count("\n") > 30
