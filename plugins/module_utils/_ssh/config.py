# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""sshd_config: find the SFTP jail, write it, and ask sshd whether it works.

Facts: sshd_config(5) (the first value of a keyword wins; a Match block lasts until the next Match or the end of its
file), sshd(8) -T and -C. OpenSSH 8.2 ignores a Match block in a drop-in (bugzilla 3122), so the block goes into the
main file. Versions before 9.5 refuse a second ``Subsystem sftp`` line.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import tempfile
from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Mapping, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import Problem, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import AS_ROOT, replace_file
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import (
    run_command,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._host.unchanged import read_text
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.classes import (
    METHODS,
    is_class,
    match_blocks,
    no_place,
    shut_class,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.daemon import ask_sshd

CONFIG = "/etc/ssh/sshd_config"
UNIT = "ssh.service"
SFTP_SERVER = "/usr/lib/openssh/sftp-server"
"""The path of sftp-server in Debian and Ubuntu (package openssh-sftp-server)."""
DEFAULT_GROUP = "sftponly"
DEFAULT_DIRECTORY = "/home/sftp"
DEFAULT_KEYS_DIRECTORY = "/etc/ssh/sftponly_keys"
DIRECTORY_MODE, KEYS_DIRECTORY_MODE = 0o711, 0o755

LOG_LEVELS = ("QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3")
LOG_FACILITIES = ("DAEMON", "USER", "AUTH", *(f"LOCAL{number}" for number in range(8)))

CLOSED = {
    "AllowAgentForwarding": "no",
    "AllowTcpForwarding": "no",
    "AllowStreamLocalForwarding": "no",
    "GatewayPorts": "no",
    "PermitTunnel": "no",
    "PermitTTY": "no",
    "PermitUserRC": "no",
    "X11Forwarding": "no",
}
"""Features that are switched off, so that users can do nothing but what the block is for."""

_OWNER = "sshd_chroot"
_NAME = r"# %s secure_ftp\.server (%s)(?![a-z_])[^\n]*"
_MARK = _NAME % ("(?:BEGIN|END)", "[a-z_]+")


def _marks(owner: str) -> tuple[str, str]:
    """The lines around the block of ``owner``, a role."""
    begin = f"# BEGIN secure_ftp.server {owner} (managed by Ansible; edit the variables, not this block)"
    return begin, f"# END secure_ftp.server {owner}"


BEGIN, END = _marks(_OWNER)


def _block(owner: str) -> re.Pattern[str]:
    """A block from its BEGIN to the nearest END, never across another mark; or a mark without its partner."""
    return re.compile(
        rf"^{_NAME % ('BEGIN', owner)}\n(?:(?!{_MARK}$)[^\n]*\n)*?{_NAME % ('END', owner)}\n?"
        rf"|^{_NAME % ('(?:BEGIN|END)', owner)}\n?",
        re.M,
    )


@dataclass(frozen=True)
class Setting:
    """One line of sshd_config; ``match`` is the argument of the Match line it belongs to, else None."""

    path: str
    number: int
    keyword: str
    value: str
    match: str | None

    @property
    def where(self) -> str:
        return f"{self.path}:{self.number}"


@dataclass(frozen=True)
class Jail:
    """The jail that the role writes, or that is found on a server that was set up by hand."""

    group: str = DEFAULT_GROUP
    directory: str = DEFAULT_DIRECTORY
    keys_directory: str = DEFAULT_KEYS_DIRECTORY
    password_authentication: bool = True
    log_level: str | None = None
    log_facility: str | None = None
    start_directory: str = "/%u"
    classes: tuple[str, ...] = ()
    """The groups of users with rights of their own, see classes.py."""

    def settings(self) -> dict[str, str]:
        """The options of the Match block, in the order they are written."""
        return {
            "ForceCommand": f"{self.internal_sftp()} -d {self.start_directory}",
            "ChrootDirectory": self.directory,
            "PasswordAuthentication": "yes" if self.password_authentication else "no",
            # Otherwise PAM would ask for the password with this method too.
            "KbdInteractiveAuthentication": "no",
            "PermitEmptyPasswords": "no",
            "AuthorizedKeysFile": f"{self.keys_directory}/%u",
            **CLOSED,
        }

    def internal_sftp(self) -> str:
        """The in-process server with its logging options."""
        words = ["internal-sftp"]
        if self.log_facility:
            words += ["-f", self.log_facility]
        if self.log_level:
            words += ["-l", self.log_level]
        return " ".join(words)


# --- reading -------------------------------------------------------------------------------------------------------


def parse(text: str, path: str = CONFIG, match: str | None = None, depth: int = 0) -> list[Setting]:
    """Every setting of a configuration in the order sshd reads it, with the files of Include lines."""
    settings = []
    for number, line in enumerate(text.splitlines(), 1):
        words = re.match(r"\s*([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*?)\s*$", line)
        if not words:
            continue
        keyword, value = words.group(1).lower(), words.group(2)
        if keyword == "match":
            match = value
        settings.append(Setting(path, number, keyword, value, match))
        if keyword == "include" and depth < 16:
            for pattern in value.replace('"', "").split():
                for included in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    settings += parse(read_text(included).text, included, match, depth + 1)
    return settings


def read_config(path: str = CONFIG) -> str | None:
    """Text of the main file, or None if OpenSSH's server is not installed."""
    try:
        return read_text(path).text
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecureFtpError(path, found=f"cannot read it: {error.strerror}", remedy=AS_ROOT) from error


def read_settings(path: str = CONFIG) -> list[Setting]:
    """Every setting of sshd's configuration; none if there is no server."""
    text = read_config(path)
    return [] if text is None else parse(text, path)


def group_patterns(match: str | None) -> list[str]:
    """The patterns of a Match line that selects by group alone, else an empty list."""
    words = (match or "").replace('"', "").split()
    return words[1].split(",") if len(words) == 2 and words[0].lower() == "group" else []


def find_jail(settings: Iterable[Setting], group: str) -> dict[str, Setting]:
    """First value of each keyword in the ``Match Group`` blocks for ``group``; empty when there is none."""
    found: dict[str, Setting] = {}
    for setting in settings:
        if group in group_patterns(setting.match) and setting.keyword != "match":
            found.setdefault(setting.keyword, setting)
    return found


def classes_in(settings: Iterable[Setting], group: str) -> dict[str, str]:
    """The classes of the jail of ``group`` (see classes.py), in sshd's order, each with its ForceCommand.

    Those behind the jail's own block are left out: they have no effect.
    """
    found: dict[str, str] = {}
    for setting in settings:
        if setting.keyword == "forcecommand":
            names = group_patterns(setting.match)
            if group in names:
                break
            for name in names:
                if is_class(group, name):
                    found.setdefault(name, setting.value.strip('"'))
    return found


def shared_homes(settings: Sequence[Setting]) -> str | None:
    """The directory of the jail, if every user has an account in it, whatever protocol the user uses; else None.

    That is so on a host whose sshd knows the class of the accounts that must not log in.
    """
    group = discovered_group(settings)
    if shut_class(group) not in classes_in(settings, group):
        return None
    return discovered_directory(find_jail(settings, group), group)


def discovered_group(settings: Iterable[Setting]) -> str:
    """The group that a ``Match Group`` block with ChrootDirectory jails; DEFAULT_GROUP if it is one of several.

    A jail per user (``%u``, ``%h``), which this library cannot manage, counts only if there is no other.
    """
    jails = [
        (patterns[0], setting.value)
        for setting in settings
        for patterns in [group_patterns(setting.match)]
        if setting.keyword == "chrootdirectory" and len(patterns) == 1
    ]
    groups = [group for group, value in jails if "%" not in value] or [group for group, _value in jails]
    return DEFAULT_GROUP if DEFAULT_GROUP in groups or not groups else groups[0]


def discovered_directory(jail: Mapping[str, Setting], group: str) -> str | None:
    """The jail of ``find_jail``'s result; SecureFtpError for a directory per user, which this library cannot manage."""
    setting = jail.get("chrootdirectory")
    if setting is None or setting.value.lower() == "none":
        return None
    directory = setting.value.strip('"').rstrip("/") or "/"
    if "%" in directory:
        raise SecureFtpError(
            f"{setting.where}: ChrootDirectory of group {group!r}",
            "one directory for all users",
            found=directory,
            remedy="apply the role sshd_chroot or give another group",
        )
    return directory


def discovered_keys_directory(jail: Mapping[str, Setting]) -> str | None:
    """DIR of ``AuthorizedKeysFile DIR/%u``, else None."""
    setting = jail.get("authorizedkeysfile")
    words = setting.value.replace('"', "").split() if setting else []
    if len(words) == 1 and words[0].startswith("/") and words[0].endswith("/%u") and "%" not in words[0][:-3]:
        return words[0][:-3]
    return None


def allows_passwords(jail: Mapping[str, Setting]) -> bool:
    """Whether PasswordAuthentication of ``find_jail``'s result is anything but "no"."""
    setting = jail.get("passwordauthentication")
    return setting is None or setting.value.lower() != "no"


# --- writing -------------------------------------------------------------------------------------------------------


def with_jail(text: str, jail: Jail, path: str = CONFIG) -> str:
    """Return ``text`` with a ``Subsystem sftp`` line and, at its end, the marked block of ``jail``."""
    rest, blocks = _taken_apart(text)
    rest = _with_subsystem(_superseded_removed(rest, jail), path)
    text = _put_together(rest, {**blocks, _OWNER: _block_text(_OWNER, f"Group {jail.group}", jail.settings())})
    return with_classes(text, jail.group, jail.classes, path)


def with_classes(text: str, group: str, names: Iterable[str], path: str = CONFIG) -> str:
    """Return ``text`` with the classes ``names`` too, in the marked block of the jail of ``group``, before the jail.

    Classes that are there stay. Raises SecureFtpError if there is no such block.
    """
    rest, blocks = _taken_apart(text)
    start = f"\nMatch Group {group}\n"
    begin, is_there, jail = blocks.get(_OWNER, "").partition(start)
    command = find_jail(parse(start + jail, ""), group).get("forcecommand")
    if not is_there or command is None:
        raise no_place(path, group)
    every = {*classes_in(parse(blocks[_OWNER], ""), group), *names}
    ours = match_blocks(group, every, command.value)
    return _put_together(rest, {**blocks, _OWNER: f"{begin.splitlines()[0]}\n{ours}{start[1:]}{jail}"})


def classes_kept(text: str, group: str) -> tuple[str, ...]:
    """The classes in the marked block of the jail of ``group``, which stay when the jail is written again."""
    return tuple(sorted(classes_in(parse(_taken_apart(text)[1].get(_OWNER, ""), ""), group)))


def with_block(text: str, owner: str, match: str, settings: Mapping[str, str]) -> str:
    """Return ``text`` with the marked block of ``owner`` (a role) at its end, with those of other roles.

    ``match`` is the argument of its Match line. The blocks are sorted by their owners' names, so that the order of
    the roles' runs does not matter.
    """
    rest, blocks = _taken_apart(text)
    return _put_together(rest, {**blocks, owner: _block_text(owner, match, settings)})


def without_block(text: str, owner: str) -> str:
    """Return ``text`` without the marked block of ``owner``; unchanged if there is none."""
    rest, blocks = _taken_apart(text)
    return _put_together(rest, {name: blocks[name] for name in blocks if name != owner}) if owner in blocks else text


def _taken_apart(text: str) -> tuple[str, dict[str, str]]:
    """``text`` without marked blocks and single marks, and the blocks by owner."""
    blocks = {}
    for owner in sorted({found.group(1) for found in re.finditer(f"^{_MARK}$", text, re.M)}):
        for found in _block(owner).finditer(text):
            block = found.group().rstrip("\n")
            if "\n" in block:
                blocks[owner] = f"{block}\n"
        text = _block(owner).sub("", text)
    return text, blocks


def _put_together(rest: str, blocks: Mapping[str, str]) -> str:
    rest = rest.rstrip("\n")
    return "\n".join([*([f"{rest}\n"] if rest else []), *(blocks[owner] for owner in sorted(blocks))])


def _block_text(owner: str, match: str, settings: Mapping[str, str]) -> str:
    width = max(map(len, settings)) + 1
    lines = [f"    {keyword:<{width}}{value}" for keyword, value in settings.items()]
    begin, end = _marks(owner)
    return "\n".join([begin, f"Match {match}", *lines, "Match all", end]) + "\n"


def _blocks(settings: Sequence[Setting], group: str) -> list[tuple[Setting, list[Setting]]]:
    """Each ``Match Group`` line that is about ``group`` only, with the settings below it."""
    found: list[tuple[Setting, list[Setting]]] = []
    inside = False
    for setting in settings:
        if setting.keyword == "match":
            inside = group_patterns(setting.value) == [group]
            if inside:
                found.append((setting, []))
        elif inside and setting.match is not None:
            found[-1][1].append(setting)
    return found


def _by_keyword(jail: Jail) -> dict[str, tuple[str, str]]:
    """Keyword, as we write it, and value of each setting of ``jail``, by the keyword in lower case."""
    return {keyword.lower(): (keyword, value) for keyword, value in jail.settings().items()}


def takeover_problems(settings: Sequence[Setting], jail: Jail) -> list[Problem]:
    """How a hand-made block of ``jail``'s group in ``settings`` (without the marked one) differs from ours.

    Such a block is an administrator's decision: it is taken over only if its values are ours. So each difference is
    named, with the variable of the role sshd_chroot that keeps it.
    """
    ours = _by_keyword(jail)
    problems = []
    for start, inside in _blocks(settings, jail.group):
        for setting in inside:
            keyword, value = ours.get(_ALIASES.get(setting.keyword, setting.keyword), ("", ""))
            if keyword and not _same_value(keyword, setting.value, value):
                subject = f"{setting.where}: {keyword} of the group {jail.group}"
                remedy = f"{_KEEPS.get(keyword, 'correct that line')}, or jail another group (sshd_chroot_group)"
                problems.append(Problem(subject, value, setting.value, remedy))
        if not any(setting.keyword == "passwordauthentication" for setting in inside) and jail.password_authentication:
            others = [one for one in settings if one.keyword == "passwordauthentication" and one.match is None]
            if others and others[0].value.lower() == "no":
                by_key_alone = f"log in by key alone (PasswordAuthentication no at {others[0].where})"
                said = f"users of the group {jail.group} {by_key_alone}"
                remedy = "to keep that set sshd_chroot_password_authentication: false"
                problems.append(Problem(start.where, found=said, remedy=remedy))
    return problems


_ALIASES = {"challengeresponseauthentication": "kbdinteractiveauthentication"}
_KEEPS = {
    "ChrootDirectory": "to keep it set sshd_chroot_directory; a directory for each user (%u, %h) cannot be kept",
    "ForceCommand": (
        "to keep it set sshd_chroot_start_directory (/ for no -d), sshd_chroot_log_level, sshd_chroot_log_facility"
    ),
    "PasswordAuthentication": "to keep it set sshd_chroot_password_authentication",
    "AuthorizedKeysFile": "to keep it set sshd_chroot_keys_directory (DIRECTORY/%u)",
}


def _same_value(keyword: str, theirs: str, ours: str) -> bool:
    if keyword == "ForceCommand":
        return _command(theirs) == _command(ours)
    first, second = (value.strip('"').lower() for value in (theirs, ours))
    if first.startswith("/"):
        return theirs.strip('"').rstrip("/") == ours.strip('"').rstrip("/")
    return first == second


def _command(value: str) -> tuple[str, tuple[str, ...], str]:
    """Program, options and start directory of an internal-sftp command; if ``-d`` is omitted, it is ``/``."""
    program, *words = value.strip('"').split() or [""]
    start, options = "/", []
    while words:
        word = words.pop(0)
        if word == "-d" and words:
            start = words.pop(0)
        else:
            options.append(word)
    return program, tuple(options), start


def is_our_jail(text: str, directory: str) -> bool:
    """Whether the marked block of the role sshd_chroot in the configuration ``text`` makes ``directory`` the jail."""
    ours = parse(_taken_apart(text)[1].get(_OWNER, ""), "")
    return any(one.keyword == "chrootdirectory" and one.value == directory for one in ours)


def unmarked(text: str, path: str = CONFIG) -> list[Setting]:
    """Every setting of the configuration ``text`` except those of the marked blocks of this collection."""
    return parse(_taken_apart(text)[0], path)


def _superseded_removed(text: str, jail: Jail) -> str:
    """Drop a hand-made ``Match Group`` block of the same group when ours sets all its settings to the same values."""
    ours = _by_keyword(jail)
    lines = text.splitlines(keepends=True)
    for start, inside in reversed(_blocks([one for one in parse(text, "") if not one.path], jail.group)):
        named = [(_ALIASES.get(one.keyword, one.keyword), one.value) for one in inside]
        if named and all(word in ours and _same_value(ours[word][0], value, ours[word][1]) for word, value in named):
            del lines[start.number - 1 : max(setting.number for setting in inside)]
    return "".join(lines)


def _with_subsystem(text: str, path: str) -> str:
    """Return ``text`` with the distribution's ``Subsystem sftp`` line if there is none; an existing line stays.

    The ForceCommand of the block decides what runs, but sshd refuses a request for an unknown subsystem. The line does
    not use internal-sftp, because that also serves accounts with the shell nologin, which cannot use sftp-server.
    """
    if any(one.keyword == "subsystem" and one.value.split()[:1] == ["sftp"] for one in parse(text, path)):
        return text.rstrip("\n") + "\n"
    lines = text.splitlines()
    first = next((n for n, line in enumerate(lines) if re.match(r"\s*match\s", line, re.I)), len(lines))
    while 0 < first < len(lines) and lines[first - 1].lstrip().startswith("#"):
        first -= 1  # the comment belongs to the Match line below it
    lines.insert(first, f"Subsystem sftp {SFTP_SERVER}")
    return "\n".join(lines) + "\n"


def validate_jail(jail: Jail) -> Jail:
    """Return ``jail`` when sshd can use it; the directories' names are written into the file without quotes."""
    if not re.match(r"[A-Za-z_][A-Za-z0-9_-]{0,31}\Z", jail.group):
        raise SecureFtpError("group", "a group name of letters, digits, '_' and '-'", found=repr(jail.group))
    if not re.match(r"/(?:[A-Za-z0-9._+@:,/-]|%u)*\Z", jail.start_directory) or ".." in jail.start_directory.split("/"):
        raise SecureFtpError(
            "start_directory",
            "an absolute path of letters, digits, %u and . _ + @ : , - such as /%u",
            found=repr(jail.start_directory),
        )
    for what, path in (("directory", jail.directory), ("keys_directory", jail.keys_directory)):
        validate_directory(what, path)
    return jail


def validate_directory(what: str, path: str) -> str:
    """Return ``path`` when sshd can use it without quotes and only root can change it; ``what`` is its option."""
    if not re.match(r"(/[A-Za-z0-9._+@:,-]+)+\Z", path) or os.path.normpath(path) != path:
        raise SecureFtpError(
            what,
            "an absolute path of letters, digits and . _ + @ : , - without '..'",
            found=repr(path),
            remedy="choose another one",
        )
    problem = unsafe_component(path)
    if problem:
        raise SecureFtpError.of(problem)
    return path


def prepare_host(keys: str = "/etc/ssh/ssh_host_*_key") -> None:
    """Create a host key if there is none: ``sshd -t`` requires one."""
    if not glob.glob(keys):
        run_command(["ssh-keygen", "-A"])


def replace_config(
    path: str, text: str, unaffected: Iterable[str] = ("root",), before_replacing: Callable[[], None] = lambda: None
) -> None:
    """Replace ``path`` by ``text`` if sshd accepts it and it changes nothing for the users ``unaffected``."""
    found = os.stat(path)
    handle, candidate = tempfile.mkstemp(prefix=".sshd_config-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        result = ask_sshd(["-t", "-f", candidate])
        if result.rc:
            said = result.said.replace(candidate, path)
            raise SecureFtpError(
                path, "sshd -t to accept the new configuration", found=said, remedy="the old one is untouched"
            )
        # If sshd refuses the old configuration, there are no settings to compare with.
        comparable = ask_sshd(["-t", "-f", path]).rc == 0
        for user in unaffected if comparable else ():
            before, after = effective(user, path), effective(user, candidate)
            # The subsystem is the same for all users; sshd -t has just accepted it.
            changed = sorted(word for word in {*before, *after} - {"subsystem"} if before.get(word) != after.get(word))
            if changed:
                raise SecureFtpError(
                    path,
                    f"the settings of user {user!r} to stay",
                    found=f"{', '.join(changed)} would change",
                    remedy="the old configuration is untouched; take that user out of the group of the SFTP users",
                )
    finally:
        os.unlink(candidate)
    before_replacing()
    replace_file(
        path, text.encode("utf-8", "surrogateescape"), mode=found.st_mode & 0o7777, uid=found.st_uid, gid=found.st_gid
    )


# --- asking sshd ---------------------------------------------------------------------------------------------------


def effective(user: str, path: str = CONFIG) -> dict[str, list[str]]:
    """The output of ``sshd -T -C user=...``: values by lower-case keyword."""
    result = ask_sshd(["-T", "-f", path, "-C", f"user={user},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"])
    if result.rc:
        raise SecureFtpError(f"sshd -T -C user={user}", "its settings", found=result.said)
    values: dict[str, list[str]] = {}
    for line in result.out.splitlines():
        keyword, _blank, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return values


def jail_problems(
    user: str,
    groups: Sequence[str],
    values: Mapping[str, Sequence[str]],
    jail: Jail,
    by_password: bool,
    by_key: bool,
    command: str = "",
) -> tuple[list[Problem], list[Problem]]:
    """Compare ``effective``'s ``values`` of ``user`` with ``jail``.

    ``by_password`` counts only if the jail's own block allows passwords. ``command`` is what ForceCommand has to be;
    if empty, any internal-sftp is accepted. Returns the problems that let the user leave
    the jail or deny the log-in, and those that let the user do more than transfer files; the subject of each is sshd's
    keyword in lower case.
    """

    def found(keyword: str) -> str:
        return " ".join(values.get(keyword, ["nothing"]))

    def difference(keyword: str, expected: str) -> list[Problem]:
        return [] if found(keyword) == expected else [Problem(keyword, expected, found(keyword))]

    fatal = difference("chrootdirectory", jail.directory)
    if found("forcecommand").split()[:1] != ["internal-sftp"]:
        fatal.append(Problem("forcecommand", "internal-sftp", found("forcecommand")))
    elif command:
        fatal += difference("forcecommand", command)
    by_password = by_password and jail.password_authentication
    if by_password:
        fatal += difference("passwordauthentication", "yes")
    if by_key:
        fatal += difference("pubkeyauthentication", "yes")
        fatal += difference("authorizedkeysfile", f"{jail.keys_directory}/%u")
    fatal += method_problems(found("authenticationmethods"), by_password, by_key)
    fatal += access_problems(user, groups, values)
    open_doors = [
        problem
        for keyword, expected in CLOSED.items()
        # A keyword that this sshd does not print cannot be checked.
        if keyword.lower() in values
        for problem in difference(keyword.lower(), expected)
    ]
    return fatal, open_doors


def log_in_problems(values: Mapping[str, Sequence[str]]) -> list[Problem]:
    """The ``values`` of ``effective`` that let a user log in who must not."""
    return [
        Problem(keyword, "no", " ".join(values[keyword]))
        for keyword in map(str.lower, METHODS)
        # A keyword that this sshd does not print cannot be checked.
        if values.get(keyword, ["no"]) != ["no"]
    ]


def method_problems(methods: str, by_password: bool, by_key: bool) -> list[Problem]:
    """Why AuthenticationMethods ``methods`` deny a log-in by password alone, or by key alone."""
    accepted = [alternative.split(",") for alternative in methods.split()]
    if not accepted or ["any"] in accepted or methods == "nothing":
        return []
    missing = []
    for wanted, method in ((by_password, "password"), (by_key, "publickey")):
        if wanted and [method] not in accepted:
            missing.append(method)
    return [Problem("authenticationmethods", f"{name} alone to suffice", methods) for name in missing]


def access_problems(user: str, groups: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[Problem]:
    """The ``values`` of ``effective`` that deny every log-in of ``user``, a member of ``groups``."""

    def listed(keyword: str) -> list[str]:
        return [word for value in values.get(keyword, ()) for word in value.split()]

    def matches(pattern: str, name: str) -> bool:
        return fnmatch.fnmatchcase(name, pattern.split("@")[0])

    problems = []
    for pattern in listed("denyusers"):
        if matches(pattern, user):
            problems.append(Problem("denyusers", f"{user} not to match", pattern))
    for pattern in listed("denygroups"):
        problems += [Problem("denygroups", f"{g} not to match", pattern) for g in groups if matches(pattern, g)]
    users = listed("allowusers")
    if users and not any(matches(pattern, user) for pattern in users):
        problems.append(Problem("allowusers", f"{user} or a pattern for it", " ".join(users)))
    allowed = listed("allowgroups")
    if allowed and not any(matches(pattern, name) for pattern in allowed for name in groups):
        problems.append(Problem("allowgroups", f"one of {' '.join(groups)}", " ".join(allowed)))
    return problems


def where_set(keyword: str, settings: Iterable[Setting], group: str) -> str:
    """Where ``keyword`` is set outside the group's block, for an error message: " (set at FILE:LINE)" or ''."""
    places = [
        setting.where for setting in settings if setting.keyword == keyword and group_patterns(setting.match) != [group]
    ]
    return f" (set at {', '.join(places[:3])})" if places else ""


def unsafe_component(directory: str) -> Problem | None:
    """Why sshd would refuse ``directory``: others than root could change a directory above it."""
    for path, found in unsafe_components(os.path.dirname(directory.rstrip("/")) or "/"):
        if found.st_uid != 0:
            return Problem(path, "owner root", f"user id {found.st_uid}", "chown it, or choose another directory")
        mode = f"mode {found.st_mode & 0o7777:04o}"
        return Problem(path, "to be writable by root only", mode, "chmod it, or choose another directory")
    return None


def unsafe_components(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each component of ``directory``, from / to itself, that others than root could change; see sshd_config(5).

    Ends where a component does not exist.
    """
    path = "/"
    for part in ["", *filter(None, directory.split("/"))]:
        path = os.path.join(path, part)
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return
        if found.st_uid != 0 or found.st_mode & 0o022:
            yield path, found
