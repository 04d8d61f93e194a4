# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#: client: FileZilla
#: packages: filezilla xvfb openbox xdotool imagemagick fonts-dejavu-core
#: version: dpkg-query -W -f '${Version}' filezilla
#: modes: explicit implicit password key
#: times in explicit implicit: down
#: times in password key: up down
#: several: each transfer at the same time has a connection of its own, two by default
#: hint: the settings of `ftp-users about`; [what it asks at first](#the-first-connection-of-filezilla)
#: hint: Transfer, "Preserve timestamps of transferred files" keeps times
"""FileZilla on a display that nobody looks at. What it did is read in its log, never on the screen.

It has no commands for transfers, but it keeps its queue in a file: what is to be transferred is written there before it
starts, and Ctrl+P begins. Files are renamed and deleted by the keyboard, in the list of the server's files. One more
verb, ``picture FILE``, makes the picture of what it asks at the first connection.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Callable, Iterator, Tuple
from xml.sax.saxutils import escape

from python_driver import ROOT, E

MODE = E["MODE"]
PROTOCOL = {"explicit": 4, "implicit": 3}.get(MODE, 1)
LOGON = 5 if MODE == "key" else 1
DOWNLOAD, OVERWRITE, RESUME, CLOSE = 16, 1, 5, 3
"""The numbers by which FileZilla's files name all this."""

SECONDS = 60
CURVE = 2**255 - 19
QUESTIONS = "^(Unknown certificate|Unknown host key|Host key mismatch)$"
TLS = ("Protocol: TLS1.2, ", "TLS Session resumed", "200 Always in UTF8 mode", "227 Entering Passive Mode")
PROOFS = {"explicit": ("Command: AUTH TLS", *TLS), "implicit": TLS, "key": ("Offer of public key accepted",)}
"""What the log has to say of each connection."""

Transfer = Tuple[str, str]


def point(key: str) -> str:
    """A public key of Ed25519 as PuTTY's code remembers it: both coordinates; OpenSSH's has one and a sign."""
    raw = int.from_bytes(base64.b64decode(key)[-32:], "little")
    y = raw % 2**255
    d = -121665 * pow(121666, -1, CURVE)
    square = (y * y - 1) * pow(d * y * y + 1, -1, CURVE) % CURVE
    x = pow(square, (CURVE + 3) // 8, CURVE)
    if x * x % CURVE != square:
        x = x * pow(2, (CURVE - 1) // 4, CURVE) % CURVE
    return f"{hex(x if x % 2 == raw >> 255 else CURVE - x)},{hex(y)}"


def safe(path: PurePosixPath) -> str:
    """A remote path as FileZilla writes it: a server of Unix, no prefix, and each name after its length."""
    return " ".join(("1 0", *(f"{len(name)} {name}" for name in path.parts[1:])))


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a program, and wait for it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class FileZilla:
    """One run of FileZilla, with its files in ``place``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.files = place / "filezilla"
        self.files.mkdir()
        self.environment = {**E, "XDG_CONFIG_HOME": str(place), "FZDEBUG": "1", "NO_AT_BRIDGE": "1"}
        options = {
            "Greeting version": "99.0.0",
            "Logging file": place / "log",
            "Logging Debug Level": 3,
            "Logging Raw Listing": 1,
            "Preserve timestamps": 1,
            "Queue completion action": CLOSE,
            "Reconnect count": 0,
            "Show Tree Local": 0,
            "Show Tree Remote": 0,
            "Show quickconnect bar": 0,
        }
        each = "".join(f'<Setting name="{name}">{value}</Setting>' for name, value in options.items())
        self._write("filezilla", f"<Settings>{each}</Settings>")

    def _write(self, name: str, text: str) -> None:
        whole = f"<?xml version='1.0' encoding='UTF-8'?><FileZilla3>{text}</FileZilla3>"
        (self.files / f"{name}.xml").write_text(whole, encoding="utf-8")

    def trust(self) -> None:
        """Know the certificate and the host key, as if somebody had compared them and said yes."""
        lines = Path(E["CA"]).read_text(encoding="utf-8").splitlines()
        data = base64.b64decode("".join(line for line in lines if "-----" not in line)).hex()
        dates = f"<ActivationTime>1</ActivationTime><ExpirationTime>{int(time.time()) + 86400}</ExpirationTime>"
        where = f"<Host>{E['HOST']}</Host><Port>{E['PORT']}</Port><TrustSANs>0</TrustSANs>"
        one = f"<Certificate><Data>{data}</Data>{dates}{where}</Certificate>"
        self._write("trustedcerts", f"<TrustedCerts>{one}</TrustedCerts>")
        known = [line.split() for line in Path(E["KNOWN"]).read_text(encoding="utf-8").splitlines()]
        keys = [key for _host, kind, key in known if kind == "ssh-ed25519"]
        (self.place / "putty").mkdir()
        text = "".join(f"ssh-ed25519@{E['PORT']}:{E['HOST']} {point(key)}\n" for key in keys)
        (self.place / "putty/sshhostkeys").write_text(text, encoding="utf-8")

    def site(self, folder: str) -> None:
        """A site that opens a directory of the server, and an empty one here."""
        secret = base64.b64encode(E["PASSWORD"].encode()).decode()
        login = f"<Keyfile>{E['KEY']}</Keyfile>" if MODE == "key" else f'<Pass encoding="base64">{secret}</Pass>'
        where = f"<Host>{E['HOST']}</Host><Port>{E['PORT']}</Port><Protocol>{PROTOCOL}</Protocol>"
        who = f"<User>{E['LOGIN']}</User><Logontype>{LOGON}</Logontype>{login}<Name>server</Name>"
        empty = self.place / "empty"
        empty.mkdir()
        there = escape(safe(PurePosixPath(ROOT, folder)))
        folders = f"<LocalDir>{empty}</LocalDir><RemoteDir>{there}</RemoteDir>"
        self._write("sitemanager", f"<Servers><Server>{where}{who}{folders}</Server></Servers>")

    def queue(self, transfers: list[Transfer], flags: int, action: int) -> None:
        """What is to be transferred, each a local and a remote file."""
        shutil.copy(empty_queue(), self.files / "queue.sqlite3")
        secret = {"keyfile": E["KEY"]} if MODE == "key" else {"password": E["PASSWORD"]}
        server = {"host": E["HOST"], "port": E["PORT"], "user": E["LOGIN"], "protocol": PROTOCOL, "logontype": LOGON}
        with contextlib.closing(sqlite3.connect(self.files / "queue.sqlite3")) as base, contextlib.ExitStack() as stack:
            stack.enter_context(base)  # commits
            to = insert(base, "servers", **server, **secret, type=0, transfer_mode="default", encoding="Auto")
            for local, remote in transfers:
                here, there = PurePosixPath(local), PurePosixPath(ROOT, remote)
                source, target = (there.name, here.name) if flags == DOWNLOAD else (here.name, there.name)
                paths = {
                    "local_path": insert(base, "local_paths", path=f"{here.parent}/"),
                    "remote_path": insert(base, "remote_paths", path=safe(there.parent)),
                }
                names = {"source_file": source, "target_file": None if target == source else target}
                insert(
                    base, "files", server=to, **names, **paths, priority=2, flags=flags, default_exists_action=action
                )

    # --- the display -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[None]:
        """FileZilla on a display of its own; both have ended afterwards.

        Without -noreset the display would begin anew whenever its only client ends, as xdotool soon does.
        """
        reading, writing = os.pipe()
        display = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x960x24", "-nolisten", "tcp", "-noreset"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with contextlib.ExitStack() as stack:
            stack.callback(ended, subprocess.Popen(display, pass_fds=[writing], **quiet))
            self.environment["DISPLAY"] = f":{os.read(reading, 20).decode().strip()}"
            for program in (["openbox"], ["filezilla", *words]):
                self.process = subprocess.Popen(program, env=self.environment, **quiet)
                stack.callback(ended, self.process)
            yield

    def log(self) -> str:
        path = self.place / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def windows(self, title: str) -> list[str]:
        """The numbers of the windows whose title matches."""
        line = ["xdotool", "search", "--onlyvisible", "--name", title]
        done = subprocess.run(
            line, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        return done.stdout.decode().split()

    def seen(self, title: str) -> bytes:
        """What a window shows, a PNG; nothing if there is no such window."""
        windows = self.windows(title)
        small = ["-colors", "64", "-depth", "8", "-define", "png:exclude-chunks=date,tIME", "png8:-"]
        line = ["import", "-frame", "-window", *windows[-1:], *small]
        if not windows:
            return b""
        return subprocess.run(line, env=self.environment, stdout=subprocess.PIPE, check=True).stdout

    def press(self, title: str, *lines: str) -> None:
        """Press keys in a window, each line a command of xdotool: ``key NAME...``, or ``type TEXT``."""
        window = str(self.wait(lambda: self.windows(title), f"a window {title}")[-1])
        for line in (["windowactivate", "--sync", window], *(line.split(" ", 1) for line in lines)):
            words = line[1].split() if line[0] == "key" else line[1:]
            subprocess.run(["xdotool", line[0], *words], env=self.environment, stderr=subprocess.DEVNULL, check=False)

    def wait(self, condition: Callable[[], list[str]], what: str, seconds: float = SECONDS) -> list[str]:
        """Until there is something. A question whether to trust the server ends it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            if self.process.poll() is not None:
                break
            if self.windows(QUESTIONS):
                sys.exit("FileZilla asks whether to trust the server")
            time.sleep(0.1)
        why = f"it ended with {self.process.poll()}" if self.process.poll() is not None else f"{seconds} s passed"
        raise TimeoutError(f"expected {what}, not so: {why}:\n{self.log()[-1500:]}")

    def logged(self, pattern: str) -> Callable[[], list[str]]:
        return lambda: re.findall(pattern, self.log(), re.MULTILINE)

    def until(self, act: Callable[[], None], condition: Callable[[], list[str]], what: str) -> None:
        """Do something till it takes effect: a key that comes before a window is ready is lost."""
        for _turn in range(8):
            act()
            with contextlib.suppress(TimeoutError):
                self.wait(condition, what, 5)
                return
        raise TimeoutError(f"expected {what}, found:\n{self.log()[-1500:]}")

    def prove(self) -> None:
        """The log says how it was connected."""
        missing = [one for one in PROOFS.get(MODE, ()) if one not in self.log()]
        if missing:
            sys.exit(f"FileZilla's log: expected {missing}, found:\n{self.log()[-1500:]}")


def insert(base: sqlite3.Connection, table: str, **values: object) -> int | None:
    """Add a row to a table; its number."""
    places = ", ".join("?" * len(values))
    return base.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values())).lastrowid


def empty_queue() -> Path:
    """A queue without files, which FileZilla makes itself when it starts for the first time."""
    path = Path(E["HOME"], "queue.sqlite3")
    if not path.is_file():
        with tempfile.TemporaryDirectory() as place:
            client = FileZilla(Path(place))
            with client.running():
                client.wait(lambda: client.windows("FileZilla$"), "a window")
            shutil.copy(client.files / "queue.sqlite3", path)
    return path


@contextlib.contextmanager
def connected(folder: str) -> Iterator[FileZilla]:
    """FileZilla with a directory of the server open."""
    with tempfile.TemporaryDirectory() as place:
        client = FileZilla(Path(place))
        client.trust()
        client.site(folder)
        with client.running("--site=0/server"):
            client.wait(client.logged('Directory listing of ".*" successful'), "a listing")
            client.prove()
            yield client


def transfer(transfers: list[Transfer], flags: int = 0, action: int = OVERWRITE) -> None:
    """Let a queue be processed; FileZilla closes when it is empty."""
    with tempfile.TemporaryDirectory() as place:
        client = FileZilla(Path(place))
        client.trust()
        client.queue(transfers, flags, action)
        with client.running():
            client.until(lambda: client.press("FileZilla$", "key ctrl+p"), client.logged("."), "that the queue begins")
            client.wait(lambda: ["ended"] if client.process.poll() is not None else [], "the end of the queue")
        client.prove()
        done = len(client.logged("File transfer successful")())
        if done != len(transfers):
            sys.exit(f"FileZilla: expected {len(transfers)} files transferred, found {done}:\n{client.log()[-1500:]}")


def selected(client: FileZilla, name: str, *lines: str) -> None:
    """Press keys in the list of the server's files, on the file with this name."""
    start = re.match("[A-Za-z0-9]*", name)
    client.press("FileZilla$", "key F6 F6 Tab Tab", f"type {start.group() if start else ''}", *lines)


class Verbs:
    """What the matrix asks for."""

    def list(self, folder: str) -> None:
        with connected(folder) as client:
            found = client.logged(r"Listing:\s+\S+\s+\d+\s+\S+\s+\S+\s+\d+\s+\w+\s+\d+\s+[\d:]+ (.+)$")()
        print(*(name for name in found if name not in (".", "..")), sep="\n")

    def put(self, local: str, remote: str) -> None:
        transfer([(local, remote)])

    def get(self, remote: str, local: str) -> None:
        transfer([(local, remote)], DOWNLOAD)

    def resume(self, remote: str, local: str) -> None:
        transfer([(local, remote)], DOWNLOAD, RESUME)

    def many(self, local: str, remote: str) -> None:
        transfer([(str(path), f"{remote}/{path.name}") for path in sorted(Path(local).iterdir())])

    def tree(self, local: str, remote: str) -> None:
        files = [path for path in sorted(Path(local).rglob("*")) if path.is_file()]
        transfer([(str(path), f"{remote}/{path.relative_to(local)}") for path in files])

    def tree_back(self, remote: str, local: str, names: str) -> None:
        each = Path(names).read_text(encoding="utf-8").splitlines()
        transfer([(f"{local}/{name}", f"{remote}/{name}") for name in each], DOWNLOAD)

    def rename(self, old: str, new: str) -> None:
        before, after = PurePosixPath(old), PurePosixPath(new)
        keys = ("key F2", "key ctrl+a", f"type {after.name}", "key Return")
        with connected(str(before.parent)) as client:
            done = client.logged(r"RenameOpData::Reset\(0\)")
            client.until(lambda: selected(client, before.name, *keys), done, "that the file is renamed")

    def delete(self, remote: str) -> None:
        path = PurePosixPath(remote)
        with connected(str(path.parent)) as client:
            asked = "^Confirmation needed$"

            def ask() -> None:
                selected(client, path.name, "key Delete")

            client.until(ask, lambda: client.windows(asked), "a question whether to delete")
            client.press(asked, "key alt+y")
            client.wait(client.logged(r"DeleteOpData::Reset\(0\)"), "that the file is deleted")

    def picture(self, path: str) -> None:
        """The question of the first connection, when its window does not change any more."""
        with tempfile.TemporaryDirectory() as place:
            client = FileZilla(Path(place))
            client.site("")
            with client.running("--site=0/server"):
                before, found = b"", b""
                while not found or found != before:
                    time.sleep(0.5)
                    before, found = found, client.seen(QUESTIONS)
        Path(path).write_bytes(found)


getattr(Verbs(), sys.argv[1].replace("-", "_"), lambda *_words: sys.exit(64))(*sys.argv[2:])
