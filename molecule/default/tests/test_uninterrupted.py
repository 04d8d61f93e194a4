# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody notices the work on a server: log-ins while the database is written, transfers while the playbook runs."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import inside
import pytest
from conftest import CLIENT_DIRECTORY, CONTROL_PORTS, INVENTORY, PASSWORDS, ROOT, SFTP_JAIL, ansible

LIBRARY = "ansible_collections/secure_ftp/server/plugins/module_utils"
ON_SERVER = "/var/tmp/secure-ftp-verify"
LARGE_FILE = f"{CLIENT_DIRECTORY}/200m"
LARGE = 200_000_000


@pytest.fixture
def library(server):
    """The collection's library on the server, and update_often.py beside it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(
            ROOT / "plugins/module_utils", LIBRARY, filter=lambda entry: None if "__pycache__" in entry.name else entry
        )
        tar.add(ROOT / "molecule/default/files/update_often.py", "update_often.py")
    server.sh(f"mkdir -p {ON_SERVER}")
    command = inside.command(server.name, "tar", "-C", ON_SERVER, "-xf", "-")
    subprocess.run(command, input=archive.getvalue(), check=True)
    yield f"{ON_SERVER}/update_often.py"
    server.sh(f"rm -rf {ON_SERVER}")


@pytest.mark.spread
def test_no_login_is_refused_during_500_updates_of_the_database(server, client, library):
    stop = f"{server.directory}/stop"
    client.sh(f"rm -f {stop}")
    user = {"user": "robin", "password": PASSWORDS["robin"]}
    with ThreadPoolExecutor() as pool:
        logins = pool.submit(
            client.ask, "ftps_logins_until", host=server.address, ca_file=server.ca_file, stop=stop, **user
        )
        try:
            updates = inside.run(server.name, "python3", library, stdin=json.dumps(user))
        finally:
            client.sh(f"touch {stop}")
        answer = logins.result()
    assert updates.returncode == 0, updates.stderr
    assert json.loads(updates.stdout)["updates"] == 500
    assert answer["refusals"] == []
    assert answer["logins"] >= 20
    assert not server.ftps_login("robin", "wrong")["granted"]
    names = server.host.run("ls -A /etc/vsftpd").stdout.split()
    assert not [name for name in names if name.endswith(".tmp")]


def run_playbook(server, *options: str, **variables) -> None:
    """Run the playbook of converge.yml on this server, with variables that differ."""
    more = (f"--inventory={INVENTORY}", f"--limit={server.name}", f"--extra-vars={json.dumps(variables)}")
    ansible("ansible-playbook", *options, *more, str(ROOT / "molecule/default/converge.yml"))


def main_process(server, unit: str) -> str:
    return server.sh(f"systemctl show --property=MainPID --value {unit}").stdout.strip()


@pytest.fixture
def put_back(server):
    """Undo a changed configuration; the client trusts the certificate that is made then."""
    yield
    run_playbook(server, "--tags=vsftpd,sshd_chroot")
    server.prepare_client()


def served_certificates(server) -> set[str]:
    """The serial numbers of the certificates both instances show in handshakes that trust the server's file."""
    server.prepare_client()
    return {
        server.client.ask("certificate", host=server.address, ca_file=server.ca_file, port=port, implicit=port == 990)[
            "certificate"
        ]["serialNumber"]
        for port in CONTROL_PORTS.values()
    }


@pytest.mark.spread
def test_transfers_of_200_mb_survive_a_changed_configuration_and_a_new_certificate(server, client, put_back):
    hurry = f"{server.directory}/hurry"
    client.sh(f"rm -f {hurry}; test -s {LARGE_FILE} || head -c {LARGE} /dev/urandom >{LARGE_FILE}")
    transfer = {"path": LARGE_FILE, "name": "large", "hurry": hurry}
    process, certificates = main_process(server, "vsftpd"), served_certificates(server)
    with ThreadPoolExecutor() as pool:
        transfers = [
            pool.submit(client.ask, "ftps_unhurried", login=server.ftps("robin"), **transfer),
            pool.submit(client.ask, "ftps_unhurried", login=server.ftps("batman", "implicit"), **transfer),
            pool.submit(client.ask, "sftp_unhurried", login=server.ssh("robin"), **{**transfer, "name": "large-sftp"}),
        ]
        try:
            by_ftps = " ".join(f"{server.ftps_home(user)}/large" for user in ("robin", "batman"))
            files = f"{by_ftps} {SFTP_JAIL}/robin/large-sftp"
            server.sh(f'for file in {files}; do timeout 30 sh -c "until test -s $file; do sleep 0.1; done"; done')
            changed = {
                "vsftpd_idle_session_timeout": 123,
                "vsftpd_ssl_ciphers": "ECDHE+AESGCM",
                "sshd_chroot_log_level": "DEBUG",
                # The present one is valid for 825 days.
                "vsftpd_certificate_days": 900,
                "vsftpd_certificate_renew_days": 890,
            }
            run_playbook(server, **changed)
            ended = [transfer for transfer in transfers if transfer.done()]
            assert not ended, f"a transfer ended before the playbook: {[transfer.result() for transfer in ended]}"
            assert main_process(server, "vsftpd") != process, "vsftpd was not started anew"
            assert "-l DEBUG" in server.sh("sshd -T -C user=robin,host=x,addr=192.0.2.1").stdout
            renewed = served_certificates(server)
            assert len(renewed) == 1 and not renewed & certificates, "the new certificate is not in use"
            applied = time.time()
        finally:
            client.sh(f"touch {hurry}")
        answers = [transfer.result() for transfer in transfers]
    for answer in answers:
        assert answer["received"] == answer["sent"]
        assert answer["sent_until"] > applied - 1
