# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The current state of FTPS users: their records and directories, read once into a value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import AbstractSet, Any, Collection, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core import releases
from ansible_collections.secure_ftp.server.plugins.module_utils._core.work import told
from ansible_collections.secure_ftp.server.plugins.module_utils._folders.apply import other_mounts
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import View, read
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.hashfile import FEW
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import Personal, read_files, rights_in
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes, Server, guest_ids
from ansible_collections.secure_ftp.server.plugins.module_utils._host.found import Entry, look, look_at
from ansible_collections.secure_ftp.server.plugins.module_utils._host.unchanged import identity_of
from ansible_collections.secure_ftp.server.plugins.module_utils._users import passwords
from ansible_collections.secure_ftp.server.plugins.module_utils._users.names import is_component
from ansible_collections.secure_ftp.server.plugins.module_utils._users.rights import Rights
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User


class Home(NamedTuple):
    """A user's start directory, and what exists there. ``own``: the administrator chose it, so it is never changed."""

    path: str
    found: Entry | None = None
    own: bool = False

    def is_kept(self, guest: tuple[int, int] | None) -> bool:
        """Whether it stays as it is: it is the administrator's, or it exists and belongs to ``guest`` already.

        Another service of the host, such as a web server, may depend on its group and mode.
        """
        found = self.found
        return self.own or (guest is not None and found is not None and found.is_directory and found.uid == guest[0])


@dataclass(frozen=True)
class Stored:
    """The users of ``server``, at least those that were asked for.

    ``records`` are without the mark of a lock, ``locked`` the keys of locked records, ``plaintext`` the keys of records
    with a plaintext password. ``homes`` are the directories that a plan may need. ``view`` is the version of the
    database, None for a state that was not read from it.
    """

    server: Server
    records: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    locked: AbstractSet[bytes] = frozenset()
    plaintext: AbstractSet[bytes] = frozenset()
    guest: tuple[int, int] | None = None
    homes: Mapping[str, Home] = field(default_factory=dict)
    mounts: Sequence[str] = ()
    misreads_hashes: bool = False
    view: View | None = field(default=None, repr=False)
    files: Mapping[str, Personal] = field(default_factory=dict, repr=False)
    """The files of users in user_config_dir, of those that have one."""

    versions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The versions of the directory of these files and of those that were read."""

    def rights(self, name: str) -> Rights:
        """The rights of ``name`` in FTPS."""
        return rights_in(self.server.options, self.files.get(name))

    def has(self, name: str) -> bool:
        """Whether ``name`` is an FTPS user."""
        return name.encode("utf-8") in self.records

    def user(self, name: str) -> User:
        """``name`` as a User of FTPS that a plan would not change."""
        key = name.encode("utf-8")
        if key not in self.records:
            return User(name, present=False)
        return User(name, True, None, text(self.records[key]), ("ftps",), None, key in self.locked, *self.rights(name))

    def described(self, name: str) -> dict[str, Any] | None:
        """Name, scheme of the password, lock, directory and rights; None if there is no such user."""
        key, homes = name.encode("utf-8"), self.server.homes
        if key not in self.records:
            return None
        plain = key in self.plaintext
        return {
            "name": name,
            "scheme": passwords.PLAINTEXT if plain else passwords.scheme(text(self.records[key])),
            "locked": key in self.locked,
            "home": homes.of(name, self.files) if homes else None,
            "obeys_account": self.server.obeys_accounts,
            **self.rights(name)._asdict(),
        }

    def of_account(self, _name: str) -> dict[str, Any]:
        """Nothing: accounts are SFTP's."""
        return {}

    def counts(self, name: str) -> bool:
        """Whether sessions of ``name`` run as the user's account, in its home and not in one that an operator chose."""
        homes = self.server.homes
        return self.server.has_accounts and homes is not None and homes.own(name, self.files) is None

    def gives_account(self, _user: User) -> bool:
        """Never."""
        return False

    def with_files(self, names: Collection[str]) -> Stored:
        """The same with the files of ``names``."""
        directory = self.server.user_files
        files = read_files(directory, names)
        paths = [directory, *(one.path for one in files.values())] if directory else []
        return replace(self, files=files, versions={path: identity_of(path) for path in paths})

    def with_records(self, view: View, names: Collection[str] | None) -> Stored:
        """The same with the records of ``names`` (None: all users) in ``view``."""
        keys = None if names is None else [name.encode("utf-8") for name in names]
        found = view.all() if keys is None else view.select(keys)
        records, locked = without_locks(found)
        plain = plaintext_keys(records, self.server)
        # Whether a record that could be of DES is plaintext depends on all the others.
        few = records.values() if keys is not None and len(keys) <= FEW else ()
        if any(passwords.scheme(text(value)) in passwords.AMBIGUOUS for value in few):
            plain = plaintext_keys(without_locks(view.all())[0], self.server).intersection(records)
        return replace(self, records=records, locked=locked, plaintext=plain, view=view)


def read_state(
    server: Server, names: Collection[str] | None, homes: bool = False, mounts: bool = False, everybody: bool = False
) -> Stored:
    """Read the records of ``names`` (None: all users); with ``homes`` also directories, with ``mounts`` also mounts.

    ``everybody`` reads all records, and with ``mounts`` all directories too, as they may be deleted. Raises
    SecureFtpError.
    """
    stored = Stored(server).with_records(read(server.database), None if everybody else names)
    stored = stored.with_files({*(names or ()), *(map(text, stored.records) if names is None or everybody else ())})
    if not homes or server.homes is None or server.homes.shared or server.has_accounts:
        return replace(stored, misreads_hashes=_misreads_hashes())
    whose = {*(names or ()), *(map(text, stored.records) if names is None or (everybody and mounts) else ())}
    return replace(
        stored,
        guest=guest_ids(server.guest),
        homes=_homes(server.homes, sorted(filter(is_component, whose)), stored.files),
        mounts=other_mounts() if mounts else (),
        misreads_hashes=_misreads_hashes(),
    )


def _misreads_hashes() -> bool:
    release = releases.here()
    return release is None or release.misreads_hashes


def _homes(homes: Homes, names: Sequence[str], files: Mapping[str, Personal]) -> dict[str, Home]:
    own = {name: homes.own(name, files) for name in files}
    given = {name: Home(path, own=True) for name, path in own.items() if path is not None}
    rest = [name for name in names if name not in given]
    if homes.root is None:
        found = {name: look_at(homes.by_pattern(name)) for name in rest}
    else:
        found = look(homes.root, rest) if rest else {}
    return {**given, **{name: Home(homes.by_pattern(name), entry) for name, entry in found.items()}}


def describe(server: Server, name: str | None = None) -> dict[str, Any]:
    """Return the existing users: name, scheme and directory of each, and which have a plaintext password."""
    stored = Stored(server).with_records(read(server.database), None if name is None else [name])
    stored = stored.with_files(list(map(text, stored.records)))
    names = sorted(stored.records) if name is None else [name.encode("utf-8")]
    users = [found for found in (stored.described(text(key)) for key in told("FTPS users", names, len(names))) if found]
    return {
        "users": users,
        "plaintext": [user["name"] for user in users if user["scheme"] == passwords.PLAINTEXT],
        "db": server.database,
        "exists": stored.view is not None and stored.view.identity is not None,
        "pam_crypt": server.pam_crypt,
    }


def without_locks(records: Mapping[bytes, bytes]) -> tuple[Mapping[bytes, bytes], set[bytes]]:
    """Return the records without the mark of a lock, and the keys of those that are locked."""
    marked = {key: passwords.unlocked(text(value)) for key, value in records.items() if value[:1] == b"!"}
    behind = {key: value.encode("utf-8") for key, value in marked.items() if value is not None}
    return {**records, **behind} if behind else records, set(behind)


def plaintext_keys(records: Mapping[bytes, bytes], server: Server) -> set[bytes]:
    """Return the keys of records that are a plaintext password.

    A DES hash looks like a password of 13 letters: it counts as a password if the service compares
    plaintext, or if other records are certainly plaintext.
    """
    certain, ambiguous = set(), set()
    for key, value in records.items():
        if value[:3] == b"$6$" and len(value) >= 91:
            continue  # the common case; even a damaged hash is not a password worth keeping
        found = passwords.scheme(text(value))
        if found == passwords.PLAINTEXT:
            certain.add(key)
        elif found in passwords.AMBIGUOUS:
            ambiguous.add(key)
    service = server.service
    return certain | ambiguous if certain or (service and not service.hashed) else certain


def text(value: bytes) -> str:
    """A key or value of the database as text."""
    return value.decode("utf-8", "backslashreplace")
