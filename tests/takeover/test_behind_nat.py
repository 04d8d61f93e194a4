"""A server behind NAT, whose public address is known by a name, and changes."""

from __future__ import annotations

import re
from typing import Any

NAME, OLD, NEW = "ftp.nat.example", "10.9.8.7", "10.9.8.6"
VARIABLES: dict[str, Any] = {
    "vsftpd_pasv_address": NAME,
    "ftp_users": [{"name": "batman", "password": "bat-Cave!1 deep", "protocols": ["ftps"]}],
}
TOLD = "curl -sSkv --ssl-reqd --disable-epsv --max-time 20 -u 'batman:bat-Cave!1 deep' ftp://127.0.0.1/ 2>&1"


def told(host) -> str:
    """The address that a client is told; the transfer itself must work as well."""
    numbers = re.search(r"227 .*\((\d+),(\d+),(\d+),(\d+),", host.sh(TOLD).stdout)
    assert numbers
    return ".".join(numbers.groups())


def resolve(host, address: str) -> None:
    host.sh(
        f"sed '/{NAME}$/d' /etc/hosts >/root/hosts; echo '{address} {NAME}' >>/root/hosts; cat /root/hosts >/etc/hosts"
    )


def test_a_name_as_address_is_looked_up_by_a_run_and_the_check_says_when_it_has_another(host) -> None:
    refused = host.preflight(VARIABLES)
    assert refused.returncode != 0 and f"found {NAME}, which has none on this host" in refused.stdout, refused.stdout
    resolve(host, OLD)
    host.site(VARIABLES)
    assert told(host) == OLD
    host.sh("systemctl reload vsftpd")
    assert told(host) == OLD, "vsftpd forgets a name when it reads its configuration again"
    assert "changed=0" in host.site(VARIABLES)
    assert "pasv-address" not in host.sh("ftp-users check", check=False).stdout
    assert f'"host": "{NAME}"' in host.sh("ftp-users about --json").stdout

    resolve(host, NEW)
    said = host.sh("ftp-users check", check=False).stdout
    assert "pasv-address-changed" in said and f"pasv_address={OLD}; {NAME} is {NEW} now" in said
    assert told(host) == OLD
    host.site(VARIABLES)
    assert told(host) == NEW
    assert "pasv-address" not in host.sh("ftp-users check", check=False).stdout
