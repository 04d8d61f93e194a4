"""A running SSH server that somebody else set up: their Subsystem line, their jail, their AllowGroups, later no PAM.

Cases 02, 03, 19 and 20, and users of all kinds (05, 24), with one run that stops and one that goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterator

import pytest

SUBSYSTEM = "Subsystem sftp /usr/lib/openssh/sftp-server -f AUTHPRIV -l INFO -u 0002"
BLOCK = """\
Match Group sftponly
    ChrootDirectory /srv/sftp/%u
    ForceCommand internal-sftp
    PasswordAuthentication yes
    AllowTcpForwarding no
    X11Forwarding no
"""
DROP_IN = "/etc/ssh/sshd_config.d/10-hardening.conf"
SETUP = rf"""
set -e
sed -i 's|^Subsystem.*|{SUBSYSTEM}|' /etc/ssh/sshd_config
groupadd --system sftponly; groupadd ssh-users
useradd -m -G ssh-users -s /usr/sbin/nologin mailbox1; echo 'mailbox1:Mail-box-1' | chpasswd
useradd -d /srv/sftp/carol -g sftponly -G ssh-users -s /usr/sbin/nologin carol; echo 'carol:Caro-l-1' | chpasswd
mkdir -p /srv/sftp/carol/upload; echo data >/srv/sftp/carol/upload/invoice.txt
chown -R carol:sftponly /srv/sftp/carol/upload
printf '# hardening\nAllowGroups ssh-users\n' >{DROP_IN}
printf '%s' '{BLOCK}' >>/etc/ssh/sshd_config
rm -f /root/key*; ssh-keygen -q -t ed25519 -N '' -f /root/key
systemctl restart ssh
"""
STATE = (
    "sha256sum /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* /etc/passwd /etc/group /etc/shadow;"
    " find /etc/pam.d /etc/vsftpd* /srv /home -printf '%p %u %g %m\\n' 2>/dev/null | sort"
)
PASSWORDS = {
    "dora": "Dor-a-1",
    "b.colon": "a:b%c$d",
    "B-Upper_1": " lead and trail ",
    "2bquote": 'it\'s "q" \\ back',
    "bdash": "-rf --help",
    "butf": "pässwörd→日本",
    "bp73": "x" * 73,
    "bp128": "y" * 128,
}
LOCKED = "Sommer2026!"
USERS = [{"name": name, "password": password} for name, password in PASSWORDS.items()]
VARIABLES: dict[str, Any] = {
    "ftp_users": [*USERS, {"name": "b-lock", "password": LOCKED, "locked": True}],
    "ftp_users_password_min_length": 1,
}
ROLES = "--tags=vsftpd,pam_userdb,sshd_chroot,user_command"
# A reload returns before sshd listens again; a restart does not.
RESTART_WITHOUT_PAM = "sed -i 's/^UsePAM .*/UsePAM no/' /etc/ssh/sshd_config && systemctl restart ssh"


@dataclass(frozen=True)
class Server:
    """The host, what the first run said, which stops, and what the host was like before and after it."""

    host: Any
    said: str
    before: str
    after: str

    def get(self, url: str, user: str, password: str) -> str | None:
        """What curl is given on the host itself, None when it is refused. The password is no part of a command."""
        login = f"{user}:{password}".replace("\\", "\\\\").replace('"', '\\"')
        command = f"curl -sSk --max-time 30 --ssl-reqd --config - {url}"
        done = self.host.sh(command, check=False, stdin=f'user = "{login}"\n')
        return done.stdout if done.returncode == 0 else None

    def logs_in(self, user: str, password: str) -> tuple[bool, bool]:
        """Whether ``user`` gets in over FTPS and over SFTP."""
        # The start directory: nobody may list the jail above it.
        ftps, sftp = (self.get(url, user, password) for url in ("ftp://127.0.0.1/", "sftp://127.0.0.1/~/"))
        return ftps is not None, sftp is not None

    def key_logs_in(self, user: str) -> bool:
        """Whether root's key lets ``user`` in over SFTP."""
        options = "-b /dev/null -i /root/key -o StrictHostKeyChecking=no -o BatchMode=yes"
        return self.host.sh(f"sftp {options} {user}@127.0.0.1", check=False).returncode == 0


@pytest.fixture(scope="module")
def server(container) -> Iterator[Server]:
    """Made by hand; then a run, which stops; then what it said is done, and another run."""
    from conftest import BARE

    container.sh(BARE, check=False)
    container.sh(SETUP)
    by_hand = Server(container, "", "", "")
    assert "invoice.txt" in (by_hand.get("sftp://127.0.0.1/upload/", "carol", "Caro-l-1") or "")
    assert by_hand.get("sftp://127.0.0.1/etc/passwd", "mailbox1", "Mail-box-1") is None
    before = container.sh(STATE).stdout
    users = {"ftp_users": [*USERS, {"name": "carol", "password": "Caro-l-1"}]}
    alone = container.role("sshd_chroot", {**VARIABLES, **users})
    assert alone.returncode != 0 and "ChrootDirectory of the group sftponly" in alone.stdout, alone.stdout
    stopped = container.play({**VARIABLES, **users}, ROLES)
    after = container.sh(STATE).stdout
    assert stopped.returncode != 0, stopped.stdout
    container.sh(f"sed -i '/^AllowGroups/s/$/ ftpjail/' {DROP_IN}; systemctl restart ssh")
    key = container.sh("cat /root/key.pub").stdout.strip()
    keyed = {"name": "keyonly", "authorized_keys": [key], "protocols": ["sftp"]}
    users = {"ftp_users": [*VARIABLES["ftp_users"], keyed]}
    done = container.play({**VARIABLES, **users, "sshd_chroot_group": "ftpjail"}, ROLES)
    assert done.returncode == 0, done.stdout
    yield Server(container, stopped.stdout, before, after)


def test_the_run_stops_before_it_changes_anything_and_names_line_and_file(server):
    assert server.before == server.after
    block = int(server.host.sh("grep -n 'ChrootDirectory /srv' /etc/ssh/sshd_config").stdout.split(":")[0])
    assert f"/etc/ssh/sshd_config:{block}: ChrootDirectory of the group sftponly" in server.said
    assert "found /srv/sftp/%u" in server.said and "jail another group (sshd_chroot_group)" in server.said
    assert f"allowgroups: expected one of sftponly, found ssh-users (set at {DROP_IN}:2)" in server.said
    assert "Correct /etc/ssh/sshd_config" not in server.said


def test_nobody_outside_the_group_gets_sftp_and_the_subsystem_line_stays(server):
    assert server.host.sh("grep -i ^subsystem /etc/ssh/sshd_config").stdout.strip() == SUBSYSTEM
    assert server.get("sftp://127.0.0.1/etc/passwd", "mailbox1", "Mail-box-1") is None
    assert server.host.sh("usermod -s /bin/sh mailbox1 && id -nG mailbox1").stdout.split() == ["mailbox1", "ssh-users"]
    assert server.get("sftp://127.0.0.1/etc/passwd", "mailbox1", "Mail-box-1"), "only the shell kept mailbox1 out"
    server.host.sh("usermod -s /usr/sbin/nologin mailbox1")
    assert "subsystem-internal" not in server.host.sh("ftp-users check", check=False).stdout
    server.host.sh("sed -i 's/^Subsystem.*/Subsystem sftp internal-sftp/' /etc/ssh/sshd_config; systemctl restart ssh")
    said = server.host.sh("ftp-users check", check=False).stdout
    assert server.get("sftp://127.0.0.1/etc/passwd", "mailbox1", "Mail-box-1") and "subsystem-internal" in said
    server.host.sh(f"sed -i 's|^Subsystem.*|{SUBSYSTEM}|' /etc/ssh/sshd_config; systemctl restart ssh")


def test_the_jail_of_others_stays_as_it_is_and_the_command_uses_ours(server):
    assert BLOCK in server.host.sh("cat /etc/ssh/sshd_config").stdout
    assert server.get("sftp://127.0.0.1/upload/invoice.txt", "carol", "Caro-l-1") == "data\n"
    server.host.sh("ftp-users add late --protocol sftp --password-stdin", stdin="Late-1234567\n")
    assert "ftpjail" in server.host.sh("id -nG late").stdout.split()
    assert server.logs_in("late", "Late-1234567") == (False, True)
    server.host.sh("ftp-users del late --remove-home")


@pytest.mark.parametrize("name", PASSWORDS)
def test_passwords_and_names_of_all_kinds_log_in_over_both_protocols(server, name):
    assert server.logs_in(name, PASSWORDS[name]) == (True, True)
    if len(PASSWORDS[name]) > 72:  # where bcrypt and others end a password
        assert server.logs_in(name, PASSWORDS[name][:-1] + "?") == (False, False)


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_a_password_by_standard_input_is_utf_8_in_every_locale(server, locale):
    command = f"LC_ALL={locale} ftp-users passwd butf --password-stdin"
    server.host.sh(command, stdin="pässwörd→日本\n")
    assert server.logs_in("butf", PASSWORDS["butf"]) == (True, True)
    latin = server.host.sh(f"printf 'p\\344ssword-1234\\n' | {command}", check=False)
    assert latin.returncode == 2 and "UTF-8" in latin.stdout and "Traceback" not in latin.stdout


GOOD = {  # pureftpd.passwd, password Import-1
    "p-bc2y": "$2y$05$abcdefghijklmnopqrstuuCDDDeHR1UIdyp/KO6eIHnVnusWFBImW",
    "p-yes": "$y$j9T$abcdefghijklmnop$EqCxxjJ5dJuUxVspHaOuOQ.qhJPErv.N0XRf9WwMUIB",
    "p-sha256": "$5$saltsalt$7PSu9OqVR3hJf0fdGBItrcRSpj6CXSUHVSDvzGonoP3",
}
WEAK = {"p-md5": "$1$abcdefgh$F.Kfn8/W.yLCwlYtUc80H/"}


def test_users_of_another_server_log_in_and_weak_hashes_are_taken_only_when_it_is_said(server):
    text = "".join(f"{name}:{stored}:1001:1001::/x/./::::\n" for name, stored in {**GOOD, **WEAK}.items())
    first = server.host.sh("ftp-users import - --format colon --yes", stdin=text).stdout
    assert "p-md5: skipped: a hash of MD5 ($1$), which is weak; --allow-weak-hashes accepts it" in first
    assert not server.host.sh("getent passwd p-md5", check=False).stdout
    server.host.sh("ftp-users import - --format colon --yes --allow-weak-hashes", stdin=text)
    for name in (*GOOD, *WEAK):
        assert server.logs_in(name, "Import-1") == (True, True), name
    log = server.host.sh("journalctl -t ftp-users --no-pager -o cat").stdout
    assert "users='p-md5' result=weak-hash-allowed" in log and "p-yes' result=weak" not in log
    again = server.host.sh("ftp-users import - --format colon --yes", stdin=text).stdout
    assert "skipped" not in again, "what is stored already is nothing new"


def test_locked_in_the_list_is_locked_on_both_protocols_until_unlocked(server):
    assert server.logs_in("b-lock", LOCKED) == (False, False)
    assert '"locked": true' in server.host.sh("ftp-users show b-lock --json").stdout
    server.host.sh("ftp-users unlock b-lock")
    assert server.logs_in("b-lock", LOCKED) == (True, True)


@pytest.mark.parametrize("without_pam", [False, True])
def test_a_user_with_a_key_only_can_be_locked_with_and_without_pam(server, without_pam):
    if without_pam:
        server.host.sh(RESTART_WITHOUT_PAM)
    assert "usepam no" in server.host.sh("sshd -T").stdout or not without_pam
    field = server.host.sh("getent shadow keyonly").stdout.split(":")[1]
    assert re.fullmatch(r"\*", field), f"a mark such as ! would keep the key out without PAM: {field}"
    assert server.key_logs_in("keyonly")
    server.host.sh("ftp-users lock keyonly")
    assert not server.key_logs_in("keyonly")
    server.host.sh("ftp-users unlock keyonly")
    assert server.key_logs_in("keyonly") and server.logs_in("dora", PASSWORDS["dora"]) == (True, True)
