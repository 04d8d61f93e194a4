# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on instances of vsftpd and on certificates made by OpenSSL."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._doctor import vsftpd as _doctor_vsftpd
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.certificates import certificate_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import set_options, vsftpd_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance, find_instances
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.public_name import with_address
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse, render
from ansible_collections.secure_ftp.server.plugins.module_utils._host import programs as _processes
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output

DAY = 86400


def systemctl(units: str, shown: str):
    """A systemctl that lists ``units`` and shows them."""

    def run(command):
        return Output(0, shown if command[1] == "show" else units)

    return run


def block(unit: str, exec_start: str, load: str = "loaded", active: str = "active", file: str = "enabled") -> str:
    return f"Id={unit}.service\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\n{exec_start}"


def starts(config: str) -> str:
    return f"ExecStart={{ path=/bin/sh ; argv[]=/bin/sh -c exec /usr/sbin/vsftpd {config} 0>&1 ; pid=0 }}\n"


def test_each_unit_has_the_configuration_it_starts_with(tmp_path):
    first, second = tmp_path / "first.conf", tmp_path / "second.conf"
    first.write_text("listen=YES\n")
    second.write_text("listen=YES\nlisten_port=990\n")
    shown = block("vsftpd", starts(str(first))) + "\n"
    shown += block("vsftpd-implicit", starts(str(second)), active="failed", file="disabled")
    instances = find_instances(systemctl("vsftpd.service x\nvsftpd-implicit.service x\n", shown), [str(first)])
    assert [(i.unit, i.path, i.port, i.active, i.enabled) for i in instances] == [
        ("vsftpd", str(first), 21, True, True),
        ("vsftpd-implicit", str(second), 990, False, False),
    ]


def test_the_stock_unit_names_no_configuration_and_a_drop_in_comes_last(tmp_path):
    path = tmp_path / "vsftpd.conf"
    path.write_text("")
    stock = "ExecStart={ path=/usr/sbin/vsftpd ; argv[]=/usr/sbin/vsftpd ; pid=0 }\n"
    (instance,) = find_instances(systemctl("vsftpd.service x", block("vsftpd", stock)), [str(path)])
    assert instance.path == str(path)
    both = starts("/nowhere/old.conf") + starts(str(path))
    (instance,) = find_instances(systemctl("vsftpd.service x", block("vsftpd", both)), [str(path)])
    assert instance.path == str(path)


def test_a_masked_unit_and_a_template_are_no_instances(tmp_path):
    path = tmp_path / "vsftpd.conf"
    shown = block("vsftpd", starts(str(path)), load="masked")
    assert find_instances(systemctl("vsftpd.service x\nvsftpd@.service x\n", shown), [str(path)]) == []


def test_a_configuration_nobody_starts_is_not_forgotten(tmp_path):
    path = tmp_path / "vsftpd.conf"
    path.write_text("listen=YES\n")
    (instance,) = find_instances(systemctl("", ""), [str(path)])
    assert (instance.unit, instance.active) == ("vsftpd", False)


def test_defaults_are_those_of_the_manual():
    bare = Instance("vsftpd", "/x", options=parse(""))
    assert bare.is_yes("anonymous_enable") and bare.is_yes("force_local_logins_ssl") and not bare.is_yes("ssl_enable")
    assert bare.pair is None and not bare.listens and bare.port == 21
    tls = Instance("vsftpd", "/x", options=parse("ssl_enable=YES\nrsa_cert_file=/a.pem\n"))
    assert tls.pair == ("/a.pem", "/a.pem"), "the key is in the same file"


@pytest.mark.parametrize("text", ["ssl_enable=NO\nx=1\n", "x=1\nssl_enable=NO", "x=1\n", "ssl_enable=NO\n", "a=b"])
def test_set_options_replaces_what_is_there_wherever_it_stands(tmp_path, text):
    path = tmp_path / "vsftpd.conf"
    path.write_text(text)
    wanted = {"ssl_enable": "YES", "force_local_logins_ssl": "YES"}
    fix = set_options(Instance("vsftpd", str(path)), wanted)
    command, _and, restart = fix.partition(" && ")
    assert restart == "systemctl restart vsftpd"
    subprocess.run(command, shell=True, check=True)
    assert parse(path.read_text()) == {**parse(text), **wanted}
    assert path.read_text().count("ssl_enable") == 1


@pytest.mark.parametrize("address", ["203.0.113.10", "127.0.0.1", "10.0.0.7", "8.8.8.8", ""])
def test_an_address_for_clients_that_none_can_reach(tmp_path, address):
    path = tmp_path / "vsftpd.conf"
    safe = "anonymous_enable=NO\nchroot_local_user=YES\nssl_enable=YES\nlisten=YES\n"
    path.write_text(f"{safe}pasv_address={address}\n")
    instance = Instance("vsftpd", str(path), options=parse(path.read_text()))
    findings = list(_doctor_vsftpd._safety_findings(instance))
    assert [one.subject for one in findings] == ["pasv-address"] * (address in ("203.0.113.10", "127.0.0.1"))
    for one in findings:
        assert one.severity == "warning" and f"pasv_address={address}, a" in one.what
        subprocess.run(one.fix.partition(" && ")[0], shell=True, check=True)
        assert parse(path.read_text())["pasv_address"] == "PUBLIC_ADDRESS"


@pytest.mark.parametrize(("now", "is_found"), [(["192.0.2.9"], True), (["192.0.2.7", "8.8.8.8"], False), ([], False)])
def test_a_name_that_has_another_address_now(tmp_path, monkeypatch, now, is_found):
    options, comment = with_address({"listen": True, "pasv_address": "ftp.example.org"}, "", lambda name: ["8.8.8.8"])
    path = tmp_path / "vsftpd.conf"
    path.write_text(comment + render(options))
    instance = Instance("vsftpd", str(path), options=parse(path.read_text()), text=path.read_text())
    monkeypatch.setattr(_doctor_vsftpd, "addresses_of", lambda name: now)
    findings = [one for one in _doctor_vsftpd._safety_findings(instance) if one.subject == "pasv-address-changed"]
    assert len(findings) == is_found
    for one in findings:
        assert "pasv_address=8.8.8.8; ftp.example.org is 192.0.2.9 now" in one.what
        subprocess.run(one.fix.partition(" && ")[0], shell=True, check=True)
        again = with_address({**options, "pasv_address": "ftp.example.org"}, "192.0.2.9", lambda name: now)
        assert path.read_text() == again[1] + render(again[0]), "what a run writes then"


def test_vsftpd_is_configured_but_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(_processes, "PATH", str(tmp_path))
    instances = [Instance("vsftpd", "/etc/vsftpd.conf"), Instance("vsftpd-implicit", "/etc/vsftpd-implicit.conf")]
    assert [finding.subject for finding in vsftpd_findings(instances, 0)] == ["vsftpd-missing"]


def test_a_configuration_that_cannot_be_read(monkeypatch):
    monkeypatch.setattr(_doctor_vsftpd, "find_program", lambda name: f"/usr/sbin/{name}")
    instance = Instance("vsftpd", "/etc/vsftpd.conf", options=None, problem="Input/output error")
    (finding,) = vsftpd_findings([instance], 0)
    assert finding.subject == "vsftpd-config" and "Input/output error" in finding.what


# --- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A self-signed certificate of 400 days and its key."""
    directory = tmp_path_factory.mktemp("pair")
    return make(directory, "server", "-x509", "-days", "400")


def make(directory: Path, name: str, *options: str) -> tuple[str, str]:
    certificate, key = f"{directory}/{name}.crt", f"{directory}/{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command = ["openssl", "req", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", key]
    subprocess.run([*command, *options, "-out", certificate], capture_output=True, check=True)
    os.chmod(key, 0o600)
    return certificate, key


def subjects(certificate: str, key: str, days: float = 0) -> list[str]:
    return [one.subject for one in certificate_findings(certificate, key, ["vsftpd"], time.time() + days * DAY)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, []),
        (369, []),
        (371, ["certificate-expires"]),
        (401, ["certificate-expired"]),
        (-1, ["certificate-not-yet-valid"]),
    ],
)
def test_the_time_of_a_certificate(pair, days, expected):
    assert subjects(*pair, days=days) == expected


def test_a_certificate_of_a_short_life_is_not_always_about_to_expire(tmp_path):
    pair = make(tmp_path, "short", "-x509", "-days", "6")
    assert (
        subjects(*pair) == [] and subjects(*pair, days=3) == [] and subjects(*pair, days=5) == ["certificate-expires"]
    )


def test_the_fix_of_a_self_signed_certificate_renews_it(tmp_path):
    certificate, key = make(tmp_path, "own", "-x509", "-days", "1", "-addext", "subjectAltName=DNS:ftp.example.org")
    (finding,) = certificate_findings(certificate, key, ["vsftpd", "vsftpd-implicit"], time.time() + DAY / 1.1)
    sign, _and, restart = finding.fix.rpartition(" && ")
    assert restart == "systemctl restart vsftpd vsftpd-implicit"
    subprocess.run(sign, shell=True, check=True, capture_output=True)
    assert subjects(certificate, key) == []
    shown = ["openssl", "x509", "-noout", "-text", "-in", certificate]
    text = subprocess.run(shown, capture_output=True, text=True, check=True)
    assert "DNS:ftp.example.org" in text.stdout, "the names stay"


def test_somebody_elses_certificate_is_not_signed_by_ourselves(tmp_path):
    ca, ca_key = make(tmp_path, "ca", "-x509", "-days", "400")
    request, key = make(tmp_path, "leaf")
    certificate = f"{tmp_path}/signed.crt"
    sign = ["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "90"]
    subprocess.run([*sign, "-out", certificate], capture_output=True, check=True)
    (finding,) = certificate_findings(certificate, key, ["vsftpd"], time.time() + 100 * DAY)
    assert finding.fix == f"install -m 0644 RENEWED.pem {certificate} && systemctl restart vsftpd"


def test_certificate_and_key_in_one_file_are_not_overwritten(pair, tmp_path):
    both = tmp_path / "server.pem"
    both.write_text(Path(pair[0]).read_text() + Path(pair[1]).read_text())
    both.chmod(0o600)
    (finding,) = certificate_findings(str(both), str(both), ["vsftpd"], time.time() + 500 * DAY)
    assert finding.subject == "certificate-expired" and "RENEWED.pem" in finding.fix


def test_a_chain_expires_with_its_first_link(pair, tmp_path):
    short, _key = make(tmp_path, "intermediate", "-x509", "-days", "100")
    chain = tmp_path / "chain.crt"
    chain.write_text(Path(pair[0]).read_text() + Path(short).read_text())
    (finding,) = certificate_findings(str(chain), pair[1], ["vsftpd"], time.time() + 101 * DAY)
    assert finding.subject == "certificate-expired" and "certificate 2 of the chain" in finding.what


def test_a_certificate_of_another_key(pair, tmp_path):
    _certificate, other = make(tmp_path, "other", "-x509", "-days", "400")
    assert subjects(pair[0], other) == ["certificate-key-mismatch"]


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate(pair, tmp_path, content):
    path = tmp_path / "damaged.crt"
    path.write_text(content)
    assert subjects(str(path), pair[1]) == ["certificate-unusable"]
    assert subjects(str(tmp_path / "missing"), pair[1]) == ["certificate-unusable"]
    assert subjects(pair[0], str(tmp_path / "missing")) == ["certificate-unusable"]


def test_a_key_with_a_pass_phrase_never_asks_for_it(pair, tmp_path):
    key = str(tmp_path / "locked.key")
    command = ["openssl", "pkey", "-aes128", "-passout", "pass:secret", "-in", pair[1], "-out", key]
    subprocess.run(command, capture_output=True, check=True)
    os.chmod(key, 0o600)
    assert subjects(pair[0], key) == ["certificate-unusable"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o666])
def test_a_key_others_can_read_or_write(pair, tmp_path, mode):
    key = tmp_path / "open.key"
    key.write_text(Path(pair[1]).read_text())
    key.chmod(mode)
    assert subjects(pair[0], str(key)) == ["private-key-exposed"]
    (finding,) = certificate_findings(pair[0], str(key), ["vsftpd"], time.time())
    subprocess.run(finding.fix, shell=True, check=True)
    assert subjects(pair[0], str(key)) == []
