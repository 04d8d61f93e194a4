"""A host that has nothing yet is nobody's server to take over."""

from __future__ import annotations


def test_the_package_as_it_comes_is_asked_nothing(host):
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq install vsftpd >/dev/null 2>&1; test -e /etc/vsftpd.conf")
    done = host.preflight({"ftp_users": [{"name": "newone", "password": "New-one-12345"}]})
    assert done.returncode == 0, done.stdout


def test_a_bare_host_is_asked_nothing_and_check_mode_tells_what_would_be_done_and_does_nothing(host):
    users = {"ftp_users": [{"name": "newone", "password": "New-one-12345"}]}
    done = host.play(users, "--check", "--diff", "--tags=vsftpd,pam_userdb")
    assert done.returncode == 0 and "would install vsftpd" in done.stdout, done.stdout
    assert host.sh("ls -d /etc/vsftpd* /etc/systemd/system/vsftpd* /etc/systemd/system/secure*", check=False).returncode
