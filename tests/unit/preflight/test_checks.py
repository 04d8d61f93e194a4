"""The preflight check: every problem in one go, each naming what is wrong."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._host import accounts, sockets
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight import checks as _preflight
from ansible_collections.secure_ftp.server.plugins.module_utils._preflight.checks import Host, secrets_of
from ansible_collections.secure_ftp.server.plugins.module_utils._users import fields

DEBIAN = Host("debian", "12")
GOOD = {
    "vsftpd_tls_modes": ["explicit", "implicit"],
    "vsftpd_port": 21,
    "vsftpd_implicit_port": 990,
    "vsftpd_pasv_enable": True,
    "vsftpd_pasv_min_port": 50000,
    "vsftpd_pasv_max_port": 50999,
    "vsftpd_local_root": "/home/vftp/$USER",
    "pam_userdb_db": "/etc/vsftpd/users.db",
    "sshd_chroot_directory": "/home/sftp",
    "sshd_chroot_keys_directory": "/etc/ssh/sftponly_keys",
    "sshd_chroot_group": "sftponly",
    "firewall_enabled": True,
    "firewall_backend": "ufw",
    "firewall_ipv6": True,
    "firewall_rate_limit": False,
    "firewall_confirm_timeout": 60,
    "firewall_ssh_port": 0,
    "firewall_allowed_sources": [],
    "firewall_ssh_allowed_sources": [],
    "firewall_extra_rules": [],
}
USERS = [{"name": "batman", "password": "Gotham-City!"}, {"name": "robin", "password": "x" * 12, "protocols": ["sftp"]}]

HASH = "$6$abcdefgh$" + "x" * 86
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu83 joker"


def problems(variables, users, host):
    return list(map(str, _preflight.problems(Settings.parse(variables), users, host)))


def one(users=None, host=DEBIAN, **variables):
    found = problems({**GOOD, **variables}, USERS if users is None else users, host)
    assert len(found) == 1, found
    return found[0]


def test_good_values_pass():
    assert problems(GOOD, USERS, DEBIAN) == []


def test_numbers_given_as_strings_on_the_command_line_pass():
    strings = {name: str(value) if isinstance(value, (int, bool)) else value for name, value in GOOD.items()}
    assert problems(strings, USERS, DEBIAN) == []


@pytest.mark.parametrize("release", releases.RELEASES, ids=lambda release: release.name)
def test_supported_systems_pass(release):
    assert problems(GOOD, USERS, Host(release.os_id, release.version)) == []


@pytest.mark.parametrize("release", releases.RELEASES, ids=lambda release: release.name)
def test_a_version_of_tls_must_be_left(release):
    host = Host(release.os_id, release.version)
    only = {**GOOD, "vsftpd_ssl_tlsv12": "false", "vsftpd_ssl_tlsv13": True}
    assert problems(only, USERS, host) == []
    (found,) = problems({**only, "vsftpd_ssl_tlsv13": False}, USERS, host)
    assert "vsftpd_ssl_tlsv1 to vsftpd_ssl_tlsv13: expected one of them to be true, found all false" in found
    plain = {"vsftpd_ssl_enable": False, "vsftpd_tls_modes": ["explicit"]}
    assert problems({**only, **plain, "vsftpd_ssl_tlsv13": False}, USERS, host) == []


@pytest.mark.parametrize("release", releases.RELEASES, ids=lambda release: release.name)
def test_hashes_that_one_release_misreads_are_said_before_the_run(release):
    users = [{"name": "batman", "password_hash": "$6$" + "x" * 117}, {"name": "robin", "password_hash": "x"}, "bad"]
    found = _preflight.warnings(Settings(), users, Host(release.os_id, release.version))
    assert len(found) == (release.name == "Ubuntu 22.04"), found
    assert all("batman" in one and "robin" not in one for one in found)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("203.0.113.10", "an address for documentation"),
        ("127.0.0.1", "a loopback address"),
        ("10.0.0.7", ""),
        ("192.168.2.1", ""),
        ("8.8.8.8", ""),
        ("", ""),
        ("ftp.example.org", ""),
    ],
)
def test_an_address_for_clients_that_none_can_reach_is_said_but_refuses_nothing(address, words):
    said = _preflight.warnings(Settings(vsftpd_pasv_address=address), USERS, DEBIAN)
    assert [f"{address} is {words}; give the public address of the NAT" in one for one in said] == [True] * bool(words)
    if words:
        assert problems({**GOOD, "vsftpd_pasv_address": address}, USERS, DEBIAN) == []


def test_a_name_for_clients_has_an_address_that_they_can_reach():
    name = {"vsftpd_pasv_address": "ftp.example.org"}
    assert problems({**GOOD, **name}, USERS, DEBIAN) == []
    text = one(host=replace(DEBIAN, addresses_of=lambda _name: []), **name)
    assert "vsftpd_pasv_address" in text and "found ftp.example.org, which has none on this host" in text
    (said,) = _preflight.warnings(Settings(**name), USERS, replace(DEBIAN, addresses_of=lambda _name: ["127.0.0.1"]))
    assert "ftp.example.org is a loopback address" in said


def test_unsupported_system_names_the_supported_ones():
    text = one(host=Host("centos", "9", "CentOS Stream 9"))
    assert "CentOS Stream 9" in text
    for name in ("Debian 11, 12, 13", "Ubuntu 20.04, 22.04, 24.04"):
        assert name in text


@pytest.mark.parametrize(
    "variables, words",
    [
        ({"vsftpd_port": 0}, ["vsftpd_port", "1 to 65535", "0"]),
        ({"vsftpd_port": 65536}, ["vsftpd_port", "65536"]),
        ({"vsftpd_port": "ftp"}, ["vsftpd_port", "'ftp'"]),
        ({"vsftpd_port": True}, ["vsftpd_port", "true"]),
        ({"vsftpd_implicit_port": 21}, ["vsftpd_implicit_port", "21", "vsftpd_port"]),
        ({"vsftpd_pasv_min_port": 1023}, ["vsftpd_pasv_min_port", "1024"]),
        ({"vsftpd_pasv_max_port": 70000}, ["vsftpd_pasv_max_port", "70000"]),
        ({"vsftpd_pasv_min_port": 51000}, ["vsftpd_pasv_min_port", "51000", "50999", "swap"]),
        ({"vsftpd_port": 50500}, ["vsftpd_port", "50500", "passive range"]),
        ({"vsftpd_implicit_port": 50999}, ["vsftpd_implicit_port", "50999", "passive range"]),
        ({"vsftpd_tls_modes": []}, ["vsftpd_tls_modes", "explicit"]),
        ({"vsftpd_tls_modes": "explicit"}, ["vsftpd_tls_modes", "list"]),
        ({"vsftpd_tls_modes": ["explicit", "none"]}, ["vsftpd_tls_modes", "'none'"]),
        ({"vsftpd_tls_modes": ["explicit", "explicit"]}, ["vsftpd_tls_modes", "once"]),
        ({"vsftpd_pasv_enable": "maybe"}, ["vsftpd_pasv_enable", "'maybe'"]),
        ({"vsftpd_local_root": "srv/ftp"}, ["vsftpd_local_root", "absolute", "srv/ftp"]),
        ({"vsftpd_local_root": "/"}, ["vsftpd_local_root"]),
        ({"vsftpd_local_root": "/srv/../etc"}, ["vsftpd_local_root", ".."]),
        ({"vsftpd_local_root": "/srv/my ftp"}, ["vsftpd_local_root", "blanks"]),
        ({"vsftpd_local_root": None}, ["vsftpd_local_root", "nothing"]),
        ({"pam_userdb_db": "/etc/vsftpd/users"}, ["pam_userdb_db", ".db"]),
        ({"pam_userdb_db": "/home/sftp/users.db"}, ["pam_userdb_db", "/home/sftp"]),
        ({"sshd_chroot_keys_directory": "/home/vftp/keys"}, ["sshd_chroot_keys_directory", "/home/vftp"]),
        ({"sshd_chroot_directory": "/home/vftp"}, ["sshd_chroot_directory", "vsftpd_local_root"]),
        ({"sshd_chroot_directory": "/home"}, ["sshd_chroot_directory", "vsftpd_local_root"]),
        (
            {"vsftpd_listen": False, "vsftpd_listen_ipv6": True, "vsftpd_pasv_address": "8.8.8.8"},
            ["vsftpd_pasv_address", "0.0.0.0", "vsftpd_listen: true"],
        ),
        ({"vsftpd_listen": False, "vsftpd_listen_ipv6": False}, ["vsftpd_listen_ipv6", "both false"]),
        ({"vsftpd_pasv_enable": False, "vsftpd_port_enable": False}, ["vsftpd_port_enable"]),
        ({"vsftpd_ssl_enable": False}, ["vsftpd_ssl_enable", "implicit"]),
        ({"vsftpd_pasv_address": "0.0.0.0"}, ["vsftpd_pasv_address", "0.0.0.0"]),
        ({"vsftpd_pasv_address": "ftp.example.org/"}, ["vsftpd_pasv_address", "IPv4", "host name"]),
        ({"vsftpd_guest_username": "root"}, ["vsftpd_guest_username", "root"]),
        ({"vsftpd_guest_username": "robin"}, ["ftp_users[1]", "'robin'", "vsftpd_guest_username"]),
        ({"vsftpd_certificate_source": "letsencrypt"}, ["vsftpd_certificate_source", "letsencrypt", "self_signed"]),
        (
            {
                "vsftpd_certificate_source": "content",
                "vsftpd_certificate_content": "x",
                "vsftpd_private_key_content": "",
            },
            ["vsftpd_private_key_content", "empty"],
        ),
        ({"vsftpd_certificate_days": 30}, ["vsftpd_certificate_renew_days", "30"]),
        ({"vsftpd_rsa_cert_file": "server.crt"}, ["vsftpd_rsa_cert_file", "absolute"]),
        ({"vsftpd_options": {"listen_port": 2121}}, ["vsftpd_options", "listen_port", "vsftpd_port"]),
        ({"vsftpd_options": []}, ["vsftpd_options", "mapping"]),
        ({"vsftpd_local_root": "/srv/ftp", "vsftpd_user_sub_token": "$USER"}, ["vsftpd_local_root", "/$USER"]),
        ({"firewall_ssh_port": -1}, ["firewall_ssh_port", "-1"]),
        ({"firewall_ssh_port": "ssh"}, ["firewall_ssh_port", "'ssh'"]),
        ({"firewall_allowed_sources": ["10.0.0.300"]}, ["firewall_allowed_sources[0]", "10.0.0.300"]),
        ({"firewall_ssh_allowed_sources": "10.0.0.1"}, ["firewall_ssh_allowed_sources", "list"]),
        ({"firewall_extra_rules": [{"port": 0}]}, ["firewall_extra_rules[0]", "port"]),
        ({"firewall_extra_rules": [{"port": 1}, {"prt": 2}]}, ["firewall_extra_rules[1]", "prt"]),
        ({"firewall_extra_rules": {"port": 1}}, ["firewall_extra_rules", "list"]),
        ({"firewall_extra_rules": [{"port": 990, "rule": "deny"}]}, ["firewall_extra_rules[0]", "FTPS implicit TLS"]),
        ({"firewall_backend": "iptables"}, ["firewall_backend", "ufw, azure_nsg, none"]),
        ({"firewall_backend": "azure_nsg", "firewall_azure_security_group": "x"}, ["firewall_azure_resource_group"]),
        ({"firewall_ipv6": "perhaps"}, ["firewall_ipv6", "'perhaps'"]),
        ({"firewall_rate_limit": 7}, ["firewall_rate_limit", "7"]),
        ({"firewall_confirm_timeout": "soon"}, ["firewall_confirm_timeout", "'soon'"]),
        ({"vsftpd_ftp_data_port": 70000}, ["vsftpd_ftp_data_port", "70000"]),
    ],
)
def test_one_wrong_variable_is_one_problem(variables, words):
    text = one(**variables)
    for word in words:
        assert word in text


def test_ports_of_modes_that_are_off_do_not_clash():
    assert problems({**GOOD, "vsftpd_tls_modes": ["explicit"], "vsftpd_implicit_port": 21}, USERS, DEBIAN) == []


def test_passive_range_does_not_matter_without_passive_mode():
    assert problems({**GOOD, "vsftpd_pasv_enable": False, "vsftpd_port": 50500}, USERS, DEBIAN) == []


def test_a_firewall_that_is_off_is_not_checked():
    assert problems({**GOOD, "firewall_enabled": False, "firewall_extra_rules": 7}, USERS, DEBIAN) == []


@pytest.mark.parametrize("port", [2222, 50500])
def test_ssh_port_overlaps(port):
    host = Host("debian", "12", ssh_ports=(22, port))
    text = one(host=host, vsftpd_port=2222)
    assert str(port) in text and "SSH" in text


def test_a_certificate_somebody_else_looks_after_is_there():
    files = {"vsftpd_rsa_cert_file": "/srv/cert.pem", "vsftpd_rsa_private_key_file": "/srv/key.pem"}
    host = Host("debian", "12", has_file={"/srv/cert.pem"}.__contains__)
    assert "/srv/key.pem" in one(host=host, vsftpd_certificate_source="files", **files)
    assert problems({**GOOD, **files}, USERS, host) == [], "the role makes its own"


def test_a_foreign_program_on_the_port():
    host = Host("debian", "12", listener_of={21: "proftpd"}.get)
    assert "proftpd" in one(host=host) and "21" in one(host=host)
    assert problems(GOOD, USERS, Host("debian", "12", listener_of={21: "vsftpd", 990: "vsftpd"}.get)) == []


@pytest.mark.parametrize(
    "entry, words",
    [
        ("batman", ["ftp_users[0]", "mapping", "a text"]),
        ({}, ["ftp_users[0]", "name"]),
        ({"name": "bat man"}, ["ftp_users[0]", "'bat man'"]),
        ({"name": "../etc"}, ["ftp_users[0]", "'../etc'"]),
        ({"name": "root"}, ["ftp_users[0]", "'root'", "reserved"]),
        ({"name": 7}, ["ftp_users[0]", "7"]),
        ({"name": "batman", "pasword": "hush-hush-hush"}, ["ftp_users[0]", "'batman'", "pasword"]),
        ({"name": "batman", "protocols": "ftps"}, ["ftp_users[0]", "protocols", "list"]),
        ({"name": "batman", "protocols": ["ftp"]}, ["'batman'", "protocols", "ftp"]),
        ({"name": "batman", "protocols": [1]}, ["'batman'", "protocols"]),
        ({"name": "batman", "protocols": []}, ["'batman'", "protocols", "empty"]),
        ({"name": "batman", "state": "gone"}, ["'batman'", "state", "'gone'"]),
        ({"name": "batman", "authorized_keys": "ssh-ed25519 AAAA"}, ["authorized_keys", "list"]),
        ({"name": "batman", "password": "hush-hush-hush", "password_hash": HASH}, ["'batman'", "not both"]),
        ({"name": "batman", "password": 12345}, ["'batman'", "password"]),
    ],
)
def test_one_wrong_person_is_one_problem_without_secrets(entry, words):
    text = one(users=[entry])
    for word in words:
        assert word in text
    assert "hush-hush-hush" not in text


def test_users_must_be_a_list():
    assert "list" in one(users={"name": "batman"})


def test_listed_twice():
    text = one(users=[*USERS, {"name": "batman"}, {"name": "batman"}])
    assert "'batman'" in text and "3 times" in text


def test_the_login_user_is_not_jailed():
    assert "'batman'" in one(host=Host("debian", "12", login_users=frozenset({"batman"})))


def test_a_system_account_outside_the_group():
    accounts = {"batman": ("users",), "robin": ("users", "sftponly")}
    text = one(host=Host("debian", "12", account_of=accounts.get))
    assert "'batman'" in text and "sftponly" in text
    ftps_only = [{"name": "batman", "password": "Gotham-City!", "protocols": ["ftps"]}]
    assert problems(GOOD, ftps_only, Host("debian", "12", account_of=accounts.get)) == []
    everybody = {**GOOD, "ftp_users_home": "one"}
    assert problems(everybody, ftps_only, Host("debian", "12", account_of=accounts.get)), "all have accounts"


def test_all_problems_at_once_in_one_message():
    found = problems(
        {**GOOD, "vsftpd_port": 0, "vsftpd_pasv_min_port": 51000, "pam_userdb_db": "users"},
        [{"name": "a b"}, {"name": "c d"}, {"name": "batman"}, {"name": "batman"}],
        Host("fedora", "40"),
    )
    text = _preflight.message(found)
    assert len(found) == 7 and text.startswith("7 problems") and "nothing was changed" in text
    for word in ("fedora 40", "'a b'", "'c d'", "'batman'", "vsftpd_port", "vsftpd_pasv_min_port", "pam_userdb_db"):
        assert word in text


def test_secrets_are_everything_that_is_not_known_to_be_public():
    users = [
        {"name": "batman", "password": "one", "state": "present", "protocols": ["ftps"], "pasword": {"a": ["two"]}},
        {"name": "robin", "password_hash": "three", "password": None},
        "four",
    ]
    assert secrets_of(users) == {"one", "two", "three", "four"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), VALUES, max_size=5), VALUES)
def test_any_value_gives_sentences_never_a_traceback(variables, users):
    for problem in problems({**GOOD, **variables}, users, DEBIAN):
        assert isinstance(problem, str) and problem
    secrets_of(users)


ENTRY = st.fixed_dictionaries({}, optional={key: VALUES for key in fields.NAMES})


@given(st.lists(ENTRY, max_size=3))
def test_any_person_gives_sentences_never_a_traceback(users):
    for problem in problems(GOOD, users, DEBIAN):
        assert isinstance(problem, str) and problem


def test_account_groups():
    assert _preflight.account_groups("root")[0] == "root"
    assert _preflight.account_groups("no-such-account-here") is None


def test_listener_finds_this_process():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert sockets.listener(port) is None
        server.listen()
        with open(f"/proc/{os.getpid()}/comm", encoding="utf-8") as stream:
            assert sockets.listener(port) == stream.read().strip()


def test_this_host_knows_who_logged_in(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alfred")
    host = _preflight.this_host("bruce", [22])
    assert host.login_users == {"alfred", "bruce"} and host.ssh_ports == (22,)
    monkeypatch.setenv("DOAS_USER", "selina")
    # The same accounts as those that a change of accounts spares: it knows the user of the audit session, too.
    assert _preflight.this_host("", []).login_users == accounts.login_names() - {"root"} >= {"alfred", "selina"}
    monkeypatch.setattr(_preflight, "login_names", lambda: {"root"})
    assert _preflight.this_host("", []).login_users == frozenset()


def test_a_hash_that_is_stored_already_is_no_problem():
    users = [{"name": "joker", "password_hash": "$1$abcdefgh$F.Kfn8/W.yLCwlYtUc80H/"}]
    assert "found MD5 ($1$), which is weak" in one(users)
    assert problems(GOOD, users, Host("debian", "12", is_stored=lambda name, _hash, _protocols: name == "joker")) == []


@pytest.mark.parametrize(
    ("user", "accounts", "names", "words"),
    [
        ({}, {}, set(), ["is new to FTPS (not in /etc/vsftpd/users.db)", "is new to SFTP (there is no such account)"]),
        ({"protocols": ["sftp"]}, {}, None, ["password, password_hash or authorized_keys", "protocols: [ftps]"]),
        ({"protocols": ["sftp"], "authorized_keys": []}, {}, None, ["is new to SFTP"]),
        ({"protocols": ["ftps"]}, {}, set(), ["protocols: [sftp]"]),
        ({}, {"joker": ("sftponly",)}, {"joker"}, []),
        ({}, {}, {"joker"}, ["is new to SFTP"]),
        ({"password": "Gotham-City!"}, {}, set(), []),
        ({"protocols": ["sftp"], "authorized_keys": [KEY]}, {}, None, []),
        ({"state": "absent"}, {}, set(), []),
    ],
)
def test_new_users_without_anything_to_log_in_with_are_found(user, accounts, names, words):
    host = Host(
        "debian", "12", has_account=accounts.__contains__, account_of=accounts.get, ftps_names=lambda _db: names
    )
    found = problems(GOOD, [{"name": "joker", **user}], host)
    assert bool(found) == bool(words), found
    for word in words:
        assert word in " ".join(found)


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        (
            {"acces": "read_only"},
            "only access, umask, ftps_max_rate, comment, expires, allowed_sources, quota, quota_files,"
            " found unknown key acces; did you mean access?",
        ),
        ({"access": "ro"}, "ftp_users_defaults: access: expected read_write, read_only or upload_only, found 'ro'"),
        ({"umask": 63}, "ftp_users_defaults: umask: expected a quoted octal number"),
        ({"access": "upload_only", "umask": "0027"}, "ftp_users_defaults: expected umask default"),
        ("read_only", "ftp_users_defaults: expected a mapping, found the text 'read_only'"),
    ],
)
def test_wrong_rights_of_all_users_are_one_problem(defaults, said):
    assert said in one(ftp_users_defaults=defaults)


def test_what_needs_an_account_is_refused_for_a_user_of_ftps_only():
    users = [{**USERS[0], "protocols": ["ftps"], "comment": "Wayne"}]
    assert "ftp_users[0]: user 'batman': expected an account, which comment is stored in" in one(users)
    assert problems(GOOD, [{**users[0], "comment": ""}], DEBIAN) == []
    assert problems(GOOD, users, replace(DEBIAN, gives_accounts=True)) == []


def test_rights_of_all_users_are_checked_with_those_of_each():
    users = [{**USERS[0], "umask": "0027"}, {**USERS[1], "access": "read_only", "ftps_max_rate": 500}]
    assert problems({**GOOD, "ftp_users_defaults": {"umask": "0077", "ftps_max_rate": "1M"}}, users, DEBIAN) == []
    assert "ftp_users[0]: user 'batman': expected umask default" in one(
        users, ftp_users_defaults={"access": "upload_only"}
    )


def test_every_mistake_of_one_user_is_named():
    entry = {
        "name": "bat man",
        "umask": 63,
        "access": "ro",
        "pasword": "Gotham-City!",
        "authorized_keys": "KEY",
        "quota": "x",
    }
    found = problems(GOOD, [entry], DEBIAN)
    text = "\n".join(found)
    for word in (
        "unknown key pasword",
        "user name: expected",
        "umask: expected",
        "access: expected",
        "quota: expected",
    ):
        assert word in text, word
    assert "authorized_keys: expected a list, found a text" in text and "KEY" not in text
    assert len(found) == 6 and "Gotham" not in text


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (None, "ftp_users: expected a list of mappings, found nothing (an empty value)"),
        ("batman", "ftp_users: expected a list of mappings, found a text"),
        ([None], "found nothing (an empty value)"),
        (["Gotham-City!"], "expected a mapping such as {name: batman}, found a text"),
        ([{"name": "batman", "protocols": "ftps"}], "protocols: expected a list, found the text 'ftps'"),
        ([{"name": "batman", "protocols": [1]}], "protocols: expected a list of strings, found a number in it"),
        ([{"name": None, "password": "Gotham-City!"}], "expected a string, found nothing (an empty value)"),
    ],
)
def test_what_was_found_is_said_in_words(users, said):
    text = "\n".join(problems(GOOD, users, DEBIAN))
    assert said in text and "Gotham" not in text


@pytest.mark.parametrize("value", ["ftps", "ftp", "max_rate", "batman", "x"])
def test_the_value_of_a_misspelled_key_does_not_hide_our_own_words(value):
    """Ansible puts stars in the place of every secret, also inside a word."""
    assert secrets_of([{"name": "batman", "protocol": value, "ftps": value}]) == set()
    assert secrets_of([{"name": "batman", "password": value}]) == {value}


def test_a_password_is_measured_by_the_protocols_of_its_user():
    entry = {"name": "joker", "password": "x" * 200, "protocols": ["sftp"], "umask": 63}
    (said,) = problems(GOOD, [entry], DEBIAN)
    assert "umask" in said


SFTP_ONLY = {"ftp_protocols": ["sftp"]}


def parsed(variables, roles=()):
    return Settings.parse(variables, roles)


def test_a_server_without_ftps_asks_nothing_about_it():
    host = replace(DEBIAN, listener_of={21: "proftpd"}.get, ftps_names=lambda _db: frozenset())
    users = [{"name": "batman", "password": "Gotham-City!"}, {"name": "joker", "authorized_keys": [KEY]}]
    assert problems({**SFTP_ONLY, "vsftpd_tls_modes": [], "vsftpd_port": 22}, users, host) == []
    assert _preflight.warnings(parsed(SFTP_ONLY), users, host) == []


def test_a_user_of_ftps_has_no_place_on_a_server_without_it():
    users = [{"name": "batman", "password": "Gotham-City!", "protocols": ["ftps"]}]
    (said,) = problems(SFTP_ONLY, users, DEBIAN)
    assert "'batman': protocols: expected sftp, as ftp_protocols says, found ftps" in said
    assert problems(SFTP_ONLY, [{**users[0], "state": "absent"}], DEBIAN) == []


@pytest.mark.parametrize("protocols", [["ftps"], [], ["ftp"], ["sftp", "sftp"], "sftp", [1]])
def test_a_server_has_sftp_and_may_have_ftps(protocols):
    (said,) = problems({"ftp_protocols": protocols}, [], DEBIAN)
    assert said.startswith("ftp_protocols: expected [ftps, sftp], or [sftp] for a server without FTPS, found ")


def test_a_role_that_sets_up_what_is_not_wanted_is_refused():
    found = _preflight.problems(parsed(SFTP_ONLY, ["vsftpd", "sshd_chroot"]), [], DEBIAN)
    assert [str(one) for one in found] == [
        "ftp_protocols: has no ftps, but the role vsftpd sets it up; leave that role out of the play, or this variable"
    ]


def test_ftps_that_goes_on_is_warned_about():
    host = replace(DEBIAN, listener_of={21: "vsftpd", 990: "nginx"}.get)
    (said,) = _preflight.warnings(parsed(SFTP_ONLY), [], host)
    assert "vsftpd still listens on port 21" in said and "systemctl disable --now vsftpd" in said


def test_an_empty_list_of_tls_modes_says_how_to_have_no_ftps():
    assert "set ftp_protocols: [sftp]" in one(vsftpd_tls_modes=[])


@pytest.mark.parametrize(
    ("roles", "play", "names", "is_said"),
    [
        (["sshd_chroot"], ["sshd_chroot"], None, True),
        (["sshd_chroot"], ["sshd_chroot", "pam_userdb"], None, False),
        (["sshd_chroot", "pam_userdb"], [], None, False),
        (["sshd_chroot"], ["sshd_chroot"], frozenset(), False),
        ([], [], None, False),
    ],
)
def test_users_whom_nobody_makes_are_warned_about(roles, play, names, is_said):
    users = [{"name": "robin", "protocols": ["ftps"]}, {"name": "batman"}, {"name": "x", "protocols": ["sftp"]}]
    host = replace(DEBIAN, ftps_names=lambda _db: names)
    control = _preflight.Control(play_roles=tuple(play))
    said = _preflight.warnings(parsed({}, roles), users, host, control)
    assert bool(said) == is_said and (not said or said[0].startswith("ftp_users: robin: protocols: [ftps], but"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"vsftpd_pasv_max_port": 50039}, ""),
        ({"vsftpd_pasv_max_port": 50010}, "11 passive ports for 20 transfers at once of one address"),
        ({"vsftpd_pasv_max_port": 50010}, "(vsftpd_pasv_max_port: 50199)"),
        ({"vsftpd_pasv_max_port": 50010, "vsftpd_max_per_ip": 5}, ""),
        ({"vsftpd_pasv_max_port": 50000, "vsftpd_max_per_ip": 0}, "1 passive port for 20 transfers"),
        ({"vsftpd_pasv_max_port": 50010, "vsftpd_pasv_enable": False}, ""),
        ({"vsftpd_pasv_max_port": 50010, "ftp_protocols": ["sftp"]}, ""),
        ({"vsftpd_pasv_max_port": 49000}, ""),
    ],
)
def test_a_passive_range_that_is_too_small_for_one_address_is_warned_about(variables, said):
    found = _preflight.warnings(parsed({"vsftpd_pasv_min_port": 50000, **variables}), [], DEBIAN)
    assert len(found) == bool(said) and said in "".join(found)
