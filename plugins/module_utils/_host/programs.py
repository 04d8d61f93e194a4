# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The only way this library runs a program of the host: found in the system's directories, with a time limit."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, Callable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError

SECONDS = 60
"""How long a program may run unless its caller says otherwise."""

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
"""Directories in which we, and the programs we start, look for programs; never the caller's PATH."""

PACKAGES = {
    **dict.fromkeys(("useradd", "usermod", "userdel", "groupadd", "chpasswd", "vipw", "vigr"), "passwd"),
    **dict.fromkeys(("sshd", "ssh-keygen"), "openssh-server"),
    **dict.fromkeys(("systemctl", "systemd-run", "systemd-sysusers", "timedatectl", "journalctl"), "systemd"),
    **dict.fromkeys(("setquota", "repquota"), "quota"),
    "visudo": "sudo",
}
"""The Debian package of each program that has another name than its package."""


_DONE = "done"
_EDITOR = f"""sh -c 'echo "$0" >/proc/self/fd/{{}} && read -r said && [ "$said" = {_DONE} ]'"""
"""An editor that says the path of its file, and succeeds when it is told so: no sooner, and never by itself."""


class MissingProgram(SecureFtpError):
    """A program is not installed."""


@dataclass(frozen=True)
class Output:
    """Exit status and text of a program that has ended; the status is negative when a signal ended it."""

    rc: int
    out: str
    err: str = ""

    @property
    def said(self) -> str:
        """The last lines of its error output, or else of its output, for an error message."""
        return "; ".join((self.err.strip() or self.out.strip()).splitlines()[-3:]) or f"exit status {self.rc}"


Run = Callable[[Sequence[str]], Output]


def find_program(name: str) -> str | None:
    """Return the path of the program ``name``, None when the host does not have it."""
    return shutil.which(name, path=PATH)


def run_command(
    command: Sequence[str], data: str = "", seconds: float = SECONDS, inherit: Sequence[int] = ()
) -> Output:
    """Run ``command`` in the C locale; ``data`` is its standard input, ``inherit`` descriptors it keeps open.

    The input is complete, in memory, before the program starts: if we were killed while filling a pipe, the program
    would read a part of a line and take it for a whole one. Bytes of the output that are not UTF-8 become U+FFFD.
    Raises MissingProgram, and SecureFtpError when the program has not ended after ``seconds``; it is killed then, with
    everything that it started.
    """
    with _in_memory(data) as stdin:
        return _run(command, stdin, None, seconds, inherit)


def run_with_editor(
    command: Sequence[str], edit: Callable[[str], None], seconds: float = SECONDS, inherit: Sequence[int] = ()
) -> Output:
    """Run ``command``, which starts an editor, and let ``edit`` be that: it gets the path of the file.

    If ``edit`` raises, or we are killed before it returns, the editor fails, and the program has to leave everything as
    it was. It prints into memory: a pipe to somebody who is killed would kill it too, before it tidies up. The answer
    is ``out``. Raises what run_command and ``edit`` raise.
    """
    with _in_memory("") as said, _pipe() as (reading, writing):
        editor = dict.fromkeys(("VISUAL", "EDITOR"), _EDITOR.format(writing))
        try:
            process = _start(command, subprocess.PIPE, said, (*inherit, writing), editor)
        finally:
            os.close(writing)
        with process, _ended_after(process, command, seconds):
            path = _first_line(reading, command, seconds)
            if path:
                try:
                    edit(path)
                except BaseException:
                    process.communicate(timeout=seconds)  # nothing said: the program tidies up, and ends
                    raise
            process.communicate(f"{_DONE}\n".encode() if path else None, timeout=seconds)
        said.seek(0)
        return Output(process.returncode, said.read().decode("utf-8", "replace"))


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """Both ends; the one to write is closed by the caller, as soon as the program has it."""
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)


def _first_line(reading: int, command: Sequence[str], seconds: float) -> str:
    """The line that the editor writes; empty if the program ends without an editor."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _writing, _failed = select.select([reading], [], [], seconds)
        if not ready:
            raise subprocess.TimeoutExpired(list(command), seconds)
        more = os.read(reading, 4096)
        if not more:
            return ""
        line += more
    return os.fsdecode(line[:-1])


def run_as_inetd(command: Sequence[str], seconds: float = SECONDS) -> Output:
    """Run ``command`` with one file as standard input, output and error, as inetd(8) gives a program its socket.

    The answer is ``out``. Raises what run_command raises.
    """
    with tempfile.TemporaryFile() as answer:
        rc = _run(command, answer, answer, seconds, ()).rc
        answer.seek(0)
        return Output(rc, answer.read().decode("utf-8", "replace"))


@contextlib.contextmanager
def _in_memory(data: str) -> Iterator[IO[bytes]]:
    with os.fdopen(os.memfd_create("input"), "w+b") as complete:
        complete.write(data.encode("utf-8", "surrogateescape"))
        complete.seek(0)
        yield complete


def _run(
    command: Sequence[str], stdin: IO[bytes], stdout: IO[bytes] | None, seconds: float, inherit: Sequence[int]
) -> Output:
    process = _start(command, stdin, subprocess.PIPE if stdout is None else stdout, inherit)
    with process, _ended_after(process, command, seconds):
        return _output(process, *process.communicate(timeout=seconds))


def _output(process: subprocess.Popen[bytes], out: bytes | None, err: bytes | None) -> Output:
    return Output(process.returncode, (out or b"").decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace"))


def _start(
    command: Sequence[str],
    stdin: IO[bytes] | int,
    output: IO[bytes] | int,
    inherit: Sequence[int],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    name = command[0]
    program = name if os.path.isabs(name) else find_program(name)
    try:
        if program is None:
            raise FileNotFoundError
        return subprocess.Popen(
            [program, *command[1:]],
            stdin=stdin,
            stdout=output,
            stderr=output,
            pass_fds=tuple(inherit),
            env={**os.environ, "LC_ALL": "C", "LANG": "C", "PATH": PATH, **(environment or {})},
            start_new_session=True,  # its own process group, so that what it starts can be ended with it
        )
    except FileNotFoundError:
        package = PACKAGES.get(os.path.basename(name), os.path.basename(name))
        raise MissingProgram(name, "this program", found="none", remedy=f"install the package {package}") from None
    except OSError as error:
        raise SecureFtpError(name, found=f"cannot be run: {error.strerror}") from error


@contextlib.contextmanager
def _ended_after(process: subprocess.Popen[bytes], command: Sequence[str], seconds: float) -> Iterator[None]:
    """End ``process`` if an error comes, or SecureFtpError because it took too long."""
    try:
        yield
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise SecureFtpError(
                " ".join(command),
                f"it to end within {seconds:g} s",
                found="it still running",
                remedy="it was ended; run it by hand",
            ) from None
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill ``process`` and its group, which could otherwise hold our pipes open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
