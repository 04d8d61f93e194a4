# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver says of its client: the lines at its top that begin with ``#:`` or ``//:``.

    client: NAME                           as docs/clients.md calls it
    packages: NAME...                      of Debian, that it needs; npm: NAME@VERSION... of the npm registry
    version: COMMAND                       prints the version
    modes: MODE...                         of MODES, that it has at all
    times [in MODE...]: up down            the transfers that keep the time of a file, or "none"
    cannot STEP... [in MODE...] [on PLATFORM...]: REASON
    refused: REASON                        instead of all steps: the server refuses it on purpose
    said: REGEX                            what the client then says, for the line before it: the proof of the reason
    backup: REASON                         a backup program: of the steps only the tree, in files of its own
    several: REASON                        it uses more than one connection for thirty files
    hint: TEXT                             for the users of the client

A step that a driver cannot do is tried too: it must fail, and say what the driver says of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

DRIVERS = Path(__file__).resolve().parent / "drivers"
MODES = ("explicit", "implicit", "password", "key")
"""FTPS with explicit and with implicit TLS, SFTP by password and by key."""

STEPS = (
    *("upload", "list", "download", "rename", "delete", "names", "empty", "resume", "thirty", "tree", "times"),
    "certificate",
)
"""What each client does; ``refused`` is the only step of a client that is refused on purpose."""

_LINE = re.compile(r"^(?:#|//): (.*)$", re.MULTILINE)
_CANNOT = re.compile(r"cannot ([a-z ]+?)(?: in ([a-z ]+?))?(?: on ([a-z0-9 ]+?))?: (.+)")


@dataclass
class Limit:
    """Steps that a client cannot do, and why; ``said`` is what it then says."""

    steps: tuple[str, ...]
    modes: tuple[str, ...]
    platforms: tuple[str, ...]
    reason: str
    said: str = ""


@dataclass
class Driver:
    """A driver and what it says of its client."""

    path: Path
    client: str = ""
    version: str = ""
    packages: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    times: dict[str, frozenset[str]] = field(default_factory=dict)
    limits: list[Limit] = field(default_factory=list)
    several: str = ""
    backup: str = ""
    hints: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.path.stem

    @property
    def refused(self) -> bool:
        """Whether the server is to refuse the client."""
        return any(limit.steps == ("refused",) for limit in self.limits)

    def limit(self, step: str, mode: str, platform: str) -> Limit | None:
        """Why the client cannot do ``step`` in ``mode`` on ``platform``; None if it can."""
        fit = (one for one in self.limits if step in one.steps or one.steps == ("all",))
        return next((one for one in fit if mode in one.modes and platform in (one.platforms or (platform,))), None)


def read(path: Path) -> Driver:
    """The driver in ``path``. ValueError if it says something that has no meaning."""
    driver = Driver(path)
    for line in _LINE.findall(path.read_text(encoding="utf-8")):
        key, _colon, value = line.partition(": ")
        word = key.split(" ")[0]
        if word in ("client", "version", "several", "backup"):
            setattr(driver, word, value)
        elif word in ("packages", "npm", "modes"):
            setattr(driver, word, tuple(value.split()))
        elif word == "times":
            kept = frozenset(value.split()) - {"none"}
            driver.times.update(dict.fromkeys(key.split()[2:] or driver.modes, kept))
        elif word == "hint":
            driver.hints.append(value)
        elif word == "said" and driver.limits:
            driver.limits[-1].said = value
        elif word == "cannot":
            driver.limits.append(_limit(driver, line))
        elif word == "refused":
            driver.limits.append(Limit(("refused",), driver.modes, (), value))
        else:
            raise ValueError(f"{path.name}: expected a key of tests/clients/header.py, found {line!r}")
    known = {*STEPS, "refused", "all"}
    wrong = [step for limit in driver.limits for step in limit.steps if step not in known]
    wrong += [mode for limit in driver.limits for mode in limit.modes if mode not in MODES]
    wrong += [mode for mode in (*driver.modes, *driver.times) if mode not in MODES]
    if wrong or not driver.client or not driver.modes or not driver.version:
        raise ValueError(f"{path.name}: expected client, version, modes and known steps, found {wrong or 'less'}")
    return driver


def _limit(driver: Driver, line: str) -> Limit:
    found = _CANNOT.fullmatch(line)
    if not found:
        raise ValueError(f"{driver.path.name}: expected 'cannot STEP... [in MODE...]: REASON', found {line!r}")
    steps, modes, platforms, reason = found.groups()
    where = tuple(modes.split()) if modes else driver.modes
    return Limit(tuple(steps.split()), where, tuple((platforms or "").split()), reason)


def drivers() -> Iterator[Driver]:
    """Every driver, by name."""
    for path in sorted(DRIVERS.iterdir()):
        if path.is_file() and "//: client:" in (text := path.read_text(encoding="utf-8")) or "#: client:" in text:
            yield read(path)
