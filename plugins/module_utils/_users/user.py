# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The list of users: its structure, its validation, and which protocol each user uses."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import InvalidInput, Problem
from ansible_collections.secure_ftp.server.plugins.module_utils._users.account import (
    validate_comment,
    validate_expires,
    validate_sources,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import NAMES, PROTOCOLS, RIGHTS
from ansible_collections.secure_ftp.server.plugins.module_utils._users.keys import validate_authorized_keys
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import (
    MAX_EXISTING,
    validate_existing_name,
    validate_user_name,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import validate_hash, validate_password
from ansible_collections.secure_ftp.server.plugins.module_utils._users.policy import DEFAULT_MIN_LENGTH
from ansible_collections.secure_ftp.server.plugins.module_utils._users.quota import validate_files, validate_quota
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import (
    UPLOAD_ONLY,
    Rights,
    merged,
    validate_access,
    validate_rate,
    validate_umask,
)


class User(NamedTuple):
    """One entry of ``ftp_users``, valid. A tuple, since lists of them are long.

    ``password`` and ``password_hash`` exclude each other; both None means "leave the password as it is".
    ``authorized_keys`` is None when not given (leave the keys as they are), else the complete list.
    ``locked`` is None when not given (leave it as it is), else whether every log-in is denied.
    ``access``, ``umask`` and ``ftps_max_rate`` are as in Rights, each None when not given (leave it as it is).
    ``comment`` is None when not given (leave it as it is), empty for none; ``expires`` likewise, a date or "never";
    ``allowed_sources`` likewise, empty for everywhere; ``quota`` (bytes) and ``quota_files`` likewise, 0 for no limit.
    """

    name: str
    present: bool = True
    password: str | None = None
    password_hash: str | None = None
    protocols: tuple[str, ...] = PROTOCOLS
    authorized_keys: tuple[str, ...] | None = None
    locked: bool | None = None
    access: str | None = None
    umask: str | None = None
    ftps_max_rate: int | None = None
    comment: str | None = None
    expires: str | None = None
    allowed_sources: tuple[str, ...] | None = None
    quota: int | None = None
    quota_files: int | None = None

    def __repr__(self) -> str:
        """Show the name only, no secret."""
        return f"User({self.name!r})"


IsTaken = Callable[[str, str, Sequence[str]], bool]
"""Whether a weak or slow hash (second) of a user (first) with these protocols (third) is accepted all the same."""


def never(_name: str, _hash: str, _protocols: Sequence[str]) -> bool:
    """Accept no weak hash."""
    return False


def user_from_options(
    options: Mapping[str, Any],
    min_length: int = DEFAULT_MIN_LENGTH,
    existing: bool = False,
    is_taken: IsTaken = never,
) -> User:
    """Build a User from the options of a module or a list entry; keys given as None count as not given.

    ``min_length`` is the fewest characters of a password; ``existing`` means that the user exists: any name is valid.

    Raises InvalidInput naming the user and the rule that is broken.
    """
    get = options.get
    name = validate_existing_name(get("name")) if existing else validate_user_name(get("name"))
    password, password_hash = get("password"), get("password_hash")
    if password is not None and password_hash is not None:
        raise InvalidInput(f"user {name!r}", found="give password or password_hash, not both")
    protocols = get("protocols")
    protocols = PROTOCOLS if protocols is None else _valid_protocols(protocols, name)
    if password_hash is not None:
        validate_hash(password_hash, name, lambda: is_taken(name, password_hash, protocols))
    if password is not None:
        validate_password(password, name, protocols, min_length)
    state = get("state") or "present"
    if state != "present" and state != "absent":
        raise InvalidInput(f"user {name!r}: state", "present or absent", found=repr(state))
    keys = get("authorized_keys")
    authorized_keys = None if keys is None else validate_authorized_keys(keys, name)
    locked = get("locked")
    if locked is not None and not isinstance(locked, bool):
        raise InvalidInput(f"user {name!r}: locked", "true or false", found=repr(locked))
    rights = (*_rights(options, name), *_of_account(options, name), *_quotas(options, name))
    return User(name, state == "present", password, password_hash, protocols, authorized_keys, locked, *rights)


def user_or_problems(
    options: Mapping[str, Any], min_length: int = DEFAULT_MIN_LENGTH, is_taken: IsTaken = never
) -> tuple[User | None, list[Problem]]:
    """``user_from_options``, or why it refuses ``options``: its first problem, and those of each field by itself."""
    try:
        return user_from_options(options, min_length, is_taken=is_taken), []
    except InvalidInput as error:
        found = [error.problem]
    name = options.get("name")
    # Only so that the other fields are looked at: what is wrong with the name is known.
    who = name if isinstance(name, str) and 0 < len(name) <= MAX_EXISTING and "\0" not in name else "without a name"
    base: dict[str, Any] = {"name": who}
    for field in ("protocols", *NAMES):  # what a password may be depends on them
        if field == "name" or options.get(field) is None:
            continue
        alone = {**base, field: options[field]}
        try:
            user_from_options(alone, min_length, existing=True, is_taken=is_taken)
        except InvalidInput as error:
            found.append(error.problem)
        else:
            base = alone if field == "protocols" else base
    return None, list(dict.fromkeys(found))


def _rights(options: Mapping[str, Any], name: str) -> tuple[str | None, str | None, int | None]:
    access, umask, rate = (options.get(key) for key in Rights._fields)
    valid = (
        None if access is None else validate_access(access, name),
        None if umask is None else validate_umask(umask, name),
        None if rate is None else validate_rate(rate, name),
    )
    merged(Rights(), name, *valid)  # raises if they exclude each other
    return valid


def _of_account(options: Mapping[str, Any], name: str) -> tuple[str | None, str | None, tuple[str, ...] | None]:
    comment, expires, sources = (options.get(key) for key in ("comment", "expires", "allowed_sources"))
    return (
        None if comment is None else validate_comment(comment, name),
        None if expires is None else validate_expires(expires, name),
        None if sources is None else validate_sources(sources, name),
    )


def _quotas(options: Mapping[str, Any], name: str) -> tuple[int | None, int | None]:
    quota, files = options.get("quota"), options.get("quota_files")
    return (
        None if quota is None else validate_quota(quota, f"user {name!r}: quota"),
        None if files is None else validate_files(files, f"user {name!r}: quota_files"),
    )


def rights_of(user: User, there: Rights) -> Rights:
    """The rights of ``user``, who has those of ``there``. Raises InvalidInput if the two exclude each other."""
    return merged(there, user.name, user.access, user.umask, user.ftps_max_rate)


def _valid_protocols(protocols: Iterable[str], name: str) -> tuple[str, ...]:
    given = tuple(protocols)
    unknown = sorted(set(given) - set(PROTOCOLS))
    if unknown:
        raise InvalidInput(f"user {name!r}: protocols", "ftps and/or sftp", found=", ".join(unknown))
    return given


def with_defaults(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``entry`` with those rights of ``defaults`` that it does not name itself.

    A user who is upload_only by ``entry`` has no use for the umask of all.
    """
    missing = {name: defaults.get(name) for name in RIGHTS if entry.get(name) is None}
    if entry.get("access") == UPLOAD_ONLY:
        missing.pop("umask", None)
    return {**entry, **missing}


def users_from_list(
    entries: Iterable[Mapping[str, Any]],
    min_length: int = DEFAULT_MIN_LENGTH,
    is_taken: IsTaken = never,
    defaults: Mapping[str, Any] | None = None,
) -> list[User]:
    """Build every User of a list, in its order; ``defaults`` is as for ``with_defaults``.

    Raises InvalidInput for the first invalid entry and for names listed twice.
    """
    entries = [with_defaults(entry, defaults) for entry in entries] if defaults else entries
    users = [user_from_options(entry, min_length, is_taken=is_taken) for entry in entries]
    seen: set[str] = set()
    for user in users:
        if user.name in seen:
            raise InvalidInput(f"user {user.name!r}", found="listed twice in users", remedy="merge the two entries")
        seen.add(user.name)
    return users


def uses(user: User, protocol: str) -> bool:
    """Whether ``user`` is to exist on ``protocol`` ("ftps" or "sftp")."""
    return user.present and protocol in user.protocols
