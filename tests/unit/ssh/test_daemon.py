"""sshd is asked about its configuration, whether or not one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import daemon, ports


def as_debian(directory: Path):
    """Answer as Debian's sshd does, which wants its directory before anything else."""

    def run(command):
        if command[-1] == "-T" and not directory.is_dir():
            return Output(255, "", f"Missing privilege separation directory: {directory}")
        return Output(0, "port 22\n" if command[-1] == "-T" else "")

    return run


def test_the_directory_that_went_with_the_last_sshd_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "sshd"
    assert daemon.ask_sshd(["-T"], as_debian(directory), str(directory)).out == "port 22\n"
    assert directory.stat().st_mode & 0o7777 == 0o755


def test_where_it_cannot_be_made_sshd_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "sshd"
    assert "Missing privilege" in daemon.ask_sshd(["-T"], as_debian(directory), str(directory)).err


def test_the_configured_port_is_found_while_only_the_socket_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = tmp_path / "sshd"
    monkeypatch.setattr(ports, "find_program", lambda name: f"/bin/{name}")
    monkeypatch.setattr(ports, "served_ports", set)
    monkeypatch.setattr(ports, "ask_sshd", lambda arguments, run: daemon.ask_sshd(arguments, run, str(directory)))
    asked = as_debian(directory)

    def run(command):
        socket = "ActiveState=active\nListen=[::]:2222 (Stream)\n"
        return Output(0, socket) if command[0] == "systemctl" else asked(command)

    assert ports.listening_ports(run) == {22, 2222}
