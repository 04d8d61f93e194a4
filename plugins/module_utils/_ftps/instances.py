# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The instances of vsftpd on this host: their units, and the configuration that each reads."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import CONFIGS
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Run

DEFAULT_CERTIFICATE = "/usr/share/ssl/certs/vsftpd.pem"
_CONFIG = re.compile(r"\bvsftpd\s+(/[^\s;'\"]+)")
# Defaults of vsftpd.conf(5).
_YES = frozenset(("anonymous_enable", "force_local_logins_ssl", "force_local_data_ssl", "pasv_enable"))


@dataclass(frozen=True)
class Instance:
    """One vsftpd. ``options`` is None when ``path`` cannot be read; ``problem`` is then the reason."""

    unit: str
    path: str
    active: bool = True
    enabled: bool = True
    options: Mapping[str, str] | None = field(default_factory=dict)
    text: str = ""
    problem: str = ""

    def get(self, name: str, default: str = "") -> str:
        """A setting; an empty one counts as not set."""
        return (self.options or {}).get(name) or default

    def is_yes(self, name: str) -> bool:
        """Whether a switch is on; if it is not set, vsftpd's own default counts."""
        return self.get(name, "YES" if name in _YES else "NO").upper() in ("YES", "TRUE", "1")

    @property
    def listens(self) -> bool:
        """Whether it is a daemon, not a program that inetd starts."""
        return self.is_yes("listen") or self.is_yes("listen_ipv6")

    @property
    def port(self) -> int:
        text = self.get("listen_port", "21")
        return int(text) if text.isdigit() else 0

    @property
    def pair(self) -> tuple[str, str] | None:
        """Certificate and key; None without TLS. If no key is named, it is in the certificate's file."""
        if not self.is_yes("ssl_enable"):
            return None
        certificate = self.get("rsa_cert_file", DEFAULT_CERTIFICATE)
        return certificate, self.get("rsa_private_key_file", certificate)


def find_instances(run: Run, configs: Sequence[str] = CONFIGS) -> list[Instance]:
    """Every unit of vsftpd that is not masked; a configuration that no unit starts is assigned to vsftpd.service."""
    default = next((path for path in configs if os.path.exists(path)), None)
    found: dict[str, Instance] = {}
    for shown in _units(run):
        starts = _CONFIG.findall(shown.get("ExecStart", ""))
        path = starts[-1] if starts else default
        if path and path not in found and shown.get("LoadState") == "loaded":
            unit = shown.get("Id", "").replace(".service", "")
            active, enabled = shown.get("ActiveState") == "active", shown.get("UnitFileState") == "enabled"
            found[path] = _read(unit, path, active, enabled)
    if default and default not in found:
        found[default] = _read("vsftpd", default, active=False, enabled=False)
    return sorted(found.values(), key=lambda instance: instance.unit)


def _units(run: Run) -> list[dict[str, str]]:
    names: set[str] = set()
    for listing in (["list-unit-files"], ["list-units", "--all"]):
        answer = run(["systemctl", *listing, "vsftpd*.service", "--no-legend", "--plain"]).out
        names |= {line.split()[0] for line in answer.splitlines() if line.split()}
    names = {name for name in names if name.endswith(".service") and not name.endswith("@.service")}
    if not names:
        return []
    properties = "--property=Id,LoadState,ActiveState,UnitFileState,ExecStart"
    blocks = run(["systemctl", "show", *sorted(names), properties]).out.split("\n\n")
    units = []
    for block in blocks:
        shown: dict[str, str] = {}
        for line in block.splitlines():
            name, _sep, value = line.partition("=")
            # A unit may have several ExecStart.
            shown[name] = f"{shown[name]} {value}" if name in shown else value
        units.append(shown)
    return units


def _read(unit: str, path: str, active: bool, enabled: bool) -> Instance:
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        return Instance(unit, path, active, enabled, None, problem=error.strerror or str(error))
    return Instance(unit, path, active, enabled, parse(text), text)
