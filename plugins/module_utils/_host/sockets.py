# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""Who listens on this host, read from /proc."""

from __future__ import annotations

import contextlib
import os


def listener(port: int, proc: str = "/proc") -> str | None:
    """The program that listens on TCP ``port``; None when none is found."""
    inodes = {inode for inode, (number, _address) in listening_sockets(proc).items() if number == port}
    if not inodes:
        return None
    for pid in filter(str.isdigit, os.listdir(proc)):
        if inodes & socket_inodes(pid, proc):
            with contextlib.suppress(OSError), open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as stream:
                return stream.read().strip()
    return None


def listening_sockets(proc: str = "/proc") -> dict[str, tuple[int, bool]]:
    """Every listening TCP socket of proc(5): inode to port and whether other hosts can reach it."""
    sockets: dict[str, tuple[int, bool]] = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii") as stream:
                rows = [line.split() for line in stream][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":  # LISTEN
                address, _sep, port = row[1].partition(":")
                # Each group of eight digits is one 32-bit word in the byte order of the host.
                loopback = address[-2:] == "7F" and len(address) == 8 or address == "0" * 24 + "01000000"
                sockets[row[9]] = (int(port, 16), not loopback)
    return sockets


def socket_inodes(pid: str, proc: str = "/proc") -> set[str]:
    """The inodes of the sockets of a process; none when it has ended or we may not look at it."""
    try:
        links = [os.readlink(entry.path) for entry in os.scandir(f"{proc}/{pid}/fd")]
    except OSError:
        return set()
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
