# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server made by hand as tutorials say: vsftpd with pam_userdb, passwords in the clear, a user with own settings."""

from __future__ import annotations

from bare import Container

CONF = """\
listen=YES
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
guest_enable=YES
guest_username=virtual
virtual_use_local_privs=YES
pam_service_name=vsftpd.virtual
user_sub_token=$USER
local_root=/home/vsftpd/$USER
user_config_dir=/etc/vsftpd/vsftpd_user_conf
chroot_local_user=YES
allow_writeable_chroot=YES
hide_ids=YES
pasv_min_port=40000
pasv_max_port=40100
ssl_enable=YES
rsa_cert_file=/etc/ssl/private/vsftpd.pem
rsa_private_key_file=/etc/ssl/private/vsftpd.pem
force_local_data_ssl=YES
force_local_logins_ssl=YES
require_ssl_reuse=NO
secure_chroot_dir=/var/run/vsftpd/empty
"""
PAM = """\
#%PAM-1.0
auth       required     pam_userdb.so db=/etc/vsftpd/vsftpd-virtual-user
account    required     pam_userdb.so db=/etc/vsftpd/vsftpd-virtual-user
session    required     pam_loginuid.so
"""
SETUP = r"""
set -e
DEBIAN_FRONTEND=noninteractive apt-get -qq install vsftpd >/dev/null 2>&1
useradd -r -d /home/vsftpd -s /usr/sbin/nologin virtual
mkdir -p /etc/vsftpd/vsftpd_user_conf /home/vsftpd/bob /srv/www/site1
echo b >/home/vsftpd/bob/bobs-file.txt; echo s >/srv/www/site1/index.html
chown -R virtual: /home/vsftpd/bob /srv/www/site1
printf 'local_root=/srv/www/site1\nwrite_enable=NO\n' >/etc/vsftpd/vsftpd_user_conf/sue
printf 'bob\nBob-pass-1\nsue\nSue-pass-1\n' >/etc/vsftpd/logins.txt
db_load -T -t hash -f /etc/vsftpd/logins.txt /etc/vsftpd/vsftpd-virtual-user.db
chmod 600 /etc/vsftpd/*.db /etc/vsftpd/logins.txt
openssl req -x509 -newkey rsa:2048 -nodes -keyout /etc/ssl/private/vsftpd.pem -out /tmp/vsftpd.crt -subj /CN=old \
    -days 300 2>/dev/null
cat /tmp/vsftpd.crt >>/etc/ssl/private/vsftpd.pem; chmod 600 /etc/ssl/private/vsftpd.pem
"""
START = "systemctl restart vsftpd && until ss -Hltn 'sport = :21' | grep -q .; do sleep 0.1; done"


def build(host: Container) -> None:
    """Make it on a bare ``host`` and start it; bob (Bob-pass-1) and sue (Sue-pass-1) can log in."""
    host.sh(SETUP)
    host.copy(CONF, "/etc/vsftpd.conf")
    host.copy(PAM, "/etc/pam.d/vsftpd.virtual")
    host.sh(START)
