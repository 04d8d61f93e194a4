# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage the users of a secure_ftp.server from anywhere: a client of its remote control.

    with FtpUsers("files.example.net", key_file="shop_key") as users:
        users.add("batman", password=password)

    ftp-users-client --host files.example.net --key shop_key list

Needs Python 3.8 and Paramiko 2.7 or newer. ``pip install`` of the directory of this file installs it as a package and
as the command; without pip, copy this one file and run it with python3. The protocol is docs/remote-control.md of the
collection. The server's host key must be known: from a known_hosts file, or given; an unknown or different one is an
error.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import difflib
import getpass
import hashlib
import io
import json
import logging
import os
import random
import socket
import sys
import time
from typing import Any, Callable, Dict, NoReturn, Sequence, TextIO, Union

_MISSING = ""
try:
    import paramiko
except ImportError as _error:
    _MISSING = (
        f"expected the Python package paramiko, found: {_error}; install it with pip install paramiko, or on Debian and"
        " Ubuntu with apt install python3-paramiko"
    )

__version__ = "0.1.0"

VERSION = 1
"""Of the protocol."""
USER = "ftpcontrol"
PROTOCOLS = ("ftps", "sftp")
SUBJECT = "ftp-users"
MAX_ANSWER = 256 * 1024 * 1024
READS = frozenset(("list", "show", "instructions", "keys"))
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
_KEYS = {"list": "keys", "add": "keys_add", "del": "keys_del"}
"""The verb of each action of ``keys NAME``, as the command on the server has it."""
_ATTEMPTS = 3
"""How often two passwords may differ, as on the server."""
KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")

PATIENCE = 10.0
"""Seconds for which a call is repeated while nothing was changed by it."""

UNKNOWN_OUTCOME = 254
NO_CONNECTION = 255
"""Exit statuses of the program: those of the server's codes, and two of its own."""

Result = Dict[str, Any]
Passphrase = Union[str, Callable[[str], str], None]


class FtpUsersError(Exception):
    """A call failed."""


class RequestError(FtpUsersError):
    """The server's answer is an error: ``code`` is one of EXIT_CODES. Nothing was changed."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class ConnectionFailed(FtpUsersError):
    """There was no connection, or it ended before the request was sent: nothing was changed.

    The key cannot be used, the host does not resolve or answer, its host key is not known, or it refuses the key.
    """


class OutcomeUnknown(FtpUsersError):
    """The request for a change was sent and no answer came: look with ``show`` before asking again."""


class FtpUsers:
    """A connection to the server, made at the first call and kept; not for several threads at once.

    Waits in seconds: ``timeout`` for each step of connecting, ``answer_timeout`` for the answer to begin or go on
    (longer than the two minutes that the server itself may wait for its turn). Until ``patience`` seconds have passed,
    a call repeats, with growing random pauses, what changed nothing: connecting, reads, and requests that a busy server
    has not begun. ``progress`` is called with a line of text when a repetition waits.

    ``key_file`` is read once, before the first connection; without it the SSH agent is asked. ``passphrase`` is that of
    the key, or a function that gets the name of the file and returns it, called only if the key is encrypted.
    ``host_key`` is a line such as "ssh-ed25519 AAAA..." and replaces the known_hosts files; ``known_hosts`` is one
    file, by default the user's and the system's.
    """

    def __init__(
        self,
        host: str,
        port: int = 22,
        user: str = USER,
        *,
        key_file: str | None = None,
        passphrase: Passphrase = None,
        known_hosts: str | None = None,
        host_key: str | None = None,
        timeout: float = 20.0,
        answer_timeout: float = 150.0,
        patience: float = PATIENCE,
        progress: Callable[[str], object] | None = None,
    ):
        if _MISSING:
            raise ImportError(_MISSING)
        if not host:
            raise ValueError("host: expected a name or an address, found nothing")
        if not 0 < port < 1 << 16:
            raise ValueError(f"port: expected 1 to 65535, found {port}")
        if patience < 0:
            raise ValueError(f"patience: expected 0 or more seconds, found {patience}")
        self.host, self.port, self.user = host, port, user
        self.key_file, self.passphrase = key_file, passphrase
        self.known_hosts, self.host_key = known_hosts, host_key
        self.timeout, self.answer_timeout, self.patience = timeout, answer_timeout, patience
        self.progress = progress
        self._key: paramiko.PKey | None = None
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

    def load_key(self) -> None:
        """Read the key now, not at the first call; ConnectionFailed if it cannot be used."""
        if self.key_file is None:
            _look_for_agent()
        elif self._key is None:
            self._key = _load_key(self.key_file, self.passphrase)

    # --- the verbs -------------------------------------------------------------------------------------------------

    def list(self) -> Sequence[Result]:
        """All users."""
        return list(self.call("list")["users"])

    def show(self, name: str) -> Result:
        """One user; RequestError with code no_such_user when there is none."""
        return dict(self.call("show", name=name)["user"])

    def instructions(self, name: str) -> Result:
        """What to tell a user, never a password: ``ways`` to connect, what the user ``may`` do, both as ``text``."""
        return dict(self.call("instructions", name=name)["instructions"])

    def add(self, name: str, **fields: Any) -> Result:
        """Add a user.

        Fields: password, password_hash or no_password, protocols, authorized_keys, locked, access, umask,
        ftps_max_rate, comment, expires, allowed_sources, quota and quota_files.
        """
        return self.call("add", name=name, **fields)

    def edit(self, name: str, **fields: Any) -> Result:
        """Change the given fields of those of ``add``, except no_password and locked."""
        return self.call("edit", name=name, **fields)

    def delete(self, name: str, remove_home: bool = False) -> Result:
        """Remove a user, and with ``remove_home`` the user's files too."""
        return self.call("del", name=name, remove_home=remove_home)

    def lock(self, name: str) -> Result:
        """Deny a user all log-ins, in both protocols, by password and by key."""
        return self.call("lock", name=name)

    def unlock(self, name: str) -> Result:
        """Allow a locked user to log in again, exactly as before."""
        return self.call("unlock", name=name)

    def keys(self, name: str) -> Sequence[str]:
        """The public keys of a user."""
        return list(self.call("keys", name=name)["keys"])

    def add_key(self, name: str, key: str) -> Result:
        """Add a public key."""
        return self.call("keys_add", name=name, key=key)

    def delete_key(self, name: str, key: str) -> Result:
        """Remove a key: its line, base64 part, comment or SHA256 fingerprint."""
        return self.call("keys_del", name=name, key=key)

    def call(self, verb: str, **fields: Any) -> Result:
        """Send one request and return the result. RequestError, ConnectionFailed or OutcomeUnknown."""
        request = json.dumps({"version": VERSION, "verb": verb, **fields}).encode("ascii")
        pauses = _Pauses(self.patience, self.progress)
        while True:
            channel = self._channel(pauses)
            try:
                answer = _answer(self._exchange(channel, request))
            except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
                self.close()
                found = f"{self._place}: expected an answer to {verb}, found {_why(error)}"
                if verb in READS and pauses.another(found):
                    continue
                kind = ConnectionFailed if verb in READS else OutcomeUnknown
                raise kind(found) from error
            finally:
                channel.close()
            if answer["ok"]:
                return dict(answer["result"])
            code, message = answer["error"]["code"], answer["error"]["message"]
            # Another program had the lock, or there were too many requests. Nothing was done: repeat even a change.
            if code not in ("locked", "busy") or not pauses.another(f"{self._place}: {message}"):
                raise RequestError(code, message)

    # --- the connection --------------------------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        """As a human writes it; an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

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
            except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
                # AttributeError: the transport is gone.
                self.close()
                found = f"connection to {self._place} {_how_it_failed(error)}"
                if not pauses.another(found):
                    tried = f", tried for {self.patience:g} s" if self.patience else ""
                    raise ConnectionFailed(f"{found}{tried}; is this the host and the port of its sshd?") from error

    def _connect(self) -> paramiko.SSHClient:
        """A connection that has logged in. ConnectionFailed if a repetition would fail too, else another exception."""
        self.load_key()
        sock = self._reach()
        ssh = paramiko.SSHClient()
        try:
            self._log_in(ssh, sock, self._trust(ssh))
        except BaseException:
            ssh.close()
            sock.close()
            raise
        return ssh

    def _reach(self) -> socket.socket:
        try:
            return socket.create_connection((self.host, self.port), self.timeout)
        except (socket.gaierror, ValueError) as error:  # ValueError: not even the form of a name
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise
            why = error.strerror if isinstance(error, socket.gaierror) else "it has not the form of a name"
            raise ConnectionFailed(f"host {self.host} does not resolve: {why}") from error

    def _log_in(self, ssh: paramiko.SSHClient, sock: socket.socket, unknown: Sequence[str]) -> None:
        ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            ssh.connect(
                self.host,
                port=self.port,
                username=self.user,
                pkey=self._key,
                allow_agent=self.key_file is None,
                look_for_keys=False,
                banner_timeout=self.timeout,
                auth_timeout=self.timeout,
                disabled_algorithms={"keys": unknown},
                sock=sock,
            )
        except paramiko.BadHostKeyException as error:
            raise ConnectionFailed(
                f"{self._place}: expected the known host key, found another one, {_fingerprint(error.key)}; somebody"
                " may be in between, or the server was set up anew"
            ) from error
        except paramiko.AuthenticationException as error:
            if "timeout" in str(error).lower():
                raise paramiko.SSHException("no answer to the log-in in time") from error
            key = "the keys of the SSH agent"
            if self._key is not None:
                key = f"the key {self.key_file} ({_fingerprint(self._key)})"
            raise ConnectionFailed(
                f"Authentication failed for {self.user}@{self.host} with {key}; remote_control_clients of the server"
                " must have its public key, and allow this address if it has from"
            ) from error

    def _trust(self, ssh: paramiko.SSHClient) -> Sequence[str]:
        """Tell ``ssh`` the host's keys; return the signature algorithms that do not go with them.

        They are disabled: otherwise the server might show a key that is not known here although it has one that is.
        """
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        keys = ssh.get_host_keys()
        files = [self.known_hosts] if self.known_hosts is not None else list(map(os.path.expanduser, KNOWN_HOSTS))
        if self.host_key is not None:
            try:
                key_type, blob = self.host_key.split()[:2]
                keys.add(name, key_type, _public_key(key_type, blob))
            except (ValueError, paramiko.SSHException) as error:
                raise ConnectionFailed("host key: expected 'ssh-ed25519 AAAA...', found something else") from error
        else:
            for path in files:
                _load_known_hosts(keys, path, path == self.known_hosts)
        known = keys.lookup(name)
        if not known:
            scan = f"ssh-keyscan {'' if self.port == 22 else f'-p {self.port} '}{self.host} >>{files[0]}"
            raise ConnectionFailed(
                f"{self._place}: expected a known host key, found none in {' or '.join(files)}; add it with {scan},"
                f" then compare the output of ssh-keygen -lf {files[0]} with that of ftp-users about on the server"
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


class _Pauses:
    """Growing random pauses up to a deadline, so that many clients do not come back together."""

    def __init__(self, patience: float, progress: Callable[[str], object] | None):
        self.deadline = time.monotonic() + patience
        self.longest = 0.25
        self.progress = progress
        self.silent_until = 0.0

    def another(self, why: str) -> bool:
        """Pause and say True, or say False when there is no time left; report ``why``, at most every 5 seconds."""
        now = time.monotonic()
        left = self.deadline - now
        if left <= 0:
            return False
        if self.progress is not None and now >= self.silent_until:
            self.progress(f"{why}; trying again for {left:.0f} s")
            self.silent_until = now + 5
        time.sleep(min(left, random.uniform(self.longest / 4, self.longest)))
        self.longest = min(8.0, self.longest * 2)
        return True


# --- keys ----------------------------------------------------------------------------------------------------------


def _load_key(path: str, passphrase: Passphrase) -> paramiko.PKey:
    """The private key in ``path``; ConnectionFailed says what is wrong with it."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConnectionFailed(f"{path}: expected a private key, found: {error.strerror}") from error
    except ValueError:
        text = ""
    if "PRIVATE KEY-----" not in text:
        public = text.startswith(("ssh-", "ecdsa-"))
        found = "a public key; the private one is in the file without .pub" if public else "something else"
        raise ConnectionFailed(f"{path}: expected a private key, found {found}")
    try:
        key = _parse_key(text, None)
        if key is None:
            raise ConnectionFailed(
                f"{path}: expected a private key of RSA, ECDSA or Ed25519, found one that is broken or of another kind;"
                f" ssh-keygen -y -f {path} reads it if it is whole"
            )
        return key
    except paramiko.PasswordRequiredException:
        if passphrase is None:
            raise ConnectionFailed(f"{path}: expected the passphrase of this encrypted key, found none") from None
    key = _parse_key(text, passphrase if isinstance(passphrase, str) else passphrase(path))
    if key is None:
        raise ConnectionFailed(f"{path}: expected the passphrase of this key, found a wrong one")
    return key


def _parse_key(text: str, passphrase: str | None) -> paramiko.PKey | None:
    """The key, or None if it cannot be read; PasswordRequiredException if it is encrypted."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        # What the parsers raise for a broken key differs between releases and includes IndexError and struct.error.
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except Exception:
            continue
    return None


def _look_for_agent() -> None:
    try:
        agent = paramiko.Agent()
        found = bool(agent.get_keys())
        agent.close()
    except (paramiko.SSHException, OSError):
        found = False
    if not found:
        raise ConnectionFailed("expected a key file, or a key in the SSH agent (ssh-add -l), found neither")


def _load_known_hosts(keys: paramiko.HostKeys, path: str, must_exist: bool) -> None:
    try:
        keys.load(path)
    except (OSError, ValueError, paramiko.SSHException, paramiko.hostkeys.InvalidHostKey) as error:
        if must_exist or not isinstance(error, FileNotFoundError):
            why = error.strerror if isinstance(error, OSError) else "a line that is none"
            raise ConnectionFailed(f"{path}: expected a known_hosts file, found: {why}") from error


def _fingerprint(key: paramiko.PKey) -> str:
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode("ascii").rstrip("=")
    return f"SHA256:{digest}"


def _answer(data: bytes) -> Result:
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


def _how_it_failed(error: BaseException) -> str:
    """The predicate of "connection to HOST:PORT ..."."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, socket.timeout):
        return "not made in time"
    return f"failed: {(isinstance(error, OSError) and error.strerror) or _why(error)}"


# --- the program ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and print its result."""
    # Else Python prints what Paramiko logs, tracebacks among it, beside the error that main prints.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    options = _parse(arguments)
    try:
        if _MISSING:
            raise ConnectionFailed(_MISSING)
        passphrase = _line("passphrase") if options.passphrase_stdin else _ask_passphrase
        with FtpUsers(
            options.host,
            options.port,
            options.user,
            key_file=options.key_file,
            passphrase=passphrase,
            known_hosts=options.known_hosts,
            host_key=options.host_key,
            timeout=options.timeout,
            patience=options.patience,
            progress=_say,
        ) as users:
            users.load_key()
            if options.verb == "passwd":  # nobody types a password twice for a user who is not there
                users.show(options.name)
            result = users.call(_verb(options), **_fields(options))
    except RequestError as error:
        _say(f"error: {error}")
        return EXIT_CODES.get(error.code, 1)
    except (OutcomeUnknown, ConnectionFailed) as error:
        _say(f"error: {error}")
        return UNKNOWN_OUTCOME if isinstance(error, OutcomeUnknown) else NO_CONNECTION
    except ValueError as error:
        _say(f"error: {error}")
        return EXIT_CODES["invalid"]
    except KeyboardInterrupt:
        return 130
    if options.verb == "instructions" and not options.json:
        return _print("\n".join(map(_visible, result["instructions"]["text"])))
    return _print(json.dumps(result, indent=2))


def _say(text: str) -> None:
    print(_visible(text), file=sys.stderr, flush=True)


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would write what is left, and fail again, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"error: the request succeeded, and its result cannot be written: {error.strerror}")
        return EXIT_CODES["failed"]
    return 0


def _visible(text: str) -> str:
    """``text`` with control and invisible characters written out: others may have chosen it."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str, meant: str = "") -> NoReturn:
        """One line, without the usage."""
        said = f"error: {_visible(message)};{meant} {self.prog} --help shows the usage\n"
        self.exit(EXIT_CODES["invalid"], said)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            what = action.option_strings[0] if action.option_strings else action.metavar or action.dest
            self.error(f"{what}: expected one of {', '.join(known)}, found {value}", _did_you_mean(str(value), known))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        verb, option = options.its_parser, next((one for one in unknown if one.startswith("-")), "").partition("=")[0]
        if not option:
            verb.error(f"{unknown[0].partition('=')[0]}: one word too many")
        known = [*parser._option_string_actions, *verb._option_string_actions]
        verb.error(f"{option}: no such option", _did_you_mean(option, known))
    return options


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f" did you mean {near[0]}?" if near else ""


def _parser() -> _Parser:
    parser = _Parser(
        prog="ftp-users-client",
        description="Manage the users of an FTPS and SFTP server from anywhere.",
        epilog="Passwords and passphrases are never arguments: every local user can read those. The exit status is 0,"
        " that of the error's code (docs/remote-control.md), 254 when a change was sent and no answer came, or 255"
        " without a connection.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--host", required=True, help="the server")
    parser.add_argument("--port", type=int, default=22, help="its SSH port (22)")
    parser.add_argument("--user", default=USER, help=f"the account for remote control ({USER})")
    parser.add_argument(
        "--key", dest="key_file", metavar="FILE", help="the private key; default: those of the SSH agent"
    )
    parser.add_argument(
        "--passphrase-stdin",
        action="store_true",
        help="read the passphrase of an encrypted key from the first line of standard input; default: ask for it",
    )
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--known-hosts", metavar="FILE", help="the host keys; default: the files of ssh")
    trust.add_argument("--host-key", metavar="KEY", help="the host key itself, 'ssh-ed25519 AAAA...'")
    parser.add_argument(
        "--timeout", type=float, default=20.0, metavar="SECONDS", help="for each step of connecting (20)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help=f"how long to try again if the server is not reached, locked or busy ({PATIENCE:g})",
    )
    _add_verbs(parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser))
    return parser


def _add_verbs(verbs: argparse._SubParsersAction[_Parser]) -> None:
    def verb(name: str, text: str, named: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(its_parser=added)
        added.add_argument(
            "--json", action="store_true", help="answer in JSON, as all verbs but instructions do anyway"
        )
        if named:
            added.add_argument("name", help="the user")
        return added

    verb("list", "list all users", named=False)
    verb("show", "show one user")
    verb("instructions", "say how a user connects, without the password")
    for name, text in (
        ("passwd", "change a user's password; asks for it"),
        ("add", "add a user; asks for the password"),
        ("edit", "change a user"),
    ):
        user = verb(name, text)
        password = user.add_mutually_exclusive_group()
        password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        password.add_argument("--hash-stdin", action="store_true", help="read a crypt(3) hash from standard input")
        if name == "passwd":
            continue
        if name == "add":
            password.add_argument("--no-password", action="store_true", help="only keys, for SFTP")
            user.add_argument("--locked", action="store_true", help="locked from the start")
        else:
            password.add_argument("--password", action="store_true", help="ask for a new password")
        protocols, default = (*PROTOCOLS, "both"), "both" if name == "add" else "unchanged"
        user.add_argument("--protocol", action="append", choices=protocols, help=f"default: {default}; repeatable")
        user.add_argument("--access", choices=("read_write", "read_only", "upload_only"), help="what files are for")
        user.add_argument("--umask", metavar="UMASK", help="the umask of uploads, 0000 to 0077, or default")
        user.add_argument("--ftps-max-rate", metavar="RATE", help="bytes a second over FTPS, such as 2M; 0 is no limit")
        user.add_argument("--comment", metavar="TEXT", help="a line about the user")
        user.add_argument("--expires", metavar="DATE", help="the first day without log-in, YYYY-MM-DD, or never")
        user.add_argument(
            "--allowed-sources", metavar="LIST", help="addresses and networks, with commas; '' is everywhere"
        )
        user.add_argument("--quota", metavar="BYTES", help="the most bytes of the user, such as 10G; none is no limit")
        user.add_argument("--quota-files", metavar="NUMBER", help="the most files and directories; none is no limit")
        user.add_argument("--authorized-keys", metavar="FILE", help="the complete list of public keys for SFTP")
    verb("del", "remove a user").add_argument("--remove-home", action="store_true", help="delete the user's files too")
    verb("lock", "deny a user all log-ins")
    verb("unlock", "allow a locked user to log in again")
    manage = verb("keys", "list, add or remove the public keys of a user")
    manage.add_argument("action", nargs="?", default="list", choices=_KEYS, help="default: list")
    manage.add_argument("key", nargs="?", help="add: the line of the key; del: line, base64, comment or fingerprint")
    verb("keys_add", "the same as keys NAME add").add_argument("key", help="the line of the key")
    verb("keys_del", "the same as keys NAME del").add_argument("key", help="line, base64, comment or fingerprint")


def _verb(options: argparse.Namespace) -> str:
    """The verb of the request: that of the command line, or what ``passwd`` or ``keys NAME ACTION`` means."""
    if options.verb != "keys":
        return "edit" if options.verb == "passwd" else str(options.verb)
    if (options.action == "list") == (options.key is not None):
        expected, found = ("no key", "one") if options.key is not None else ("a key", "none")
        raise ValueError(f"keys {options.name} {options.action}: expected {expected}, found {found}")
    return _KEYS[options.action]


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    given = vars(options)
    fields: dict[str, Any] = {key: given[key] for key in ("name", "key") if given.get(key) is not None}
    if options.verb in ("add", "edit"):
        if options.protocol:
            fields["protocols"] = PROTOCOLS if "both" in options.protocol else options.protocol
        if given.get("no_password") and options.protocol != ["sftp"]:
            raise ValueError("--no-password: expected --protocol sftp with it, since FTPS needs a password")
        rights = ("access", "umask", "ftps_max_rate", "comment", "expires", "quota", "quota_files")
        fields.update((key, given[key]) for key in rights if given[key] is not None)
        if options.allowed_sources is not None:
            fields["allowed_sources"] = options.allowed_sources.replace(",", " ").split()
        if options.authorized_keys:
            fields["authorized_keys"] = _public_keys(options.authorized_keys)
    for key in ("locked", "remove_home", "no_password"):
        if given.get(key):
            fields[key] = True
    return {**fields, **_password(options)}


def _password(options: argparse.Namespace) -> dict[str, str]:
    """The password or hash of the request; it is asked for if the verb needs one. Never an argument."""
    if options.verb not in ("add", "edit", "passwd"):
        return {}
    if options.password_stdin or options.hash_stdin:
        return {"password_hash" if options.hash_stdin else "password": _line("password")}
    given = vars(options)
    asks = given.get("password") if options.verb == "edit" else not given.get("no_password")
    return {"password": _ask_password(options.name)} if asks else {}


def _public_keys(path: str) -> Sequence[str]:
    try:
        with open(path, encoding="utf-8") as lines:
            stripped = [line.strip() for line in lines]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "something else"
        raise ValueError(f"{path}: expected public keys, found: {why}") from error
    return [line for line in stripped if line and not line.startswith("#")]


def _line(what: str) -> str:
    """A secret from standard input: its next line."""
    source: TextIO | None = sys.stdin  # None if it is closed
    try:
        line = source.readline() if source is not None else ""
    except (OSError, ValueError):
        line = ""
    if not line.rstrip("\r\n"):
        raise ValueError(f"standard input: expected a line with the {what}, found none")
    return line.rstrip("\r\n")


def _ask_password(name: str) -> str:
    """Ask twice, in the words of the command on the server."""
    if not _has_terminal():
        raise ValueError("expected a terminal to ask for the password; use --password-stdin")
    for attempt in range(_ATTEMPTS):
        password = _ask(f"New password for {_visible(name)}: ")
        if _ask("Repeat the password: ") == password:
            return password
        if attempt + 1 < _ATTEMPTS:
            _say("The passwords differ; try again.")
    raise ValueError("password: expected the same twice, found two different ones")


def _ask_passphrase(path: str) -> str:
    if not _has_terminal():
        raise ConnectionFailed(
            f"{path}: expected a terminal to ask for the passphrase of this key; use --passphrase-stdin, or an SSH"
            " agent instead of --key"
        )
    return _ask(f"Passphrase of {_visible(path)}: ")


def _ask(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise ValueError("expected an answer, found the end of the input") from None


def _has_terminal() -> bool:
    """Whether getpass can ask: it uses the terminal of the session even if standard input is something else."""
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
