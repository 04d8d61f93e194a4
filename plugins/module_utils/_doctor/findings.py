# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Everything the doctor can find: how bad it is, why it matters, and the command that puts it right.

docs/ftp-users-check.md shows the same table.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted, visible

ERROR, WARNING = "error", "warning"
AGAIN = "then run ftp-users check again"

_FIXED = 50


class Finding(NamedTuple):
    """One thing that is wrong on this host.

    ``subject`` is stable, for programs: a key of KINDS. ``where`` is the path, unit, port or user it is about.
    ``fix`` is a shell command for root on this host; words in capitals are to be replaced.
    """

    severity: str
    subject: str
    what: str
    why: str
    fix: str
    where: str = ""


class Kind(NamedTuple):
    """What findings of one subject have in common; words in braces in ``fix`` are filled in, quoted for a shell."""

    severity: str
    means: str
    why: str
    fix: str


_EDIT_VSFTPD = '"${{EDITOR:-editor}}" {path} && systemctl restart {unit}'
_EDIT_SSHD = '"${{EDITOR:-editor}}" {path} && sshd -t && systemctl reload ssh'

KINDS: dict[str, Kind] = {
    # the server as a whole
    "server-missing": Kind(
        ERROR,
        "neither a configuration of vsftpd nor an SFTP jail is there",
        "Nobody can transfer files to this host.",
        "ansible-playbook -i INVENTORY secure_ftp.server.site",
    ),
    "not-examined": Kind(
        WARNING,
        "something could not be looked at",
        "What cannot be examined may be broken without anybody noticing.",
        "{command}",
    ),
    "library-missing": Kind(
        WARNING,
        "the Python binding of Berkeley DB is missing or too new",
        "Users log in as before, but nobody can be added, changed or removed.",
        "apt-get install --reinstall python3-bsddb3",
    ),
    "config-writable": Kind(
        ERROR,
        "a file or directory that decides who may log in can be changed by others than root",
        "Whoever can write it can let anybody in, with any rights.",
        "chown root:root {path} && chmod go-w {path}",
    ),
    # vsftpd
    "vsftpd-missing": Kind(
        ERROR,
        "vsftpd is configured but not installed",
        "Nobody can log in over FTPS.",
        "apt-get install --reinstall vsftpd && systemctl restart {unit}",
    ),
    "vsftpd-config": Kind(
        ERROR,
        "vsftpd does not accept its configuration, or cannot serve with it on this host",
        "Sessions fail, or the daemon does not come back from its next restart or boot.",
        _EDIT_VSFTPD,
    ),
    "guest-user-missing": Kind(
        ERROR,
        "the system user every FTPS session runs as does not exist",
        "Every FTPS log-in fails right after the password.",
        "useradd --system --no-create-home --home-dir /srv/ftp --shell /usr/sbin/nologin {group} {user}",
    ),
    "tls-not-forced": Kind(
        ERROR,
        "sessions without TLS are accepted",
        "Passwords and files cross the network readable by anybody on the way.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "anonymous-login": Kind(
        WARNING,
        "anybody may log in without a password",
        "Strangers can read, and perhaps write, what is meant for known users.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "ftps-jail-open": Kind(
        ERROR,
        "FTPS users are not locked into their directories",
        "Every user can read and change the files of all the others: they share one system user.",
        "sed -i {edits} {path} && systemctl restart {unit}",
    ),
    "passive-range-unset": Kind(
        ERROR,
        "passive ports are not limited to a range while UFW is active",
        "Clients log in, then every listing and transfer hangs: the firewall cannot know which port to let through.",
        "sed -i {edits} {path} && ufw allow 50000:50999/tcp && systemctl restart {unit}",
    ),
    "service-inactive": Kind(
        ERROR,
        "a service is not running",
        "Nobody can log in over its protocol.",
        "systemctl restart {unit} || journalctl --unit {unit} --lines 20 --no-pager",
    ),
    "service-disabled": Kind(
        WARNING,
        "a service is not started at boot",
        "After the next boot nobody can log in over its protocol.",
        "systemctl enable {unit}",
    ),
    "service-outdated": Kind(
        WARNING,
        "a service has not read its files since they changed",
        "It works with old settings or an old certificate, and what changes at the next restart comes as a surprise.",
        "systemctl daemon-reload && systemctl {verb} {unit}",
    ),
    "port-closed": Kind(
        ERROR,
        "the service does not listen on the port it is configured for",
        "Clients are refused, or talk to another program.",
        "ss -Hltnp 'sport = :{port}'; systemctl restart {unit}",
    ),
    # the certificate
    "certificate-unusable": Kind(
        ERROR,
        "the certificate or its key is missing, damaged or protected by a pass phrase",
        "vsftpd does not start with it, so its next restart or boot ends FTPS for everybody.",
        "install -m 0644 CERTIFICATE.pem {certificate} && install -m 0600 KEY.pem {key} && systemctl restart {units}",
    ),
    "certificate-key-mismatch": Kind(
        ERROR,
        "the certificate is not the one of the private key",
        "vsftpd does not start with them, so its next restart or boot ends FTPS for everybody.",
        "install -m 0644 CERTIFICATE.pem {certificate} && systemctl restart {units}",
    ),
    "certificate-expired": Kind(
        ERROR,
        "the certificate has expired",
        "Clients refuse to connect, or users learn to click warnings away.",
        "install -m 0644 RENEWED.pem {certificate} && systemctl restart {units}",
    ),
    "certificate-expires": Kind(
        WARNING,
        "the certificate expires in less than 30 days, or in the last third of a short life",
        "From that moment clients refuse to connect.",
        "install -m 0644 RENEWED.pem {certificate} && systemctl restart {units}",
    ),
    "certificate-not-yet-valid": Kind(
        ERROR,
        "the certificate begins in the future: the clock is wrong, or was when it was made",
        "Clients refuse to connect.",
        "date; openssl x509 -noout -dates -in {certificate}",
    ),
    "private-key-exposed": Kind(
        ERROR,
        "others than root can read or change the private key",
        "With it anybody can pose as this server and collect passwords.",
        "chown root:root {path} && chmod 0600 {path}",
    ),
    # PAM and the database
    "pam-missing": Kind(
        ERROR,
        "the PAM service of vsftpd does not exist",
        "PAM falls back to its service 'other': FTPS users cannot log in, and system users may try their passwords.",
        "printf '%s\\n' {lines} >{path} && chmod 0644 {path}",
    ),
    "pam-no-database": Kind(
        ERROR,
        "the PAM service of vsftpd reads no database of users",
        "FTPS users cannot log in; with other modules in it, others perhaps can.",
        "cp -p {path} {path}.$(date -u +%Y%m%dT%H%M%SZ)~ && printf '%s\\n' {lines} >{path} && chmod 0644 {path}",
    ),
    "pam-module-missing": Kind(
        ERROR,
        "the PAM module pam_userdb is missing",
        "Every FTPS log-in fails.",
        "apt-get install --reinstall libpam-modules",
    ),
    "pam-plaintext": Kind(
        ERROR,
        "PAM compares passwords as plaintext, although hashes are stored",
        "No FTPS user can log in, and whoever has seen a hash can log in with it.",
        "ftp-users hash-plaintext",
    ),
    "database-missing": Kind(
        ERROR,
        "the database of FTPS users is missing, although users have directories",
        "No FTPS user can log in.",
        "install -m 0600 BACKUP.db {path}",
    ),
    "database-damaged": Kind(
        ERROR,
        "the database of FTPS users cannot be read",
        "FTPS users cannot log in, and nobody can be added or changed.",
        "ftp-users repair",
    ),
    "database-link": Kind(
        WARNING,
        "the database of FTPS users is a symbolic link",
        "Log-ins work, but nobody can be added or changed: a change replaces the file, and must know the real one.",
        "ls -l {path}",
    ),
    "database-exposed": Kind(
        ERROR,
        "others than root can read or change the database of FTPS users",
        "Whoever reads it can try passwords against its hashes; whoever writes it can let anybody in.",
        "chown root:root {path} && chmod 0600 {path}",
    ),
    "plaintext-records": Kind(
        ERROR,
        "passwords are stored as plaintext",
        "Whoever gets at the database or a backup has them, and PAM with crypt=crypt refuses these users.",
        "ftp-users hash-plaintext",
    ),
    "plaintext-file": Kind(
        ERROR,
        "a text file beside the database holds names and passwords of its users",
        "Whoever gets at the file or a backup has the passwords; the database does not need it.",
        "shred -u -- {paths}",
    ),
    "user-name": Kind(
        ERROR,
        "a user name in the database points out of the directory of the users",
        "That user starts in somebody else's directory, or in the system's.",
        "ftp-users repair",
    ),
    # the directories of FTPS users
    "user-file-unusable": Kind(
        ERROR,
        "the file with the settings of one FTPS user is no regular file",
        "vsftpd refuses the log-in of that user.",
        "ls -l {path}",
    ),
    "ftps-root-unsafe": Kind(
        WARNING,
        "others than root can change a directory above those of the FTPS users",
        "Whoever can write it can put links or other directories in the place of the users' own.",
        "chown root:root {path} && chmod go-w {path}",
    ),
    "ftps-directory-missing": Kind(
        ERROR,
        "FTPS users have no directory",
        "Their log-in ends right after the password, which looks like a TLS fault to them.",
        "install -d -o {guest} -g {group} -m 0700 {paths}",
    ),
    "ftps-directory-owner": Kind(
        ERROR,
        "directories of FTPS users belong to somebody else",
        "Their users cannot enter or cannot upload, and the owner can read their files.",
        "chown {guest}:{group} {paths}",
    ),
    "ftps-directory-open": Kind(
        WARNING,
        "directories of FTPS users are open to other users of this host",
        "Local users may read or change what is in them.",
        "chmod 0700 {paths}",
    ),
    # sshd and the jail
    "sshd-config": Kind(
        ERROR,
        "sshd refuses its configuration",
        "At its next restart or boot nobody can log in over SSH or SFTP, you included. Keep this session open.",
        "sshd -t",
    ),
    "jail-missing": Kind(
        ERROR,
        "no Match block jails the group of the SFTP users",
        "They can read the whole file system of this host and forward ports into its network.",
        "printf '%s\\n' {lines} >>{path} && sshd -t && systemctl reload ssh",
    ),
    "jail-unsupported": Kind(
        WARNING,
        "the jail has another directory for each user",
        "sshd may be content, but ftp-users cannot manage such accounts and their directories were not examined.",
        "ansible-playbook -i INVENTORY secure_ftp.server.site --tags sshd_chroot",
    ),
    "jail-unsafe": Kind(
        ERROR,
        "the jail, or a directory above it, can be changed by others than root",
        "sshd closes every SFTP session right after the log-in (Broken pipe).",
        "chown root:root {path} && chmod go-w {path}",
    ),
    "jail-directory-missing": Kind(
        ERROR,
        "the directory of the jail does not exist",
        "sshd closes every SFTP session right after the log-in (Broken pipe).",
        "install -d -o root -g root -m 0711 {path}",
    ),
    "jail-open": Kind(
        ERROR,
        "sshd does not jail an SFTP user",
        "The user can leave the jail, read the file system of this host or run commands.",
        _EDIT_SSHD,
    ),
    "sftp-login-refused": Kind(
        ERROR,
        "sshd refuses an SFTP user in spite of a password or key",
        "The user cannot log in over SFTP.",
        _EDIT_SSHD,
    ),
    "jail-doors": Kind(
        WARNING,
        "an SFTP user may do more than transfer files",
        "Forwarded ports reach the network behind this host with its address.",
        _EDIT_SSHD,
    ),
    # SFTP accounts
    "sftp-home-missing": Kind(
        ERROR,
        "SFTP users have no home",
        "They log in to the top of the jail, where they can store nothing.",
        "install -d -o {user} -g {group} -m 0700 {path}",
    ),
    "sftp-home-owner": Kind(
        ERROR,
        "homes of SFTP users belong to somebody else",
        "Their users cannot upload, and the owner can read their files.",
        "chown {user}:{group} {path}",
    ),
    "sftp-home-open": Kind(
        WARNING,
        "homes of SFTP users are open to others",
        "SFTP users share one jail: only the mode of their homes keeps them out of each other's files.",
        "chmod 0700 {paths}",
    ),
    "sftp-home-left": Kind(
        ERROR,
        "the home of a user who is gone is still open to a user id",
        "Whoever gets the user id next, by useradd or any package, reads the files.",
        "chown root:root {paths} && chmod 0700 {paths}",
    ),
    "account-pending": Kind(
        ERROR,
        "accounts were made but never got their password",
        "Their users cannot log in: the run that made them was cut short.",
        "ftp-users passwd {user}",
    ),
    "account-expires": Kind(
        WARNING,
        "the account of an SFTP user has expired, or does so within 14 days",
        "From that day on sshd refuses the user's password and keys; FTPS does not look at it.",
        "chage --expiredate -1 {user}",
    ),
    "half-locked": Kind(
        ERROR,
        "users are locked on one protocol but not on the other",
        "Somebody who is to be kept out still gets in: a lock or unlock was cut short, or made by other means.",
        "ftp-users lock {user}",
    ),
    "account-home": Kind(
        ERROR,
        "an SFTP user, or the system user of FTPS, can write the home that passwd names",
        "Programs outside the jail obey files of that directory: systemd --user starts units, a mail server pipes,"
        " cron and sshd read it. The user can run commands on the host.",
        "usermod --home /nonexistent {user}",
    ),
    "account-outside": Kind(
        ERROR,
        "something runs outside the jail for an SFTP user: lingering, a crontab or a job of at",
        "SFTP users are to transfer files and nothing else.",
        "loginctl disable-linger {user}",
    ),
    "account-privileged": Kind(
        ERROR,
        "an account with rights on the host is a member of the SFTP group",
        "It is not managed, and its keys and password open more than the jail.",
        "gpasswd -d {user} {group}",
    ),
    "subsystem-internal": Kind(
        WARNING,
        "`Subsystem sftp internal-sftp` serves accounts outside the jail that have no shell",
        "The stock sftp-server is started through the shell, so nologin keeps such accounts out; internal-sftp lets"
        " them read and write the whole file system.",
        _EDIT_SSHD,
    ),
    "account-shell": Kind(
        WARNING,
        "SFTP users have a log-in shell",
        "On the console, by su or where a service asks for system passwords they are ordinary users.",
        "usermod --shell /usr/sbin/nologin {user}",
    ),
    "key-file-unsafe": Kind(
        ERROR,
        "files of public keys have a wrong owner or mode",
        "sshd ignores keys it cannot read or others can write; whoever owns the file can add keys.",
        "chown root:root {paths} && chmod 0644 {paths}",
    ),
    "key-file-orphan": Kind(
        WARNING,
        "files of public keys without an account",
        "Whoever holds such a key gets in as soon as an account of that name is made by other means than ftp-users.",
        "rm -f -- {paths}",
    ),
    # the host around it
    "firewall-port-closed": Kind(
        ERROR,
        "UFW is active and shuts a port that is needed",
        "Clients cannot connect; with the passive range shut they log in and every listing hangs.",
        "ufw allow {ports}/tcp",
    ),
    "clock-unsynchronised": Kind(
        WARNING,
        "the clock of the host is not synchronised",
        "Once it is wrong, certificates look expired or not yet valid, and logs cannot be compared.",
        "apt-get install systemd-timesyncd && timedatectl set-ntp true",
    ),
    "disk-full": Kind(
        ERROR,
        "less than one per cent of the space or of the inodes of a file system is left",
        "Uploads break off, and passwords cannot be changed.",
        "du -xh --max-depth=2 {path} | sort -h | tail -20",
    ),
    "leftover-files": Kind(
        WARNING,
        "temporary files of runs that were killed",
        "They hold copies of hashes or of settings that no backup or removal knows of.",
        "rm -f -- {paths}",
    ),
}
"""Every subject a Finding can have."""


def found(subject: str, what: str, where: str = "", fix: str | None = None, **words: object) -> Finding:
    """Make a finding; ``words`` fill in the fix of its kind, a list as several words, unless ``fix`` is given."""
    kind = KINDS[subject]
    command = kind.fix.format(**{name: quoted(value) for name, value in words.items()}) if fix is None else fix
    return Finding(kind.severity, subject, visible(what), kind.why, visible(command), visible(where))


def first(items: Sequence[str]) -> tuple[list[str], str]:
    """So many of ``items`` as a command should name, and a shell comment when that is not all."""
    if len(items) <= _FIXED:
        return list(items), ""
    return list(items[:_FIXED]), f"  # the first {_FIXED} of {len(items)}; {AGAIN}"


def chained(commands: Iterable[str]) -> str:
    """One command line that runs each of ``commands`` when those before it succeeded, as far as a line should go."""
    shown, comment = first(list(commands))
    return " && ".join(shown) + comment
