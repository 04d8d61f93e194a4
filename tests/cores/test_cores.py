"""site.yml with its defaults, from the installed collection: a bare host becomes a server that users log in to.

make cores                     by each release of ansible-core, on Debian 12
make platforms                 by the newest of them, on each platform
tests/cores/run 2.16 -k ...    one of them; SECURE_FTP_PLATFORMS="debian11 debian12" chooses platforms
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Iterator

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import ftps
import inside
import ssh

RIG = str(ROOT / "tests" / "containers" / "rig")
CORES = dict(word.split("=") for word in os.environ["SECURE_FTP_CORES"].split())
WAY_IN = Path(sysconfig.get_path("purelib"), "ansible_collections", "community", "docker")
# Where the policy of the host starts no daemon on installation, sshd runs only after the first of them.
SSHD_IS_TO_READ = r"Let the running sshd read its configuration\] \*+\n(?:task path: .*\n)?(changed|skipping): "
PLATFORMS = os.environ.get("SECURE_FTP_PLATFORMS", "debian12").split()
USERS = [{"name": "batman", "password": "bat-Cave!1 deep"}, {"name": "robin", "password": "Robin#2 nest"}]


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PLATFORMS)
def host(core: str, request: pytest.FixtureRequest) -> Iterator[str]:
    platform = request.param
    if subprocess.run([RIG, "available", platform], check=False).returncode:
        pytest.skip(f"{platform} NOT TESTED: no registry gave its image")
    name = f"{os.environ.get('SECURE_FTP_PREFIX', 'secure-ftp')}-core-{core}-{platform}"
    subprocess.run([RIG, "host-down", name], check=True)
    subprocess.run([RIG, "host", name, platform], check=True)
    yield name
    if not os.environ.get("SECURE_FTP_KEEP"):
        subprocess.run([RIG, "host-down", name], check=True)


@pytest.fixture
def collections(core: str, tmp_path: Path) -> Path:
    """A collections path that holds nothing but the installed tarball, and the tests' way into a container."""
    build = [
        str(Path(sys.executable).parent / "ansible-galaxy"),
        "collection",
        "build",
    ]  # by the newest: it wants distlib
    subprocess.run([*build, "--output-path", str(tmp_path), str(ROOT)], check=True)
    (tarball,) = tmp_path.glob("*.tar.gz")
    path = tmp_path / "collections"
    offline = ("--offline", "--no-deps", "--force")
    subprocess.run(
        [f"{CORES[core]}/bin/ansible-galaxy", "collection", "install", *offline, str(tarball), "-p", str(path)],
        check=True,
    )
    (path / "ansible_collections" / "community").mkdir()
    (path / "ansible_collections" / "community" / "docker").symlink_to(WAY_IN)
    return path


def play(
    core: str, inventory: Path, collections: Path, playbook: str = "secure_ftp.server.site", warning: str = ""
) -> str:
    """Run a playbook away from the repository; return its output. It must succeed, with no other ``warning``."""
    done = subprocess.run(
        [f"{CORES[core]}/bin/ansible-playbook", "-vv", "-i", str(inventory), playbook],
        cwd=collections,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # Such as: a collection does not support this ansible-core; something will be removed. Podman has nothing to reset.
    said = set(re.findall(r"^\[(?:WARNING|DEPRECATION WARNING)\].*", done.stdout, re.MULTILINE))
    assert said <= {"[WARNING]: Reset is not implemented for this connection", warning}, done.stdout
    return done.stdout


def on_host(name: str, *command: str) -> str:
    return subprocess.run(inside.command(name, *command), check=True, capture_output=True, text=True).stdout


def test_it_is_that_release_and_no_collection_beside_it(core: str) -> None:
    said = subprocess.run(
        [f"{CORES[core]}/bin/ansible", "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert said.startswith(f"ansible [core {core}.")
    assert list(Path(CORES[core]).glob("lib/*/site-packages/ansible"))
    assert not list(Path(CORES[core]).glob("lib/*/site-packages/ansible_collections"))


def test_site_yml_makes_a_server_of_a_bare_host_and_changes_nothing_again(
    core: str, host: str, collections: Path, tmp_path: Path
) -> None:
    connection = inside.variables(host)
    inventory = tmp_path / "hosts.yml"
    key = tmp_path / "control"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    clients = [{"name": "portal", "key": key.with_suffix(".pub").read_text().strip()}]
    variables = {"ftp_users": USERS, "remote_control_clients": clients}
    inventory.write_text(yaml.safe_dump({"ftp": {"hosts": {host: connection}, "vars": variables}}))
    first = play(core, inventory, collections)
    paths = re.findall(r"^task path: (.*)", first, re.MULTILINE)
    assert paths and all(path.startswith(f"{collections}/") for path in paths), paths
    assert re.search(r" changed=[1-9]", first.rsplit("PLAY RECAP", 1)[1])
    # Both roles that write sshd's configuration have it read, each by its handler.
    assert len(re.findall(SSHD_IS_TO_READ, first)) == 2, first
    again = play(core, inventory, collections)
    assert re.search(r" changed=0 ", again.rsplit("PLAY RECAP", 1)[1]), again
    transfer(host, tmp_path)
    alone = tmp_path / "alone.yml"
    roles = {"hosts": "ftp", "become": True, "roles": ["secure_ftp.server.remote_control"]}
    alone.write_text(yaml.safe_dump([{**roles, "vars": {"remote_control_clients": []}}]))
    removed = "[WARNING]: remote control: the access of portal was removed:"
    assert re.findall(SSHD_IS_TO_READ, play(core, inventory, collections, str(alone), removed)) == ["changed"]


def transfer(host: str, folder: Path) -> None:
    """One file up by FTPS and another by SFTP, both back; a wrong password lets nobody in."""
    address = subprocess.run([RIG, "address", host], check=True, capture_output=True, text=True).stdout.strip()
    certificate = folder / "server.crt"
    certificate.write_text(on_host(host, "cat", "/etc/vsftpd/server.crt"))
    known = folder / "known_hosts"
    known.write_text(f"{address} {on_host(host, 'cat', '/etc/ssh/ssh_host_ed25519_key.pub')}")
    payload = folder / "up.bin"
    payload.write_bytes(os.urandom(200_000))
    name, password = USERS[0]["name"], USERS[0]["password"]
    with contextlib.closing(ftps.connect(address, str(certificate), name, password)) as ftp:
        with payload.open("rb") as file:
            ftp.storbinary("STOR up.bin", file)
        back: list[bytes] = []
        ftp.retrbinary("RETR up.bin", back.append)
    assert b"".join(back) == payload.read_bytes()
    with contextlib.closing(ssh.connect(address, name, str(known), password)) as client, client.open_sftp() as sftp:
        sftp.put(str(payload), "again.bin")
        sftp.get("again.bin", str(folder / "back.bin"))
    assert (folder / "back.bin").read_bytes() == payload.read_bytes()
    with pytest.raises(ftps.ftplib.error_perm):
        ftps.connect(address, str(certificate), name, USERS[1]["password"])
