"""Log-ins through the system's real libpam and pam_userdb, with PAM services kept in any directory."""

from __future__ import annotations

import ctypes
import ctypes.util
from pathlib import Path

_SUCCESS, _BUFFER_ERROR = 0, 5
_PROMPT_ECHO_OFF = 1
_SERVICE = "vsftpd.virtual"


class _Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class _Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


_CONVERSATION = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)


class _Conv(ctypes.Structure):
    _fields_ = [("function", _CONVERSATION), ("data", ctypes.c_void_p)]


_libc = ctypes.CDLL(None)
_libc.calloc.restype = ctypes.c_void_p
_libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_libc.strdup.restype = ctypes.c_void_p
_libc.strdup.argtypes = [ctypes.c_char_p]


def write_service(directory: Path, database: Path, crypt: str | None = "crypt") -> Path:
    """Write the PAM service vsftpd would use; ``database`` with its ``.db``."""
    options = f"db={str(database)[: -len('.db')]}"
    hashed = f" crypt={crypt}" if crypt else ""
    service = directory / _SERVICE
    service.write_text(
        f"auth required pam_userdb.so {options}{hashed}\naccount required pam_userdb.so {options}\n", encoding="utf-8"
    )
    return service


def available() -> bool:
    """Whether libpam (1.4 or newer, for pam_start_confdir) and pam_userdb are installed."""
    try:
        return hasattr(ctypes.CDLL("libpam.so.0"), "pam_start_confdir") and any(
            Path("/").glob("*/*/security/pam_userdb.so")
        )
    except OSError:
        return False


def log_in(directory: Path, user: str, password: str) -> int:
    """Return 0 when PAM lets ``user`` in, else PAM's error number."""
    pam = ctypes.CDLL("libpam.so.0")
    pam.pam_start_confdir.argtypes = [ctypes.c_char_p] * 2 + [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    for name in ("pam_authenticate", "pam_acct_mgmt", "pam_end"):
        getattr(pam, name).argtypes = [ctypes.c_void_p, ctypes.c_int]

    @_CONVERSATION
    def answer(count, messages, responses, _data):
        array = _libc.calloc(count, ctypes.sizeof(_Response))
        if not array:
            return _BUFFER_ERROR
        filled = ctypes.cast(array, ctypes.POINTER(_Response))
        for index in range(count):
            if messages[index].contents.style == _PROMPT_ECHO_OFF:
                filled[index].text = _libc.strdup(password.encode())
        responses[0] = filled
        return _SUCCESS

    handle = ctypes.c_void_p()
    conversation = _Conv(answer, None)
    started = pam.pam_start_confdir(
        _SERVICE.encode(), user.encode(), ctypes.byref(conversation), str(directory).encode(), ctypes.byref(handle)
    )
    assert started == _SUCCESS, f"pam_start_confdir: {started}"
    result = pam.pam_authenticate(handle, 0) or pam.pam_acct_mgmt(handle, 0)
    pam.pam_end(handle, result)
    return result
