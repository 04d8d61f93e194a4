"""The demo: a server in a container, configured by playbooks/site.yml and proved with real transfers."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work" / "demo"
STATE = WORK / "demo.json"
INVENTORY = WORK / "inventory.json"
CA_FILE = WORK / "ca.crt"
RIG = ROOT / "tests" / "containers" / "rig"
NAME = "secure-ftp-demo"
PLATFORM = "debian12"
USERS = ("batman", "robin")


class DemoError(Exception):
    """Something the operator can act on."""


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def output_of(*command: str) -> str:
    """Standard output of a command; DemoError with its last words when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{command[0]} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read; it holds passwords."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def load_users() -> list[dict[str, str]]:
    """The demo's users; the passwords of an earlier run stay."""
    if STATE.exists():
        return json.loads(STATE.read_text(encoding="utf-8"))["users"]
    return [{"name": name, "password": secrets.token_urlsafe(12)} for name in USERS]


def configure(users: list[dict[str, str]]) -> None:
    """Run playbooks/site.yml on the container."""
    inventory = {
        "all": {
            "hosts": {NAME: {"ansible_connection": "containers.podman.podman"}},
            "vars": {"ftp_users": users},
        }
    }
    write_private(INVENTORY, json.dumps(inventory, indent=2))
    playbook = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(INVENTORY), "playbooks/site.yml"]
    # The demo shows the same summary, with the file in which it keeps the certificate.
    playbook.append("--skip-tags=summary")
    if subprocess.run(playbook, cwd=ROOT, check=False).returncode:
        raise DemoError("playbooks/site.yml failed; its last task above says why. `make demo` can be run again.")


def read_from_host(*command: str) -> str:
    return output_of("podman", "exec", NAME, *command)


def read_about() -> dict[str, Any]:
    """What the server says about itself: ``ftp-users about --json``."""
    return json.loads(read_from_host("ftp-users", "about", "--json"))


def fetch_certificate(about: dict[str, Any]) -> None:
    """Copy the certificate the server really uses; it is its own issuer, so clients take it as CA file."""
    CA_FILE.write_text(read_from_host("cat", about["certificates"][0]["path"]), encoding="utf-8")


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prove_ftps(about: dict[str, Any], user: dict[str, str], payload: Path, back: Path) -> None:
    """Upload and download with curl, which checks the certificate and never sends a plain-text command."""
    url = f"ftp://{about['host']}:{about['ftps'][0]['port']}/demo.bin"
    # The password goes through a config file on standard input: argv is visible to every local user.
    login = f'user = "{user["name"]}:{user["password"]}"\n'
    base = ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", str(CA_FILE), "--config", "-"]
    for direction in (["--upload-file", str(payload)], ["--output", str(back)]):
        done = subprocess.run([*base, *direction, url], input=login, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoError(f"FTPS with curl failed: {done.stderr.strip()}")


def prove_sftp(about: dict[str, Any], user: dict[str, str], payload: Path, back: Path) -> None:
    """Upload and download with Paramiko, against the host key read from the container itself."""
    import paramiko

    host, port = about["host"], about["sftp"]["ports"][0]
    kind, key = read_from_host("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    client = paramiko.SSHClient()
    client.get_host_keys().add(host, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(key)))
    try:
        client.connect(host, port, user["name"], user["password"], allow_agent=False, look_for_keys=False, timeout=20)
        with client.open_sftp() as sftp:
            sftp.put(str(payload), "demo.bin")
            sftp.get("demo.bin", str(back))
    except (paramiko.SSHException, OSError) as error:
        raise DemoError(f"SFTP failed: {error}") from error
    finally:
        client.close()


def prove(about: dict[str, Any], user: dict[str, str]) -> None:
    """One file up and back over each protocol, compared by SHA-256."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        payload, back = Path(folder, "up.bin"), Path(folder, "back.bin")
        for protocol, transfer in (("FTPS", prove_ftps), ("SFTP", prove_sftp)):
            payload.write_bytes(os.urandom(1 << 20))
            transfer(about, user, payload, back)
            if checksum(payload) != checksum(back):
                raise DemoError(f"{protocol}: the file that came back differs from the one that went up")
            say(f"{protocol}: 1 MiB went up and came back identical (sha256 {checksum(back)[:16]}...)")
            back.unlink()


def summary(about: dict[str, Any], users: list[dict[str, str]]) -> str:
    """What ``ftp-users about`` says, with the file of the certificate, the passwords, and how to go on."""
    # Here, because ``info`` and ``down`` run without the collection.
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import About
    from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.summary import lines

    said = lines(About.of(about), ca_file=str(CA_FILE.relative_to(ROOT)))
    passwords = [f"  {'Password':<14}{one['name']}: {one['password']}" for one in users]
    ends = ["  make demo-info  the same as JSON", "  make demo-down  remove it"]
    return "\n".join(["", *said, *passwords, "", *ends, ""])


def up() -> None:
    say(f"starting container {NAME} ({PLATFORM})")
    subprocess.run([str(RIG), "host", NAME, PLATFORM], cwd=ROOT, check=True)
    users = load_users()
    write_private(STATE, json.dumps({"users": users}, indent=2))
    configure(users)
    about = read_about()
    write_private(STATE, json.dumps({"users": users, "ca_file": str(CA_FILE), "about": about}, indent=2))
    fetch_certificate(about)
    prove(about, users[0])
    print(summary(about, users))


def info() -> None:
    if not STATE.exists():
        raise DemoError("there is no demo; start it with: make demo")
    print(STATE.read_text(encoding="utf-8"))


def down() -> None:
    subprocess.run([str(RIG), "host-down", NAME], cwd=ROOT, check=True)
    for path in (STATE, INVENTORY, CA_FILE):
        path.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("up", "info", "down"))
    action = {"up": up, "info": info, "down": down}[parser.parse_args().action]
    try:
        action()
    except (DemoError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
