# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that each client does, and who says whether it did them: the files on both sides, not the client.

A driver is a program on the client host that does one thing, ``DRIVER VERB WORD...``, and exits with 0 if it did it:

    list DIRECTORY                         print the names in it, one a line
    put LOCAL REMOTE, get REMOTE LOCAL     one file, with its time if the client can keep it
    rename OLD NEW, delete REMOTE
    resume REMOTE LOCAL                    LOCAL has the first part of REMOTE
    many LOCAL REMOTE                      the files 01.txt to 30.txt of a directory into one that is there
    tree LOCAL REMOTE, tree-back REMOTE LOCAL LIST    a directory with all below it; LIST names its files, a line each
    refused                                what the server must refuse

Its environment has MODE, HOST, PORT, ROOT (the start of remote paths), LOGIN, PASSWORD, KEY, CA, KNOWN (a known_hosts
file, also that of HOME).
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Callable

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "support")]
import inside
from header import DRIVERS, STEPS, Driver

SUPPORT = Path(__file__).resolve().parents[1] / "support"
NAMES = ("with some spaces.txt", "grüße ä.txt", "日本語.txt", "fledermaus 🦇.txt")
BEFORE = 1577934245
"""2020-01-02 03:04:05 UTC, the time of the files whose time is looked at."""
INTERPRETERS = {".py": ("python3",), ".php": ("php",), ".rb": ("ruby",), ".js": ("node",), "": ()}
"""What runs a driver, by the ending of its name; without one it is a program."""

SIZE = 300_000
SECONDS = 90


class Failed(Exception):
    """A step did not go as it should; the text says what was expected and found."""


@dataclass(frozen=True)
class Place:
    """A client host, a server, and how they meet. ``mine`` is a directory of the client host, ``home`` the user's."""

    client: str
    server: str
    platform: str
    address: str
    login: str
    password: str
    key: str
    ca: str
    known_hosts: str
    mine: str
    home: str
    root: str = "/"

    def prepare(self) -> None:
        """Put the drivers, and what to trust and not to trust, on the client host."""
        there = Path(inside.path(self.client, self.mine))
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(DRIVERS, there / "drivers")
        shutil.copy(SUPPORT / "ftps.py", there / "drivers")
        make = f"""set -e; cd {self.mine}; mkdir -p home/.ssh lies/.ssh
            cp {self.ca} home/ca.pem; cp {self.known_hosts} home/.ssh/known_hosts
            cp {self.key} home/id; chmod 600 home/id; ssh-keygen -y -f home/id >home/id.pub
            ssh-keygen -q -t ed25519 -N '' -f lies/host; cp home/id home/id.pub lies
            openssl req -x509 -newkey rsa:2048 -nodes -keyout lies/ca.key -out lies/ca.pem -days 9 \\
                -subj /CN={self.address} -addext subjectAltName=IP:{self.address} 2>/dev/null
            echo "{self.address} $(cut -d' ' -f1,2 lies/host.pub)" >lies/.ssh/known_hosts"""
        done = inside.run(self.client, "bash", "-c", make)
        if done.returncode:
            raise Failed(f"the client host cannot be prepared: {done.stderr}")


def _shortened(text: str) -> str:
    return text if len(text) < 900 else f"{text[:400]} ... {text[-400:]}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"


@dataclass
class Trial:
    """One client in one mode."""

    driver: Driver
    mode: str
    place: Place
    said: str = ""
    """What the driver said last."""
    kept: set[str] = field(default_factory=set)
    """The transfers that kept the time of the file."""

    # --- the two sides ---------------------------------------------------------------------------------------------

    @property
    def folder(self) -> str:
        """The directory on both sides."""
        return f"matrix-{self.driver.name}-{self.mode}"

    def local(self, name: str = "") -> Path:
        """A file of the client host, as it is opened from here."""
        return Path(inside.path(self.place.client, str(self.there(name))))

    def there(self, name: str = "") -> PurePosixPath:
        """The same as the client sees it."""
        return PurePosixPath(self.place.mine, self.folder, name)

    def remote(self, name: str = "") -> Path:
        """A file of the server, as it is opened from here."""
        return Path(inside.path(self.place.server, self.place.home), self.folder, name)

    def write(self, name: str, data: bytes) -> None:
        """Make a file of the client."""
        path = self.local(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (BEFORE, BEFORE))

    def store(self, name: str, data: bytes) -> None:
        """Make a file of the user on the server."""
        path = self.remote(name)
        missing = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (BEFORE, BEFORE))
        owner = Path(inside.path(self.place.server, self.place.home)).stat()
        for one in (path, *missing):
            os.chown(one, owner.st_uid, owner.st_gid)

    def clean(self) -> None:
        """Remove both directories."""
        for path in (self.local(), self.remote()):
            shutil.rmtree(path, ignore_errors=True)

    def clear(self) -> None:
        """Remove both directories and make them anew."""
        self.clean()
        self.local().mkdir(parents=True)
        self.store("there", b"")
        self.remote("there").unlink()

    def run(self, verb: str, *words: str, trust: str = "home") -> subprocess.CompletedProcess[str]:
        """Let the driver do something, with the right keys or with those in ``lies``."""
        home = f"{self.place.mine}/{trust}"
        given = {
            "MODE": self.mode,
            "HOST": self.place.address,
            "PORT": {"explicit": "21", "implicit": "990"}.get(self.mode, "22"),
            "ROOT": "/" if self.mode in ("explicit", "implicit") else self.place.root,
            "LOGIN": self.place.login,
            "PASSWORD": self.place.password,
            "KEY": f"{home}/id",
            "CA": f"{home}/ca.pem",
            "KNOWN": f"{home}/.ssh/known_hosts",
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            "NODE_PATH": "/opt/clients/node_modules",
        }
        settings = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items())
        self.local("settings").write_text(settings, encoding="utf-8")
        path = self.driver.path
        program = (*INTERPRETERS[path.suffix], f"{self.place.mine}/drivers/{path.name}")
        script = '. "$0"; cd "$(dirname "$0")"; exec timeout -k 5 "$@"'
        line = ("bash", "-c", script, str(self.there("settings")), str(SECONDS), *program, verb, *words)
        done = inside.run(self.place.client, *line, timeout=SECONDS + 30)
        self.said = (done.stdout + done.stderr).strip()
        return done

    def do(self, verb: str, *words: str) -> str:
        """The same; it must succeed. Return what it printed."""
        done = self.run(verb, *words)
        if done.returncode:
            raise Failed(f"{verb} {' '.join(words)} ends with {done.returncode}: {_shortened(self.said)}")
        return done.stdout

    def put(self, name: str, target: str = "") -> None:
        self.do("put", str(self.there(name)), f"{self.folder}/{target or name}")

    def get(self, name: str, target: str) -> None:
        self.do("get", f"{self.folder}/{name}", str(self.there(target)))

    def listed(self) -> list[str]:
        return sorted(self.do("list", self.folder).splitlines())

    def expect_same(self, local: str, remote: str) -> None:
        mine, theirs = _digest(self.local(local)), _digest(self.remote(remote))
        if mine != theirs or mine == "nothing":
            raise Failed(f"expected {local} on the client and {remote} on the server to be the same, found others")

    def can(self, step: str) -> bool:
        return self.driver.limit(step, self.mode, self.place.platform) is None


def upload(trial: Trial) -> None:
    trial.write("up", os.urandom(SIZE))
    trial.put("up")
    trial.expect_same("up", "up")
    if int(trial.remote("up").stat().st_mtime) == BEFORE:
        trial.kept.add("up")


def list_(trial: Trial) -> None:
    for name in ("one", "two"):
        trial.store(name, b"x")
    expected = sorted(path.name for path in trial.remote().iterdir())
    if trial.listed() != expected:
        raise Failed(f"expected the names {expected}, found {trial.listed()}")


def download(trial: Trial) -> None:
    trial.store("down", os.urandom(SIZE))
    trial.get("down", "back")
    trial.expect_same("back", "down")
    if int(trial.local("back").stat().st_mtime) == BEFORE:
        trial.kept.add("down")


def rename(trial: Trial) -> None:
    trial.store("old", b"old")
    trial.do("rename", f"{trial.folder}/old", f"{trial.folder}/new name")
    if trial.remote("old").exists() or trial.remote("new name").read_bytes() != b"old":
        raise Failed("expected the file under its new name only, found something else")


def delete(trial: Trial) -> None:
    trial.store("useless", b"x")
    trial.do("delete", f"{trial.folder}/useless")
    if trial.remote("useless").exists():
        raise Failed("expected no file any more, found it")


def names(trial: Trial) -> None:
    trial.clear()
    for name in NAMES:
        data = name.encode()
        if trial.can("upload"):
            trial.write(name, data)
            trial.put(name)
        else:
            trial.store(name, data)
        trial.get(name, f"back {name}")
        if not trial.remote(name).is_file() or trial.local(f"back {name}").read_bytes() != data:
            found = sorted(path.name for path in trial.remote().iterdir())
            raise Failed(f"expected {name!r} on both sides, found {found} on the server")
    if trial.can("list") and trial.listed() != sorted(NAMES):
        raise Failed(f"expected {sorted(NAMES)}, found {trial.listed()}")
    if trial.can("delete"):
        trial.do("delete", f"{trial.folder}/{NAMES[-1]}")
        if trial.remote(NAMES[-1]).exists():
            raise Failed(f"expected {NAMES[-1]!r} to be deleted, found it")


def empty(trial: Trial) -> None:
    if trial.can("upload"):
        trial.write("empty", b"")
        trial.put("empty")
    else:
        trial.store("empty", b"")
    trial.get("empty", "empty back")
    sizes = [path.stat().st_size for path in (trial.remote("empty"), trial.local("empty back"))]
    if sizes != [0, 0]:
        raise Failed(f"expected two empty files, found sizes {sizes}")


def resume(trial: Trial) -> None:
    """The first part is another one than on the server: a client that begins anew is found out."""
    whole = os.urandom(SIZE)
    trial.store("whole", whole)
    trial.write("part", b"\0" * (SIZE // 3))
    # Clients that compare times take an older part for an older file.
    os.utime(trial.local("part"), (BEFORE + 9, BEFORE + 9))
    trial.do("resume", f"{trial.folder}/whole", str(trial.there("part")))
    found = trial.local("part").read_bytes()
    if found == whole:
        raise Failed("expected the rest of the file after the part, found that the client began anew")
    if found != b"\0" * (SIZE // 3) + whole[SIZE // 3 :]:
        raise Failed(f"expected the rest of the file after the part, found {len(found)} bytes of something else")


def thirty(trial: Trial) -> None:
    """Of 0.1 to 3 kB, the last one empty."""
    for number in range(1, 31):
        trial.write(f"many/{number:02}.txt", os.urandom(number * 100) if number < 30 else b"")
    trial.store("many/x", b"")
    trial.remote("many/x").unlink()
    before = logins(trial)
    trial.do("many", str(trial.there("many")), f"{trial.folder}/many")
    made = logins(trial) - before
    for number in range(1, 31):
        trial.expect_same(f"many/{number:02}.txt", f"many/{number:02}.txt")
    if (made != 1) != bool(trial.driver.several):
        raise Failed(f"expected {'more than ' * bool(trial.driver.several)}one connection, found {made}")


def logins(trial: Trial) -> int:
    """How often the user has logged in on the server."""
    look = f"grep -c '\\[{trial.place.login}\\] OK LOGIN' /var/log/vsftpd.log; true"
    if trial.mode in ("password", "key"):
        look = f"journalctl -q --unit=ssh --grep='Accepted .* for {trial.place.login} ' | wc -l"
    return int(inside.run(trial.place.server, "sh", "-c", look).stdout)


def tree(trial: Trial) -> None:
    """53 files in a tree of directories, up and back."""
    files = {f"{'abc'[n % 3]}/{n % 5}/{'deep er/' * (n % 2)}file {n}": os.urandom(n * 10) for n in range(53)}
    for name, data in files.items():
        trial.write(f"tree/{name}", data) if trial.can("upload") else trial.store(f"tree/{name}", data)
    if trial.can("upload"):
        trial.do("tree", str(trial.there("tree")), f"{trial.folder}/tree")
    trial.write("files of the tree", "".join(f"{name}\n" for name in files).encode())
    words = (f"{trial.folder}/tree", str(trial.there("tree back")), str(trial.there("files of the tree")))
    trial.do("tree-back", *words)
    for side in (trial.local("tree back"), *([] if trial.driver.backup else [trial.remote("tree")])):
        found = {str(path.relative_to(side)): path.read_bytes() for path in side.rglob("*") if path.is_file()}
        if found != files:
            missing = sorted(set(files) - set(found))
            raise Failed(f"expected the 53 files of the tree, found {len(found)}; missing: {missing[:5]}")


def times(trial: Trial) -> None:
    """Those of the first upload and download."""
    kept = trial.driver.times.get(trial.mode, frozenset())
    expected = {one for one in kept if trial.can({"up": "upload", "down": "download"}[one])}
    if trial.kept != expected:
        raise Failed(f"expected times kept: {sorted(expected)}, found {sorted(trial.kept)}")


def certificate(trial: Trial) -> None:
    """Another certificate, and another host key."""
    verb = ("list", trial.folder) if trial.can("list") else ("get", f"{trial.folder}/down", str(trial.there("lie")))
    done = trial.run(*verb, trust="lies")
    if done.returncode == 0 or trial.local("lie").is_file():
        raise Failed(
            "expected the client to refuse a server with another certificate or host key, found that it went on"
        )


def refused(trial: Trial) -> None:
    trial.do("refused")


DO: dict[str, Callable[[Trial], None]] = {
    "upload": upload,
    "list": list_,
    "download": download,
    "rename": rename,
    "delete": delete,
    "names": names,
    "empty": empty,
    "resume": resume,
    "thirty": thirty,
    "tree": tree,
    "times": times,
    "certificate": certificate,
    "refused": refused,
}


def run(driver: Driver, mode: str, place: Place, steps: tuple[str, ...] = STEPS) -> dict[str, str]:
    """Let a client do every step. For each that is not as the driver says: what is wrong; empty if all is well."""
    trial = Trial(driver, mode, place)
    wrong: dict[str, str] = {}
    trial.clear()
    proved: list[object] = []  # what makes every step fail is tried by one of them
    for step in ("refused",) if driver.refused else ("tree", "certificate") if driver.backup else steps:
        limit = driver.limit(step, mode, place.platform)
        if limit is not None and limit in proved:
            continue
        if limit is not None and limit.steps == ("all",):
            proved.append(limit)
        try:
            DO[step](trial)
        except (Failed, OSError, UnicodeError, subprocess.TimeoutExpired) as error:
            if limit is None:
                wrong[step] = str(error)
            elif limit.said and not re.search(limit.said, trial.said):
                wrong[step] = f"expected it to fail with {limit.said!r}, found {error}"
        else:
            if limit is not None:
                wrong[step] = "the driver says that the client cannot do it, and it did"
    if not wrong:
        trial.clean()
    return wrong


def version(driver: Driver, place: Place) -> str:
    """The version of the client, as it says itself."""
    done = inside.run(place.client, "bash", "-c", driver.version)
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found.group() if found else "?"
