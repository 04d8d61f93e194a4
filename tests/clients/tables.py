# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/clients.md: what the drivers say of their clients, and what was found (docs/clients.json)."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from header import MODES, Driver, Limit

WORDS = {"thirty": "30 files", "tree": "a tree", "certificate": "the check of the server", "list": "lists"}
"""Steps whose name says too little."""

Results = Mapping[str, Mapping[str, Any]]
"""Of docs/clients.json: what was found, by platform."""


def results(drivers: list[Driver], found: Results) -> str:
    """Each client with its versions, and how it fared in each mode."""
    names = [platform.replace("debian", "Debian ") for platform in found]
    heads = ["client", *names, "FTPS explicit", "FTPS implicit", "SFTP, password", "SFTP, key"]
    lines = [heads, ["---"] * len(heads)]
    for driver in sorted(drivers, key=lambda one: (one.refused, one.client.lower())):
        of_client = {platform: one["clients"].get(driver.name) for platform, one in found.items()}
        versions = [one["version"] if one else "not run" for one in of_client.values()]
        cells = [_cell(driver, mode, of_client) for mode in MODES]
        lines.append([driver.client, *versions, *cells])
    return _table(lines)


def _cell(driver: Driver, mode: str, of_client: Mapping[str, Any]) -> str:
    if mode not in driver.modes:
        return "-"
    each = {platform: _fared(driver, mode, platform, one) for platform, one in of_client.items() if one}
    if len(set(each.values())) < 2:
        return next(iter(each.values()), "not run")
    return "; ".join(f"{said} ({platform.replace('debian', 'Debian ')})" for platform, said in each.items())


def _fared(driver: Driver, mode: str, platform: str, found: Mapping[str, Any]) -> str:
    if mode not in found["modes"].split():
        return "not run"
    wrong = found.get("wrong", {}).get(mode)
    if wrong:
        return f"**fails**: {_said(wrong)}"
    limits = [one for one in driver.limits if mode in one.modes and platform in (one.platforms or (platform,))]
    if not limits:
        return "✔"
    if driver.refused:
        return "refused"
    steps = [step for limit in limits for step in limit.steps]
    return "✘" if "all" in steps else f"✔ except {_said(steps)}"


def _said(steps: Iterable[str]) -> str:
    return ", ".join(WORDS.get(step, step) for step in steps)


def limits(drivers: list[Driver]) -> str:
    """What to set, which times are kept, and what does not work."""
    lines = [["client", "settings", "keeps times of", "what does not work, and why"], ["---"] * 4]
    for driver in sorted(drivers, key=lambda one: (one.refused, one.client.lower())):
        whys = [_why(driver, limit) for limit in driver.limits]
        whys += [f"several connections: {driver.several}"] if driver.several else []
        whys += [f"only a tree and back was tried: {driver.backup}"] if driver.backup else []
        lines.append([driver.client, "; ".join(driver.hints), _times(driver), "; ".join(whys)])
    return _table(lines)


def _why(driver: Driver, limit: Limit) -> str:
    what = {"all": "nothing works", "refused": "refused"}.get(limit.steps[0], _said(limit.steps))
    where = [] if limit.modes == driver.modes else list(limit.modes)
    where += [platform.replace("debian", "Debian ") for platform in limit.platforms]
    return f"{what}{' (' + ', '.join(where) + ')' if where else ''}: {limit.reason}"


def _times(driver: Driver) -> str:
    words = {frozenset(("up", "down")): "both", frozenset(("up",)): "uploads", frozenset(("down",)): "downloads"}
    kept = {mode: words.get(one, "none") for mode, one in driver.times.items()}
    if len(set(kept.values())) < 2:
        return next(iter(kept.values()), "")
    return ", ".join(f"{said} ({mode})" for mode, said in kept.items())


def _table(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
