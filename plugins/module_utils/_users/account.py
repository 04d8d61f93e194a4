# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""What the account of a user says about the user, in both protocols. Touches nothing."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
import time
from typing import Any, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import shortened

MAX_COMMENT = 200
"""Longest comment, in characters and half of the bytes. Tools that read passwd(5) have buffers for a whole line."""

NEVER = "never"
"""The expiry of an account that does not expire."""

MAX_SOURCES = 100
"""Most sources of a user: before Linux-PAM 1.5.3, pam_access ignores lines of more than 8 KiB."""

_EPOCH = datetime.date(1970, 1, 1)
_YEARS = range(1971, 3000)

EMPTY: dict[str, object] = {"comment": "", "expires": NEVER, "allowed_sources": (), "quota": 0, "quota_files": 0}
"""The fields that are stored in or for an account, each with the value that means "nothing": it needs no account."""

LOG_IN = ("expires", "allowed_sources")
"""Those of them that limit log-ins."""


def given(user: Any) -> list[str]:
    """The fields of ``user``, a User, that need an account."""
    return [name for name, nothing in EMPTY.items() if getattr(user, name) not in (None, nothing)]


def limits(user: Any) -> list[str]:
    """Those of them that limit log-ins, so that both protocols have to obey them."""
    return [name for name in given(user) if name in LOG_IN]


def no_account(who: str, fields: Sequence[str]) -> Problem:
    """What is wrong with ``fields`` of a user without an account."""
    what = " and ".join(fields)
    return Problem(
        who,
        f"an account, which {what} is stored in",
        "a user of FTPS only, who has no account on this host",
        "give the user SFTP too (protocols: [ftps, sftp]), or every user an account (ftp-users one-home,"
        f" playbooks/one_home.yml), or leave {what} out",
    )


def validate_comment(value: object, name: str) -> str:
    """Return ``value`` as it is stored in passwd(5). Raises InvalidInput.

    Empty fields at its end, as chfn(1) writes them, are no part of it.
    """
    found = "" if isinstance(value, str) else shortened(repr(value))
    if isinstance(value, str):
        comment = comment_in(value)
        wrong = next((one for one in comment if one == ":" or not one.isprintable()), "")
        if wrong:
            found = ascii(wrong)
        elif len(comment) > MAX_COMMENT:
            found = f"{len(comment)} characters"
        elif len(comment.encode()) > 2 * MAX_COMMENT:
            found = f"{len(comment.encode())} bytes"
        else:
            return comment
    expected = f"one line of text without ':' and control characters, at most {MAX_COMMENT} characters; '' for none"
    raise InvalidInput(f"user {name!r}: comment", expected, found=found)


def validate_expires(value: object, name: str) -> str:
    """Return ``value``, the first day without log-in, as YYYY-MM-DD, or NEVER. Raises InvalidInput."""
    given_date = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    text = value.isoformat() if isinstance(value, datetime.date) and given_date else value
    if text == NEVER:
        return NEVER
    if isinstance(text, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", text):
        try:
            if datetime.date.fromisoformat(text).year in _YEARS:
                return text
        except ValueError:
            pass  # no such day
    raise InvalidInput(
        f"user {name!r}: expires",
        "the first day without log-in as YYYY-MM-DD, such as 2027-01-31, or never",
        found=shortened(repr(value)),
    )


def validate_sources(value: object, name: str) -> tuple[str, ...]:
    """Return ``value``, a list of addresses and networks from which alone log-ins come, sorted; empty for everywhere.

    Raises InvalidInput.
    """
    where = f"user {name!r}: allowed_sources"
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(where, "a list of addresses and networks", found=shortened(repr(value)))
    found = {_network(item, where) for item in value}
    if len(found) > MAX_SOURCES:
        raise InvalidInput(where, f"at most {MAX_SOURCES}", found=str(len(found)), remedy="name larger networks")
    networks = sorted(found, key=lambda one: (one.version, int(one.network_address), one.prefixlen))
    return tuple(str(one) if one.prefixlen < one.max_prefixlen else str(one.network_address) for one in networks)


def _network(value: object, where: str) -> Any:
    expected = "an address or a network such as 198.51.100.7, 192.0.2.0/24 or 2001:db8::/32"
    try:
        if not isinstance(value, str):
            raise ValueError
        network, given_address = _parsed(value.strip())
    except ValueError:
        raise InvalidInput(where, expected, found=shortened(repr(value))) from None
    if given_address != network.network_address:
        remedy = f"write {network}, or {given_address} for this address alone"
        raise InvalidInput(where, expected, found=f"{value!r}, an address in a network", remedy=remedy)
    if network.prefixlen == 0:  # pam_access lets nobody in from there (tried)
        halves = " and ".join(map(str, network.subnets()))
        raise InvalidInput(where, expected, found=repr(value), remedy=f"leave it out for everywhere, or write {halves}")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Any, Any]:
    """The network and the address in ``text``; many users have the same. Raises ValueError."""
    network: Any = ipaddress.ip_network(text, strict=False)
    if getattr(network.network_address, "scope_id", None):
        raise ValueError
    return network, ipaddress.ip_address(text.partition("/")[0])


def is_wider(new: Sequence[str], old: Sequence[str]) -> bool:
    """Whether ``new`` allows every source of ``old``, each empty for everywhere."""
    if not new or not old:
        return not new
    allowed: list[Any] = [ipaddress.ip_network(one) for one in new]
    return all(
        any(one.version == other.version and one.subnet_of(other) for other in allowed)
        for one in map(ipaddress.ip_network, old)
    )


def day_of(expires: str) -> str:
    """``expires`` as in shadow(5): days since 1970, empty for NEVER."""
    return "" if expires == NEVER else str((datetime.date.fromisoformat(expires) - _EPOCH).days)


def expires_on(day: str) -> str:
    """The contrary of ``day_of``; a day that cannot be read is NEVER."""
    if not re.match(r"[0-9]{1,6}\Z", day):
        return NEVER
    return (_EPOCH + datetime.timedelta(days=int(day))).isoformat()


def is_over(expires: str | None) -> bool:
    """Whether the day ``expires`` (YYYY-MM-DD, NEVER, None if unknown) has come; shadow(5) keeps days, of UTC."""
    return (expires or "")[:1].isdigit() and str(expires) <= time.strftime("%Y-%m-%d", time.gmtime())


def comment_in(gecos: str) -> str:
    """The comment of an account with the field ``gecos`` of passwd(5)."""
    return gecos.strip().rstrip(", ")
