# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs outside the jail make of the files that an SFTP user uploads: nothing."""

from __future__ import annotations

import pytest
from conftest import SFTP_JAIL, wait_until
from test_sftp import options

SERVICE = "[Service]\nType=oneshot\nExecStart=/bin/touch /tmp/escaped-by-systemd\n"


@pytest.fixture
def planted(server, client, key_file):
    """Files that systemd --user and a mail server obey in the home of an ordinary user, uploaded by alfred."""
    client.ask("banner", host=server.address)
    sftp = f"sftp -i {key_file} -o IdentitiesOnly=yes {options(server)} -b - alfred@{server.address}"
    client.sh(f"""set -e; cd {server.directory}
cat >escape.service <<'END'
{SERVICE}END
printf '|/bin/touch /tmp/escaped-by-mail\\n' >escape.forward
{sftp} <<'END'
mkdir .config
mkdir .config/systemd
mkdir .config/systemd/user
mkdir .config/systemd/user/default.target.wants
put escape.service .config/systemd/user/escape.service
ln -s ../escape.service .config/systemd/user/default.target.wants/escape.service
put escape.forward .forward
END
""")
    yield sftp
    server.sh(f"rm -rf {SFTP_JAIL}/alfred/.config {SFTP_JAIL}/alfred/.forward; rm -f /tmp/escaped-*")


def test_the_user_manager_of_an_sftp_user_starts_none_of_his_units(server, client, planted):
    manager = f"user@{server.sh('id -u alfred').stdout.strip()}"

    def is_active() -> bool:
        return server.sh(f"systemctl is-active {manager}", check=False).returncode == 0

    wait_until(lambda: not is_active(), 30)  # the one of the log-in that uploaded
    # The session must live until the manager is up, which means that its default.target is reached.
    up = f"{server.directory}/up"
    client.sh(
        f"rm -f {up}; {{ {{ until [ -e {up} ]; do sleep 0.1; done; echo pwd; }} | {planted}; }} >/dev/null 2>&1 &"
    )
    try:
        wait_until(is_active, 30)
    finally:
        client.sh(f"touch {up}")
    assert server.sh("ls /tmp").stdout.count("escaped-by-systemd") == 0


def test_a_mail_server_pipes_mail_of_an_sftp_user_nowhere(server, planted):
    if not server.host.file("/usr/sbin/exim4").exists:
        pytest.skip("no mail server on this platform")
    server.sh("printf 'Subject: hello\\n\\nhello\\n' | /usr/sbin/sendmail alfred")
    # It looks for the home first, finds none, and tries again later.
    wait_until(
        lambda: "alfred" in server.sh("grep -E '(==|=>|\\*\\*) alfred' /var/log/exim4/mainlog", check=False).stdout,
        30,
    )
    assert server.sh("ls /tmp").stdout.count("escaped-by-mail") == 0


@pytest.mark.parametrize("user", ["batman", "alfred"])
def test_an_sftp_user_has_a_home_that_nobody_can_write(server, user):
    """vsftpd enters the passwd home of the account as which a session runs, so it must be there with one home."""
    assert server.host.user(user).home == ("/" if server.one_home else "/nonexistent")
    assert not server.host.file("/nonexistent").exists
