# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with a write cache that a loss of power really empties, for QEMU.

QEMU's own caches are those of the machine it runs on: whoever kills QEMU loses nothing that the guest has written,
flushed or not. This is a server of the NBD protocol instead (https://github.com/NetworkBlockDevice/nbd, doc/proto.md).
It keeps what is written in memory until the guest asks for a flush, and ``cut`` does what a disk may do when the power
goes: of what was not flushed each block of 4096 bytes is what it was, or any of the contents written to it since.
That is the physical sector of today's disks, which they write whole. Tearing blocks into sectors of 512 bytes tears the
superblock of ext4, which takes two of them and has a checksum: such a machine does not boot, whoever wrote what.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
from pathlib import Path

BLOCK = 4096

_READ, _WRITE, _DISCONNECT, _FLUSH = range(4)
_FUA = 1
_FLAGS = 1 | 4 | 8  # this field counts, flush is served, so is FUA
_INVALID = 22


class Disk:
    """One disk, served on the socket ``path`` to one guest at a time; ``image`` is what has reached the platter."""

    def __init__(self, image: Path, path: Path):
        self.path = path
        self.events = 0
        """Writes and flushes so far."""
        self._fd = os.open(image, os.O_RDWR | os.O_CLOEXEC)
        self._size = os.fstat(self._fd).st_size
        self._cache: dict[int, list[bytes]] = {}
        self._lock = threading.Lock()
        self._cut_at: int | None = None
        self._idle = threading.Event()
        self._idle.set()
        self.dead = threading.Event()
        """The power is off: nothing is answered any more."""
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_after(self, events: int) -> None:
        """Let the power go at the ``events``-th write or flush from now; ``dead`` tells. That one is not done."""
        with self._lock:
            self._cut_at = self.events + events

    def cut(self, dice: random.Random) -> tuple[int, int]:
        """Empty the cache as a loss of power does: how many blocks were in it, how many of them lost something.

        The guest must be gone. A third of the cuts loses all of the cache, a third nothing; a disk may do either.
        """
        self._idle.wait()
        with self._lock:
            cached, lost = self._cache, 0
            luck = dice.choice((0.0, 1.0, dice.random()))
            for number, contents in sorted(cached.items()):
                left = _left([self._on_platter(number), *contents], luck, dice)
                lost += left != contents[-1]
                os.pwrite(self._fd, left, number * BLOCK)
            self._cache, self._cut_at = {}, None
            self.dead.clear()
            return len(cached), lost

    def close(self) -> None:
        """End it as a shutdown does: everything reaches the platter."""
        with self._lock:
            self._flush()
        self._listener.close()
        os.close(self._fd)
        self.path.unlink(missing_ok=True)

    # --- the cache -------------------------------------------------------------------------------------------------

    def _on_platter(self, number: int) -> bytes:
        return os.pread(self._fd, BLOCK, number * BLOCK)

    def _block(self, number: int) -> bytes:
        contents = self._cache.get(number)
        return contents[-1] if contents else self._on_platter(number)

    def _read(self, offset: int, length: int) -> bytes:
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        data = bytearray(os.pread(self._fd, (last - first + 1) * BLOCK, first * BLOCK))
        for number in range(first, last + 1) if self._cache else ():
            contents = self._cache.get(number)
            if contents:
                start = (number - first) * BLOCK
                data[start : start + BLOCK] = contents[-1]
        start = offset - first * BLOCK
        return bytes(data[start : start + length])

    def _write(self, offset: int, data: bytes) -> None:
        while data:
            number, start = divmod(offset, BLOCK)
            part = data[: BLOCK - start]
            if len(part) < BLOCK:
                old = self._block(number)
                block = old[:start] + part + old[start + len(part) :]
            else:
                block = part
            self._cache.setdefault(number, []).append(block)
            offset, data = offset + len(part), data[len(part) :]

    def _flush(self) -> None:
        for number, contents in self._cache.items():
            os.pwrite(self._fd, contents[-1], number * BLOCK)
        self._cache.clear()

    # --- the protocol ----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self._idle.clear()
            with connection, contextlib.suppress(EOFError, OSError):
                self._negotiate(connection)
                while self._request(connection):
                    pass
            self._idle.set()

    def _negotiate(self, connection: socket.socket) -> None:
        connection.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 1))
        _exactly(connection, 4)
        while True:
            _magic, option, length = struct.unpack(">8sII", _exactly(connection, 16))
            _exactly(connection, length)
            if option in (6, 7):  # INFO, GO
                self._answer(connection, option, 3, struct.pack(">HQH", 0, self._size, _FLAGS))
                self._answer(connection, option, 1)
                if option == 7:
                    return
            else:
                self._answer(connection, option, 0x80000001)  # not supported

    @staticmethod
    def _answer(connection: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
        connection.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data)

    def _request(self, connection: socket.socket) -> bool:
        _magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", _exactly(connection, 28))
        data = _exactly(connection, length) if kind == _WRITE else b""
        if kind == _DISCONNECT:
            return False
        error, answer = 0, b""
        with self._lock:
            if kind in (_WRITE, _FLUSH):
                self.events += 1
                if self._cut_at is not None and self.events >= self._cut_at:
                    self.dead.set()
            if self.dead.is_set():
                pass
            elif kind == _READ:
                answer = self._read(offset, length)
            elif kind == _WRITE:
                self._write(offset, data)
                if flags & _FUA:
                    self._to_platter(offset, length)
            elif kind == _FLUSH:
                self._flush()
            else:
                error = _INVALID
        if self.dead.is_set():
            return True  # without an answer; the guest is about to be killed
        connection.sendall(struct.pack(">IIQ", 0x67446698, error, handle) + answer)
        return True

    def _to_platter(self, offset: int, length: int) -> None:
        for number in range(offset // BLOCK, (offset + length - 1) // BLOCK + 1):
            os.pwrite(self._fd, self._cache.pop(number)[-1], number * BLOCK)


def _left(versions: list[bytes], luck: float, dice: random.Random) -> bytes:
    """What is left of a block that had these contents in turn: with ``luck`` 1 the last, with 0 the first."""
    if luck in (0, 1) or dice.random() < luck:
        return versions[0 if luck == 0 else -1]
    return dice.choice(versions)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
