# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the command, what it answers, and its manual page and completion, which must keep up with it."""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._command import answers, verb_folders
from ansible_collections.secure_ftp.server.plugins.module_utils._command import main as command
from ansible_collections.secure_ftp.server.plugins.module_utils._command import prompt as source
from ansible_collections.secure_ftp.server.plugins.module_utils._core import errors
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import about, live
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp as Jails
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, Result
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import access
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import parse

FILES = Path(__file__).resolve().parents[3] / "roles" / "user_command" / "files"
USER = {
    "name": "batman",
    "protocols": ["ftps", "sftp"],
    "locked": False,
    "access": "read_only",
    "umask": "default",
    "ftps_max_rate": 2048,
    "comment": "Bruce, 1",
    "expires": "2099-01-31",
    "allowed_sources": ["192.0.2.0/24", "2001:db8::1"],
    "quota": 10 << 30,
    "quota_files": 0,
    "used_bytes": 9 << 30,
    "used_files": 12,
    "ftps": {"scheme": "sha512_crypt", "directory": "/home/vftp/batman", "access": "read_only", "umask": "default"},
    "sftp": {
        "scheme": None,
        "directory": "/home/sftp/batman",
        "access": "read_write",
        "umask": "default",
        "keys": 2,
    },
}


class Recorder:
    """Stands in for Manager below the command: notes what it is asked and says yes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.errors: list[Exception] = []

    def __getattr__(self, method: str) -> Any:
        assert hasattr(Manager, method), f"Manager has no {method}"

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append((method, *arguments, options))
            for error in self.errors:
                raise error
            answers = {"users": [USER], "show": USER, "keys": ["ssh-ed25519 A"], "export": ([], [])}
            if method == "with_protocols":
                return arguments[0]
            if method in ("apply_list", "hash_plaintext"):
                return Result(added=["batman"])
            return answers.get(method, {"changed": True, "user": USER, "files": [], "warnings": ["careful"]})

        return call


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(command, "Manager", lambda: recorder)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return recorder


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["add", "batman", "bat!"], ("add", "batman", {"password": "bat!"})),
        (["add", "batman", "--no-password"], ("add", "batman", {"no_password": True})),
        (
            ["add", "batman", "--no-password", "--protocol", "sftp", "--key", "ssh-ed25519 A b"],
            ("add", "batman", {"protocols": ["sftp"], "authorized_keys": ["ssh-ed25519 A b"], "no_password": True}),
        ),
        (["edit", "batman", "--protocol", "both"], ("edit", "batman", {"protocols": ["ftps", "sftp"]})),
        (["edit", "batman", "cave!"], ("edit", "batman", {"password": "cave!"})),
        (
            ["edit", "batman", "--access", "read_only", "--umask", "0027", "--ftps-max-rate", "2M"],
            ("edit", "batman", {"access": "read_only", "umask": "0027", "ftps_max_rate": "2M"}),
        ),
        (
            ["edit", "batman", "--comment", "", "--expires", "never", "--allowed-sources", ""],
            ("edit", "batman", {"comment": "", "expires": "never", "allowed_sources": []}),
        ),
        (
            ["edit", "batman", "--quota", "10G", "--quota-files", "none"],
            ("edit", "batman", {"quota": "10G", "quota_files": "none"}),
        ),
        (
            ["edit", "batman", "--allowed-sources", "192.0.2.1, 2001:db8::/32"],
            ("edit", "batman", {"allowed_sources": ["192.0.2.1", "2001:db8::/32"]}),
        ),
        (
            ["add", "batman", "--no-password", "--access", "upload_only"],
            ("add", "batman", {"no_password": True, "access": "upload_only"}),
        ),
        (["del", "batman"], ("delete", "batman", False, {})),
        (["del", "batman", "--remove-home"], ("delete", "batman", True, {})),
        (["lock", "batman"], ("lock", "batman", {})),
        (["unlock", "batman"], ("unlock", "batman", {})),
        (["keys", "batman", "add", "ssh-ed25519 A b"], ("add_key", "batman", "ssh-ed25519 A b", {})),
        (["keys", "batman"], ("keys", "batman", {})),
        (["keys", "batman", "--json", "add", "ssh-ed25519 A b"], ("add_key", "batman", "ssh-ed25519 A b", {})),
        (["keys", "batman", "list"], ("keys", "batman", {})),
        (["keys", "batman", "del", "SHA256:abc"], ("delete_key", "batman", "SHA256:abc", {})),
        (["show", "batman"], ("show", "batman", {})),
        (["list"], ("users", {})),
    ],
)
def test_words_become_calls(manager: Recorder, words: list[str], call: tuple[Any, ...]) -> None:
    assert command.main(words) == 0
    assert manager.calls[-1] == call


@pytest.mark.parametrize("verb", ["add", "edit", "passwd"])
def test_passwords_and_hashes_come_on_standard_input(
    manager: Recorder, monkeypatch: pytest.MonkeyPatch, verb: str, capsys: Any
) -> None:
    type_in(monkeypatch, "geheim geheim\r\n")
    assert command.main([verb, "batman", "--password-stdin"]) == 0
    assert manager.calls[-1][-1] == {"password": "geheim geheim"}
    type_in(monkeypatch, "$6$x$y\n")
    assert command.main([verb, "batman", "--hash-stdin"]) == 0
    assert manager.calls[-1][-1] == {"password_hash": "$6$x$y"}
    shown = capsys.readouterr()
    assert "geheim" not in shown.out + shown.err and shown.err.count("warning: careful") == 2


def test_a_generated_password_is_the_one_that_is_set(manager: Recorder, capsys: Any) -> None:
    assert command.main(["add", "batman", "--generate", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["generated_password"] == manager.calls[-1][-1]["password"]
    assert len(answer["generated_password"]) == source.GENERATED_LENGTH


def test_without_a_terminal_nobody_is_asked(manager: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    type_in(monkeypatch, "geheim geheim\n")
    assert command.main(["add", "batman"]) == 2
    assert "expected a terminal to ask on, found none; use --password-stdin" in capsys.readouterr().err
    assert manager.calls[-1][0] == "expect_new", "nothing was added"


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
)
def test_each_kind_of_error_has_its_status_and_its_line(manager: Recorder, kind: Any, capsys: Any) -> None:
    manager.errors.append(kind("user 'x'", "a", found="b", remedy="do c"))
    status = command.main(["show", "x"])
    assert status == errors.EXIT_CODES[kind.code] != 0
    assert capsys.readouterr().err == "error: user 'x': expected a, found b; do c\n"
    assert command.main(["show", "x", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["error"] == {"code": kind.code, "message": str(manager.errors[0])}
    assert f"\\fI{kind.code}\\fR".replace("_", "_") in page(), "the manual page names it"


def test_what_the_system_refuses_is_one_line_too(manager: Recorder, capsys: Any) -> None:
    manager.errors = [PermissionError(13, "Permission denied", "/run/lock")]
    assert command.main(["lock", "batman"]) == 1
    assert capsys.readouterr().err == "error: /run/lock: the system refused: Permission denied\n"


def test_control_c_is_no_traceback(manager: Recorder, capsys: Any) -> None:
    manager.errors = [KeyboardInterrupt()]
    assert command.main(["lock", "batman"]) == command.INTERRUPTED
    assert "nothing was changed" in capsys.readouterr().err
    manager.errors = [KeyboardInterrupt("the change is made")]
    assert command.main(["lock", "batman"]) == command.INTERRUPTED
    assert "interrupted; the change is made\n" in capsys.readouterr().err


def test_only_root_is_asked_for_a_password(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert command.main(["add", "batman", "--generate"]) == 6
    assert "expected to run as root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["ad", "batman"], "; did you mean add? see: ftp-users --help\n"),
        (["keys", "alfred", "dell"], "; did you mean del? see: ftp-users keys --help\n"),
        (["xyz"], "); see: ftp-users --help\n"),
        (["remove", "batman"], "; did you mean del? see: ftp-users --help\n"),
        (["create", "batman"], "; did you mean add? see: ftp-users --help\n"),
        (["keys", "alfred", "remove"], "; did you mean del? see: ftp-users keys --help\n"),
        (["Disable", "batman"], "; did you mean lock? see: ftp-users --help\n"),
        (["edit", "batman", "--protocol", "boht"], "; did you mean both? see: ftp-users edit --help\n"),
    ],
)
def test_a_misspelled_verb_is_answered_with_the_one_that_was_meant(
    manager: Recorder, capsys: Any, words: list[str], remedy: str
) -> None:
    assert command.main(words) == 2
    assert capsys.readouterr().err.endswith(remedy)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit", "batman", "--password"], "unrecognized arguments: --password; did you mean --password-stdin?"),
        (["add", "batman", "--gen"], "unrecognized arguments: --gen"),
        (["list", "batman"], "unrecognized arguments: batman; see: ftp-users list --help"),
        (["keys", "batman", "list", "--jsn"], "unrecognized arguments: --jsn; did you mean --json?"),
        (
            ["add", "batman", "--protocol", "ftps", "--protocol=sftp"],
            "--protocol: expected once, found again; for both protocols: --protocol both; see: ftp-users add --help",
        ),
    ],
)
def test_options_are_not_abbreviated_and_a_verb_refuses_what_it_does_not_know(
    manager: Recorder, capsys: Any, words: list[str], said: str
) -> None:
    assert command.main(words) == 2
    error = capsys.readouterr().err
    assert said in error and f"see: ftp-users {words[0]}" in error


@pytest.mark.parametrize("file", ["/no/such/key", "./key", "~/key", "robin.pub"])
@pytest.mark.parametrize("words", [["add", "robin", "--key"], ["edit", "robin", "--key"], ["keys", "robin", "add"]])
def test_the_file_of_a_key_that_is_not_there_is_said_to_be_missing(
    manager: Recorder, capsys: Any, words: list[str], file: str
) -> None:
    assert command.main([*words, file]) == 2
    assert capsys.readouterr().err == f"error: {file}: cannot read it: No such file or directory\n"


def test_without_a_verb_the_verbs_are_listed(manager: Recorder, capsys: Any) -> None:
    assert command.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: expected a verb: list, show, ") and " check, " in said and said.count("\n") == 1
    assert said.endswith(", found none; what each does: ftp-users --help\n")
    assert command.main(["--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid"


def test_del_says_where_the_files_stay_and_how_to_delete_them(
    manager: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    told = {"changed": True, "user": None, "files": ["/home/vftp/bat man", "/home/sftp/bat man"], "warnings": []}
    monkeypatch.setattr(manager, "delete", lambda name, remove_home: told, raising=False)
    assert command.main(["del", "bat man"]) == 0
    assert capsys.readouterr().out == (
        "bat man: removed\n"
        "the files stay in /home/vftp/bat man, /home/sftp/bat man; to delete them:"
        " ftp-users del 'bat man' --remove-home\n"
    )
    assert command.main(["del", "bat man", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told
    told["files"] = []
    assert command.main(["del", "bat man"]) == 0
    assert capsys.readouterr().out == "bat man: removed\n"


def test_edit_without_a_change_names_the_options(manager: Recorder, capsys: Any) -> None:
    assert command.main(["edit", "batman"]) == 2
    said = capsys.readouterr().err
    assert "user 'batman': expected something to change, found nothing; give " in said
    for option in sorted(options(verbs()["edit"]) - {"--help", "--json"}):
        assert f"{option}," in said or f"{option};" in said, option
    assert said.endswith("; to be asked for a password: ftp-users passwd batman\n")
    assert [call[0] for call in manager.calls] == ["show"], "nothing was changed"


def test_passwords_from_a_stream() -> None:
    assert source.from_stream(io.StringIO("with a blank \n"), "x") == "with a blank "
    for text in ("", "\n", "one\ntwo\n"):
        with pytest.raises(errors.InvalidInput, match="user 'x': password: expected"):
            source.from_stream(io.StringIO(text), "x")


# --- manual page and completion --------------------------------------------------------------------------------------


def page() -> str:
    return (FILES / "ftp-users.8").read_text().replace("\\-", "-")


def verbs() -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (a for a in command.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(subparsers.choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


def test_the_manual_page_has_every_verb_and_option() -> None:
    synopsis = page().split(".SH SYNOPSIS")[1].split(".SH DESCRIPTION")[0]
    commands = page().split(".SH COMMANDS")[1].split(".SH OPTIONS")[0]
    for verb, parser in verbs().items():
        assert re.search(rf"^\.B {verb}$", commands, re.M), f"{verb} is not described"
        usage = re.search(rf"(?:ftp-users |\|\\fB){verb}\\fR.*(?:\n .*)*", synopsis)
        assert usage, f"{verb} is not in the synopsis"
        for option in options(parser) - {"--help"} - ({"--json"} if verb == "remote" else set()):
            assert option in usage.group(), f"{verb} {option} is not in the synopsis"


def test_the_completion_has_every_verb_and_option() -> None:
    script = (FILES / "completion.bash").read_text()
    first = re.search(r'words="(list [^"]*)"', script)
    assert first and set(first.group(1).split()) == (set(verbs()) - {"remote"}) | {"--help"}
    for verb, parser in verbs().items():
        line = re.search(rf'^ +{verb}\) words\+="([^"]*)"', script, re.M)
        known = set(line.group(1).split()) if line else set()
        assert verb == "remote" or known == options(parser) - {"--help", "--json"}, verb


def test_about_is_text_or_json_of_the_same(manager: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """What it reads and how it looks: tests/unit/doctor."""
    for name in ("examine", "addresses", "host_keys"):
        monkeypatch.setattr(about, name, lambda *_run: [])
    monkeypatch.setattr(live, "find_instances", lambda run: [])
    monkeypatch.setattr(access, "access_here", lambda: ("ftpcontrol", ("shop",)))
    monkeypatch.setattr(about, "effective", lambda name, path: {})
    monkeypatch.setattr(live, "ssh_ports", lambda run: {22})
    monkeypatch.setattr(live, "apply_verb", lambda run: "reload")
    jail = parse("Match Group sftponly\n  ChrootDirectory /home/sftp\n")
    monkeypatch.setattr(live, "find_sftp", lambda verb: Jails("", jail, Accounts({}, {}, {})))
    assert command.main(["about"]) == 0
    text = capsys.readouterr().out
    assert (
        "1 user (1 for SFTP)" in text
        and "  Remote        ftpcontrol@" in text
        and "\n  On a client   sftp batman@" in text
    )
    assert command.main(["about", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["serves"] == ["SFTP"] and said["commands"][0]["line"] in text


def test_show_and_list_say_what_a_user_may_do(manager: Recorder, capsys: Any) -> None:
    assert command.main(["show", "batman"]) == 0
    shown = capsys.readouterr().out
    for line in (
        "access:         read_only\n",
        "umask:          default\n",
        "ftps max rate:  2048 bytes a second\n",
        "comment:        Bruce, 1\n",
        "expires:        2099-01-31\n",
        "log-ins from:   192.0.2.0/24, 2001:db8::1\n",
        "quota:          10737418240 bytes, used 9663676416 bytes\n",
        "quota files:    none, used 12\n",
        "sftp access:    read_write\n",
    ):
        assert line in shown
    assert "ftps access" not in shown, "only what differs is said again"
    assert command.main(["list"]) == 0
    assert " ACCESS " in (out := capsys.readouterr().out) and " read_only " in out and " 90 % of 10G " in out


def test_what_is_empty_is_said_in_words_except_to_programs(
    manager: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(manager, "keys", lambda name: [], raising=False)
    monkeypatch.setattr(manager, "users", lambda: [], raising=False)
    monkeypatch.setattr(verb_folders, "folders_here", lambda: [])
    for words, out, err in (
        (["keys", "batman"], "", "batman has no keys\n"),
        (["folders"], "there are no shared folders; ftp_shared_folders lists them in the inventory\n", ""),
        (["list"], "there are no users; add one: ftp-users add NAME\n", ""),
        (["list", "--names"], "", ""),
    ):
        assert command.main(words) == 0
        assert tuple(capsys.readouterr()) == (out, err)
        assert command.main([*words, "--json"]) == 0
        assert list(json.loads(capsys.readouterr().out).values()) == [[]]


def test_an_export_says_that_it_leaves_passwords_out(
    manager: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    user = {"name": "batman", "protocols": ["sftp"], "locked": False, "password_hash": None, "authorized_keys": []}
    monkeypatch.setattr(manager, "export", lambda hashes: ([user], []), raising=False)
    assert command.main(["export"]) == 0
    assert capsys.readouterr().err == "passwords are left out; with the stored hashes: ftp-users export --hashes\n"
    assert command.main(["export", "--hashes"]) == 0 and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("side", "said"), [({"scheme": None, "keys": 0}, "no password or key"), ({"scheme": None, "keys": 1}, "active")]
)
def test_a_user_as_whom_nobody_can_log_in_is_not_called_active(side: dict[str, Any], said: str) -> None:
    assert answers.state({**USER, "ftps": None, "sftp": {**USER["sftp"], **side}}) == said
