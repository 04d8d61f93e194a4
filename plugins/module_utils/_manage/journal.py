# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The journal: what a change is about to do, so that the next one can finish it if it is killed half-way.

The file is as secret as shadow(5): it holds hashes, never passwords, belongs to root with mode 0600, and is there only
while a change runs.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.files import (
    file_error,
    fsync_directory,
    replace_file,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

PATH = "/var/lib/secure_ftp.server/unfinished.json"


class Intent(NamedTuple):
    """A change: the users as they should be, the records before it, and the places.

    ``records`` identify the version of the file that is replaced as a whole (None: no such user); ``places`` are from
    ``place()`` of the backends, by protocol, in the order of the change; ``by`` is the operator, for the log.
    """

    users: Sequence[User]
    records: Mapping[str, str | None]
    places: Mapping[str, Mapping[str, Any]]
    by: str = ""


def write(intent: Intent, path: str = PATH) -> None:
    """Store ``intent`` durably. Raises SecureFtpError if that is impossible; nothing must be changed then."""
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        raise file_error(directory, "make the directory", error) from error
    content = {
        "users": [user._asdict() for user in intent.users],
        "records": dict(intent.records),
        "places": dict(intent.places),
        "by": intent.by,
    }
    try:
        replace_file(path, json.dumps(content).encode("utf-8", "surrogateescape"), 0o600, -1, -1)
    except SecureFtpError:
        # The file may exist nevertheless, if only its directory could not be flushed. The next change must not do what
        # was refused.
        with contextlib.suppress(FileNotFoundError):
            try:
                os.unlink(path)
            except OSError as error:
                left = "nothing was changed, but the next change would do it: remove this file by hand first"
                raise file_error(path, "take back", error, left) from error
        raise


def read(path: str = PATH) -> Intent | None:
    """Return what a killed change has left, None if there is nothing, or nothing readable."""
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
        users = [
            _user(entry)
            for entry in content["users" if "users" in content else "people"]  # what an earlier version wrote
        ]
        # An earlier version stored no places: it knew only those that are discovered.
        places = dict(content.get("places") or {"sftp": {}, "ftps": {}})
        return Intent(users, content["records"], places, str(content.get("by", "")))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    except OSError as error:
        raise file_error(path, "read", error) from error


def _user(entry: Mapping[str, Any]) -> User:
    """JSON has lists where User has tuples."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return User(**fields)


def remove(path: str = PATH) -> None:
    """Forget the change: it is done, or undone."""
    try:
        os.unlink(path)
        fsync_directory(os.path.dirname(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        done = "the change is done; the next one reads this file again"
        raise file_error(path, "remove", error, done) from error
