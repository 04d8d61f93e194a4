# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UFW: exactly the ports the variables imply answer, and nothing else."""

from __future__ import annotations

import json

import pytest
from conftest import CONTROL_PORTS, PASSIVE_PORTS

UNIT = "verify-listener-tcp"
CLOSED = [989, 8021, PASSIVE_PORTS[0] - 1, PASSIVE_PORTS[-1] + 1]
"""Ports beside those that are open: nothing may get through to a service that listens there."""


@pytest.fixture()
def listeners(server):
    """Services on ports that nobody opened."""
    program = (
        f"import socket, time\nkept = [socket.create_server(('0.0.0.0', port)) for port in {CLOSED}]\ntime.sleep(600)"
    )
    server.sh(f'systemd-run --quiet --collect --unit {UNIT} python3 -c "{program}"')
    yield
    server.sh(f"systemctl stop {UNIT}")


def test_a_service_on_a_closed_port_cannot_be_reached(server, client, listeners):
    probe = (
        "import json, socket\n"
        f"answers = [socket.socket().connect_ex(('{server.address}', port)) for port in {CLOSED}]\n"
        "print(json.dumps(answers))"
    )
    server.sh(f"for i in $(seq 50); do (: </dev/tcp/127.0.0.1/{CLOSED[-1]}) 2>/dev/null && break; sleep 0.1; done")
    from_itself = json.loads(server.sh(f"python3 - <<'END'\n{probe}\nEND").stdout)
    assert set(from_itself) == {0}, "the services must be there for the test to mean anything"

    wanted_open = [22, *CONTROL_PORTS.values()]
    from_client = client.ask("ports", host=server.address, numbers=CLOSED + wanted_open)
    assert [port for port in CLOSED if from_client[str(port)] == "open"] == []
    assert [port for port in wanted_open if from_client[str(port)] != "open"] == []


def test_the_passive_range_is_open_from_end_to_end(server, client):
    """Nothing listens there between transfers, so an open port refuses where a closed one is silent."""
    answers = client.ask("ports", host=server.address, numbers=list(PASSIVE_PORTS), timeout=2)
    assert {answers[str(port)] for port in PASSIVE_PORTS} == {"refused"}


@pytest.mark.alike
def test_the_firewall_starts_at_boot_and_lets_nothing_else_in(server):
    status = server.sh("ufw status verbose").stdout
    assert "Status: active" in status
    assert "Default: deny (incoming)" in status or "Default: reject (incoming)" in status
    allowed = {line.split()[0] for line in status.splitlines() if "ALLOW IN" in line and "(v6)" not in line}
    passive = f"{PASSIVE_PORTS[0]}:{PASSIVE_PORTS[-1]}/tcp"
    assert allowed == {"22/tcp", "21/tcp", "990/tcp", passive}
    assert server.host.service("ufw").is_enabled
