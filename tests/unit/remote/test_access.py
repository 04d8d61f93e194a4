# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in for remote control: keys, sudo rules and sshd settings as they are written and judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import access as _control
from ansible_collections.secure_ftp.server.plugins.module_utils._remote import grant as _control_host
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.access import (
    Client,
    access_here,
    clients_from_options,
    keys_text,
    removed_clients,
    sshd_problems,
    sshd_settings,
    sudo_problems,
    sudoers_text,
    validate_user,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    Jail,
    parse,
    with_block,
    with_jail,
    without_block,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIQmYRXUyUr9xwJ3MPcq6bPhvxDPC+WqLFVkmLbyFpbW"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUqJ+8Gg0N0k9cUFQ5B5wX8kI7l2J2mYxD5yJ0uYl5z"
SHOP = Client("shop", KEY)


def test_a_key_can_do_one_thing():
    (client,) = clients_from_options(
        [{"name": "shop", "key": f" {KEY} some comment\n", "from": ["192.0.2.0/24", "::1"]}]
    )
    assert client.key_line() == (
        'restrict,from="192.0.2.0/24,::1",command="/usr/bin/sudo -n /usr/local/sbin/ftp-users remote --client=shop"'
        f" {KEY} shop"
    )
    assert keys_text([SHOP]).splitlines()[1:] == [
        f'restrict,command="/usr/bin/sudo -n /usr/local/sbin/ftp-users remote --client=shop" {KEY} shop'
    ]


REFUSED = {
    "no list": {},
    "no mapping": ["shop"],
    "no key": [{"name": "shop"}],
    "more": [{"name": "shop", "key": KEY, "command": "id"}],
    "label with a blank": [{"name": "a b", "key": KEY}],
    "label with a wildcard": [{"name": "*", "key": KEY}],
    "label with a quote": [{"name": 'a"', "key": KEY}],
    "label with a line": [{"name": "a\n", "key": KEY}],
    "label as an option": [{"name": "--x", "key": KEY}],
    "long label": [{"name": "a" * 33, "key": KEY}],
    "label of a number": [{"name": 1, "key": KEY}],
    "key with options": [{"name": "shop", "key": f'command="id" {KEY}'}],
    "two keys": [{"name": "shop", "key": f"{KEY}\n{OTHER}"}],
    "no key at all": [{"name": "shop", "key": "x"}],
    "key of a number": [{"name": "shop", "key": 1}],
    "a name of a host": [{"name": "shop", "key": KEY, "from": ["*.example.org"]}],
    "a quote": [{"name": "shop", "key": KEY, "from": ['192.0.2.1",command="id']}],
    "host bits": [{"name": "shop", "key": KEY, "from": ["192.0.2.1/24"]}],
    "from as a string": [{"name": "shop", "key": KEY, "from": "192.0.2.1"}],
    "from of numbers": [{"name": "shop", "key": KEY, "from": [1]}],
    "label twice": [{"name": "shop", "key": KEY}, {"name": "shop", "key": OTHER}],
    "key twice": [{"name": "shop", "key": KEY}, {"name": "till", "key": f"{KEY} other comment"}],
}


@pytest.mark.parametrize("entries", REFUSED.values(), ids=REFUSED.keys())
def test_a_client_that_cannot_be_is_refused(entries):
    with pytest.raises(InvalidInput, match="remote_control_clients.*(expected|twice|same)") as error:
        clients_from_options(entries)
    assert KEY.split()[1] not in str(error.value)


@pytest.mark.parametrize("user", ["", "root", "www-data", "A", "a b", "a*", "ALL", "%wheel", "#0", "a\n", "x" * 32, 5])
def test_a_user_that_cannot_be_is_refused(user):
    with pytest.raises(InvalidInput, match="remote_control_user"):
        validate_user(user)


def test_sudo_grants_whole_lines_without_wildcards():
    text = sudoers_text("ftpcontrol", [SHOP, Client("till.2", OTHER)])
    rules = [line for line in text.splitlines() if line.startswith("ftpcontrol")]
    grant = "ftpcontrol ALL=(root) NOPASSWD: NOSETENV: /usr/local/sbin/ftp-users remote --client\\="
    assert rules == [f"{grant}shop", f"{grant}till.2"]
    assert "*" not in "".join(rules) and 'env_keep = "SSH_CONNECTION SSH_ORIGINAL_COMMAND ' in text


def test_who_has_access_is_read_from_the_same_file(tmp_path):
    path = tmp_path / "sudoers"
    assert access_here(str(path)) is None
    path.write_text(sudoers_text("ftpcontrol", [SHOP, Client("till.2", OTHER, program="/opt/a/ftp-users")]))
    assert access_here(str(path)) == ("ftpcontrol", ("shop", "till.2"))
    path.write_text("# nobody\n")
    assert access_here(str(path)) is None


def test_clients_who_are_not_listed_any_more_are_named(tmp_path):
    path = tmp_path / "sudoers"
    till = Client("till.2", OTHER, program="/opt/a/ftp-users")
    assert removed_clients([SHOP], str(path)) == []
    path.write_text(sudoers_text("ftpcontrol", [SHOP, till]))
    assert removed_clients([till], str(path)) == ["shop"] and removed_clients([], str(path)) == ["shop", "till.2"]


LISTING = """Matching Defaults entries for ftpcontrol on host:
    env_reset, mail_badpass

User ftpcontrol may run the following commands on host:
    (root) NOSETENV: NOPASSWD: /usr/local/sbin/ftp-users remote --client\\=shop
"""


def test_what_sudo_says_is_judged():
    assert sudo_problems("ftpcontrol", [SHOP], LISTING) == []
    assert sudo_problems("ftpcontrol", [SHOP], LISTING.replace("NOSETENV: NOPASSWD", "NOPASSWD: NOSETENV")) == []
    (more,) = sudo_problems("ftpcontrol", [SHOP], LISTING + "    (ALL) NOPASSWD: ALL\n")
    assert "found (ALL) NOPASSWD: ALL" in more
    assert len(sudo_problems("ftpcontrol", [SHOP, Client("till", OTHER)], LISTING)) == 1
    assert sudo_problems("ftpcontrol", [SHOP], "User ftpcontrol is not allowed to run sudo on host.\n") != []


def test_what_sshd_says_is_judged():
    said = {keyword.lower(): [value] for keyword, value in sshd_settings("/k").items()}
    assert sshd_problems("ftpcontrol", ["ftpcontrol"], said, "/k") == []
    for keyword, value in (
        ("passwordauthentication", "yes"),
        ("disableforwarding", "no"),
        ("authorizedkeysfile", ".ssh/authorized_keys"),
        ("trustedusercakeys", "/etc/ssh/ca.pub"),
        ("forcecommand", "internal-sftp"),
        ("allowusers", "root"),
    ):
        (problem,) = sshd_problems("ftpcontrol", ["ftpcontrol"], {**said, keyword: [value]}, "/k")
        assert problem.subject == keyword and value in problem.found


def both(text, first):
    settings = sshd_settings("/k")
    if first == "jail":
        return with_block(with_jail(text, Jail()), _control.OWNER, "User ftpcontrol", settings)
    return with_jail(with_block(text, _control.OWNER, "User ftpcontrol", settings), Jail())


@given(
    st.lists(
        st.sampled_from(
            [
                "Port 22",
                "Match all",
                "Match Group sftponly",
                " X11Forwarding no",
                "",
                "#",
                *(
                    f"# {mark} secure_ftp.server {owner}"
                    for mark in ("BEGIN", "END")
                    for owner in ("sshd_chroot", "remote_control")
                ),
            ]
        )
    )
)
def test_two_roles_that_write_the_same_file_agree(lines):
    text = both("\n".join(lines), "jail")
    assert both(text, "jail") == text and both(text, "control") == text
    assert text.count("\nMatch User ftpcontrol\n") == 1
    assert [s.value for s in parse(text) if s.keyword == "match"][-4:] == [
        "User ftpcontrol",
        "all",
        "Group sftponly",
        "all",
    ]


def test_the_order_of_the_roles_does_not_matter():
    assert both("Port 22\n", "jail").split() == both("Port 22\n", "control").split()


def test_taking_one_block_out_leaves_the_file_as_if_it_had_never_been():
    start = with_jail("Port 22\n", Jail())
    assert without_block(start, _control.OWNER) == start
    text = with_block(start, _control.OWNER, "User ftpcontrol", sshd_settings("/k"))
    assert text != start and without_block(text, _control.OWNER) == start


def test_the_preflight_finds_every_problem():
    assert _control.problems(Settings(), {"batman"}) == []
    settings = Settings(remote_control_user="batman", remote_control_clients=({"name": "x"},))
    user, client = map(str, _control.problems(settings, {"batman"}))
    assert "ftp_users" in user and "remote_control_clients[0]" in client


def test_a_command_that_others_can_change_is_not_run_as_root(tmp_path):
    assert "none" in str(_control_host.command_problem(str(tmp_path / "ftp-users")))
    command = tmp_path / "ftp-users"
    command.write_text("")
    command.chmod(0o777)
    assert "nobody else" in str(_control_host.command_problem(str(command)))
    assert _control_host.command_problem("/usr/bin/env") is None
