# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves a module, however many there are, and hiding them takes no time to speak of."""

from __future__ import annotations

import time

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import (
    HIDDEN,
    LONG,
    counted,
    hidden,
    occurring,
    strings_in,
)


def test_a_secret_that_is_a_part_of_something_is_found() -> None:
    secrets = {"bat-Cave!1 deep", "Robin#2 nest", "x"}
    said = {"msg": "user 'robin': Robin#2 nest is short", "names": ["batman"], "diff": [{"after": "bat-Cave!1 dee"}]}
    assert occurring(secrets, strings_in(said)) == {"Robin#2 nest"}
    assert occurring(secrets, strings_in([{"a": ("b", b"bat-Cave!1 deep")}, {"key Robin#2 nest": None}])) == {
        "bat-Cave!1 deep",
        "Robin#2 nest",
    }
    assert occurring({"4711", ""}, strings_in([{"uid": 14711}, True])) == {"4711"}


def test_a_parameter_that_is_a_secret_is_hidden_and_what_holds_one_is_left_to_ansible() -> None:
    params = {
        "users": [{"name": "batman", "password": "geheim geheim", "comment": "his is geheim geheim"}],
        "purge": True,
    }
    secrets = {"geheim geheim"}
    found = hidden(params, secrets)
    assert found["users"][0]["password"] == HIDDEN and found["purge"] is True
    rest = occurring(secrets, strings_in(found))
    assert rest == secrets and "geheim geheim" not in str(remove_values(found, rest))


def test_a_long_list_of_users_is_counted_and_not_repeated() -> None:
    users = [{"name": f"user{number}"} for number in range(LONG + 1)]
    params = {"users": users, "purge": True, "protocols": ["ftps"], "few": users[:LONG]}
    assert counted(params) == {**params, "users": f"({LONG + 1} elements)"}


def test_ten_thousand_users_take_as_long_as_ten_times_a_thousand() -> None:
    def seconds(count: int) -> float:
        hashes = [f"$6$rounds=50000${number:016d}${number:086d}" for number in range(count)]
        users = [{"name": f"user{at:06d}", "password_hash": one, "umask": "0077"} for at, one in enumerate(hashes)]
        began = time.process_time()
        shown = hidden({"users": users}, set(hashes))
        assert occurring(set(hashes), strings_in([shown, {"unchanged": [user["name"] for user in users]}])) == set()
        assert len(remove_values(shown, set())["users"]) == count
        return time.process_time() - began

    assert min(seconds(10_000) for _turn in range(3)) < 30 * min(seconds(1_000) for _turn in range(3))
