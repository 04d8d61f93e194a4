# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says about one user after a change in both protocols."""

from __future__ import annotations

from ansible_collections.secure_ftp.server.plugins.module_utils._manage.together import of_one, together
from ansible_collections.secure_ftp.server.plugins.module_utils._users.backend import Outcome
from ansible_collections.secure_ftp.server.plugins.module_utils._users.user import User

KEYS = ("ssh-ed25519 AAAA",)


def test_a_new_user_is_told_by_what_was_made() -> None:
    new = Outcome(added=["alfred"], homes=["/home/sftp/alfred"])
    user = User("alfred", password="geheim geheim", authorized_keys=KEYS)
    assert of_one(user, {"ftps": new, "sftp": new}) == [
        "added to ftps", "added to sftp", "password", "authorized_keys", "home",
    ]  # fmt: skip
    assert of_one(user, {"ftps": Outcome(added=["alfred"])}) == ["added to ftps", "password"], "keys are for SFTP"


def test_a_user_of_one_protocol_who_gets_the_other_one_is_not_new_to_both() -> None:
    both = {"ftps": Outcome(changed_users={"alfred": ["password"]}), "sftp": Outcome(added=["alfred"])}
    assert of_one(User("alfred", locked=True), both) == ["added to sftp", "password", "locked"]


def test_a_removed_user_and_the_files() -> None:
    gone = Outcome(removed=["alfred"], homes_removed=["/home/ftp/alfred"])
    assert of_one(User("alfred", present=False), {"ftps": gone, "sftp": Outcome(removed=["alfred"])}) == [
        "no ftps any more", "no sftp any more", "files removed",
    ]  # fmt: skip
    assert of_one(User("alfred"), {"ftps": Outcome(), "sftp": Outcome()}) == []


def test_a_user_who_gets_another_protocol_is_changed_not_new() -> None:
    outcomes = {"ftps": Outcome(), "sftp": Outcome(added=["alfred", "robin"], joined=["alfred"])}
    whole = together([User("alfred"), User("robin")], outcomes)
    assert (whole.added, whole.changed_users, whole.unchanged) == (["robin"], {"alfred": ["added to sftp"]}, [])
