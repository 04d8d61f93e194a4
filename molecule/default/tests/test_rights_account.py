# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account of a user says about the user, with real tools and real clients."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import KEY_FILE, PASSWORDS, run_module

NAME = "selene"
PASSWORD = "nine-Lives and 1 more"


def users(server, *words: str, stdin: str = "") -> dict:
    line = " ".join(map(shlex.quote, ("ftp-users", *words, "--json")))
    return json.loads(server.sh(f"printf %s {shlex.quote(stdin)} | {line}").stdout)


def add(server, *words: str) -> dict:
    key = Path(f"{KEY_FILE}.pub").read_text(encoding="ascii").strip()
    return users(server, "add", NAME, "--password-stdin", "--key", key, *words, stdin=PASSWORD)


@pytest.fixture(autouse=True)
def selene(server, monkeypatch):
    """Let the helpers log the user in, and leave nothing of the user behind."""
    monkeypatch.setitem(PASSWORDS, NAME, PASSWORD)
    remove = f"ftp-users del {NAME} --remove-home >/dev/null 2>&1; true"
    server.sh(remove)
    yield
    server.sh(remove)


COMMENT = 'Jörg "100 %" \\ Müller, bruce@example.net'


@pytest.mark.alike
def test_a_comment_is_the_one_of_the_account(server):
    assert add(server, "--comment", COMMENT)["user"]["comment"] == COMMENT
    passwd = f"getent passwd {NAME} | cut -d: -f5"
    assert server.sh(passwd).stdout.strip() == COMMENT
    assert not users(server, "edit", NAME, "--comment", COMMENT)["changed"]
    assert users(server, "edit", NAME, "--comment", "Selina, Kyle")["changed"]
    assert server.sh(passwd).stdout.strip() == "Selina, Kyle"
    server.sh(f"chfn -f 'Selina Kyle' -r 12 {NAME} || usermod -c 'Selina Kyle,12,,' {NAME}")
    assert users(server, "show", NAME)["user"]["comment"] == "Selina Kyle,12"
    assert not users(server, "edit", NAME, "--comment", "Selina Kyle,12")["changed"]
    assert users(server, "edit", NAME, "--comment", "")["user"]["comment"] == ""
    assert server.sh(passwd).stdout.strip() == ""


@pytest.mark.spread
def test_the_module_and_an_import_give_comments(server, tmp_path):
    add(server)
    options = {"name": NAME, "comment": COMMENT}
    first, second = (run_module(server, "ftp_user", options, PASSWORD, tmp_path) for _time in range(2))
    assert "CHANGED" in first and "CHANGED" not in second
    server.sh(f"ftp-users export --hashes | grep -e ^name -e ^{NAME} >/root/selene.csv; ftp-users del {NAME}")
    server.sh("ftp-users import --yes /root/selene.csv; rm /root/selene.csv")
    assert users(server, "show", NAME)["user"]["comment"] == COMMENT


def granted(server, key_file, tls: str = "explicit") -> list[bool]:
    """Whether the user may log in by FTPS, and by SFTP with the password and with the key."""
    by_password = server.ftps_login(NAME, PASSWORD, tls)["granted"]
    return [by_password, server.sftp_login(NAME)["granted"], server.sftp_login(NAME, key_file=key_file)["granted"]]


def day(server, days: int) -> str:
    return server.sh(f"date -u -d '{days} days' +%F").stdout.strip()


@pytest.mark.alike
def test_an_expiry_ends_log_ins_by_every_way(server, key_file):
    add(server, "--expires", "2099-01-31")
    for days, may in ((1, True), (0, False), (-1, False)):
        assert users(server, "edit", NAME, "--expires", day(server, days))["changed"]
        assert granted(server, key_file) == [may] * 3, days
    assert not server.ftps_login(NAME, PASSWORD, "implicit")["granted"]
    shown = server.sh(f"ftp-users list; ftp-users show {NAME}; ftp-users check; true").stdout
    assert f"{NAME}  " in shown and "expired" in shown and "account-expires" in shown
    assert users(server, "edit", NAME, "--expires", "never")["user"]["expires"] == "never"
    assert granted(server, key_file) == [True] * 3
    assert server.ftps_login(NAME, PASSWORD, "implicit")["granted"]


@pytest.mark.spread
def test_a_lock_and_an_expiry_keep_apart(server, key_file):
    add(server, "--expires", "2099-01-31", "--locked")
    assert granted(server, key_file) == [False] * 3
    assert users(server, "edit", NAME, "--expires", "2099-02-28")["user"]["locked"]
    assert users(server, "unlock", NAME)["user"]["expires"] == "2099-02-28"
    assert granted(server, key_file) == [True] * 3
    assert server.sh(f"chage -l {NAME} | grep ^Account").stdout.rstrip().endswith(": Feb 28, 2099")
    users(server, "edit", NAME, "--expires", "2020-01-31")
    users(server, "lock", NAME)
    users(server, "unlock", NAME)
    assert granted(server, key_file) == [False] * 3


@pytest.mark.spread
def test_the_module_takes_a_date(server, tmp_path):
    add(server)
    for value, changed in (("2099-01-31", True), ("2099-01-31", False), ("never", True)):
        said = run_module(server, "ftp_user", {"name": NAME, "expires": value}, PASSWORD, tmp_path)
        assert ("CHANGED" in said) == changed


@pytest.mark.two_homes
def test_ftps_alone_has_no_account_for_a_date(server):
    add(server)
    refused = server.sh(f"ftp-users edit {NAME} --protocol ftps --expires 2099-01-31", check=False)
    assert refused.returncode != 0 and "expected an account, which expires is stored in" in refused.stderr
    users(server, "edit", NAME, "--expires", "2020-01-31")
    refused = server.sh(f"ftp-users edit {NAME} --protocol ftps", check=False)
    assert refused.returncode != 0 and not server.ftps_login(NAME, PASSWORD)["granted"], "the limit is not lost"


@pytest.mark.spread
def test_a_service_made_by_hand_learns_to_obey(server, key_file):
    service = server.sh("grep -l pam_userdb /etc/pam.d/*").stdout.split()[0]
    add(server)
    server.sh(f"cp -p {service} /root/service; sed -i '/BEGIN secure_ftp/,/END secure_ftp/d; 2d' {service}")
    by_hand = server.sh(f"cat {service}").stdout
    try:
        assert not users(server, "show", NAME)["user"]["ftps"]["obeys_account"]
        server.sh(f"chage --expiredate 2020-01-31 {NAME}")
        assert granted(server, key_file) == [True, False, False]
        assert "account-ignored" in server.sh("ftp-users check", check=False).stdout
        assert users(server, "edit", NAME, "--expires", "2020-01-31")["user"]["ftps"]["obeys_account"]
        assert granted(server, key_file) == [False] * 3
        copy = server.sh(f"ls {service}.*~").stdout.split()
        assert server.sh(f"cat {copy[-1]}").stdout == by_hand
        assert "account-ignored" not in server.sh("ftp-users check", check=False).stdout
    finally:
        server.sh(f"mv /root/service {service}; rm -f {service}.*~")


@pytest.mark.one_home
def test_who_only_uses_ftps_has_limits_too(server):
    users(server, "add", NAME, "--password-stdin", "--protocol", "ftps", stdin=PASSWORD)
    users(
        server,
        "edit",
        NAME,
        "--comment",
        "Kyle, 1",
        "--expires",
        "2099-01-31",
        "--allowed-sources",
        "0.0.0.0/1,128.0.0.0/1",
    )
    assert server.sh(f"getent passwd {NAME} | cut -d: -f5").stdout.strip() == "Kyle, 1"
    assert server.ftps_login(NAME, PASSWORD)["granted"]
    for limit, none in (
        (("--expires", "2020-01-31"), ("--expires", "never")),
        (("--allowed-sources", "192.0.2.1"), ("--allowed-sources", "")),
    ):
        users(server, "edit", NAME, *limit)
        assert not server.ftps_login(NAME, PASSWORD)["granted"]
        users(server, "edit", NAME, *none)
        assert server.ftps_login(NAME, PASSWORD)["granted"]
    shown = users(server, "show", NAME)["user"]
    found = [shown[name] for name in ("protocols", "comment", "expires", "allowed_sources")]
    assert found == [["ftps"], "Kyle, 1", "never", []]
    assert "account-ignored" not in server.sh("ftp-users check", check=False).stdout


@pytest.mark.two_homes
def test_a_system_account_with_the_name_of_a_user_is_no_concern_of_ftps(server):
    """An administrator's account outside the jail may have expired: the user of FTPS is somebody else."""
    server.sh(f"useradd -M -s /usr/sbin/nologin -e 2020-01-31 {NAME}")
    try:
        users(server, "add", NAME, "--password-stdin", "--protocol", "ftps", stdin=PASSWORD)
        assert server.ftps_login(NAME, PASSWORD)["granted"]
    finally:
        server.sh(f"ftp-users del {NAME} --remove-home; userdel {NAME}", check=False)


# --- sources -------------------------------------------------------------------------------------------------------

ACCESS_FILE = "/etc/security/secure-ftp-access.conf"
SSHD_SERVICE = "/etc/pam.d/sshd"


@pytest.fixture
def from_there(server, client):
    """Let the client log in from another address: ``from_there(True)``.

    All servers are tested at once from the one client: each has addresses of its own for this, of both kinds.
    """
    *_net, high, low = server.address.split(".")
    target, other, network = server.address, f"198.18.{high}.{low}", f"fd77:0:{high}:{low}"

    def use(there: bool) -> None:
        client.sh(f"ip route replace {target}/32 dev eth0 src {other if there else own}")

    own = client.sh("ip -4 -o addr show dev eth0 | awk '{print $4; exit}' | cut -d/ -f1").stdout.strip()
    client.sh(f"ip addr replace {other}/32 dev eth0; ip -6 addr replace {network}::2/64 dev eth0 nodad")
    server.sh(f"ip route replace {other}/32 dev eth0; ip -6 addr replace {network}::1/64 dev eth0 nodad")
    use.own, use.other, use.network = own, other, network
    yield use
    client.sh(f"ip route del {target}/32; ip addr del {other}/32 dev eth0; ip -6 addr del {network}::2/64 dev eth0")
    server.sh(f"ip route del {other}/32; ip -6 addr del {network}::1/64 dev eth0")


@pytest.mark.alike
def test_log_ins_come_from_allowed_sources_alone(server, key_file, from_there):
    service = server.sh(f"cat {SSHD_SERVICE}").stdout
    add(server, "--allowed-sources", f"{from_there.own},2001:db8::/32")
    for sources, here, there in (
        (f"{from_there.own},2001:db8::/32", True, False),
        ("198.18.0.0/15", False, True),
        (f"{from_there.other} {from_there.own}", True, True),
        ("192.0.2.0/24", False, False),
        ("", True, True),
    ):
        users(server, "edit", NAME, "--allowed-sources", sources)
        for elsewhere, may in ((False, here), (True, there)):
            from_there(elsewhere)
            assert granted(server, key_file) == [may] * 3, (sources, elsewhere)
    from_there(False)
    assert server.sh(f"cat {SSHD_SERVICE}").stdout == service, "nobody is limited any more"


@pytest.mark.alike
def test_sources_may_be_networks_of_ipv6(server, client, key_file, from_there):
    add(server)
    network = from_there.network
    client.ask("banner", host=server.address)
    sftp = (
        f"sftp -i {key_file} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
        f" -o HostKeyAlias={server.address} -o UserKnownHostsFile={server.known_hosts} -b - {NAME}@[{network}::1]"
    )
    for sources, may in (
        (f"{network}::/64", True),
        ("fd78::/64", False),
        (f"{network}::2", True),
        (from_there.own, False),
    ):
        users(server, "edit", NAME, "--allowed-sources", sources)
        assert (client.sh(f"echo ls | {sftp}", check=False).returncode == 0) == may, sources


@pytest.mark.alike
def test_an_administrator_is_never_asked(server, client, key_file, from_there):
    """Not while a user is limited, and not if our file is broken or missing; then users are denied."""
    admin = "lucius"
    public = Path(f"{KEY_FILE}.pub").read_text(encoding="ascii").strip()
    server.sh(f"""userdel -rf {admin} 2>/dev/null; useradd -m -s /bin/bash {admin} && usermod -p '*' {admin}
        install -d -m 700 -o {admin} /home/{admin}/.ssh
        echo '{public}' >/home/{admin}/.ssh/authorized_keys""")
    asked = f"for name in root {admin}; do sshd -T -C user=$name,host=h,addr=192.0.2.1; done"
    ssh = (
        f"ssh -i {key_file} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
        f" -o UserKnownHostsFile={server.known_hosts} {admin}@{server.address} id -un"
    )
    try:
        before = server.sh(asked).stdout
        assert client.sh(ssh).stdout.strip() == admin
        add(server, "--allowed-sources", "192.0.2.0/24", "--expires", "2020-01-31")
        assert server.sh(asked).stdout == before and client.sh(ssh).stdout.strip() == admin
        users(server, "edit", NAME, "--allowed-sources", from_there.own, "--expires", "never")
        assert granted(server, key_file) == [True] * 3 and client.sh(ssh).stdout.strip() == admin
        server.sh(f"mv {ACCESS_FILE} {ACCESS_FILE}.away")
        assert client.sh(ssh).stdout.strip() == admin and granted(server, key_file) == [False] * 3
        assert "sources-missing" in server.sh("ftp-users check", check=False).stdout
        server.sh(f"printf '\\377garbage\\n-:ALL:ALL EXCEPT 192.0.2.1\\n' >{ACCESS_FILE}")
        assert client.sh(ssh).stdout.strip() == admin and granted(server, key_file) == [False] * 3
    finally:
        server.sh(f"mv -f {ACCESS_FILE}.away {ACCESS_FILE}; userdel -rf {admin}", check=False)


@pytest.mark.spread
def test_sources_that_cannot_be_enforced_are_refused(server):
    add(server)
    config = "/etc/ssh/sshd_config"
    without_account = ("--protocol", "ftps", "--allowed-sources", "192.0.2.0/24")
    for words, said in (
        (("--allowed-sources", "192.0.2.1/24"), "write 192.0.2.0/24"),
        *([] if server.one_home else [(without_account, "an account, which allowed_sources is stored in")]),
    ):
        refused = server.sh(f"ftp-users edit {NAME} {' '.join(words)}", check=False)
        assert refused.returncode != 0 and said in refused.stderr
    server.sh(f"cp -p {config} /root/config; sed -i 's/^UsePAM yes/UsePAM no/' {config}")
    try:
        refused = server.sh(f"ftp-users edit {NAME} --allowed-sources 192.0.2.0/24", check=False)
        assert refused.returncode != 0 and "expected UsePAM yes" in refused.stderr
    finally:
        server.sh(f"cp -p /root/config {config}; rm /root/config")
    assert users(server, "show", NAME)["user"]["allowed_sources"] == []
