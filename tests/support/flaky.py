# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSH server on the loopback that fails on purpose: what does a client of remote control do then?

    python3 flaky.py PORT KNOWN_HOSTS BEHAVIOUR... COMMAND... (from "--" on)

Each connection or request gets the next behaviour: ``refuse`` ends the connection before the banner, as sshd does with
some of many that come at once; ``drop`` takes a request and ends the connection without an answer; ``garbage`` answers
something else; ``busy`` answers that another program had the lock; ``ok`` answers. Runs COMMAND, then prints its exit
status, its output and the verbs asked for as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading

import paramiko

ANSWERS = {
    "ok": {"version": 1, "ok": True, "result": {"changed": True, "users": [], "user": None, "warnings": []}},
    "busy": {"version": 1, "ok": False, "error": {"code": "locked", "message": "users.db: locked"}},
}


class Server(paramiko.ServerInterface):
    """Lets everybody in and starts what is asked for."""

    def __init__(self):
        self.started = threading.Event()

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username):
        return "publickey"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.started.set()
        return command == b"ftp-users"


def converse(connection, behaviours, host_key, asked):
    """Serve one connection."""
    behaviour = next(behaviours, "refuse")
    if behaviour == "refuse":
        connection.close()
        return
    transport = paramiko.Transport(connection)
    transport.add_server_key(host_key)
    server = Server()
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        transport.start_server(server=server)
        while behaviour:
            channel = transport.accept(20)
            if channel is None:
                break
            server.started.wait(20)
            server.started.clear()
            data = channel.makefile("rb").read()
            asked.append(json.loads(data)["verb"])
            if behaviour == "drop":
                break
            channel.sendall(b"hello\n" if behaviour == "garbage" else json.dumps(ANSWERS[behaviour]).encode())
            channel.send_exit_status(0)
            channel.close()
            behaviour = next(behaviours, None)
        else:
            transport.join(20)  # the client ends it
    transport.close()


def main(port, known_hosts, behaviours, command):
    """Run ``command`` against the server."""
    host_key = paramiko.ECDSAKey.generate()
    with open(known_hosts, "w", encoding="ascii") as file:
        file.write(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
    asked = []
    listener = socket.create_server(("127.0.0.1", int(port)))

    def listen():
        left = iter(behaviours)
        while True:
            converse(listener.accept()[0], left, host_key, asked)

    threading.Thread(target=listen, daemon=True).start()
    result = subprocess.run(command, stdin=sys.stdin, capture_output=True, text=True, timeout=100, check=False)
    json.dump({"status": result.returncode, "output": result.stdout + result.stderr, "asked": asked}, sys.stdout)


if __name__ == "__main__":
    border = sys.argv.index("--")
    main(sys.argv[1], sys.argv[2], sys.argv[3:border], sys.argv[border + 1 :])
