# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which vsftpd's PAM service obeys accounts: where they stand, and how they are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam import find_userdb
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam_account import (
    group_in,
    obey,
    rules,
    with_rules,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host import access, pam


def block(group: str) -> str:
    """The rules for ``group`` between their marks."""
    return "\n".join((pam.BEGIN, *rules(group), pam.END, ""))


ROLE = Path(__file__).resolve().parents[3] / "roles" / "pam_userdb"
BY_HAND = """#%PAM-1.0
auth required pam_userdb.so db=/x crypt=crypt
  account sufficient pam_userdb.so db=/x
@include common-session
"""


@pytest.fixture
def no_access_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "ensure", lambda: None)


def test_the_role_makes_the_file_that_the_rules_name() -> None:
    tasks = (ROLE / "tasks" / "main.yml").read_text()
    assert f"path: {access.ACCESS_FILE}\n" in tasks and access.ACCESS_FILE in access.RULE
    assert (ROLE / "files" / "secure-ftp-access.conf").read_text() == access.HEADER == access.render(access.Access())


def test_the_rules_come_before_all_others_of_the_account_phase_and_no_other_line_changes() -> None:
    text = with_rules(BY_HAND, "sftponly")
    assert text == BY_HAND.replace("  account", block("sftponly") + "  account")
    assert with_rules(text, "sftponly") == text and group_in(text) == "sftponly"
    assert with_rules(text, "others") == BY_HAND.replace("  account", block("others") + "  account")


@pytest.mark.parametrize("line", ["@include common-account", "-account required pam_x.so", "account include x"])
def test_whatever_the_account_phase_begins_with(line: str) -> None:
    assert with_rules(f"auth x\n{line}\n", "g") == f"auth x\n{block('g')}{line}\n"


def test_a_service_without_an_account_phase_gets_one() -> None:
    assert with_rules("auth x", "g") == f"auth x\n{block('g')}"


@pytest.mark.parametrize(
    "text",
    [
        BY_HAND,
        "",
        BY_HAND + block("g"),  # behind a rule that ends the phase
        with_rules(BY_HAND, "g").replace("default=bad", "default=ignore"),
        with_rules(BY_HAND, "g").replace("account  [success=ok", "#account  [success=ok"),
    ],
)
def test_rules_that_somebody_changed_or_moved_are_none(text: str) -> None:
    assert group_in(text) == ""
    assert group_in(with_rules(text, "g")) == "g"


def test_the_role_writes_the_same_rules() -> None:
    jinja2, yaml = pytest.importorskip("jinja2"), pytest.importorskip("yaml")  # what is on a host has neither
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert "sshd_chroot_group" in variables["__pam_userdb_group"]
    environment = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
    environment.filters["regex_replace"] = lambda value, _pattern, _new: value[: -len(".db")]
    template = environment.from_string((ROLE / "templates" / "pam.j2").read_text())
    text = template.render(pam_userdb_db="/x.db", __pam_userdb_group="jailed")
    assert group_in(text) == "jailed"


def test_a_service_by_hand_is_changed_and_kept_as_a_copy(tmp_path: Path, no_access_file: None) -> None:
    path = tmp_path / "ftp"
    path.write_text(BY_HAND)
    path.chmod(0o640)
    found = find_userdb("ftp", str(tmp_path))
    assert found is not None and (found.accounts_of, found.top) == ("", str(path))
    obey(found.top, "sftponly")
    obey(found.top, "sftponly")
    found = find_userdb("ftp", str(tmp_path))
    assert found is not None and found.accounts_of == "sftponly" and path.stat().st_mode & 0o777 == 0o640
    (copy,) = [one for one in tmp_path.iterdir() if one != path]
    assert copy.read_text() == BY_HAND


def test_the_account_phase_is_that_of_the_service_and_not_of_what_it_includes(
    tmp_path: Path, no_access_file: None
) -> None:
    (tmp_path / "ftp").write_text("auth include virtual\naccount required pam_permit.so\n")
    (tmp_path / "virtual").write_text(with_rules("auth required pam_userdb.so db=/x crypt=crypt\n", "g"))
    found = find_userdb("ftp", str(tmp_path))
    assert found is not None and found.accounts_of == ""
    obey(found.top, "g")
    found = find_userdb("ftp", str(tmp_path))
    assert found is not None and found.accounts_of == "g" and found.path == str(tmp_path / "virtual")
