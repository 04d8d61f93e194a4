"""What the tests of the user store share: records, libdb's own view of a file, child processes, modules."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path
from typing import Any, Callable, Mapping

from ansible.module_utils.testing import patch_module_args
from berkeleydb import db as libdb

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import update
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Server
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome

MODULES = "ansible_collections.secure_ftp.server.plugins.modules"
PASSWORD = "bat-Cave!1"
PASSWORD_HASH = (
    "$6$rounds=1000$WW.NZSKJcrHzTMHK$"
    "C/AQyxpDonuDsCOmmfaw66UHj3JhXSgGrefRdVYFXo7fNhpSJzlPqlJLgsZiGRa4JQuVOWpPe2djNVXCAdCSx/"
)


def fake_hash(seed: object) -> bytes:
    """A value of the right shape that no password has; the same for the same seed."""
    return b"$6$rounds=50000$" + b"%016d$" % zlib.crc32(str(seed).encode()) + b"x" * 86


def numbered_users(first: int, last: int, seed: object = "") -> dict[bytes, bytes]:
    """Records of the users ``first`` to ``last`` - 1; all values differ from those of another seed."""
    return {b"user%06d" % number: fake_hash((number, seed)) for number in range(first, last)}


def write(path: Path | str, records: Mapping[bytes, bytes | None], **options: Any) -> None:
    """Put ``records`` into the database through our store."""
    update(str(path), lambda _view: dict(records), **options)


def hash_plaintext(server: Server) -> Outcome:
    """Let the database of ``server`` hold hashes only."""
    backend = Ftps(server, Rules(hash_plaintext=True, create_home=False, rounds=1000))
    return backend.apply(backend.plan(backend.stored([]), [])).outcome


def contents(path: Path | str) -> dict[bytes, bytes]:
    """Every record as libdb, not our own reader, sees it, after libdb has verified the file."""
    libdb.DB().verify(str(path))
    database = libdb.DB()
    database.open(str(path), dbtype=libdb.DB_HASH, flags=libdb.DB_RDONLY)
    try:
        return dict(database.items())
    finally:
        database.close()


def litter(path: Path | str) -> list[str]:
    """What lies beside the database and its lock file."""
    directory, base = os.path.split(str(path))
    return sorted(set(os.listdir(directory)) - {base, base + ".lock"})


class Child:
    """A forked process that runs one function."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._report = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            self._report.write(json.dumps(function()))
            status = 0
        except BaseException:
            self._report.write(traceback.format_exc())
        finally:
            self._report.flush()
            os._exit(status)

    def kill(self) -> bool:
        """SIGKILL it; return whether it was still at work."""
        os.kill(self.pid, signal.SIGKILL)
        return self.killed_itself()

    def killed_itself(self) -> bool:
        """Wait for it; return whether a signal ended it."""
        _pid, status = os.waitpid(self.pid, 0)
        report = self._read()
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, report
        return os.WIFSIGNALED(status)

    def result(self, timeout: float = 120) -> Any:
        """Wait for it and return the function's result; AssertionError with its traceback, or when it hangs."""
        deadline = time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the child was still running after {timeout} s")
            time.sleep(0.002)
        report = self._read()
        assert os.waitstatus_to_exitcode(status) == 0, f"status {status}: {report}"
        return json.loads(report)

    def _read(self) -> str:
        with self._report as report:
            report.seek(0)
            return report.read()


def run_module(module: str, /, **params: Any) -> dict[str, Any]:
    """Run the real module code in this process; its result, ``failed`` included."""
    main = importlib.import_module(f"{MODULES}.{module}").main
    output = io.StringIO()
    with patch_module_args(params), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main()
    return json.loads(output.getvalue())


def run_module_file(module: str, /, **params: Any) -> dict[str, Any]:
    """Run the module as a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", f"{MODULES}.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": params}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
