# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The file of one FTPS user in vsftpd's ``user_config_dir``, which overrides vsftpd.conf for this user.

Our options are between two marks at its end; lines outside are an operator's and stay as they are.

Sources: postlogin.c of vsftpd 3.0.3 and 3.0.5 (which option allows which command; ``SITE UMASK`` is always allowed and
MDTM with a time changes a file), twoprocess.c (the file is read after the log-in), parseconf.c (the last value counts).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import Collection, Mapping, NamedTuple

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.vsftpd_conf import parse
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import (
    NO_UMASK,
    READ_ONLY,
    READ_WRITE,
    UPLOAD_ONLY,
    UPLOAD_UMASK,
    Rights,
)

BEGIN = "# BEGIN secure_ftp.server (rights of this user; written with the user, so change the user, not these lines)"
END = "# END secure_ftp.server"

FILE_MODE, DIRECTORY_MODE = 0o644, 0o755

DENIED = ("DELE", "RMD", "XRMD", "MKD", "XMKD", "RNFR", "RNTO", "APPE", "REST", "SITE")
"""What upload_only must not do: each changes or removes what is there, or (``SITE UMASK``) makes that possible.

MKD is among them because the umask that protects files would make a directory that nobody can upload to.
"""

_DEFAULTS = {
    "write_enable": "NO",
    "download_enable": "YES",
    "chmod_enable": "YES",
    "mdtm_write": "YES",
    "virtual_use_local_privs": "NO",
    "local_max_rate": "0",
}
"""The values of vsftpd.conf(5) for the options that this file is about."""

_BLOCK = re.compile(
    r"^# BEGIN secure_ftp\.server[^\n]*\n(?:(?!# (?:BEGIN|END) secure_ftp)[^\n]*\n)*?# END [^\n]*\n?", re.M
)
_MARK = re.compile(r"^# (?:BEGIN|END) secure_ftp\.server[^\n]*\n?", re.M)
_MAX_FILE = 1 << 20
_FEW = 20


class Account(NamedTuple):
    """The account of this host as which the sessions of a user run, with the same files as in other protocols."""

    name: str
    home: str


class Personal(NamedTuple):
    """The file ``path``, with its ``text``; bytes that are not UTF-8 are surrogates."""

    path: str
    text: str

    @property
    def outside(self) -> str:
        """The lines of an operator."""
        return _MARK.sub("", _BLOCK.sub("", self.text))


def file_of(directory: str, name: str) -> str:
    """The path of the file of user ``name``, existing or not; '' if there is no directory or the name leads out."""
    if not directory or "/" in name or "\0" in name or name in ("", ".", ".."):
        return ""
    return os.path.join(directory, name)


def read_files(directory: str, names: Collection[str]) -> dict[str, Personal]:
    """The files of ``names`` in ``directory``, by name; only those that exist and can be read.

    Of many users few have a file, so the directory is listed once instead of trying each name.
    """
    if not directory:
        return {}
    if len(names) > _FEW:
        try:
            names = set(os.listdir(directory)).intersection(names)
        except OSError:
            return {}
    found = {name: _read(file_of(directory, name)) for name in told("files of FTPS users", names, len(names))}
    return {name: one for name, one in found.items() if one is not None}


def _read(path: str) -> Personal | None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) if path else -1
        if fd >= 0:
            with open(fd, "rb") as file:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    return Personal(path, file.read(_MAX_FILE).decode("utf-8", "surrogateescape"))
    return None


def rights_in(server: Mapping[str, str] | None, file: Personal | None) -> Rights:
    """The rights of a user with this ``file``, on a server with the vsftpd.conf ``server`` (None: unknown)."""
    own = parse(file.text) if file else {}
    options = {**(_DEFAULTS if server else {}), **(server or {}), **own}
    access = READ_WRITE
    if not _is_yes(options.get("write_enable", "YES")):
        access = READ_ONLY
    elif not _is_yes(options.get("download_enable", "YES")):
        access = UPLOAD_ONLY
    umask, rate = own.get("local_umask", ""), options.get("local_max_rate", "")
    is_own = access != UPLOAD_ONLY and re.match(r"[0-7]{1,4}\Z", umask)
    return Rights(access, umask.zfill(4) if is_own else NO_UMASK, int(rate) if re.match(r"[0-9]+\Z", rate) else 0)


def without_rights(file: Personal) -> str:
    """The text of ``file`` without our block; empty if there is nothing else."""
    return file.outside if file.outside.strip() else ""


def account_in(file: Personal | None, name: str) -> Account | None:
    """The account as which ``file`` lets ``name`` work, if it is the user's own; None if it is the guest account."""
    own = parse(file.text) if file else {}
    home = own.get("local_root", "")
    return Account(name, home) if home and own.get("guest_username") == name else None


def with_rights(file: Personal, server: Mapping[str, str], rights: Rights, account: Account | None = None) -> str:
    """The text of ``file`` that gives ``rights`` on a server with the vsftpd.conf ``server``; empty for no file.

    The sessions run as ``account``; if that is None, as the guest account.
    Raises SecureFtpError if a line of an operator says otherwise, or the server ignores such options.
    """
    own = {} if account is None else {"guest_username": account.name, "local_root": account.home}
    return _with_options(file, server, {**own, **_needed(server, rights)})


def _needed(server: Mapping[str, str], rights: Rights) -> dict[str, str | None]:
    """The options that make ``rights``; None for one that the user must not have."""
    options: dict[str, str | None] = {"write_enable": "NO" if rights.access == READ_ONLY else "YES"}
    umask: str | None = None if rights.umask == NO_UMASK else rights.umask
    if rights.access == UPLOAD_ONLY:
        more = [word for word in server.get("cmds_denied", "").split(",") if word and word not in DENIED]
        options.update(download_enable="NO", chmod_enable="NO", mdtm_write="NO", cmds_denied=",".join((*DENIED, *more)))
        umask = UPLOAD_UMASK
    elif rights.access == READ_WRITE:
        options["download_enable"] = "YES"
    return {**options, "local_umask": umask, "local_max_rate": str(rights.ftps_max_rate)}


def _with_options(file: Personal, server: Mapping[str, str], needed: Mapping[str, str | None]) -> str:
    """``file`` with a block of those ``needed`` options that vsftpd does not have without it."""
    by_hand = parse(file.outside)
    for name, value in needed.items():
        if name in by_hand and (value is None or not _same(by_hand[name], value)):
            raise _contradicted(file, name, value)
    # An own umask is one even if the server has the same: vsftpd.conf may change later.
    there = {**_DEFAULTS, **server, "local_umask": "", **by_hand}
    block = [
        f"{name}={value}"
        for name, value in needed.items()
        if value is not None and not _same(there.get(name, ""), value)
    ]
    if not block:
        return without_rights(file)
    if not _is_yes(there["virtual_use_local_privs"]):
        raise SecureFtpError(
            file.path,
            "virtual_use_local_privs=YES in vsftpd.conf: otherwise vsftpd takes the rights of anonymous users",
            found=f"virtual_use_local_privs={there['virtual_use_local_privs']}",
            remedy="set it (the role vsftpd does), or leave access, umask and ftps_max_rate out",
            state=NOTHING,
        )
    outside = file.outside
    newline = "\n" if outside and not outside.endswith("\n") else ""
    return "\n".join([f"{outside}{newline}{BEGIN}", *block, END]) + "\n"


def _contradicted(file: Personal, name: str, value: str | None) -> SecureFtpError:
    lines = file.text.split("\n")
    number = max(
        at for at, line in enumerate(lines, 1) if line.lstrip().startswith(f"{name}=") and _is_outside(file, at)
    )
    return SecureFtpError(
        f"{file.path}:{number}",
        f"{name}={value}" if value is not None else f"{name} not to be set",
        found=lines[number - 1].strip(),
        remedy="remove that line, made by hand, or give the user the right that it means",
        state=NOTHING,
    )


def _is_outside(file: Personal, number: int) -> bool:
    """Whether line ``number`` of ``file`` is an operator's."""
    start = len("".join(f"{line}\n" for line in file.text.split("\n")[: number - 1]))
    return not any(block.start() <= start < block.end() for block in _BLOCK.finditer(file.text))


def _same(first: str, second: str) -> bool:
    if first.isdigit() and second.isdigit():
        return first.lstrip("0") == second.lstrip("0")
    yes = ("YES", "NO")
    return first == second or (second in yes and first.upper() in _YES | _NO and _is_yes(first) == _is_yes(second))


_YES, _NO = frozenset(("YES", "TRUE", "1")), frozenset(("NO", "FALSE", "0"))


def _is_yes(value: str) -> bool:
    """Whether vsftpd reads ``value`` as yes; it refuses to start with any other word (parseconf.c)."""
    return value.upper() in _YES
