# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ftp-users check``: nothing on a sound server; what is broken for real is found, and its fix puts it right."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from conftest import SFTP_JAIL

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import EXIT_CODES
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.kinds import KINDS

FTPS_ROOT = "/home/vftp"
"""Where a server with two homes for each user has those of FTPS."""

CERT, KEY, DB = "/etc/vsftpd/server.crt", "/etc/vsftpd/server.key", "/etc/vsftpd/users.db"
CONF, PAM, SSHD = "/etc/vsftpd.conf", "/etc/pam.d/vsftpd.virtual", "/etc/ssh/sshd_config"
LITTER = "/etc/vsftpd/.users.db.0123456789ab.tmp"
ASIDE = "/root/check-aside"

LINGER = "/var/lib/systemd/linger"
KEPT = f"/etc/vsftpd /etc/vsftpd.conf /etc/vsftpd-implicit.conf {PAM} /etc/ssh /etc/ufw"
ACCOUNTS = "/etc/passwd /etc/shadow /etc/group /etc/gshadow"
UNITS = "vsftpd vsftpd-implicit"
SYSTEMD = "/etc/systemd/system"
NO_FOLDER = f"""systemctl disable --quiet --now ftp-shared-common; mkdir {ASIDE}/folder
mv {SYSTEMD}/ftp-shared-* {ASIDE}/folder; systemctl daemon-reload"""
"""Leave the shared folder out: it would go with the home in which it is mounted."""

SAVE = f"""
set -e
rm -rf {ASIDE}; mkdir -m 0700 {ASIDE}
iptables-save | grep -v '^[#:]' >/run/check-ufw
tar -cpf {ASIDE}/saved.tar {KEPT} {ACCOUNTS} 2>/dev/null
stat -c 'chown %u:%g %n; chmod %a %n' /home/*ftp /home/*ftp/* >{ASIDE}/owners
"""
RESTORE = f"""
umount {FTPS_ROOT} 2>/dev/null
for part in {ASIDE}/moved/*; do
    if [ -e "$part" ]; then
        to=$(tr + / <<<"${{part##*/}}"); rm -rf "$to"; mv "$part" "$to"
    fi
done
set -e
rm -rf {SFTP_JAIL}/{{zoe,harvey}} {LINGER}/robin /var/spool/cron/crontabs/robin
find /var/spool/cron/atjobs -user robin -delete
rm -rf {LITTER} /etc/vsftpd/users.txt /etc/vsftpd/users.db.damaged-* /etc/vsftpd/users.d /etc/ssh/sftponly_keys
tar -xpf {ASIDE}/saved.tar -C /
sh {ASIDE}/owners
if [ -d {ASIDE}/folder ]; then
    mv {ASIDE}/folder/* {SYSTEMD}; systemctl daemon-reload; systemctl enable --quiet --now ftp-shared-common
fi
rm -rf {ASIDE}
[ "$(iptables-save | grep -v '^[#:]')" = "$(cat /run/check-ufw)" ] || ufw --force reload >/dev/null
systemctl reset-failed {UNITS} ssh
[ "$(systemctl is-enabled {UNITS} ssh | sort -u)" = enabled ] || systemctl enable --quiet {UNITS} ssh
systemctl restart {UNITS} ssh
"""
NO_QUESTIONS = "systemctl reset-failed; export DEBIAN_FRONTEND=noninteractive"
"""Not too many restarts within seconds for systemd, and no dialogue of apt."""


class Case(NamedTuple):
    """One thing to break: how, what is found then, and whether the fix of the first finding runs as it is."""

    id: str
    breakage: str
    subjects: tuple[str, ...]
    says: str = ""
    runnable: bool = True
    answer: str = ""
    """What the fix would ask for, said on its command line."""

    homes: str = ""
    """Whether this is only about servers with one_home or with two_homes for each user."""

    one_home: tuple[str, ...] = ()
    """What is found instead where each user has one home."""

    @property
    def param(self):
        marks = [getattr(pytest.mark, self.homes)] if self.homes else []
        return pytest.param(self, id=self.id, marks=marks)


def certificate(begins: int, ends: int) -> str:
    """Put a certificate of the same key in place that is valid from and to so many days from now."""
    return f"""( d=$(mktemp -d); cd $d; touch index; echo 07 >serial
cat >ca.cnf <<END
[ca]
default_ca = c
[c]
database = $d/index
serial = $d/serial
new_certs_dir = $d
default_md = sha256
policy = p
[p]
commonName = supplied
END
openssl req -new -key {KEY} -subj /CN=check.example -out request
openssl ca -batch -selfsign -config ca.cnf -keyfile {KEY} -in request -notext -out made.pem \
    -startdate $(date -ud '{begins} days' +%Y%m%d%H%M%SZ) -enddate $(date -ud '{ends} days' +%Y%m%d%H%M%SZ)
cat made.pem >{CERT} ) 2>/dev/null
"""


def aside(path: str) -> str:
    """Move ``path`` away; the restoration moves it back."""
    return f"mkdir -p {ASIDE}/moved && mv {path} {ASIDE}/moved/$(tr / + <<<{path})"


def record(key: str, value: str) -> str:
    """Write a record with Berkeley DB's own tool."""
    return f"printf '%s\\n' '{key}' '{value}' | db_load -T -t hash {DB}"


def option(line: str) -> str:
    """Set an option of the explicit instance, and let the daemon read it."""
    name = line.split("=")[0]
    return f"sed -i -e '/^{name}=/d' {CONF} && echo '{line}' >>{CONF} && systemctl restart vsftpd"


def before_block(*lines: str) -> str:
    """Put lines in front of the role's block, where they win over it, and let the daemon read them."""
    text = "\\n".join(lines)
    return f"sed -i '/^# BEGIN .* sshd_chroot/i {text}' {SSHD} && systemctl restart ssh"


def without_block() -> str:
    return f"sed -i '/^# BEGIN .* sshd_chroot/,/^# END .* sshd_chroot/d' {SSHD} && systemctl restart ssh"


CASES = [
    # the certificate
    Case("expired", certificate(-400, -3), ("certificate-expired",), "3 days ago"),
    Case("expires soon", certificate(-400, 10), ("certificate-expires",), "in 9 days"),
    Case("from the future", f"{certificate(2, 400)}\nsystemctl restart {UNITS}",
         ("certificate-not-yet-valid",), "the clock", runnable=False),
    Case("another key", f"openssl genrsa -out {KEY} 2048", ("certificate-key-mismatch",), KEY),
    Case("no certificate", f"echo nonsense >{CERT}", ("certificate-unusable",), CERT, runnable=False),
    Case("no key", f"rm {KEY}", ("certificate-unusable",), "No such file", runnable=False),
    Case("open key", f"chmod 0644 {KEY}", ("private-key-exposed",), "0644"),
    # the database and PAM
    Case("open database", f"chmod 0644 {DB}", ("database-exposed",), "0644"),
    Case("foreign database", f"chown ftp {DB}", ("database-exposed",), DB),
    Case("truncated database", f"truncate -s -1000 {DB}", ("database-damaged",), "truncated"),
    Case("no database", f"rm {DB}", ("database-missing",), DB, runnable=False),
    Case("plaintext", record("harvey", "two Faces"), ("plaintext-records", "ftps-directory-missing"), "harvey",
         one_home=("plaintext-records", "user-account-missing", "user-file-wrong")),
    Case("text file", "printf '%s\\n' robin 'Robin#2 nest' >/etc/vsftpd/users.txt", ("plaintext-file",), "users.txt"),
    Case("path as name", record("../batman", "$1$abcdefgh$0123456789012345678901"), ("user-name",), "../batman"),
    Case("plaintext PAM", f"sed -i 's/ crypt=crypt//' {PAM}", ("pam-plaintext",), PAM),
    Case("no PAM file", f"rm {PAM}", ("pam-missing",), PAM),
    Case("PAM of others", f"echo 'auth required pam_unix.so' >{PAM}", ("pam-no-database",), PAM),
    Case("no PAM module", aside("$(ls /lib/*/security/pam_userdb.so)"), ("pam-module-missing",)),
    Case("open PAM file", f"chmod 0666 {PAM}", ("config-writable",), PAM),
    Case("open directory", "chmod 0777 /etc/vsftpd", ("config-writable",), "/etc/vsftpd"),
    Case("no binding", aside("$(ls -d /usr/lib/python3/dist-packages/bsddb3)"), ("library-missing",), "python3-bsddb3"),
    # the directories of FTPS users
    Case("no directory", aside(f"{FTPS_ROOT}/oracle"), ("ftps-directory-missing",), "oracle", homes="two_homes"),
    Case("link as directory", f"{aside(f'{FTPS_ROOT}/oracle')}; ln -s /etc {FTPS_ROOT}/oracle",
         ("ftps-directory-missing",), "oracle", runnable=False, homes="two_homes"),
    Case("foreign directory", f"chown root {FTPS_ROOT}/oracle", ("ftps-directory-owner",), "oracle",
         homes="two_homes"),
    Case("open FTPS directory", f"chmod 0755 {FTPS_ROOT}/oracle", ("ftps-directory-open",), "oracle",
         homes="two_homes"),
    Case("open FTPS root", f"chmod g+w {FTPS_ROOT}", ("ftps-root-unsafe",), FTPS_ROOT, homes="two_homes"),
    # their accounts
    Case("no account", "userdel oracle", ("sftp-home-left", "user-account-missing"), "oracle", homes="one_home"),
    Case("no file", "rm /etc/vsftpd/users.d/oracle", ("user-file-wrong",), "oracle", homes="one_home"),
    Case("another account", "sed -i s/^guest_username=.*/guest_username=robin/ /etc/vsftpd/users.d/oracle",
         ("user-file-wrong",), "oracle", homes="one_home"),
    Case("another home", "sed -i s,^local_root=.*,local_root=/etc, /etc/vsftpd/users.d/oracle",
         ("user-file-wrong",), "oracle", homes="one_home"),
    # vsftpd
    Case("no TLS", option("force_local_logins_ssl=NO"), ("tls-not-forced",), "force_local_logins_ssl"),
    Case("TLS off", option("ssl_enable=NO"), ("tls-not-forced",), "ssl_enable"),
    Case("anonymous", option("anonymous_enable=YES"), ("anonymous-login",), CONF),
    Case("no chroot", option("chroot_local_user=NO"), ("ftps-jail-open",), CONF),
    Case("unknown option", option("no_such_option=YES"), ("vsftpd-config", "service-inactive"), "no_such_option",
         runnable=False),
    Case("bad number", option("local_umask=77"), ("vsftpd-config",), "local_umask", runnable=False),
    Case("no passive range", f"sed -i /^pasv_max_port/d {CONF} && " + option("pasv_min_port=0"),
         ("passive-range-unset",), CONF),
    Case("address of a document", option("pasv_address=203.0.113.10"), ("pasv-address",), CONF, runnable=False),
    Case("no guest", "usermod -l somebody ftp", ("guest-user-missing",), "'ftp'"),
    Case("no vsftpd", aside("/usr/sbin/vsftpd"), ("vsftpd-missing",)),
    Case("not running", "systemctl stop vsftpd-implicit", ("service-inactive",), "vsftpd-implicit"),
    Case("not at boot", "systemctl disable vsftpd", ("service-disabled",), "vsftpd"),
    Case("not read", f"touch {CONF}", ("service-outdated",), "vsftpd"),
    Case("other port", f"sed -i s/^listen_port=.*/listen_port=2121/ {CONF}", ("port-closed", "firewall-port-closed"),
         "2121"),
    # sshd and the jail
    Case("jail of another", f"chown ftp {SFTP_JAIL}", ("jail-unsafe",), SFTP_JAIL),
    Case("open jail", f"chmod g+w {SFTP_JAIL}", ("jail-unsafe",), SFTP_JAIL),
    Case("no jail", f"{NO_FOLDER}; {aside(SFTP_JAIL)}", ("jail-directory-missing",), SFTP_JAIL,
         one_home=("jail-directory-missing", "vsftpd-config", "vsftpd-config")),
    Case("no block", without_block(), ("jail-missing",), "sftponly", homes="two_homes"),
    Case("no block, one home", without_block(), ("jail-missing", "right-missing"), "sftponly", homes="one_home",
         runnable=False),
    Case("one user out", before_block("Match User robin", "ChrootDirectory none", "ForceCommand /bin/sh"),
         ("jail-open",), "user robin: chrootdirectory"),
    Case("edited block", f"sed -i 's/^ *ForceCommand .*/    ForceCommand none/' {SSHD} && systemctl restart ssh",
         ("jail-open",), "forcecommand", homes="two_homes"),
    Case("edited blocks", f"sed -i 's/^ *ForceCommand .*/    ForceCommand none/' {SSHD} && systemctl restart ssh",
         ("jail-open", "jail-open"), "forcecommand", homes="one_home", runnable=False),
    Case("forwarding", before_block("Match User robin", "AllowTcpForwarding yes"), ("jail-doors",),
         "allowtcpforwarding"),
    Case("lines lost", f"sed -i '/^ *PermitTTY/d; /^ *X11Forwarding/d' {SSHD} && systemctl restart ssh",
         ("jail-doors",), "permittty"),
    Case("denied", before_block("DenyUsers robin"), ("sftp-login-refused",), "user robin: denyusers", runnable=False),
    Case("a jail each", f"sed -i 's|ChrootDirectory .*|&/%u|' {SSHD} && systemctl restart ssh", ("jail-unsupported",),
         "%u", runnable=False, one_home=("jail-unsupported", "not-examined")),
    Case("sshd refuses", before_block("NoSuchKeyword yes") + " || true", ("sshd-config",), "NoSuchKeyword",
         runnable=False),
    Case("sshd stopped", "systemctl stop ssh", ("service-inactive",), "ssh"),
    Case("sshd not at boot", "systemctl disable --quiet ssh", ("service-disabled",), "ssh"),
    # SFTP accounts
    Case("no home", aside(f"{SFTP_JAIL}/robin"), ("sftp-home-missing",), "robin"),
    Case("foreign home", f"chown root {SFTP_JAIL}/robin", ("sftp-home-owner",), "robin"),
    Case("open home", f"chmod 0755 {SFTP_JAIL}/robin", ("sftp-home-open",), "robin"),
    Case("half an account", "echo 'robin:!*' | chpasswd -e", ("account-pending",), "robin",
         answer=" --generate"),
    Case("neither password nor key", "echo 'robin:*' | chpasswd -e", ("no-way-in",), "robin: no password and no key",
         answer=" --generate"),
    Case("locked by half", f"printf '!%s' \"$(db_dump -p {DB} | grep -A1 '^ robin$' | sed -n '2s/^ //p')\" >/run/value"
         f" && printf '%s\\n' robin \"$(cat /run/value)\" | db_load -T -t hash {DB}; rm /run/value",
         ("half-locked",), "robin: locked over FTPS only"),
    Case("a shell", "usermod --shell /bin/bash robin", ("account-shell",), "robin"),
    Case("a home that obeys", f"usermod --home {SFTP_JAIL}/robin robin",
         ("account-home",), f"robin ({SFTP_JAIL}/robin)"),
    Case("lingering", f"mkdir -p {LINGER}; touch {LINGER}/robin", ("account-outside",), "robin: lingers"),
    Case("a crontab", "echo '@yearly true' | crontab -u robin -", ("account-outside",), "robin: has a crontab"),
    Case("a job", "echo true | setpriv --reuid robin --regid sftponly --clear-groups at now + 1 day",
         ("account-outside",), "robin: has an at job"),
    Case("an administrator", "gpasswd -a robin adm", ("account-privileged",), "robin: expected an account"),
    Case("an end", "chage --expiredate 2020-01-02 robin", ("account-expires",), "robin on 2020-01-02"),
    Case("a home left", f"mkdir -m 0700 {SFTP_JAIL}/zoe; chown 4242 {SFTP_JAIL}/zoe", ("sftp-home-left",), "zoe"),
    Case("SFTP for all", f"sed -i 's|^Subsystem.*|Subsystem sftp internal-sftp|' {SSHD}; systemctl restart ssh;"
         " useradd --shell /usr/sbin/nologin mailbox; echo mailbox:mail-Box-1234 | chpasswd",
         ("subsystem-internal",), "mailbox", runnable=False),
    Case("own keys", "chown batman /etc/ssh/sftponly_keys/batman", ("key-file-unsafe",), "batman"),
    Case("unreadable keys", "chmod 0600 /etc/ssh/sftponly_keys/batman", ("key-file-unsafe",), "batman"),
    Case("keys of nobody", "cp /etc/ssh/sftponly_keys/{batman,harvey}", ("key-file-orphan",), "harvey"),
    # the host
    Case("passive shut", "ufw delete allow 50000:50049/tcp", ("firewall-port-closed",), "50000:50049"),
    Case("one port shut", "ufw insert 1 deny 50003/tcp", ("firewall-port-closed",), "'ufw deny 50003/tcp' blocks port"),
    Case("litter", f"touch -d '1 hour ago' {LITTER}", ("leftover-files",), LITTER),
    Case("full disk", f"cp -a {FTPS_ROOT} {ASIDE}/copy && mount -t tmpfs -o size=1m,mode=0555 none {FTPS_ROOT}"
         f" && cp -a {ASIDE}/copy/. {FTPS_ROOT} && ! dd if=/dev/zero of={FTPS_ROOT}/zeros status=none",
         ("disk-full",), f"{FTPS_ROOT}: 0 MiB of 1", runnable=False, homes="two_homes"),
]  # fmt: skip
NOT_BROKEN_HERE = {
    "server-missing": "tests/unit: on these servers too much would have to go",
    "not-examined": "tests/unit",
    "database-link": "tests/takeover",
    "user-file-unusable": "tests/unit",
    "clock-unsynchronised": "tests/unit: a container has no clock of its own",
    "right-missing": "tests/unit/doctor/test_rights.py",
    "right-without-group": "tests/unit/doctor/test_rights.py",
    "rights-differ": "tests/unit/doctor/test_rights.py",
    "pasv-address-changed": "tests/takeover/test_behind_nat.py",
    "account-ignored": "test_rights_account.py",
    "sources-missing": "test_rights_account.py",
    "quota-off": "tests/vm/test_quota.py: the kernel of a container has no quotas",
    "quota-nearly-used": "tests/vm/test_quota.py",
    "folder-unmounted": "test_shared_folders.py",
    "folder-units": "tests/unit/doctor/test_folders.py",
    "folder-group": "tests/unit/doctor/test_folders.py",
    "folder-files": "tests/unit/doctor/test_folders.py",
    "folder-foreign-files": "tests/unit/doctor/test_folders.py",
    "folder-nobody": "tests/unit/doctor/test_folders.py",
}


def check(server, first: str = "true") -> tuple[int, list[dict]]:
    """Run the shell commands ``first``, then check; return its exit status and what it found."""
    result = server.sh(f"( set -e\n{first}\n) >/dev/null || exit 99\nftp-users check --json", check=False)
    assert result.stdout, f"{first}: {result.stderr}"
    assert "Traceback" not in result.stderr
    return result.returncode, json.loads(result.stdout)["findings"]


@pytest.fixture
def restored(server):
    """Put everything back afterwards; the last test of this file sees that it is."""
    server.sh(SAVE)
    yield server
    server.sh(RESTORE)


@pytest.mark.alike
def test_nothing_is_found_on_a_sound_server(server):
    assert check(server) == (0, [])
    result = server.sh("ftp-users check")
    assert "No problem found" in result.stdout


def test_only_root_may_examine(server):
    result = server.sh("setpriv --reuid nobody --clear-groups ftp-users check", check=False)
    assert result.returncode == EXIT_CODES["not_permitted"] and "run: sudo ftp-users check" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.spread
@pytest.mark.parametrize("case", [case.param for case in CASES])
def test_what_is_broken_is_found_and_the_fix_puts_it_right(restored, case):
    status, findings = check(restored, case.breakage)
    subjects = (restored.one_home and case.one_home) or case.subjects
    assert tuple(finding["subject"] for finding in findings) == subjects
    finding = findings[0]
    assert case.says in finding["what"]
    assert finding["why"] == KINDS[finding["subject"]].why
    assert status == (11 if any(finding["severity"] == "error" for finding in findings) else 10)
    if not case.runnable:
        assert finding["fix"]
        return
    # One finding's remedy may bring to light what it hid: a directory that was not there has no owner.
    for _round in range(3):
        _status, left = check(restored, f"{NO_QUESTIONS}\n{findings[0]['fix']}{case.answer}")
        assert finding["subject"] not in [other["subject"] for other in left], left
        findings = left
        if not findings:
            return
    raise AssertionError(findings)


def test_every_kind_of_finding_is_broken_for_real():
    assert {subject for case in CASES for subject in case.subjects} | set(NOT_BROKEN_HERE) == set(KINDS)


@pytest.mark.spread
def test_the_text_says_what_why_and_how(restored):
    restored.sh(f"chmod 0644 {DB}; systemctl disable --quiet vsftpd")
    result = restored.sh("ftp-users check", check=False)
    assert result.returncode == 11
    error, warning = result.stdout.index("ERROR database-exposed"), result.stdout.index("WARNING service-disabled")
    assert error < warning, "what is worse comes first"
    assert KINDS["database-exposed"].why in result.stdout
    assert f"chmod 0600 {DB}" in result.stdout


def test_the_server_is_sound_again(server):
    assert check(server) == (0, [])
