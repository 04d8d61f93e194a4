# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of remote control: what is a request, what is the answer, what is in the log."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    EXIT_CODES,
    Busy,
    DamagedStore,
    InvalidInput,
    NoSuchUser,
    UserExists,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager, _whole
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import protocol as _remote
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import schema as _schema
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.protocol import MAX_REQUEST, parse, serve
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.schema import VERBS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "remote-control.md").read_text(encoding="utf-8")
SECRET = "bat-Cave!1 pass"
HERE = {"SSH_CONNECTION": "192.0.2.7 40000 192.0.2.1 22"}


class Users:
    """The methods of Manager over a dictionary."""

    def __init__(self, **known):
        self.known = known
        self.calls = []

    def __getattr__(self, method):
        def call(*arguments, **given):
            self.calls.append((method, given))
            name = given.get("name")
            if method == "users":
                return [{"name": name} for name in self.known]
            if method == "add":
                if name in self.known:
                    raise UserExists(f"user {name!r}", "nobody of this name", found="one")
                self.known[name] = given
            elif name not in self.known:
                raise NoSuchUser(f"user {name!r}", "to find it", found="nobody")
            if method == "show":
                return {"name": name}
            if method == "keys":
                return ["ssh-ed25519 AAAA"]
            return {"changed": method != "lock", "user": {"name": name}, "warnings": []}

        return call


class Session:
    """One request over real pipes."""

    def __init__(self, request, manager=None, **environment):
        self.manager = Users(batman={}) if manager is None else manager
        self.log = []
        data = request if isinstance(request, bytes) else json.dumps(request).encode()
        reading, writing = os.pipe()
        answer_reading, answer_writing = os.pipe()
        sender = threading.Thread(target=self._send, args=(writing, data))
        sender.start()
        with open(reading, "rb") as stdin, open(answer_writing, "w", encoding="utf-8") as stdout:
            self.status = serve(
                "shop",
                stdin,
                stdout,
                self.manager,
                {**HERE, **environment},
                lambda _priority, message: self.log.append(message),
            )
        sender.join()
        with open(answer_reading, "rb") as answer:
            self.raw = answer.read()
        self.answer = json.loads(self.raw)

    @staticmethod
    def _send(writing, data):
        with contextlib.suppress(BrokenPipeError), open(writing, "wb", buffering=0) as pipe:
            pipe.write(data)

    @property
    def code(self):
        return self.answer.get("error", {}).get("code")

    @property
    def message(self):
        return self.answer.get("error", {}).get("message")


def request(verb, **fields):
    return {"version": 1, "verb": verb, **fields}


@pytest.mark.parametrize(
    ("asked", "call", "result"),
    [
        (request("list"), ("users", {}), {"users": [{"name": "batman"}]}),
        (request("show", name="batman"), ("show", {"name": "batman"}), {"user": {"name": "batman"}}),
        (
            request("instructions", name="batman"),
            ("show", {"name": "batman"}),
            {"instructions": {"user": "batman"}},
        ),
        (request("keys", name="batman"), ("keys", {"name": "batman"}), {"keys": ["ssh-ed25519 AAAA"]}),
    ],
)
def test_reads(asked, call, result, monkeypatch):
    monkeypatch.setattr(_schema, "_instructions", lambda user: {"user": user["name"]})
    session = Session(asked)
    assert session.manager.calls == [call]
    assert session.answer == {"version": 1, "ok": True, "result": result}
    assert session.status == 0


@pytest.mark.parametrize(
    ("verb", "method", "fields"),
    [
        ("edit", "edit", {"password": SECRET}),
        ("del", "delete", {"remove_home": True}),
        ("lock", "lock", {}),
        ("unlock", "unlock", {}),
        ("keys_add", "add_key", {"key": "k"}),
        ("keys_del", "delete_key", {"key": "k"}),
    ],
)
def test_changes(verb, method, fields):
    session = Session(request(verb, name="batman", **fields))
    assert session.manager.calls == [(method, {"name": "batman", **fields})]
    changed = method != "lock"
    assert session.answer["result"] == {"changed": changed, "user": {"name": "batman"}, "warnings": []}
    assert session.log == [
        f"client='shop' from=192.0.2.7 {verb} user='batman' result=ok {'changed' if changed else 'unchanged'}"
    ]


def test_every_verb_is_a_method_of_the_manager_and_every_field_one_of_its_arguments(monkeypatch):
    monkeypatch.setattr(_schema, "_instructions", lambda user: {})
    user = set(User._fields)
    for name, verb in VERBS.items():
        users = Users(x={})
        if name == "add":
            users.known.clear()
        verb.call(users, dict.fromkeys(verb.fields, "x"))
        method, given = users.calls[0]
        accepted = inspect.signature(getattr(Manager, method)).parameters
        assert set(given) <= set(accepted) | (user if "options" in accepted else set()), method


NOT_JSON = {
    "nothing": b"",
    "words": b"list; rm -rf /",
    "cut off": b'{"version": 1, "verb": "list"',
    "two documents": b'{"version": 1, "verb": "list"}{"version": 1, "verb": "list"}',
    "something behind": b'{"version": 1, "verb": "list"} x',
    "a NUL behind": b'{"version": 1, "verb": "list"}\0',
    "a member twice": b'{"version": 1, "verb": "list", "verb": "list"}',
    "NaN": b'{"version": 1, "verb": NaN}',
    "Infinity": b'{"version": -Infinity, "verb": "list"}',
    "not UTF-8": b'{"version": 1, "verb": "show", "name": "\xff\xfe"}',
    "UTF-16": '{"version": 1, "verb": "list"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"version": 1, "verb": "list"}',
    "deep lists": b"[" * 60000,
    "deep objects": b'{"version":' * 5000 + b"1" + b"}" * 5000,
    "a huge number": b'{"version": ' + b"9" * 60000 + b', "verb": "list"}',
    "a control character in a string": b'{"version": 1, "verb": "show", "name": "bat\nman"}',
    "a list": b"[]",
    "a string": b'"list"',
    "null": b"null",
}


@pytest.mark.parametrize("data", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_request_is_refused_with_one_line(data):
    session = Session(data)
    assert (session.code, session.status) == ("invalid", EXIT_CODES["invalid"])
    assert "expected" in session.message and "\n" not in session.message and len(session.message) < 400
    assert session.manager.calls == []
    assert session.log == ["client='shop' from=192.0.2.7 request result=invalid"]


WRONG = {
    "no version": {"verb": "list"},
    "version 2": {"version": 2, "verb": "list"},
    "version as a string": {"version": "1", "verb": "list"},
    "version true": {"version": True, "verb": "list"},
    "version 1.0": {"version": 1.0, "verb": "list"},
    "no verb": {"version": 1},
    "unknown verb": request("exec"),
    "verb of Python": request("__class__"),
    "verb of the command only": request("import", name="x"),
    "verb as a list": request(["list"]),
    "unknown field": request("list", name="batman"),
    "unknown field of add": request("add", name="x", shell="/bin/sh"),
    "missing field": request("show"),
    "name as a number": request("show", name=1),
    "name as null": request("show", name=None),
    "name as a list": request("show", name=["batman"]),
    "half a surrogate pair": request("show", name="\ud800"),
    "password as a number": request("add", name="x", password=12345),
    "password as null": request("add", name="x", password=None),
    "protocols as a string": request("add", name="x", protocols="ftps"),
    "unknown protocol": request("add", name="x", protocols=["ftps", "gopher"]),
    "protocol twice": request("add", name="x", protocols=["ftps", "ftps"]),
    "no protocol": request("add", name="x", protocols=[]),
    "keys as an object": request("add", name="x", authorized_keys={}),
    "key as a number": request("add", name="x", authorized_keys=[1]),
    "locked as a string": request("add", name="x", locked="yes"),
    "remove_home as 1": request("del", name="x", remove_home=1),
}


@pytest.mark.parametrize("asked", WRONG.values(), ids=WRONG.keys())
def test_what_the_schema_does_not_say_is_refused(asked):
    session = Session(asked)
    assert session.code == "invalid" and "expected" in session.message
    assert session.manager.calls == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_document_is_parsed_or_refused(document):
    try:
        verb, fields = parse(json.dumps(document).encode())
        assert verb in VERBS and set(fields) <= set(VERBS[verb].fields)
    except InvalidInput as error:
        str(error).encode("ascii")


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data):
    with pytest.raises(InvalidInput):
        parse(data)


def test_a_request_may_have_every_byte_of_the_limit_and_not_one_more():
    def of_size(size):
        data = json.dumps(request("show", name="batman")).encode()
        return data + b" " * (size - len(data))

    assert Session(of_size(MAX_REQUEST)).status == 0
    session = Session(of_size(MAX_REQUEST + 1))
    assert session.code == "invalid" and f"at most {MAX_REQUEST} bytes" in session.message
    assert Session(of_size(3_000_000)).code == "invalid", "the sender got rid of all of it and has its answer"


def test_a_request_that_does_not_end_is_refused(monkeypatch):
    reading, writing = os.pipe()
    os.write(writing, b'{"version": 1, "verb": "list"}')
    with pytest.raises(InvalidInput, match=r"end within 0 s"):
        _remote.receive(reading, seconds=0.2)
    os.close(reading)
    os.close(writing)


def test_an_endless_request_is_cut_off():
    with open("/dev/zero", "rb") as endless, pytest.raises(InvalidInput, match="at most"):
        _remote.receive(endless.fileno())


@pytest.mark.parametrize("command", ["", "ftp-users"])
def test_the_one_command_is_accepted(command):
    assert Session(request("list"), SSH_ORIGINAL_COMMAND=command).status == 0


@pytest.mark.parametrize(
    "command", ["id", "ftp-users list", "ftp-users; id", " ftp-users", "internal-sftp", "scp -t /", "x\nresult=ok"]
)
def test_an_exec_request_is_refused_and_logged_on_one_line(command):
    session = Session(request("list"), SSH_ORIGINAL_COMMAND=command)
    assert (session.code, session.manager.calls) == ("not_permitted", [])
    assert (
        len(session.log) == 1
        and "\n" not in session.log[0]
        and " request result=not_permitted message=" in session.log[0]
    )
    assert ascii(command)[1:-1].replace("\\", "\\\\") in session.log[0]


@pytest.mark.parametrize(
    "name",
    ["$(id)", "a\nclient='root' result=ok", "a' result=ok '", "a\" result=ok '", "\x1b[2J", "\u202e", "x" * 60000],
)
def test_no_name_can_forge_the_log(name):
    session = Session(request("show", name=name))
    assert session.code == "no_such_user" and session.manager.calls == [("show", {"name": name})]
    (line,) = session.log
    assert re.fullmatch(r"[ -~]{1,700}", line)
    found = re.match(
        r"client='shop' from=192\.0\.2\.7 show user=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?:\.\.\.)? result=", line
    )
    assert found, line
    assert line[found.end() :].startswith("no_such_user message=")
    assert len(session.raw) < 1300, "what was sent is not sent back"


def test_secrets_are_neither_logged_nor_answered():
    cases = [
        request("add", name="robin", password=SECRET),
        request("add", name="batman", password=SECRET),
        request("add", name="x", passwort=SECRET),
        request("add", name=["x"], password=SECRET),
        request(SECRET),
    ]
    for asked in cases:
        session = Session(asked)
        assert all(SECRET not in line for line in session.log)
        if "password" in asked:
            assert SECRET.encode() not in session.raw


@pytest.mark.parametrize("kind", [Busy, DamagedStore, UserExists, InvalidInput])
def test_an_error_of_the_library_is_answered_with_its_code(kind):
    class Failing:
        def show(self, name):
            raise kind("users.db", "a database", found="none")

    session = Session(request("show", name="x"), Failing())
    assert session.answer == {
        "version": 1,
        "ok": False,
        "error": {"code": kind.code, "message": "users.db: expected a database, found none"},
    }
    assert session.status == EXIT_CODES[kind.code]


def test_a_bug_is_answered_without_its_insides_and_logged_with_its_place():
    class Buggy:
        def show(self, name):
            raise KeyError(SECRET)

    session = Session(request("show", name="x"), Buggy())
    assert session.code == "failed" and SECRET not in session.message
    assert (
        re.search(r"internal error: KeyError at test_protocol\.py:\d+", session.log[0]) and SECRET not in session.log[0]
    )


def test_a_client_that_has_gone_costs_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/null", "rb") as stdin, open(writing, "w", encoding="utf-8") as stdout:
        assert serve("shop", stdin, stdout, Users(), HERE, lambda *_: None) == EXIT_CODES["invalid"]


@pytest.mark.parametrize(
    ("connection", "shown"),
    [
        ("2001:db8::1 5 ::1 22", "2001:db8::1"),
        ("fe80::1%eth0 5 ::1 22", "fe80::1"),
        ("", "unknown"),
        ("evil\nresult=ok 1", "unknown"),
    ],
)
def test_the_address_in_the_log(connection, shown):
    assert f"from={shown} list" in Session(request("list"), SSH_CONNECTION=connection).log[0]


def test_the_log_goes_to_syslog_as_a_value(monkeypatch):
    sent = []
    monkeypatch.setattr(_remote.syslog, "syslog", lambda priority, message: sent.append((priority, message)))
    with open("/dev/null", "rb") as stdin, open("/dev/null", "w", encoding="utf-8") as stdout:
        serve("shop", stdin, stdout, Users(), HERE)
    assert sent == [(_remote.syslog.LOG_WARNING, "client='shop' from=192.0.2.7 request result=invalid")]


# --- the document --------------------------------------------------------------------------------------------------


def test_the_document_has_the_codes_and_the_limits():
    for code, status in EXIT_CODES.items():
        assert re.search(rf"^\| `{code}` \| {status} \|", DOCUMENT, re.M), code
    assert f"{MAX_REQUEST:,} bytes" in DOCUMENT and f"{_remote.SECONDS:.0f} seconds" in DOCUMENT


def test_the_document_has_every_member_of_a_user():
    (part,) = re.findall(r"<!-- answered:begin -->(.*?)<!-- answered:end -->", DOCUMENT, re.S)
    side = dict.fromkeys(("scheme", "home", "access", "umask", "obeys_account", "keys", "expires", "locked"))
    user = _whole("batman", {"ftps": side, "sftp": side}, {})
    assert re.findall(r"^\| `(\w+)` \|", part, re.M) == list(user)
    for member in {*user["ftps"], *user["sftp"]}:
        assert f"`{member}`" in DOCUMENT, member


def test_the_clients_are_named_no_command_of_the_server():
    assert _remote._manager()._command("edit", "batman") == "edit batman"


def test_the_requests_in_the_document_are_requests():
    examples = re.findall(r'^ *(\{"version": 1, "verb".*\})$', DOCUMENT, re.M)
    assert len(examples) >= 3
    for example in examples:
        parse(example.encode())
