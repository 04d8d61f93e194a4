# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a server: its configuration is given here, its certificates are real ones."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import DamagedStore, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import about as _about
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import live as _live
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.about import about, command_here
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Sftp as Jails
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.server import About, Example, Ftps, Remote
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import config
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.host_keys import HostKey
from ansible_collections.secure_ftp.server.plugins.module_utils._tls import certificate as tls

ADDRESSES = ["192.0.2.10", "2001:db8::10"]
PASSIVE = "pasv_min_port=50000\npasv_max_port=50999\n"
KEY = HostKey("/etc/ssh/ssh_host_ed25519_key.pub", "ED25519", 256, "SHA256:abc")
JAIL = "Match Group sftponly\n  ChrootDirectory /home/sftp\n"


def user(
    name: str,
    protocols: str = "ftps sftp",
    locked: bool = False,
    expires: str = "never",
    obeys: bool = True,
    **sftp: Any,
) -> dict[str, Any]:
    """A user as Manager.show returns it, with a password unless ``sftp`` says otherwise."""
    sides = {
        "ftps": {"scheme": "sha512_crypt", "directory": f"/home/vftp/{name}", "obeys_account": obeys},
        "sftp": {
            "scheme": "sha512_crypt",
            "directory": f"/home/sftp/{name}",
            "keys": 0,
            **sftp,
        },
    }
    has = {one: sides[one] if one in protocols.split() else None for one in sides}
    return {"name": name, "protocols": protocols.split(), "locked": locked, "expires": expires, **has}


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True).stdout


class Host:
    """The parts of a server, as a test wants them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instances: list[Instance] = []
        self.users: list[dict[str, Any]] = [user("batman"), user("robin")]
        self.jail = JAIL
        self.remote: tuple[str, tuple[str, ...]] | None = None
        self.effective = {"passwordauthentication": ["yes"]}

    def certificate(self, *names: str, issued: bool = False) -> str:
        """Make a certificate with these alternative names, self-signed or issued by a CA; return its path."""
        path = self.make("server", "CN=web1.example.net", *names)
        if issued:
            self.make("ca", "CN=Wayne CA", key="ca.key")
            (self.folder / "names").write_text(f"subjectAltName={','.join(names)}\n" if names else "")
            openssl("x509", "-in", path, "-x509toreq", "-signkey", f"{self.folder}/server.key", "-out", f"{path}.csr")
            signing = ["-CA", f"{self.folder}/ca.crt", "-CAkey", f"{self.folder}/ca.key", "-CAcreateserial"]
            openssl("x509", "-req", "-in", f"{path}.csr", *signing, "-extfile", f"{self.folder}/names", "-out", path)
        return path

    def make(self, name: str, subject: str, *names: str, key: str = "server.key") -> str:
        path, named = f"{self.folder}/{name}.crt", [f"subjectAltName={','.join(names)}"] if names else []
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        request = ["-x509", *curve, "-nodes", "-days", "100", "-keyout", f"{self.folder}/{key}"]
        openssl("req", *request, "-subj", f"/{subject}", *(["-addext", *named] if named else []), "-out", path)
        return path

    def vsftpd(self, text: str, unit: str = "vsftpd") -> None:
        self.instances.append(Instance(unit, f"/etc/{unit}.conf", options=parse(text), text=text))

    def tls(self, more: str = "", unit: str = "vsftpd", **names: Any) -> None:
        """An instance with TLS and a certificate for the first address."""
        path = self.folder / "server.crt"
        if not path.exists():
            self.certificate("IP:192.0.2.10", "DNS:web1.example.net")
        self.vsftpd(f"listen=YES\nssl_enable=YES\nrsa_cert_file={path}\n{PASSIVE}{more}", unit)

    def about(self) -> About:
        return about(lambda: self.users, command="ftp-users", remote=lambda: self.remote)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A server with addresses and a jail, and no vsftpd yet."""
    made = Host(tmp_path)
    monkeypatch.setattr(_about, "examine", lambda live: [])
    monkeypatch.setattr(_about, "addresses", lambda: ADDRESSES)
    monkeypatch.setattr(_live, "find_instances", lambda run: made.instances)
    monkeypatch.setattr(_live, "apply_verb", lambda run: "reload")
    monkeypatch.setattr(
        _live, "find_sftp", lambda verb: Jails("/etc/ssh/sshd_config", config.parse(made.jail), Accounts({}, {}, {}))
    )
    monkeypatch.setattr(_about, "effective", lambda name, path: made.effective)
    monkeypatch.setattr(_live, "ssh_ports", lambda run: {2222, 22})
    monkeypatch.setattr(_about, "host_keys", lambda run: [KEY])
    monkeypatch.setattr(_about.socket, "gethostname", lambda: "web1")
    monkeypatch.setattr(_about.socket, "getfqdn", lambda: "web1.example.net")
    return made


def test_a_whole_server(host: Host) -> None:
    host.tls()
    host.tls("implicit_ssl=YES\nlisten_port=990\n", "vsftpd-implicit")
    path = f"{host.folder}/server.crt"
    found = host.about()
    assert found.ftps == (
        Ftps("vsftpd", "explicit", 21, "50000-50999", path),
        Ftps("vsftpd-implicit", "implicit", 990, "50000-50999", path),
    )
    assert found.sftp and (found.sftp.ports, found.sftp.passwords) == ((22, 2222), True)
    assert found.serves == ("FTPS", "SFTP") and found.host_keys == (KEY,)
    assert (found.name, found.host, found.outside, found.addresses) == ("web1", "192.0.2.10", "", tuple(ADDRESSES))
    (certificate,) = found.certificates
    shown = openssl("x509", "-noout", "-sha256", "-fingerprint", "-in", path)
    assert certificate.sha256 == shown.strip().partition("=")[2]
    assert re.fullmatch("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", certificate.sha256)
    assert certificate.self_signed and certificate.names_host and not certificate.trusted
    assert certificate.subject == "CN=web1.example.net" and re.fullmatch(r"\d{4}-\d\d-\d\d", certificate.not_after)


def test_it_survives_json(host: Host) -> None:
    host.tls()
    host.remote = "ftpcontrol", ("shop", "desk")
    for found in (host.about(), Host.about(host)):
        assert About.of(json.loads(json.dumps({**found.facts(), "more": 1}))) == found
    host.instances, host.jail, host.users, host.remote = [], "", [], None
    assert About.of(json.loads(json.dumps(host.about().facts()))) == host.about()


def test_nothing_secret_is_in_it(host: Host) -> None:
    """A certificate may share its file with its key."""
    path = host.certificate("IP:192.0.2.10")
    both = host.folder / "server.pem"
    both.write_text(Path(path).read_text() + (host.folder / "server.key").read_text())
    host.vsftpd(f"listen=YES\nssl_enable=YES\nrsa_cert_file={both}\n")
    assert host.about().certificates[0].sha256 and "PRIVATE" not in json.dumps(host.about().facts())


# --- where clients connect to -----------------------------------------------------------------------------------------


def test_behind_nat_clients_use_the_address_vsftpd_tells_them(host: Host) -> None:
    host.tls("pasv_address=198.51.100.7\n")
    found = host.about()
    assert (found.host, found.outside) == ("198.51.100.7", "198.51.100.7")
    assert not found.certificates[0].names_host, "the certificate of this test names the inner address only"
    host.certificate("IP:192.0.2.10", "IP:198.51.100.7", "DNS:web1.example.net")
    assert host.about().certificates[0].names_host


def test_behind_nat_a_name_that_the_administrator_put_into_the_certificate_is_better_than_a_refusal(host: Host) -> None:
    host.certificate("IP:192.0.2.10", "DNS:web1", "DNS:web1.example.net", "DNS:ftp.example.org")
    host.tls("pasv_address=198.51.100.7\n")
    assert host.about().host == "ftp.example.org"


def test_behind_nat_clients_use_the_name_that_vsftpd_tells_the_address_of(host: Host) -> None:
    host.tls("# pasv_address is the address of ftp.example.org: said by the test\npasv_address=198.51.100.7\n")
    assert host.about().host == "ftp.example.org"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["DNS:ftp.example.org"], "ftp.example.org"),
        (["DNS:a.example.org", "DNS:web1.example.net"], "web1.example.net"),
        (["DNS:*.example.net"], "web1.example.net"),
        (["DNS:*.example.org"], "192.0.2.10"),
        (["DNS:ftp.example.org", "IP:2001:db8::10"], "2001:db8::10"),
        ([], "192.0.2.10"),
    ],
)
def test_a_certificate_of_a_ca_says_the_name(host: Host, names: list[str], expected: str) -> None:
    host.certificate(*names, issued=True)
    host.tls()
    found = host.about()
    assert found.host == expected
    assert not found.certificates[0].self_signed and found.certificates[0].issuer == "CN=Wayne CA"
    assert found.certificates[0].names_host is (expected in json.dumps(names) or "*.example.net" in json.dumps(names))


def test_a_certificate_that_the_host_trusts_needs_no_file(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.certificate("DNS:ftp.example.org", issued=True)
    host.tls()
    assert not host.about().certificates[0].trusted
    run = tls.run_command
    monkeypatch.setattr(
        tls,
        "run_command",
        lambda command, *rest: (
            run([*command[:2], "-CAfile", f"{host.folder}/ca.crt", *command[2:]])
            if command[1] == "verify"
            else run(command, *rest)
        ),
    )
    assert host.about().certificates[0].trusted


def test_an_instance_that_listens_on_one_address_is_reached_there(host: Host) -> None:
    host.tls("listen_address=203.0.113.5\n")
    assert host.about().host == "203.0.113.5"


# --- what may be missing ----------------------------------------------------------------------------------------------


def test_a_host_with_nothing_on_it(host: Host) -> None:
    host.jail, host.users = "", []
    found = host.about()
    assert found.serves == () and found.sftp is None and found.ftps == () and found.host_keys == ()


def test_one_protocol_alone(host: Host) -> None:
    assert host.about().serves == ("SFTP",) and host.about().host == "192.0.2.10"
    host.jail = ""
    host.tls()
    assert host.about().serves == ("FTPS",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen=YES\n", Ftps("vsftpd", "none", 21, "any", "")),
        ("listen=YES\npasv_enable=NO\nlisten_port=2121\n", Ftps("vsftpd", "none", 2121, "", "")),
    ],
)
def test_a_server_made_by_hand(host: Host, text: str, expected: Ftps) -> None:
    host.vsftpd(text)
    assert host.about().ftps == (expected,)


def test_a_certificate_that_cannot_be_read_is_named(host: Host) -> None:
    host.vsftpd("listen=YES\nssl_enable=YES\nrsa_cert_file=/nowhere.pem\n")
    (one,) = host.about().certificates
    assert (one.path, one.sha256, one.names_host) == ("/nowhere.pem", "", False)


@pytest.mark.parametrize("name", ["find_instances", "addresses", "find_sftp", "ssh_ports", "host_keys", "effective"])
def test_a_part_that_cannot_be_read_takes_no_other_with_it(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuses(*_arguments: object, **_options: object) -> None:
        raise SecureFtpError("it", found="gone")

    host.tls()
    monkeypatch.setattr(_about if hasattr(_about, name) else _live, name, refuses)
    assert host.about().users.total == 2


def test_an_instance_whose_file_cannot_be_read_is_left_to_the_check(host: Host) -> None:
    host.instances.append(Instance("vsftpd", "/etc/vsftpd.conf", options=None, problem="gone"))
    assert host.about().ftps == ()


def test_remote_control_is_in_it_with_the_ports_of_sshd(host: Host) -> None:
    assert host.about().remote is None
    host.remote = "ftpcontrol", ("shop",)
    assert host.about().remote == Remote("ftpcontrol", ("shop",), (22, 2222))
    host.jail = ""
    assert host.about().remote == Remote("ftpcontrol", ("shop",), (22, 2222)), "without users of SFTP too"


def test_what_the_check_has_read_is_not_read_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("find_instances", "find_sftp", "ssh_ports"):
        read = getattr(_live, name)
        monkeypatch.setattr(_live, name, lambda *run, _n=name, _r=read, **verb: (asked.append(_n), _r(*run, **verb))[1])
    monkeypatch.setattr(_about, "examine", lambda live: [live.instances, live.sftp, live.ssh_ports][3:])
    host.remote = "ftpcontrol", ("shop",)
    host.about()
    assert sorted(asked) == ["find_instances", "find_sftp", "ssh_ports"]


# --- users ------------------------------------------------------------------------------------------------------------


def test_users_are_counted_by_protocol_and_one_of_both_is_the_example(host: Host) -> None:
    host.users = [user("alfred", "sftp"), user("batman"), user("joker", "ftps", locked=True)]
    found = host.about().users
    assert (found.total, found.ftps, found.sftp, found.locked) == (3, 2, 2, 1)
    assert found.ftps_example == found.sftp_example == Example("batman", "password")


@pytest.mark.parametrize(
    ("users", "effective", "ftps", "sftp"),
    [
        ([], "yes", None, None),
        ([user("alfred", "sftp", scheme=None, keys=1)], "yes", None, Example("alfred", "key")),
        ([user("batman", keys=2)], "no", Example("batman", "password"), Example("batman", "key")),
        ([user("batman")], "no", Example("batman", "password"), None),
        ([user("batman", locked=True)], "yes", None, None),
        ([user("batman", expires="2020-01-01")], "yes", None, None),
        ([user("batman", expires="2020-01-01", obeys=False)], "yes", Example("batman", "password"), None),
        ([user("batman", expires="2999-01-01")], "yes", Example("batman", "password"), Example("batman", "password")),
        ([user("$(reboot)"), user("a:b"), user("-o"), user("bär")], "yes", None, None),
    ],
)
def test_the_example_is_a_user_who_can_log_in_and_whose_name_needs_no_quotes(
    host: Host, users: list[dict[str, Any]], effective: str, ftps: Example | None, sftp: Example | None
) -> None:
    host.tls()
    host.users, host.effective = users, {"passwordauthentication": [effective]}
    found = host.about().users
    assert (found.ftps_example, found.sftp_example) == (ftps, sftp)


def test_without_users_the_block_says_whether_passwords_are_allowed(host: Host) -> None:
    host.users, host.effective = [], {}
    assert host.about().sftp.passwords  # type: ignore[union-attr]
    host.jail += "  PasswordAuthentication no\n"
    assert not host.about().sftp.passwords  # type: ignore[union-attr]


def test_users_that_cannot_be_read_are_a_problem_and_no_failure(host: Host) -> None:
    def users() -> Any:
        raise DamagedStore("/etc/vsftpd/users.db", found="damaged")

    found = about(users).users
    assert found.total == 0 and "damaged" in found.problem


def test_the_command_is_called_by_its_name_where_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command_here(str(tmp_path / "ftp-users")) == ""
    (tmp_path / "ftp-users").write_text("")
    assert command_here(str(tmp_path / "ftp-users")) == ""
    (tmp_path / "ftp-users").chmod(0o755)
    assert command_here(str(tmp_path / "ftp-users")) == str(tmp_path / "ftp-users")
    always: Callable[..., bool] = lambda path, mode: True  # noqa: E731
    monkeypatch.setattr(_about.os, "access", always)
    assert command_here("/usr/local/sbin/ftp-users") == "ftp-users"
