"""One server of the collection, begun by a run that broke off, in a place where others were before."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Iterator

import inside
import pytest

ROOT = Path(__file__).resolve().parents[2]

MAKE_CERTIFICATE = r"""
set -e
make() { # make N: lineage N as certbot lays it out
    n=$1; d=/etc/letsencrypt; mkdir -p $d/archive/ftp $d/live/ftp; chmod 700 $d/archive $d/live; cd $d/archive/ftp
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey$n.pem -out fullchain$n.pem \
        -subj /CN=ftp.example.net -set_serial 0x100$n -days 90 2>/dev/null
    chmod 600 privkey$n.pem
    for f in fullchain privkey; do ln -sfn ../../archive/ftp/$f$n.pem $d/live/ftp/$f.pem; done
}
"""
SERIAL = (
    "openssl s_client -connect 127.0.0.1:21 -starttls ftp </dev/null 2>/dev/null | openssl x509 -noout -serial |"
    " cut -d= -f2"
)
PASSWORD = "Sho-p-12345678"
VARIABLES: dict[str, Any] = {
    "vsftpd_listen": False,
    "vsftpd_listen_ipv6": True,
    "vsftpd_local_root": "/var/www/$USER",
    "vsftpd_guest_username": "www-data",
    "vsftpd_certificate_source": "files",
    "vsftpd_rsa_cert_file": "/etc/letsencrypt/live/ftp/fullchain.pem",
    "vsftpd_rsa_private_key_file": "/etc/letsencrypt/live/ftp/privkey.pem",
    "ftp_users": [{"name": name, "password": PASSWORD, "protocols": ["ftps"]} for name in ("shop", "new", "reader")],
}
SOCKET = """\
[Socket]
ListenStream=2121
Accept=yes
"""
BY_SOCKET = """\
[Service]
ExecStart=-/usr/sbin/vsftpd /etc/vsftpd-socket.conf
StandardInput=socket
"""
# Of the password, with 15,000,000 rounds.
SLOW_HASH = (
    "$6$rounds=15000000$abcdefghijklmnop"
    "$mJ.GOREt69HgKBZQfSY6SxcGckb3dNPmxCA8sLvb.iLmzmz9mxDYFIzwYuXN7G.E9sYWTFxydnLdnyBpSKjRN0"
)
LONG_CHECK = f"""
set -e
printf 'new\\n%s\\n' '{SLOW_HASH}' | db_load -T -t hash /etc/vsftpd/users.db
curl -sSk --ssl-reqd --max-time 90 -u 'new:{PASSWORD}' ftp://127.0.0.1:2121/ >/dev/null 2>&1 & client=$!
for turn in $(seq 600); do ps -o time= -C vsftpd | grep -q '00:00:0[1-9]' && break; sleep 0.05; done
ps -o time= -C vsftpd | grep '00:00:0[1-9]'  # the password is being checked
ftp-users lock new
! wait $client
"""
"""What fronts of ours would not store, a hash that takes seconds, keeps the log-in where the lock meets it."""
SITES = "stat -c '%n %U:%G %a' /var/www /var/www/shop"
STATE = "systemctl is-enabled vsftpd; systemctl is-active vsftpd"


@pytest.fixture(scope="module")
def server(container) -> Iterator[Any]:
    """A server without IPv6, whose web sites were there before, and whose first run broke off."""
    from conftest import BARE

    container.sh(BARE, check=False)
    container.sh("sysctl -q net.ipv6.conf.all.disable_ipv6=1")
    container.sh(
        "groupadd -f developers; install -d -o www-data -g developers -m 2775 /var/www /var/www/shop;"
        " echo '<h1>shop</h1>' >/var/www/shop/index.html"
    )
    container.sh(MAKE_CERTIFICATE + "make 1")
    broken_off = container.play({**VARIABLES, "vsftpd_options": {"max_clients": "many"}}, "--tags=vsftpd")
    state = container.sh(STATE, check=False).stdout.split()
    listens = container.sh("ss -Hltn 'sport = :21'").stdout
    container.site(VARIABLES)
    return container, broken_off, state, listens


def test_a_run_that_breaks_off_leaves_nothing_that_starts(server):
    host, broken_off, state, listens = server
    assert broken_off.returncode != 0 and "max_clients" in broken_off.stdout, broken_off.stdout
    assert host.sh("dpkg-query -Wf '${db:Status-Status}' vsftpd").stdout == "installed"
    assert (state, listens) == (["masked", "inactive"], "")


def test_the_next_run_makes_up_for_it_without_ipv6(server):
    host = server[0]
    assert host.sh(STATE).stdout.split() == ["enabled", "active"]
    assert "secure-ftp-masked" not in host.sh("ls /etc/systemd/system/vsftpd.service.d").stdout
    assert host.logs_in("shop", PASSWORD) and host.logs_in("new", PASSWORD)


def test_directories_that_were_there_keep_owner_and_mode(server):
    host = server[0]
    assert host.sh(SITES).stdout == "/var/www www-data:developers 2775\n/var/www/shop www-data:developers 2775\n"
    assert host.sh("stat -c '%U %a' /var/www/new").stdout == "www-data 700\n"


def test_a_renewed_certificate_is_noticed_whatever_its_time_stamp(server):
    host = server[0]
    before = host.sh("ftp-users check", check=False).stdout
    assert "service-outdated" not in before, before
    host.sh(MAKE_CERTIFICATE + "make 2; touch -d '2 days ago' fullchain2.pem privkey2.pem")
    done = host.sh("ftp-users check", check=False)
    assert "service-outdated" in done.stdout and "serves another certificate" in done.stdout
    assert host.sh(SERIAL).stdout.strip() == "1001"
    host.site(VARIABLES)
    assert host.sh(SERIAL).stdout.strip() == "1002"
    assert "service-outdated" not in host.sh("ftp-users check", check=False).stdout


def test_the_file_of_a_user_is_part_of_the_configuration(server):
    host = server[0]
    host.sh(
        "mkdir -p /etc/vsftpd/users.d /srv/ro; echo hello >/srv/ro/price-list.txt; rmdir /var/www/reader;"
        r" printf 'write_enable=NO\nlocal_root=/srv/ro\n' >/etc/vsftpd/users.d/reader;"
        " echo user_config_dir=/etc/vsftpd/users.d >>/etc/vsftpd.conf; systemctl reload vsftpd"
    )
    assert "ftps-directory-missing" not in host.sh("ftp-users check", check=False).stdout
    assert '"/srv/ro"' in host.sh("ftp-users show reader --json").stdout
    assert "price-list.txt" in host.sh(f"curl -sSk --ssl-reqd -u reader:{PASSWORD} ftp://127.0.0.1/").stdout
    host.sh("chmod 0666 /etc/vsftpd/users.d/reader")
    assert "/etc/vsftpd/users.d/reader: owner 0, mode 0666" in host.sh("ftp-users check", check=False).stdout
    host.sh("chmod 0644 /etc/vsftpd/users.d/reader; ftp-users passwd reader --password-stdin", stdin="Other-12345678\n")
    host.sh("ftp-users del reader --remove-home")
    assert host.sh("cat /srv/ro/price-list.txt; stat -c '%U %a' /srv/ro").stdout == "hello\nroot 755\n"


def test_a_database_that_is_a_link_is_said_to_be_one(server):
    host = server[0]
    host.sh("mkdir -p /srv/state; mv /etc/vsftpd/users.db /srv/state/; ln -s /srv/state/users.db /etc/vsftpd/users.db")
    assert host.logs_in("shop", PASSWORD)
    said = host.sh("ftp-users check", check=False).stdout
    assert "WARNING database-link" in said and "database-damaged" not in said
    refused = host.sh("ftp-users add late --protocol ftps --password-stdin", check=False, stdin="Late-12345678\n")
    assert refused.returncode not in (0, 7) and "/srv/state/users.db" in refused.stdout, refused.stdout
    host.sh("rm /etc/vsftpd/users.db; mv /srv/state/users.db /etc/vsftpd/")


def test_the_log_is_short_and_rotated_by_size(server):
    host = server[0]
    assert "log_ftp_protocol=NO" in host.sh("cat /etc/vsftpd.conf").stdout
    assert host.sh("systemctl is-enabled secure-ftp-logrotate.timer").stdout == "enabled\n"
    host.sh("truncate -s 101M /var/log/vsftpd.log; systemctl start secure-ftp-logrotate.service")
    sizes = host.sh("stat -c '%n %s' /var/log/vsftpd.log*").stdout
    assert f"/var/log/vsftpd.log.1 {101 << 20}" in sizes and "/var/log/vsftpd.log 0" in sizes
    assert host.logs_in("shop", PASSWORD) and host.sh("cat /var/log/vsftpd.log").stdout, "vsftpd writes on"


def test_a_log_in_behind_a_socket_of_systemd_does_not_outrun_the_lock(server):
    """As by inetd there is no daemon then, whose child the connection would be."""
    host = server[0]
    host.sh("sed 's/^listen.*=YES/listen=NO/; /^listen_port=/d' /etc/vsftpd.conf >/etc/vsftpd-socket.conf")
    host.copy(SOCKET, "/etc/systemd/system/vsftpd-socket.socket")
    host.copy(BY_SOCKET, "/etc/systemd/system/vsftpd-socket@.service")
    host.sh("systemctl daemon-reload && systemctl start vsftpd-socket.socket")
    assert host.logs_in("new", PASSWORD, 2121)
    try:
        host.sh(LONG_CHECK)
        daemon = host.sh("systemctl show --property MainPID --value vsftpd").stdout
        assert host.sh("pgrep -x vsftpd").stdout == daemon, "the session is gone, and the daemon is not"
    finally:
        host.sh("systemctl stop vsftpd-socket.socket; rm /etc/systemd/system/vsftpd-socket*; systemctl daemon-reload")


@pytest.mark.skipif(
    os.environ.get("PLATFORM", "debian12") != "debian12", reason="the environment copied there is of its Python"
)
def test_a_module_on_the_server_itself_finds_the_python_that_has_the_binding(server):
    """Case 17: Ansible in a virtual environment, localhost, no interpreter said."""
    host = server[0]
    host.sh("python3 -m venv --without-pip /opt/ansible")
    copy_ansible(host, "/opt/ansible/lib/python3.11/site-packages")
    host.sh("! /opt/ansible/bin/python -c 'import bsddb3'")
    done = host.sh(
        "/opt/ansible/bin/python -m ansible adhoc localhost --connection local -m secure_ftp.server.ftp_user"
        f" -a 'name=itself password={PASSWORD}'"
    )
    assert "CHANGED" in done.stdout and host.logs_in("itself", PASSWORD), done.stdout


def copy_ansible(host: Any, where: str) -> None:
    """Put the Ansible that runs the tests, and the collection, into ``where`` of ``host``."""
    here = sysconfig.get_path("purelib")
    packages = ["ansible", "jinja2", "markupsafe", "yaml", "packaging", "resolvelib", "cryptography", "cffi"]
    packages += [path.name for name in ("ansible_core", "jinja2") for path in Path(here).glob(f"{name}-*.dist-info")]
    packages += [path.name for path in Path(here).glob("_cffi_backend*")]
    for source, target, names in (
        (here, where, packages),
        (str(ROOT), f"{where}/ansible_collections/secure_ftp/server", ["plugins", "meta", "galaxy.yml"]),
    ):
        packed = subprocess.run(
            ["tar", "-C", source, "--exclude=__pycache__", "-c", *names], stdout=subprocess.PIPE, check=True
        )
        unpack = inside.command(host.name, "bash", "-c", f"mkdir -p {target} && tar -C {target} -x")
        subprocess.run(unpack, input=packed.stdout, check=True)
