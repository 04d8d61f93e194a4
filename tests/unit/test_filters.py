# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters, as Jinja calls them: plain data in and out, and an error of Ansible's own kind."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("ansible.errors", reason="filters run on the control machine, with the whole of Ansible")

from ansible import constants
from ansible.errors import AnsibleFilterError

from ansible_collections.secure_ftp.server.plugins.filter import default_hosts, nsg_plan, port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall import plan as _port_plan

PORT_PLAN = port_plan.FilterModule().filters()["port_plan"]
NSG_PLAN = nsg_plan.FilterModule().filters()["nsg_plan"]
BAD = {"firewall_allowed_sources": ["10.0.0.300"]}


def test_port_plan():
    rules = PORT_PLAN({"vsftpd_port": "2121"}, [2222])
    assert json.loads(json.dumps(rules)) == rules
    assert rules == [rule.as_dict() for rule in _port_plan.port_plan(Settings(vsftpd_port=2121), [2222])]
    assert [rule["ports"] for rule in PORT_PLAN({})][:2] == ["22", "21"]


def test_nsg_plan():
    plan = NSG_PLAN({"firewall_azure_priority": "300"}, [], [2222])
    assert [(rule["priority"], rule["destination_port_range"]) for rule in plan["rules"]] == [
        (300, "2222"),
        (301, "21"),
        (302, "50000-50999"),
    ]
    again = NSG_PLAN({"vsftpd_pasv_enable": False}, [{**rule, "priority": 1000} for rule in plan["rules"]])
    assert again["stale"] == ["secure-ftp-ftps-passive-data"]


@pytest.mark.parametrize("call", [lambda: PORT_PLAN(BAD), lambda: NSG_PLAN(BAD, [])])
def test_bad_variables_are_an_error_that_names_them(call):
    with pytest.raises(AnsibleFilterError, match=r"firewall_allowed_sources\[0\].*10\.0\.0\.300"):
        call()


@pytest.mark.parametrize(
    ("groups", "meant"),
    [
        (["ftps"], "ftps"),
        (["ftp_servers", "web"], "ftp_servers"),
        (["FTP"], "FTP"),
        (["backup_ftp_hosts", "ftps"], "ftps"),
        (["fpt", "web"], "fpt"),
        (["web", "db"], ""),
    ],
)
def test_an_inventory_without_the_group_gets_the_name_of_the_one_that_was_meant(groups: list[str], meant: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        default_hosts.filter_default_hosts({"all": ["web1"], "ungrouped": [], **{name: ["web1"] for name in groups}})
    said = str(caught.value)
    assert f"found only {', '.join(sorted(groups))};" in said
    assert (f"did you mean {meant}? rename it to ftp" in said) == bool(meant)
    assert f"-e ftp_hosts={meant or 'PATTERN'} " in said
    assert default_hosts.filter_default_hosts({"all": ["a"], "ftp": ["a"], "ftps": []}) == "ftp"


def test_an_inventory_without_a_host_is_an_error() -> None:
    for groups in ({"all": [], "ungrouped": []}, {"all": [], "ungrouped": [], "ftp": []}):
        with pytest.raises(AnsibleFilterError, match="at least one host in the inventory, found none"):
            default_hosts.filter_default_hosts(groups, ["/home/admin/typo.yml"])
        # Without -i: ansible-playbook --syntax-check, ansible-lint.
        assert default_hosts.filter_default_hosts(groups, constants.DEFAULT_HOST_LIST) in ("all", "ftp")
