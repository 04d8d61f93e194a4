# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a finished server: what a look inside shows."""

from __future__ import annotations

import pytest
from conftest import CONTROL_PORTS, PASSIVE_PORTS, PASSWORDS, SFTP_JAIL, platform_of


def vsftpd_settings(server) -> dict[str, str]:
    """The live vsftpd.conf."""
    lines = server.host.file("/etc/vsftpd.conf").content_string.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_services_listen_and_start_at_boot(server):
    listening = server.sh("ss -Htlnp").stdout
    for port, process in ((21, "vsftpd"), (990, "vsftpd"), (22, "sshd")):
        assert any(f":{port} " in line and f'"{process}"' in line for line in listening.splitlines()), port
    for unit in ("vsftpd", "ssh"):
        assert server.host.service(unit).is_enabled
    pids = server.sh("pgrep -x vsftpd -P 1").stdout.split()
    assert len(pids) == len(CONTROL_PORTS)
    units = {server.sh(f"ps -o unit= -p {pid}").stdout.strip() for pid in pids}
    assert len(units) == len(CONTROL_PORTS), "each TLS mode is a unit of its own"
    for unit in units:
        assert server.sh(f"systemctl is-enabled {unit}").stdout.strip() == "enabled"
    failed = server.sh("systemctl --failed --no-legend --plain").stdout
    assert not [line for line in failed.splitlines() if line.startswith(("vsftpd", "ssh", "ufw", "logrotate"))]


@pytest.mark.alike
def test_a_new_server_has_one_home_for_each_user_unless_it_is_to_have_two(server):
    """The inventory (tests/containers/molecule) gives one platform ``ftp_users_home: per_protocol``, others nothing."""
    assert server.one_home == (platform_of(server.name) != "debian11")
    assert server.host.file("/home/vftp").exists != server.one_home


@pytest.mark.alike
def test_vsftpd_settings_that_keep_the_server_safe(server):
    settings = vsftpd_settings(server)
    wanted = {
        "anonymous_enable": "NO",
        "guest_enable": "YES",
        "guest_username": "ftp",
        "chroot_local_user": "YES",
        "local_umask": "077",
        "hide_ids": "YES",
        "max_per_ip": "20",
        "pasv_min_port": str(PASSIVE_PORTS[0]),
        "pasv_max_port": str(PASSIVE_PORTS[-1]),
        "ssl_enable": "YES",
        "force_local_data_ssl": "YES",
        "force_local_logins_ssl": "YES",
        "ssl_sslv2": "NO",
        "ssl_sslv3": "NO",
        "pam_service_name": "vsftpd.virtual",
    }
    assert {key: settings.get(key) for key in wanted} == wanted
    assert settings.get("pasv_promiscuous", "NO") == "NO"
    assert settings.get("pasv_address", "") != "0.0.0.0"


@pytest.mark.alike
def test_owners_and_modes(server):
    wanted = {
        **({} if server.one_home else {server.ftps_root: "root 555"}),
        **{server.ftps_home(name): f"{server.ftps_owner(name)} 700" for name in ("batman", "robin", "oracle")},
        SFTP_JAIL: "root 711",
        f"{SFTP_JAIL}/batman": "batman 700",
        f"{SFTP_JAIL}/robin": "robin 700",
        f"{SFTP_JAIL}/alfred": "alfred 700",
        "/etc/vsftpd/users.db": "root 600",
        "/etc/ssh/sftponly_keys": "root 755",
    }
    found = server.sh(f"stat -c '%n %U %a' {' '.join(wanted)}").stdout.splitlines()
    assert dict(line.split(" ", 1) for line in found) == wanted


def test_the_private_key_is_private(server):
    settings = vsftpd_settings(server)
    key = settings.get("rsa_private_key_file", settings["rsa_cert_file"])
    file = server.host.file(key)
    assert (file.user, oct(file.mode & 0o077)) == ("root", "0o0")


@pytest.mark.alike
def test_pam_reads_hashes_from_the_database(server):
    lines = [line.split() for line in server.host.file("/etc/pam.d/vsftpd.virtual").content_string.splitlines() if line]
    auth = [line for line in lines if line[0] == "auth" and "pam_userdb.so" in line]
    assert len(auth) == 1
    assert "crypt=crypt" in auth[0] and "db=/etc/vsftpd/users" in auth[0]


@pytest.mark.alike
def test_accounts_have_no_shell_and_only_members_are_jailed(server):
    members = server.sh("getent group sftponly").stdout.strip().split(":")[3].split(",")
    gid = server.sh("getent group sftponly").stdout.split(":")[2]
    primary = [
        line.split(":")[0] for line in server.sh("getent passwd").stdout.splitlines() if line.split(":")[3] == gid
    ]
    everybody = ["alfred", "batman", *(["oracle"] if server.one_home else []), "robin"]
    assert sorted({*members, *primary} - {""}) == everybody
    for name in everybody:
        assert server.host.user(name).shell.endswith(("nologin", "/false"))
    assert server.sh("getent shadow alfred").stdout.split(":")[1][:1] in ("!", "*"), "a key-only user has no password"


def test_no_password_is_stored_or_logged_in_the_clear(server):
    """The transfers of the other tests and the run of the playbook left no password behind."""
    for user, password in PASSWORDS.items():
        found = server.sh(
            f"grep -rlaF --exclude-dir=proc -- '{password}' /etc /var/log /root /tmp /run/log 2>/dev/null", check=False
        )
        assert found.stdout == "", f"password of {user}"
        journal = server.sh(f"journalctl --no-pager | grep -cF -- '{password}'", check=False)
        assert journal.stdout.strip() == "0", f"password of {user}"
    control = server.sh("grep -rlaF -- pam_userdb.so /etc").stdout
    assert "/etc/pam.d/vsftpd.virtual" in control, "the search finds what is there"


def test_transfers_are_logged_and_the_log_is_rotated(server, client):
    client.ask("ftps_cycle", login=server.ftps("oracle"))
    assert "[oracle]" in server.host.file("/var/log/vsftpd.log").content_string
    rotation = server.sh("grep -l /var/log/vsftpd /etc/logrotate.d/*").stdout.split()
    assert rotation
    assert server.host.file("/var/log/vsftpd.log").mode & 0o007 == 0
