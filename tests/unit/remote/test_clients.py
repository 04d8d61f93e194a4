"""The clients of remote control without a server: what they refuse at once, in one line, and how they wait."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from client_cases import CASES, KEYS, PASSPHRASE

PROGRAM = ROOT / "clients" / "python" / "ftp_users_client.py"
HAS_PARAMIKO = importlib.util.find_spec("paramiko") is not None
COMMANDS = {
    "python": [sys.executable, str(PROGRAM)],
    "php": ["php", str(ROOT / "clients" / "php" / "ftp-users.php")],
}
# Elsewhere the tests in molecule/default/tests/test_remote_clients.py run the same cases: a client host has both.
NO_PHP = "no php on this machine"
needs = {
    "python": pytest.mark.skipif(not HAS_PARAMIKO, reason="this Python has no Paramiko"),
    "php": pytest.mark.skipif(shutil.which("php") is None, reason=NO_PHP),
}
each_client = pytest.mark.parametrize("client", [pytest.param(name, marks=needs[name]) for name in COMMANDS])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    subprocess.run(
        ["bash", "-e"], input=KEYS, cwd=directory, env={**os.environ, "PASSPHRASE": PASSPHRASE}, text=True, check=True
    )
    return directory


def run(words: list[str], directory: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Away from any terminal and agent."""
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    return subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        start_new_session=True,
        timeout=60,
        check=False,
    )


@each_client
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_work_is_said_at_once_and_in_one_line(client: str, name: str, keys: Path) -> None:
    case = CASES[name]
    done = run([*COMMANDS[client], *case.options.split(), *case.words.split()], keys, case.stdin)
    assert (done.returncode, done.stdout) == (case.status, ""), done
    assert re.fullmatch(f"error: (?:{case.said})\n", done.stderr), done.stderr
    assert not case.stdin or case.stdin.strip() not in done.stderr


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("keys alfred", {"verb": "keys", "name": "alfred"}),
        ("keys alfred list", {"verb": "keys", "name": "alfred"}),
        ("keys alfred add K", {"verb": "keys_add", "name": "alfred", "key": "K"}),
        ("keys alfred del K", {"verb": "keys_del", "name": "alfred", "key": "K"}),
        ("keys_add alfred K", {"verb": "keys_add", "name": "alfred", "key": "K"}),
        ("keys_del alfred K", {"verb": "keys_del", "name": "alfred", "key": "K"}),
        ("edit alfred --protocol both", {"verb": "edit", "name": "alfred", "protocols": ("ftps", "sftp")}),
    ],
)
def test_keys_are_managed_in_the_words_of_the_server_and_in_those_of_the_protocol(
    module: Any, monkeypatch: pytest.MonkeyPatch, keys: Path, words: str, request_: dict[str, str]
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(module.FtpUsers, "call", lambda _self, verb, **fields: sent.append({"verb": verb, **fields}))
    assert module.main(["--host=x", f"--key={keys / 'plain'}", *words.split()]) == 0
    assert sent == [request_]


def test_a_new_password_is_for_a_user_who_is_there(
    module: Any, monkeypatch: pytest.MonkeyPatch, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[dict[str, str]] = []

    def call(_self: object, verb: str, **fields: str) -> dict[str, object]:
        sent.append({"verb": verb, **fields})
        if fields["name"] != "alfred":
            raise module.RequestError("no_such_user", "nobody")
        return {"user": {}}

    monkeypatch.setattr(module.FtpUsers, "call", call)
    monkeypatch.setattr(module, "_line", lambda _what: "geheim geheim")
    words = ["--host=x", f"--key={keys / 'plain'}", "passwd", "--password-stdin"]
    assert module.main([*words, "alfred"]) == 0
    assert sent == [
        {"verb": "show", "name": "alfred"},
        {"verb": "edit", "name": "alfred", "password": "geheim geheim"},
    ]
    assert module.main([*words, "joker"]) == 3
    assert sent[2:] == [{"verb": "show", "name": "joker"}], "nothing was asked for or changed"


def test_instructions_are_text_unless_json_is_asked_for(
    module: Any, monkeypatch: pytest.MonkeyPatch, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"instructions": {"text": ["How alfred connects", "", "SFTP\x1b[2J"]}}
    monkeypatch.setattr(module.FtpUsers, "call", lambda _self, _verb, **_fields: told)
    words = ["--host=x", f"--key={keys / 'plain'}", "instructions", "alfred"]
    assert module.main(words) == 0
    assert capsys.readouterr().out == "How alfred connects\n\nSFTP\\x1b[2J\n"
    assert module.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told


def test_without_paramiko_the_python_client_names_the_package() -> None:
    # -S: without site-packages, which is where Paramiko is, if it is anywhere.
    done = run([sys.executable, "-S", str(PROGRAM), "--host=127.0.0.1", "list"], ROOT)
    assert (done.returncode, done.stdout) == (255, "")
    assert re.fullmatch(r"error: expected the Python package paramiko, .*pip install paramiko.*\n", done.stderr)
    assert run([sys.executable, "-S", str(PROGRAM), "--help"], ROOT).returncode == 0
    code = (
        f"import sys; sys.path[:0] = [{str(PROGRAM.parent)!r}]; import ftp_users_client; ftp_users_client.FtpUsers('x')"
    )
    done = run([sys.executable, "-S", "-c", code], ROOT)
    assert done.stderr.splitlines()[-1].startswith("ImportError: expected the Python package paramiko")


@pytest.mark.skipif(shutil.which("php") is None, reason=NO_PHP)
def test_without_phpseclib_the_php_client_names_the_package(tmp_path: Path) -> None:
    php = ["php", "-d", f"include_path={tmp_path}", COMMANDS["php"][1]]
    done = run([*php, "--host=127.0.0.1", "list"], ROOT)
    assert (done.returncode, done.stdout) == (255, "")
    assert re.fullmatch(r"error: expected phpseclib 3, found none; .*composer require phpseclib.*\n", done.stderr)
    assert run([*php, "--help"], ROOT).returncode == 0


@each_client
def test_a_retry_that_waits_is_told_of_and_patience_ends_it(client: str, keys: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        place = ["--host=127.0.0.1", f"--port={port}", "--key=plain", "--patience=2"]
        done = run([*COMMANDS[client], *place, "list"], keys)
    assert done.returncode == 255
    first, last = done.stderr.splitlines()
    assert first == f"connection to 127.0.0.1:{port} refused; trying again for 2 s"
    assert last.startswith(f"error: connection to 127.0.0.1:{port} refused, tried for 2 s; ")


@each_client
def test_a_server_that_hangs_up_is_an_error_of_one_line(client: str, keys: Path) -> None:
    """Paramiko logs this with a traceback. The host key is known only here, and each connection is closed at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'plain.pub').read_text()}")
    place = [
        *COMMANDS[client],
        "--host=127.0.0.1",
        f"--port={port}",
        "--key=plain",
        "--known-hosts=known",
        "--patience=0",
    ]
    with listener, subprocess.Popen([*place, "list"], cwd=keys, stdout=-1, stderr=-1, text=True) as program:
        listener.accept()[0].close()
        output, errors = program.communicate(timeout=60)
    assert (program.returncode, output) == (255, "")
    assert errors.startswith(f"error: connection to 127.0.0.1:{port} failed: ") and errors.count("\n") == 1, errors


@each_client
def test_an_unknown_host_key_is_an_error_that_says_how_to_add_it(client: str, keys: Path) -> None:
    (keys / "none").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        place = ["--host=127.0.0.1", f"--port={port}", "--key=plain", "--known-hosts=none"]
        done = run([*COMMANDS[client], *place, "list"], keys)
    assert done.returncode == 255 and done.stderr.count("\n") == 1
    assert "expected a known host key, found none in none" in done.stderr
    assert (
        f"ssh-keyscan -p {port} 127.0.0.1 >>none" in done.stderr
        and "ssh-keygen -lf none with that of ftp-users about" in done.stderr
    )


class Terminal:
    """A client on a terminal, with something else as its standard input."""

    def __init__(self, words: list[str], directory: Path):
        pexpect = pytest.importorskip("pexpect")
        line = " ".join(["exec", *words, "</dev/null"])
        self.eof = pexpect.EOF
        self.given: list[str] = []
        self.child: Any = pexpect.spawn("sh", ["-c", line], cwd=str(directory), encoding="utf-8", timeout=30)

    def answer(self, question: str, text: str) -> None:
        self.child.expect_exact(question)
        self.child.waitnoecho(10)
        self.child.sendline(text)
        self.given.append(text)

    def rest(self) -> str:
        self.child.expect(self.eof)
        self.child.close()
        return str(self.child.before).strip()


@each_client
def test_the_passphrase_is_asked_for_on_the_terminal_and_not_shown(client: str, keys: Path) -> None:
    words = [*COMMANDS[client], "--host=127.0.0.1", "--port=9", "--patience=0", "--key=encrypted", "list"]
    for given, said in (
        (PASSPHRASE, "error: connection to 127.0.0.1:9 refused; is this the host and the port of its sshd?"),
        ("falsch", "error: encrypted: expected the passphrase of this key, found a wrong one"),
    ):
        terminal = Terminal(words, keys)
        terminal.answer("Passphrase of encrypted: ", given)
        assert terminal.rest().startswith(said)
        assert terminal.child.exitstatus == 255


@each_client
def test_a_password_is_asked_for_twice_in_the_words_of_the_server(
    client: str, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(prompt.sys.stdin, "isatty", lambda: True, raising=False)
    prompt.from_terminal("alfred", lambda question: (questions.append(question), "geheim geheim")[1])

    place = [*COMMANDS[client], "--host=127.0.0.1", "--port=9", "--patience=0", "--key=plain"]
    for words in (["add", "alfred"], ["edit", "alfred", "--password"]):
        terminal = Terminal([*place, *words], keys)
        for given in ("geheim geheim", "something else", "geheim geheim", "geheim geheim"):
            terminal.answer(questions[0] if len(terminal.given) % 2 == 0 else questions[1], given)
        assert terminal.rest().startswith("error: connection to 127.0.0.1:9 refused; ")
    terminal = Terminal([*place, "add", "alfred"], keys)
    for turn in range(6):
        terminal.answer(questions[turn % 2], f"other-{turn}")
    assert terminal.rest() == "error: password: expected the same twice, found two different ones"
    assert terminal.child.exitstatus == 2


@each_client
def test_ctrl_c_at_the_question_gives_the_echo_back(client: str, keys: Path) -> None:
    words = [*COMMANDS[client], "--host=127.0.0.1", "--port=9", "--key=encrypted", "list"]
    line = f"trap : INT; {' '.join(words)}; sleep 0.3; stty -a | grep -o -- '-*echo ' | head -n 1; echo over"
    pexpect = pytest.importorskip("pexpect")
    # A job in the background of a script ignores the signal, and so would everything that it starts.
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    child = pexpect.spawn("sh", ["-c", line], cwd=str(keys), encoding="utf-8", timeout=30, preexec_fn=listen)
    child.expect_exact("Passphrase of encrypted: ")
    child.waitnoecho(10)
    child.sendintr()
    child.expect_exact("over")
    assert "Traceback" not in child.before and re.search(r"(?m)^echo ", child.before), child.before


# --- the Python module ---------------------------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("paramiko")
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return importlib.import_module("ftp_users_client")


def test_a_name_that_does_not_resolve_is_an_error_at_once_unless_the_resolver_is_away(
    module: Any, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    said: list[str] = []
    users = module.FtpUsers("files.example.net", key_file=str(keys / "plain"), patience=0.3, progress=said.append)
    for number, expected in ((socket.EAI_NONAME, 0), (socket.EAI_AGAIN, 1)):

        def fail(*_arguments: object, number: int = number) -> None:
            raise socket.gaierror(number, "what the resolver says")

        monkeypatch.setattr(socket, "create_connection", fail)
        with pytest.raises(module.ConnectionFailed, match="files.example.net.*what the resolver says"):
            users.list()
        assert len(said) == expected


def test_the_key_is_read_once_and_its_passphrase_asked_for_once(
    module: Any, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    asked: list[str] = []

    def ask(path: str) -> str:
        asked.append(path)
        return PASSPHRASE

    def refuse(*_arguments: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    path = str(keys / "encrypted")
    users = module.FtpUsers("files.example.net", key_file=path, passphrase=ask, patience=0.5)
    for _call in range(2):
        with pytest.raises(module.ConnectionFailed, match="refused, tried for 0.5 s"):
            users.list()
    assert asked == [path]
    with pytest.raises(module.ConnectionFailed, match="expected the passphrase of this encrypted key, found none"):
        module.FtpUsers("files.example.net", key_file=path).load_key()


def test_a_reader_that_went_away_is_no_traceback(keys: Path) -> None:
    pytest.importorskip("paramiko")
    code = (
        f"import sys; sys.path[:0] = [{str(PROGRAM.parent)!r}]; import ftp_users_client as client;"
        "client.FtpUsers.call = lambda *_a, **_k: {'users': ['x' * 99] * 9999};"
        "sys.exit(client.main(['--host=x', '--key=plain', 'list']))"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, cwd=keys, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (
        1,
        "error: the request succeeded, and its result cannot be written: Broken pipe\n",
    )


# --- the packages --------------------------------------------------------------------------------------------------


def test_the_packages_have_the_version_of_the_collection() -> None:
    (version,) = re.findall(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert f'\n__version__ = "{version}"\n' in PROGRAM.read_text(encoding="utf-8")
    assert json.loads((ROOT / "clients/php/composer.json").read_text(encoding="utf-8"))["version"] == version


def test_what_composer_json_says_is_so() -> None:
    """The fields that composer needs, the files that they name; and composer itself, where there is one."""
    php = ROOT / "clients" / "php"
    package = json.loads((php / "composer.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", package["name"]) and package["description"]
    assert package["license"] == "GPL-3.0-or-later"
    assert package["require"] == {"php": ">=8.0", "phpseclib/phpseclib": "^3.0.15"}
    named = [*package["autoload"]["classmap"], *package["bin"]]
    assert named and [name for name in named if not (php / name).is_file()] == []
    for path in (*php.glob("*.php"), php / "ftp-users"):
        assert "\ndeclare(strict_types=1);\n" in path.read_text(encoding="utf-8"), path.name
    if shutil.which("composer"):
        command = ["composer", "validate", "--strict", "--no-check-version", "--no-interaction", "composer.json"]
        subprocess.run(command, cwd=php, check=True)
