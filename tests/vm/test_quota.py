# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel enforces on a second disk with ext4. The collection sets no quota yet; this is the ground for it."""

from __future__ import annotations

SECOND_DISK = 64 << 20


def test_ext4_on_a_second_disk_enforces_a_quota_by_user(machine, figure):
    machine.sh(
        "set -e; modprobe quota_v2; mkfs.ext4 -q /dev/vdb; mkdir /mnt/second; mount -o usrquota /dev/vdb /mnt/second\n"
        "quotacheck -cum /mnt/second; quotaon /mnt/second; setquota -u robin 0 2048 0 0 /mnt/second\n"
        "install -d -o robin -g sftponly -m 0700 /mnt/second/robin"
    )
    write = "setpriv --reuid robin --regid sftponly --clear-groups dd if=/dev/zero bs=64k of=/mnt/second/robin/file"
    refused = machine.try_sh(f"LC_ALL=C {write} count=64")
    assert refused.returncode != 0 and "Disk quota exceeded" in refused.stderr, refused.stderr
    # His directory takes a block of it.
    assert machine.sh("stat -c %s /mnt/second/robin/file").strip() == str((2 << 20) - 4096)
    machine.sh(f"rm /mnt/second/robin/file; {write} count=16; dd if=/dev/zero bs=1M count=4 of=/mnt/second/root-may")
    figure("vm: ext4 on a second disk refused the write beyond a user's 2 MiB")
