"""Each inventory of examples/, copied, its vault encrypted, run twice on a bare server; then real clients.

make examples                          all of them, on Debian 12 (or PLATFORM=debian13), on one container
.venv/bin/pytest -p no:cacheprovider tests/examples/test_keys.py
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import bare
import inside
import ssh

BIN = Path(sys.executable).parent
HOST = "files.example.net"
ADMIN = "admin"
LOGIN_DENIED = 67
"""The exit status of curl(1) after a refused name or password."""
MORE_BARE = """
ip netns delete outside; iptables -t nat -F
ufw --force reset; rm -f /etc/ufw/*.20*
userdel ftpcontrol; rm -rf /etc/sudoers.d/secure_ftp* /etc/ssh/remote_control_keys /var/lib/secure_ftp.server
groupdel sftpusers
"""
# Whom the inventories name as ansible_user.
AS_MEANT = f"useradd -m -s /bin/bash -G sudo {ADMIN}"


@dataclass(frozen=True)
class Wanted:
    """What a test module says about its example."""

    name: str
    over_ssh: bool = False
    """Whether Ansible connects as an operator's: by SSH, as the user of the inventory, with a password for sudo."""
    used_before_the_second_run: bool = False
    """Whether a test of the module makes the second run, after others have used the server."""
    certificate: str = "/etc/vsftpd/server.crt"
    certificate_name: str = HOST
    """What the server's certificate calls it."""


@dataclass
class Example:
    """A server made of one example."""

    wanted: Wanted
    folder: Path
    """The copy; keys of the tests are beside those in keys/, without the suffix."""
    host: bare.Container
    address: str
    passwords: dict[str, str] = field(default_factory=dict)
    """Those of the vault, by the name of the user."""

    @property
    def url(self) -> str:
        """A file of whoever logs in over FTPS with explicit TLS."""
        return f"ftp://{self.wanted.certificate_name}/up.bin"

    @property
    def inventory(self) -> str:
        return (self.folder / "inventory.yml").read_text(encoding="utf-8")

    def by_hand(self, when: str) -> list[str]:
        """The commands that the comments of the inventory tell the operator to type, below "By hand, ... ``when``"."""
        (part,) = re.findall(rf"^# By hand, [^\n]*{when}(.*?)(?=^# By hand|^ftp:)", self.inventory, re.M | re.S)
        commands = re.findall(r"^#   (sudo .*)$", part, re.M)
        assert commands, part
        return commands

    def run(self, *options: str) -> str:
        """site.yml with this inventory; it must succeed."""
        done = self.try_(*options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def changes_nothing(self) -> None:
        """One more run."""
        again = self.run()
        assert re.search(r" changed=0 .* failed=0 ", again), again

    def try_(self, *options: str) -> subprocess.CompletedProcess[str]:
        """The same, whatever becomes of it."""
        beside = self.folder.parent
        inventories = ["-i", self.folder / "inventory.yml", "-i", beside / "connection.yml"]
        return subprocess.run(
            [BIN / "ansible-playbook", *inventories, f"--vault-password-file={beside}/word", *options]
            + [ROOT / "playbooks/site.yml"],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(beside / "cp"),
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=570,
            check=False,
        )

    def findings(self) -> list[str]:
        """The subjects of what ``ftp-users check`` finds; its exit status must agree."""
        done = self.host.sh("ftp-users check --json", check=False)
        found = json.loads(done.stdout)["findings"]
        worst = {"warning": 10, "error": 11}
        assert done.returncode == max((worst[one["severity"]] for one in found), default=0), done.stdout
        return sorted(one["subject"] for one in found)

    def certificate(self) -> str:
        """A file of this machine with the certificate of the server."""
        path = self.folder.parent / "server.crt"
        path.write_text(self.host.sh(f"openssl x509 -in {self.wanted.certificate}").stdout, encoding="ascii")
        return str(path)

    def curl(
        self, user: str, password: str, url: str, *options: str, inside_of: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        """curl with ``url``; it insists on TLS and on the certificate of the server.

        ``inside_of`` a network namespace of the container; otherwise on this machine.
        """
        command = ["curl", "-sS", "--ssl-reqd", "--cacert", self.certificate(), "--max-time", "20", "--config", "-"]
        command += ["--resolve", f"{self.wanted.certificate_name}:21:{self.address}"]
        command += [*options, url]
        if inside_of:
            command = [*self.namespace(inside_of), *command]
        login = f'user = "{user}:{password}"\n'.encode()
        return subprocess.run(command, input=login, capture_output=True, timeout=60, check=False)

    def namespace(self, name: str) -> list[str]:
        """What runs a program of this machine in a network namespace of the container."""
        pid = (inside.PIDS / self.host.name).read_text(encoding="ascii")
        return ["nsenter", f"--net=/proc/{pid}/root/run/netns/{name}"]

    def ftps(self, user: str, password: str, url: str = "", *options: str, inside_of: str = "") -> bool:
        """Whether ``user`` gets in over FTPS; a file goes up and comes back."""
        payload = self.folder.parent / "up.bin"
        payload.write_bytes(secrets.token_bytes(100_000))
        where = url or self.url
        up = self.curl(user, password, where, "--upload-file", str(payload), *options, inside_of=inside_of)
        if up.returncode == LOGIN_DENIED:
            return False
        down = self.curl(user, password, where, *options, inside_of=inside_of)
        assert (up.returncode, down.returncode) == (0, 0), (up.stderr, down.stderr)
        assert down.stdout == payload.read_bytes()
        return True

    def known_hosts(self, address: str = "") -> str:
        """A file of this machine with the host keys of the server, at ``address`` or its own one."""
        path = self.folder.parent / "known_hosts"
        lines = self.host.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub").stdout.splitlines()
        path.write_text("".join(f"{address or self.address} {line}\n" for line in lines), encoding="ascii")
        return str(path)

    def key(self, name: str) -> str:
        """The private half of a key in keys/ of the copy."""
        return str(self.folder / "keys" / name)

    def sftp(self, user: str, password: str | None = None, key: str | None = None) -> bool:
        """Whether ``user`` gets in over SFTP; a file goes up and comes back."""
        payload = secrets.token_bytes(100_000)
        try:
            client = ssh.connect(self.address, user, self.known_hosts(), password, key)
        except ssh.paramiko.AuthenticationException:
            return False
        with client, client.open_sftp() as sftp:
            with sftp.open("up.bin", "wb") as file:
                file.write(payload)
            with sftp.open("up.bin", "rb") as file:
                assert file.read() == payload
        return True


@pytest.fixture(scope="session")
def container() -> Iterator[bare.Container]:
    """The host of all examples, with every package but vsftpd."""
    with bare.started("examples", "ufw") as name:
        yield bare.Container(name)


@pytest.fixture(scope="module")
def bare_host(container: bare.Container) -> bare.Container:
    """The host, bare again."""
    container.sh(bare.BARE + MORE_BARE, check=False)
    container.sh(AS_MEANT)
    return container


@pytest.fixture(scope="module")
def copied(
    bare_host: bare.Container, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Example:
    """The example as an operator prepares it: copied, with keys of its users, its vault encrypted."""
    wanted = request.module.WANTED
    beside = tmp_path_factory.mktemp(wanted.name)
    folder = beside / "example"
    shutil.copytree(ROOT / "examples" / wanted.name, folder)
    address = subprocess.check_output([bare.RIG, "address", bare_host.name], text=True).strip()
    example = Example(wanted, folder, bare_host, address)
    for public in folder.glob("keys/*.pub"):
        public.unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", public.with_suffix("")], check=True)
    (beside / "word").write_text(secrets.token_urlsafe(16), encoding="ascii")
    vault = folder / "group_vars/ftp/vault.yml"
    if vault.exists():
        said = yaml.safe_load(vault.read_text(encoding="utf-8"))
        example.passwords = {name.partition("_")[2]: password for name, password in said.items()}
        encrypt = [BIN / "ansible-vault", "encrypt", f"--vault-password-file={beside}/word", vault]
        subprocess.run(encrypt, check=True, capture_output=True)
        assert vault.read_text(encoding="ascii").startswith("$ANSIBLE_VAULT;")
    connection = _over_ssh(example) if wanted.over_ssh else inside.variables(bare_host.name)
    (beside / "connection.yml").write_text(json.dumps({"ftp": {"hosts": {HOST: connection}}}), encoding="ascii")
    return example


def _over_ssh(example: Example) -> dict[str, str]:
    """Let the administrator in by a key, and let sudo ask for a password: how Ansible then connects."""
    beside, password = example.folder.parent, secrets.token_urlsafe(16)
    key = beside / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    let_in = [str(bare.RIG), "let-in", example.host.name, ADMIN, f"{key}.pub"]
    known = subprocess.run(let_in, input=f"{password}\n", capture_output=True, text=True, check=True).stdout
    (beside / "known_hosts_of_ansible").write_text(known, encoding="ascii")
    return {
        "ansible_host": example.address,
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={beside}/known_hosts_of_ansible -o IdentitiesOnly=yes",
        "ansible_become_password": password,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


@pytest.fixture(scope="module")
def prepared(copied: Example) -> Example:
    """The example before its first run; a module may do here what is to be done by hand."""
    return copied


@pytest.fixture(scope="module")
def example(prepared: Example) -> Example:
    """The server: the first run changes something, the second one nothing."""
    first = prepared.run()
    assert re.search(r" changed=[1-9]", first), first
    if not prepared.wanted.used_before_the_second_run:
        prepared.changes_nothing()
    return prepared


def outside(example: Example, client: str, server: str) -> None:
    """Make a network beside the server, with one more host: the namespace ``outside``, whose address is ``client``."""
    example.host.sh(
        f"""set -e
        ip netns add outside; ip link add far type veth peer name eth0 netns outside
        ip address add {server} dev far; ip link set far up
        ip -n outside address add {client} dev eth0; ip -n outside link set eth0 up"""
    )
