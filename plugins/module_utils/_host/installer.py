# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Install the command ``ftp-users`` from the library that is running: same code, one version at a time.

Each version gets its own directory, named by the digest of its files, and the launcher names that directory. So the
replacement of one small file switches from one version to the next.
"""

from __future__ import annotations

import ast
import compileall
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import file_error, keep_copy, replace_file

PACKAGE = "ansible_collections.secure_ftp.server.plugins.module_utils"
COMMAND = "/usr/local/sbin/ftp-users"
LIBRARY = "/usr/local/lib/secure_ftp.server"

_VERSION = re.compile(r"[0-9a-f]{16}\Z")

_MARK = b"# Installed by secure_ftp.server; changes made here are lost."
_LAUNCHER = """\
#!/usr/bin/python3 -I
# Installed by secure_ftp.server; changes made here are lost.
import gc
import os
import sys

gc.disable()  # the command ends soon; looking for cycles only slows down long lists
sys.path.insert(0, {directory!r})
from {package}.{entry} import main

status = main()
sys.stderr.flush()
os._exit(status)  # main has flushed its output; tidying up memory would only take time
"""


@dataclass(frozen=True)
class Installation:
    """Where to install the command; ``link`` is a second name for it, None for no second name."""

    command: str = COMMAND
    library: str = LIBRARY
    link: str | None = None


def library_files(entry: str) -> dict[str, str]:
    """Return path and source of ``entry``, such as ``_command.main``, and of every part of this library it needs."""
    found: dict[str, str] = {}
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        spec = _spec(name)
        source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
        if source is None:
            raise SecureFtpError(f"{PACKAGE}.{name}", "the source of this part of the library", found="none")
        found[name] = source
        todo += _imported(source)
    return {f"{name.replace('.', '/')}.py": source for name, source in found.items()}


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(f"{PACKAGE}.{name}" if name else PACKAGE)
    except ModuleNotFoundError:  # its package does not exist
        return None


def _imported(source: str) -> Iterator[str]:
    """Which parts of this library ``source`` imports, within functions too, named as seen from PACKAGE."""
    for node in ast.walk(ast.parse(source)):
        module = (isinstance(node, ast.ImportFrom) and node.module) or ""
        if isinstance(node, ast.ImportFrom) and f"{module}.".startswith(f"{PACKAGE}."):
            name = module[len(PACKAGE) + 1 :]
            spec = _spec(name)
            if spec and spec.submodule_search_locations is not None:  # a package: its modules are imported
                yield from (f"{name}.{alias.name}" for alias in node.names)
            else:
                yield name


def install(where: Installation, entry: str, check_mode: bool = False) -> list[str]:
    """Install or update the command that is ``main`` of the module ``entry``; return the paths that differ.

    Raises SecureFtpError when another kind of file is at one of the paths, or when the system refuses a change.
    """
    files = _tree(library_files(entry))
    version = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
    directory = os.path.join(where.library, version)
    launcher = _LAUNCHER.format(directory=directory, package=PACKAGE, entry=entry).encode()
    changed = []
    try:
        if not all(_is(os.path.join(directory, path), text.encode()) for path, text in files.items()):
            changed.append(directory)
            if not check_mode:
                _write_version(directory, files)
        if not _is(where.command, launcher) or os.stat(where.command).st_mode & 0o7777 != 0o755:
            changed.append(where.command)
            if not check_mode:
                os.makedirs(os.path.dirname(where.command), mode=0o755, exist_ok=True)
                _keep_theirs(where.command)
                replace_file(where.command, launcher, 0o755, 0, 0)
        if where.link and not (os.path.islink(where.link) and os.readlink(where.link) == where.command):
            changed.append(where.link)
            if not check_mode:
                _link(where.link, where.command)
        if not check_mode:
            _remove_versions(where.library, version)
    except OSError as error:
        raise file_error(error.filename or where.command, "write", error) from error
    return changed


def _tree(files: dict[str, str]) -> dict[str, str]:
    """Map import paths to sources; each package gets an ``__init__.py``, so that it is not mixed with another one."""
    base = PACKAGE.replace(".", "/")
    tree = {f"{base}/{path}": source for path, source in files.items()}
    for path in list(tree):
        while path := os.path.dirname(path):
            tree[f"{path}/__init__.py"] = ""
    return tree


def _is(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return not os.path.islink(path) and file.read() == data
    except (FileNotFoundError, NotADirectoryError):
        return False


def _write_version(directory: str, files: dict[str, str]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    for path, source in files.items():
        target = os.path.join(directory, path)
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        replace_file(target, source.encode(), 0o644, 0, 0)
    compileall.compile_dir(directory, quiet=2)


def _link(link: str, command: str) -> None:
    """Make ``link`` point to the command; a file of that name, such as a script, is copied first (keep_copy)."""
    if os.path.isdir(link) and not os.path.islink(link):
        raise SecureFtpError(link, f"a path for a link to {command}", found="a directory", remedy="move it away")
    os.makedirs(os.path.dirname(link), mode=0o700, exist_ok=True)
    _keep_theirs(link)
    temporary = f"{link}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(command, temporary)
    os.rename(temporary, link)


def _keep_theirs(path: str) -> None:
    """Copy a file that will be replaced, unless it is a launcher that this module installed."""
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            if _MARK not in file.read(4096):
                keep_copy(path)


def _remove_versions(library: str, current: str) -> None:
    for entry in os.listdir(library):
        if _VERSION.match(entry) and entry != current:
            shutil.rmtree(os.path.join(library, entry), ignore_errors=True)
