# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""System accounts in bulk: read by parsing, changed only through the distribution's own tools.

Reading parses passwd(5), shadow(5) and group(5), because Python 3.13 removed the module spwd.

``systemd-sysusers -`` creates accounts: it adds any number of them in one locked pass over the files
(200 in 0.03 s on Debian 11 to 13; newusers(8) needs 29 ms for each because it stores each password through PAM,
useradd(8) 20 ms). It takes explicit user ids, gives the account the password ``!*`` (no login) and reserves no
subordinate ids. useradd creates the few accounts that systemd-sysusers cannot create, or not correctly:

- Names with a dot or a leading digit, which it refuses.
- Names without an account that have a line in shadow(5) already. An interrupted userdel(8), which replaces passwd
  before shadow, leaves such a line. systemd-sysusers (version 252) keeps its password and expiry; useradd replaces it.
- Names of existing groups, such as "sudo": systemd-sysusers puts the account into the group of the same name, even if
  another group is given.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Iterable, Iterator, Mapping, NamedTuple, Sequence, TypeVar

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    Busy,
    NotPermitted,
    Problem,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.account_fields import (
    CHANGED,
    EXPIRES,
    GECOS,
    HOME,
    MEMBERS,
    PASSWORD,
    SHELL,
    set_fields,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import AS_ROOT, flush
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import (
    Output,
    find_program,
    run_command,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.sessions import end_sessions
from ansible_collections.secure_ftp.server.plugins.module_utils._host.unchanged import (
    Identity,
    identity_of,
    read_text,
)

NO_PASSWORD = "*"
"""shadow(5) value of an account that logs in by key only; unlike ``!`` no tool reads it as "locked"."""

PENDING = frozenset(("!*", "!", "!!"))
"""Passwords in shadow between creation and the setting of the password: they mean that creation was interrupted."""

NO_HOME = "/nonexistent"
OUTER_HOME = "/"
"""The home of accounts that also work for daemons that enter it first: it exists, and only root can write it."""
"""passwd(5) home of the users this collection manages; base-passwd gives the same to the account nobody.

Programs of the host (systemd --user, mail servers, cron, sshd's default AuthorizedKeysFile) obey files in that
directory, so the user must not be able to write it.
"""

PRIVILEGED_GROUPS = frozenset(
    "root sudo admin wheel adm disk shadow kmem sys staff docker podman lxd incus libvirt kvm systemd-journal tty"
    " crontab utmp operator backup ssl-cert".split()
)
"""Groups whose members can become root or read what only root should; their members are never managed as users."""

LOCKED_SINCE = "1"
"""Expiry of a locked account, the day passwd(1) recommends; PAM and sshd then refuse passwords and keys alike."""

_FEW = 20
_RESERVED = range(60001, 65536)
"""User ids of systemd-homed, of DynamicUser=, of nobody, and the -1 of 16 bits, see https://systemd.io/UIDS-GIDS."""

_SECONDS = 900
"""How long a program may run, which may have 100,000 accounts to make on a slow disk."""

_FILES = ("passwd", "shadow", "group", "gshadow")

LOCK_FILE = "/run/secure_ftp.server-accounts.lock"
_LONGEST_NOTE = 1000

_T = TypeVar("_T")

_held: set[int] = set()  # descriptors of locks, for children to inherit

# valid_user_group_name() of systemd without VALID_USER_RELAX, and its 31 characters.
_SYSUSERS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,30}\Z")


class Account(NamedTuple):
    """One line of passwd(5); a tuple, since there are many."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    gecos: str = ""


@dataclass(frozen=True)
class Group:
    """One line of group(5)."""

    name: str
    gid: int
    members: frozenset[str]


@dataclass(frozen=True)
class Accounts:
    """The local account files, read once."""

    users: Mapping[str, Account]
    groups: Mapping[str, Group]
    passwords: Mapping[str, str] = field(repr=False)
    expires: Mapping[str, str] = field(default_factory=dict)
    """Day on which the account expires, as in shadow(5); only for accounts that expire."""

    def members(self, group: str) -> list[str]:
        """Names of the local accounts that have ``group`` as primary or as supplementary group, sorted."""
        found = self.groups.get(group)
        if found is None:
            return []
        return sorted(user.name for user in self.users.values() if user.gid == found.gid or user.name in found.members)

    def groups_of(self, name: str) -> list[str]:
        """Names of every group ``name`` is in."""
        user = self.users.get(name)
        return sorted(
            group.name for group in self.groups.values() if name in group.members or (user and user.gid == group.gid)
        )


def read_accounts(
    etc: str = "/etc", only: Collection[str] | None = None, passwords_of: Collection[str] | None = None
) -> Accounts:
    """Read passwd, shadow and group below ``etc``; damaged lines are skipped, as the C library does.

    ``only`` limits the users that are read, ``passwords_of`` the passwords, which is faster. A file that has not
    changed is not opened again.
    """
    users = _parsed(os.path.join(etc, "passwd"), _parse_passwd, only)
    groups = _parsed(os.path.join(etc, "group"), _parse_group)
    whose = only if passwords_of is None else passwords_of
    passwords, expires = _parsed(os.path.join(etc, "shadow"), _parse_shadow, whose)
    return Accounts(users, groups, passwords, expires)


_parsed_before: dict[str, tuple[Identity, Any]] = {}


def _parsed(path: str, parse: Callable[[Iterable[str]], _T], only: Collection[str] | None = None) -> _T:
    try:
        identity, text = read_text(path)
    except FileNotFoundError:
        return parse(())
    except OSError as error:
        kind = NotPermitted if isinstance(error, PermissionError) else SecureFtpError
        raise kind(path, found=f"cannot read it: {error.strerror}", remedy=AS_ROOT) from error
    if only is not None:
        return parse(_lines_of(text, only))
    before = _parsed_before.get(path)
    if before is None or before[0] != identity:
        before = _parsed_before[path] = identity, parse(text.split("\n"))
    parsed: _T = before[1]
    return parsed


def versions(etc: str = "/etc") -> dict[str, Identity | None]:
    """The current version of each account file."""
    return {path: identity_of(path) for path in (os.path.join(etc, name) for name in ("passwd", "group", "shadow"))}


def local_account(name: str, etc: str = "/etc") -> Account | None:
    """The account ``name``, from this host's files or another source in nsswitch.conf(5); None if there is none."""
    found = _parsed(os.path.join(etc, "passwd"), _parse_passwd, {name}).get(name)
    if found is None:
        import pwd

        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            found = Account(name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, entry.pw_gecos)
    return found


def _lines_of(text: str, names: Collection[str]) -> list[str]:
    """Return the lines of ``names``; if they are few, search for each, ten times faster than looking at each line."""
    if len(names) > _FEW:
        names = frozenset(names)
        return [line for line in text.split("\n") if line.partition(":")[0] in names]
    text, found = f"\n{text}\n", []
    for name in names:
        start = text.find(f"\n{name}:")
        while start >= 0:
            end = text.index("\n", start + 1)
            found.append(text[start + 1 : end])
            start = text.find(f"\n{name}:", end)
    return found


def _parse_passwd(lines: Iterable[str]) -> dict[str, Account]:
    users: dict[str, Account] = {}
    for row in _rows(lines, 7):
        if row[2].isdigit() and row[3].isdigit():
            users.setdefault(row[0], Account(row[0], int(row[2]), int(row[3]), row[5], row[6], row[4]))
    return users


def _parse_group(lines: Iterable[str]) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for row in _rows(lines, 4):
        if row[2].isdigit():
            groups.setdefault(row[0], Group(row[0], int(row[2]), frozenset(name for name in row[3].split(",") if name)))
    return groups


def _parse_shadow(lines: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    passwords: dict[str, str] = {}
    expires: dict[str, str] = {}
    for row in _rows(lines, 2):
        if row[0] not in passwords:
            passwords[row[0]] = row[1]
            if len(row) > EXPIRES and row[EXPIRES]:
                expires[row[0]] = row[EXPIRES]
    return passwords, expires


def _rows(lines: Iterable[str], columns: int) -> Iterator[list[str]]:
    for line in lines:
        row = line.split(":")
        if len(row) >= columns and row[0]:
            yield row


@contextlib.contextmanager
def accounts_lock(path: str = LOCK_FILE, seconds: float = 60.0) -> Iterator[None]:
    """Let one run of this collection at a time work on accounts; a process that has ended does not keep the lock.

    The tools we start hold the lock too: if a run is killed, the next run waits until its tool has ended. What the
    holder has written into the file (``note``) is what the error of those says who have waited for ``seconds``.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() > deadline:
                found = os.pread(descriptor, _LONGEST_NOTE, 0).decode("utf-8", "replace")
                raise Busy(
                    path,
                    f"the lock within {seconds:.0f} s",
                    found=found or "another run changing accounts",
                    remedy="wait for it to end and try again",
                )
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        _held.add(descriptor)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def note(text: str, path: str = LOCK_FILE) -> None:
    """Say in the lock at ``path``, which this process holds, what takes long. Raises OSError."""
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)


def login_names() -> set[str]:
    """Accounts this run was logged in as: from sudo or doas, and from the user id of the audit session, if any."""
    names = {os.environ.get("SUDO_USER", ""), os.environ.get("DOAS_USER", "")}
    with contextlib.suppress(OSError, ValueError, KeyError, SecureFtpError):
        with open("/proc/self/loginuid", encoding="ascii") as file:
            uid = int(file.read())
        if uid not in (0, 2**32 - 1):
            names.add(_name_of(uid))
    return names - {""}


def _name_of(uid: int) -> str:
    """The first account with that id; this host's own files come first. Raises KeyError, SecureFtpError."""
    for account in _parsed("/etc/passwd", _parse_passwd).values():
        if account.uid == uid:
            return account.name
    import pwd

    return pwd.getpwuid(uid).pw_name


def known_elsewhere(names: Iterable[str], etc: str = "/etc") -> list[str]:
    """Those of ``names`` that a directory service (LDAP, SSSD, ...) of nsswitch.conf(5) already knows."""
    sources: set[str] = set()
    with contextlib.suppress(OSError), open(os.path.join(etc, "nsswitch.conf"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("passwd:"):
                sources = set(re.sub(r"\[[^\]]*\]", " ", line.split("#")[0][7:]).split())
    if sources <= {"files", "compat", "systemd"}:
        return []
    import pwd

    found = []
    for name in names:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            found.append(name)
    return found


def uid_range(etc: str = "/etc") -> tuple[int, int]:
    """UID_MIN and UID_MAX of login.defs(5), or the distribution's values."""
    found = {"UID_MIN": 1000, "UID_MAX": 60000}
    with contextlib.suppress(OSError), open(os.path.join(etc, "login.defs"), encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 2 and words[0] in found and words[1].isdigit():
                found[words[0]] = int(words[1])
    return found["UID_MIN"], found["UID_MAX"]


def choose_uids(
    names: Sequence[str], used: Collection[int], former: Mapping[str, int], limits: tuple[int, int]
) -> dict[str, int]:
    """Give each of ``names`` a user id.

    ``former`` maps a name to the owner of the home that was kept for it: that name gets this id back and, with it, its
    files. No other name gets the id, because it gives access to those files. If an administrator has raised UID_MAX, no
    id of _RESERVED is taken.
    """
    low, high = limits
    taken = set(used)
    chosen: dict[str, int] = {}
    for name in names:
        uid = former.get(name)
        if uid is not None and low <= uid <= high and uid not in taken:
            chosen[name] = uid
            taken.add(uid)
    taken.update(former.values())
    highest = max((uid for uid in taken if low <= uid <= high and uid not in _RESERVED), default=low - 1)
    free = (uid for uid in range(highest + 1, high + 1) if uid not in _RESERVED)
    gaps = (uid for uid in range(low, high + 1) if uid not in taken and uid not in _RESERVED)
    for name in names:
        if name in chosen:
            continue
        uid = next(free, None)
        if uid is None:
            uid = next(gaps, None)
        if uid is None:
            raise SecureFtpError(
                f"user {name!r}",
                found=f"no free user id between {low} and {high}",
                remedy="raise UID_MAX in /etc/login.defs",
            )
        chosen[name] = uid
        taken.add(uid)
    return chosen


def of_the_host(account: Account, groups: Collection[str], uid_min: int) -> Problem | None:
    """Why ``account``, a member of ``groups``, is one of the system or of somebody with rights on it; None if not."""
    who = f"user {account.name!r}"
    privileged = sorted(PRIVILEGED_GROUPS.intersection(groups))
    if account.uid < uid_min:
        return Problem(who, f"a user id of at least {uid_min} (UID_MIN of /etc/login.defs)", str(account.uid))
    if privileged:
        return Problem(who, "an account without rights on the host", f"a member of {', '.join(privileged)}")
    return None


def unsuitable(account: Account, groups: Collection[str], group: Group, uid_min: int) -> Problem | None:
    """Why ``account``, a member of ``groups``, must not be managed as a user of ``group``; None when it may be.

    Managing it would change, lock or delete an account that has another purpose.
    """
    problem = of_the_host(account, groups, uid_min)
    if problem is None and account.gid != group.gid:
        alone = f"if it really is to be a user of that group alone, run: usermod -g {group.name} {account.name}"
        expected = f"the primary group {group.name}"
        problem = Problem(f"user {account.name!r}", expected, f"group id {account.gid}", alone)
    return problem


def create_accounts(
    uids: Mapping[str, int],
    group: Group,
    shell: str,
    taken: Collection[str] = (),
    home: str = NO_HOME,
    gecos: Mapping[str, str] | None = None,
) -> None:
    """Create the accounts of ``uids`` with primary group ``group``, the home ``home`` and no usable password.

    ``taken`` are names that have a line in shadow or group already; ``gecos`` is that field of passwd(5), by name.
    """
    rest, gecos = dict(uids), gecos or {}
    if find_program("systemd-sysusers") and not re.search(r"[%\s\"']", shell):
        batch = [name for name in uids if _SYSUSERS_NAME.match(name) and name not in taken]
        lines = "".join(
            f"u {name} {uids[name]}:{group.gid} {_sysusers_gecos(gecos.get(name, ''))} {home} {shell}\n"
            for name in batch
        )
        if batch:
            _run(["systemd-sysusers", "-"], lines)
        for name in batch:
            del rest[name]
    for name, uid in rest.items():
        _run(
            ["useradd", "--no-create-home", "--no-user-group", "--gid", str(group.gid), "--uid", str(uid)]
            + ["--home-dir", home, "--shell", shell, "--comment", gecos.get(name, ""), "--", name]
        )


def _sysusers_gecos(text: str) -> str:
    """``text`` as a word of sysusers.d(5): in quotes, with specifiers and escapes taken literally; ``-`` for none."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{quoted}"' if text else "-"


def made_accounts(names: Sequence[str]) -> dict[str, Account]:
    """Those of ``names`` that are local accounts according to getent(1): what the programs above really created.

    Asked for a name, it searches all accounts; asked for none, it lists them.
    """
    asked = ["--", *names] if len(names) <= _FEW else []
    command = ["getent", "--service=files", "passwd", *asked]
    result = _execute(command)
    if result.rc not in (0, 2):  # 2: at least one of them does not exist
        raise _failure(command, result)
    found, wanted = _parse_passwd(result.out.split("\n")), set(names)
    return {name: account for name, account in found.items() if name in wanted}


def add_account(name: str, home: str, shell: str, comment: str) -> None:
    """Create one system account with its own group and NO_PASSWORD; ``home`` is recorded but not created."""
    _run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", shell]
        + ["--comment", comment, "--password", NO_PASSWORD, "--", name]
    )


def create_group(name: str) -> None:
    """Create the system group ``name``."""
    _run(["groupadd", "--system", "--", name])


def delete_group(name: str) -> None:
    """Delete the group ``name``, which no account has as its primary one."""
    _run(["groupdel", "--", name])


def set_members(lists: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Give each group exactly these supplementary members, all of them local accounts, one list after the other.

    For few by gpasswd(1), which looks up every member in all accounts; for many in one pass, which may leave out what a
    later list of the same group replaces.
    """
    if sum(len(names) for _group, names in lists) <= _FEW:
        for group, names in lists:
            _run(["gpasswd", "--members", ",".join(names), group])
        return
    values = {group: {MEMBERS: ",".join(names)} for group, names in lists}
    for file in ("group", "gshadow") if os.path.exists("/etc/gshadow") else ("group",):
        set_fields(file, values, tuple(_held))


def set_passwords(hashes: Mapping[str, str]) -> None:
    """Store ready hashes (or NO_PASSWORD) of any number of accounts; no process shows them."""
    if len(hashes) > _FEW:
        today = str(int(time.time() // 86400))
        set_fields("shadow", {name: {PASSWORD: value, CHANGED: today} for name, value in hashes.items()}, tuple(_held))
    elif hashes:
        _run(["chpasswd", "--encrypted"], "".join(f"{name}:{value}\n" for name, value in hashes.items()))


def set_shells(shells: Mapping[str, str]) -> None:
    """Change the login shell of each account."""
    _modify("--shell", "passwd", SHELL, shells)


def set_gecos(texts: Mapping[str, str]) -> None:
    """Change the field of passwd(5) with the comment of each account."""
    _modify("--comment", "passwd", GECOS, texts)


def set_homes(accounts: Sequence[Account], home: str, shared: Collection[int] = ()) -> None:
    """Give ``accounts`` the ``home``; nothing is moved. Sessions, which obey the files of the old one, end first.

    ``shared`` is as for ``end_sessions``.
    """
    end_sessions({account.name: account.uid for account in accounts}, shared)
    _modify("--home", "passwd", HOME, {account.name: home for account in accounts})


def set_expiry(days: Mapping[str, str]) -> None:
    """Let each account expire on a day, in days since 1970 as in shadow(5); with an empty string it never expires."""
    _modify("--expiredate", "shadow", EXPIRES, days)


def _modify(option: str, file: str, column: int, values: Mapping[str, str]) -> None:
    """Change one account by usermod(8), which also logs it, and many in one pass."""
    if len(values) > 1:
        set_fields(file, {name: {column: value} for name, value in values.items()}, tuple(_held))
        return
    for name, value in values.items():
        _run(["usermod", option, value, "--", name])


def delete_accounts(accounts: Sequence[Account], shared: Collection[int] = ()) -> list[str]:
    """Delete ``accounts`` and end their processes; their homes stay. Return warnings about sessions.

    The caller has removed their passwords and keys already, so that no new session can begin. ``shared`` are user
    ids that another account has too, as for ``end_sessions``.
    """
    ending = {account.name: account.uid for account in accounts}
    # userdel(8) does not see every session as "logged in": it ignores processes with another root directory.
    end_sessions(ending, shared)
    for account in accounts:
        command = ["userdel", *(["--force"] if account.uid in shared else []), "--", account.name]
        deadline = time.monotonic() + 10
        while True:
            result = _execute(command)
            # userdel(8): 6 the user does not exist, 8 the user is logged in.
            if result.rc in (0, 6):
                break
            if result.rc != 8 or time.monotonic() > deadline:
                raise _failure(command, result)
            end_sessions({account.name: account.uid}, shared)
    # What a process has left that was forking at the time.
    return end_sessions(ending, shared)


def flush_accounts(etc: str = "/etc") -> None:
    """Make the changes of the tools durable: they rename their new files but do not flush the directory.

    Raises NotDurable.
    """
    flush([*(os.path.join(etc, name) for name in _FILES), etc])


def _execute(command: Sequence[str], data: str = "") -> Output:
    """Run ``command`` with ``data`` as its standard input; it holds our locks, so it may safely outlive us."""
    return run_command(command, data, _SECONDS, tuple(_held))


def _run(command: Sequence[str], data: str = "") -> None:
    result = _execute(command, data)
    if result.rc:
        raise _failure(command, result)


def _failure(command: Sequence[str], result: Output) -> SecureFtpError:
    return SecureFtpError(" ".join(command), "success", found=f"exit status {result.rc}: {result.said}")
