# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas on a second disk with ext4: refused where nothing enforces them, and beyond them every upload.

The tests go on from one to the next, on one machine with one home for each user.
"""

from __future__ import annotations

import io
import json
import re

import pytest
from conftest import PASSWORDS, USERS, VARIABLES

SECOND_DISK = 64 << 20
MIB = 1 << 20
HOMES = "/home/sftp"
LIMITED = [{**one, "quota": "5M"} if one["name"] == "robin" else one for one in USERS]


def used(machine, name="robin"):
    """What ``ftp-users show`` says of a user."""
    return json.loads(machine.sh(f"ftp-users show {name} --json"))["user"]


def curl(machine, size, path="big", name="robin"):
    """Upload ``size`` bytes with curl over FTPS; its exit status."""
    password = PASSWORDS[name]
    machine.sh("umask 077; cat >/root/curlrc", f'user = "{name}:{password}"\nssl-reqd\ninsecure\nsilent\n')
    machine.sh(f"head -c {size} /dev/zero >/root/{path}")
    return machine.try_sh(f"curl -K /root/curlrc -T /root/{path} ftp://127.0.0.1/").returncode


def there(machine, path="robin/big"):
    """The size of a file in the homes, and what it takes; -1 if there is none."""
    return int(machine.try_sh(f"stat -c %s {HOMES}/{path}").stdout or -1)


def library(machine):
    """Where the command ``ftp-users`` has its library."""
    return machine.sh("sed -n \"s/^sys.path.insert(0, '\\(.*\\)')$/\\1/p\" /usr/local/sbin/ftp-users").strip()


def switched_on(machine):
    return "not enforced" not in machine.try_sh("ftp-users check").stdout


@pytest.fixture(scope="module")
def homes(machine):
    """One home for each user, on a disk of its own that has no quotas yet."""
    machine.sh("ftp-users one-home", timeout=600)
    machine.sh("apt-get -qq update; apt-get -qq install curl >/dev/null", timeout=600)
    machine.sh(
        f"set -e; mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt; cp -a {HOMES}/. /mnt; umount /mnt\n"
        f"chmod --reference={HOMES} /mnt; mount /dev/vdb {HOMES}; chmod 0755 {HOMES}"
    )
    return machine


def test_a_quota_is_refused_before_any_change_and_the_error_says_the_commands(homes):
    refused = homes.play({**VARIABLES, "ftp_users": LIMITED}, "--tags", "users,user_command")
    assert refused.returncode != 0 and "nothing was changed" in refused.stdout
    said = re.search(rf"{HOMES} \(ext4\): expected user quotas that are enforced, found none", refused.stdout)
    assert said, refused.stdout
    done = homes.play({**VARIABLES, "ftp_users": USERS}, "--tags", "users,user_command")
    assert done.returncode == 0, done.stdout
    command = homes.try_sh("ftp-users edit robin --quota 5M")
    assert command.returncode != 0 and "expected user quotas that are enforced" in command.stderr
    assert used(homes)["quota"] == 0 and used(homes)["used_bytes"] is None
    fix = re.search(r"then: (mount .*)$", command.stderr.strip())
    assert fix, command.stderr
    homes.sh(f"echo '/dev/vdb {HOMES} ext4 usrquota,nofail 0 2' >>/etc/fstab; {fix[1]}")
    assert used(homes)["used_files"] == 1


def test_the_list_sets_it_and_the_next_run_changes_nothing(homes):
    variables = {**VARIABLES, "ftp_users": LIMITED}
    done = homes.play(variables, "--tags", "users")
    assert done.returncode == 0, done.stdout
    assert used(homes)["quota"] == 5 * MIB and used(homes, "batman")["quota"] == 0
    again = homes.play(variables, "--tags", "users")
    assert again.returncode == 0 and re.search(r"changed=0 ", again.stdout), again.stdout


def test_ftps_is_refused_at_the_quota(homes, figure):
    assert curl(homes, 4 * MIB) == 0 and there(homes) == 4 * MIB
    assert curl(homes, 6 * MIB) != 0
    assert there(homes) < 5 * MIB and used(homes)["used_bytes"] <= 5 * MIB
    assert curl(homes, 6 * MIB, name="batman") == 0, "nobody else is limited"
    figure(f"vm: a user with a quota of 5 MiB got {there(homes)} of 6 MiB over FTPS")


def test_what_is_nearly_used_is_found(homes):
    found = {one["subject"]: one for one in homes.findings()}
    assert "quota-nearly-used" in found and "robin: " in found["quota-nearly-used"]["what"], found
    assert found["quota-nearly-used"]["fix"] == "ftp-users edit robin --quota BYTES"


def test_sftp_is_refused_at_the_quota_and_more_is_there_for_an_open_session(homes, figure):
    homes.sh(f"rm -f {HOMES}/robin/*")
    with homes.sftp("robin", PASSWORDS["robin"]) as session:
        with pytest.raises(OSError):
            session.putfo(io.BytesIO(bytes(6 * MIB)), "big")
        stored = there(homes)
        assert stored <= 5 * MIB and used(homes)["used_bytes"] <= 5 * MIB
        session.remove("big")
        homes.sh("ftp-users edit robin --quota 8M")
        session.putfo(io.BytesIO(bytes(6 * MIB)), "big")
        assert there(homes) == 6 * MIB
    figure(f"vm: a user with a quota of 5 MiB got {stored} of 6 MiB over SFTP")


def test_less_than_there_is_warns_and_stops_uploads_but_deletes_nothing(homes):
    homes.sh(f"rm -f {HOMES}/robin/*; ftp-users edit robin --quota 8M")
    assert curl(homes, 6 * MIB) == 0
    homes.sh("sync")  # the list of the older format lacks what ext4 has not allocated yet
    said = homes.try_sh("ftp-users edit robin --quota 1M")
    assert said.returncode == 0 and "more than the quota of 1M" in said.stderr
    assert there(homes) == 6 * MIB and curl(homes, 10, "small") != 0
    homes.sh(f"rm -f {HOMES}/robin/*")
    assert curl(homes, 10, "small") == 0


def test_files_are_counted_over_both_protocols(homes):
    homes.sh(f"rm -rf {HOMES}/robin/*; ftp-users edit robin --quota none --quota-files 4")
    assert [curl(homes, 9, f"file{number}") == 0 for number in range(4)] == [True, True, True, False]
    with homes.sftp("robin", PASSWORDS["robin"]) as session:
        for make in (lambda: session.mkdir("more"), lambda: session.putfo(io.BytesIO(b"x"), "more")):
            with pytest.raises(OSError):
                make()
        session.remove("file0")
        session.mkdir("more")
    assert used(homes)["used_files"] == 4 == used(homes)["quota_files"]


def test_a_change_that_fails_later_leaves_the_quota_as_it_was(homes):
    homes.sh(f"rm -rf {HOMES}/robin/*; ftp-users edit robin --quota 5M --quota-files none")
    homes.sh("mv /usr/sbin/chpasswd /usr/sbin/chpasswd.away")
    try:
        failed = homes.try_sh("ftp-users edit robin --quota 4M --password-stdin", "Robin#2 another nest")
    finally:
        homes.sh("mv /usr/sbin/chpasswd.away /usr/sbin/chpasswd")
    assert failed.returncode != 0 and "nothing was changed" in failed.stderr, failed.stderr
    assert used(homes)["quota"] == 5 * MIB


def test_quotas_that_are_switched_off_are_found_and_the_fix_works(homes):
    assert switched_on(homes)
    homes.sh(f"quotaoff -u {HOMES}")
    (found,) = [one for one in homes.findings() if one["subject"] == "quota-off"]
    assert found["what"] == f"{HOMES}: the quotas of robin are not enforced"
    homes.sh(found["fix"])
    assert switched_on(homes) and curl(homes, 6 * MIB) != 0


def test_the_feature_quota_without_the_option_is_not_taken_for_enforced(homes, figure):
    """``quotaon -p`` calls this "on"; the kernel only counts."""
    made = "truncate -s 32M /root/image; mkfs.ext4 -q -O quota -E quotatype=usrquota /root/image; mkdir -p /mnt/image"
    homes.sh(f"set -e; {made}; mount -o loop /root/image /mnt/image")
    try:
        said = homes.try_sh("quotaon -p -u /mnt/image").stdout
        ask = (
            f"import sys; sys.path.insert(0, {library(homes)!r})\n"
            "from ansible_collections.secure_ftp.server.plugins.module_utils._host import mounts, quotas\n"
            "print(quotas.count('/mnt/image', mounts.read_mounts()).problem)"
        )
        problem = homes.sh("python3 -", ask)
        assert "is on" in said and "that it counts, but lets everybody pass the limits" in problem
        homes.sh(re.search(r"then: (mount .*)$", problem.strip())[1])
        assert homes.sh("python3 -", ask).strip() == "None"
        figure(
            "vm: ext4 with the feature quota, mounted without usrquota: quotaon -p says on, the kernel does not enforce"
        )
    finally:
        homes.sh("umount /mnt/image")


def test_a_shared_folder_is_limited_by_its_own_account(homes):
    homes.sh(f"mkdir -p {HOMES}/.shared /srv/ftp-shared; mount --bind {HOMES}/.shared /srv/ftp-shared")
    folders = [{"name": "projects", "members": ["robin", "batman"], "quota": "2M"}]
    done = homes.play({**VARIABLES, "ftp_users": USERS, "ftp_shared_folders": folders}, "--tags", "shared_folders")
    assert done.returncode == 0, done.stdout
    with homes.sftp("robin", PASSWORDS["robin"]) as session, pytest.raises(OSError):
        session.putfo(io.BytesIO(bytes(3 * MIB)), "projects/big")
    # What ext4 has not yet allocated is not counted yet.
    (folder,) = json.loads(homes.sh("sync; ftp-users folders --json"))["folders"]
    assert (folder["quota"], folder["mounted"], folder["members"]) == (2 * MIB, True, ["batman", "robin"])
    assert MIB < folder["used_bytes"] <= 2 * MIB
    assert re.search(r"projects +mounted +\d+ % of 2M +batman, robin", homes.sh("ftp-users folders"))


def test_after_a_reboot_the_quota_is_enforced(homes):
    homes.reboot()
    assert used(homes)["quota"] == 5 * MIB and curl(homes, 6 * MIB) != 0


def test_who_is_removed_leaves_no_limit_behind(homes):
    uid = homes.sh("id -u robin").strip()
    homes.sh("ftp-users del robin")
    report = homes.sh("repquota -u -n -v -O csv /dev/vdb")
    assert not re.search(rf"^#{uid},.*,5120,", report, re.M), report
