"""The matrix of clients: what drivers say is read, what they say wrongly is found, and the page shows both."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import header
import steps
import tables

EVERY = list(header.drivers())
FOUND = json.loads((ROOT / "docs" / "clients.json").read_text(encoding="utf-8"))
PLACE = steps.Place("client", "server", "debian12", "192.0.2.1", "batman", "x", "key", "ca", "known", "/mine", "/home")


@pytest.mark.parametrize("driver", EVERY, ids=lambda one: one.name)
def test_a_driver_says_what_it_is(driver: header.Driver) -> None:
    assert os.access(driver.path, os.X_OK) == (steps.INTERPRETERS[driver.path.suffix] == ()), "it can be run"
    assert driver.packages or driver.npm
    assert set(driver.modes) <= set(header.MODES)
    if not driver.refused and not driver.backup and driver.limit("all", driver.modes[0], "debian12") is None:
        assert set(driver.times) == set(driver.modes), "which times it keeps, in each mode"
    for limit in driver.limits:
        re.compile(limit.said)
        assert len(limit.reason) > 15


def test_every_client_was_run_on_every_platform() -> None:
    """What was not run yet would be a row of nothing; run: make clients ONLY=NAME"""
    for platform, found in FOUND.items():
        assert set(found["clients"]) == {one.name for one in EVERY}, platform
        assert [name for name, one in found["clients"].items() if one["version"] == "?"] == []
        tried = {name: one["modes"].split() for name, one in found["clients"].items()}
        assert tried == {one.name: list(one.modes) for one in EVERY}, platform


@pytest.mark.parametrize(
    "line",
    [
        "colour: red",
        "cannot fly: it has no wings",
        "cannot list in plain: no such mode",
        "cannot list",
        "times in x: up",
    ],
)
def test_what_has_no_meaning_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "wrong"
    path.write_text(f"#: client: x\n#: version: x --version\n#: modes: key\n#: {line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="wrong"):
        header.read(path)


@pytest.fixture
def verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """What is wrong with a driver whose client says ``said`` and fails in the steps of ``fails``."""
    monkeypatch.setattr(steps.Trial, "clear", lambda _trial: None)
    monkeypatch.setattr(steps.Trial, "local", lambda _trial, name="": tmp_path / "local" / name)
    monkeypatch.setattr(steps.Trial, "remote", lambda _trial, name="": tmp_path / "remote" / name)

    def judge(text: str, fails: tuple[str, ...] = (), said: str = "") -> dict[str, str]:
        def step(name: str) -> Callable[[steps.Trial], None]:
            def do(trial: steps.Trial) -> None:
                trial.said = said
                if name in fails:
                    raise steps.Failed(f"{name} failed")

            return do

        monkeypatch.setattr(steps, "DO", {name: step(name) for name in (*header.STEPS, "refused")})
        path = tmp_path / "driver"
        path.write_text(f"#: client: x\n#: version: x\n#: modes: key\n#: times: none\n{text}", encoding="utf-8")
        return steps.run(header.read(path), "key", PLACE)

    return judge


def test_a_step_that_fails_is_told_unless_the_driver_says_so(verdict: Callable[..., dict[str, str]]) -> None:
    limit = "#: cannot resume: it always begins anew\n"
    assert verdict("") == {}
    assert verdict("", ("resume",)) == {"resume": "resume failed"}
    assert verdict(limit, ("resume",)) == {}
    assert "did" in verdict(limit)["resume"], "what works after all is to be said"
    assert "anew" in verdict(f"{limit}#: said: anew\n", ("resume",), "no space left")["resume"].replace(
        "'anew'", "anew"
    )
    assert verdict(f"{limit}#: said: anew\n", ("resume",), "begins anew") == {}


def test_a_client_that_is_refused_must_be_refused(verdict: Callable[..., dict[str, str]]) -> None:
    refused = "#: refused: it runs a command\n#: said: only sftp\n"
    assert verdict(refused, ("refused",), "only sftp") == {}
    assert set(verdict(refused)) == {"refused"}
    assert set(verdict(refused, ("refused",), "wrong password")) == {"refused"}


def test_the_table_never_hides_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "driver"
    text = "#: client: X\n#: version: x\n#: modes: explicit key\n#: times: up\n#: cannot resume in key: it is a toy\n"
    path.write_text(text, encoding="utf-8")
    driver = header.read(path)
    found = {
        "debian12": {"clients": {"driver": {"version": "1.0", "modes": "explicit key"}}},
        "debian13": {"clients": {"driver": {"version": "2.0", "modes": "explicit", "wrong": {"explicit": ["list"]}}}},
    }
    row = tables.results([driver], found).splitlines()[-1]
    explicit, key = "✔ (Debian 12); **fails**: lists (Debian 13)", "✔ except resume (Debian 12); not run (Debian 13)"
    assert row == f"| X | 1.0 | 2.0 | {explicit} | - | - | {key} |"
    assert "resume (key): it is a toy" in tables.limits([driver])
