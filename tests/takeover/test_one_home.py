"""One home for each user: on a new server, and on one whose users have moved, killed on the way."""

from __future__ import annotations

import json
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


def as_two_homes(host: Host) -> None:
    """A server of the layout with a directory of FTPS and a home of SFTP, with files in both."""
    site(host, ftp_users_home="per_protocol")
    host.sh(f"""
        cd /home/vftp/batman; for n in $(seq {FILES}); do echo $n > f$n; done; mkdir d; echo ftps > d/same; cd /
        echo oracle > /home/vftp/oracle/o; chown -R ftp:ftp /home/vftp/*
        mkdir /home/sftp/batman/d; echo sftp > /home/sftp/batman/d/same; chown -R batman:sftponly /home/sftp/batman
        """)


def move_with_kills(host: Host) -> None:
    """Move, killed again and again; between two runs everybody can log in who is not being moved."""
    for pause in ("0.4", "0.6", "0.7", "0.8", "0.9", "1.0", "1.2"):
        host.sh(f"ftp-users one-home >/dev/null 2>&1 & sleep {pause}; kill -KILL $!; wait", check=False)
        count = "find /home/vftp/batman /home/sftp/batman -name 'f[0-9]*' 2>/dev/null | sed 's,.*/,,' | sort -u | wc -l"
        assert host.sh(count).stdout.strip() == str(FILES), "a file is lost"
    host.sh("rm -f /etc/ssh/.sshd_config-*")  # as the check says
    said = host.sh("ftp-users one-home").stdout
    assert host.sh("ftp-users one-home").stdout == "every user has one home already; nothing was changed\n", said


@pytest.fixture(scope="module", params=["new", "moved"])
def server(request: pytest.FixtureRequest, container: Host) -> Iterator[Host]:
    """A server with one home for each user: made so, or changed over."""
    container.sh(BARE, check=False)
    if request.param == "new":
        site(container, ftp_users_home="one")
    else:
        as_two_homes(container)
        move_with_kills(container)
    yield container


def test_both_protocols_have_one_home_and_one_user_id(server: Host) -> None:
    server.copy("by ftps\n", "/root/up.txt")
    ftps(server, "batman", "-T /root/up.txt up.txt")
    status, said = sftp(server, "batman", PASSWORDS["batman"], "rename up.txt renamed.txt", "ls -l renamed.txt")
    assert status == 0 and "renamed.txt" in said
    assert ftps(server, "batman", "renamed.txt") == "by ftps\n"
    assert sftp(server, "batman", PASSWORDS["batman"], "put /root/up.txt by-sftp.txt")[0] == 0
    login = f"batman:{PASSWORDS['batman']}"
    server.sh(f"{CURL} -u '{login}' -Q 'DELE by-sftp.txt' ftp://127.0.0.1/; test ! -e /home/sftp/batman/by-sftp.txt")
    owner = server.sh("stat -c '%U %a' /home/sftp/batman /home/sftp/batman/renamed.txt").stdout.split()
    assert owner == ["batman", "700", "batman", "600"]
    assert server.sh("test ! -e /home/vftp", check=False).returncode == 0


@pytest.mark.parametrize("user", ["batman", "oracle"])
def test_a_session_of_ftps_runs_as_the_user(server: Host, user: str) -> None:
    server.sh(f"head -c 4000000 /dev/zero > /home/sftp/{user}/big; chown {user}: /home/sftp/{user}/big")
    server.sh("echo secret > /home/sftp/robin/secret; chown robin: /home/sftp/robin/secret")
    login = f"{user}:{PASSWORDS[user]}"
    shown = server.sh(
        f"{CURL} --limit-rate 500k -u '{login}' ftp://127.0.0.1/big -o /dev/null & sleep 3;"
        " for one in $(pgrep -x vsftpd); do echo $(readlink /proc/$one/root)"
        " $(sed -n 's/^\\(Uid\\|Gid\\|Groups\\)://p' /proc/$one/status); done; wait"
    ).stdout
    (session,) = [line.split() for line in shown.splitlines() if line.startswith(f"/home/sftp/{user} ")]
    ids = server.sh(f"id -u {user}; id -g {user}; id -G {user}").stdout.split()
    assert session[1:5] == [ids[0]] * 4 and session[5:9] == [ids[1]] * 4 and set(session[9:]) == set(ids[2:])
    groups = ",".join(session[9:])
    read = f"setpriv --reuid {ids[0]} --regid {ids[1]} --groups {groups} cat"
    assert server.sh(f"{read} /home/sftp/{user}/big | wc -c").stdout.strip() == "4000000"
    assert "Permission denied" in server.sh(f"{read} /home/sftp/robin/secret", check=False).stdout


def test_who_only_uses_ftps_has_limits_too(server: Host) -> None:
    login = f"{CURL} -u 'oracle:{PASSWORDS['oracle']}' ftp://127.0.0.1/"
    server.sh("ftp-users edit oracle --comment 'Barbara, 1' --expires 2099-01-31 --allowed-sources 127.0.0.0/8,::1")
    assert server.sh("getent passwd oracle | cut -d: -f5").stdout.strip() == "Barbara, 1"
    assert server.sh(login, check=False).returncode == 0
    for limit, none in (
        ("--expires 2020-01-31", "--expires never"),
        ("--allowed-sources 192.0.2.1", "--allowed-sources ''"),
    ):
        server.sh(f"ftp-users edit oracle {limit}")
        assert server.sh(login, check=False).returncode == 67, "log-in denied"
        server.sh(f"ftp-users edit oracle {none}")
        assert server.sh(login, check=False).returncode == 0
    shown = json.loads(server.sh("ftp-users show oracle --json").stdout)["user"]
    assert [shown[name] for name in ("protocols", "comment", "expires", "allowed_sources")] == [
        ["ftps"],
        "Barbara, 1",
        "never",
        [],
    ]
    assert "account-ignored" not in server.sh("ftp-users check", check=False).stdout
    server.sh("ftp-users edit oracle --comment ''")


def test_who_only_uses_ftps_cannot_log_in_by_anything_else(server: Host) -> None:
    assert ftps(server, "oracle", "-T /etc/hostname hostname") == ""
    assert server.sh("getent passwd oracle").stdout.strip().endswith(":/:/usr/sbin/nologin")
    assert server.sh("getent shadow oracle").stdout.split(":")[1] == "!*"
    server.sh(f"echo 'oracle:{PASSWORDS['oracle']}' | chpasswd")
    server.sh("mkdir -p /root/k; [ -e /root/k/id ] || ssh-keygen -q -t ed25519 -N '' -f /root/k/id")
    server.sh("install -m 644 /root/k/id.pub /etc/ssh/sftponly_keys/oracle")
    status, said = sftp(server, "oracle", PASSWORDS["oracle"], "ls")
    assert status == 255, said
    by_key = "sftp -o StrictHostKeyChecking=no -o BatchMode=yes -i /root/k/id oracle@127.0.0.1 </dev/null"
    done = server.sh(by_key, check=False)
    assert done.returncode != 0 and "Permission denied" in done.stdout
    server.sh("ftp-users edit oracle --protocol ftps")
    assert server.sh("getent shadow oracle; ls /etc/ssh/sftponly_keys").stdout.count("oracle") == 1
    assert "oracle:!*:" in server.sh("getent shadow oracle").stdout


def test_a_protocol_more_and_one_less(server: Host) -> None:
    server.sh("ftp-users edit oracle --protocol both")
    assert sftp(server, "oracle", PASSWORDS["oracle"], "ls")[0] == 0
    server.sh("ftp-users edit oracle --protocol ftps")
    assert sftp(server, "oracle", PASSWORDS["oracle"], "ls")[0] != 0
    assert "hostname" in ftps(server, "oracle", "-l ")
    server.sh("ftp-users edit alfred --protocol both")
    PASSWORDS["alfred"] = "alfred-Tea%4"
    assert ftps(server, "alfred", "-T /etc/hostname h") == ""
    server.sh("ftp-users edit alfred --protocol sftp")
    assert not server.logs_in("alfred", PASSWORDS["alfred"])
    assert sftp(server, "alfred", PASSWORDS["alfred"], "get h /root/h")[0] == 0


def test_rights_are_in_the_same_file(server: Host) -> None:
    refused = server.sh(f"{CURL} -u 'robin:{PASSWORDS['robin']}' -T /etc/hostname ftp://127.0.0.1/h", check=False)
    assert refused.returncode != 0 and "550" in refused.stdout


def test_the_files_of_a_removed_user_are_closed_and_come_back(server: Host) -> None:
    server.sh("ftp-users add selina --protocol ftps --password-stdin", stdin="cat-Burglar&9\n")
    PASSWORDS["selina"] = "cat-Burglar&9"
    assert ftps(server, "selina", "-T /etc/hostname h") == ""
    server.sh("ftp-users del selina")
    assert not server.logs_in("selina", PASSWORDS["selina"])
    assert server.sh("stat -c '%U %a' /home/sftp/selina").stdout.split() == ["root", "700"]
    assert "selina" not in server.sh("getent passwd; getent group; ls /etc/vsftpd/users.d").stdout
    server.sh("ftp-users add selina --password-stdin", stdin="cat-Burglar&9\n")
    assert "h" in ftps(server, "selina", "-l ") and sftp(server, "selina", PASSWORDS["selina"], "get h /root/h")[0] == 0
    server.sh("ftp-users del selina --remove-home; test ! -e /home/sftp/selina")


def test_a_module_of_one_protocol_leaves_the_other_one(server: Host) -> None:
    def module(kind: str, **options: object) -> None:
        play = [{"hosts": "ftp", "gather_facts": False, "tasks": [{f"secure_ftp.server.{kind}": options}]}]
        own = server.work / f"{kind}.yml"
        own.write_text(json.dumps(play))
        done = server.play({}, playbook=str(own))
        assert done.returncode == 0, done.stdout

    module("sftp_user", name="batman", state="absent")
    assert server.logs_in("batman", PASSWORDS["batman"])
    assert sftp(server, "batman", PASSWORDS["batman"], "ls")[0] != 0
    module("sftp_user", name="batman", password=PASSWORDS["batman"])
    assert sftp(server, "batman", PASSWORDS["batman"], "ls")[0] == 0
    module("ftp_user", name="dent", password="two-Face?2 coin", db="/etc/vsftpd/users.db")
    PASSWORDS["dent"] = "two-Face?2 coin"
    assert ftps(server, "dent", "-T /etc/hostname h") == ""
    module("ftp_user", name="dent", state="absent", db="/etc/vsftpd/users.db")
    assert server.sh("getent passwd dent", check=False).returncode != 0


def test_the_next_run_changes_nothing_and_the_check_finds_nothing(server: Host) -> None:
    assert changed(site(server)) == []
    assert changed(site(server, ftp_users_home="one")) == []
    assert server.sh("ftp-users check").stdout == "No problem found.\n"
    done = server.preflight({**VARIABLES, "ftp_users_home": "per_protocol"})
    assert done.returncode != 0 and "nothing separates their files again" in done.stdout


def test_what_the_check_finds(server: Host) -> None:
    server.sh("rm /etc/vsftpd/users.d/batman")
    assert "user-file-wrong" in server.sh("ftp-users check", check=False).stdout
    server.sh("ftp-users one-home; ftp-users check")


def test_a_host_with_two_homes_stays_so_and_is_told_how_to_change(host: Host) -> None:
    as_two_homes(host)
    done = host.preflight({**VARIABLES, "ftp_users_home": "one"})
    assert done.returncode != 0 and "ftp-users one-home" in done.stdout and "playbooks/one_home.yml" in done.stdout
    assert changed(site(host)) == []
    plan = host.sh("ftp-users one-home --dry-run").stdout
    assert f"batman: {FILES + 1} files of /home/vftp/batman would be moved to /home/sftp/batman" in plan
    said = host.play({}, "--check", "--diff", playbook="one_home.yml").stdout
    assert "-batman: /home/vftp/batman and /home/sftp/batman" in said and len(changed(said)) == 1
    assert host.sh("ls /home/vftp").stdout.split() == ["batman", "oracle", "robin"]
    host.sh("mkdir /home/vftp/robin/usb; mount -t tmpfs none /home/vftp/robin/usb")
    refused = host.sh("ftp-users one-home", check=False).stdout
    host.sh("umount /home/vftp/robin/usb; rmdir /home/vftp/robin/usb")
    assert "no file system mounted" in refused and host.sh("ls /home/vftp").stdout.split()[0] == "batman"
    moved = host.play({}, playbook="one_home.yml").stdout
    assert len(changed(moved)) == 1
    assert ftps(host, "batman", "d/same") == "sftp\n" and ftps(host, "batman", "from-ftps/d/same") == "ftps\n"
    assert ftps(host, "oracle", "o") == "oracle\n" and ftps(host, "batman", f"f{FILES}") == f"{FILES}\n"
    assert changed(host.play({}, playbook="one_home.yml").stdout) == []
    assert changed(site(host)) == []
