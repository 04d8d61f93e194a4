"""The SSH port in use: sshd, ssh.socket and the connection itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host import sockets
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import ports as _ssh_ports
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.ports import Connection


@pytest.mark.parametrize(
    "text, expected",
    [
        ("port 22\naddressfamily any\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:22\n", {22}),
        ("port 22\nport 2222\nlistenaddress 0.0.0.0:22\nlistenaddress 0.0.0.0:2222\n", {22, 2222}),
        ("port 22\nlistenaddress 192.0.2.1:2200\n", {2200}),
        ("port 22\nport 23\n", {22, 23}),
        ("", set()),
    ],
)
def test_sshd_T(text, expected):
    assert _ssh_ports.configured_ports(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Listen=[::]:22 (Stream)\nActiveState=inactive\n", set()),
        ("ActiveState=active\nListen=[::]:22 (Stream)\nListen=0.0.0.0:2222 (Stream)\n", {22, 2222}),
        ("ActiveState=active\nListen=/run/ssh.sock (Stream)\nListen=22 (Stream)\n", {22}),
        ("", set()),
    ],
)
def test_ssh_socket(text, expected):
    assert _ssh_ports.socket_ports(text) == expected


def runner(sshd, socket=""):
    def run(command):
        return sshd if command[-1] == "-T" else Output(0, socket)

    return run


def test_sshd_and_socket_together(monkeypatch):
    monkeypatch.setattr(_ssh_ports, "find_program", lambda name: f"/bin/{name}")
    monkeypatch.setattr(_ssh_ports, "served_ports", set)
    run = runner(Output(0, "port 22\n"), "ActiveState=active\nListen=[::]:2222 (Stream)\n")
    assert _ssh_ports.listening_ports(run) == {22, 2222}


def test_sshd_that_refuses_its_configuration(monkeypatch):
    monkeypatch.setattr(_ssh_ports, "find_program", lambda name: f"/bin/{name}")
    monkeypatch.setattr(_ssh_ports, "served_ports", set)
    broken = Output(255, "", "line 3: Bad configuration option: Prot")
    with pytest.raises(SecureFtpError, match="Bad configuration option: Prot.*firewall_ssh_port"):
        _ssh_ports.listening_ports(runner(broken))
    run = runner(broken, "ActiveState=active\nListen=[::]:22 (Stream)\n")
    assert _ssh_ports.listening_ports(run) == {22}


def test_a_host_without_sshd(monkeypatch):
    monkeypatch.setattr(_ssh_ports, "find_program", lambda name: None)
    assert _ssh_ports.listening_ports(runner(Output(0, "port 22\n"))) == set()


@pytest.mark.parametrize(
    "value, expected",
    [
        ("192.0.2.1 50000 192.0.2.2 2222", Connection("192.0.2.1", 2222)),
        ("fe80::1%eth0 50000 fe80::2%eth0 22", Connection("fe80::1", 22)),
        ("UNKNOWN", None),
        ("", None),
        ("a b c d", None),
    ],
)
def test_connection(value, expected):
    assert _ssh_ports.parse_connection(value) == expected


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0
   1: 0100007F:177A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 102 1 0
   3: 0200000A:0016 0100000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0
"""


def test_the_running_sshd_but_not_what_its_users_forward(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TCP)
    assert sockets.listening_sockets(str(tmp_path)) == {"100": (22, True), "101": (6010, False), "102": (8080, True)}
    for pid, parent, name, inodes in ((10, 1, "sshd", [100, 101]), (11, 10, "sshd", [102]), (12, 1, "nginx", [102])):
        process(tmp_path, pid, parent, [b""], name)
        (tmp_path / str(pid) / "fd").mkdir()
        for number, inode in enumerate(inodes):
            (tmp_path / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
        (tmp_path / str(pid) / "fd" / "9").symlink_to("/dev/null")
    assert _ssh_ports.served_ports(str(tmp_path)) == {22}


def process(proc, pid, parent, environ, name="x"):
    directory = proc / str(pid)
    directory.mkdir()
    (directory / "environ").write_bytes(b"\0".join(environ) + b"\0")
    (directory / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0 -1")


def test_the_connection_is_found_above_sudo(tmp_path):
    process(tmp_path, 30, 20, [b"HOME=/root"])
    process(tmp_path, 20, 10, [b"SUDO_USER=bruce", b"SSH_CONNECTION=192.0.2.1 5 192.0.2.2 2222"], name="odd ) (name")
    assert _ssh_ports.current_connection(str(tmp_path), 30) == Connection("192.0.2.1", 2222)


def test_no_connection(tmp_path):
    process(tmp_path, 30, 20, [b"HOME=/root"], name="odd ) 1 (name")
    process(tmp_path, 20, 1, [b"HOME=/root"])
    assert _ssh_ports.current_connection(str(tmp_path), 30) is None
    assert _ssh_ports.current_connection(str(tmp_path), 31) is None


def test_the_connection_of_a_real_process():
    code = (
        "from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.ports import current_connection as c;"
        "print(c())"
    )
    environment = dict(os.environ, SSH_CONNECTION="192.0.2.1 5 192.0.2.2 2222")
    # env -u: as sudo does, the variable is only in the parent's environment. The shell stays: it has more to do.
    command = ["/bin/sh", "-c", 'env -u SSH_CONNECTION "$0" -c "$1"; :', sys.executable, code]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert "2222" in found.stdout


def test_a_given_port_and_the_connection_both_stay_open(monkeypatch):
    monkeypatch.setattr(_ssh_ports, "current_connection", lambda: Connection("192.0.2.1", 2222))
    assert _ssh_ports.ports_in_use(2200)[0] == [2200, 2222]
    monkeypatch.setattr(_ssh_ports, "current_connection", lambda: None)
    assert _ssh_ports.ports_in_use(2200)[0] == [2200]
    monkeypatch.setattr(_ssh_ports, "listening_ports", lambda run: set())
    assert _ssh_ports.ports_in_use() == ([22], None)
