# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that has IPv6 serves clients of IPv6 and of IPv4 with one socket, as vsftpd_listen_ipv6 has it."""

from __future__ import annotations

import pytest
from conftest import PASSIVE_PORTS, wait_until
from test_ftps import curl

both_tls_modes = pytest.mark.parametrize("tls", ["explicit", "implicit"])
CONFIGURATIONS = "/etc/vsftpd.conf /etc/vsftpd-implicit.conf"


@pytest.fixture(scope="module")
def network(server) -> str:
    """A network for this server alone: all servers are tested at once."""
    *_net, high, low = server.address.split(".")
    return f"fd78:0:{high}:{low}"


@pytest.fixture(scope="module")
def only_ipv6(server, client, network):
    """Run a script on a client that has an IPv6 address and none of IPv4."""
    name = f"six{server.address.rpartition('.')[2]}"
    address = f"ip -6 addr replace {network}::1/64 dev eth0 nodad"
    server.sh(f"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; {address}")
    client.sh(f"""set -e; ip netns add {name}
        ip link add {name} link eth0 type macvlan mode bridge; ip link set {name} netns {name}
        ip -n {name} -6 addr add {network}::2/64 dev {name} nodad; ip -n {name} link set {name} up""")
    yield lambda script: client.sh(f"ip netns exec {name} bash -s <<'SCRIPT'\n{script}\nSCRIPT")
    client.sh(f"ip netns del {name}")
    server.sh(f"ip -6 addr del {network}::1/64 dev eth0")


@pytest.fixture(scope="module")
def both(server):
    """What the role writes on a host with IPv6; tests/unit/test_roles.py has when it does."""

    def restart(listen: str, ipv6: str) -> None:
        server.sh(f"""sed -i 's/^listen=.*/listen={listen}/; s/^listen_ipv6=.*/listen_ipv6={ipv6}/' {CONFIGURATIONS}
            systemctl restart vsftpd vsftpd-implicit""")
        wait_until(lambda: server.sh("ss -Htln 'sport = :21 or sport = :990'").stdout.count("\n") >= 2)

    restart("NO", "YES")
    yield
    restart("YES", "NO")


@pytest.mark.alike
@both_tls_modes
def test_a_client_that_has_only_ipv6_uploads_lists_and_downloads(server, network, only_ipv6, both, tls):
    name = server.sh("hostname").stdout.strip()
    scheme, port = ("ftps", 990) if tls == "implicit" else ("ftp", 21)
    there = f"{curl(server)} --resolve '{name}:{port}:[{network}::1]' "
    answer = only_ipv6(f"""set -e; cd {server.directory}; head -c 100000 /dev/urandom >six-{tls}
        {there} -T six-{tls} {scheme}://{name}/ && {there} --list-only {scheme}://{name}/
        {there} {scheme}://{name}/six-{tls} | cmp - six-{tls} && echo INTACT
        ip -4 addr show scope global | grep -c inet || true""").stdout.split()
    assert answer == [f"six-{tls}", "INTACT", "0"]
    file = f"{server.ftps_home('batman')}/six-{tls}"
    assert server.sh(f"stat -c %s {file}; rm {file}").stdout == "100000\n"
    assert f'OK UPLOAD: Client "{network}::2"' in server.sh("tail -n 20 /var/log/vsftpd.log").stdout


@both_tls_modes
@pytest.mark.spread
@pytest.mark.parametrize("passive", [True, False])
def test_a_client_of_ipv4_is_served_by_the_same_socket(server, client, both, tls, passive):
    seen = client.ask("ftps_cycle", login=server.ftps("robin", tls), passive=passive)
    assert seen["intact"] and seen["listed"] == ["one"]
    assert bool(seen["passive_ports"]) == passive and set(seen["passive_ports"]) <= set(PASSIVE_PORTS)
    if passive:
        assert client.ask("ftps_passive", login=server.ftps("robin", tls), rounds=1)["address"] == server.address


@pytest.mark.spread
def test_the_firewall_lets_the_same_ports_through_as_for_ipv4(server, network, only_ipv6, both):
    ports = [21, 22, 990, PASSIVE_PORTS[0], 23, 8443, PASSIVE_PORTS[-1] + 1]
    answer = only_ipv6(f"""for port in {" ".join(map(str, ports))}; do
        timeout 2 bash -c "exec 3<>/dev/tcp/{network}::1/$port" 2>/tmp/six-said; rc=$?
        if [ $rc = 0 ]; then echo open; elif [ $rc = 124 ]; then echo silent; else echo refused; fi; done""")
    assert answer.stdout.split() == ["open"] * 3 + ["refused"] + ["silent"] * 3
    rules = server.sh("ufw status").stdout
    assert "21/tcp (v6)" in rules and f"{PASSIVE_PORTS[0]}:{PASSIVE_PORTS[-1]}/tcp (v6)" in rules


@pytest.mark.spread
def test_with_ipv6_vsftpd_cannot_announce_the_address_of_a_nat(server, client, both):
    """Which is why the check refuses the two together, and the role then listens on IPv4 alone."""
    server.sh(
        "cp -p /etc/vsftpd.conf /root/conf; echo pasv_address=10.9.8.7 >>/etc/vsftpd.conf; systemctl reload vsftpd"
    )
    try:
        wait_until(lambda: client.ask("ftps_passive", login=server.ftps("robin"), rounds=0)["address"] == "0.0.0.0")
    finally:
        server.sh("mv /root/conf /etc/vsftpd.conf; systemctl reload vsftpd")
