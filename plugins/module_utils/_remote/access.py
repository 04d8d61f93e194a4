# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The access for remote control: one account, its keys, what sudo grants it and what sshd allows it.

Three layers enforce the same independently: the key (``restrict`` and a forced command), sshd's own ``Match User``
block, and a sudoers file with one whole command line per client. Facts: sshd(8) "AUTHORIZED_KEYS FILE FORMAT",
sshd_config(5), sudoers(5).
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    InvalidInput,
    Problem,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import did_you_mean, kind_said, value_said
from ansible_collections.secure_ftp.server.plugins.module_utils._host.installer import COMMAND
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import CLOSED, access_problems
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import KEY_TYPES, validate_key
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import RESERVED

DEFAULT_USER = "ftpcontrol"
DEFAULT_KEYS_DIRECTORY = "/etc/ssh/remote_control_keys"
SUDOERS = "/etc/sudoers.d/secure_ftp_remote_control"
SUDO = "/usr/bin/sudo"
OWNER = "remote_control"
"""The owner named in the marks of our block in sshd_config."""

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
"""The name of a client: no character has a meaning in sudoers(5), authorized_keys or a log."""

GECOS = "secure_ftp.server remote control"
"""Tells our account from one that happens to have its name (passwd(5), field 5)."""

HOME = "/"
"""Without a home sshd complains to the client; in this one only root can create an authorized_keys file."""

SHELL = "/bin/sh"
"""sshd runs the forced command as ``SHELL -c COMMAND``; it runs nothing else for this account."""

_KEYS = ("name", "key", "from")
_PROGRAM = re.compile(r"(/[A-Za-z0-9._+@-]+)+\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}\Z")


@dataclass(frozen=True)
class Client:
    """One program or human that may connect, from ``sources``; ``key`` is a public key without options."""

    name: str
    key: str
    sources: tuple[str, ...] = ()
    program: str = COMMAND

    @property
    def command(self) -> str:
        """The command line sudo grants this client, as sudo sees it."""
        return f"{self.program} remote --client={self.name}"

    def key_line(self) -> str:
        """The client's line of authorized_keys."""
        options = ["restrict"]
        if self.sources:
            options.append(f'from="{",".join(self.sources)}"')
        options.append(f'command="{SUDO} -n {self.command}"')
        key_type, blob = self.key.split()[:2]
        return f"{','.join(options)} {key_type} {blob} {self.name}"


def validate_user(user: object) -> str:
    """Return ``user`` if it can be the name of the account; InvalidInput otherwise."""
    if not isinstance(user, str) or not _USER.match(user) or user in RESERVED:
        raise InvalidInput(
            "remote_control_user",
            "the name of a separate account, of lower-case letters, digits, '_' and '-'",
            found=repr(user),
            remedy="choose another name",
        )
    return user


def clients_from_options(entries: object, program: str = COMMAND) -> list[Client]:
    """Check ``remote_control_clients`` (mappings with name, key and optionally from); InvalidInput names the entry.

    ``program`` is where ``ftp-users`` is.
    """
    if not isinstance(program, str) or not _PROGRAM.match(program) or posixpath.normpath(program) != program:
        raise InvalidInput(
            "user_command_path",
            "an absolute path of letters, digits and . _ + @ - without '..'",
            found=repr(program),
            remedy="choose another one",
        )
    if not isinstance(entries, (list, tuple)):
        raise InvalidInput("remote_control_clients", "a list of mappings", found=value_said(entries))
    clients: list[Client] = []
    for index, entry in enumerate(entries):
        client = _client(entry, f"remote_control_clients[{index}]", program)
        for other in clients:
            if other.name == client.name:
                raise InvalidInput(
                    "remote_control_clients", found=f"client {client.name!r} is listed twice", remedy="rename one"
                )
            if other.key.split()[1] == client.key.split()[1]:
                raise InvalidInput(
                    "remote_control_clients",
                    found=f"{other.name!r} and {client.name!r} have the same key",
                    remedy="give each its own key, or the log cannot tell them apart",
                )
        clients.append(client)
    return clients


def _client(entry: object, where: str, program: str) -> Client:
    if not isinstance(entry, Mapping) or not {"name", "key"} <= set(entry) <= set(_KEYS):
        found, remedy = kind_said(entry), ""
        if isinstance(entry, Mapping):
            found = ", ".join(map(str, entry)) or "nothing"
            remedy = did_you_mean(sorted(set(map(str, entry)) - set(_KEYS)), _KEYS)
        raise InvalidInput(where, "a mapping of name, key and optionally from", found=found, remedy=remedy)
    name, key, sources = entry["name"], entry["key"], entry.get("from")
    if not isinstance(name, str) or not LABEL.match(name):
        raise InvalidInput(
            f"{where}: name",
            "a label of at most 32 letters, digits, '.', '_' and '-' that starts with a letter or digit",
            found=repr(name),
        )
    line = validate_key(key, f"{where}: client {name!r}: key")
    if line.split()[0] not in KEY_TYPES:
        raise InvalidInput(
            f"{where}: key", "a public key without options", found="options", remedy="use from for networks"
        )
    if sources is None:
        sources = []
    if not isinstance(sources, (list, tuple)):
        raise InvalidInput(f"{where}: from", "a list of addresses and networks", found=value_said(sources))
    return Client(name, line, tuple(_network(source, where) for source in sources), program)


def _network(source: object, where: str) -> str:
    try:
        if not isinstance(source, str):
            raise ValueError
        # Keep an address as it is. A network must not have host bits set: sshd would refuse the line.
        return str(ipaddress.ip_network(source) if "/" in source else ipaddress.ip_address(source))
    except ValueError:
        raise InvalidInput(
            f"{where}: from", "an address or a network such as 192.0.2.0/24", found=repr(source)
        ) from None


# --- files ---------------------------------------------------------------------------------------------------------

HEADER = "# Managed by Ansible (secure_ftp.server.remote_control); edit remote_control_clients, not this file.\n"


def keys_text(clients: Iterable[Client]) -> str:
    """The authorized_keys file of the account."""
    return HEADER + "".join(f"{client.key_line()}\n" for client in clients)


def sudoers_text(user: str, clients: Iterable[Client]) -> str:
    """The sudoers file: whole command lines only, and a clean environment that still says who is calling.

    ``!use_pty``: since sudo 1.9.14 a terminal is the default, but the request comes through a pipe. sudo drops values
    that begin with ``()`` unless a pattern asks for them; then the command that the client asked for would be lost.
    """
    rules = "".join(f"{user} ALL=(root) NOPASSWD: NOSETENV: {_escaped(client.command)}\n" for client in clients)
    return (
        f"{HEADER}Defaults:{user} env_reset, !setenv, !env_check, !requiretty, !use_pty\n"
        f'Defaults:{user} env_keep = "SSH_CONNECTION SSH_ORIGINAL_COMMAND SSH_ORIGINAL_COMMAND=()*"\n{rules}'
    )


def granted(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The account and the names of the clients in a sudoers file of ``sudoers_text``; None if it grants nothing."""
    rules = re.findall(r"^(\S+) ALL=\(root\) .* remote --client\\=(\S+)$", text, re.MULTILINE)
    return (rules[0][0], tuple(name for _user, name in rules)) if rules else None


def access_here(path: str = SUDOERS) -> tuple[str, tuple[str, ...]] | None:
    """What ``granted`` says of this host."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return granted(file.read())
    except FileNotFoundError:
        return None


def removed_clients(clients: Iterable[Client], path: str = SUDOERS) -> list[str]:
    """The clients who have access to this host, and would lose it to the list ``clients``."""
    present = access_here(path)
    kept = {client.name for client in clients}
    return [name for name in (present[1] if present else ()) if name not in kept]


def _escaped(command: str) -> str:
    return re.sub(r"([,:=\\])", r"\\\1", command)


def sshd_settings(keys_directory: str) -> dict[str, str]:
    """The options of the account's ``Match User`` block; ``sshd -T`` must answer each of them too.

    There is no ForceCommand: it would replace that of the key, which says who is calling.
    """
    return {
        "AuthenticationMethods": "publickey",
        "PubkeyAuthentication": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AuthorizedKeysFile": f"{keys_directory}/%u",
        # A certificate, or a program that finds keys, would come without the forced command.
        "AuthorizedKeysCommand": "none",
        "TrustedUserCAKeys": "none",
        "DisableForwarding": "yes",
        **CLOSED,
    }


def sshd_problems(
    user: str, groups: Sequence[str], values: Mapping[str, Sequence[str]], keys_directory: str
) -> list[Problem]:
    """Compare the settings of the account from ``effective`` with the wanted ones."""
    wanted = {**sshd_settings(keys_directory), "ForceCommand": "none", "ChrootDirectory": "none"}
    problems = []
    for keyword, expected in wanted.items():
        found = " ".join(values.get(keyword.lower(), [expected]))  # what this sshd does not print cannot be judged
        if found != expected:
            problems.append(Problem(keyword.lower(), expected, found))
    return problems + access_problems(user, groups, values)


def sudo_problems(user: str, clients: Iterable[Client], listing: str) -> list[str]:
    """What sudo grants ``user`` besides the command lines of ``clients``, and which of those it does not grant.

    ``listing`` is what ``sudo -l -U user`` prints in the C locale.
    """
    _defaults, _blank, rules = listing.partition("may run the following commands")
    # A long rule goes on in a line with more indentation.
    granted = re.sub(r"\n {5,}", " ", rules).splitlines()[1:]
    wanted = {f"(root) NOSETENV: NOPASSWD: {_escaped(client.command)}" for client in clients}
    order = re.compile(r"((?:NOPASSWD|NOSETENV): ){2}")
    found = {order.sub("NOSETENV: NOPASSWD: ", line.strip()) for line in granted if line.strip()}
    return [f"expected {rule}, found it missing" for rule in sorted(wanted - found)] + [
        f"expected nothing else for {user}, found {rule}" for rule in sorted(found - wanted)
    ]


def problems(settings: Settings, names: Iterable[object]) -> list[Problem]:
    """Every problem of the variables; ``names`` are the users of ``ftp_users``. For the preflight."""
    found = []
    try:
        user = validate_user(settings.remote_control_user)
        if user in names:
            said = "is the account of remote control, remote_control_user"
            found.append(Problem(f"ftp_users: user {user!r}", found=said, remedy="rename one"))
    except SecureFtpError as error:
        found.append(error.problem)
    try:
        clients_from_options(settings.remote_control_clients, settings.user_command_path)
    except SecureFtpError as error:
        found.append(error.problem)
    return found
