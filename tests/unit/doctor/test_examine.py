# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor as a whole: its findings, their order, what it says to whom, and its documentation."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NotPermitted, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import listed
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import examine as _doctor
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import live as _live
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.examine import (
    examine,
    examined,
    exit_status,
    in_order,
    render,
    to_json,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    COMMON,
    ERROR,
    WARNING,
    Reporter,
    chained,
    first,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.kinds import FILES, KINDS
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Accounts

found = Reporter(KINDS)
ROOT = Path(__file__).resolve().parents[3]
DOCTOR = ROOT / "plugins/module_utils/_doctor"
BAD = found("database-exposed", "it is open", "/db", path="/db")
ILL = found("service-disabled", "not at boot", "vsftpd", unit="vsftpd")


def test_the_worst_severity_is_the_exit_status():
    assert [exit_status(findings) for findings in ([], [ILL], [ILL, BAD], [BAD])] == [0, 10, 11, 11]


def test_errors_come_first_and_nothing_twice():
    assert in_order([ILL, BAD, BAD]) == [BAD, ILL]


def test_a_restart_is_advised_once():
    outdated = found("service-outdated", "old", "vsftpd", verb="restart", restarts=["vsftpd"])
    assert outdated.fix == "systemctl daemon-reload && systemctl restart vsftpd"
    restarts = found("tls-not-forced", "open", "/c", edits="x", path="/c", restarts=["vsftpd", "vsftpd-implicit"])
    assert restarts.fix == "sed -i x /c && systemctl restart vsftpd vsftpd-implicit"
    other = found("tls-not-forced", "open", "/c", edits="x", path="/c", restarts=["vsftpd-implicit"])
    assert in_order([outdated, restarts]) == [restarts]
    assert in_order([outdated, other]) == [other, outdated]


def test_findings_are_json_and_text():
    assert json.loads(json.dumps(to_json([BAD]))) == [
        {
            "severity": "error",
            "subject": "database-exposed",
            "what": "it is open",
            "why": KINDS["database-exposed"].why,
            "fix": "chown root:root /db && chmod 0600 /db",
            "where": "/db",
        }
    ]
    assert render([]) == "No problem found.\n"
    text = render([BAD, ILL])
    for word in ("ERROR database-exposed", "it is open", BAD.why, BAD.fix, "WARNING service-disabled", "1 error, 1 w"):
        assert word in text


def test_names_of_attackers_are_quoted_for_the_shell_and_shown_harmlessly(tmp_path):
    name = f"x; touch {tmp_path}/owned"
    finding = found("account-shell", name, name, user=name)
    assert shlex.split(finding.fix)[-1] == name
    finding = found("user-name", "\x1b]0;gotcha\x07")
    assert finding.what == "\\x1b]0;gotcha\\x07"
    subprocess.run(
        found("key-file-orphan", "x", paths=[f"{tmp_path}/$(touch {tmp_path}/owned)"]).fix, shell=True, check=False
    )
    assert not (tmp_path / "owned").exists()


def test_long_lists_stay_readable():
    names = [f"user{number}" for number in range(200)]
    assert listed(names) == "user0, user1, user2, user3, user4 and 195 more"
    assert listed(names[:5]).endswith("user4")
    assert first(names[:50]) == (names[:50], "")
    some, comment = first(names)
    assert some == names[:50] and comment.startswith("  # the first 50 of 200")
    assert chained(["true", "true"]) == "true && true"
    assert chained(["true"] * 60).count("true") == 50
    fix = found("key-file-orphan", "x", paths=names).fix
    assert fix == f"rm -f -- {' '.join(some)}{comment}"
    assert found("key-file-orphan", "x", paths=names[:2]).fix == "rm -f -- user0 user1"


@pytest.mark.parametrize("error", [SecureFtpError("", found="no idea"), PermissionError(13, "no", "/x")])
def test_what_cannot_be_examined_is_a_finding_beside_what_was_found_before(error):
    def examination():
        yield BAD
        raise error

    assert [(one.subject, one.fix) for one in examined(examination, "ls /x")] == [
        ("database-exposed", BAD.fix),
        ("not-examined", "ls /x"),
    ]


def test_only_root_may_examine(monkeypatch):
    monkeypatch.setattr(_doctor.os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="run: sudo ftp-users check"):
        examine()


def test_a_host_that_serves_nothing(monkeypatch):
    monkeypatch.setattr(_doctor.os, "geteuid", lambda: 0)
    monkeypatch.setattr(_live, "find_instances", lambda run: [])
    monkeypatch.setattr(_live, "find_sftp", lambda **_verb: Sftp("/etc/ssh/sshd_config", [], Accounts({}, {}, {})))
    assert [finding.subject for finding in examine()] == ["server-missing"]


def test_a_configuration_that_cannot_be_read_at_all(monkeypatch):
    def refuse(**_verb):
        raise SecureFtpError("/etc/ssh/sshd_config", found="cannot read it: Input/output error")

    monkeypatch.setattr(_doctor.os, "geteuid", lambda: 0)
    monkeypatch.setattr(_live, "find_instances", lambda run: [])
    monkeypatch.setattr(_live, "find_sftp", refuse)
    assert "Input/output error" in next(one.what for one in examine() if one.subject == "not-examined")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.__name__.rpartition(".")[2])
def test_a_kind_stands_beside_the_check_that_reports_it(file):
    source = Path(file.__file__).read_text(encoding="utf-8")
    for subject in file.KINDS:
        assert source.count(f'"{subject}"') > 1, f"nothing here reports {subject}"
    with pytest.raises(KeyError):
        file.found("no-such-kind", "what")


def test_every_file_with_kinds_is_in_the_registry_and_no_kind_is_twice():
    with_kinds = {path.stem for path in DOCTOR.glob("*.py") if "\nfound = Reporter(KINDS)\n" in path.read_text()}
    assert with_kinds == {file.__name__.rpartition(".")[2] for file in FILES}
    assert len(KINDS) == len(COMMON) + sum(len(file.KINDS) for file in FILES)


@pytest.mark.parametrize("subject", KINDS)
def test_every_kind_says_how_bad_it_is_and_what_to_do(subject):
    kind = KINDS[subject]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", subject)
    assert kind.severity in (ERROR, WARNING) and kind.means and kind.why.endswith(".") and kind.fix
