# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vsftpd does not say, and how it is asked for what it does say."""

from __future__ import annotations

import stat

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_check import (
    ask_vsftpd,
    check_host,
    check_values,
    needs_restart,
)

GOOD = {
    "listen": "YES",
    "anonymous_enable": "NO",
    "local_enable": "YES",
    "local_umask": "077",
    "pasv_min_port": "50000",
    "pasv_max_port": "50999",
}


def test_a_good_configuration_passes():
    check_values(GOOD)
    check_values({**GOOD, "pasv_min_port": "0", "pasv_max_port": "0", "pasv_address": "203.0.113.7"})  # in a laboratory


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"listen_ipv6": "yes"}, "both YES"),
        ({"listen": "NO", "listen_ipv6": "YES", "pasv_address": "8.8.8.8"}, "announces 0.0.0.0 instead"),
        ({"pasv_min_port": "50999", "pasv_max_port": "50000"}, "pasv_min_port <= pasv_max_port"),
        ({"pasv_min_port": "80"}, "1024 <= pasv_min_port"),
        ({"pasv_max_port": "70000"}, "<= 65535"),
        ({"pasv_min_port": "0"}, "1024 <= pasv_min_port"),
        ({"listen_port": "50500"}, "inside the passive range"),
        ({"listen_port": "0"}, "port from 1 to 65535"),
        ({"listen_port": "65536"}, "port from 1 to 65535"),
        ({"listen_port": "twenty-one"}, "listen_port: expected a number"),
        ({"listen_port": "021"}, "without leading zeros"),
        ({"max_per_ip": "-1"}, "max_per_ip: expected a number"),
        ({"idle_session_timeout": "4294967296"}, "idle_session_timeout: expected a number"),
        ({"local_umask": "63"}, "octal"),
        ({"local_umask": "088"}, "octal"),
        ({"pasv_address": "0.0.0.0"}, "nobody can connect"),
        ({"pasv_address": "ftp.example.org"}, "expected an IPv4 address"),
        ({"listen_address": "::1"}, "listen_address: expected an IPv4"),
        ({"listen_address6": "127.0.0.1"}, "listen_address6: expected an IPv6"),
        ({"local_enable": "NO"}, "nobody could log in"),
        ({"one_process_model": "YES"}, "one_process_model"),
        ({"ftp_enable": "NO"}, "ftp_enable"),
        ({"implicit_ssl": "YES"}, "needs ssl_enable"),
    ],
)
def test_each_contradiction_is_named(change, complaint):
    with pytest.raises(SecureFtpError, match=complaint):
        check_values({**GOOD, **change})


def test_every_finding_is_reported_at_once():
    with pytest.raises(SecureFtpError, match="listen_ipv6.*pasv_address"):
        check_values({**GOOD, "listen_ipv6": "YES", "pasv_address": "0.0.0.0"})


def host_options(tmp_path, **more):
    (tmp_path / "empty").mkdir(exist_ok=True)
    root = tmp_path / "vftp"
    root.mkdir(exist_ok=True)
    return {
        "anonymous_enable": "NO",
        "nopriv_user": "root",
        "guest_enable": "YES",
        "guest_username": "root",
        "secure_chroot_dir": str(tmp_path / "empty"),
        "local_root": f"{root}/$USER",
        "user_sub_token": "$USER",
        **more,
    }


def test_a_host_with_everything_passes(tmp_path):
    assert check_host(host_options(tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"guest_username": "no-such-user"}, "guest_username: user 'no-such-user' does not exist"),
        ({"nopriv_user": "no-such-user"}, "nopriv_user"),
        ({"secure_chroot_dir": "/no/such"}, "secure_chroot_dir: /no/such"),
        ({"local_root": "/no/such/$USER/in"}, "local_root: /no/such: "),
        ({"user_config_dir": "/no/such"}, "user_config_dir"),
        ({"banner_file": "/no/such"}, "banner_file"),
        ({"userlist_enable": "YES", "userlist_file": "/no/such"}, "userlist_file"),
        ({"xferlog_enable": "YES", "vsftpd_log_file": "/no/such/log"}, "vsftpd_log_file: /no/such: "),
        ({"ssl_enable": "YES", "rsa_cert_file": "/no/such"}, "rsa_cert_file"),
    ],
)
def test_what_a_host_lacks_fails_the_run_and_is_only_told_in_check_mode(tmp_path, change, complaint):
    options = host_options(tmp_path, **change)
    with pytest.raises(SecureFtpError, match=complaint):
        check_host(options)
    (absent,) = check_host(options, check_mode=True)
    assert complaint.rstrip(" ") in absent


def test_a_file_where_a_directory_is_meant_fails_in_check_mode_too(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SecureFtpError, match="expected a directory"):
        check_host(host_options(tmp_path, secure_chroot_dir=str(tmp_path / "file")), check_mode=True)


def test_a_private_key_everybody_can_read_is_refused(tmp_path):
    key = tmp_path / "key"
    key.write_text("")
    key.chmod(0o644)
    options = host_options(tmp_path, ssl_enable="YES", rsa_private_key_file=str(key))
    with pytest.raises(SecureFtpError, match="0644 lets everybody"):
        check_host(options)
    key.chmod(0o640)
    check_host(options)


def fake_vsftpd(tmp_path, script):
    path = tmp_path / "vsftpd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_vsftpd_is_asked_without_a_socket_and_answers_on_descriptor_0(tmp_path):
    good = "echo '500 OOPS: vsftpd: not configured for standalone, must be started from inetd' >&0; exit 2"
    check = f'grep -q ^listen=YES "$1" && [ "$2 $3" = "-olisten=NO -olisten_ipv6=NO" ] && {good}'
    ask_vsftpd(fake_vsftpd(tmp_path, check), {"listen": "YES"}, "listen=YES\n")


def test_the_message_of_vsftpd_is_passed_on(tmp_path):
    binary = fake_vsftpd(tmp_path, "echo '500 OOPS: unrecognised variable in config file: bogus' >&0; exit 2")
    with pytest.raises(
        SecureFtpError, match="refuses.*: unrecognised variable in config file: bogus; the old one stays"
    ):
        ask_vsftpd(binary, {}, "bogus=1\n")


def test_a_silent_or_hanging_vsftpd_is_an_error(tmp_path):
    with pytest.raises(SecureFtpError, match="without a message"):
        ask_vsftpd(fake_vsftpd(tmp_path, "exit 0"), {}, "")
    with pytest.raises(SecureFtpError, match="to end within 1 s, found it still running"):
        ask_vsftpd(fake_vsftpd(tmp_path, "exec sleep 30"), {}, "", timeout=1)
    with pytest.raises(SecureFtpError, match="missing: expected this program, found none"):
        ask_vsftpd(str(tmp_path / "missing"), {}, "")


def test_the_reason_a_certificate_is_not_taken_is_added(tmp_path):
    (tmp_path / "crt").write_text("no certificate")
    binary = fake_vsftpd(tmp_path, "echo '500 OOPS: SSL: cannot load RSA certificate' >&0; exit 2")
    options = {"ssl_enable": "YES", "rsa_cert_file": str(tmp_path / "crt")}
    with pytest.raises(SecureFtpError, match=rf"cannot load RSA certificate \({tmp_path}/crt: .*\)"):
        ask_vsftpd(binary, options, "")


@pytest.mark.parametrize(
    ("name", "restart"),
    [
        ("listen_port", True),
        ("ssl_ciphers", True),
        ("rsa_cert_file", True),
        ("require_ssl_reuse", True),
        ("max_per_ip", False),
        ("pasv_max_port", False),
        ("implicit_ssl", False),
    ],
)
def test_the_socket_and_tls_need_a_restart(name, restart):
    assert needs_restart(name) is restart
