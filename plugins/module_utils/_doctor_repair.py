# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Repairs of the database that need the library: python3 -m ..._doctor_repair salvage FILE | hash | names

Run by the commands that ``ftp-users check`` prints.
"""

from __future__ import annotations

import sys
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._discovery import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor_users import leads_out, name_of
from ansible_collections.secure_ftp.server.plugins.module_utils._errors import EXIT_CODES, SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftp_people import Rules, reconcile
from ansible_collections.secure_ftp.server.plugins.module_utils._userdb import salvage_database, update


def salvage(path: str) -> str:
    """Keep what is readable of the database ``path``."""
    number, kept = salvage_database(path)
    if kept is None:
        return f"{path} is sound: {number} users"
    return f"{path}: kept {number} users; the damaged file is {kept}; add who is missing with ftp-users add"


def hash_passwords() -> str:
    """Hash every plaintext password and let PAM take hashes only; log-ins work throughout."""
    outcome = reconcile([], discover(), Rules(hash_plaintext=True))
    switched = ", and PAM takes hashes only" if outcome.pam_changed else ""
    return f"hashed the passwords of {len(outcome.hashed)} users{switched}"


def remove_bad_names() -> str:
    """Remove every user whose name points out of the directory of the users."""
    removed = update(discover().database, lambda view: {key: None for key in view.all() if leads_out(name_of(key))})
    return f"removed {len(removed)} users"


def main(arguments: Sequence[str]) -> int:
    """Entry point; returns the exit status, as of ftp-users."""
    try:
        if len(arguments) == 2 and arguments[0] == "salvage":
            print(salvage(arguments[1]))
        elif list(arguments) == ["hash"]:
            print(hash_passwords())
        elif list(arguments) == ["names"]:
            print(remove_bad_names())
        else:
            print(__doc__.splitlines()[0], file=sys.stderr)
            return EXIT_CODES["invalid"]
    except SecureFtpError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODES[error.code]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
