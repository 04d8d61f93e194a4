"""Write all that a control machine without a network needs: requirements/bundle.py [DIRECTORY], .work if omitted.

secure_ftp.server-VERSION-bundle.tar.gz holds the collection, the wheels of ansible-core and of what it needs, for this
Python and this platform, with the hashes of requirements/control.txt, and a README with the commands.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "control.txt"
README = """\
secure_ftp.server {version}, for a control machine without a network

The wheels are for Python {python} on {platform}. The machine needs that Python with its module venv
(on Debian and Ubuntu the package python3-venv) and the OpenSSH client. As any user, in this directory:

    sha256sum --check --quiet SHA256SUMS
    python3 -m venv ~/secure_ftp
    ~/secure_ftp/bin/pip install --no-index --find-links wheels --require-hashes --requirement requirements.txt
    ~/secure_ftp/bin/ansible-galaxy collection install --offline {collection}

Then, with an inventory of your own. README.md in ~/.ansible/collections/ansible_collections/secure_ftp/server
has one to copy, and the options for the passwords of sudo (-K) and of a vault (--ask-vault-pass):

    ~/secure_ftp/bin/ansible-playbook -i inventory.yml secure_ftp.server.site
"""


def main(arguments: list[str]) -> None:
    output = Path(arguments[0]) if arguments else ROOT / ".work"
    (version,) = re.findall(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    name = f"secure_ftp.server-{version}-bundle"
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, name)
        fill(folder, version)
        with tarfile.open(output / f"{name}.tar.gz", "w:gz") as tar:
            tar.add(folder, name, filter=nobodys)
    print(output / f"{name}.tar.gz")


def fill(folder: Path, version: str) -> None:
    """Put everything into the new directory ``folder``."""
    folder.mkdir()
    galaxy = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection", "build", "--output-path", str(folder)]
    subprocess.run([*galaxy, str(ROOT)], stdout=subprocess.DEVNULL, check=True)
    (collection,) = folder.glob("*.tar.gz")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    hashed = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(LOCK)]
    subprocess.run([*download, *hashed, "--dest", str(folder / "wheels")], check=True)
    shutil.copy(LOCK, folder / "requirements.txt")
    words = {"python": ".".join(platform.python_version_tuple()[:2]), "platform": sysconfig.get_platform()}
    text = README.format(version=version, collection=collection.name, **words)
    (folder / "README").write_text(text, encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The owner of the clone is nobody's business, and anybody may read it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


if __name__ == "__main__":
    main(sys.argv[1:])
