# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a server's user database 500 times while users log in.

Runs on the server, with the collection's own library beside it. Standard input: {"user": ..., "password": ...}; that
user gets another hash of the same password in every tenth update, others come and go. The users of before stay.
"""

from __future__ import annotations

import json
import sys
import time

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.database import read, update
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import hash_password

DATABASE = "/etc/vsftpd/users.db"
UPDATES = 500


def main() -> None:
    given = json.load(sys.stdin)
    before = read(DATABASE).all()
    hashes = [hash_password(given["password"], 1000).encode() for _turn in range(5)]
    others = [b"passing%03d" % number for number in range(200)]
    started = time.monotonic()
    for number in range(UPDATES):
        if number % 10 == 0:
            changes = {given["user"].encode(): hashes[number // 10 % len(hashes)]}
        elif number % 10 == 5:
            changes = dict.fromkeys(others, hashes[0] if number % 20 == 5 else None)
        else:
            changes = {others[number % len(others)]: hashes[number % len(hashes)]}
        update(DATABASE, lambda _view, changes=changes: changes)
        time.sleep(0.02)
    seconds = time.monotonic() - started
    update(DATABASE, lambda view: {**dict.fromkeys(set(view.all()) - set(before)), **before})
    print(json.dumps({"updates": UPDATES, "seconds": seconds}))


main()
