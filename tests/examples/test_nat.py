"""examples/nat: a client in another network reaches the server by the public address of a router alone."""

from __future__ import annotations

import re

import ftps
import pytest
from conftest import Wanted, outside

WANTED = Wanted("nat")
PUBLIC = "203.0.113.10"
NO_CONNECTION = 7


@pytest.fixture(scope="module")
def network(example):
    """The client 198.51.100.7 has a route to the public address, and none to the server's own.

    What the comments of the inventory tell to forward is forwarded, and nothing else.
    """
    ports = re.findall(r"^#   ([\d-]+) ", example.inventory, re.M)
    assert len(ports) == 4
    outside(example, "198.51.100.7/24", "198.51.100.1/24")
    forward = (
        f"iptables -t nat -A PREROUTING -i far -d {PUBLIC} -p tcp -j DNAT --to-destination {example.address} --dport"
    )
    rules = [f"{forward} {one.replace('-', ':')}" for one in ports]
    example.host.sh("\n".join(["set -e", f"ip -n outside route add {PUBLIC} via 198.51.100.1", *rules]))
    return example


def test_the_check_warns_of_nothing_but_the_address_of_the_example(example):
    assert example.findings() == ["pasv-address"] * 2, "once for each TLS mode"


@pytest.mark.parametrize("name", ["anna", "ben"])
@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
def test_passive_transfers_pass_the_router_in_both_modes(network, scheme, name):
    # curl believes the address in the answer to PASV only if it is told to.
    believe = ("--disable-epsv", "--no-ftp-skip-pasv-ip")
    url = f"{scheme}://{PUBLIC}/up.bin"
    assert network.ftps(name, network.passwords[name], url, *believe, inside_of="outside")


def test_the_own_address_of_the_server_leads_nowhere(network):
    password = network.passwords["anna"]
    url = f"ftp://{network.address}/up.bin"
    assert network.curl("anna", password, url, inside_of="outside").returncode == NO_CONNECTION


@pytest.mark.parametrize("implicit", [False, True])
def test_the_answer_to_pasv_names_the_public_address_and_a_forwarded_port(example, implicit):
    login = (example.certificate(), "anna", example.passwords["anna"])
    with ftps.connect(example.address, *login, implicit=implicit) as ftp:
        address, port = ftp.announced_passive_address()
    assert address == PUBLIC and 50000 <= port <= 50099


def test_sftp_is_there_too(example):
    assert example.sftp("anna", example.passwords["anna"])
    assert not example.sftp("ben", example.passwords["ben"])
