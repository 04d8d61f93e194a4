# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage the users of a secure_ftp.server from anywhere: a client of its remote control.

    with FtpUsers("files.example.net", key_file="shop_key") as users:
        users.add("batman", password=password)

    python3 ftp_users_client.py --host files.example.net --key shop_key list

One file; needs Python 3.8 and Paramiko 2.7 or newer. The protocol is docs/remote-control.md of the collection. The
server's host key must be known: from a known_hosts file, or given; an unknown or different one is an error.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import getpass
import json
import os
import random
import socket
import sys
import time
from typing import Any, Callable, Sequence

import paramiko

VERSION = 1
USER = "ftpcontrol"
SUBJECT = "ftp-users"
MAX_ANSWER = 256 * 1024 * 1024
READS = frozenset(("list", "show", "keys"))
"""Verbs that change nothing: asked again when the connection breaks."""

ALGORITHMS = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
    "ssh-rsa": "",
    "ssh-dss": "",
}
"""The kind of host key that goes with each signature algorithm; those with SHA-1 are not used."""

EXIT_CODES = {
    "failed": 1,
    "invalid": 2,
    "no_such_user": 3,
    "exists": 4,
    "locked": 5,
    "not_permitted": 6,
    "damaged": 7,
    "busy": 8,
}
UNKNOWN_OUTCOME = 254
NO_CONNECTION = 255
"""Exit statuses of the program: those of the server's codes, and two of its own."""


class FtpUsersError(Exception):
    """A call failed."""


class RequestError(FtpUsersError):
    """The server's answer is an error: ``code`` is one of EXIT_CODES. Nothing was changed."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class ConnectionFailed(FtpUsersError):
    """There was no connection, or it ended before the request was sent: nothing was changed."""


class OutcomeUnknown(FtpUsersError):
    """The request for a change was sent and no answer came: look with ``show`` before asking again."""


class FtpUsers:
    """A connection to the server, made at the first call and kept; not for several threads at once.

    Waits in seconds: ``timeout`` for each step of connecting, ``answer_timeout`` for the answer to begin or go on
    (longer than the two minutes that the server itself may wait for its turn), ``patience`` for what a call repeats,
    with growing random pauses: connecting, reads, and requests that a busy server has not begun.
    ``host_key`` is a line such as "ssh-ed25519 AAAA..." and replaces the known_hosts files; ``known_hosts`` is one
    file, by default the user's and the system's. Without ``key_file`` the SSH agent is asked.
    """

    def __init__(
        self,
        host: str,
        port: int = 22,
        user: str = USER,
        *,
        key_file: str | None = None,
        passphrase: str | None = None,
        known_hosts: str | None = None,
        host_key: str | None = None,
        timeout: float = 20.0,
        answer_timeout: float = 150.0,
        patience: float = 120.0,
    ):
        self.host, self.port, self.user = host, port, user
        self.key_file, self.passphrase = key_file, passphrase
        self.known_hosts, self.host_key = known_hosts, host_key
        self.timeout, self.answer_timeout, self.patience = timeout, answer_timeout, patience
        self._ssh: paramiko.SSHClient | None = None

    def __enter__(self) -> FtpUsers:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the next call makes a new one."""
        if self._ssh is not None:
            self._ssh.close()
            self._ssh = None

    # --- the verbs -------------------------------------------------------------------------------------------------

    def list(self) -> Sequence[dict[str, Any]]:
        """All users."""
        return self.call("list")["users"]

    def show(self, name: str) -> dict[str, Any]:
        """One user; RequestError with code no_such_user when there is none."""
        return self.call("show", name=name)["user"]

    def add(self, name: str, **fields: Any) -> dict[str, Any]:
        """Add a user. Fields: password, password_hash or no_password, protocols, authorized_keys, locked."""
        return self.call("add", name=name, **fields)

    def edit(self, name: str, **fields: Any) -> dict[str, Any]:
        """Change the given fields: password or password_hash, protocols, authorized_keys."""
        return self.call("edit", name=name, **fields)

    def delete(self, name: str, remove_home: bool = False) -> dict[str, Any]:
        """Remove a user, and with ``remove_home`` the user's files too."""
        return self.call("del", name=name, remove_home=remove_home)

    def lock(self, name: str) -> dict[str, Any]:
        """Deny a user all log-ins, in both protocols, by password and by key."""
        return self.call("lock", name=name)

    def unlock(self, name: str) -> dict[str, Any]:
        """Allow a locked user to log in again, exactly as before."""
        return self.call("unlock", name=name)

    def keys(self, name: str) -> Sequence[str]:
        """The public keys of a user."""
        return self.call("keys", name=name)["keys"]

    def add_key(self, name: str, key: str) -> dict[str, Any]:
        """Add a public key."""
        return self.call("keys_add", name=name, key=key)

    def delete_key(self, name: str, key: str) -> dict[str, Any]:
        """Remove a key: its line, base64 part, comment or SHA256 fingerprint."""
        return self.call("keys_del", name=name, key=key)

    def call(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Send one request and return the result. RequestError, ConnectionFailed or OutcomeUnknown."""
        request = json.dumps({"version": VERSION, "verb": verb, **fields}).encode("ascii")
        pauses = _Pauses(self.patience)
        while True:
            channel = self._channel(pauses)
            try:
                answer = _answer(self._exchange(channel, request))
            except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
                self.close()
                if verb in READS and pauses.another():
                    continue
                kind = ConnectionFailed if verb in READS else OutcomeUnknown
                raise kind(f"{self.host}: expected an answer to {verb}, found {_why(error)}") from error
            finally:
                channel.close()
            if answer["ok"]:
                return answer["result"]
            code, message = answer["error"]["code"], answer["error"]["message"]
            # Another program had the lock, or there were too many requests. Nothing was done: repeat even a change.
            if code not in ("locked", "busy") or not pauses.another():
                raise RequestError(code, message)

    # --- the connection --------------------------------------------------------------------------------------------

    def _channel(self, pauses: _Pauses) -> paramiko.Channel:
        """A session that runs the command. If this fails, no request has been sent."""
        while True:
            try:
                if self._ssh is None:
                    self._ssh = self._connect()
                channel = self._ssh.get_transport().open_session(timeout=self.timeout)
                channel.settimeout(self.timeout)
                channel.exec_command(SUBJECT)
                return channel
            except (paramiko.BadHostKeyException, paramiko.AuthenticationException, _Refused) as error:
                self.close()
                raise ConnectionFailed(f"{self.host}: {_why(error)}") from error
            except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
                # AttributeError: the transport is gone.
                self.close()
                if not pauses.another():
                    raise ConnectionFailed(f"{self.host}: expected a connection, found {_why(error)}") from error

    def _connect(self) -> paramiko.SSHClient:
        ssh = paramiko.SSHClient()
        try:
            unknown = self._trust(ssh)
            ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
            ssh.connect(
                self.host,
                port=self.port,
                username=self.user,
                key_filename=self.key_file,
                passphrase=self.passphrase,
                allow_agent=self.key_file is None,
                look_for_keys=False,
                timeout=self.timeout,
                banner_timeout=self.timeout,
                auth_timeout=self.timeout,
                disabled_algorithms={"keys": unknown},
            )
        except BaseException:
            ssh.close()
            raise
        return ssh

    def _trust(self, ssh: paramiko.SSHClient) -> Sequence[str]:
        """Tell ``ssh`` the host's keys; return the signature algorithms that do not go with them.

        They are disabled: otherwise the server might show a key that is not known here although it has one that is.
        """
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        keys = ssh.get_host_keys()
        try:
            if self.host_key is not None:
                key_type, blob = self.host_key.split()[:2]
                keys.add(name, key_type, _public_key(key_type, blob))
            elif self.known_hosts is not None:
                keys.load(self.known_hosts)
            else:
                for path in (os.path.expanduser("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"):
                    with contextlib.suppress(FileNotFoundError):
                        keys.load(path)
        except (OSError, ValueError, paramiko.SSHException) as error:
            raise _Refused(f"expected the host key or a known_hosts file, found {_why(error)}") from error
        known = keys.lookup(name)
        if not known:
            raise _Refused(
                f"expected a known host key, found none for {name}; compare the server's with ssh-keygen -lf"
                " there, then add it to known_hosts"
            )
        return [algorithm for algorithm, key_type in ALGORITHMS.items() if key_type not in known]

    def _exchange(self, channel: paramiko.Channel, request: bytes) -> bytes:
        channel.settimeout(self.answer_timeout)
        with contextlib.suppress(OSError):  # a server that refuses a request early answers without reading all of it
            channel.sendall(request)
            channel.shutdown_write()
        parts: list[bytes] = []
        size = 0
        while True:
            part = channel.recv(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise ValueError("an answer without end")


class _Refused(Exception):
    """The host cannot be trusted."""


class _Pauses:
    """Growing random pauses up to a deadline, so that many clients do not come back together."""

    def __init__(self, patience: float):
        self.deadline = time.monotonic() + patience
        self.longest = 0.25

    def another(self) -> bool:
        """Pause and say True, or say False when there is no time left."""
        pause = random.uniform(self.longest / 4, self.longest)
        self.longest = min(8.0, self.longest * 2)
        if time.monotonic() + pause > self.deadline:
            return False
        time.sleep(pause)
        return True


def _answer(data: bytes) -> dict[str, Any]:
    """The answer of the server; ValueError when it is none."""
    answer = json.loads(data.decode("utf-8"))
    if not isinstance(answer, dict) or answer.get("version") != VERSION or not isinstance(answer.get("ok"), bool):
        raise ValueError("something that is no answer")
    if not isinstance(answer.get("result" if answer["ok"] else "error"), dict):
        raise ValueError("something that is no answer")
    return answer


def _public_key(key_type: str, blob: str) -> paramiko.PKey:
    kinds = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}
    kind = paramiko.ECDSAKey if key_type.startswith("ecdsa-") else kinds.get(key_type)
    if kind is None:
        raise ValueError(f"a host key of type {key_type!r}")
    return kind(data=base64.b64decode(blob))


def _why(error: BaseException) -> str:
    if isinstance(error, socket.timeout):
        return "nothing in time"
    if isinstance(error, json.JSONDecodeError):
        return "no answer"
    return str(error) or type(error).__name__


# --- the program ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and print its result as JSON."""
    options = _parser().parse_args(arguments)
    try:
        fields = _fields(options)
        with FtpUsers(
            options.host,
            options.port,
            options.user,
            key_file=options.key_file,
            known_hosts=options.known_hosts,
            host_key=options.host_key,
            timeout=options.timeout,
        ) as users:
            result = users.call(options.verb, **fields)
    except RequestError as error:
        print(f"error: {_visible(str(error))}", file=sys.stderr)
        return EXIT_CODES.get(error.code, 1)
    except (OutcomeUnknown, ConnectionFailed) as error:
        print(f"error: {_visible(str(error))}", file=sys.stderr)
        return UNKNOWN_OUTCOME if isinstance(error, OutcomeUnknown) else NO_CONNECTION
    except (OSError, ValueError) as error:
        print(f"error: {_visible(str(error))}", file=sys.stderr)
        return EXIT_CODES["invalid"]
    except KeyboardInterrupt:
        return 130
    json.dump(result, sys.stdout, indent=2)
    print()
    return 0


def _visible(text: str) -> str:
    """``text`` with control and invisible characters written out: others may have chosen it."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Manage the users of an FTPS and SFTP server from anywhere.")
    parser.add_argument("--host", required=True, help="the server")
    parser.add_argument("--port", type=int, default=22, help="its SSH port (22)")
    parser.add_argument("--user", default=USER, help=f"the account for remote control ({USER})")
    parser.add_argument(
        "--key", dest="key_file", metavar="FILE", help="the private key; default: those of the SSH agent"
    )
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--known-hosts", metavar="FILE", help="the host keys; default: the files of ssh")
    trust.add_argument("--host-key", metavar="KEY", help="the host key itself, 'ssh-ed25519 AAAA...'")
    parser.add_argument(
        "--timeout", type=float, default=20.0, metavar="SECONDS", help="for each step of connecting (20)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str, named: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text)
        if named:
            added.add_argument("name", help="the user")
        return added

    verb("list", "list all users", named=False)
    verb("show", "show one user")
    for name, text in (("add", "add a user"), ("edit", "change a user")):
        user = verb(name, text)
        password = user.add_mutually_exclusive_group()
        password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        password.add_argument("--hash-stdin", action="store_true", help="read a crypt(3) hash from standard input")
        if name == "add":
            password.add_argument("--no-password", action="store_true", help="only keys, for SFTP")
            user.add_argument("--locked", action="store_true", help="locked from the start")
        else:
            password.add_argument("--password", action="store_true", help="ask for a new password")
        user.add_argument("--protocol", action="append", choices=("ftps", "sftp"), help="default: both; repeatable")
        user.add_argument("--authorized-keys", metavar="FILE", help="the complete list of public keys for SFTP")
    verb("del", "remove a user").add_argument("--remove-home", action="store_true", help="delete the user's files too")
    verb("lock", "deny a user all log-ins")
    verb("unlock", "allow a locked user to log in again")
    verb("keys", "list the public keys of a user")
    verb("keys_add", "add a public key").add_argument("key", help="the line of the key")
    verb("keys_del", "remove a public key").add_argument("key", help="line, base64, comment or fingerprint")
    return parser


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    given = vars(options)
    fields: dict[str, Any] = {key: given[key] for key in ("name", "key") if key in given}
    if options.verb in ("add", "edit"):
        if options.password_stdin or options.hash_stdin:
            secret = sys.stdin.readline().rstrip("\r\n")
            fields["password_hash" if options.hash_stdin else "password"] = secret
        elif given.get("password") or (options.verb == "add" and not options.no_password):
            fields["password"] = _ask()
        if options.protocol:
            fields["protocols"] = options.protocol
        if options.authorized_keys:
            with open(options.authorized_keys, encoding="utf-8") as lines:
                stripped = (line.strip() for line in lines)
                fields["authorized_keys"] = [line for line in stripped if line and not line.startswith("#")]
    for key in ("locked", "remove_home", "no_password"):
        if given.get(key):
            fields[key] = True
    return fields


def _ask(read: Callable[[str], str] = getpass.getpass) -> str:
    if not sys.stdin.isatty():
        raise ValueError("expected a terminal to ask for the password; use --password-stdin")
    password = read("Password: ")
    if read("Again: ") != password:
        raise ValueError("expected the same password twice, found two different ones; try again")
    return password


if __name__ == "__main__":
    sys.exit(main())
