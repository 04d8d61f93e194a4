# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses of a host are for servers; ip(8) of Debian 11 to 13 and Ubuntu 20.04 answers in this form."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host import addresses as _addresses
from ansible_collections.secure_ftp.server.plugins.module_utils._host.addresses import addresses
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output, find_program

LINKS: list[dict[str, Any]] = [
    {
        "ifname": "docker0",
        "addr_info": [{"family": "inet", "local": "172.17.0.1", "scope": "global"}],
    },
    {
        "ifname": "eth0",
        "addr_info": [
            {"family": "inet6", "local": "2001:db8::abcd", "scope": "global", "temporary": True, "dynamic": True},
            {"family": "inet6", "local": "2001:db8::dead", "scope": "global", "deprecated": True},
            {"family": "inet6", "local": "2001:db8::5", "scope": "global"},
            {"family": "inet", "local": "10.0.0.5", "scope": "global", "label": "eth0"},
            {},
        ],
    },
    {"ifname": "eth1", "addr_info": []},
]


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default routes leave by eth0."""
    sources = {"192.0.2.1": "10.0.0.5", "2001:db8::1": ""}
    monkeypatch.setattr(_addresses, "_source", lambda family, destination: sources[destination])
    monkeypatch.setattr(_addresses, "find_program", lambda name: f"/usr/sbin/{name}")


def test_ipv4_and_the_default_route_come_first_and_what_passes_is_left_out(routes: None) -> None:
    def run(command: Sequence[str]) -> Output:
        assert command == ["ip", "-json", "address", "show", "scope", "global"]
        return Output(0, json.dumps(LINKS))

    assert addresses(run) == ["10.0.0.5", "172.17.0.1", "2001:db8::5"]


@pytest.mark.parametrize("out", ["", "not JSON"])
def test_an_answer_without_addresses(routes: None, out: str) -> None:
    assert addresses(lambda command: Output(1, out)) == []


def test_without_ip_the_default_routes_count(routes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_addresses, "find_program", lambda name: None)
    assert addresses(lambda command: pytest.fail("nothing to run")) == ["10.0.0.5"]


@pytest.mark.skipif(not find_program("ip"), reason="no ip(8)")
def test_on_this_machine_they_are_its_own() -> None:
    shown = subprocess.run(["ip", "-oneline", "address"], capture_output=True, text=True, check=True).stdout
    assert all(f" {address}/" in shown for address in addresses())
