# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A self-signed certificate and its key, made by openssl(1), which every supported release has.

That is 1.1.1 on Ubuntu 20.04 and Debian 11, and 3 on later releases.

No Python library of the host is used: Ubuntu 20.04's cryptography 2.8 is too old for community.crypto. The
extensions come from a configuration file, because ``-addext`` of 1.1.1 adds basicConstraints a second time.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import stat
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import (
    DAY,
    Wish,
    normal,
    read,
    reasons,
    validate,
)

KEY_BITS = 3072
"""RSA with 128 bits of security (NIST SP 800-57, table 2)."""

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644


@dataclass(frozen=True)
class Outcome:
    """What ensure has done, or in check mode would do.

    ``reasons``: why the certificate was made, none when it stays. ``mended``: existing files that got another owner
    or mode. ``before``, ``after``: what a diff shows; of the key only its owner and mode.
    """

    reasons: list[str]
    mended: list[str]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.reasons or self.mended)


def ensure(wish: Wish, check_mode: bool = False) -> Outcome:
    """Make or renew the certificate if needed, make a key only if there is none; correct owner and mode.

    A certificate is never beside the key of another one: a certificate whose key is missing is renamed before the new
    key is written. If the run is killed then, it leaves a key without a certificate; the next run makes one with that
    key. Raises InvalidInput for a wish that openssl cannot make, and SecureFtpError with both files as they were.
    """
    why = reasons(validate(wish))
    before = _shown(wish)
    right = {wish.key: _words(0, 0, KEY_MODE), wish.certificate: _words(0, 0, CERTIFICATE_MODE)}
    mended = [path for path, words in right.items() if _owner_and_mode(path) not in (None, words)]
    if not check_mode:
        if wish.key in mended:
            _mend(wish.key, KEY_MODE)
        if why:
            _renew(wish)
        elif wish.certificate in mended:
            _mend(wish.certificate, CERTIFICATE_MODE)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_aside(wish.certificate))
    after = {**before, "key": right[wish.key], "certificate": right[wish.certificate]}
    return Outcome(why, mended, before, {**after, **_promised(wish)} if why else after)


def _shown(wish: Wish) -> dict[str, Any]:
    has = read(wish.certificate) if os.path.exists(wish.certificate) else None
    return {
        "key": _owner_and_mode(wish.key),
        "certificate": _owner_and_mode(wish.certificate),
        "subject": has.subject if has else None,
        "subject_alt_name": sorted(has.names) if has else [],
        "not_after": _day(has.ends) if has else None,
    }


def _promised(wish: Wish) -> dict[str, Any]:
    """What _shown will return for a certificate made now; around midnight its end may be the next day."""
    return {
        "subject": f"CN={wish.common_name}",
        "subject_alt_name": sorted({normal(name) for name in wish.names}),
        "not_after": _day(time.time() + wish.days * DAY),
    }


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


def _owner_and_mode(path: str) -> str | None:
    """Owner and mode of ``path`` in words; None when there is no such file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return _words(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def _words(uid: int, gid: int, mode: int) -> str:
    return f"owner {uid}:{gid}, mode {mode:04o}"


def _mend(path: str, mode: int) -> None:
    """Give the file ``path`` to root with that mode; a link that has replaced it meanwhile is an error."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fchown(fd, 0, 0)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
    except OSError as error:
        raise file_error(path, "correct the owner and mode of", error) from error


def _renew(wish: Wish) -> None:
    if os.path.exists(wish.key):
        with open(wish.key, encoding="ascii") as file:
            certificate = _sign(wish, file.read())
        replace_file(wish.certificate, certificate.encode("ascii"), CERTIFICATE_MODE, 0, 0)
        return
    key = _openssl(_GENERATE).out
    certificate = _sign(wish, key)
    with _put_aside(wish.certificate):
        replace_file(wish.key, key.encode("ascii"), KEY_MODE, 0, 0)
        try:
            replace_file(wish.certificate, certificate.encode("ascii"), CERTIFICATE_MODE, 0, 0)
        except BaseException:
            os.unlink(wish.key)
            raise


def _aside(path: str) -> str:
    """The path of a certificate while its new key is written: always the same, so that a later run finds it."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.old")


@contextlib.contextmanager
def _put_aside(path: str) -> Iterator[None]:
    """Rename ``path`` if it exists; rename it back if the block fails."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, _aside(path))
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.rename(_aside(path), path)
        raise


_GENERATE = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{KEY_BITS}"]


def _sign(wish: Wish, key: str) -> str:
    """Return the certificate in PEM; openssl gets ``key`` on its standard input, never as an argument or a file."""
    with tempfile.NamedTemporaryFile("w", prefix="certificate-", suffix=".cnf") as config:
        config.write(_CONFIG.format(common_name=wish.common_name, names=",".join(map(normal, wish.names))))
        config.flush()
        command = ["openssl", "req", "-x509", "-new", "-sha256", "-config", config.name, "-key", "/dev/stdin"]
        return _openssl([*command, "-days", str(wish.days), "-set_serial", f"0x00{os.urandom(19).hex()}"], key).out


_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = {common_name}
[extensions]
subjectAltName = {names}
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""


def _openssl(command: Sequence[str], data: str = "") -> Output:
    answer = run_command(command, data)
    if answer.rc or "-----BEGIN" not in answer.out:
        raise SecureFtpError(f"openssl {command[1]}", "PEM", found=answer.said, state=NOTHING)
    return answer
