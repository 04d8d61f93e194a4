# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Whether vsftpd can serve with a configuration: what vsftpd itself reports, and what it does not report.

vsftpd has no configuration test. Started without a socket, it parses the file, loads the certificates and
ends with one known sentence, which serves as a test. It does not report unknown users, missing directories,
bad numbers or swapped ports: those end sessions, or the listener, later and silently.

Source of facts: main.c, parseconf.c, ssl.c, standalone.c, privops.c of vsftpd 3.0.5, and trials against
Debian's 3.0.3 and 3.0.5.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import ssl
import stat
import tempfile
from typing import Iterator, Mapping

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import run_as_inetd

_RESTART = re.compile(
    r"listen.*|ssl_.*|[rd]sa_.*|ca_certs_file|require_cert|require_ssl_reuse"
    r"|background|setproctitle_enable|run_as_launching_user"
)
_PORTS = ("listen_port", "ftp_data_port")
_OCTAL = re.compile(r"(local|anon)_umask|file_open_mode|chown_upload_mode")
_NUMBER = re.compile(r".*_(port|timeout|rate)|max_.*|delay_.*|trans_chunk_size")

# Defaults of the distributions' builds.
_DEFAULTS = {
    "listen": "NO",
    "listen_ipv6": "NO",
    "listen_port": "21",
    "anonymous_enable": "YES",
    "local_enable": "NO",
    "ftp_enable": "YES",
    "ftp_username": "ftp",
    "guest_username": "ftp",
    "nopriv_user": "nobody",
    "chown_username": "root",
    "chroot_list_file": "/etc/vsftpd.chroot_list",
    "userlist_file": "/etc/vsftpd.user_list",
    "vsftpd_log_file": "/var/log/vsftpd.log",
    "xferlog_file": "/var/log/xferlog",
    "pasv_min_port": "0",
    "pasv_max_port": "0",
}
_INETD = "must be started from inetd"
_LARGEST = 2**31 - 1


def needs_restart(name: str) -> bool:
    """Whether a reload does not apply option ``name``: the listener creates its socket and its TLS context once."""
    return _RESTART.fullmatch(name) is not None


def check_values(options: Mapping[str, str]) -> None:
    """Raise SecureFtpError, listing every finding, when ``options`` (see parse) cannot work on any host."""
    _raise_for(list(value_findings(options)))


def check_host(options: Mapping[str, str], check_mode: bool = False) -> list[str]:
    """Raise SecureFtpError, listing every finding, when this host lacks something that ``options`` name.

    With ``check_mode``, findings about missing things are returned as text instead: in a real run an earlier
    task may create them.
    """
    absent: list[Problem] = []
    broken: list[Problem] = []
    for finding, is_absence in host_findings(options):
        (absent if is_absence and check_mode else broken).append(finding)
    _raise_for(broken)
    return list(map(str, absent))


def ask_vsftpd(binary: str, options: Mapping[str, str], text: str, check_mode: bool = False, timeout: int = 20) -> None:
    """Raise SecureFtpError with vsftpd's own message when it does not accept ``text``.

    With ``check_mode``, certificates that do not exist yet are not checked.
    """
    said = refusal(binary, options, text, check_mode, timeout)
    if said is not None:
        raise SecureFtpError("vsftpd refuses the new configuration", found=said, remedy="the old one stays in place")


def refusal(
    binary: str, options: Mapping[str, str], text: str, check_mode: bool = False, timeout: int = 20
) -> str | None:
    """Return vsftpd's own message when it does not accept ``text``, else None; see ask_vsftpd."""
    overrides = ["-olisten=NO", "-olisten_ipv6=NO", "-obackground=NO"]
    if check_mode and any(not os.path.exists(path) for path in certificate_files(options).values()):
        overrides.append("-ossl_enable=NO")
    with tempfile.NamedTemporaryFile("w", prefix="vsftpd-", suffix=".conf") as conf:
        conf.write(text)
        conf.flush()
        # vsftpd answers on descriptor 0, where the client's socket would be.
        answer = run_as_inetd([binary, conf.name, *overrides], seconds=timeout)
        said = answer.out.strip().replace("500 OOPS: ", "")
    if _INETD in said:
        return None
    return f"{said or 'it ended without a message'}{_certificate_hint(options, said)}"


def _raise_for(findings: list[Problem]) -> None:
    if findings:
        raise SecureFtpError("vsftpd configuration", found="; ".join(map(str, findings)))


def _is_yes(options: Mapping[str, str], name: str) -> bool:
    return _get(options, name).upper() in ("YES", "TRUE", "1")


def _get(options: Mapping[str, str], name: str) -> str:
    return options.get(name, _DEFAULTS.get(name, ""))


def value_findings(options: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what cannot work on any host; the subject is one option, or several."""
    for name, value in options.items():
        if _OCTAL.fullmatch(name) and not re.match(r"0[0-7]{0,4}\Z", value):
            yield Problem(name, "an octal number starting with 0, such as '077'", repr(value), "quote it in YAML")
        elif _NUMBER.fullmatch(name) and not (re.match(r"(0|[1-9][0-9]*)\Z", value) and int(value) <= _LARGEST):
            yield Problem(name, f"a number from 0 to {_LARGEST} without leading zeros", repr(value))
        elif name in _PORTS and not 1 <= int(value) <= 65535:
            yield Problem(name, "a port from 1 to 65535", value)
    yield from _listener_findings(options)
    yield from _passive_findings(options)
    yield from _access_findings(options)


def _listener_findings(options: Mapping[str, str]) -> Iterator[Problem]:
    if _is_yes(options, "listen") and _is_yes(options, "listen_ipv6"):
        remedy = "vsftpd accepts only one of them (listen_ipv6=YES alone serves IPv4 too)"
        yield Problem("listen and listen_ipv6", found="are both YES", remedy=remedy)
    if _is_yes(options, "listen_ipv6") and _get(options, "pasv_address"):
        # handle_pasv of vsftpd 3.0.3 and 3.0.5: an address given as IPv4 has no IPv4 address in it.
        said = "listen_ipv6=YES announces 0.0.0.0 instead, so no client of IPv4 can connect"
        yield Problem("pasv_address", found=said, remedy="use listen=YES and listen_ipv6=NO")
    for name, parser, kind in (
        ("listen_address", ipaddress.IPv4Address, "IPv4"),
        ("listen_address6", ipaddress.IPv6Address, "IPv6"),
    ):
        if _get(options, name) and not _is_address(_get(options, name), parser):
            yield Problem(name, f"an {kind} address", repr(_get(options, name)))


_NOWHERE = (
    # RFC 5737; samples use them.
    ("192.0.2.0/24", "an address for documentation"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("127.0.0.0/8", "a loopback address"),
)


def unreachable(address: str) -> str:
    """What keeps clients from an address that ``pasv_address`` announces; empty if nothing is known.

    Private addresses and those of another host may be right: behind NAT, or in a network of its own. So this is never
    an error.
    """
    if not _is_address(address, ipaddress.IPv4Address):
        return ""
    kinds = (kind for network, kind in _NOWHERE if ipaddress.IPv4Address(address) in ipaddress.IPv4Network(network))
    return next(kinds, "")


def _is_address(text: str, parser: type) -> bool:
    try:
        parser(text)
    except ValueError:
        return False
    return True


def _passive_findings(options: Mapping[str, str]) -> Iterator[Problem]:
    low_text, high_text = _get(options, "pasv_min_port"), _get(options, "pasv_max_port")
    if low_text.isdigit() and high_text.isdigit():
        low, high, listen = int(low_text), int(high_text), _get(options, "listen_port")
        if (low, high) != (0, 0) and not 1024 <= low <= high <= 65535:
            expected = "1024 <= pasv_min_port <= pasv_max_port <= 65535 (or both 0: any port)"
            yield Problem("pasv_min_port, pasv_max_port", expected, f"{low} and {high}")
        elif listen.isdigit() and low <= int(listen) <= high:
            said = f"{listen} lies inside the passive range {low}-{high}"
            yield Problem("listen_port", found=said, remedy="move one of them")
    address = _get(options, "pasv_address")
    if not address:
        return
    if not _is_address(address, ipaddress.IPv4Address):
        said = f"{address!r} (vsftpd forgets what a host name resolved to at its first reload)"
        yield Problem("pasv_address", "an IPv4 address", said)
    elif ipaddress.IPv4Address(address).is_unspecified or ipaddress.IPv4Address(address).is_multicast:
        said = f"{address} would be announced to clients literally and nobody can connect to it"
        yield Problem("pasv_address", found=said, remedy="leave it unset, or give the public address of the NAT")


def _access_findings(options: Mapping[str, str]) -> Iterator[Problem]:
    if not _is_yes(options, "local_enable") and not _is_yes(options, "anonymous_enable"):
        remedy = "nobody could log in (virtual users need local_enable=YES)"
        yield Problem("local_enable and anonymous_enable", found="are both NO", remedy=remedy)
    if _is_yes(options, "one_process_model") and _is_yes(options, "local_enable"):
        said = "YES works for anonymous access only"
        yield Problem("one_process_model", found=said, remedy="set it or local_enable to NO")
    if not _is_yes(options, "ftp_enable"):
        yield Problem("ftp_enable", found="is NO, vsftpd would refuse every session", remedy="set it to YES")
    if _is_yes(options, "implicit_ssl") and not _is_yes(options, "ssl_enable"):
        yield Problem("implicit_ssl", found="YES needs ssl_enable=YES")


def host_findings(options: Mapping[str, str]) -> Iterator[tuple[Problem, bool]]:
    """Yield what is wrong on this host, with the option as subject, and whether something does not exist."""
    for name in _users_in_use(options):
        user = _get(options, name)
        try:
            pwd.getpwnam(user)
        except KeyError:
            said = f"user {user!r} does not exist"
            yield Problem(name, found=said, remedy="create it or name another"), True
    for name, path, is_directory in _paths_in_use(options):
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            # Only a file that does not exist is an absence; one that cannot be reached is a fault.
            yield Problem(name, found=f"{path}: {error.strerror}"), isinstance(error, FileNotFoundError)
            continue
        if stat.S_ISDIR(mode) != is_directory:
            yield Problem(name, f"a {'directory' if is_directory else 'file'} at {path}", "something else"), False
        elif name == "rsa_private_key_file" and mode & 0o007:
            said = f"{path}: mode {stat.S_IMODE(mode):04o} lets everybody use the private key"
            yield Problem(name, found=said, remedy="chmod 0600"), False


def _users_in_use(options: Mapping[str, str]) -> list[str]:
    used = ["nopriv_user"]
    for switch, user in (
        ("guest_enable", "guest_username"),
        ("anonymous_enable", "ftp_username"),
        ("chown_uploads", "chown_username"),
    ):
        if _is_yes(options, switch):
            used.append(user)
    return used


def _paths_in_use(options: Mapping[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Yield option, path and whether it is a directory, for everything that must exist when a session starts."""
    for name in ("secure_chroot_dir", "user_config_dir"):
        if _get(options, name):
            yield name, _get(options, name), True
    local_root, token = _get(options, "local_root"), _get(options, "user_sub_token")
    if local_root:
        yield "local_root", os.path.dirname(local_root.split(token)[0] + "x") if token else local_root, True
    if _get(options, "banner_file"):
        yield "banner_file", _get(options, "banner_file"), False
    for switch, name in (("chroot_list_enable", "chroot_list_file"), ("userlist_enable", "userlist_file")):
        if _is_yes(options, switch):
            yield name, _get(options, name), False
    if _is_yes(options, "xferlog_enable") and not _is_yes(options, "syslog_enable"):
        # As in vsf_log_init: the standard format goes to xferlog_file, everything else to vsftpd_log_file.
        name = "xferlog_file" if _is_yes(options, "xferlog_std_format") else "vsftpd_log_file"
        yield name, os.path.dirname(_get(options, name)) or "/", True
    for name, path in certificate_files(options).items():
        yield name, path, False


def certificate_files(options: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of the certificate and the key that ``options`` use, by the names of the settings."""
    if not _is_yes(options, "ssl_enable"):
        return {}
    return {name: options[name] for name in ("rsa_cert_file", "rsa_private_key_file") if options.get(name)}


def _certificate_hint(options: Mapping[str, str], said: str) -> str:
    """Return the reason why OpenSSL does not accept the certificate or its key, which vsftpd does not report."""
    files = certificate_files(options)
    if "SSL: cannot load" not in said or "rsa_cert_file" not in files:
        return ""
    where = " and ".join(files.values())
    try:
        # Answer a request for a pass phrase with an empty one: never wait for a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            files["rsa_cert_file"], files.get("rsa_private_key_file"), password=lambda: ""
        )
    except ssl.SSLError as error:
        return f" ({where}: {(error.reason or 'not PEM, or protected by a pass phrase').replace('_', ' ').lower()})"
    except (OSError, ValueError) as error:
        return f" ({where}: {error})"
    return f" ({where})"
