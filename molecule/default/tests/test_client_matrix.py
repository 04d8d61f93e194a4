# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of `make clients`: the clients that the client host has anyway, without the steps that take long."""

from __future__ import annotations

import re
import sys

import pytest
from conftest import PASSWORDS, ROOT, SFTP_JAIL

sys.path.insert(0, str(ROOT / "tests" / "clients"))
import steps
from header import STEPS, Driver, drivers

CONTAINERFILE = (ROOT / "tests" / "containers" / "Containerfile.client").read_text(encoding="utf-8")
THERE = {"python3", *re.findall(r"[a-z0-9-]+", CONTAINERFILE.split("--no-install-recommends")[1])}
HERE = [one for one in drivers() if set(one.packages) <= THERE]
MODES = ("explicit", "key")
TRIALS = [pytest.param(one, mode, id=f"{one.name}-{mode}") for one in HERE for mode in MODES if mode in one.modes]
SHORT = tuple(step for step in STEPS if step not in ("thirty", "tree"))
_prepared: dict[tuple[str, str], steps.Place] = {}


def place(server, key_file: str, mode: str) -> steps.Place:
    """Where the client meets the server; made once."""
    if (server.name, mode) in _prepared:
        return _prepared[server.name, mode]
    login = "batman"
    home = f"{SFTP_JAIL}/{login}" if mode in ("password", "key") else server.ftps_home(login)
    there = {"key": key_file, "ca": server.ca_file, "known_hosts": server.known_hosts}
    where = {"mine": f"{server.directory}/matrix-{mode}", "home": home, "root": f"/{login}/"}
    # The client host is a Debian 12.
    one = steps.Place(
        server.client.name, server.name, "debian12", server.address, login, PASSWORDS[login], **there, **where
    )
    one.prepare()
    return _prepared.setdefault((server.name, mode), one)


@pytest.mark.spread
@pytest.mark.parametrize(("driver", "mode"), TRIALS)
def test_a_client_does_what_its_driver_says(server, client, key_file, driver: Driver, mode: str):
    if mode in ("password", "key"):
        client.ask("banner", host=server.address, timeout=90)  # sshd turns nobody away any more
    assert steps.run(driver, mode, place(server, key_file, mode), SHORT) == {}


def test_the_short_form_has_clients_of_every_kind():
    assert len(HERE) >= 10 and any(one.refused for one in HERE)
