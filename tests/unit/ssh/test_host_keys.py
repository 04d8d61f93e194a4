# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys made by ssh-keygen, which also says what their fingerprints are."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import host_keys as _host_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import host_keys, read_keys

KINDS = [("rsa", "3072"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "521"), ("ed25519", "256")]


def make(folder: Path, kind: str, bits: str) -> str:
    path = str(folder / f"ssh_host_{kind}_{bits}_key")
    command = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "root@a host", "-f", path]
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_key_is_named_as_ssh_keygen_does(tmp_path: Path, kind: str, bits: str) -> None:
    path = make(tmp_path, kind, bits)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, text=True, check=True).stdout
    (key,) = read_keys([path])
    assert f"{key.bits} {key.fingerprint} root@a host ({key.kind})\n" == shown
    assert key.path == f"{path}.pub"


def test_what_cannot_be_read_is_left_out_and_private_keys_are_not_opened(tmp_path: Path) -> None:
    good, bare, damaged = (make(tmp_path, "ed25519", str(number)) for number in (1, 2, 3))
    Path(good).unlink()
    Path(f"{bare}.pub").unlink()
    Path(f"{damaged}.pub").write_text("ssh-ed25519 AAAA")
    assert [key.path for key in read_keys([bare, good, damaged, str(tmp_path)])] == [f"{good}.pub"]


def test_the_keys_are_those_of_the_configuration_else_the_usual_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, usual = make(tmp_path, "ed25519", "1"), make(tmp_path, "ecdsa", "256")
    monkeypatch.setattr(_host_keys, "find_program", lambda name: f"/usr/sbin/{name}")
    answers = {"rc": 0, "out": f"port 22\nhostkey {other}\n"}

    def run(command: Sequence[str]) -> Output:
        assert command[1:] == ["-T"]
        return Output(**answers)  # type: ignore[arg-type]

    pattern = str(tmp_path / "ssh_host_ecdsa_*_key")
    assert [key.path for key in host_keys(run, pattern)] == [f"{other}.pub"]
    answers["rc"] = 255
    assert [key.path for key in host_keys(run, pattern)] == [f"{usual}.pub"]
