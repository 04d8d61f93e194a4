# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What a finding of the doctor is: how bad it is, why it matters, and the command that puts it right."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import quoted, visible

ERROR, WARNING = "error", "warning"
AGAIN = "then run ftp-users check again"

SSH = "ssh"
"""The unit of sshd, as fixes name it."""

EDIT_SSHD = '"${{EDITOR:-editor}}" {path} && sshd -t && systemctl {verb} ssh'
"""The fix of a Kind where only an administrator can say which line of sshd's configuration is to go."""

_FIXED = 50


class Finding(NamedTuple):
    """One thing that is wrong on this host.

    ``subject`` is stable, for programs: a key of ``KINDS`` in kinds.py. ``where`` is the path, unit, port or user it is
    about. ``fix`` is a shell command for root on this host; words in capitals are to be replaced. ``restarts`` are the
    units that it makes read their files anew, for in_order alone: no user is shown them.
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
        "a file or directory that decides who may log in can be changed by others than root",
        "Whoever can write it can let anybody in, with any rights.",
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
        "It works with old settings or an old certificate, and what changes at the next restart comes as a surprise.",
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
        "Their log-in ends right after the password, which looks like a TLS fault to them.",
        "install -d -o {guest} -g {group} -m 0700 {paths}",
    ),
    "account-home": Kind(
        ERROR,
        "an SFTP user, or the system user of FTPS, can write the home that passwd names",
        "Programs outside the jail obey files of that directory: systemd --user starts units, a mail server pipes,"
        " cron and sshd read it. The user can run commands on the host.",
        "usermod --home /nonexistent {user}",
    ),
}
"""What several checks report. Every other Kind stands beside the check that reports it; kinds.py has them all."""


class Reporter:
    """Makes the findings of one file, of its own ``kinds`` and the common ones; another subject is a KeyError."""

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
        """Make a finding; ``words`` fill in the fix of its kind, a list as several words, unless ``fix`` is given.

        ``paths`` and ``restarts`` (as ``unit``) are such words too: of many paths the fix names the first, and says so.
        """
        kind = self.kinds[subject]
        if fix is None:
            named, comment = first(paths)
            words = {"paths": named, "unit": restarts, **words}
            fix = kind.fix.format(**{name: quoted(value) for name, value in words.items()}) + comment
        return Finding(kind.severity, subject, visible(what), kind.why, visible(fix), visible(where), tuple(restarts))


def first(items: Sequence[str]) -> tuple[list[str], str]:
    """So many of ``items`` as a command should name, and a shell comment when that is not all."""
    if len(items) <= _FIXED:
        return list(items), ""
    return list(items[:_FIXED]), f"  # the first {_FIXED} of {len(items)}; {AGAIN}"


def chained(commands: Iterable[str]) -> str:
    """One command line that runs each of ``commands`` when those before it succeeded, as far as a line should go."""
    shown, comment = first(list(commands))
    return " && ".join(shown) + comment
