# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the parts of Azure that a network security group needs: it stores what it is given.

It answers under Azure's own names, over HTTPS with a certificate of its own authority, to the unchanged SDK. Where the
service refuses a request, so does this: names, priorities, address families. Paths, bodies and errors follow the
service's REST reference (Microsoft.Network networkSecurityGroups, api-version 2024-01-01; OAuth 2.0 client credentials;
the instance metadata service) as far as the SDK uses them.
"""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import re
import ssl
import threading
import uuid
from typing import Any

import trustme
from aiohttp import web

LOGIN, MANAGEMENT, METADATA = "login.microsoftonline.com", "management.azure.com", "169.254.169.254"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
CLIENT = "33333333-3333-4333-8333-333333333333"
SECRET = "not-a-secret-of-anybody"
TOKEN = "token-of-the-stand-in"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/"

_NSG = re.compile(
    rf"{GROUP}(?P<group>[^/]+)/providers/Microsoft\.Network/networkSecurityGroups/(?P<nsg>[^/]+)"
    r"(?:/securityRules/(?P<rule>[^/]+))?\Z",
    re.IGNORECASE,
)


class Refused(Exception):
    """An answer other than success, in the form of Azure's errors."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message}}


class StandIn:
    """The service in a thread of its own; ``nsgs`` is what it stores, ``requests`` what it was asked."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.groups = {"files-rg": "westeurope"}
        self.nsgs: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._operations: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20), "the stand-in does not start"
        if self._error:
            raise self._error

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def add_nsg(self, name: str, rules: list[dict[str, Any]]) -> None:
        """Store a group as if somebody had made it; ``rules`` are in the REST form."""
        body = {"location": "westeurope", "tags": {"team": "files"}}
        self.nsgs[name.lower()] = _stored("files-rg", name, body, rules)

    def rules(self, name: str) -> dict[str, dict[str, Any]]:
        """The properties of the stored rules by name, without what the service adds."""
        stored = self.nsgs[name.lower()]["properties"]["securityRules"]
        return {
            rule["name"]: {key: value for key, value in rule["properties"].items() if key != "provisioningState"}
            for rule in stored
        }

    def writes(self) -> list[str]:
        return [line for line in self.requests if line.startswith(("PUT ", "DELETE ", "PATCH "))]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
        except BaseException as error:
            self._error = error
        self._ready.set()
        if not self._error:
            self._loop.run_forever()

    async def _listen(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(LOGIN, MANAGEMENT).configure_cert(context)
        await web.TCPSite(runner, "127.0.0.1", 443, ssl_context=context).start()
        await web.TCPSite(runner, METADATA, 80).start()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path}")
        body = await request.read()
        try:
            host = request.host.partition(":")[0]
            if host == METADATA:
                return self._managed_identity(request)
            if host == LOGIN:
                return self._log_in(request, await request.post() if body else {})
            return self._manage(request, await request.json() if body else None)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)

    def _managed_identity(self, request: web.Request) -> web.Response:
        if request.path != "/metadata/identity/oauth2/token" or request.headers.get("Metadata") != "true":
            raise Refused(400, "invalid_request", "expected a token request with the header Metadata")
        return web.json_response(
            {"access_token": TOKEN, "expires_in": "3600", "resource": request.query["resource"], "token_type": "Bearer"}
        )

    def _log_in(self, request: web.Request, form: Any) -> web.Response:
        base = f"https://{LOGIN}/{TENANT}"
        if request.path.endswith("/.well-known/openid-configuration"):
            return web.json_response(
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                }
            )
        if request.path == "/common/discovery/instance":
            names = {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}
            where = f"{base}/v2.0/.well-known/openid-configuration"
            return web.json_response({"tenant_discovery_endpoint": where, "metadata": [names]})
        if request.path != f"/{TENANT}/oauth2/v2.0/token":
            raise Refused(404, "NotFound", request.path)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return web.json_response(
                {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."},
                status=401,
            )
        return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})

    def _manage(self, request: web.Request, body: Any) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "AuthenticationFailed", "Authentication failed.")
        if "api-version" not in request.query:
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if "/operations/" in request.path:
            return self._operation(request.path.rpartition("/")[2])
        group = re.fullmatch(rf"{GROUP}([^/]+)", request.path, re.IGNORECASE)
        if group:
            name = self._resource_group(group.group(1))
            return web.json_response({"id": GROUP + name, "name": name, "location": self.groups[name]})
        match = _NSG.match(request.path)
        if not match:
            raise Refused(404, "InvalidResourceType", f"nothing stands in for {request.path}")
        name, rule = match.group("nsg"), match.group("rule")
        group_name = self._resource_group(match.group("group"))
        if request.method == "PUT" and rule is None:
            _check(body["properties"].get("securityRules") or [])
            self.nsgs[name.lower()] = _stored(group_name, name, body, body["properties"].get("securityRules") or [])
            return self._accepted(200, self.nsgs[name.lower()])
        if name.lower() not in self.nsgs:
            raise Refused(404, "ResourceNotFound", f"The Resource 'networkSecurityGroups/{name}' was not found.")
        nsg = self.nsgs[name.lower()]
        if request.method == "GET" and rule is None:
            return web.json_response(nsg)
        if request.method == "DELETE" and rule is not None:
            rules = nsg["properties"]["securityRules"]
            left = [stored for stored in rules if stored["name"].lower() != rule.lower()]
            if len(left) == len(rules):
                return web.Response(status=204)
            nsg["properties"]["securityRules"] = left
            return self._accepted(202, None)
        raise Refused(405, "MethodNotAllowed", f"{request.method} {request.path}")

    def _resource_group(self, name: str) -> str:
        for stored in self.groups:
            if stored.lower() == name.lower():
                return stored
        raise Refused(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")

    def _accepted(self, status: int, body: Any) -> web.Response:
        """The answer to a change, which Azure finishes later: the first question after it is told to wait."""
        number = str(uuid.uuid4())
        self._operations[number] = 1
        url = (
            f"https://{MANAGEMENT}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/westeurope"
            f"/operations/{number}?api-version=2024-01-01"
        )
        headers = {"Azure-AsyncOperation": url, "Retry-After": "1"}
        if status == 202:
            return web.Response(status=202, headers={**headers, "Location": url})
        updating = copy.deepcopy(body)
        updating["properties"]["provisioningState"] = "Updating"
        return web.json_response(updating, status=status, headers=headers)

    def _operation(self, number: str) -> web.Response:
        left = self._operations[number]
        self._operations[number] = left - 1
        state = "InProgress" if left > 0 else "Succeeded"
        return web.json_response({"status": state}, headers={"Retry-After": "1"})


def _stored(group: str, name: str, body: dict[str, Any], rules: list[dict[str, Any]]) -> dict[str, Any]:
    """A group as the service gives it back."""
    where = f"{GROUP}{group}/providers/Microsoft.Network/networkSecurityGroups/{name}"
    return {
        "id": where,
        "name": name,
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": body["location"],
        "tags": body.get("tags") or {},
        "etag": f'W/"{uuid.uuid4()}"',
        "properties": {
            "provisioningState": "Succeeded",
            "securityRules": [
                {
                    "id": f"{where}/securityRules/{rule['name']}",
                    "name": rule["name"],
                    "etag": f'W/"{uuid.uuid4()}"',
                    "properties": {
                        "sourceAddressPrefixes": [],
                        "sourcePortRanges": [],
                        "destinationAddressPrefixes": [],
                        "destinationPortRanges": [],
                        **{key: value for key, value in rule["properties"].items() if value is not None},
                        "provisioningState": "Succeeded",
                    },
                }
                for rule in rules
            ],
            "defaultSecurityRules": [],
        },
    }


def _check(rules: list[dict[str, Any]]) -> None:
    """Refuse what the service refuses."""
    places = set()
    for rule in rules:
        name, properties = rule["name"], rule["properties"]
        if not re.fullmatch(r"\w([\w.-]{0,78}\w)?", name):
            raise Refused(400, "InvalidResourceName", f"Resource name {name} is invalid.")
        if not 100 <= properties["priority"] <= 4096:
            raise Refused(400, "SecurityRuleInvalidPriority", f"Security rule {name} has an invalid priority.")
        place = (properties["direction"], properties["priority"])
        if place in places:
            raise Refused(400, "SecurityRuleConflict", f"Security rule {name} conflicts: same priority and direction.")
        places.add(place)
        if properties["protocol"] not in ("Tcp", "Udp", "Icmp", "Esp", "Ah", "*"):
            raise Refused(400, "SecurityRuleInvalidProtocol", f"{name}: {properties['protocol']}")
        for one, several in (
            ("sourceAddressPrefix", "sourceAddressPrefixes"),
            ("destinationPortRange", "destinationPortRanges"),
        ):
            groups = properties.get("sourceApplicationSecurityGroups") if one == "sourceAddressPrefix" else None
            if sum(map(bool, (properties.get(one), properties.get(several), groups))) != 1:
                raise Refused(400, "SecurityRuleParameterConflict", f"{name}: expected one of {one} and {several}")
        _check_networks(name, properties.get("sourceAddressPrefixes") or [])


def _check_networks(name: str, prefixes: list[str]) -> None:
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    if len({network.version for network in networks}) > 1:
        raise Refused(
            400,
            "ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies",
            f"{name} contains IP addresses or prefixes that belong to different address families.",
        )
    for index, network in enumerate(networks):
        if any(network.overlaps(other) for other in networks[:index]):
            raise Refused(400, "SecurityRuleContainsOverlappingPrefixes", f"{name}: {network} overlaps another.")
