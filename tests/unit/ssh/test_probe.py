# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd is asked where it is to listen, and has to answer as an SSH server does."""

from __future__ import annotations

import socket
import threading
from typing import Callable, Iterator, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._host.serving import wait_until_served
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import probe

SSHD = "port 22\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:2222\nlistenaddress 192.0.2.1:2200\n"


def answers(socket_unit: str, sshd: Output | None = None) -> Callable[[Sequence[str]], Output]:
    return lambda command: (sshd or Output(0, SSHD)) if command[-1] == "-T" else Output(0, socket_unit)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "find_program", lambda name: f"/usr/sbin/{name}")


def test_where_sshd_is_to_listen() -> None:
    run = answers("ActiveState=inactive\nListen=[::]:2022 (Stream)\n")
    assert probe.endpoints(run) == [("127.0.0.1", 2222), ("192.0.2.1", 2200), ("::1", 22)]


def test_the_socket_decides_while_it_is_active() -> None:
    run = answers(
        "ActiveState=active\nListen=[::]:2022 (Stream)\nListen=192.0.2.1:22 (Stream)\nListen=/run/x (Stream)\n"
    )
    assert probe.endpoints(run) == [("192.0.2.1", 22), ("::1", 2022)]


def test_a_configuration_that_sshd_refuses_is_said() -> None:
    with pytest.raises(SecureFtpError, match="sshd -T.*Bad configuration option"):
        probe.endpoints(answers("", Output(255, "", "line 3: Bad configuration option: Prot")))


@pytest.fixture
def server() -> Iterator[Callable[[bytes], int]]:
    """Start a server that says the given bytes to everybody and hangs up; returns its port."""
    listeners = []

    def serve(listener: socket.socket, says: bytes) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(says)

    def start(says: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, says), daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_the_banner_may_come_after_other_lines(server: Callable[[bytes], int]) -> None:
    port = server(b"Gotham City\r\nSSH-2.0-OpenSSH_8.2p1\r\n")
    assert probe.banner("127.0.0.1", port) == "SSH-2.0-OpenSSH_8.2p1"


@pytest.mark.parametrize("says", [b"", b"220 (vsFTPd 3.0.3)\r\n", b"SSH-2.0-cut", b"x" * 100000])
def test_whoever_else_answers_is_no_ssh_server(server: Callable[[bytes], int], says: bytes) -> None:
    port = server(says)
    with pytest.raises(OSError):
        probe.banner("127.0.0.1", port)


def test_nobody_who_answers_is_an_error_that_says_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SecureFtpError, match=f"ssh does not serve on port {port}: .*the unit is "):
        wait_until_served(lambda: probe.banner("127.0.0.1", port), "ssh", port, timeout=0)
