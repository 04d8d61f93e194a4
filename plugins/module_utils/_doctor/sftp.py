# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The doctor's checks of SFTP: sshd's effective settings and the jail; sftp_users.py checks the accounts in it."""

from __future__ import annotations

import fnmatch
import os
import stat
from typing import Iterable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.findings import (
    EDIT_SSHD,
    ERROR,
    SSH,
    WARNING,
    Finding,
    Kind,
    Reporter,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.jails import Member, Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.outside import (
    outside_findings,
    privileged_findings,
    subsystem_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.sftp_users import (
    account_findings,
    entries_of,
    home_findings,
    key_findings,
    left_findings,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.vsftpd import writable_findings
from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import (
    NO_PASSWORD,
    PENDING,
    Accounts,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.locks import lock_state
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    DEFAULT_DIRECTORY,
    DEFAULT_KEYS_DIRECTORY,
    Jail,
    Setting,
    allows_passwords,
    discovered_directory,
    discovered_keys_directory,
    effective,
    find_jail,
    group_patterns,
    jail_problems,
    unsafe_components,
)

_ACCESS = ("allowusers", "denyusers")
_SUBJECTS = {"chrootdirectory": "jail-open", "forcecommand": "jail-open"}

KINDS: dict[str, Kind] = {
    "sshd-config": Kind(
        ERROR,
        "sshd refuses its configuration",
        "After its next restart or boot nobody can log in over SSH or SFTP, not even you. Keep this session open.",
        "sshd -t",
    ),
    "jail-missing": Kind(
        ERROR,
        "no Match block jails the group of the SFTP users",
        "They can read the whole file system of this host and forward ports into its network.",
        "printf '%s\\n' {lines} >>{path} && sshd -t && systemctl {verb} ssh",
    ),
    "jail-unsupported": Kind(
        WARNING,
        "the jail has a different directory for each user",
        "sshd may accept that, but ftp-users cannot manage such accounts, and their directories were not checked.",
        "ansible-playbook -i INVENTORY secure_ftp.server.site --tags sshd_chroot",
    ),
    "jail-unsafe": Kind(
        ERROR,
        "users other than root can change the jail or a directory above it",
        "sshd closes every SFTP session right after the log-in (Broken pipe).",
        "chown root:root {path} && chmod go-w {path}",
    ),
    "jail-directory-missing": Kind(
        ERROR,
        "the directory of the jail does not exist",
        "sshd closes every SFTP session right after the log-in (Broken pipe).",
        "install -d -o root -g root -m 0711 {path}",
    ),
    "jail-open": Kind(
        ERROR,
        "sshd does not jail an SFTP user",
        "The user can leave the jail, read the file system of this host or run commands.",
        EDIT_SSHD,
    ),
    "sftp-login-refused": Kind(
        ERROR,
        "sshd denies an SFTP user the log-in in spite of a password or key",
        "The user cannot log in over SFTP.",
        EDIT_SSHD,
    ),
    "jail-doors": Kind(
        WARNING,
        "an SFTP user may do more than transfer files",
        "By forwarding ports the user reaches the network behind this host with its address.",
        EDIT_SSHD,
    ),
}
found = Reporter(KINDS)


def sftp_findings(sftp: Sftp) -> Iterator[Finding]:
    """Examine every jailed group."""
    for path in sftp.paths:
        yield from writable_findings(path)
    try:
        effective("root", sftp.config)
    except SecureFtpError as error:
        yield found("sshd-config", str(error), sftp.config)
        return
    for group in sftp.groups:
        yield from _group_findings(group, sftp)
    yield from subsystem_findings(sftp)


def _group_findings(group: str, sftp: Sftp) -> Iterator[Finding]:
    accounts, config = sftp.accounts, sftp.config
    block = find_jail(sftp.settings, group)
    if "chrootdirectory" not in block:
        lines = [f"Match Group {group}", *(f"    {name} {value}" for name, value in Jail(group).settings().items())]
        what = f"{config}: expected a block 'Match Group {group}' with ChrootDirectory, found none"
        lines = ["", *lines, "Match all"]
        yield found("jail-missing", what, config, lines=lines, path=config, verb=sftp.verb, restarts=[SSH])
        return
    try:
        directory = discovered_directory(block, group) or DEFAULT_DIRECTORY
    except SecureFtpError as error:
        yield found("jail-unsupported", str(error), block["chrootdirectory"].where)
        return
    keys_directory = discovered_keys_directory(block)
    jail = Jail(group, directory, keys_directory or DEFAULT_KEYS_DIRECTORY, allows_passwords(block))
    yield from _directory_findings(directory)
    key_files = entries_of(keys_directory) if keys_directory else {}
    members = [_member(name, accounts, key_files) for name in accounts.members(group)]
    yield from _setting_findings(members, sftp, jail)
    yield from account_findings([one for one in members if one.account.name not in sftp.shut], accounts)
    yield from outside_findings([member.account for member in members], accounts.users.values(), directory)
    yield from privileged_findings(accounts, group)
    if os.path.isdir(directory):
        yield from home_findings(members, directory)
        yield from left_findings(directory, accounts)
    if keys_directory:
        yield from key_findings(keys_directory, key_files, accounts)


def _member(name: str, accounts: Accounts, key_files: Mapping[str, os.stat_result]) -> Member:
    state = lock_state(accounts, name)
    by_password = not state.full and not state.mark and state.stored not in PENDING and state.stored != NO_PASSWORD
    by_key = not state.full and name in key_files
    return Member(accounts.users[name], tuple(accounts.groups_of(name)), by_password, by_key)


def _directory_findings(directory: str) -> Iterator[Finding]:
    if not os.path.isdir(directory):
        yield found("jail-directory-missing", f"{directory}: missing", directory, path=directory)
    for path, status in unsafe_components(directory):
        what = (
            f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}; expected owner root, and no"
            " other user able to write"
        )
        yield found("jail-unsafe", what, path, path=path)


# --- sshd's settings -----------------------------------------------------------------------------------------------


def classes(members: Iterable[Member], settings: Sequence[Setting]) -> list[Member]:
    """One member of each class that sshd may treat differently: thousands of users need only a few questions."""
    patterns = _user_patterns(settings)
    found_classes: dict[tuple[object, ...], Member] = {}
    for member in members:
        name = member.account.name
        matches = tuple(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        found_classes.setdefault((member.by_password, member.by_key, member.groups, matches), member)
    return list(found_classes.values())


def _user_patterns(settings: Sequence[Setting]) -> list[str]:
    """Every pattern of user names that sshd's configuration tells users apart by."""
    words: list[str] = []
    for setting in settings:
        if setting.keyword in _ACCESS:
            words += setting.value.split()
        elif setting.keyword == "match":
            criteria = _criteria(setting.value)
            words += criteria.get("user", "").split(",")
    return sorted({word.strip('"').lstrip("!").split("@")[0] for word in words} - {"", "*"})


def _criteria(match: str) -> dict[str, str]:
    words = match.replace('"', "").replace("=", " ").split()
    return dict(zip((word.lower() for word in words[::2]), words[1::2]))


def _setting_findings(members: Sequence[Member], sftp: Sftp, jail: Jail) -> Iterator[Finding]:
    settings = sftp.settings
    seen: set[tuple[str, str]] = set()
    for member in classes(members, settings):
        name = member.account.name
        values = effective(name, settings[0].path)
        fatal, doors = jail_problems(name, member.groups, values, jail, member.by_password, member.by_key)
        sorted_problems: dict[str, list[Problem]] = {}
        for problem in fatal:
            sorted_problems.setdefault(_SUBJECTS.get(problem.subject, "sftp-login-refused"), []).append(problem)
        if doors:
            sorted_problems["jail-doors"] = doors
        for subject, problems in sorted_problems.items():
            fix = _moved(problems, member, values, sftp, jail) or _fix(problems, member, sftp, jail)
            if (subject, fix) in seen:  # another class, the same cause
                continue
            seen.add((subject, fix))
            yield found(subject, f"user {name}: {'; '.join(map(str, problems))}", name, fix, restarts=[SSH])


def _fix(problems: Iterable[Problem], member: Member, sftp: Sftp, jail: Jail) -> str:
    """The command that edits the deciding lines. Each edit names what the line must hold, so it may run twice."""
    settings = sftp.settings
    wanted = {keyword.lower(): (keyword, value) for keyword, value in jail.settings().items()}
    edits: dict[str, list[str]] = {}
    for problem in problems:
        word = problem.subject
        if word not in wanted:
            path = next((setting.path for setting in settings if setting.keyword == word), settings[0].path)
            return f'"${{EDITOR:-editor}}" {quoted(path)} && {sftp.reload}'
        others, own = _setters(settings, word, member, jail.group)
        for setting in others:
            edit = f"{setting.number}s|^[[:space:]]*{word}[[:space:]=]|#&|I"
            edits.setdefault(setting.path, []).append(edit)
        if others:
            continue
        keyword, value = wanted[word]
        line = f"    {keyword} {value}".replace("\\", "\\\\").replace("|", "\\|").replace("&", "\\&")
        if own is None:
            own = next(one for one in settings if one.keyword == "match" and jail.group in group_patterns(one.value))
            edit = f"{own.number}s|^[[:space:]]*match[[:space:]].*|&\\n{line}|I"
        else:
            edit = f"{own.number}s|^[[:space:]]*{word}[[:space:]=].*|{line}|I"
        edits.setdefault(own.path, []).append(edit)
    commands = [f"sed -i {' '.join(f'-e {quoted(edit)}' for edit in edits[path])} {quoted(path)}" for path in edits]
    return " && ".join([*commands, sftp.reload])


def _moved(
    problems: Iterable[Problem],
    member: Member,
    values: Mapping[str, Sequence[str]],
    sftp: Sftp,
    jail: Jail,
) -> str | None:
    """The command that moves the block of the jail to the main file if sshd ignores it in its present file.

    None if the block is there already, or something else is wrong. OpenSSH 8.2 of Ubuntu 20.04 ignores a Match block in
    a file that it includes.
    """
    settings = sftp.settings
    main = settings[0].path
    for problem in problems:
        others, own = _setters(settings, problem.subject, member, jail.group)
        if others or own is None or own.path == main:
            return None
        if own.value.split()[:1] == [word for value in values.get(own.keyword, ()) for word in value.split()][:1]:
            return None  # sshd obeys the block; the block is wrong
        block = [one.number for one in settings if one.path == own.path and one.match == own.match]
        lines = f"{min(block)},{max(block)}"
        return (
            f"{{ echo; sed -n {quoted(lines + 'p')} {quoted(own.path)}; }} >>{quoted(main)} &&"
            f" sed -i {quoted(lines + 's/^/#/')} {quoted(own.path)} && {sftp.reload}"
            f" # move the block to {main}: this sshd ignores Match in {own.path}"
        )
    return None


def _setters(
    settings: Sequence[Setting], keyword: str, member: Member, group: str
) -> tuple[list[Setting], Setting | None]:
    """The lines of other blocks that win over the block of ``group``, and the line of that block if it has one."""
    others: list[Setting] = []
    for setting in settings:
        if setting.match is None:
            continue
        if group in group_patterns(setting.match):
            if setting.keyword == "match":
                own = [one for one in settings if one.match == setting.match and one.keyword == keyword]
                return others, own[0] if own else None
        elif setting.keyword == keyword and _applies(setting.match, member):
            others.append(setting)
    return others, None


def _applies(match: str, member: Member) -> bool:
    """Whether a Match line is about ``member``, as far as users and groups go."""
    criteria = _criteria(match)
    users, groups = criteria.get("user"), criteria.get("group")
    if users is not None and not _in_pattern_list(member.account.name, users):
        return False
    return groups is None or any(_in_pattern_list(group, groups) for group in member.groups)


def _in_pattern_list(name: str, patterns: str) -> bool:
    """PATTERNS of ssh_config(5): a negated match wins."""
    words = patterns.split(",")
    if any(fnmatch.fnmatchcase(name, word[1:]) for word in words if word.startswith("!")):
        return False
    return any(fnmatch.fnmatchcase(name, word) for word in words)
