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
    assert "/home/vftp" in done.stdout, "a part without the jail starts nobody in it"
    assert host.sh("ls -d /etc/vsftpd* /etc/systemd/system/vsftpd* /etc/systemd/system/secure*", check=False).returncode


def test_check_mode_of_the_whole_server_tells_of_one_home_and_rights(host):
    """Users with rights of both protocols, and one of FTPS only, who would get an account and a shared folder."""
    users = [
        {"name": "newone", "password": "New-one-12345", "access": "read_only", "expires": "2099-01-31"},
        {"name": "onlyftps", "password": "New-one-12345", "protocols": ["ftps"], "umask": "0077"},
    ]
    variables = {"ftp_users": users, "ftp_shared_folders": [{"name": "common", "members": ["onlyftps"]}]}
    told = host.play(variables, "--check", "--diff")
    assert told.returncode == 0, told.stdout
    assert "+onlyftps: account without log-in by SFTP" in told.stdout and "/home/vftp" not in told.stdout
    assert host.sh("getent passwd newone onlyftps; ls /home", check=False).stdout == ""
