# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The PAM service of FTPS logins: which database it reads, and whether it compares hashes or plaintext.

Syntax: pam.conf(5). Facts on pam_userdb: only its ``auth`` line compares passwords; without the
literal ``crypt=crypt`` it compares the stored bytes themselves with the password.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.places import is_ours
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.pam_account import group_in
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, keep_copy, replace_file

PAM_DIRECTORY = "/etc/pam.d"
MARK = "# secure_ftp.server: plaintext beside hashes while the database is being hashed; the next line goes afterwards"

_MAX_DEPTH = 8
_LINE = re.compile(r"(?P<head>\s*-?(?P<kind>\w+)\s+)(?P<control>\[[^\]]*\]|\S+)(?P<gap>\s+)(?P<module>\S+)(?P<rest>.*)")
_INCLUDE = re.compile(r"@include\s+(\S+)")
_ARGUMENT = re.compile(r"\[[^\]]*\]|\S+")


@dataclass(frozen=True)
class UserdbService:
    """The PAM file with the ``auth`` lines of pam_userdb.

    ``database`` is pam_userdb's ``db=`` (without ``.db``); ``hashed`` and ``plaintext`` say which
    kinds of stored passwords allow a log-in. ``top`` is the file of the service itself, which may include the other;
    ``accounts_of`` is the group whose accounts it obeys, empty for none (see pam_account.py).
    """

    path: str
    database: str
    hashed: bool
    plaintext: bool
    top: str = ""
    accounts_of: str = ""


def find_userdb(service: str, directory: str = PAM_DIRECTORY) -> UserdbService | None:
    """Return how ``service``, with its includes, uses pam_userdb; None when it does not, or does not exist.

    Raises SecureFtpError when one of its files cannot be read.
    """
    if not service or "/" in service or service.startswith("."):
        raise SecureFtpError("PAM service", f"the name of a file in {directory}", found=repr(service))
    top = os.path.join(directory, service)
    found = _find(top, directory, 0)
    if found is None:
        return None
    return replace(found, top=top, accounts_of=group_in(_read(top).decode("utf-8", "surrogateescape")))


def allow_both(service: UserdbService) -> bytes:
    """Allow log-ins with hashed passwords besides plaintext ones; return the file's old content for ``restore``.

    A file that another program wrote is copied first.
    """
    old = _read(service.path)
    text = old.decode("utf-8", "surrogateescape")
    if MARK not in text and not is_ours(text):
        keep_copy(service.path)
    restore(service, _both(text).encode("utf-8", "surrogateescape"))
    return old


def allow_hashes_only(service: UserdbService) -> None:
    """Allow log-ins with hashed passwords only: ``crypt=crypt`` on every ``auth`` line of pam_userdb."""
    old = _read(service.path).decode("utf-8", "surrogateescape")
    restore(service, _hashes_only(old).encode("utf-8", "surrogateescape"))


def restore(service: UserdbService, content: bytes) -> None:
    """Replace the PAM file, keeping owner and mode."""
    try:
        found = os.lstat(service.path)
    except OSError as error:
        raise file_error(service.path, "read", error) from error
    replace_file(service.path, content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise file_error(path, "read", error) from error


def _find(path: str, directory: str, depth: int) -> UserdbService | None:
    if depth > _MAX_DEPTH or not os.path.lexists(path):
        return None
    text = _read(path).decode("utf-8", "surrogateescape")
    own = [_options(line) for line in text.split("\n") if _is_userdb(line)]
    databases = [options["db"] for options in own if "db" in options]
    if databases:
        modes = [_is_hashed(options) for options in own if options.get("db") == databases[0]]
        return UserdbService(path, databases[0], any(modes), not all(modes))
    for line in text.split("\n"):
        include = _INCLUDE.match(line.strip())
        parts = _LINE.match(line)
        target = include.group(1) if include else None
        if parts and parts.group("kind") == "auth" and parts.group("control") in ("include", "substack"):
            target = parts.group("module")
        if target:
            found = _find(os.path.join(directory, target), directory, depth + 1)
            if found:
                return found
    return None


def _is_userdb(line: str) -> bool:
    parts = _LINE.match(line)
    return bool(parts and parts.group("kind") == "auth" and os.path.basename(parts.group("module")) == "pam_userdb.so")


def _options(line: str) -> dict[str, str]:
    parts = _LINE.match(line)
    options: dict[str, str] = {}
    for argument in _ARGUMENT.findall(parts.group("rest").split("#")[0] if parts else ""):
        name, _sep, value = argument.strip("[]").partition("=")
        options[name] = value
    return options


def _is_hashed(options: dict[str, str]) -> bool:
    return options.get("crypt", "").lower().startswith("crypt")


def _hashed_line(line: str) -> str:
    body, mark, comment = line.partition("#")
    body = re.sub(r"\s+\[?crypt=\S*", "", body.rstrip()) + " crypt=crypt"
    return f"{body} {mark}{comment}" if mark else body


def _both(text: str) -> str:
    """Make each plaintext line one for hashes, and put a ``sufficient`` plaintext line before it.

    In this order a log-in succeeds even if the database is replaced between the two lines: either the
    first line has read the old database and accepts it, or the second line reads the new one.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        if _is_userdb(line) and not _is_hashed(_options(line)) and lines[-1:] != [MARK]:
            sufficient = _LINE.sub(
                lambda parts: f"{parts['head']}sufficient{parts['gap']}{parts['module']}{parts['rest']}", line
            )
            lines += [MARK, sufficient, _hashed_line(line)]
        else:
            lines.append(line)
    return "\n".join(lines)


def _hashes_only(text: str) -> str:
    lines: list[str] = []
    skip = False
    for line in text.split("\n"):
        if skip or line == MARK:
            skip = line == MARK
            continue
        lines.append(_hashed_line(line) if _is_userdb(line) and not _is_hashed(_options(line)) else line)
    return "\n".join(lines)
