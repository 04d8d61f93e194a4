# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every finding that a test makes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import Finding, Reporter


@pytest.fixture(autouse=True)
def a_finding_says_what_its_fix_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Reporter.__call__

    def checked(self: Reporter, *arguments: Any, **words: Any) -> Finding:
        finding = make(self, *arguments, **words)
        named = re.findall(r"systemctl (?:restart|reload) ([^&|;#]*)", finding.fix)
        assert {unit for units in named for unit in units.split()} == {*finding.restarts}, finding
        return finding

    monkeypatch.setattr(Reporter, "__call__", checked)
