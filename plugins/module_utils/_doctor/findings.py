# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A finding of the doctor: how severe it is, why it matters, and the command that fixes it."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted, visible

ERROR, WARNING = "error", "warning"
AGAIN = "then run ftp-users check again"

SSH = "ssh"
"""The unit of sshd, as fixes name it."""

EDIT_SSHD = '"${{EDITOR:-editor}}" {path} && sshd -t && systemctl {verb} ssh'
"""The fix of a Kind where only an administrator can decide which line of sshd's configuration to remove."""

_FIXED = 50


class Finding(NamedTuple):
    """One thing that is wrong on this host.

    ``subject`` is stable, for programs: a key of ``KINDS`` in kinds.py. ``where`` is the path, unit, port or user that
    the finding is about. ``fix`` is a shell command for root on this host; the administrator replaces the words in
    capitals. ``restarts`` are the units that the fix restarts or reloads; only in_order uses them, no user sees them.
    """

    severity: str
    subject: str
    what: str
    why: str
    fix: str
    where: str = ""
    restarts: tuple[str, ...] = ()


class Kind(NamedTuple):
    """What findings of one subject have in common; words in braces in ``fix`` are filled in, quoted for a shell."""

    severity: str
    means: str
    why: str
    fix: str


COMMON: dict[str, Kind] = {
    "config-writable": Kind(
        ERROR,
        "users other than root can change a file or directory that controls who may log in",
        "A user who can write it can give anybody a log-in with any rights.",
        "chown root:root {path} && chmod go-w {path}",
    ),
    "service-inactive": Kind(
        ERROR,
        "a service is not running",
        "Nobody can log in over its protocol.",
        "systemctl restart {unit} || journalctl --unit {unit} --lines 20 --no-pager",
    ),
    "service-disabled": Kind(
        WARNING,
        "a service is not started at boot",
        "After the next boot nobody can log in over its protocol.",
        "systemctl enable {unit}",
    ),
    "service-outdated": Kind(
        WARNING,
        "a service has not read its files since they changed",
        "It still uses old settings or an old certificate; the next restart changes that unexpectedly.",
        "systemctl daemon-reload && systemctl {verb} {unit}",
    ),
    "port-closed": Kind(
        ERROR,
        "the service does not listen on the port it is configured for",
        "Clients are refused, or talk to another program.",
        "ss -Hltnp 'sport = :{port}'; systemctl restart {unit}",
    ),
    "ftps-directory-missing": Kind(
        ERROR,
        "FTPS users have no directory",
        "Their session ends right after the password, which looks like a TLS error to the user.",
        "install -d -o {guest} -g {group} -m 0700 {paths}",
    ),
    "account-home": Kind(
        ERROR,
        "an SFTP user, or the system user of FTPS, can write to the home directory that passwd names",
        "Programs outside the jail obey files in that directory: systemd --user starts units from it, a mail server"
        " runs commands, cron and sshd read it. So the user can run commands on the host.",
        "usermod --home /nonexistent {user}",
    ),
}
"""Kinds that several checks report. Every other Kind is in the file of its check; kinds.py collects all of them."""


class Reporter:
    """Makes the findings of one file, from its own ``kinds`` and the common ones; any other subject is a KeyError."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = {**COMMON, **kinds}

    def __call__(
        self,
        subject: str,
        what: str,
        where: str = "",
        fix: str | None = None,
        *,
        paths: Sequence[str] = (),
        restarts: Sequence[str] = (),
        **words: object,
    ) -> Finding:
        """Make a finding; ``words`` fill in the fix of its kind (a list as several words) unless ``fix`` is given.

        ``paths`` and ``restarts`` (as ``unit``) are such words too. Of many paths the fix names the first, and says so.
        """
        kind = self.kinds[subject]
        if fix is None:
            named, comment = first(paths)
            words = {"paths": named, "unit": restarts, **words}
            fix = kind.fix.format(**{name: quoted(value) for name, value in words.items()}) + comment
        return Finding(kind.severity, subject, visible(what), kind.why, visible(fix), visible(where), tuple(restarts))


def first(items: Sequence[str]) -> tuple[list[str], str]:
    """The first of ``items``, as many as one command should name, and a shell comment if there are more."""
    if len(items) <= _FIXED:
        return list(items), ""
    return list(items[:_FIXED]), f"  # the first {_FIXED} of {len(items)}; {AGAIN}"


def chained(commands: Iterable[str]) -> str:
    """One command line that runs ``commands`` until one fails, no more of them than ``first`` gives."""
    shown, comment = first(list(commands))
    return " && ".join(shown) + comment
