# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an SSH account may do beyond SFTP, asked request by request with Paramiko (2.12 or newer)."""

from __future__ import annotations

import io
import logging
import socket
import time

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

RESUME = 45
"""Seconds to wait for a server that drops connections before its banner.

OpenSSH 9.8 and newer do that to an address whose recent failures add up (PerSourcePenalties), and
these tests fail on purpose.
"""


def connect(host, user, known_hosts, password=None, key_file=None, timeout=20):
    """Return an authenticated client; only the given credential is tried, the host key must be known."""
    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    deadline = time.monotonic() + RESUME
    while True:
        try:
            client.connect(
                host,
                username=user,
                password=password,
                key_filename=key_file,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
                allow_agent=False,
                look_for_keys=False,
            )
            return client
        except (paramiko.AuthenticationException, paramiko.BadHostKeyException):
            client.close()
            raise
        except (paramiko.SSHException, EOFError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def command(client, line):
    """What an exec request gives: exit status (None: refused) and output."""
    channel = client.get_transport().open_session(timeout=20)
    channel.settimeout(20)
    try:
        channel.exec_command(line)
        return _conversation(channel)
    except paramiko.SSHException as error:
        return {"status": None, "output": str(error)}
    finally:
        channel.close()


def shell(client, line):
    """What a shell request gives when ``line`` is typed into it."""
    channel = client.get_transport().open_session(timeout=20)
    channel.settimeout(20)
    try:
        channel.invoke_shell()
        channel.sendall(line + "\nexit\n")
        return _conversation(channel)
    except (paramiko.SSHException, OSError) as error:
        return {"status": None, "output": str(error)}
    finally:
        channel.close()


def _conversation(channel):
    channel.shutdown_write()
    output = b""
    try:
        while True:
            chunk = channel.recv(65536)
            if not chunk:
                break
            output += chunk
        output += channel.makefile_stderr().read()
        return {"status": channel.recv_exit_status(), "output": output.decode(errors="replace")}
    except socket.timeout:
        return {"status": None, "output": output.decode(errors="replace") + " (no end within 20 s)"}


def session_request(client, kind, add_payload=None):
    """Whether the server grants one session-channel request, such as a terminal or agent forwarding."""
    transport = client.get_transport()
    channel = transport.open_session(timeout=20)
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(True)  # want a reply
    if add_payload is not None:
        add_payload(message)
    channel._event_pending()
    transport._send_user_message(message)
    try:
        channel._wait_for_event()
        return True
    except paramiko.SSHException:
        return False
    finally:
        channel.close()


def open_channel(client, kind, add_payload):
    """Open a channel of any kind with its payload. Returns "" when granted, else the server's reason.

    Paramiko sends the payload of the kinds it knows only, so it is appended to the message on its way.
    """
    transport = client.get_transport()
    send = transport._send_user_message

    def send_with_payload(message):
        add_payload(message)
        send(message)

    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("paramiko.transport")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    transport._send_user_message = send_with_payload
    try:
        transport.open_channel(kind, timeout=20).close()
        return ""
    except paramiko.SSHException as error:
        return f"{error}; {log.getvalue()}"
    finally:
        transport._send_user_message = send
        logger.removeHandler(handler)


def direct_tcpip(client, host, port):
    """Ask for a connection from the server to host:port (``ssh -L``, ``-D``, ``-J``, ``-W``)."""
    try:
        client.get_transport().open_channel("direct-tcpip", (host, port), ("127.0.0.1", 40000), timeout=20).close()
        return ""
    except paramiko.SSHException as error:
        return str(error)


def direct_streamlocal(client, path):
    """Ask for a connection to a Unix socket of the server (PROTOCOL 2.4 of OpenSSH)."""

    def payload(message):
        message.add_string(path)
        message.add_string("")
        message.add_int(0)

    return open_channel(client, "direct-streamlocal@openssh.com", payload)


def tunnel(client):
    """Ask for a layer-3 tunnel device (PROTOCOL 2.3 of OpenSSH: mode 1, any unit)."""

    def payload(message):
        message.add_int(1)
        message.add_int(0x7FFFFFFF)

    return open_channel(client, "tun@openssh.com", payload)


def remote_forward(client, port):
    """Ask the server to listen for us (``ssh -R``)."""
    try:
        client.get_transport().request_port_forward("127.0.0.1", port)
        return ""
    except paramiko.SSHException as error:
        return str(error)


def remote_streamlocal(client, path):
    """Ask the server to listen on a Unix socket for us."""
    reply = client.get_transport().global_request("streamlocal-forward@openssh.com", (path,), wait=True)
    return "" if reply is not None else "refused"


def powers(login, listening_port, socket_path, new_socket_path):
    """Ask for everything a jailed account must not be able to do. Returns each answer by name.

    A request that ends the connection is reported as such and the others go on over a new one.
    """

    def terminal(message):
        message.add_string("xterm")
        for size in (80, 24, 0, 0):
            message.add_int(size)
        message.add_string("")

    def display(message):
        message.add_boolean(False)
        message.add_string("MIT-MAGIC-COOKIE-1")
        message.add_string("00" * 16)
        message.add_int(0)

    requests = {
        "terminal": lambda: session_request(client, "pty-req", terminal),
        "agent": lambda: session_request(client, "auth-agent-req@openssh.com"),
        "x11": lambda: session_request(client, "x11-req", display),
        "exec": lambda: command(client, "id; cat /etc/passwd; echo x >pwned"),
        "scp": lambda: command(client, "scp -f /etc/passwd"),
        "shell": lambda: shell(client, "id; cat /etc/passwd; echo x >pwned"),
        "local_forward": lambda: direct_tcpip(client, "127.0.0.1", listening_port),
        "local_socket": lambda: direct_streamlocal(client, socket_path),
        "remote_forward": lambda: remote_forward(client, 45678),
        "remote_socket": lambda: remote_streamlocal(client, new_socket_path),
        "tunnel": lambda: tunnel(client),
    }
    client = connect(**login)
    answers = {}
    for name, request in requests.items():
        try:
            answers[name] = request()
        except (EOFError, OSError, paramiko.SSHException) as error:
            answers[name] = f"the connection ended: {type(error).__name__} {error}"
            client.close()
            client = connect(**login)
    client.close()
    return answers
