# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message or a fix tells the operator to do can be done: variables, commands, options, playbooks exist."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from pathlib import Path
from typing import Iterator

import pytest
import yaml

from ansible_collections.secure_ftp.server.plugins.module_utils._command.main import parser
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "plugins/module_utils"
NAME = "batman"
VARIABLE = re.compile(
    r"(?<![\w./-])(?:vsftpd|pam_userdb|sshd_chroot|firewall|ftp_users|user_command|remote_control)_[a-z0-9_]+\b"
)
OTHERS = {"firewall_allowed_tcp_ports", "remote_control_"}
"""No variable of ours: of somebody else's role, and the beginning of names."""


def texts(path: Path) -> Iterator[str]:
    """Every string of a program but for its documentation; NAME for what is filled in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # A string that is an expression of its own documents what stands before it.
    parts = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    parts |= {id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values}
    for one in ast.walk(tree):
        if id(one) in parts:
            continue
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield re.sub(r"\{[a-z_]+\}", NAME, one.value)
        elif isinstance(one, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else NAME for part in one.values)


SAID = [(str(path.relative_to(LIBRARY)), text) for path in sorted(LIBRARY.glob("_*/*.py")) for text in texts(path)]
FIXES = [text for path, text in SAID if path.startswith("_doctor/")]


def variables() -> set[str]:
    """Every variable of a role."""
    found: set[str] = set()
    for role in (ROOT / "roles").iterdir():
        specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        found.update(option for entry in specs.values() for option in entry["options"])
        found.update(yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8")) or {})
    return found


def verbs() -> dict[str, argparse.ArgumentParser]:
    (found,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def test_every_variable_that_is_named_exists() -> None:
    named = {(path, name) for path, text in SAID for name in VARIABLE.findall(text)}
    assert len(named) > 60, "expected to look at the messages of the library"
    known = variables() | {path.stem for path in (ROOT / "plugins/modules").glob("*.py")} | OTHERS
    # The rest of some names is filled in.
    assert sorted(one for one in named if one[1] not in known and not one[1].endswith(f"_{NAME}")) == []


def commands(text: str) -> list[str]:
    """The calls of ftp-users that a fix of the doctor is made of."""
    return [part.strip() for part in re.split(r"&&|  #", text) if part.strip().startswith("ftp-users ")]


def test_every_call_of_the_command_in_a_fix_is_understood() -> None:
    seen = sorted({call for text in FIXES for call in commands(text)})
    assert {f"ftp-users lock {NAME}", f"ftp-users passwd {NAME}", "ftp-users repair"} <= set(seen)
    for call in seen:
        try:
            parser().parse_args(shlex.split(call)[1:])
        except InvalidInput as error:
            pytest.fail(f"{call}: {error}")


def test_every_verb_and_option_in_a_message_exists() -> None:
    known, seen = verbs(), set()
    for path, text in SAID:
        for verb, rest in re.findall(r"\bftp-users ([a-z-]+)([^;,()\n\"]*)", text):
            if verb in (NAME, "cannot"):  # filled in by the program; prose
                continue
            assert verb in known, f"{path}: {text!r}"
            seen.add(verb)
            there = set(known[verb]._option_string_actions)
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= there, f"{path}: {text!r}"
    assert {"add", "edit", "keys", "lock", "passwd", "repair", "del"} <= seen


def test_every_playbook_and_tag_in_a_fix_exists() -> None:
    plays = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))
    tags = {tag for play in plays for role in play.get("roles", []) for tag in role.get("tags", [])}
    told = re.findall(r"secure_ftp\.server\.(\w+)(?: --tags (\w+))?", "\n".join(kind.fix for kind in KINDS.values()))
    assert ("site", "") in told and any(tag for _playbook, tag in told)
    for playbook, tag in told:
        assert (ROOT / f"playbooks/{playbook}.yml").exists() and (not tag or tag in tags), (playbook, tag)
