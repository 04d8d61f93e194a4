# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote control answers so many requests at once, and the rest that it is busy."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import EXIT_CODES, TooManyRequests
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.protocol import serve
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.slots import MOST, slot

ROOT = Path(__file__).resolve().parents[3]


class Nobody:
    def users(self) -> list[Any]:
        return []


def ask(files: str, request: bytes = b'{"version": 1, "verb": "list"}') -> tuple[int, dict[str, Any]]:
    (reading, question), (answer, writing) = os.pipe(), os.pipe()
    os.write(question, request)
    os.close(question)
    with open(reading, "rb") as stdin, open(writing, "wb") as stdout:
        status = serve("shop", stdin, stdout, Nobody(), {}, lambda *_arguments: None, files)
    with open(answer, "rb") as said:
        return status, json.loads(said.read())


def test_no_more_than_so_many_at_once(tmp_path: Path) -> None:
    files = str(tmp_path / "slot-{}")
    with contextlib.ExitStack() as held:
        for _number in range(MOST):
            assert ask(files) == (0, {"version": 1, "ok": True, "result": {"users": []}})
            held.enter_context(slot(files))
        with pytest.raises(TooManyRequests, match=f"at most {MOST} requests at once"):
            held.enter_context(slot(files))
        status, answer = ask(files)
        assert status == EXIT_CODES["busy"] == 8 and answer["error"]["code"] == "busy"
        assert answer["error"]["message"].endswith("try again in a moment")
        assert ask(files, b"x" * 60000)[0] == 8, "what the client sends is read"
    assert ask(files)[0] == 0
    assert len(os.listdir(tmp_path)) == MOST


def test_a_killed_request_gives_its_slot_back(tmp_path: Path) -> None:
    files = str(tmp_path / "slot-{}")
    code = (
        f"from {slot.__module__} import slot; import sys, time\n"
        "with slot(sys.argv[1], 1): print(1, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen([sys.executable, "-c", code, files], stdout=subprocess.PIPE, env=environment)
    assert holder.stdout is not None and holder.stdout.readline() == b"1\n"
    with pytest.raises(TooManyRequests), slot(files, 1):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with slot(files, 1):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "slot-0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), slot(str(tmp_path / "slot-{}")):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_clients_know_the_code_and_ask_again() -> None:
    python = (ROOT / "clients/python/ftp_users_client.py").read_text(encoding="utf-8")
    php = (ROOT / "clients/php/FtpUsers.php").read_text(encoding="utf-8")
    for code, status in EXIT_CODES.items():
        assert f'"{code}": {status},' in python and f"'{code}' => {status}," in php
    assert 'not in ("locked", "busy")' in python and "['locked', 'busy']" in php
    assert f"| `busy` | 8 | {MOST} requests" in (ROOT / "docs/remote-control.md").read_text(encoding="utf-8")
