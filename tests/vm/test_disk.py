# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk itself: what is flushed is never lost, what is not may be. Without this no cut means a thing."""

from __future__ import annotations

import random
import socket
import struct

import pytest
from disk import BLOCK, Disk

READ, WRITE, FLUSH = 0, 1, 3
FUA = 1


class Guest:
    """As much of an NBD client as it takes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        assert self.exactly(18)[:16] == b"NBDMAGICIHAVEOPT"
        self.socket.sendall(struct.pack(">I", 1))
        self.socket.sendall(b"IHAVEOPT" + struct.pack(">II", 8, 0))
        assert struct.unpack(">QIII", self.exactly(20))[2] == 0x80000001, "no structured replies"
        self.socket.sendall(b"IHAVEOPT" + struct.pack(">II", 7, 6) + struct.pack(">IH", 0, 0))
        self.size = struct.unpack(">HQH", self.exactly(32)[20:])[1]
        self.exactly(20)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            assert part, "the disk hung up"
            data += part
        return data

    def ask(self, kind, offset=0, length=0, data=b"", flags=0):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind, 7, offset, length) + data)

    def do(self, kind, offset=0, data=b"", length=0, flags=0):
        self.ask(kind, offset, len(data) or length, data, flags)
        assert struct.unpack(">IIQ", self.exactly(16)) == (0x67446698, 0, 7)
        return self.exactly(length) if kind == READ else b""


@pytest.fixture
def disk(tmp_path):
    image = tmp_path / "image"
    image.write_bytes(b"0" * 4 * BLOCK)
    disk = Disk(image, tmp_path / "nbd")
    yield disk
    disk.close()


def test_a_guest_reads_what_it_has_written(disk, tmp_path):
    guest = Guest(disk.path)
    assert guest.size == 4 * BLOCK
    guest.do(WRITE, 100, b"a" * BLOCK)
    guest.do(WRITE, 3 * BLOCK, b"b" * BLOCK)
    assert guest.do(READ, 90, length=20) == b"0" * 10 + b"a" * 10
    assert guest.do(READ, 100 + BLOCK - 5, length=10) == b"a" * 5 + b"0" * 5
    assert (tmp_path / "image").read_bytes() == b"0" * 4 * BLOCK, "nothing is on the platter before it is flushed"
    guest.do(FLUSH)
    assert (tmp_path / "image").read_bytes()[3 * BLOCK :] == b"b" * BLOCK
    guest.socket.close()


def test_what_is_flushed_stays_and_what_is_not_may_go(disk, tmp_path):
    outcomes = set()
    for seed in range(200):
        guest = Guest(disk.path)
        guest.do(WRITE, 0, b"F" * BLOCK)
        guest.do(WRITE, BLOCK, b"1" * BLOCK)
        guest.do(FLUSH)
        guest.do(WRITE, 3 * BLOCK, b"U" * BLOCK, flags=FUA)
        guest.do(WRITE, BLOCK, b"2" * BLOCK)
        guest.do(WRITE, BLOCK, b"3" * BLOCK)
        guest.socket.close()
        blocks, lost = disk.cut(random.Random(seed))
        found = (tmp_path / "image").read_bytes()
        assert found[:BLOCK] == b"F" * BLOCK and found[3 * BLOCK :] == b"U" * BLOCK
        left = found[BLOCK : 2 * BLOCK]
        assert left in (b"1" * BLOCK, b"2" * BLOCK, b"3" * BLOCK), "a block is never torn"
        assert (blocks, lost) == (1, int(left != b"3" * BLOCK))
        outcomes.add(left)
    assert len(outcomes) == 3


def test_the_power_goes_at_the_event_asked_for(disk, tmp_path):
    guest = Guest(disk.path)
    disk.cut_after(3)
    guest.do(WRITE, 0, b"1" * BLOCK)
    guest.do(FLUSH)
    guest.ask(WRITE, 0, BLOCK, b"2" * BLOCK)
    assert disk.dead.wait(10)
    guest.ask(FLUSH)
    guest.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        guest.socket.recv(1)
    guest.socket.close()
    assert disk.cut(random.Random(1)) == (0, 0)
    assert (tmp_path / "image").read_bytes()[:BLOCK] == b"1" * BLOCK
    again = Guest(disk.path)
    assert again.do(READ, 0, length=1) == b"1"
    again.socket.close()
