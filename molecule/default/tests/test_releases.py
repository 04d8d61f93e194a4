# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs from release to release: the table says what is there, and what is odd about a release is no trouble.

``focal-alike`` and ``noble-alike`` are Debian hosts with some habits of Ubuntu 20.04 and 24.04; they are not Ubuntu.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import inside
import pytest
from conftest import INVENTORY, KEY_FILE, ROOT, ansible, is_alike, platform_of
from over_ssh import AS_CONVERGED, OverSsh

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases

OWN_PORT = 2222
ODD_LENGTH = "selina"
SOCKET_DROP_IN = "/etc/systemd/system/ssh.socket.d/verify.conf"


def release_of(server) -> releases.Release:
    """The release that the server says it is."""
    text = server.sh("cat /etc/os-release").stdout
    settings = dict(re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE))
    found = releases.find(settings["ID"], settings["VERSION_ID"])
    assert found is not None, text
    return found


@pytest.mark.alike
def test_the_table_of_releases_tells_the_versions_that_are_there(server):
    release = release_of(server)
    if is_alike(server.name):
        assert release.version == {"focal-alike": "20.04", "noble-alike": "24.04"}[platform_of(server.name)]
        return  # its packages are Debian's
    shown = server.sh(
        f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(releases.PACKAGES.values())}", check=False
    ).stdout
    versions = dict(line.split() for line in shown.splitlines() if len(line.split()) == 2)
    for field, package in releases.PACKAGES.items():
        if package != "python3-cryptography":  # nothing of ours installs it
            wanted = re.escape(getattr(release, field))
            assert re.match(rf"(?:\d+:)?{wanted}(?![0-9])", versions[package]), (field, versions[package])


@pytest.mark.only("focal-alike")
def test_certificates_need_nothing_newer_than_focal_has(server):
    shown = "import cryptography, passlib; print(cryptography.__version__, passlib.__version__)"
    assert server.sh(f"python3 -c '{shown}'").stdout == "2.8 1.7.2\n"


@pytest.mark.only("focal-alike")
def test_daemons_run_although_no_package_may_start_one(server, client):
    assert server.sh("/usr/sbin/policy-rc.d ssh start", check=False).returncode == 101
    units = "ssh.service vsftpd.service"
    assert server.sh(f"systemctl is-active {units}").stdout.split() == ["active"] * 2
    assert server.sh(f"systemctl is-enabled {units}").stdout.split() == ["enabled"] * 2
    assert client.ask("banner", host=server.address).startswith("SSH-")


@pytest.mark.only("focal-alike")
def test_a_hash_of_an_odd_length_logs_in_and_nobody_is_warned(server):
    password = "Selina-kyle-1"
    made = f"sha512_crypt.using(rounds=656000, salt='abcdefghijklmnop').hash('{password}')"
    hashed = server.sh(f'python3 -c "from passlib.hash import sha512_crypt; print({made})"').stdout.strip()
    assert len(hashed) % 16 == 8, hashed
    try:
        result = server.sh(f"ftp-users add {ODD_LENGTH} --protocol ftps --hash-stdin <<'END'\n{hashed}\nEND")
        assert "modulo" not in result.stdout + result.stderr
        assert server.ftps_login(ODD_LENGTH, password)["granted"]
    finally:
        server.sh(f"ftp-users del {ODD_LENGTH} --remove-home", check=False)


class Session:
    """A session of the administrator, open while the playbook runs: it answers what it is asked."""

    def __init__(self, name: str):
        variables = json.loads(ansible("ansible-inventory", f"--inventory={INVENTORY}", "--host", name))
        self.process = subprocess.Popen(
            [
                *("ssh", "-i", KEY_FILE, *variables["ansible_ssh_common_args"].split()),
                *("-o", "ControlMaster=no", "-o", "ControlPath=none"),
                f"{variables['ansible_user']}@{variables['ansible_host']}",
                'while read -r line; do echo "answer: $line"; done',
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answers(self, word: str) -> bool:
        """Whether the other end still answers."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == f"answer: {word}\n"

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(30)


def play(server, **variables) -> str:
    """Run the playbook of converge.yml on the server, over SSH as its inventory says; it has to change something."""
    output = ansible(
        "ansible-playbook",
        f"--inventory={INVENTORY}",
        f"--limit={server.name}",
        f"--extra-vars={json.dumps(variables)}",
        "--tags=sshd_chroot",
        str(ROOT / "molecule/default/converge.yml"),
    )
    assert re.search(r"changed=[1-9]", output), output
    return output


@pytest.mark.only("noble-alike")
def test_the_socket_keeps_its_port_and_sessions_go_on_when_sshd_reads_a_new_configuration(server, client, key_file):
    active = "systemctl is-active ssh.socket"
    assert server.sh(active).stdout == "active\n"
    session = Session(server.name)
    try:
        assert session.answers("before")
        # Four times: where a reload is wrong it fails in half of the cases only.
        for level in ("VERBOSE", "DEBUG", "ERROR", ""):
            play(server, sshd_chroot_log_level=level)
            assert session.answers(level or "default")
            assert server.sh(active).stdout == "active\n"
            assert server.sftp_login("batman", key_file=key_file)["granted"]
    finally:
        session.close()
    assert "Cannot bind any address" not in server.sh("journalctl --unit=ssh --no-pager").stdout
    assert server.sh("ftp-users check").returncode == 0


@pytest.mark.only("noble-alike")
def test_passwords_of_sftp_users_work_although_cloud_init_forbids_them(server):
    drop_in = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
    assert server.sh(f"cat {drop_in}").stdout == "PasswordAuthentication no\n"
    assert server.sftp_login("batman")["granted"]
    assert "passwordauthentication no" in server.sh("sshd -T -C user=gordon,host=x,addr=192.0.2.1").stdout


def firewall_by_the_engine(server, directory: Path) -> None:
    """Run the role firewall over the container engine: no SSH connection tells it a port to keep open."""
    playbook = directory / "engine.json"
    role = {"role": "secure_ftp.server.firewall"}
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": [role], "vars": AS_CONVERGED}]))
    connection = f"--extra-vars={json.dumps(inside.variables(server.name))}"
    ansible("ansible-playbook", f"--inventory={server.name},", connection, str(playbook))


@pytest.fixture
def own_port(server, tmp_path):
    """ssh.socket on a port of its own, which sshd_config does not know and the firewall has not opened yet."""
    over_ssh = OverSsh(server, tmp_path)
    again = "systemctl daemon-reload; systemctl stop ssh.service; systemctl restart ssh.socket"
    folder = os.path.dirname(SOCKET_DROP_IN)
    lines = f"[Socket]\\nListenStream=\\nListenStream={OWN_PORT}\\n"
    server.sh(f"mkdir -p {folder}; printf '{lines}' >{SOCKET_DROP_IN}; {again}")
    try:
        yield over_ssh
    finally:
        server.sh(f"rm -r {folder}; {again}")
        firewall_by_the_engine(server, tmp_path)
        over_ssh.leave()


@pytest.mark.only("noble-alike")
def test_the_port_of_the_socket_is_the_port_of_ssh(server, own_port, tmp_path):
    assert not own_port.reaches(OWN_PORT)
    firewall_by_the_engine(server, tmp_path)
    assert own_port.reaches(OWN_PORT), "the firewall has not opened the port of the socket"
    again = own_port.play(port=OWN_PORT)
    assert again.rc == 0 and again.changed == 0, again.output
    assert own_port.reaches(OWN_PORT), "the firewall has closed the port of the socket"
    found = json.loads(server.sh("ftp-users check --json", check=False).stdout)["findings"]
    assert [finding for finding in found if finding["subject"] in ("port-closed", "firewall-port-closed")] == []


@pytest.mark.alike
def test_the_role_sees_that_sshd_answers(server, tmp_path):
    """The probe itself, as the role runs it."""
    probe = [
        *(str(Path(sys.executable).parent / "ansible"), server.name, f"--inventory={server.name},"),
        f"--extra-vars={json.dumps(inside.variables(server.name))}",
        *("--module-name=secure_ftp.server.sshd_probe", "--args=timeout=1"),
    ]
    done = subprocess.run(probe, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0 and "SSH-2.0-OpenSSH" in done.stdout, done.stdout
