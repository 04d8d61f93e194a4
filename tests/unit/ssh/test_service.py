"""sshd with and without ssh.socket."""

from __future__ import annotations

from typing import Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import host as _doctor_host
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.host import ssh_ports
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import reload
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.service import apply_verb


class Systemd:
    """Answers as systemctl show does."""

    def __init__(self, socket: str, service: str) -> None:
        self.shown = {"ssh.socket": socket, "ssh.service": service}

    def __call__(self, command: Sequence[str]) -> Output:
        if command[0].endswith("sshd"):
            return Output(0, "port 22\nlistenaddress 0.0.0.0:22\n")
        assert command[1] == "show"
        active, enabled = self.shown[command[2]].split()
        listen = "Listen=[::]:2222 (Stream)\n" if command[2] == "ssh.socket" else ""
        return Output(0, f"ActiveState={active}\nUnitFileState={enabled}\n{listen}")


def test_sshd_is_restarted_where_the_socket_is_active() -> None:
    assert apply_verb(Systemd("active enabled", "active disabled")) == "restart"
    assert apply_verb(Systemd("inactive disabled", "active enabled")) == "reload"


def test_the_ports_of_the_socket_count_while_it_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_doctor_host, "find_program", lambda name: f"/usr/sbin/{name}")
    assert ssh_ports(Systemd("active enabled", "active disabled")) == {2222}
    assert ssh_ports(Systemd("inactive disabled", "active enabled")) == {22}


@pytest.mark.parametrize(("outdated", "ran"), [(False, []), (True, [["systemctl", "reload", "ssh.service"]])])
def test_sshd_reads_its_file_again_only_if_that_has_changed(
    monkeypatch: pytest.MonkeyPatch, outdated: bool, ran: list[list[str]]
) -> None:
    calls: list[list[str]] = []

    def run(command: Sequence[str], *_rest: object) -> Output:
        calls.append(list(command))
        return Output(0, "", "")

    monkeypatch.setattr(reload, "is_outdated", lambda unit, paths: outdated)
    reload.let_sshd_read("/etc/ssh/sshd_config", run)
    assert [call for call in calls if "show" not in call] == ran


def test_a_reload_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "is_outdated", lambda unit, paths: True)
    with pytest.raises(SecureFtpError, match=r"systemctl reload ssh.service: expected success.*still uses the old one"):
        reload.let_sshd_read("/etc/ssh/sshd_config", lambda command, *_rest: Output(1, "", "no"))
