# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Set up remote control on a server: the last step gives access, and the first step of a removal takes it away."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from typing import Callable, Iterable, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import NOTHING, Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_PASSWORD,
    add_account,
    delete_accounts,
    read_accounts,
    set_passwords,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.directories import ensure_directory
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import find_program, run_command
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.access import (
    GECOS,
    HOME,
    OWNER,
    SHELL,
    SUDO,
    SUDOERS,
    Client,
    keys_text,
    sshd_problems,
    sshd_settings,
    sudo_problems,
    sudoers_text,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    CONFIG,
    effective,
    prepare_host,
    read_config,
    replace_config,
    unsafe_component,
    validate_directory,
    with_block,
    without_block,
)


class ControlHost:
    """The state of the server, and ``apply`` to change it; with ``check`` nothing is changed."""

    def __init__(self, user: str, keys_directory: str, config: str = CONFIG, check: bool = False):
        self.user = user
        self.keys_directory = validate_directory("keys_directory", keys_directory)
        self.keys_file = os.path.join(keys_directory, user)
        self.config = config
        self.check = check
        self.changes: list[str] = []
        self.diff: list[dict[str, str]] = []

    def apply(
        self, clients: Sequence[Client], unaffected: Iterable[str], before_replacing: Callable[[], None]
    ) -> list[str]:
        """Give access to ``clients`` and nobody else; return which of account, keys_directory, config, sudoers and
        keys have changed.

        SecureFtpError if the server would not be safe; then no access has been given. ``unaffected`` and
        ``before_replacing`` are those of ``replace_config``.
        """
        if not clients:
            self._keys([])
            self._file("sudoers", SUDOERS, None, 0o440)
            self._remove_accounts(keep=None)
            self._sshd(without_block(read_config(self.config) or "", OWNER), unaffected, before_replacing)
            return self.changes
        rules = sudoers_text(self.user, clients)
        self._expect_tools(rules, clients[0].program)
        self._account()
        self._remove_accounts(keep=self.user)
        if ensure_directory(self.keys_directory, 0, 0, 0o755, check_mode=self.check):
            self.changes.append("keys_directory")
        settings = sshd_settings(self.keys_directory)
        text = with_block(read_config(self.config) or "", OWNER, f"User {self.user}", settings)
        self._sshd(text, unaffected, before_replacing)
        self._file("sudoers", SUDOERS, rules, 0o440)
        if not self.check:
            self._expect_closed(clients)
        self._keys(clients)
        return self.changes

    def configured(self) -> bool:
        """Whether sshd's configuration has our block."""
        text = read_config(self.config) or ""
        return without_block(text, OWNER) != text

    # --- steps -----------------------------------------------------------------------------------------------------

    def _account(self) -> None:
        found = self._entry(self.user)
        if found is None:
            self.changes.append("account")
            if not self.check:
                add_account(self.user, HOME, SHELL, GECOS)
        elif found.pw_gecos != GECOS or found.pw_uid == 0:
            raise SecureFtpError(
                f"user {self.user!r}",
                "an account made for remote control",
                found="another one",
                remedy="choose another remote_control_user",
            )
        elif read_accounts().passwords.get(self.user) != NO_PASSWORD:
            self.changes.append("account")
            if not self.check:
                set_passwords({self.user: NO_PASSWORD})

    def _remove_accounts(self, keep: str | None) -> None:
        """Remove the accounts made by this class, except ``keep``, with their keys."""
        known = read_accounts().users
        for entry in pwd.getpwall():
            if entry.pw_gecos != GECOS or entry.pw_name == keep or entry.pw_name not in known:
                continue
            self.changes += ["account"] if "account" not in self.changes else []
            if not self.check:
                self._file("keys", os.path.join(self.keys_directory, entry.pw_name), None, 0o644)
                delete_accounts([known[entry.pw_name]])

    def _sshd(self, wanted: str, unaffected: Iterable[str], before_replacing: Callable[[], None]) -> None:
        text = read_config(self.config)
        if text is None and not self.check and wanted:
            raise SecureFtpError(
                self.config, "the file of the Debian package openssh-server", found="none", remedy="install it"
            )
        if wanted == (text or ""):
            return
        self._differs("config", self.config, text or "", wanted)
        if not self.check:
            prepare_host()
            replace_config(self.config, wanted, unaffected, before_replacing)

    def _keys(self, clients: Sequence[Client]) -> None:
        before = self._read(self.keys_file)
        after = keys_text(clients) if clients else None
        self._file("keys", self.keys_file, after, 0o644)
        gone = set((before or "").splitlines()) - set((after or "").splitlines())
        entry = self._entry(self.user)
        if gone and entry is not None and entry.pw_gecos == GECOS and not self.check:
            # A connection opened with such a key could send more requests.
            end_sessions({entry.pw_name: entry.pw_uid})

    def _file(self, what: str, path: str, text: str | None, mode: int) -> None:
        """Write ``text`` to ``path``, a file owned by root, or remove the file if ``text`` is None."""
        before = self._read(path)
        if before == text and (text is None or self._sound(path, mode)):
            return
        self._differs(what, path, before or "", text or "")
        if self.check:
            return
        if text is None:
            os.unlink(path)
        else:
            replace_file(path, text.encode(), mode, 0, 0)

    # --- looking ---------------------------------------------------------------------------------------------------

    def _expect_tools(self, rules: str, program: str) -> None:
        if self.check and not (os.path.exists(SUDO) and find_program("visudo")):
            return
        validate_sudoers(rules)
        problem = None if self.check else command_problem(program)
        if problem:
            raise SecureFtpError.of(problem)

    def _expect_closed(self, clients: Sequence[Client]) -> None:
        groups = read_accounts().groups_of(self.user)
        problems = sshd_problems(self.user, groups, effective(self.user, self.config), self.keys_directory)
        if problems:
            says = "; ".join(map(str, problems))
            raise SecureFtpError(
                self.config,
                found=f"sshd -T -C user={self.user} says {says}",
                remedy="correct what is set above the block or in the included files; no key was stored",
            )
        granted = sudo_problems(self.user, clients, sudo_listing(self.user))
        if granted:
            raise SecureFtpError(
                f"sudo -l -U {self.user}",
                found="; ".join(granted),
                remedy="correct the other rules in /etc/sudoers and /etc/sudoers.d; no key was stored",
            )

    def _differs(self, what: str, path: str, before: str, after: str) -> None:
        if what not in self.changes:
            self.changes.append(what)
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})

    @staticmethod
    def _entry(name: str) -> pwd.struct_passwd | None:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            return None

    @staticmethod
    def _read(path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except FileNotFoundError:
            return None

    @staticmethod
    def _sound(path: str, mode: int) -> bool:
        found = os.lstat(path)
        return (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, mode)


def validate_sudoers(text: str) -> None:
    """Raise SecureFtpError unless visudo(8) accepts ``text`` as a sudoers file."""
    with tempfile.NamedTemporaryFile("w", prefix="sudoers-") as file:  # 0600, as visudo wants it
        file.write(text)
        file.flush()
        answer = run_command(["visudo", "--check", "--file", file.name])
        if answer.rc:
            said = answer.said.replace(file.name, SUDOERS)
            raise SecureFtpError(SUDOERS, "visudo to accept it", found=said, state=NOTHING)


def command_problem(path: str) -> Problem | None:
    """Why ``path`` must not be run as root for another user: it is missing, or others can change it."""
    try:
        path = os.path.realpath(path)
        found = os.stat(path)
    except FileNotFoundError:
        return Problem(path, "the command of the role user_command", "none", "apply that role first")
    if found.st_uid or found.st_mode & 0o022:
        expected = "owner root and nobody else able to write it"
        said = f"user id {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
        return Problem(path, expected, said, "apply the role user_command again")
    return unsafe_component(path)


def sudo_listing(user: str) -> str:
    """What ``sudo -l -U user`` prints in the C locale."""
    return run_command([SUDO, "-n", "-l", "-U", user]).out
