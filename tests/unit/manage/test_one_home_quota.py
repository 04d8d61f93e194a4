# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving files into a home says when they are more than the quota of the user: root moves them all the same."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._host.accounts import Account, Accounts
from ansible_collections.secure_ftp.server.plugins.module_utils._host.moving import Moved
from ansible_collections.secure_ftp.server.plugins.module_utils._host.quotas import Counted, Limit, Usage
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.one_home import beyond_quota
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.state import Stored

ANN = Account("ann", 1001, 900, "/", "/usr/sbin/nologin")


def there(limit: Limit) -> Stored:
    counted = Counted("/dev/vdb", "/home", {1001: Usage(4000, 6, limit)})
    return Stored(Accounts({"ann": ANN}, {}, {}), counted=counted)


def test_more_than_the_quota_is_said_before_it_is_moved() -> None:
    moving = Moved(files=3, directories=2, size=1000)
    assert beyond_quota(there(Limit(5000, 11)), "ann", moving) == beyond_quota(there(Limit()), "ann", moving) == []
    assert beyond_quota(there(Limit(4999, 10)), "ann", moving) == [
        "user 'ann': 1000 bytes from FTPS and 4000 there are more than the quota of 4999: nothing can be uploaded then"
        " until enough is deleted",
        "user 'ann': 5 files from FTPS and 6 there are more than the quota of 10: nothing can be uploaded then until"
        " enough is deleted",
    ]
    assert beyond_quota(there(Limit(1, 1)), "bob", moving) == [], "a user without an account yet"
