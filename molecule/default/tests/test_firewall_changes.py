# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UFW follows the variables: every change is seen from the client's network namespace, and made over real SSH."""

from __future__ import annotations

import inside
import pytest
from conftest import PASSIVE_PORTS
from over_ssh import OverSsh

FOREIGN = 8081
EXTRA = 8443
UNIT = "verify-firewall-listener"
IPV6 = "fd00:5ec:f7::{}"


@pytest.fixture(scope="module")
def firewall(server, client, tmp_path_factory):
    """The role, and a rule of somebody else that it has to leave alone throughout."""
    over_ssh = OverSsh(server, tmp_path_factory.mktemp("over-ssh"))
    server.sh(f"ufw allow {FOREIGN}/tcp comment 'not ours'")
    yield over_ssh
    assert f"ufw allow {FOREIGN}/tcp comment 'not ours'" in server.sh("ufw show added").stdout
    server.sh(f"ufw delete allow {FOREIGN}/tcp")
    over_ssh.leave()


def seen(client, server, *ports, host=None):
    """What the client sees of ``ports``: open, refused (nobody listens, but the firewall lets it through) or silent."""
    answers = client.ask("ports", host=host or server.address, numbers=list(ports), timeout=2)
    return [answers[str(port)] for port in ports]


@pytest.fixture()
def listener(request, server):
    """A service on the port that the test is given, that of the extra rules if it is given none."""
    port = getattr(request, "param", EXTRA)
    program = f"import socket, time; kept = socket.create_server(('', {port}), backlog=50); time.sleep(600)"
    server.sh(f'systemd-run --quiet --collect --unit {UNIT} python3 -c "{program}"')
    yield port
    server.sh(f"systemctl stop {UNIT}")


@pytest.fixture()
def ipv6(server, client):
    """An IPv6 address for both; returns the server's. The client keeps its own: the other servers share it."""
    address = IPV6.format(server.address.rpartition(".")[2])
    for name, added in ((client.name, IPV6.format(1)), (server.name, address)):
        script = f"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; ip -6 addr replace {added}/64 dev eth0 nodad"
        assert inside.run(name, "sh", "-c", script).returncode == 0
    yield address
    inside.run(server.name, "ip", "-6", "addr", "del", f"{address}/64", "dev", "eth0")


@pytest.mark.spread
def test_a_passive_range_a_mode_extra_rules_and_source_networks_come_and_go(server, client, firewall, listener, ipv6):
    """Together, for a run takes long: first the ports change, then who may reach them, then all is as before."""
    new = range(50060, 50064)
    address = inside.run(client.name, "hostname", "-I").stdout.split()[0]
    assert seen(client, server, EXTRA) == ["silent"]

    firewall.converge(
        vsftpd_pasv_min_port=new[0],
        vsftpd_pasv_max_port=new[-1],
        vsftpd_tls_modes=["explicit"],
        firewall_extra_rules=[{"port": EXTRA}, {"port": 113, "rule": "reject", "comment": "ident"}],
    )
    assert set(seen(client, server, *new)) == {"refused"}
    assert set(seen(client, server, *PASSIVE_PORTS, new[0] - 1, new[-1] + 1)) == {"silent"}
    assert seen(client, server, 21, 990, 22) == ["open", "silent", "open"]
    assert seen(client, server, EXTRA, 113) == ["open", "refused"]

    firewall.converge(
        firewall_allowed_sources=[f"{address}/32"],
        firewall_ssh_allowed_sources=[firewall.address(), IPV6.format(0) + "/64"],
    )
    assert seen(client, server, 21, 990, PASSIVE_PORTS[0], 22) == ["open", "open", "refused", "silent"]
    assert [port for port in (21, 990, PASSIVE_PORTS[0]) if firewall.reaches(port)] == []
    assert firewall.reaches(22)
    assert seen(client, server, 22, host=ipv6) == ["open"], "the client's network of IPv6 is in the list"
    assert set(seen(client, server, *PASSIVE_PORTS)) == {"refused"}
    assert set(seen(client, server, *new)) == {"silent"}
    assert seen(client, server, EXTRA, 113) == ["silent", "silent"]

    firewall.change()
    assert seen(client, server, 21, 990, 22) == ["open"] * 3 and firewall.reaches(21)


@pytest.mark.spread
def test_a_list_without_the_controller_is_refused_before_anything_changes(server, firewall):
    before = server.sh("ufw status numbered").stdout
    run = firewall.play(firewall_ssh_allowed_sources=["192.0.2.0/24"])
    assert run.rc != 0 and "firewall_ssh_allowed_sources" in run.output and firewall.address() in run.output
    assert server.sh("ufw status numbered").stdout == before


@pytest.mark.spread
@pytest.mark.parametrize("listener", [PASSIVE_PORTS[0]], indirect=True)
def test_only_log_ins_are_limited(server, client, firewall, listener):
    firewall.converge(firewall_rate_limit=True)
    server.sh("echo / >/proc/net/xt_recent/DEFAULT")
    quickly = [seen(client, server, 21)[0] for _turn in range(8)]
    assert quickly[:4] == ["open"] * 4 and quickly[-1] == "refused", quickly
    assert {seen(client, server, listener)[0] for _turn in range(12)} == {"open"}
    server.sh("echo / >/proc/net/xt_recent/DEFAULT")
    firewall.change()
    assert {seen(client, server, 21)[0] for _turn in range(8)} == {"open"}


@pytest.mark.spread
def test_ipv6_goes_and_comes_back(server, client, firewall, ipv6):
    assert seen(client, server, 22, 990, host=ipv6) == ["open", "refused"], "vsftpd listens on IPv4 only"
    firewall.converge(firewall_ipv6=False)
    assert seen(client, server, 22, 990, host=ipv6) == ["silent", "silent"]
    assert seen(client, server, 22, 990) == ["open", "open"]
    # What changes meanwhile is right for IPv6 too when it comes back.
    firewall.change(firewall_ipv6=False, vsftpd_tls_modes=["explicit"], vsftpd_port=2121)
    firewall.converge(vsftpd_tls_modes=["explicit"], vsftpd_port=2121)
    assert seen(client, server, 22, 2121, 990, host=ipv6) == ["open", "refused", "silent"]
    firewall.converge()
    assert seen(client, server, 22, 2121, 21, 990, host=ipv6) == ["open", "silent", "refused", "refused"]


@pytest.fixture()
def another_ssh_port(server):
    """sshd on port 2222 as well."""
    drop_in = "/etc/ssh/sshd_config.d/verify.conf"
    server.sh(f"printf 'Port 22\\nPort 2222\\n' >{drop_in}; systemctl restart ssh")
    yield 2222
    server.sh(f"rm -f {drop_in}; systemctl restart ssh")


@pytest.mark.spread
def test_another_ssh_port(server, client, firewall, another_ssh_port):
    firewall.converge()
    assert seen(client, server, 22, another_ssh_port) == ["open", "open"]
    # Only 22 is asked for, but the run comes by the other port: that one stays.
    run = firewall.play(another_ssh_port, firewall_ssh_port=22)
    assert run.rc == 0 and run.changed == 0, run.output
    assert seen(client, server, 22, another_ssh_port) == ["open", "open"]
    run = firewall.play(22, firewall_ssh_port=22)
    assert run.rc == 0 and run.changed > 0, run.output
    assert seen(client, server, 22, another_ssh_port) == ["open", "silent"]


@pytest.mark.spread
def test_the_backend_none_says_what_to_open_and_changes_nothing(server, firewall):
    before = server.sh("ufw status verbose; ufw show added").stdout
    run = firewall.play(firewall_backend="none", vsftpd_port=2121, firewall_rate_limit=True)
    assert run.rc == 0 and run.changed == 0, run.output
    for words in (
        "limit in tcp 22 from any (SSH)",
        "limit in tcp 2121 from any (FTPS explicit TLS)",
        "limit in tcp 990 from any (FTPS implicit TLS)",
        "allow in tcp 50000:50049 from any (FTPS passive data)",
        "allow out tcp from port 20 to any (FTPS active data)",
    ):
        assert words in run.output
    assert server.sh("ufw status verbose; ufw show added").stdout == before


@pytest.mark.spread
def test_switched_off_nothing_is_done(server, firewall):
    before = server.sh("ufw status verbose; ufw show added").stdout
    run = firewall.play(firewall_enabled=False, vsftpd_port=2121)
    assert run.rc == 0 and run.changed == 0 and "FTPS" not in run.output, run.output
    assert server.sh("ufw status verbose; ufw show added").stdout == before
