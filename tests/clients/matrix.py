# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every client of tests/clients/drivers against a server with the defaults: make clients

    matrix.py [--platform debian12] [--only curl,lftp] [--pictures]

One server and one client host for each platform, both of this release. What was found is written to docs/clients.json,
and docs/generate.py makes the tables of docs/clients.md of it. The exit status is 1 if a client did not do what its
driver says of it. SECURE_FTP_KEEP=1 keeps the hosts; a later run uses them again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "support")]
import inside
import steps
from header import Driver, drivers

ROOT = Path(__file__).resolve().parents[2]
RIG = ROOT / "tests" / "containers" / "rig"
RESULTS = ROOT / "docs" / "clients.json"
PICTURES = {"explicit": "filezilla-certificate.png", "password": "filezilla-host-key.png"}
"""The questions of FileZilla at the first connection, in docs/pictures."""

WORK = ROOT / ".work" / "clients"
PREFIX = os.environ.get("SECURE_FTP_PREFIX", "secure-ftp") + "-clients"
PLATFORMS = ("debian12", "debian13")
LOGIN, PASSWORD = "batman", "bat-Cave!1 deep"
MINE = "/var/tmp/clients"
os.environ.setdefault("CONTAINERS_CONF", str(ROOT / "tests" / "containers" / "containers.conf"))


def say(text: str) -> None:
    print(text, flush=True)


def rig(*words: str) -> str:
    return subprocess.run([RIG, *words], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def on(name: str, script: str) -> str:
    """What a script prints on a host; it must succeed."""
    done = inside.run(name, "bash", "-ec", script, timeout=600)
    if done.returncode:
        raise SystemExit(f"error: {name}: {script} ends with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def server_of(platform: str, key: Path) -> str:
    """A server with the defaults and both TLS modes; its name."""
    name = f"{PREFIX}-server-{platform}"
    rig("host", name, platform)
    user = {"name": LOGIN, "password": PASSWORD, "authorized_keys": [key.with_suffix(".pub").read_text().strip()]}
    variables = {"vsftpd_tls_modes": ["explicit", "implicit"], "ftp_users": [user], "firewall_backend": "none"}
    inventory = WORK / f"{name}.json"
    inventory.write_text(json.dumps({"all": {"hosts": {name: inside.variables(name)}, "vars": variables}}))
    play = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, "playbooks/site.yml", "--skip-tags=summary"]
    log = WORK / f"{name}.log"
    with log.open("w") as output:
        done = subprocess.run(play, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"error: the server {name} cannot be made; see {log}")
    return name


def place_of(platform: str) -> steps.Place:
    """The two hosts of a platform, made and ready."""
    WORK.mkdir(parents=True, exist_ok=True)
    key = WORK / "id"
    if not key.is_file():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server, client = server_of(platform, key), f"{PREFIX}-{platform}"
    rig("host", client, f"clients-{platform}")
    address = rig("address", server)
    certificate = on(server, "cat \"$(sed -n 's/^rsa_cert_file=//p' /etc/vsftpd.conf)\"")
    keys = on(server, "cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub")
    trust = Path(inside.path(client, "/var/tmp/trust"))
    trust.mkdir(exist_ok=True)
    (trust / "ca.pem").write_text(certificate)
    (trust / "known_hosts").write_text("".join(f"{address} {line}\n" for line in keys.splitlines()))
    (trust / "id").write_text(key.read_text())
    there = {"key": "/var/tmp/trust/id", "ca": "/var/tmp/trust/ca.pem", "known_hosts": "/var/tmp/trust/known_hosts"}
    homes = {"home": f"/home/sftp/{LOGIN}", "root": f"/{LOGIN}/"}
    place = steps.Place(client, server, platform, address, LOGIN, PASSWORD, mine=MINE, **there, **homes)
    place.prepare()
    return place


def tried(driver: Driver, place: steps.Place) -> dict[str, object]:
    """What is recorded of a client: its version, the modes it was tried in, and what was not as its driver says."""
    found: dict[str, dict[str, str]] = {}
    for mode in driver.modes:
        began = time.monotonic()
        wrong = steps.run(driver, mode, place)
        if wrong:  # since OpenSSH 9.8 sshd turns away for a while who did not like its key
            time.sleep(20)
            wrong = steps.run(driver, mode, place)
        state, seconds = "WRONG" if wrong else "ok", time.monotonic() - began
        say(f"{place.platform:<10}{driver.client:<40}{mode:<10}{state:<6}{seconds:6.1f} s")
        for step, why in wrong.items():
            say(f"    {step}: {why}")
        if wrong:
            found[mode] = sorted(wrong)
    tried_in = {"version": steps.version(driver, place), "modes": " ".join(driver.modes)}
    return {**tried_in, **({"wrong": found} if found else {})}


def picture(place: steps.Place) -> None:
    """Make the pictures of docs/clients.md anew."""
    filezilla = next(one for one in drivers() if one.name == "filezilla")
    for mode, name in PICTURES.items():
        trial = steps.Trial(filezilla, mode, place)
        trial.clear()
        trial.do("picture", str(trial.there(name)))
        (ROOT / "docs/pictures" / name).write_bytes(trial.local(name).read_bytes())
        trial.clean()


def record(platform: str, server: dict[str, str], found: dict[str, dict[str, object]], whole: bool) -> None:
    """Write what was found; what another run found of other platforms stays, and of other clients too if not whole."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known = {} if whole else results.get(platform, {}).get("clients", {})
    results[platform] = {"server": server, "clients": dict(sorted({**known, **found}.items()))}
    text = json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="default: all")
    parser.add_argument("--only", default="", help="drivers, with commas")
    parser.add_argument("--pictures", action="store_true", help="make docs/pictures anew, nothing else")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    wanted = [one for one in drivers() if not only or one.name in only]
    unknown = set(only) - {one.name for one in wanted}
    if unknown:
        parser.error(
            f"--only: expected files of tests/clients/drivers without their ending, found {', '.join(unknown)}"
        )
    wrong = 0
    for platform in options.platform or (PLATFORMS[-1:] if options.pictures else PLATFORMS):
        try:
            place = place_of(platform)
            if options.pictures:
                picture(place)
                continue
            versions = "dpkg-query -W -f '${Version}' vsftpd; echo; ssh -V 2>&1"
            vsftpd, ssh = on(place.server, versions).splitlines()
            server = {"vsftpd": vsftpd.split("-")[0], "openssh": ssh.split(" ")[0].partition("_")[2].rstrip(",")}
            found = {one.name: tried(one, place) for one in wanted}
            record(platform, server, found, whole=not only)
            wrong += sum("wrong" in one for one in found.values())
        finally:
            if not os.environ.get("SECURE_FTP_KEEP"):
                for name in (f"{PREFIX}-server-{platform}", f"{PREFIX}-{platform}"):
                    rig("host-down", name)
    if options.pictures:
        return 0
    say(f"{RESULTS.relative_to(ROOT)} is written; docs/generate.py makes the tables of it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
