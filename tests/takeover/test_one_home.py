"""How a server with one home for each protocol stays so, and how it changes over, killed on the way.

One host, the tests in the order of its life. What one home is like: ``molecule/default/tests/test_one_home.py``.
"""

from __future__ import annotations

import re
from typing import Iterator

import pytest
from bare import BARE
from conftest import Host

PASSWORDS = {"batman": "bat-Cave!1 deep", "robin": "Robin#2 nest", "oracle": "oracle-Sees=All"}
USERS = [
    {"name": "batman", "password": PASSWORDS["batman"]},
    {"name": "robin", "password": PASSWORDS["robin"], "access": "read_only"},
    {"name": "oracle", "password": PASSWORDS["oracle"], "protocols": ["ftps"]},
    {"name": "alfred", "password": "alfred-Tea%4", "protocols": ["sftp"]},
]
VARIABLES = {"ftp_users": USERS, "vsftpd_tls_modes": ["explicit", "implicit"]}
CURL = "curl -sSk --ssl-reqd --max-time 60"
FILES = 400


def ftps(host: Host, user: str, what: str, port: int = 21) -> str:
    """The output of curl as ``user``; ``what`` are its options and the path."""
    *options, path = what.split(" ")
    login = f"{user}:{PASSWORDS[user]}"
    return host.sh(f"{CURL} -u '{login}' {' '.join(options)} 'ftp://127.0.0.1:{port}/{path}'").stdout


def sftp(host: Host, user: str, password: str, *commands: str) -> tuple[int, str]:
    """The exit status and the output of sftp with a password."""
    host.copy(f"#!/bin/sh\necho '{password}'\n", "/root/askpass", "0755")
    host.copy("\n".join(commands) + "\n", "/root/batch")
    options = "-o StrictHostKeyChecking=no -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 -oBatchMode=no"
    run = f"SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force sftp -q {options} -b /root/batch {user}@127.0.0.1 2>&1"
    done = host.sh(run, check=False)
    return done.returncode, done.stdout


def site(host: Host, **more: object) -> str:
    done = host.play({**VARIABLES, **more})
    assert done.returncode == 0, done.stdout
    return done.stdout


def changed(output: str) -> list[str]:
    """The tasks that changed something."""
    return re.findall(r"TASK \[([^\]]*)\][^\n]*\n(?:(?!TASK)[^\n]*\n)*?changed: ", output)


@pytest.fixture(scope="module")
def server(container: Host) -> Iterator[Host]:
    """A server with a directory of FTPS and a home of SFTP for each user, and files in both."""
    container.sh(BARE, check=False)
    site(container, ftp_users_home="per_protocol")
    container.sh(f"""
        cd /home/vftp/batman; for n in $(seq {FILES}); do echo $n > f$n; done; mkdir d; echo ftps > d/same; cd /
        echo oracle > /home/vftp/oracle/o; chown -R ftp:ftp /home/vftp/*
        mkdir /home/sftp/batman/d; echo sftp > /home/sftp/batman/d/same; chown -R batman:sftponly /home/sftp/batman
        """)
    yield container


def test_it_stays_as_it_is_without_the_variable(server: Host) -> None:
    """The default is for new hosts."""
    assert changed(site(server)) == []
    assert server.sh("ls /home/vftp").stdout.split() == ["batman", "oracle", "robin"]


def test_no_run_changes_it_over_and_its_operator_is_told_what_does(server: Host) -> None:
    done = server.preflight({**VARIABLES, "ftp_users_home": "one"})
    assert done.returncode != 0 and "ftp-users one-home" in done.stdout and "playbooks/one_home.yml" in done.stdout
    plan = server.sh("ftp-users one-home --dry-run").stdout
    assert f"batman: {FILES + 1} files of /home/vftp/batman would be moved to /home/sftp/batman" in plan
    said = server.play({}, "--check", "--diff", playbook="one_home.yml").stdout
    assert "-batman: /home/vftp/batman and /home/sftp/batman" in said and len(changed(said)) == 1
    assert server.sh("ls /home/vftp").stdout.split() == ["batman", "oracle", "robin"]


def test_what_is_mounted_stops_it_before_anything_is_moved(server: Host) -> None:
    server.sh("mkdir /home/vftp/robin/usb; mount -t tmpfs none /home/vftp/robin/usb")
    refused = server.sh("ftp-users one-home", check=False).stdout
    server.sh("umount /home/vftp/robin/usb; rmdir /home/vftp/robin/usb")
    assert "no file system mounted" in refused
    assert server.sh("ls /home/vftp/batman | wc -l").stdout.strip() == str(FILES + 1)


def test_killed_again_and_again_it_loses_nothing_and_the_next_one_finishes(server: Host) -> None:
    for pause in ("0.5", "0.7", "0.9", "1.2"):
        server.sh(f"ftp-users one-home >/dev/null 2>&1 & sleep {pause}; kill -KILL $!; wait", check=False)
        count = "find /home/vftp/batman /home/sftp/batman -name 'f[0-9]*' 2>/dev/null | sed 's,.*/,,' | sort -u | wc -l"
        assert server.sh(count).stdout.strip() == str(FILES), "a file is lost"
    server.sh("rm -f /etc/ssh/.sshd_config-*")  # as the check says
    moved = server.play({}, playbook="one_home.yml")
    assert moved.returncode == 0, moved.stdout
    assert changed(server.play({}, playbook="one_home.yml").stdout) == []
    assert server.sh("ftp-users one-home").stdout == "every user has one home already; nothing was changed\n"
    assert server.sh("test ! -e /home/vftp", check=False).returncode == 0
    assert ftps(server, "batman", "d/same") == "sftp\n" and ftps(server, "batman", "from-ftps/d/same") == "ftps\n"
    assert ftps(server, "oracle", "o") == "oracle\n" and ftps(server, "batman", f"f{FILES}") == f"{FILES}\n"


def test_then_both_protocols_have_one_home_and_one_user_id(server: Host) -> None:
    server.copy("by ftps\n", "/root/up.txt")
    ftps(server, "batman", "-T /root/up.txt up.txt")
    status, said = sftp(server, "batman", PASSWORDS["batman"], "rename up.txt renamed.txt", "ls -l renamed.txt")
    assert status == 0 and "renamed.txt" in said
    assert ftps(server, "batman", "renamed.txt") == "by ftps\n"
    assert sftp(server, "batman", PASSWORDS["batman"], "put /root/up.txt by-sftp.txt")[0] == 0
    login = f"batman:{PASSWORDS['batman']}"
    server.sh(f"{CURL} -u '{login}' -Q 'DELE by-sftp.txt' ftp://127.0.0.1/; test ! -e /home/sftp/batman/by-sftp.txt")
    owner = server.sh("stat -c '%U %a' /home/sftp/batman /home/sftp/batman/f1 /home/sftp/batman/renamed.txt").stdout
    assert owner.split() == ["batman", "700", "batman", "644", "batman", "600"]
    refused = server.sh(f"{CURL} -u 'robin:{PASSWORDS['robin']}' -T /etc/hostname ftp://127.0.0.1/h", check=False)
    assert refused.returncode != 0 and "550" in refused.stdout, "robin has kept the right, and no more"
    assert sftp(server, "oracle", PASSWORDS["oracle"], "ls")[0] == 255, "an account that cannot log in"


def test_a_configuration_of_sshd_that_was_replaced_hides_nobodys_files(server: Host) -> None:
    """As by a package or from a backup: without the class of sshd it is not one of the layouts any more."""
    server.sh("cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config; systemctl reload ssh")
    said = server.sh("ftp-users check", check=False).stdout
    assert "ERROR jail-missing" in said and "ftps-directory" not in said and "account-pending" not in said
    site(server)
    assert server.sh("ls /home").stdout == "sftp\n" and ftps(server, "batman", "f1") == "1\n"
    assert sftp(server, "batman", PASSWORDS["batman"], "ls")[0] == 0
    assert sftp(server, "oracle", PASSWORDS["oracle"], "ls")[0] == 255


def test_then_it_stays_so_and_the_check_finds_nothing(server: Host) -> None:
    assert changed(site(server)) == []
    assert server.sh("ftp-users check").stdout == "No problem found.\n"
    assert server.preflight({**VARIABLES, "ftp_users_home": "one"}).returncode == 0
    done = server.preflight({**VARIABLES, "ftp_users_home": "per_protocol"})
    assert done.returncode != 0 and "nothing separates their files again" in done.stdout
