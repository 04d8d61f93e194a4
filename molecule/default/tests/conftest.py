# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The finished servers, and a client host beside them that everything is tried from.

Servers come from the environment variable SECURE_FTP_SERVERS (container names, comma-separated), else from
Molecule's inventory (every host in it but the client), else from the running containers named
``secure-ftp-PLATFORM``. The client is SECURE_FTP_CLIENT, else ``secure-ftp-client``. Traffic goes over the
containers' network; only looking at a server's state goes through the container engine.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from testinfra.backend.base import CommandResult
from testinfra.backend.local import LocalBackend
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = ROOT / "tests" / "support"
sys.path.insert(0, str(SUPPORT))
import inside

os.environ.setdefault("CONTAINERS_CONF", str(ROOT / "tests" / "containers" / "containers.conf"))

CLIENT_NAME = os.environ.get("SECURE_FTP_CLIENT", "secure-ftp-client")
CLIENT_DIRECTORY = f"/var/tmp/secure-ftp-verify/{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
BIG_FILE = f"{CLIENT_DIRECTORY}/50m"
INVENTORY = os.environ.get("SECURE_FTP_INVENTORY", str(ROOT / ".work" / "molecule" / "inventory.yml"))
KEY_FILE = os.environ.get("SECURE_FTP_KEY", str(ROOT / ".work" / "molecule" / "id_ed25519"))

# What converge.yml asks for.
PASSWORDS = {
    "batman": "bat-Cave!1 deep",
    "robin": "Robin#2 nest",
    "oracle": "oracle-Sees=All",
}
PASSIVE_PORTS = range(50000, 50050)
MAX_PER_IP = 20
SFTP_JAIL = "/home/sftp"
CONTROL_PORTS = {"explicit": 21, "implicit": 990}
PLATFORM = r"(?:debian\d+|ubuntu\d+|[a-z]+-alike)"


def podman(*arguments: str) -> subprocess.CompletedProcess:
    """Run podman; the caller judges the result."""
    return subprocess.run(
        ["podman", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False
    )


def wait_until(
    happened: Callable[[], bool], seconds: float = 15, state: Callable[[], object] = lambda: "it did not come to pass"
) -> None:
    """Wait until something has happened; ``state`` is shown when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, state()
        time.sleep(0.1)


def ansible(program: str, *arguments: str) -> str:
    """Run ``ansible`` or ``ansible-playbook`` of this environment from the top of the project; it must succeed."""
    result = subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        env={**os.environ, "SECURE_FTP_KEY": KEY_FILE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def run_module(server: Server, name: str, options: dict, password: str, folder: Path) -> str:
    """Run a module from the command line; ``{{ the_password }}`` in ``options`` is ``password``, kept in ``folder``."""
    secrets = folder / "secrets.json"
    secrets.touch(mode=0o600)
    secrets.write_text(json.dumps({"the_password": password}))
    return ansible(
        "ansible",
        server.name,
        f"--inventory={server.name},",
        f"--extra-vars={json.dumps(inside.variables(server.name))}",
        f"--extra-vars=@{secrets}",
        f"--module-name=secure_ftp.server.{name}",
        f"--args={json.dumps(options)}",
    )


def _podman(*arguments: str) -> str:
    result = podman(*arguments)
    assert result.returncode == 0, f"podman {' '.join(arguments)}: {result.stderr.strip()}"
    return result.stdout


class Client:
    """The client host: shell commands and the scenarios of tests/support/scenarios.py."""

    def __init__(self, name: str):
        self.name = name

    def sh(self, script: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a shell script handed over on standard input; with ``check`` it must succeed."""
        result = inside.run(self.name, "bash", "-s", stdin=script)
        if check:
            assert result.returncode == 0, f"client: rc {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def ask(self, scenario: str, **request):
        """Run one scenario and return its answer; an answer that is an error fails the test."""
        answer = self.try_(scenario, **request)
        assert "error" not in answer, f"{scenario}: {answer['error']}"
        return answer["answer"]

    def try_(self, scenario: str, **request) -> dict:
        """Run one scenario and return {"answer": ...} or {"error": ...}."""
        with self._asked(scenario, request) as connection:
            answer = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        assert "crash" not in answer, f"{scenario}: {answer['crash']}"
        return answer

    def start(self, scenario: str, **request) -> None:
        """Begin one scenario that does not answer."""
        self._asked(scenario, request).close()

    def _asked(self, scenario: str, request: dict) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(400)  # a transfer may wait for a run of the playbook
        connection.connect(inside.path(self.name, f"{CLIENT_DIRECTORY}/socket"))
        connection.sendall(json.dumps({"scenario": scenario, **request}).encode())
        connection.shutdown(socket.SHUT_WR)
        return connection

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Have scenarios.py wait for requests."""
        words = ("python3", f"{CLIENT_DIRECTORY}/scenarios.py", f"{CLIENT_DIRECTORY}/socket")
        process = subprocess.Popen(
            inside.command(self.name, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        yield
        process.communicate(timeout=60)


class Namespaces(LocalBackend):
    """Testinfra's commands on a server, by its namespaces: ``podman exec``, its own way, takes ten times as long."""

    def __init__(self, server: str):
        super().__init__()
        self.server = server

    def run(self, command: str, *args: str, **_more: Any) -> CommandResult:
        line = inside.command(self.server, "/bin/sh", "-c", self.get_command(command, *args))
        return self.run_local(shlex.join(line))


@dataclass
class Server:
    """One finished server: where it is, how to look inside, and what the client needs to trust it."""

    name: str
    client: Client = field(repr=False)

    @cached_property
    def host(self):
        """The testinfra host."""
        return Host(Namespaces(self.name))

    @cached_property
    def address(self) -> str:
        """The address the client reaches it at."""
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return _podman("container", "inspect", "--format", template, self.name).strip()

    @cached_property
    def one_home(self) -> bool:
        """Whether each user has one home for both protocols, else one for each."""
        return has_one_home(self.name)

    @property
    def ftps_root(self) -> str:
        """The directory of the homes over FTPS."""
        return SFTP_JAIL if self.one_home else "/home/vftp"

    def ftps_home(self, user: str) -> str:
        """Where the files of ``user`` are over FTPS."""
        return f"{self.ftps_root}/{user}"

    def ftps_owner(self, user: str) -> str:
        """Whose files those are, and who runs the sessions."""
        return user if self.one_home else "ftp"

    def homes(self, user: str) -> list[str]:
        """The home of ``user``, or that of SFTP and that of FTPS."""
        return list(dict.fromkeys((f"{SFTP_JAIL}/{user}", self.ftps_home(user))))

    def sh(self, script: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a shell script on the server as root; with ``check`` it must succeed."""
        result = inside.run(self.name, "bash", "-s", stdin=script)
        if check:
            assert result.returncode == 0, f"{self.name}: rc {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def unmount(self, point: str) -> None:
        """Unmount what is mounted at ``point`` as soon as the sessions that were just closed have left it."""
        wait_until(
            lambda: self.sh(f"umount {point}", check=False).returncode == 0,
            state=lambda: self.sh(f"fuser --verbose --mount {point} 2>&1", check=False).stdout,
        )

    @property
    def directory(self) -> str:
        """This server's directory on the client."""
        return f"{CLIENT_DIRECTORY}/{self.name}"

    @property
    def ca_file(self) -> str:
        """The server's certificate, on the client."""
        return f"{self.directory}/ca.pem"

    @property
    def known_hosts(self) -> str:
        """The server's SSH host keys, on the client."""
        return f"{self.directory}/known_hosts"

    def ftps(self, user: str, tls: str = "explicit", **more) -> dict:
        """Log-in arguments of the FTPS scenarios."""
        return {
            "host": self.address,
            "ca_file": self.ca_file,
            "user": user,
            "password": PASSWORDS[user],
            "implicit": tls == "implicit",
            **more,
        }

    def ftps_login(self, user: str, password: str, tls: str = "explicit") -> dict:
        """Try one FTPS login: {"granted": ..., "reply": ...}."""
        return self.client.ask(
            "ftps_login", host=self.address, ca_file=self.ca_file, user=user, password=password, tls=tls
        )

    def ssh(self, user: str, **more) -> dict:
        """Log-in arguments of the SSH scenarios; the password unless ``key_file`` or ``password`` is given."""
        credential = {} if more.keys() & {"key_file", "password"} else {"password": PASSWORDS[user]}
        return {"host": self.address, "user": user, "known_hosts": self.known_hosts, **credential, **more}

    def sftp_login(self, user: str, **more) -> dict:
        """Try one SFTP login: {"granted": ..., "reply": ...}."""
        return self.client.ask("sftp_login", login=self.ssh(user, **more))

    def clear(self) -> None:
        """Remove what a verification that was cut short has left in the homes."""
        homes = " ".join(home for user in ("batman", "robin", "oracle", "alfred") for home in self.homes(user))
        harvey = " ".join(self.homes("harvey"))
        # What is mounted in a home is not of a test: the shared folder of converge.yml.
        self.sh(f"find {homes} -xdev -mindepth 1 -delete 2>/dev/null; rm -rf {SFTP_JAIL}/tmp {harvey}")

    def prepare_client(self) -> None:
        """Hand the certificate and the host keys to the client, over the container engine."""
        answer = self.sh(
            "cat \"$(sed -n 's/^rsa_cert_file=//p' /etc/vsftpd.conf)\"; echo =====; cat /etc/ssh/ssh_host_*_key.pub"
        ).stdout
        certificate, keys = answer.split("=====\n")
        known = "".join(f"{self.address} {' '.join(line.split()[:2])}\n" for line in keys.splitlines() if line)
        self.client.sh(
            f"mkdir -p {self.directory}; cd {self.directory}\n"
            f"cat >ca.pem <<'END'\n{certificate}END\n"
            f"cat >known_hosts <<'END'\n{known}END\n"
        )


@dataclass
class Answer:
    """How a program on the client host ended."""

    status: int
    output: str
    errors: str

    @property
    def json(self):
        """Its output, which must be one JSON document."""
        return json.loads(self.output)


@dataclass
class Control:
    """Remote control of one server from the client host: OpenSSH, and the collection's clients."""

    server: Server
    key_file: str = f"{CLIENT_DIRECTORY}/control"
    user: str = "ftpcontrol"

    def login(self, **more) -> dict:
        """Log-in arguments of the SSH scenarios."""
        return self.server.ssh(self.user, key_file=self.key_file, **more)

    def ssh(self, data: bytes | dict = b"", command: str = "ftp-users", options: str = "") -> Answer:
        """Hand ``data`` to ``ssh`` as its standard input, as it is or as JSON; stderr carries ``-v``.

        Since OpenSSH 9.8 sshd turns away for a while who failed to log in several times: such an answer says nothing.
        """
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        for _attempt in range(5):
            self.server.client.ask("banner", host=self.server.address)
            answer = self._run(
                f"ssh -v -i {self.key_file} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
                f" -o UserKnownHostsFile={self.server.known_hosts} -o ConnectTimeout=20 {options}"
                f" {self.user}@{self.server.address} {shlex.quote(command)}",
                raw,
            )
            if "Not allowed at this time" not in answer.errors:
                break
        return answer

    def run(self, client: str, *words: str, options: str = "", stdin: str = "") -> Answer:
        """Run the ``python`` or ``php`` client with ``words`` (a verb and its operands) and options of the verb."""
        place = f"--host={self.server.address} --key={self.key_file} --known-hosts={self.server.known_hosts}"
        place += " --patience=120"  # sshd may turn away who failed to log in several times, see ssh() above
        verb, *operands = map(shlex.quote, words)
        rest = " ".join(operands)
        line = {
            "python": f"python3 {CLIENT_DIRECTORY}/python/ftp_users_client.py {place} {verb} {options} {rest}",
            "php": f"php {CLIENT_DIRECTORY}/php/ftp-users.php {place} {options} {verb} {rest}",
        }[client]
        return self._run(line, stdin.encode())

    def at_once(self, calls: list, **connect) -> list[dict]:
        """Make every call [verb, fields] in the same moment, each over a connection of its own."""
        place = {"host": self.server.address, "key_file": self.key_file, "known_hosts": self.server.known_hosts}
        # So many take minutes on a machine that is busy with other servers, too.
        place["patience"] = 500
        data = json.dumps({"connect": {**place, **connect}, "calls": calls}).encode()
        answer = self._run(f"python3 {CLIENT_DIRECTORY}/remote.py {CLIENT_DIRECTORY}/python", data, timeout=600)
        assert answer.status == 0, answer.errors
        return answer.json

    def _run(self, line: str, stdin: bytes, timeout: float = 180) -> Answer:
        # Everything goes through this shell's standard input, as text that means nothing to it.
        script = f"base64 -d <<'END' | {line}\n{base64.encodebytes(stdin).decode()}END\n"
        result = inside.run(self.server.client.name, "bash", "-s", stdin=script, timeout=timeout)
        return Answer(result.returncode, result.stdout, result.stderr)


def _server_names() -> list[str]:
    given = os.environ.get("SECURE_FTP_SERVERS", "")
    if given:
        return given.split(",")
    inventory = os.environ.get("MOLECULE_INVENTORY_FILE", "")
    if inventory and Path(inventory).exists():
        tool = Path(sys.executable).parent / "ansible-inventory"
        listing = subprocess.run([tool, "-i", inventory, "--list"], capture_output=True, text=True, check=True)
        hosts = json.loads(listing.stdout)["_meta"]["hostvars"]
        names = {facts.get("ansible_host", name) for name, facts in hosts.items()}
    else:
        names = set(_podman("ps", "--format", "{{.Names}}").split())
    return sorted(name for name in names if re.fullmatch(rf"secure-ftp-{PLATFORM}", name))


@cache
def has_one_home(name: str) -> bool:
    """Whether the server ``name`` gives each user one home: inventory and vsftpd say so (tests/containers/molecule)."""
    settings = Path(inside.path(name, "/etc/vsftpd.conf")).read_text(encoding="utf-8").splitlines()
    return f"local_root={SFTP_JAIL}/$USER" in settings


def platform_of(name: str) -> str:
    """The platform of the server ``name``, which ends in it."""
    return re.search(rf"{PLATFORM}\Z", name).group()


def is_alike(name: str) -> bool:
    """Whether the server ``name`` is a look-alike, which is not what it says it is."""
    return platform_of(name).endswith("-alike")


def _belongs(item: pytest.Item, name: str, full: list[str]) -> bool:
    """Whether a test is to run on the server ``name``; ``full`` are the servers that are no look-alikes."""
    only = item.get_closest_marker("only")
    if only:
        return platform_of(name) in only.args
    if not _has_layout(item, name):
        return False
    if is_alike(name):
        return item.get_closest_marker("alike") is not None
    if item.get_closest_marker("spread") and not os.environ.get("SECURE_FTP_EVERYWHERE"):
        fit = [one for one in full if _has_layout(item, one)]
        return name == fit[zlib.crc32(item.nodeid.replace(name, "").encode()) % len(fit)]
    return True


def _has_layout(item: pytest.Item, name: str) -> bool:
    """Whether the server ``name`` has the homes that a test is about."""
    if item.get_closest_marker("one_home"):
        return has_one_home(name)
    return not (item.get_closest_marker("two_homes") and has_one_home(name))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes ``server`` once for each server; no server at all is an error."""
    if "server" in metafunc.fixturenames:
        names = _server_names()
        if not names:
            raise pytest.UsageError("no server container is running; converge the scenario first")
        metafunc.parametrize("server", names, indirect=True, scope="session")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "spread: hardly differs between platforms, so it runs on one of the servers")
    config.addinivalue_line("markers", "alike: runs on look-alikes too")
    config.addinivalue_line("markers", "one_home: about servers where each user has one home for both protocols")
    config.addinivalue_line("markers", "two_homes: about servers with one home for each protocol (per_protocol)")
    config.addinivalue_line("markers", "only(platform, ...): runs on servers of these platforms and no other")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a test marked ``spread`` on one server, which its name decides: together such tests cover all servers.

    With SECURE_FTP_EVERYWHERE set each runs on each. A look-alike gets the tests marked ``alike`` only.
    """
    full = [name for name in _server_names() if not is_alike(name)]
    kept, left_out = [], []
    for item in items:
        server = getattr(item, "callspec", None) and item.callspec.params.get("server")
        (kept if not server or _belongs(item, server, full) else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``-n``, give each server to one worker: tests of the same server would disturb each other."""
    from xdist.scheduler import LoadScopeScheduling

    names = _server_names()

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            parameters = nodeid.partition("[")[2]  # of which the server need not be the first
            return next((name for name in names if name in parameters), nodeid)

    return ByServer(config, log)


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """The client host, with the scenarios, the key and a 50 MB random file in place."""
    client = Client(CLIENT_NAME)
    client.sh(f"mkdir -p {CLIENT_DIRECTORY} && test -s {BIG_FILE} || head -c 50000000 /dev/urandom >{BIG_FILE}")
    for name in ("ftps.py", "ssh.py", "scenarios.py", "remote.py", "flaky.py"):
        _podman("cp", str(SUPPORT / name), f"{CLIENT_NAME}:{CLIENT_DIRECTORY}/{name}")
    _podman("cp", KEY_FILE, f"{CLIENT_NAME}:{CLIENT_DIRECTORY}/key")
    for name in ("control", "elsewhere"):
        _podman("cp", str(Path(KEY_FILE).parent / f"id_{name}"), f"{CLIENT_NAME}:{CLIENT_DIRECTORY}/{name}")
    for name in ("python", "php"):
        client.sh(f"rm -rf {CLIENT_DIRECTORY}/{name}")
        _podman("cp", str(ROOT / "clients" / name), f"{CLIENT_NAME}:{CLIENT_DIRECTORY}/{name}")
    client.sh(f"cd {CLIENT_DIRECTORY}; chown root:root key control elsewhere; chmod 600 key control elsewhere")
    with client.answering():
        yield client


@pytest.fixture(scope="session")
def key_file() -> str:
    """The private key batman and alfred are authorized by, on the client."""
    return f"{CLIENT_DIRECTORY}/key"


_prepared: dict[str, Server] = {}


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, client: Client) -> Server:
    """One finished server."""
    if request.param not in _prepared:
        server = Server(request.param, client)
        server.clear()
        server.prepare_client()
        _prepared[request.param] = server
    return _prepared[request.param]


@pytest.fixture()
def control(server: Server) -> Control:
    """Remote control of one server, with the key of the client ``tests``."""
    return Control(server)
