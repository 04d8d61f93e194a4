# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewall_backend azure_nsg: the role, the real module and the real SDK against a stand-in for Azure.

Run by tests/azure/run (make azure), in a network namespace where Azure's names lead to the stand-in.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in import CLIENT, SECRET, SUBSCRIPTION, TENANT, StandIn

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = os.environ["SECURE_FTP_COLLECTIONS"]
NSG = "files-nsg"
CREDENTIALS = {
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_TENANT": TENANT,
    "AZURE_CLIENT_ID": CLIENT,
    "AZURE_SECRET": SECRET,
}
VARIABLES = {
    "firewall_backend": "azure_nsg",
    "firewall_azure_resource_group": "files-rg",
    "firewall_azure_security_group": NSG,
    "firewall_ssh_port": 22,
    "vsftpd_tls_modes": ["explicit", "implicit"],
}


def foreign(name, priority, **properties):
    return {
        "name": name,
        "properties": {
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": "443",
            "sourceAddressPrefix": "*",
            "destinationAddressPrefix": "*",
            "access": "Allow",
            "priority": priority,
            "direction": "Inbound",
            **properties,
        },
    }


OTHERS = [
    foreign("web", 1001, description="not ours"),
    foreign(
        "monitoring",
        300,
        protocol="*",
        sourceAddressPrefix=None,
        sourceAddressPrefixes=["192.0.2.0/24", "198.51.100.7/32"],
        destinationPortRange=None,
        destinationPortRanges=["9100", "9200-9210"],
    ),
    foreign("ipsec", 310, protocol="Esp", destinationPortRange="*", sourceAddressPrefix="VirtualNetwork"),
    foreign(
        "by-group",
        320,
        sourceAddressPrefix=None,
        sourceApplicationSecurityGroups=[
            {
                "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/files-rg/providers/Microsoft.Network"
                "/applicationSecurityGroups/admins"
            }
        ],
    ),
    foreign("nothing-else", 4096, access="Deny", protocol="*", destinationPortRange="*"),
    foreign("no-mail-out", 1000, access="Deny", direction="Outbound", destinationPortRange="25"),
]
"""Rules of other owners, of every kind a group can hold."""


def ours(ports, priority, description, source="*", access="Allow", protocol="Tcp"):
    several = isinstance(source, list)
    return {
        "description": f"secure_ftp.server {description}",
        "protocol": protocol,
        "sourcePortRange": "*",
        "sourcePortRanges": [],
        "destinationPortRange": ports,
        "destinationPortRanges": [],
        **({} if several else {"sourceAddressPrefix": source}),
        "sourceAddressPrefixes": source if several else [],
        "destinationAddressPrefix": "*",
        "destinationAddressPrefixes": [],
        "access": access,
        "priority": priority,
        "direction": "Inbound",
    }


@pytest.fixture(scope="module")
def service():
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture()
def azure(service):
    """The service with one group that has the rules of others, and nothing asked yet."""
    service.nsgs.clear()
    service.add_nsg(NSG, copy.deepcopy(OTHERS))
    service.requests.clear()
    return service


class Run:
    """How one run ended."""

    def __init__(self, result):
        self.rc = result.returncode
        self.output = result.stdout + result.stderr
        # Messages are wrapped at the width of the terminal.
        self.words = " ".join(self.output.split())

    @property
    def changed(self):
        return int(re.search(r"changed=(\d+)", self.output).group(1))


@pytest.fixture()
def play(azure, tmp_path):
    """Run the role for one host, with the environment of somebody who has ``credentials``."""
    authority = tmp_path / "authority.pem"
    azure.authority.cert_pem.write_to_path(str(authority))
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {"files": host}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")

    def run(*arguments, credentials=None, **variables):
        roles = [{"role": "secure_ftp.server.firewall"}]
        book = [{"hosts": "all", "gather_facts": False, "roles": roles, "vars": {**VARIABLES, **variables}}]
        (tmp_path / "play.json").write_text(json.dumps(book), encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            # No credentials of whoever runs the tests.
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_NOCOLOR": "1",
            "REQUESTS_CA_BUNDLE": str(authority),
            **(CREDENTIALS if credentials is None else credentials),
        }
        tool = Path(sys.executable).parent / "ansible-playbook"
        command = [str(tool), "-i", str(tmp_path / "inventory.json"), str(tmp_path / "play.json"), *arguments]
        return Run(subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False))

    return run


def others_are_kept(azure):
    stored = azure.rules(NSG)
    for rule in OTHERS:
        kept = {key: value for key, value in stored[rule["name"]].items() if value != []}
        assert kept == {key: value for key, value in rule["properties"].items() if value is not None}, rule["name"]
    assert azure.nsgs[NSG]["tags"] == {"team": "files"}
    return {name: rule for name, rule in stored.items() if name.startswith("secure-ftp-")}


def test_the_exact_rules_and_nothing_the_second_time(azure, play):
    first = play()
    assert first.rc == 0 and first.changed == 1, first.output
    assert others_are_kept(azure) == {
        # 1001 is somebody else's; 1000 is taken in the other direction only.
        "secure-ftp-ssh": ours("22", 1000, "SSH"),
        "secure-ftp-ftps-explicit-tls": ours("21", 1002, "FTPS explicit TLS"),
        "secure-ftp-ftps-implicit-tls": ours("990", 1003, "FTPS implicit TLS"),
        "secure-ftp-ftps-passive-data": ours("50000-50999", 1004, "FTPS passive data"),
    }
    assert len(azure.writes()) == 1 and azure.writes()[0].startswith("PUT ")
    before = copy.deepcopy(azure.nsgs)
    azure.requests.clear()
    second = play()
    assert second.rc == 0 and second.changed == 0, second.output
    assert azure.writes() == [] and azure.requests != [] and azure.nsgs == before
    assert SECRET not in first.output + second.output


def test_changes_keep_priorities_and_stale_rules_go(azure, play):
    assert play().rc == 0
    azure.requests.clear()
    changes = {
        "vsftpd_tls_modes": ["explicit"],
        "vsftpd_pasv_max_port": 51999,
        "firewall_allowed_sources": ["10.0.0.0/8", "192.0.2.0/24", "10.1.0.0/16", "2001:db8::/32"],
        "firewall_extra_rules": [{"port": 113, "rule": "reject", "comment": "ident"}, {"port": "7000", "proto": "udp"}],
    }
    run = play(**changes)
    assert run.rc == 0 and run.changed == 2, run.output
    networks = ["10.0.0.0/8", "192.0.2.0/24"]
    assert others_are_kept(azure) == {
        "secure-ftp-ssh": ours("22", 1000, "SSH"),
        "secure-ftp-ftps-explicit-tls": ours("21", 1002, "FTPS explicit TLS", networks),
        "secure-ftp-ftps-explicit-tls-ipv6": ours("21", 1005, "FTPS explicit TLS", "2001:db8::/32"),
        "secure-ftp-ftps-passive-data": ours("50000-51999", 1004, "FTPS passive data", networks),
        "secure-ftp-ftps-passive-data-ipv6": ours("50000-51999", 1006, "FTPS passive data", "2001:db8::/32"),
        "secure-ftp-extra-tcp-113": ours("113", 1007, "ident", access="Deny"),
        "secure-ftp-extra-udp-7000": ours("7000", 1008, "extra", protocol="Udp"),
    }
    assert [line.split()[0] for line in azure.writes()] == ["PUT", "DELETE"]
    azure.requests.clear()
    again = play(**changes)
    assert again.rc == 0 and again.changed == 0 and azure.writes() == [], again.output
    # The mode comes back, the others go, and the first number that is free is the implicit mode's old one.
    assert play().rc == 0
    back = others_are_kept(azure)
    assert back["secure-ftp-ftps-implicit-tls"] == ours("990", 1003, "FTPS implicit TLS")
    assert back["secure-ftp-ftps-explicit-tls"] == ours("21", 1002, "FTPS explicit TLS")
    names = ("ssh", "ftps-explicit-tls", "ftps-implicit-tls", "ftps-passive-data")
    assert set(back) == {f"secure-ftp-{name}" for name in names}


def test_check_mode_asks_and_changes_nothing(azure, play):
    before = copy.deepcopy(azure.nsgs)
    run = play("--check")
    assert run.rc == 0 and run.changed == 1, run.output
    assert azure.writes() == [] and azure.nsgs == before
    assert play().rc == 0
    azure.requests.clear()
    run = play("--check", vsftpd_tls_modes=["explicit"])
    assert run.rc == 0 and run.changed == 1 and "secure-ftp-ftps-implicit-tls" in run.output, run.output
    assert azure.writes() == []


def test_a_managed_identity(azure, play):
    """The credentials are the machine's: there is no secret at all."""
    identity = {"ANSIBLE_AZURE_AUTH_SOURCE": "msi"}
    run = play(credentials=identity, firewall_azure_subscription=SUBSCRIPTION)
    assert run.rc == 0 and run.changed == 1, run.output
    assert "GET /metadata/identity/oauth2/token" in azure.requests
    assert not [line for line in azure.requests if TENANT in line]
    assert len(others_are_kept(azure)) == 4


def test_the_subscription_may_be_a_variable(azure, play):
    secret = {name: value for name, value in CREDENTIALS.items() if name != "AZURE_SUBSCRIPTION_ID"}
    run = play(credentials=secret, firewall_azure_subscription=SUBSCRIPTION)
    assert run.rc == 0 and run.changed == 1, run.output


@pytest.mark.parametrize(
    "credentials",
    [{}, {name: value for name, value in CREDENTIALS.items() if name != "AZURE_SECRET"}],
    ids=["none", "no-secret"],
)
def test_missing_credentials(azure, play, credentials):
    run = play(credentials=credentials)
    assert run.rc != 0 and "Traceback" not in run.output
    for word in ("firewall_backend azure_nsg", "AZURE_CLIENT_ID", "AZURE_SECRET", "ANSIBLE_AZURE_AUTH_SOURCE=msi"):
        assert word in run.words, run.output
    assert azure.writes() == []


def test_wrong_credentials(azure, play):
    run = play(credentials={**CREDENTIALS, "AZURE_SECRET": "wrong-secret-here"})
    assert run.rc != 0 and "AADSTS7000215" in run.words and "wrong-secret-here" not in run.output, run.output
    assert azure.writes() == []


def test_a_missing_resource_group(azure, play):
    run = play(firewall_azure_resource_group="nowhere")
    assert run.rc != 0, run.output
    assert "ResourceGroupNotFound" in run.words and "firewall_azure_resource_group" in run.words, run.output
    assert azure.writes() == []


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_missing_security_group_is_not_made(azure, play, arguments):
    run = play(*arguments, firewall_azure_security_group="other-nsg")
    assert run.rc != 0 and "firewall_azure_security_group" in run.words and "other-nsg" in run.words, run.output
    assert azure.writes() == [] and set(azure.nsgs) == {NSG}


def test_a_rule_of_somebody_else_that_shuts_a_port(azure, play):
    azure.add_nsg(NSG, [foreign("no-entry", 400, access="Deny", protocol="*", destinationPortRange="*")])
    run = play()
    assert run.rc != 0 and "no-entry" in run.words and "firewall_azure_priority below 400" in run.words, run.output
    assert azure.writes() == []
    assert play(firewall_azure_priority=200).rc == 0
